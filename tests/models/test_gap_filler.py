"""Filling gaps: any grid, what is hidden stays hidden, and what statistics say of the analysis."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from geojax.models import layers
from geojax.models.covariance import LearnedCovariance, analyse
from geojax.models.gap_filler import GapFiller
from geojax.models.unet import UNet


def test_refining_what_was_coarsened_keeps_the_mean_of_each_square(rng):
    x = jnp.asarray(rng.normal(size=(1, 4, 6, 2)), "float32")

    np.testing.assert_allclose(layers.coarsen(layers.refine(layers.coarsen(x))), layers.coarsen(x), rtol=1e-6)


@pytest.mark.parametrize("shape", [(13, 57), (8, 8), (5, 3)])
def test_a_unet_takes_any_grid_and_starts_at_zero(shape, rng):
    net = UNet(2, 3, width=4, depth=2, rngs=nnx.Rngs(0))

    out = nnx.jit(lambda net, x: net(x))(net, jnp.asarray(rng.normal(size=(2, *shape, 2)), "float32"))

    assert out.shape == (2, *shape, 3)
    assert (out == 0).all()


@pytest.fixture
def gaussian(rng):
    cells = 12
    root = rng.normal(size=(cells, cells))
    return (root @ root.T / cells + 0.1 * np.eye(cells)).astype("float32")


def test_the_analysis_is_the_conditional_mean_and_deviation_of_a_gaussian(gaussian, rng):
    hidden = np.arange(12) % 3 == 0
    noise = rng.uniform(0.1, 0.3, 12).astype("float32")
    fields = rng.normal(size=(4, 12)).astype("float32")

    mean, deviation = analyse(jnp.asarray(gaussian), jnp.asarray(noise), jnp.asarray(fields), jnp.asarray(hidden))

    seen = ~hidden
    gain = gaussian[:, seen] @ np.linalg.inv(gaussian[np.ix_(seen, seen)] + np.diag(noise[seen] ** 2))
    np.testing.assert_allclose(mean, fields[:, seen] @ gain.T, atol=1e-4)
    np.testing.assert_allclose(deviation**2, np.diag(gaussian - gain @ gaussian[seen]), atol=1e-4)


def test_what_is_hidden_changes_nothing(gaussian, rng):
    ocean = np.ones((3, 4), bool)
    places = np.stack(np.meshgrid(np.arange(3.0), np.arange(4.0), indexing="ij"), -1).reshape(-1, 2) * 5
    net = GapFiller(ocean, places, gaussian, np.sqrt(np.diag(gaussian)), width=4, depth=1, rngs=nnx.Rngs(0))
    net.unet.leave.kernel[...] = jnp.ones_like(net.unet.leave.kernel[...])
    fields = jnp.asarray(rng.normal(size=(2, 12)), "float32")
    hidden = jnp.arange(12) < 5

    other = jnp.where(hidden, 99.0, fields)

    run = nnx.jit(lambda net, fields: net(fields, hidden).corrected)
    np.testing.assert_allclose(run(net, fields), run(net, other), atol=1e-5)


def test_a_learned_covariance_is_symmetric_and_positive(gaussian):
    places = np.stack([np.linspace(-20, 20, 12), np.linspace(100, 160, 12)], -1)

    covariance = np.asarray(LearnedCovariance(places)(jnp.asarray(gaussian)), float)

    np.testing.assert_allclose(covariance, covariance.T, atol=1e-6)
    assert np.linalg.eigvalsh(covariance).min() > 0


def test_gradients_of_the_analysis_agree_with_finite_differences(gaussian, rng):
    hidden = jnp.arange(12) < 4
    fields = jnp.asarray(rng.normal(size=(3, 12)), "float32")

    def error(scale):
        mean, _ = analyse(scale * jnp.asarray(gaussian), jnp.full(12, 0.3), fields, hidden)
        return jnp.sum((mean - fields)[:, :4] ** 2)

    step = 1e-2
    numeric = (error(1.0 + step) - error(1.0 - step)) / (2 * step)
    assert float(jax.grad(error)(1.0)) == pytest.approx(float(numeric), rel=2e-2)
