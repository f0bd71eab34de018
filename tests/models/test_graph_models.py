"""Graph network and graph attention: what order, padding and masks must not change, and one layer by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from geojax.data import graph_examples, graphs
from geojax.data.graph_examples import Graph
from geojax.errors import UserError
from geojax.models.graph_attention import GraphAttention
from geojax.models.graph_network import GraphNetwork

both = pytest.mark.parametrize("kind", [GraphNetwork, GraphAttention])
readouts = pytest.mark.parametrize("readout", ["node", "graph"])


def _graphs(rng, sizes=(7, 12, 2)):
    found = []
    for size in sizes:
        edges = graphs.nearest(rng.normal(size=(size, 2)), 3)
        features = rng.normal(size=(len(edges), 4)).astype("float32")
        found.append(Graph(rng.normal(size=(size, 3)).astype("float32"), edges, features))
    return found


@nnx.jit
def _run(net, rows):
    return net(**rows)


def _net(kind, readout="node", outputs=2, **sizes):
    return kind(3, outputs, 4, readout, **({"width": 8, "layers": 1} | sizes), rngs=nnx.Rngs(0))


@both
@readouts
def test_outputs_have_one_row_a_node_or_a_graph(kind, readout, rng):
    out = _run(_net(kind, readout), graph_examples.stack(_graphs(rng)))

    assert out.shape == ((3, 12, 2) if readout == "node" else (3, 2))
    assert np.isfinite(out).all()


@both
def test_permuted_nodes_and_edges_give_the_permuted_outputs(kind, rng):
    net, (graph,) = _net(kind), _graphs(rng, (9,))
    order, turn = rng.permutation(9), rng.permutation(len(graph.edges))
    other = Graph(graph.nodes[order], np.argsort(order)[graph.edges][turn].astype("int32"), graph.edge_features[turn])

    one, two = (_run(net, graph_examples.stack([each]))[0] for each in (graph, other))

    np.testing.assert_allclose(two, one[order], atol=1e-5)
    assert np.ptp(one, axis=0).min() > 1e-3  # else any order would do


@both
@readouts
def test_neither_padding_nor_company_changes_a_graph(kind, readout, rng):
    net, three = _net(kind, readout), _graphs(rng)

    together = _run(net, graph_examples.stack(three, 20, 50))

    for number, graph in enumerate(three):
        alone = _run(net, graph_examples.stack([graph]))[0]
        here = together[number] if readout == "graph" else together[number, : len(graph.nodes)]
        np.testing.assert_allclose(here, alone, atol=1e-5)
    if readout == "node":
        assert (together[0, 7:] == 0).all()


@both
@readouts
def test_what_is_masked_reaches_neither_a_value_nor_a_gradient(kind, readout, rng):
    net, rows = _net(kind, readout), graph_examples.stack(_graphs(rng), 15, 40)
    clean = {name: jnp.asarray(values) for name, values in rows.items()}
    spoilt = clean | {
        "nodes": jnp.where(clean["node_mask"][..., None], clean["nodes"], jnp.nan),
        "edges": jnp.where(clean["edge_mask"][..., None], clean["edges"], 10**6),
        "edge_features": jnp.where(clean["edge_mask"][..., None], clean["edge_features"], jnp.inf),
    }

    def loss(net, nodes, features, rows):
        return jnp.sum(net(**(rows | {"nodes": nodes, "edge_features": features})) ** 2)

    results = [
        nnx.jit(nnx.value_and_grad(loss, argnums=(0, 1, 2)))(net, rows["nodes"], rows["edge_features"], rows)
        for rows in (clean, spoilt)
    ]

    for one, two in zip(jax.tree.leaves(results[0]), jax.tree.leaves(results[1]), strict=True):
        np.testing.assert_array_equal(one, two)


@both
def test_an_edge_of_a_masked_node_carries_nothing(kind, rng):
    net, rows = _net(kind), graph_examples.stack(_graphs(rng, (9,)))
    less = rows["edges"] != 4  # edges that do not touch node 4

    hidden = rows | {"node_mask": np.arange(9)[None] != 4}
    cut = hidden | {"edge_mask": less.all(-1)}

    np.testing.assert_array_equal(_run(net, hidden), _run(net, cut))


@both
def test_a_message_goes_one_edge_a_layer_and_only_along_it(kind, rng):
    chain = np.stack([np.arange(5), np.arange(1, 6)], -1)[None].astype("int32")
    features = rng.normal(size=(1, 5, 4)).astype("float32")
    net = _net(kind, layers=2)
    nodes = jnp.asarray(rng.normal(size=(1, 6, 3)), "float32")

    slope = jax.jit(jax.jacobian(lambda n: net(n, chain, features)[0]))(nodes)[:, :, 0]  # (to, output, from, input)

    reached = np.abs(slope).max((1, 3)) > 0
    steps = np.arange(6)[:, None] - np.arange(6)
    np.testing.assert_array_equal(reached, (steps >= 0) & (steps <= 2))


@both
def test_neighbourhoods_of_a_large_graph_give_what_the_large_graph_gives(kind, rng):
    (graph,) = _graphs(rng, (30,))
    net = _net(kind, layers=2)
    found = graph_examples.neighbourhoods(graph.edges, 30, (3, 3))

    whole = _run(net, graph_examples.stack([graph]))[0]
    edges = np.broadcast_to(found.edges, (30, *found.edges.shape))
    rows = {"nodes": graph.nodes[found.members], "edges": edges, "edge_features": graph.edge_features[found.links]}
    pieces = _run(net, rows | {"node_mask": found.mask, "edge_mask": found.mask[:, 1:]})

    np.testing.assert_allclose(pieces[:, 0], whole, atol=1e-5)


@both
def test_graphs_without_edges_nodes_or_edge_features_are_taken(kind, rng):
    net = kind(3, 2, width=8, layers=1, rngs=nnx.Rngs(0))
    nodes = jnp.asarray(rng.normal(size=(2, 4, 3)), "float32")

    lone = net(nodes, jnp.zeros((2, 0, 2), "int32"))
    empty = net(nodes, jnp.zeros((2, 5, 2), "int32"), None, jnp.zeros((2, 4), bool))

    assert np.isfinite(lone).all()
    assert (empty == 0).all()


def _silu(x):
    return x / (1 + np.exp(-x))


def _normalized(x):
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-6)


def _values(layer):
    bias = 0 if layer.bias is None else np.asarray(layer.bias[...], float)
    return np.asarray(layer.kernel[...], float), bias


@pytest.mark.parametrize("aggregation", ["sum", "mean", "max"])
def test_one_round_of_a_graph_network_is_its_formula_edge_by_edge(aggregation, rng):
    net, (graph,) = _net(GraphNetwork, aggregation=aggregation), _graphs(rng, (6,))
    layer = net.rounds[0]
    names = ("ends", "along", "heard", "change")
    (ends, b), (along, _), (heard, _), (change, c) = (_values(getattr(layer, name)) for name in names)

    x = graph.nodes @ _values(net.enter)[0] + _values(net.enter)[1]
    sent, received, own = np.split(_normalized(x) @ ends + b, 3, -1)
    collect = {"sum": np.sum, "mean": np.mean, "max": np.max}[aggregation]
    for node in range(6):
        came = [e for e in range(len(graph.edges)) if graph.edges[e, 1] == node]
        told = [_silu(sent[graph.edges[e, 0]] + received[node] + graph.edge_features[e] @ along) for e in came]
        state = x[node] + _silu(own[node] + collect(told, 0) @ heard) @ change + c
        out = _normalized(state) @ _values(net.out)[0] + _values(net.out)[1]
        np.testing.assert_allclose(_run(net, graph_examples.stack([graph]))[0, node], out, atol=1e-4)


def test_one_round_of_graph_attention_is_its_formula_edge_by_edge(rng):
    net, (graph,) = _net(GraphAttention, heads=2), _graphs(rng, (6,))
    layer = net.rounds[0]
    (ends, b), (along, _), (join, c) = (_values(getattr(layer, name)) for name in ("ends", "along", "out"))

    x = graph.nodes @ _values(net.enter)[0] + _values(net.enter)[1]
    sent, received = np.split(_normalized(x) @ ends + b, 2, -1)
    for node in range(6):
        came = [e for e in range(len(graph.edges)) if graph.edges[e, 1] == node]
        heard = np.zeros(8)
        for head in (slice(0, 4), slice(4, 8)):
            both_ = np.array(
                [(sent[graph.edges[e, 0]] + received[node] + graph.edge_features[e] @ along) for e in came]
            )
            leaky = np.where(both_ > 0, both_, 0.2 * both_)[:, head]
            power = np.exp(leaky @ np.asarray(layer.score[...])[head.start // 4])
            heard[head] = (power / power.sum()) @ sent[graph.edges[came, 0]][:, head]
        state = x[node] + np.where(heard > 0, heard, np.expm1(heard)) @ join + c
        out = _normalized(state) @ _values(net.out)[0] + _values(net.out)[1]
        np.testing.assert_allclose(_run(net, graph_examples.stack([graph]))[0, node], out, atol=1e-4)


@both
@readouts
def test_every_parameter_gets_a_gradient(kind, readout, rng):
    net, rows = _net(kind, readout), graph_examples.stack(_graphs(rng))

    gradient = nnx.jit(nnx.grad(lambda m: jnp.sum(jnp.sin(m(**rows)))))(net)

    assert all(jnp.abs(leaf).max() > 0 for leaf in jax.tree.leaves(gradient))


@both
def test_ten_graphs_are_overfitted(kind, rng):
    rows = {k: jnp.asarray(v) for k, v in graph_examples.stack(_graphs(rng, (6,) * 10)).items()}
    target = jnp.asarray(rng.normal(size=(10, 1)), "float32")
    net = _net(kind, "graph", 1, width=32)
    graph, params = nnx.split(net)
    adam = optax.adam(1e-2)

    def step(carry, _):
        params, moments = carry

        def error(params):
            return jnp.mean((nnx.merge(graph, params)(**rows) - target) ** 2)

        value, gradient = jax.value_and_grad(error)(params)
        change, moments = adam.update(gradient, moments)
        return (optax.apply_updates(params, change), moments), value

    _, losses = jax.jit(lambda carry: jax.lax.scan(step, carry, None, 200))((params, adam.init(params)))

    assert losses[0] > 0.3
    assert losses[-1] < 0.01


@both
def test_dropout_acts_only_with_a_key(kind, rng):
    net, rows = _net(kind, dropout=0.5), graph_examples.stack(_graphs(rng))

    none, zero, one, again = (_run(net, rows | {"key": k}) for k in (None, *map(jax.random.key, (0, 1, 1))))

    np.testing.assert_array_equal(none, _run(_net(kind), rows))
    np.testing.assert_array_equal(one, again)
    assert not np.allclose(zero, one)


@both
def test_bfloat16_comes_out_as_bfloat16_and_near_float32(kind, rng):
    net, rows = _net(kind, "graph"), graph_examples.stack(_graphs(rng))
    wide = _run(net, rows)
    graph, state = nnx.split(net)

    def narrow(tree):
        return jax.tree.map(lambda a: a.astype(jnp.bfloat16) if jnp.issubdtype(a.dtype, jnp.floating) else a, tree)

    out = _run(nnx.merge(graph, narrow(state)), narrow({k: jnp.asarray(v) for k, v in rows.items()}))

    assert out.dtype == jnp.bfloat16
    np.testing.assert_allclose(out.astype("float32"), wide, atol=0.1)


@both
@pytest.mark.parametrize(("made_for", "came"), [(0, 4), (4, 0), (3, 4)])
def test_edge_features_that_the_model_was_not_made_for_are_refused(kind, made_for, came):
    features = jnp.zeros((1, 1, came)) if came else None
    with pytest.raises(UserError, match=f"must have {made_for} features, but came with {came}"):
        kind(3, 1, made_for, width=8, rngs=nnx.Rngs(0))(jnp.zeros((1, 2, 3)), jnp.zeros((1, 1, 2), int), features)


def test_heads_that_do_not_divide_the_width_are_refused():
    with pytest.raises(UserError, match="10 is none of 4"):
        GraphAttention(3, 1, width=10, heads=4, rngs=nnx.Rngs(0))
