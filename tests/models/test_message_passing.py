"""Sums over edges: closed forms, a dense softmax, and masks that let nothing through."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.models import message_passing as mp

# Two examples of three nodes. Known: 0→1, 2→1 and 1→2 of the first, 0→2 of the second; node 1 of the second is masked.
EDGES = jnp.array([[[0, 1], [2, 1], [1, 2], [99, -7]], [[0, 2], [1, 2], [2, 2], [0, 1]]], "int32")
EDGE_MASK = jnp.array([[True, True, True, False], [True, True, False, True]])
NODE_MASK = jnp.array([[True, True, True], [True, False, True]])


@pytest.fixture
def links():
    return mp.lay_out(EDGES, NODE_MASK, EDGE_MASK)


def _dense(links):
    """(node, edge), whether a known edge ends in a node."""
    return (np.arange(links.nodes)[:, None] == np.asarray(links.receiver)) & np.asarray(links.known)


def test_graphs_lie_side_by_side_and_an_edge_of_a_masked_node_is_masked(links):
    known = np.asarray(links.known)

    np.testing.assert_array_equal(known, [True, True, True, False, True, False, False, False])
    np.testing.assert_array_equal(links.sender[known], [0, 2, 1, 3])
    np.testing.assert_array_equal(links.receiver[known], [1, 1, 2, 5])
    assert links.nodes == 6
    assert (np.asarray(links.sender) < 6).all()


def test_sums_means_and_maxima_of_four_edges_are_what_is_added_by_hand(links):
    values = jnp.array([[1.0], [5.0], [-3.0], [np.nan], [7.0], [np.inf], [np.nan], [8.0]])

    np.testing.assert_array_equal(mp.degree(links), [0, 2, 1, 0, 0, 1])
    np.testing.assert_array_equal(mp.segment_sum(values, links)[:, 0], [0, 6, -3, 0, 0, 7])
    np.testing.assert_array_equal(mp.segment_mean(values, links)[:, 0], [0, 3, -3, 0, 0, 7])
    np.testing.assert_array_equal(mp.segment_max(values, links)[:, 0], [0, 5, -3, 0, 0, 7])


@pytest.mark.parametrize("scale", [1.0, 300.0])
def test_segment_softmax_is_the_dense_softmax_over_the_edges_of_each_node(links, scale, rng):
    scores = jnp.asarray(scale * rng.normal(size=(8, 2)), "float32").at[3].set(jnp.nan)

    found = np.asarray(mp.segment_softmax(scores, links))

    for own in _dense(links):
        if own.any():
            np.testing.assert_allclose(found[own], jax.nn.softmax(scores[own], 0), rtol=1e-5)
    assert (found[~np.asarray(links.known)] == 0).all()


@pytest.mark.parametrize("function", [mp.segment_sum, mp.segment_mean, mp.segment_max, mp.segment_softmax])
def test_gradients_are_those_of_finite_differences_and_zero_where_masked(links, function, rng):
    values = jnp.asarray(rng.normal(size=(8, 2)), "float32")
    weight = jnp.asarray(rng.normal(size=function(values, links).shape), "float32")

    total = jax.jit(lambda v: jnp.sum(weight * function(v, links)))

    gradient = jax.grad(total)(values.at[jnp.array([3, 5])].set(jnp.nan))

    step = 1e-2
    for place in np.ndindex(*values.shape):
        ends = [float(total(values.at[place].add(s))) for s in (step, -step)]
        assert float(gradient[place]) == pytest.approx((ends[0] - ends[1]) / (2 * step), abs=2e-3)
    assert (gradient[~links.known] == 0).all()


def test_edges_that_share_the_maximum_share_its_gradient(links):
    values = jnp.zeros((8, 1)).at[:2].set(4.0)

    gradient = jax.grad(lambda v: mp.segment_max(v, links)[1, 0])(values)

    np.testing.assert_array_equal(gradient[:, 0], [0.5, 0.5, 0, 0, 0, 0, 0, 0])


def test_a_thousand_messages_in_bfloat16_add_up_as_in_float32():
    edges = jnp.zeros((1, 1000, 2), "int32")
    links = mp.lay_out(edges, jnp.ones((1, 1), bool), jnp.ones((1, 1000), bool))

    total = mp.segment_sum(jnp.ones((1000, 1), jnp.bfloat16), links)

    assert total.dtype == jnp.bfloat16
    assert float(total[0, 0]) == 1000.0  # one by one in bfloat16 it would stop at 256


def test_a_read_out_is_the_mean_of_the_known_places():
    values = jnp.array([[[2.0], [4.0], [np.nan]], [[np.nan], [np.nan], [np.nan]]])

    found = mp.read_out(values, jnp.array([[True, True, False], [False, False, False]]))

    np.testing.assert_array_equal(found, [[3.0], [0.0]])
