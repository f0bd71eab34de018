"""Convolutional autoencoder, and the transposed convolution that it is made of."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from geojax.models.conv_autoencoder import ConvAutoencoder
from geojax.models.strided import StridedConvolution, TransposedConvolution


def values_and_slopes(f, layer, x):
    """Outputs of f(layer, x), and gradients of a sum over them for parameters and x."""
    graph, state = nnx.split(layer)

    def summed(state, x):
        out = f(nnx.merge(graph, state), x)
        return jnp.sum(jnp.sin(out)), out

    return jax.tree.leaves(jax.jit(jax.grad(summed, (0, 1), has_aux=True))(state, x))


STRIDED = pytest.mark.parametrize(("shape", "stride"), [((8,), 2), ((13,), 3), ((6, 8), 2), ((7, 5), 2)], ids=str)


@STRIDED
def test_a_strided_convolution_gives_the_numbers_and_gradients_of_jax(shape, stride, rng):
    layer = StridedConvolution(3, 5, len(shape), stride, rngs=nnx.Rngs(0))
    layer.bias[...] = jnp.asarray(rng.normal(size=5), "float32")
    x = jnp.asarray(rng.normal(size=(2, *shape, 3)), "float32")
    places = "HW"[: len(shape)]

    def with_jax(layer, x):
        kernel = layer.kernel[...].reshape(*layer.window, 3, 5)
        numbers = (f"N{places}C", f"{places}IO", f"N{places}C")
        strides = [stride] * len(shape)
        return jax.lax.conv_general_dilated(x, kernel, strides, "SAME", dimension_numbers=numbers) + layer.bias[...]

    assert layer(x).shape == (2, *(-(-n // stride) for n in shape), 5)
    for one, other in zip(
        values_and_slopes(lambda layer, x: layer(x), layer, x), values_and_slopes(with_jax, layer, x), strict=True
    ):
        np.testing.assert_allclose(one, other, atol=1e-4)


@STRIDED
def test_a_transposed_convolution_gives_the_numbers_and_gradients_of_jax(shape, stride, rng):
    layer = TransposedConvolution(3, 5, len(shape), stride, rngs=nnx.Rngs(0))
    layer.bias[...] = jnp.asarray(rng.normal(size=5), "float32")
    x = jnp.asarray(rng.normal(size=(2, *shape, 3)), "float32")

    def with_jax(layer, x):
        return layer.convolve(x) + layer.bias[...]

    assert layer(x).shape == (2, *(stride * n for n in shape), 5)
    for one, other in zip(
        values_and_slopes(lambda layer, x: layer(x), layer, x), values_and_slopes(with_jax, layer, x), strict=True
    ):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_what_one_convolution_gathers_its_transpose_spreads(rng):
    """<C x, y> = <x, Cᵀ y>, so a decoder's layer looks back through the same window as the encoder's."""
    there = StridedConvolution(3, 5, 2, rngs=nnx.Rngs(0))
    back = TransposedConvolution(5, 3, 2, rngs=nnx.Rngs(1))
    back.kernel[...] = there.kernel[...]
    x, y = rng.normal(size=(2, 8, 6, 3)), rng.normal(size=(2, 4, 3, 5))

    assert float(jnp.vdot(there(jnp.asarray(x)), y)) == pytest.approx(
        float(jnp.vdot(x, back(jnp.asarray(y)))), rel=1e-4
    )


@pytest.mark.parametrize("kind", [StridedConvolution, TransposedConvolution])
def test_a_real_convolution_stands_in_a_step_anywhere_but_on_a_cpu(kind):
    layer = kind(8, 4, 2, rngs=nnx.Rngs(0))

    step = jax.make_jaxpr(jax.grad(lambda x: layer(x).sum()))(jnp.ones((1, 4, 4, 8)))

    assert ("conv_general" in str(step)) == (jax.default_backend() != "cpu")


@pytest.fixture(params=[(50,), (64,), (12, 9)], ids=str)
def shape(request):
    return request.param


def test_it_takes_series_and_fields_of_any_size_and_gives_the_same_back(shape):
    net = ConvAutoencoder(3, shape, code=7, width=4, depth=2, rngs=nnx.Rngs(0))
    x = jax.ShapeDtypeStruct((2, *shape, 3), "float32")

    code = jax.eval_shape(net.encode, x)

    assert code.shape == (2, 7)
    assert jax.eval_shape(net.decode, code).shape == jax.eval_shape(net, x).shape == x.shape


def test_ten_examples_are_learned_by_heart_and_every_parameter_gets_a_gradient(rng):
    x = jnp.asarray(rng.normal(size=(10, 16, 2)), "float32")
    net = ConvAutoencoder(2, (16,), code=12, width=16, depth=1, rngs=nnx.Rngs(0))
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

    run = nnx.jit(lambda net, key: net(x, key))

    assert (run(net, None) == nnx.jit(lambda net: net.decode(net.encode(x)))(net)).all()
    assert not np.allclose(run(net, jax.random.key(0)), run(net, jax.random.key(1)))


def test_in_bfloat16_it_gives_nearly_the_same(rng):
    shape = (12, 9)
    net = ConvAutoencoder(1, shape, code=8, width=8, depth=1, rngs=nnx.Rngs(0))
    x = jnp.asarray(rng.normal(size=(4, *shape, 1)), "float32")
    graph, state = nnx.split(net)

    run = jax.jit(lambda state, x: nnx.merge(graph, state)(x))
    half = run(*jax.tree.map(lambda leaf: leaf.astype("bfloat16"), (state, x)))

    assert half.dtype == jnp.bfloat16
    np.testing.assert_allclose(half.astype("float32"), run(state, x), atol=0.15)
