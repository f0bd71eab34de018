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
    radius_ = jnp.maximum(radius, 1e-3)
    down = row - jnp.arange(side, dtype=circles.dtype)[:, None, None]
    right = column - jnp.arange(side, dtype=circles.dtype)[None, :, None]
    spread = 0.5 + 0.2 * radius_
    heat = jnp.where(radius > 0, jnp.exp(-(down**2 + right**2) / (2 * spread**2)), 0)
    peak = ((jnp.abs(down) <= 0.5) & (jnp.abs(right) <= 0.5) & (radius > 0)).any(-1)
    own = jnp.argmax(heat, -1)
    greatest = jnp.max(heat, -1)
    below = (row[own] - jnp.arange(side, dtype=circles.dtype)[:, None]) / radius_[own]
    beside = (column[own] - jnp.arange(side, dtype=circles.dtype)[None, :]) / radius_[own]
    shape = jnp.stack([jnp.log(radius_[own]), below, beside], -1)
    return Targets(greatest, peak, shape, jnp.where(greatest >= CORE, greatest, 0))


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
