"""Spectrograms before a network for fields."""

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
from flax import nnx

if TYPE_CHECKING:
    from geojax.data.seismology.stft import STFT


class Spectrogram(nnx.Module):
    """A network for fields behind log-power spectrograms of windows (example, sample, component).

    The network sees (example, frame, bin, component): the decimal logarithm of the power in each cell, less its mean
    over the window's cells, so that a gain changes nothing. Cells more than `range_db` below the loudest count as so.

    stft : the transform, with `forward` of geojax.data.seismology.stft
    frames : number of them, from the first that lies inside the window
    """

    def __init__(self, network: nnx.Module, stft: "STFT", frames: int, range_db: float = 80.0) -> None:
        self.network: Any = network
        self.stft, self.frames, self.range_db = stft, frames, range_db

    def __call__(self, x: jax.Array, key: jax.Array | None = None) -> jax.Array:
        return self.network(self.fields(x), key)

    def fields(self, x: jax.Array) -> jax.Array:
        """What the network sees, (example, frame, bin, component)."""
        spectra = self.stft.forward(jnp.swapaxes(x, 1, 2))
        first = self.stft.inside(0, x.shape[1]).start
        power = jnp.sum(spectra**2, -2)[:, :, first : first + self.frames]
        loudest = power.max((1, 2, 3), keepdims=True)
        level = jnp.log10(power + loudest * 10 ** (-self.range_db / 10) + jnp.finfo(jnp.float32).tiny)
        return jnp.moveaxis(level - level.mean((1, 2, 3), keepdims=True), 1, -1)
