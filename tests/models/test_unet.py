"""U-Net with a mask of what is observed: what is not, does not enter, neither forward nor backward."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from geojax.models import masks
from geojax.models.layers import Convolution
from geojax.models.unet import UNet


@nnx.jit
def run(net, x, observed=None):
    """The model, compiled whole: op by op takes far longer."""
    return net(x, observed=observed)


@pytest.fixture
def field(rng):
    """(example, lat, lon, inputs) and a mask with clouds and a wholly unobserved corner."""
    x = rng.normal(size=(2, 11, 14, 3)).astype("float32")
    observed = rng.random(x.shape) < 0.4
    observed[:, :6, :7] = False
    return x, observed


@pytest.mark.parametrize("sizes", [{}, {"norm": True}, {"pooled": True}])
def test_what_is_not_observed_changes_nothing(sizes, field):
    x, observed = field
    net = UNet(3, 2, width=8, zero=False, **sizes, rngs=nnx.Rngs(0))

    out = run(net, x, observed=observed)

    assert jnp.isfinite(out).all()
    assert (out == run(net, np.where(observed, x, 1e6), observed=observed)).all()
    assert (out == run(net, np.where(observed, x, np.nan), observed=observed)).all()
    assert not np.allclose(out, run(net, np.where(observed, x + 1, x), observed=observed))


def test_no_nan_under_the_mask_reaches_a_gradient(field):
    x, observed = field
    net = UNet(3, 2, width=8, norm=True, zero=False, rngs=nnx.Rngs(0))
    x = np.where(observed, x, np.nan)

    of_net, of_x = nnx.jit(nnx.grad(lambda net, x: jnp.mean(net(x, observed=observed) ** 2), argnums=(0, 1)))(
        net, jnp.asarray(x)
    )

    assert all(jnp.isfinite(leaf).all() and jnp.abs(leaf).max() > 0 for leaf in jax.tree.leaves(of_net))
    assert (of_x[~observed] == 0).all()
    assert (of_x[observed] != 0).any()


def test_a_partial_convolution_is_the_sum_over_what_is_observed_scaled_to_a_whole_window(field, rng):
    x, observed = (a[:1, :, :, :1] for a in field)
    layer = Convolution(1, 1, (3, 3), rngs=nnx.Rngs(0))
    layer.bias[...] = jnp.array([0.5])

    out, reached = masks.convolve(layer, *masks.hide(jnp.asarray(x), jnp.asarray(observed)))

    kernel = np.asarray(layer.kernel[...]).reshape(3, 3)
    for i in range(1, 10):
        for j in range(1, 13):
            seen, values = observed[0, i - 1 : i + 2, j - 1 : j + 2, 0], x[0, i - 1 : i + 2, j - 1 : j + 2, 0]
            expected = (kernel * values)[seen].sum() * 9 / seen.sum() + 0.5 if seen.any() else 0.0
            assert float(out[0, i, j, 0]) == pytest.approx(expected, abs=1e-5)
            assert bool(reached[0, i, j, 0]) == seen.any()


def test_with_all_observed_the_inside_is_that_of_ordinary_convolutions(rng):
    net = UNet(3, 2, width=8, depth=1, zero=False, rngs=nnx.Rngs(0))
    x = rng.normal(size=(1, 24, 24, 3)).astype("float32")

    plain, masked = run(net, x), run(net, x, observed=np.ones((1, 24, 24, 1), bool))

    np.testing.assert_allclose(plain[:, 8:16, 8:16], masked[:, 8:16, 8:16], atol=1e-5)


def test_where_nothing_is_observed_the_bias_of_the_last_layer_remains(field):
    x, _ = field
    net = UNet(3, 2, width=8, zero=False, rngs=nnx.Rngs(0))
    net.leave.bias[...] = jnp.array([1.0, -2.0])

    out = run(net, x * np.nan, observed=np.zeros(x.shape, bool))

    np.testing.assert_array_equal(out, jnp.broadcast_to(net.leave.bias[...], out.shape))


def test_a_pooled_unet_gives_one_vector_for_a_field(field):
    x, _ = field
    net = UNet(3, 4, width=8, pooled=True, zero=False, rngs=nnx.Rngs(0))

    assert run(net, x).shape == (2, 4)


def test_by_default_a_unet_keeps_the_parameters_that_older_runs_hold():
    net = UNet(9, 1, width=12, depth=2, rngs=nnx.Rngs(0))

    shapes = {"/".join(map(str, path)): leaf.shape for path, leaf in nnx.to_flat_state(nnx.state(net, nnx.Param))}

    plan = {"enter": (81, 12), "down/0": (108, 24), "down/1": (216, 24), "up/0": (432, 24), "up/1": (324, 12)}
    expected = {f"{name}/kernel": shape for name, shape in plan.items()}
    expected |= {f"{name}/bias": shape[1:] for name, shape in plan.items()}
    assert shapes == expected | {"leave/kernel": (12, 1), "leave/bias": (1,)}


def test_a_unet_at_its_start_gives_zero_and_half_precision_with_a_mask_stays_near(field):
    x, observed = field
    assert (run(UNet(3, 2, width=8, rngs=nnx.Rngs(0)), x, observed=observed) == 0).all()
    net = UNet(3, 2, width=8, norm=True, zero=False, rngs=nnx.Rngs(0))
    graph, params, rest = nnx.split(net, nnx.Param, ...)

    half = nnx.merge(graph, jax.tree.map(lambda p: p.astype("bfloat16"), params), rest)
    out = run(half, x.astype("bfloat16"), observed=observed)

    single = run(net, x, observed=observed)
    assert out.dtype == jnp.bfloat16
    assert float(jnp.abs(out - single).max()) < 0.1 * float(jnp.abs(single).max())
