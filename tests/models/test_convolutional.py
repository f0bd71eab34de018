"""What every feed-forward and convolutional model must do: shapes, gradients, fitting, dropout, half precision."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from geojax.errors import UserError
from geojax.models import check_sizes, load

SMALL = {
    "mlp": ((10, 6), (10, 3), {"widths": (32,), "norm": True, "dropout": 0.5}),
    "cnn": ((10, 80, 3), (10, 3), {"widths": (8, 16), "windows": (8, 8), "strides": (4, 2), "dropout": 0.5}),
    "cnn2d": ((10, 9, 12, 2), (10, 3), {"widths": (8, 16), "hidden": 16, "dropout": 0.5}),
    "unet1d": ((10, 61, 3), (10, 61, 3), {"depth": 1, "dropout": 0.5}),
    "unet": ((10, 7, 9, 2), (10, 7, 9, 3), {"width": 8, "norm": True, "zero": False, "dropout": 0.5}),
    "tcn": ((10, 20, 2), (10, 20, 3), {"widths": (16, 16), "dropout": 0.5}),
}


@nnx.jit
def run(net, x, key=None):
    """The model, compiled whole: op by op takes far longer."""
    return net(x, key)


@pytest.fixture(params=SMALL)
def case(request, rng):
    """Name, example inputs, targets that are the data's own noise, and sizes of a small model."""
    shape, out, sizes = SMALL[request.param]
    x, y = (jnp.asarray(rng.normal(size=s), "float32") for s in (shape, out))
    return request.param, x, y, sizes


@cache
def _make(name, dropout=0.5):
    """Made once, as that takes longer than a pass through it; only the test that trains has its own."""
    shape, out, sizes = SMALL[name]
    return load(name)(shape[-1], out[-1], **sizes | {"dropout": dropout}, rngs=nnx.Rngs(0))


def test_a_model_gives_the_shape_it_promises_and_every_parameter_gets_a_gradient(case):
    x, y = case[1:3]
    net = _make(case[0])

    gradient = nnx.jit(nnx.grad(lambda m: jnp.mean((m(x) - y) ** 2)))(net)

    assert jax.eval_shape(net, x).shape == y.shape
    assert all(jnp.abs(leaf).max() > 0 for leaf in jax.tree.leaves(gradient))


def test_ten_examples_are_learned_by_heart(case):
    x, y = case[1:3]
    net = _make(case[0], 0.0)
    if case[0] == "tcn":  # an output of the first times has no past to tell the examples by
        y = jnp.cumsum(x[..., :1], 1) * jnp.ones(y.shape[-1]) / 4
    if case[0] in ("unet1d", "unet"):
        y = jnp.tanh(x[..., :1] * x[..., 1:2]) * jnp.ones(y.shape[-1])
    optimizer = nnx.Optimizer(net, optax.adam(1e-2), wrt=nnx.Param)

    @nnx.jit
    def step(net, optimizer):
        value, gradient = nnx.value_and_grad(lambda m: jnp.mean((m(x) - y) ** 2))(net)
        optimizer.update(net, gradient)
        return value

    for _ in range(250):
        value = step(net, optimizer)
    assert float(value) < 0.1 * float(y.var())


def test_dropout_acts_only_with_a_key(case):
    x = case[1]
    net = _make(case[0])

    first, second = jax.random.split(jax.random.key(0))

    assert (run(net, x) == run(net, x)).all()
    assert (run(net, x, first) == run(net, x, first)).all()
    assert not np.allclose(run(net, x, first), run(net, x, second))
    assert not np.allclose(run(net, x, first), run(net, x))


def test_half_precision_is_near_single_precision(case):
    x = case[1]
    net = _make(case[0])
    graph, params, rest = nnx.split(net, nnx.Param, ...)
    single = run(net, x)

    half = run(nnx.merge(graph, jax.tree.map(lambda p: p.astype("bfloat16"), params), rest), x.astype("bfloat16"))

    assert half.dtype == jnp.bfloat16
    assert float(jnp.abs(half.astype("float32") - single).max()) < 0.1 * float(jnp.abs(single).max())


def test_a_model_is_small_in_the_settings_of_a_run(case):
    name, _, _, sizes = case
    as_in_yaml = {key: list(value) if isinstance(value, tuple) else value for key, value in sizes.items()}

    assert sizes.items() <= check_sizes(name, as_in_yaml).items()


@pytest.mark.parametrize("name", ["mlp", "cnn2d", "unet1d", "unet", "tcn"])
def test_an_unknown_activation_is_told_with_those_there_are(name):
    with pytest.raises(UserError, match=r"activation.*gelu"):
        check_sizes(name, {"activation": "step"}, "config/runs/mine.yaml")


def test_the_default_cnn_keeps_the_parameters_that_older_runs_hold():
    net = load("cnn")(3, 4, width=16, hidden=128, dropout=0.2, rngs=nnx.Rngs(0))

    shapes = {"/".join(map(str, path)): leaf.shape for path, leaf in nnx.to_flat_state(nnx.state(net, nnx.Param))}

    plan = [(72, 16), (128, 16), (96, 32), (192, 32)]
    expected = {f"blocks/{i}/convolution/kernel": shape for i, shape in enumerate(plan)}
    expected |= {
        f"blocks/{i}/{name}": (shape[1],)
        for i, shape in enumerate(plan)
        for name in ("convolution/bias", "norm/scale", "norm/bias")
    }
    expected |= {"hidden/kernel": (128, 128), "hidden/bias": (128,), "out/kernel": (128, 4), "out/bias": (4,)}
    assert shapes == expected


def test_a_cnn_says_how_many_samples_it_needs():
    net = load("cnn")(3, 4, rngs=nnx.Rngs(0))

    assert jnp.isfinite(run(net, jnp.ones((1, net.fewest, 3)))).all()
    with pytest.raises(UserError, match=f"at least {net.fewest} samples.* {net.fewest - 1}"):
        net(jnp.ones((1, net.fewest - 1, 3)))


def test_a_cnn_wants_a_window_and_a_stride_for_each_width():
    with pytest.raises(UserError, match="equally many, but are 2, 4 and 4"):
        load("cnn")(3, 4, widths=(16, 32), rngs=nnx.Rngs(0))


@pytest.mark.parametrize("shape", [(64, 64), (3, 5), (1, 1)])
def test_a_2d_cnn_takes_any_field(shape):
    net = load("cnn2d")(1, 4, widths=(8, 8, 8), rngs=nnx.Rngs(0))

    assert jnp.isfinite(run(net, jnp.ones((2, *shape, 1)))).all()
