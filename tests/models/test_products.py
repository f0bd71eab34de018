"""Convolutions as matrix products: the numbers of a real convolution, values and gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.models import layers, products

CASES = [  # places, window, inputs, outputs, stride, dilation
    ((41,), (5,), 8, 8, 1, 1),
    ((40,), (8,), 1, 9, 1, 1),
    ((31,), (24,), 3, 40, 4, 1),
    ((7,), (7,), 8, 40, 1, 1),
    ((40,), (7,), 8, 5, 3, 1),
    ((41,), (3,), 4, 5, 1, 4),
    ((12, 18), (3, 3), 32, 40, 1, 1),
    ((9, 7), (3, 3), 40, 32, 1, 1),
    ((9, 8), (3, 3), 1, 9, 1, 1),
    ((12, 9), (5, 2), 8, 9, 2, 1),
    ((12, 9), (3, 3), 8, 9, 1, 2),
]


@pytest.mark.parametrize(("places", "window", "inputs", "outputs", "stride", "dilation"), CASES)
def test_products_and_a_real_convolution_give_the_same_values_and_gradients(
    places, window, inputs, outputs, stride, dilation, rng
):
    x = jnp.asarray(rng.normal(size=(3, *places, inputs)), "float32")
    kernel = jnp.asarray(rng.normal(size=(*window, inputs, outputs)), "float32")

    by_products = _with_gradients(products.convolve, x, kernel, stride, dilation)
    by_convolution = _with_gradients(layers.convolve, x, kernel, stride, dilation)

    for one, other in zip(by_products, by_convolution, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5 * float(jnp.abs(other).max()))


def _with_gradients(form, x, kernel, stride, dilation):
    @jax.jit
    def of(x, kernel):
        out, back = jax.vjp(lambda x, kernel: form(x, kernel, stride, dilation), x, kernel)
        return out, *back(jnp.cos(out))

    return of(x, kernel)


@pytest.mark.parametrize("examples", [1, 6])
def test_tiles_take_any_number_of_examples_a_few_at_a_time(examples, rng, monkeypatch):
    x = jnp.asarray(rng.normal(size=(examples, 10, 9, 32)), "float32")
    kernel = jnp.asarray(rng.normal(size=(3, 3, 32, 32)), "float32")
    whole = _with_gradients(products.convolve, x, kernel, 1, 1)

    monkeypatch.setattr(products, "CACHE", 1)

    for one, other in zip(_with_gradients(products.convolve, x, kernel, 1, 1), whole, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5 * float(jnp.abs(other).max()))


def test_half_precision_is_summed_as_a_real_convolution_sums_it(rng):
    x = jnp.asarray(rng.normal(size=(2, 10, 10, 32)), "bfloat16")
    kernel = jnp.asarray(rng.normal(size=(3, 3, 32, 32)) / 17, "bfloat16")

    out = products.convolve(x, kernel)

    assert out.dtype == jnp.bfloat16
    exact = layers.convolve(x.astype("float32"), kernel.astype("float32"))
    assert float(jnp.abs(out - exact).max()) < 0.02


@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize(("shape", "window", "stride"), [((40,), (8,), 4), ((41,), (5,), 2), ((12, 18), (3, 3), 1)])
def test_a_layer_gives_the_same_on_a_cpu_and_on_an_accelerator(shape, window, same, stride, rng, monkeypatch):
    from flax import nnx

    layer = layers.Convolution(3, 5, window, stride, same=same, rngs=nnx.Rngs(0))
    x = jnp.asarray(rng.normal(size=(2, *shape, 3)), "float32")
    on_cpu = layer(x)

    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")

    np.testing.assert_allclose(on_cpu, layer(x), atol=1e-5)
    if same:
        assert on_cpu.shape == (2, *(-(-n // stride) for n in shape), 5)
