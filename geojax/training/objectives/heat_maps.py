"""Objects as peaks of a heat map, with their sizes beside them.

source : Zhou et al. (2019), arXiv:1904.07850; the focal loss after Law & Deng (2018), doi:10.1007/978-3-030-01264-9_45
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

CORE = 0.3  # heat from which on a pixel tells place and size


class Targets(NamedTuple):
    """Maps (row, column, …) that circles make.

    heat : 1 at a centre, falling as a Gaussian; peak : whether a centre lies in the pixel
    shape : logarithm of the radius, and how far the centre lies below and to the right, in radii; of the nearest
    weight : of `shape`, 0 far from any centre
    """

    heat: jax.Array
    peak: jax.Array
    shape: jax.Array
    weight: jax.Array


def targets(circles: jax.Array, side: int) -> Targets:
    """What a square of `side` pixels must show: circles (n, row column radius), those of radius 0 being none."""
    row, column, radius = (circles[:, i] for i in range(3))
    there, radius = radius > 0, jnp.maximum(radius, 1e-3)
    steps = jnp.arange(side, dtype=circles.dtype)[:, None]
    down, right = row - steps, column - steps  # (side, n): the Gaussian is a product of one of each
    spread = 2 * (0.5 + 0.2 * radius) ** 2
    heats = jnp.exp(-(down**2) / spread)[:, None] * (there * jnp.exp(-(right**2) / spread))[None]
    heat, own = jnp.max(heats, -1), jnp.argmax(heats, -1)
    above, beside = ((jnp.abs(each) <= 0.5).astype(circles.dtype) for each in (down, right))
    peak = (above * there) @ beside.T > 0
    shape = [jnp.log(radius)[own], (row[own] - steps) / radius[own], (column[own] - steps.T) / radius[own]]
    return Targets(heat, peak, jnp.stack(shape, -1), jnp.where(heat >= CORE, heat, 0))


def focal(logits: jax.Array, heat: jax.Array, peak: jax.Array) -> jax.Array:
    """Sum over pixels of the focal loss, which asks little of pixels near a peak and of those that are sure already."""
    chance = jax.nn.sigmoid(logits)
    found = -((1 - chance) ** 2) * jax.nn.log_sigmoid(logits)
    empty = -((1 - heat) ** 4) * chance**2 * jax.nn.log_sigmoid(-logits)
    return jnp.sum(jnp.where(peak, found, empty))


def circle_loss(output: jax.Array, wanted: Targets, size: float) -> jax.Array:
    """Focal loss and `size` times the absolute error of place and radius, per circle of a batch.

    output : (example, row, column, 4), logits of the heat and what `Targets.shape` holds
    """
    count = jnp.maximum(jnp.sum(wanted.peak), 1)
    departure = jnp.abs(output[..., 1:] - wanted.shape).sum(-1)
    shape = jnp.sum(departure * wanted.weight) / jnp.maximum(jnp.sum(wanted.weight), 1)
    return focal(output[..., 0], wanted.heat, wanted.peak) / count + size * shape
