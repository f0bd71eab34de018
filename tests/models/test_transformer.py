"""Transformer: attention against a dense oracle, padding, causality, order."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from geojax.errors import UserError
from geojax.models.transformer import Transformer, attention, sinusoids

positions = pytest.mark.parametrize("position", ["none", "sinusoidal", "learned"])
readouts = pytest.mark.parametrize("readout", ["token", "pooled"])


def _net(readout="token", outputs=2, **sizes):
    return Transformer(3, outputs, 9, readout, **({"width": 8, "layers": 1, "heads": 2} | sizes), rngs=nnx.Rngs(0))


@nnx.jit
def _run(net, x, mask=None, key=None):
    return net(x, mask, key)


@pytest.fixture
def x(rng):
    return jnp.asarray(rng.normal(size=(4, 9, 3)), "float32")


def test_attention_is_the_weighted_mean_of_the_values_that_a_query_sees(rng):
    query, key, value = rng.normal(size=(3, 2, 5, 3, 4))
    seen = rng.random((2, 5, 5)) < 0.6
    seen[0, 2] = False

    found = attention(*(jnp.asarray(a, "float32") for a in (query, key, value)), jnp.asarray(seen))

    for example, token, head in np.ndindex(2, 5, 3):
        own = seen[example, token]
        power = np.exp(key[example, own, head] @ query[example, token, head] / 2.0)  # √4
        expected = (power / power.sum()) @ value[example, own, head] if own.any() else np.zeros(4)
        np.testing.assert_allclose(found[example, token, head], expected, atol=1e-5)


def test_sinusoids_of_places_as_far_apart_are_as_alike():
    place = np.asarray(sinusoids(20, 16), float)

    product = place @ place.T

    assert place.shape == (20, 16)
    np.testing.assert_allclose(np.diag(product), 8.0, rtol=1e-5)  # sin² + cos² of eight wavelengths
    np.testing.assert_allclose(product[0, 5], product[11, 16], rtol=1e-5)
    assert sinusoids(3, 7).shape == (3, 7)


@readouts
def test_outputs_have_one_row_a_token_or_an_example(readout, x):
    assert _run(_net(readout), x).shape == ((4, 9, 2) if readout == "token" else (4, 2))


@readouts
@pytest.mark.parametrize("causal", [False, True])
def test_masked_tokens_reach_neither_a_value_nor_a_gradient(readout, causal, x):
    net = _net(readout, position="learned", causal=causal)
    mask = jnp.arange(9) < jnp.array([9, 6, 1, 0])[:, None]

    def loss(net, x):
        return jnp.sum(net(x, mask) ** 2)

    slope = nnx.jit(nnx.value_and_grad(loss, argnums=(0, 1)))
    both = [slope(net, jnp.where(mask[..., None], x, fill)) for fill in (0.0, jnp.nan)]

    for one, two in zip(*map(jax.tree.leaves, both), strict=True):
        np.testing.assert_array_equal(one, two)
    padded, alone = _run(net, x, mask)[1], _run(net, x[1:2, :6])[0]
    np.testing.assert_allclose(padded if readout == "pooled" else padded[:6], alone, atol=1e-5)


@pytest.mark.parametrize("causal", [False, True])
def test_a_causal_token_depends_on_no_later_one(causal, x):
    net = _net(causal=causal, layers=2)

    slope = jax.jit(jax.jacobian(lambda tokens: net(tokens)[0]))(x[:1])[:, :, 0]  # (to, output, from, input)

    reached = np.abs(slope).max((1, 3)) > 0
    np.testing.assert_array_equal(reached, np.tri(9, dtype=bool) if causal else np.ones((9, 9), bool))


@positions
def test_order_matters_if_and_only_if_tokens_have_positions(position, x, rng):
    net, order = _net(position=position), rng.permutation(9)

    same = np.allclose(_run(net, x[:, order]), _run(net, x)[:, order], atol=1e-5)

    assert same == (position == "none")


@readouts
def test_every_parameter_gets_a_gradient(readout, x):
    gradient = nnx.jit(nnx.grad(lambda m: jnp.sum(jnp.sin(m(x)))))(_net(readout, position="learned"))

    assert all(jnp.abs(leaf).max() > 0 for leaf in jax.tree.leaves(gradient))


def test_ten_examples_are_overfitted(rng):
    x, target = (jnp.asarray(rng.normal(size=shape), "float32") for shape in ((10, 9, 3), (10, 1)))
    net = _net("pooled", 1, width=16)
    graph, params = nnx.split(net)
    adam = optax.adam(5e-3)

    def step(carry, _):
        params, moments = carry

        def error(params):
            return jnp.mean((nnx.merge(graph, params)(x) - target) ** 2)

        value, gradient = jax.value_and_grad(error)(params)
        change, moments = adam.update(gradient, moments)
        return (optax.apply_updates(params, change), moments), value

    _, losses = jax.jit(lambda carry: jax.lax.scan(step, carry, None, 200))((params, adam.init(params)))

    assert losses[0] > 0.3
    assert losses[-1] < 0.01


def test_dropout_acts_only_with_a_key(x):
    net = _net(dropout=0.5)

    np.testing.assert_array_equal(_run(net, x), _run(_net(), x))
    assert not np.allclose(_run(net, x, key=jax.random.key(0)), _run(net, x, key=jax.random.key(1)))


@positions
def test_bfloat16_comes_out_as_bfloat16_and_near_float32(position, x):
    net = _net("pooled", position=position)
    graph, state = nnx.split(net)
    narrow = jax.tree.map(lambda a: a.astype(jnp.bfloat16) if jnp.issubdtype(a.dtype, jnp.floating) else a, state)

    out = _run(nnx.merge(graph, narrow), x.astype(jnp.bfloat16))

    assert out.dtype == jnp.bfloat16
    np.testing.assert_allclose(out.astype("float32"), _run(net, x), atol=0.1)


def test_more_tokens_than_learned_positions_are_refused(x):
    with pytest.raises(UserError, match="at most 9 tokens were expected, but 18 came"):
        _net(position="learned")(jnp.concatenate([x, x], 1))


def test_heads_that_do_not_divide_the_width_are_refused():
    with pytest.raises(UserError, match="10 is none of 4"):
        _net(width=10, heads=4)
