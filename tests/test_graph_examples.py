"""Graphs as examples: padding, joining, neighbourhoods."""

import numpy as np
import pytest

from geojax.data import graph_examples, graphs
from geojax.data.graph_examples import Graph
from geojax.errors import UserError


def _graph(nodes, rng, count=3):
    edges = graphs.nearest(rng.normal(size=(nodes, 2)), count)
    return Graph(rng.normal(size=(nodes, 2)), edges, rng.normal(size=(len(edges), 4)))


def test_what_the_masks_of_stacked_graphs_leave_is_each_graph_as_it_was(rng):
    three = [_graph(n, rng) for n in (5, 9, 1)]

    rows = graph_examples.stack(three, 12, 40)

    assert rows["nodes"].shape == (3, 12, 2)
    assert rows["edges"].shape == (3, 40, 2)
    assert rows["edges"].dtype == np.int32
    for number, graph in enumerate(three):
        np.testing.assert_array_equal(rows["nodes"][number][rows["node_mask"][number]], graph.nodes)
        known = rows["edge_mask"][number]
        np.testing.assert_array_equal(rows["edges"][number][known], graph.edges)
        np.testing.assert_array_equal(rows["edge_features"][number][known], graph.edge_features)
    assert (rows["edges"][~rows["edge_mask"]] == 11).all()


def test_joined_graphs_keep_their_edges_among_their_own_nodes(rng):
    three = [_graph(n, rng) for n in (5, 9, 1)]

    whole, graph = graph_examples.join(three)

    assert len(whole.nodes) == len(graph) == 15
    np.testing.assert_array_equal(graph[whole.edges[:, 0]], graph[whole.edges[:, 1]])
    for number, own in enumerate(three):
        here = graph[whole.edges[:, 1]] == number
        np.testing.assert_array_equal(whole.edges[here] - np.flatnonzero(graph == number)[0], own.edges)
        np.testing.assert_array_equal(whole.edge_features[here], own.edge_features)


def test_each_position_of_a_neighbourhood_holds_the_sender_of_its_edge(rng):
    edges = graphs.nearest(rng.normal(size=(30, 2)), 3)

    found = graph_examples.neighbourhoods(edges, 30, (3, 2), centres=np.array([4, 17]))

    assert found.members.shape == (2, 1 + 3 + 6)
    assert found.mask.all()
    np.testing.assert_array_equal(found.members[:, 0], [4, 17])
    for example in range(2):
        along = found.members[example][found.edges]  # (edge, 2): sender, receiver
        np.testing.assert_array_equal(edges[found.links[example]], along)
        np.testing.assert_array_equal(along[:3], edges[edges[:, 1] == found.members[example, 0]])


def test_a_node_that_hears_of_nobody_has_padding_alone():
    found = graph_examples.neighbourhoods(np.array([[0, 1], [2, 1], [1, 2]]), 3, (2, 2))

    np.testing.assert_array_equal(found.mask[0], [1, 0, 0, 0, 0, 0, 0])
    np.testing.assert_array_equal(found.mask[1], [1, 1, 1, 0, 0, 1, 0])
    np.testing.assert_array_equal(found.members[1], [1, 0, 2, 0, 0, 1, 0])
    assert not graph_examples.neighbourhoods(np.empty((0, 2), int), 3, (2,)).mask[:, 1:].any()


def test_a_random_choice_of_neighbours_is_fair_without_repetition_and_the_same_for_a_seed(rng):
    edges = graphs.within(rng.uniform(size=(40, 2)), 9.0)  # everybody hears everybody

    draws = np.stack([graph_examples.neighbourhoods(edges, 40, (8,), seed=s).members[:, 1:] for s in range(100)])

    assert all(len(set(row)) == 8 for row in draws.reshape(-1, 8).tolist())
    counts = np.bincount(draws[:, 0].ravel(), minlength=40)[1:]  # 100 × 8 of 39 others: 20.5 ± 4 each
    assert 5 < counts.min() <= counts.max() < 40
    again = graph_examples.neighbourhoods(edges, 40, (8,), seed=3).members[:, 1:]
    np.testing.assert_array_equal(again, draws[3])


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda g: graph_examples.stack([g], 4, 99), "room for 4 nodes and 99 edges, but it has 6 and 18"),
        (lambda g: graph_examples.stack([g._replace(edges=g.edges + 1)]), "nodes 0 to 5, but go from 1 to 6"),
        (lambda g: graph_examples.stack([g._replace(edge_features=g.edge_features[1:])]), "18 edges and 17 rows"),
        (lambda g: graph_examples.stack([g, g._replace(nodes=g.nodes[:, :1])]), "they have 1 and 4, 2 and 4"),
        (lambda g: graph_examples.stack([g._replace(nodes=g.nodes[0])]), r"but has nodes \(2,\)"),
        (lambda g: graph_examples.join([]), "there is no graph"),
        (lambda g: graph_examples.neighbourhoods(g.edges, 6, (3, 0)), r"at least 1, but they are \[3, 0\]"),
        (lambda g: graph_examples.neighbourhoods(g.edges, 6, (3,), np.array([6])), "centres must be of nodes 0 to 5"),
    ],
)
def test_graphs_that_do_not_fit_are_refused_with_the_reason(make, told, rng):
    with pytest.raises(UserError, match=told):
        make(_graph(6, rng))
