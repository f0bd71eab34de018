"""Layers against those of Flax and against plain NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from geojax.models.layers import Convolution, GroupNorm, pool_greatest


@pytest.mark.parametrize("shape", [(4, 6), (5, 7), (1, 2)])
def test_pooling_keeps_the_greatest_and_sends_it_the_gradient(shape, rng):
    x = rng.normal(size=(2, *shape, 3)).astype("float32")

    out, back = jax.vjp(pool_greatest, jnp.asarray(x))
    (gradient,) = back(jnp.ones_like(out))

    for i in range(out.shape[1]):
        for j in range(out.shape[2]):
            square = (slice(None), slice(2 * i, 2 * i + 2), slice(2 * j, 2 * j + 2))
            np.testing.assert_array_equal(out[:, i, j], x[square].max((1, 2)))
            np.testing.assert_array_equal(gradient[square] == 1, x[square] == x[square].max((1, 2), keepdims=True))
    assert float(gradient.sum()) == out.size


def test_of_equal_cells_one_alone_gets_the_gradient():
    gradient = jax.grad(lambda x: pool_greatest(x).sum())(jnp.zeros((1, 4, 4, 1)))

    assert float(gradient.sum()) == 4
    assert int((gradient == 1).sum()) == 4


@pytest.mark.parametrize("channels", [6, 8])
def test_group_normalization_is_that_of_flax_with_its_gradients(channels, rng):
    x = jnp.asarray(rng.normal(2.0, 3.0, size=(3, 11, channels)), "float32")
    weight = jnp.asarray(rng.normal(size=x.shape), "float32")
    ours = GroupNorm(channels, rngs=nnx.Rngs(0))
    theirs = nnx.GroupNorm(channels, num_groups=ours.groups, rngs=nnx.Rngs(0))
    for norm in (ours, theirs):
        norm.scale[...] = jnp.linspace(0.5, 2.0, channels)
        norm.bias[...] = jnp.linspace(-1.0, 1.0, channels)

    def loss(norm, x):
        return jnp.sum(weight * jnp.sin(norm(x)))

    np.testing.assert_allclose(ours(x), theirs(x), atol=1e-5)
    of_ours, of_theirs = (jax.tree.leaves(nnx.grad(loss, argnums=(0, 1))(norm, x)) for norm in (ours, theirs))
    for one, other in zip(of_ours, of_theirs, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-5)


def test_half_precision_is_normalized_by_moments_of_single_precision(rng):
    x = jnp.asarray(rng.normal(10.0, 1.0, size=(2, 3001, 8)), "bfloat16")
    norm = GroupNorm(8, rngs=nnx.Rngs(0))

    out = norm(x)

    assert out.dtype == jnp.bfloat16
    assert float(jnp.abs(out - norm(x.astype("float32"))).max()) < 0.03


@pytest.mark.parametrize("dilation", [1, 3])
def test_a_causal_convolution_sees_itself_and_the_past(dilation, rng):
    layer = Convolution(2, 8, (3,), causal=True, dilation=dilation, rngs=nnx.Rngs(0))
    x = jnp.asarray(rng.normal(size=(1, 30, 2)), "float32")

    seen = jax.jacobian(lambda x: layer(x)[0, 20].sum())(x)[0]

    assert np.flatnonzero(jnp.abs(seen).sum(-1)).tolist() == [20 - 2 * dilation, 20 - dilation, 20]
