"""Temporal convolutions never see the future, and all of the past that they promise."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from geojax.models.tcn import TCN


def test_no_output_sees_the_future(rng):
    net = TCN(2, 3, widths=(8, 8, 8), rngs=nnx.Rngs(0))
    x = rng.normal(size=(2, 40, 2)).astype("float32")
    other = x.copy()
    other[:, 25:] = rng.normal(size=(2, 15, 2)) * 100
    run = nnx.jit(lambda net, x: net(x))

    one, two = run(net, x), run(net, other)

    assert (one[:, :25] == two[:, :25]).all()
    assert not np.allclose(one[:, 25:], two[:, 25:])


def test_an_output_sees_as_far_back_as_promised(rng):
    net = TCN(1, 1, widths=(8, 8, 8), window=3, norm=False, activation="tanh", rngs=nnx.Rngs(0))
    x = jnp.asarray(rng.normal(size=(1, 60, 1)), "float32")

    seen = np.flatnonzero(jax.jit(jax.grad(lambda x: net(x)[0, 50, 0]))(x)[0, :, 0])

    assert seen.tolist() == list(range(51 - (1 + 2 * 2 * (2**3 - 1)), 51))
