"""Denoising by a mask in time and frequency that a U-Net draws."""

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
from flax import nnx

from geojax.models.unet import UNet

if TYPE_CHECKING:
    from geojax.data.stft import STFT


class MaskDenoiser(nnx.Module):
    """Noisy windows (example, component, sample) to what a mask lets pass of them, of the same shape.

    As DeepDenoiser (Zhu et al. 2019, doi:10.1109/TGRS.2019.2926772), a U-Net sees the real and imaginary parts of a
    short-time Fourier transform and draws a mask between 0 and 1. Unlike there, it sees all components at once and
    draws a mask for each, and numbers come in units of what each frequency shows before the event, compressed by a
    logarithm; where in the spectrum a cell lies is told by a learned code.

    components : of a window
    stft : the transform, with `forward`, `inverse` and `inside` of geojax.data.stft
    quiet : samples at the beginning of a window that hold noise alone
    """

    def __init__(
        self,
        components: int,
        stft: "STFT",
        quiet: int,
        *,
        width: int = 12,
        depth: int = 2,
        code: int = 4,
        norm: bool = False,
        dropout: float = 0.0,
        rngs: nnx.Rngs,
    ) -> None:
        self.stft, self.quiet = stft, quiet
        self.code = nnx.Param(0.1 * jax.random.normal(rngs.params(), (stft.bins, code)))
        inputs = 4 * components + code
        self.unet = UNet(inputs, components, width=width, depth=depth, norm=norm, dropout=dropout, rngs=rngs)

    def __call__(self, x: jax.Array, key: jax.Array | None = None) -> jax.Array:
        spectra = self.stft.forward(x)
        return self.stft.inverse(spectra * self.mask(spectra, key)[..., None, :], x.shape[-1])

    def mask(self, spectra: jax.Array, key: jax.Array | None = None) -> jax.Array:
        """Share of each cell that is signal, (example, component, frame, bin), from spectra (…, frame, 2, bin)."""
        power = jnp.sum(spectra**2, -2, keepdims=True)
        before = power[..., self.stft.inside(0, self.quiet), :, :].mean(-3, keepdims=True) + 1e-8
        size = jnp.sqrt(power / before + 1e-8)
        seen = spectra / jnp.sqrt(before) * (jnp.log1p(size) / size)
        level = jnp.broadcast_to(0.5 * jnp.log(before), size.shape)
        channels = jnp.concatenate([seen, jnp.log1p(size), level], -2)  # (example, component, frame, 4, bin)
        channels = channels.transpose(0, 2, 4, 1, 3)
        channels = channels.reshape(*channels.shape[:3], -1)
        code = jnp.broadcast_to(self.code[...], (*channels.shape[:3], self.code.shape[-1]))
        drawn = self.unet(jnp.concatenate([channels, code.astype(channels.dtype)], -1), key)
        return jax.nn.sigmoid(drawn.transpose(0, 3, 1, 2))


MODEL = MaskDenoiser
