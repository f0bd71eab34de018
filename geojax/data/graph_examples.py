"""Graphs as examples of one shape: padded, joined, or cut around each node.

A task has two ways to put graphs into its examples. Many small ones: `stack` pads them to rows (example, node, …).
One large one: its nodes stay in what the examples share, and a row holds which nodes make the `neighbourhoods` of one;
under jit `shared["nodes"][rows["members"]]` then is a batch of small graphs like those of `stack`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from geojax.errors import UserError


class Graph(NamedTuple):
    """nodes (node, feature), edges (edge, 2) sender and receiver, edge_features (edge, feature)."""

    nodes: np.ndarray
    edges: np.ndarray
    edge_features: np.ndarray


def stack(graphs: Sequence[Graph], nodes: int | None = None, edges: int | None = None) -> dict[str, np.ndarray]:
    """Graphs as rows of one shape, by the names that a graph model's arguments have.

    nodes, edges : how many each row has room for; by default as many as the largest graph needs
    returns : nodes (example, node, feature), edges (example, edge, 2) int32, edge_features (example, edge, feature),
        node_mask (example, node), edge_mask (example, edge). Padding is zero, its edges run at the last node.
    raises UserError : there is no graph, one has more than there is room for or an edge to no node, or features differ
    """
    for number, graph in enumerate(graphs):
        _check(graph, number)
    _check_alike(graphs)
    most = max(len(g.nodes) for g in graphs), max(len(g.edges) for g in graphs)
    room = most[0] if nodes is None else nodes, most[1] if edges is None else edges
    for number, graph in enumerate(graphs):
        if len(graph.nodes) > room[0] or len(graph.edges) > room[1]:
            raise UserError(
                f"graph {number}: there is room for {room[0]} nodes and {room[1]} edges, but it has "
                f"{len(graph.nodes)} and {len(graph.edges)}. Make room, or take fewer neighbours."
            )
    count, first = len(graphs), graphs[0]
    rows = {
        "nodes": np.zeros((count, room[0], first.nodes.shape[1]), first.nodes.dtype),
        "edges": np.full((count, room[1], 2), max(room[0] - 1, 0), "int32"),
        "edge_features": np.zeros((count, room[1], first.edge_features.shape[1]), first.edge_features.dtype),
        "node_mask": np.arange(room[0]) < np.array([len(g.nodes) for g in graphs])[:, None],
        "edge_mask": np.arange(room[1]) < np.array([len(g.edges) for g in graphs])[:, None],
    }
    for number, graph in enumerate(graphs):
        for name, values in graph._asdict().items():
            rows[name][number, : len(values)] = values
    return rows


def join(graphs: Sequence[Graph]) -> tuple[Graph, np.ndarray]:
    """Graphs side by side as one, and which of them each node is from, (node,) int32.

    raises UserError : there is no graph, one has an edge to no node, or features differ
    """
    for number, graph in enumerate(graphs):
        _check(graph, number)
    _check_alike(graphs)
    sizes = [len(g.nodes) for g in graphs]
    first = np.cumsum([0, *sizes])[:-1]
    edges = [g.edges + offset for g, offset in zip(graphs, first, strict=True)]
    whole = Graph(
        np.concatenate([g.nodes for g in graphs]),
        np.concatenate(edges).astype("int32"),
        np.concatenate([g.edge_features for g in graphs]),
    )
    return whole, np.repeat(np.arange(len(graphs), dtype="int32"), sizes)


class Neighbourhoods(NamedTuple):
    """Small graphs, one around each of some nodes of a large one: trees with that node at position 0.

    members : (example, position) int32, nodes of the large graph; 0 where padding
    links : (example, position - 1) int32, edge of the large graph that starts at each position but the first
    mask : (example, position), False for padding; `mask[:, 1:]` is that of the edges
    edges : (position - 1, 2) int32, sender and receiver as positions; the same in all examples
    """

    members: np.ndarray
    links: np.ndarray
    mask: np.ndarray
    edges: np.ndarray


def neighbourhoods(
    edges: np.ndarray, nodes: int, fan_out: Sequence[int], centres: np.ndarray | None = None, seed: int | None = None
) -> Neighbourhoods:
    """Which nodes a node hears of in as many rounds of message passing as `fan_out` has entries.

    A node that is heard of on two ways stands at two positions. If no node has more senders than the fan-out, a model
    of that many rounds gives at position 0 what it gives on the large graph.

    edges : (edge, 2), sender and receiver; nodes : how many the large graph has
    fan_out : senders of the node, of each of these, and so on
    centres : (example,) nodes; by default all
    seed : of the random choice where there are more senders; None to take the first, which for edges of
        `geojax.data.graphs` are the nearest
    raises UserError : an edge or a centre is no node, or a fan-out below one
    source : Hamilton et al. 2017, doi:10.48550/arXiv.1706.02216
    """
    edges = np.asarray(edges).reshape(-1, 2)
    centres = np.arange(nodes) if centres is None else np.asarray(centres)
    _check_range(edges, nodes, "edges")
    _check_range(centres, nodes, "centres")
    if not fan_out or min(fan_out) < 1:
        raise UserError(f"graph: each fan-out must be at least 1, but they are {list(fan_out)}.")
    heard, known = _heard(edges, nodes, max(fan_out), seed)
    members, links, masks = [centres[:, None]], [], [np.ones((len(centres), 1), bool)]
    parents, last = [], np.zeros(1, int)
    for count in fan_out:
        link = heard[members[-1], :count]
        mask = known[members[-1], :count] & masks[-1][..., None]
        sender = np.where(mask, edges[link, 0] if len(edges) else 0, 0)
        for every, new in ((members, sender), (links, np.where(mask, link, 0)), (masks, mask)):
            every.append(new.reshape(len(centres), -1))
        parents.append(np.repeat(last, count))
        last = last[-1] + 1 + np.arange(len(parents[-1]))
    receiver = np.concatenate(parents)
    template = np.stack([np.arange(1, len(receiver) + 1), receiver], -1).astype("int32")
    whole, ways, mask = (np.concatenate(each, 1) for each in (members, links, masks))
    return Neighbourhoods(whole.astype("int32"), ways.astype("int32"), mask, template)


def _heard(edges: np.ndarray, nodes: int, count: int, seed: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Edges (node, count) that end in each node, in their order or a random one, and which of them there are."""
    turn = np.arange(len(edges)) if seed is None else np.random.default_rng(seed).permutation(len(edges))
    order = np.lexsort((turn, edges[:, 1]))
    receiver = edges[order, 1]
    rank = np.arange(len(edges)) - np.searchsorted(receiver, receiver)
    kept = rank < count
    heard, known = np.zeros((nodes, count), int), np.zeros((nodes, count), bool)
    heard[receiver[kept], rank[kept]] = order[kept]
    known[receiver[kept], rank[kept]] = True
    return heard, known


def _check(graph: Graph, number: int) -> None:
    if graph.nodes.ndim != 2 or graph.edges.shape[1:] != (2,) or graph.edge_features.ndim != 2:
        shapes = ", ".join(f"{name} {values.shape}" for name, values in graph._asdict().items())
        raise UserError(
            f"graph {number}: it must have nodes (node, feature), edges (edge, 2) and edge_features (edge, feature), "
            f"but has {shapes}."
        )
    if len(graph.edges) != len(graph.edge_features):
        raise UserError(
            f"graph {number}: each edge must have its features, but there are {len(graph.edges)} edges and "
            f"{len(graph.edge_features)} rows of features."
        )
    _check_range(graph.edges, len(graph.nodes), f"edges of graph {number}")


def _check_alike(graphs: Sequence[Graph]) -> None:
    found = {(g.nodes.shape[1], g.edge_features.shape[1]) for g in graphs}
    if len(found) != 1:
        told = ", ".join(f"{n} and {e}" for n, e in sorted(found)) or "none, for there is no graph"
        raise UserError(f"graph: all must have as many features of nodes and of edges, but they have {told}.")


def _check_range(numbers: np.ndarray, nodes: int, what: str) -> None:
    if numbers.size and (numbers.min() < 0 or numbers.max() >= nodes):
        raise UserError(
            f"graph: {what} must be of nodes 0 to {nodes - 1}, but go from {numbers.min()} to {numbers.max()}."
        )
