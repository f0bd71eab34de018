"""What nodes tell each other along edges: sums, means, maxima and softmax over the edges that end in a node.

A batch of padded graphs is laid side by side as one, in which the nodes of an example follow those of the one before.
What a mask leaves out may be anything, NaN too: it reaches neither a value nor a gradient.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from geojax.errors import UserError


class Links(NamedTuple):
    """Edges of all graphs of a batch: positions among all nodes, (edge,) each; those not `known` are padding."""

    sender: jax.Array
    receiver: jax.Array
    known: jax.Array
    nodes: int  # of all graphs


def lay_out(edges: jax.Array, node_mask: jax.Array, edge_mask: jax.Array) -> Links:
    """Padded graphs side by side.

    edges : (example, edge, 2), sender and receiver within the example; anything where masked
    node_mask, edge_mask : (example, node) and (example, edge), False for padding; an edge from or to a masked node
        is masked too
    """
    examples, nodes = node_mask.shape
    within = jnp.where(edge_mask[..., None], edges, 0)
    both = (within + nodes * jnp.arange(examples, dtype=edges.dtype)[:, None, None]).reshape(-1, 2)
    sender, receiver = both[:, 0], both[:, 1]
    there = jnp.asarray(node_mask).reshape(-1)
    known = jnp.asarray(edge_mask).reshape(-1) & there[sender] & there[receiver]
    return Links(sender, receiver, known, there.size)


def masked(values: jax.Array, known: jax.Array) -> jax.Array:
    """`values` (*place, …) with zeros where `known` (*place,) is False."""
    return jnp.where(known.reshape(known.shape + (1,) * (values.ndim - known.ndim)), values, 0)


def segment_sum(values: jax.Array, links: Links) -> jax.Array:
    """Sum (node, …) over the known edges that end in each node; `values` (edge, …). Added up in float32."""
    wide = masked(values, links.known).astype(jnp.promote_types(values.dtype, jnp.float32))
    return jax.ops.segment_sum(wide, links.receiver, links.nodes).astype(values.dtype)


def degree(links: Links) -> jax.Array:
    """Known edges that end in each node, (node,) float32."""
    return jax.ops.segment_sum(links.known.astype(jnp.float32), links.receiver, links.nodes)


def segment_mean(values: jax.Array, links: Links) -> jax.Array:
    """Mean (node, …) over the known edges that end in each node; zero where there is none."""
    total = segment_sum(values, links)
    share = 1 / jnp.maximum(degree(links), 1)
    return total * share.astype(values.dtype).reshape(-1, *(1,) * (values.ndim - 1))


def segment_max(values: jax.Array, links: Links) -> jax.Array:
    """Maximum (node, …) over the known edges that end in each node; zero where there is none.

    Edges that share the maximum share its gradient evenly.
    """
    values = masked(values, links.known)
    top = _largest(values, links)
    wins = masked((values == top[links.receiver]).astype(jnp.float32), links.known)
    wins = jax.lax.stop_gradient(wins)
    winners = jnp.maximum(jax.ops.segment_sum(wins, links.receiver, links.nodes), 1).astype(values.dtype)
    return segment_sum(values * wins.astype(values.dtype), links) / winners


def segment_softmax(scores: jax.Array, links: Links) -> jax.Array:
    """Weights (edge, …) that add up to one over the known edges that end in a node; zero for the others.

    Computed in float32, whatever the scores (edge, …) are in.
    """
    wide = masked(scores, links.known).astype(jnp.promote_types(scores.dtype, jnp.float32))
    power = masked(jnp.exp(wide - _largest(wide, links)[links.receiver]), links.known)
    total = jax.ops.segment_sum(power, links.receiver, links.nodes)
    return (power / jnp.where(total > 0, total, 1)[links.receiver]).astype(scores.dtype)


def _largest(values: jax.Array, links: Links) -> jax.Array:
    """Maxima (node, …), zero where there is none; no gradient goes through them."""
    low = jnp.finfo(values.dtype).min
    known = links.known.reshape(-1, *(1,) * (values.ndim - 1))
    top = jax.ops.segment_max(jax.lax.stop_gradient(jnp.where(known, values, low)), links.receiver, links.nodes)
    return jnp.where(top > low, top, 0)


AGGREGATIONS: dict[str, Callable[[jax.Array, Links], jax.Array]] = {
    "sum": segment_sum,
    "mean": segment_mean,
    "max": segment_max,
}


def read_out(values: jax.Array, known: jax.Array) -> jax.Array:
    """Mean (example, feature) of `values` (example, place, feature) over the known places, in float32 within."""
    wide = masked(values, known).astype(jnp.promote_types(values.dtype, jnp.float32)).sum(1)
    return (wide / jnp.maximum(known.sum(1), 1)[:, None]).astype(values.dtype)


class RoundsOnGraphs(nnx.Module):
    """What models of graphs share: nodes enter, hear of each other in rounds, and leave one by one or as their mean.

    rounds : modules that take states (node, width), edge features (edge, edge_inputs) or None, links and a key or
        None, and return states
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        edge_inputs: int,
        readout: Literal["node", "graph"],
        width: int,
        rounds: Sequence[Any],
        rngs: nnx.Rngs,
    ) -> None:
        self.readout, self.edge_inputs = readout, edge_inputs
        self.enter = nnx.Linear(inputs, width, rngs=rngs)
        self.rounds = nnx.List(rounds)
        self.norm = nnx.LayerNorm(width, rngs=rngs)
        self.out = nnx.Linear(width, outputs, rngs=rngs)

    def __call__(
        self,
        nodes: jax.Array,
        edges: jax.Array,
        edge_features: jax.Array | None = None,
        node_mask: jax.Array | None = None,
        edge_mask: jax.Array | None = None,
        key: jax.Array | None = None,
    ) -> jax.Array:
        """Outputs of graphs.

        nodes : (example, node, inputs)
        edges : (example, edge, 2) integers, sender and receiver
        edge_features : (example, edge, edge_inputs)
        node_mask, edge_mask : (example, node) and (example, edge), False for padding; without, nothing is padding
        raises UserError : edges have other features than the model was made for
        """
        if (came := 0 if edge_features is None else edge_features.shape[-1]) != self.edge_inputs:
            raise UserError(f"model: edges must have {self.edge_inputs} features, but came with {came}.")
        known = jnp.ones(nodes.shape[:2], bool) if node_mask is None else node_mask
        links = lay_out(edges, known, jnp.ones(edges.shape[:2], bool) if edge_mask is None else edge_mask)
        if edge_features is not None:
            edge_features = masked(edge_features.reshape(-1, self.edge_inputs), links.known)
        x = self.enter(masked(nodes, known).reshape(links.nodes, nodes.shape[-1]))
        for number, once in enumerate(self.rounds):
            x = once(x, edge_features, links, None if key is None else jax.random.fold_in(key, number))
        x = self.norm(x).reshape(*known.shape, x.shape[-1])
        return self.out(read_out(x, known)) if self.readout == "graph" else masked(self.out(x), known)
