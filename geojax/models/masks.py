"""Partial convolutions: only what is observed enters, and every level knows what observations reach it.

`share` (example, lat, lon, 1) is the share of a cell's channels that is observed; numbers where it is 0 are 0.
source : Liu et al. (2018), doi:10.1007/978-3-030-01252-6_6
"""

import jax
import jax.numpy as jnp

from geojax.models import layers
from geojax.models.layers import Convolution


def hide(x: jax.Array, observed: jax.Array) -> tuple[jax.Array, jax.Array]:
    """x with zeros where it is not observed, be it NaN there, and the share that is."""
    observed = jnp.broadcast_to(observed, x.shape).astype(bool)
    return jnp.where(observed, x, 0), observed.astype(x.dtype).mean(-1, keepdims=True)


def convolve(layer: Convolution, x: jax.Array, share: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The convolution of what is observed, scaled up to a whole window, and 1 where it saw anything, else 0."""
    seen = jnp.pad(share.astype(jnp.float32), ((0, 0), *layer.padding(share), (0, 0)))
    rows, columns = share.shape[1:3]
    high, wide = layer.window
    seen = jnp.stack([seen[:, i : i + rows] for i in range(high)]).sum(0)
    seen = jnp.stack([seen[:, :, j : j + columns] for j in range(wide)]).sum(0)
    reached = seen > 0
    scale = jnp.where(reached, high * wide / jnp.where(reached, seen, 1), 0).astype(x.dtype)
    reached = reached.astype(x.dtype)
    return (layer.product(x) * scale + layer.bias[...]) * reached, reached


def coarsen(x: jax.Array, share: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Mean of the observed of 2 × 2 cells, and 1 where there are any, else 0; `share` is 0 or 1."""
    some = layers.coarsen(share)
    return layers.coarsen(x) / jnp.where(some > 0, some, 1), (some > 0).astype(x.dtype)
