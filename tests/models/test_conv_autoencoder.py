"""Convolutional autoencoder, and the transposed convolution that it is made of."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from geojax.errors import UserError
from geojax.models.conv_autoencoder import ConvAutoencoder
from geojax.models.layers import TransposedConvolution

PLACES = {1: "W", 2: "HW"}


@pytest.mark.parametrize(
    ("shape", "window", "stride"),
    [
        ((5,), (4,), 2),
        ((7,), (5,), 2),
        ((6,), (3,), 2),
        ((4,), (2,), 2),
        ((5,), (7,), 3),
        ((4, 6), (4, 4), 2),
        ((3, 4), (5, 3), 3),
        ((5, 5), (3, 3), 1),
    ],
)
def test_a_transposed_convolution_gives_the_numbers_and_gradients_of_jax(shape, window, stride, rng):
    layer = TransposedConvolution(3, 5, window, stride, rngs=nnx.Rngs(0))
    layer.bias[...] = jnp.asarray(rng.normal(size=5), "float32")
    x = jnp.asarray(rng.normal(size=(2, *shape, 3)), "float32")
    places, axes = PLACES[len(window)], tuple(range(1, 1 + len(window)))

    graph, state = nnx.split(layer)

    def with_jax(state, x):
        kernel = jnp.moveaxis(jnp.flip(state["kernel"][...].reshape(3, *window, 5), axes), 0, -2)
        numbers = (f"N{places}C", f"{places}IO", f"N{places}C")
        strides = (stride,) * len(window)
        return jax.lax.conv_transpose(x, kernel, strides, "SAME", dimension_numbers=numbers) + state["bias"][...]

    def values_and_slopes(f):
        def summed(state, x):
            out = f(state, x)
            return jnp.sum(jnp.sin(out)), out

        return jax.tree.leaves(jax.jit(jax.grad(summed, (0, 1), has_aux=True))(state, x))

    ours, theirs = values_and_slopes(lambda state, x: nnx.merge(graph, state)(x)), values_and_slopes(with_jax)
    assert layer(x).shape == (2, *(stride * n for n in shape), 5)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_a_window_that_leaves_gaps_is_refused():
    with pytest.raises(UserError, match=r"at least its stride, 4, but has \(3,\)"):
        TransposedConvolution(1, 1, (3,), 4, rngs=nnx.Rngs(0))


def test_no_convolution_stands_in_a_compiled_step_on_a_cpu():
    layer = TransposedConvolution(8, 4, (4, 4), 2, rngs=nnx.Rngs(0))

    assert "conv_general" not in str(jax.make_jaxpr(lambda x: layer(x))(jnp.ones((1, 4, 4, 8))))


@pytest.fixture(params=[(50,), (64,), (12, 9)], ids=str)
def shape(request):
    return request.param


def test_it_takes_series_and_fields_of_any_size_and_gives_the_same_back(shape, rng):
    net = ConvAutoencoder(3, shape, code=7, width=4, depth=2, rngs=nnx.Rngs(0))
    x = jnp.asarray(rng.normal(size=(2, *shape, 3)), "float32")

    assert net.encode(x).shape == (2, 7)
    assert net.decode(net.encode(x)).shape == net(x).shape == x.shape


def test_ten_examples_are_learned_by_heart_and_every_parameter_gets_a_gradient(rng):
    x = jnp.asarray(rng.normal(size=(10, 16, 2)), "float32")
    net = ConvAutoencoder(2, (16,), code=12, width=16, depth=2, rngs=nnx.Rngs(0))
    slope = nnx.jit(nnx.grad(lambda m: jnp.mean((m(x) - x) ** 2)))(net)
    assert all(jnp.abs(leaf).max() > 0 for leaf in jax.tree.leaves(slope))
    graph, params, rest = nnx.split(net, nnx.Param, ...)
    optimizer = optax.adam(1e-2)

    def step(carry, _):
        params, moments = carry
        value, slope = jax.value_and_grad(lambda p: jnp.mean((nnx.merge(graph, p, rest, copy=True)(x) - x) ** 2))(
            params
        )
        change, moments = optimizer.update(slope, moments)
        return (optax.apply_updates(params, change), moments), value

    _, values = jax.jit(lambda c: jax.lax.scan(step, c, None, length=400))((params, optimizer.init(params)))

    assert values[-1] < 0.02 < values[0]


def test_inputs_are_dropped_only_with_a_key(rng):
    net = ConvAutoencoder(1, (16,), code=4, width=4, depth=1, dropout=0.5, rngs=nnx.Rngs(0))
    x = jnp.asarray(rng.normal(size=(3, 16, 1)), "float32")

    assert (net(x) == net.decode(net.encode(x))).all()
    assert not np.allclose(net(x, jax.random.key(0)), net(x, jax.random.key(1)))


def test_in_bfloat16_it_gives_nearly_the_same(shape, rng):
    net = ConvAutoencoder(1, shape, code=8, width=8, depth=1, rngs=nnx.Rngs(0))
    x = jnp.asarray(rng.normal(size=(4, *shape, 1)), "float32")
    graph, state = nnx.split(net)

    half = nnx.merge(graph, jax.tree.map(lambda leaf: leaf.astype("bfloat16"), state))(x.astype("bfloat16"))

    assert half.dtype == jnp.bfloat16
    np.testing.assert_allclose(half.astype("float32"), net(x), atol=0.15)
