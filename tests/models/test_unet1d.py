"""1-D U-Net: any length, and what moves in moves out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from geojax.models.unet1d import UNet1D


@pytest.mark.parametrize("samples", [1, 257])
def test_a_label_comes_for_every_sample_of_any_length(samples):
    net = UNet1D(3, 3, width=4, depth=3, rngs=nnx.Rngs(0))

    out = nnx.jit(lambda net, x: net(x))(net, jnp.ones((2, samples, 3)))

    assert out.shape == (2, samples, 3)
    assert jnp.isfinite(out).all()


def test_by_default_it_is_as_large_as_phasenet():
    net = UNet1D(3, 3, rngs=nnx.Rngs(0))

    assert jax.eval_shape(net, jnp.zeros((1, 3001, 3))).shape == (1, 3001, 3)
    assert 250_000 < sum(leaf.size for leaf in jax.tree.leaves(nnx.state(net, nnx.Param))) < 450_000


def test_a_wave_later_by_a_whole_stride_gives_labels_later_by_as_much(rng):
    net = UNet1D(1, 2, width=4, depth=2, window=5, rngs=nnx.Rngs(0))
    wave = rng.normal(size=60)
    early, late = np.zeros((2, 1, 800, 1), "float32")
    early[0, 320:380, 0] = wave
    late[0, 352:412, 0] = wave

    run = nnx.jit(lambda net, x: net(x))
    before, after = run(net, early), run(net, late)

    np.testing.assert_allclose(before[0, 280:420], after[0, 312:452], atol=1e-5)
    assert float(jnp.abs(before[0, 280:420] - before[0, 200]).max()) > 0.1
