"""Gap filling: a learned linear-Gaussian analysis, corrected by a U-Net."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from geojax.models.covariance import LearnedCovariance, analyse
from geojax.models.unet import UNet


class Restored(NamedTuple):
    """Months of one gap: (month, cell) in K; `deviation` is (cell,)."""

    analysis: jax.Array
    deviation: jax.Array
    corrected: jax.Array


class GapFiller(nnx.Module):
    """Fields (month, cell) behind one gap (cell,) to restored fields (month, cell), all in K.

    The U-Net sees, on the grid, what was observed, the analysis, how far the observations lie from it, and its
    standard deviation; its last layer starts at zero, so that training starts at the analysis.

    ocean : (lat, lon), which cells there are; places : (cell, 2), latitude and longitude in degrees
    sample : (cell, cell), covariance of the training months; scale : (cell,), their standard deviation in K
    """

    def __init__(
        self,
        ocean: np.ndarray,
        places: np.ndarray,
        sample: np.ndarray,
        scale: np.ndarray,
        *,
        width: int = 12,
        depth: int = 2,
        embedding: int = 4,
        rngs: nnx.Rngs,
    ) -> None:
        self.covariance = LearnedCovariance(places)
        self.sample = nnx.Variable(jnp.asarray(sample, jnp.float32))
        self.scale = nnx.Variable(jnp.asarray(scale, jnp.float32))
        self.cells = nnx.Variable(jnp.asarray(np.flatnonzero(ocean), jnp.int32))
        self.shape = tuple(ocean.shape)
        self.place = nnx.Param(0.1 * jax.random.normal(rngs.params(), (len(places), embedding)))
        self.unet = UNet(5 + embedding, 1, width=width, depth=depth, rngs=rngs)

    def __call__(self, fields: jax.Array, hidden: jax.Array) -> Restored:
        """Restore with the covariance of all training months; `fields` is not looked at where `hidden`."""
        analysis, deviation = self.analyse(self.sample[...], fields, hidden)
        return Restored(analysis, deviation, self.correct(fields, hidden, analysis, deviation))

    def analyse(self, sample: jax.Array, fields: jax.Array, hidden: jax.Array) -> tuple[jax.Array, jax.Array]:
        """The analysis (month, cell) and its standard deviation (cell,) from a sample covariance."""
        return analyse(self.covariance(sample), self.covariance.noise, fields, hidden)

    def correct(self, fields: jax.Array, hidden: jax.Array, analysis: jax.Array, deviation: jax.Array) -> jax.Array:
        """The analysis (month, cell) with the U-Net's correction, in units of its standard deviation."""
        seen = jnp.broadcast_to(jnp.where(hidden, 0.0, 1.0), analysis.shape)
        innovation = jnp.where(hidden, 0.0, fields - analysis) / deviation
        own = [seen, jnp.ones_like(seen), jnp.broadcast_to(deviation / self.scale[...], seen.shape)]
        channels = jnp.stack([*own, innovation, analysis / self.scale[...]], -1)
        place = jnp.broadcast_to(self.place[...], (*analysis.shape, self.place.shape[-1]))
        change = self.unet(self._to_grid(jnp.concatenate([channels, place], -1)))
        return analysis + deviation * change.reshape(len(analysis), -1)[:, self.cells[...]]

    def _to_grid(self, x: jax.Array) -> jax.Array:
        """(month, cell, channel) to (month, lat, lon, channel), zero on land."""
        grid = jnp.zeros((len(x), self.shape[0] * self.shape[1], x.shape[-1]), x.dtype)
        return grid.at[:, self.cells[...]].set(x).reshape(len(x), *self.shape, -1)


MODEL = GapFiller
