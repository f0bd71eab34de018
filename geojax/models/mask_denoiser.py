"""Denoising by a mask in time and frequency that a U-Net draws."""

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
from flax import nnx

from geojax.models.layers import Activation
from geojax.models.unet import UNet

if TYPE_CHECKING:
    from geojax.data.seismology.stft import STFT


class MaskDenoiser(nnx.Module):
    """Noisy windows (example, component, sample) to what a mask lets pass of them, of the same shape.

    As DeepDenoiser (Zhu et al. 2019, doi:10.1109/TGRS.2019.2926772), a U-Net sees the real and imaginary parts of a
    short-time Fourier transform and draws a mask between 0 and 1. Unlike there, it sees all components at once and
    draws a mask for each, and numbers come in units of what each frequency shows before the event, compressed by a
    logarithm; where in the spectrum a cell lies is told by a learned code.

    components : of a window
    stft : the transform, with `forward`, `inverse` and `inside` of geojax.data.seismology.stft
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
        activation: Activation = "relu",
        rngs: nnx.Rngs,
    ) -> None:
        self.stft, self.quiet = stft, quiet
        self.code = nnx.Param(0.1 * jax.random.normal(rngs.params(), (stft.bins, code)))
        self.over = nnx.Param(jnp.full((), jnp.log(2.0)))
        inputs = 4 * components + code
        self.unet = UNet(
            inputs, components, width=width, depth=depth, norm=norm, dropout=dropout, activation=activation, rngs=rngs
        )

    def __call__(self, x: jax.Array, key: jax.Array | None = None) -> jax.Array:
        spectra = self.stft.forward(x)
        return self.stft.inverse(spectra * self.mask(spectra, key)[..., None, :], x.shape[-1])

    def mask(self, spectra: jax.Array, key: jax.Array | None = None) -> jax.Array:
        """Share of each cell that is signal, (example, component, frame, bin), from spectra (…, frame, 2, bin)."""
        power = jnp.sum(spectra**2, -2)
        before = power[..., self.stft.inside(0, self.quiet), :].mean(-2, keepdims=True)
        before = smooth(before, -1, 3) + 1e-8
        ratio = power / before
        size = jnp.sqrt(ratio + 1e-8)
        start = self.wiener(ratio)
        seen = spectra * (jnp.log1p(size) / (size * jnp.sqrt(before)))[..., None, :]
        channels = jnp.concatenate([seen, jnp.stack([jnp.log1p(size), 0.3 * start], -2)], -2)
        channels = channels.transpose(0, 2, 4, 1, 3)  # (example, frame, bin, component, 4)
        channels = channels.reshape(*channels.shape[:3], -1)
        code = jnp.broadcast_to(self.code[...], (*channels.shape[:3], self.code.shape[-1]))
        drawn = self.unet(jnp.concatenate([channels, code.astype(channels.dtype)], -1), key)
        return jax.nn.sigmoid(start + drawn.transpose(0, 3, 1, 2))

    def wiener(self, ratio: jax.Array) -> jax.Array:
        """Logits of the Wiener gain 1 - over / ratio, the ratio of power to noise smoothed; where training starts."""
        ratio = smooth(smooth(ratio, -1, 5), -2, 3)
        ratio = 0.75 * ratio + 0.25 * ratio.mean(1, keepdims=True)
        return jnp.log(jnp.maximum(ratio * jnp.exp(-self.over[...]) - 1, 0.02))


def smooth(x: jax.Array, axis: int, count: int) -> jax.Array:
    """Running mean of an odd number of values along an axis, the first and the last repeated."""
    half = count // 2
    by = [(0, 0)] * x.ndim
    by[axis] = half, half
    padded = jnp.pad(x, by, mode="edge")
    shifted = [jax.lax.slice_in_dim(padded, k, k + x.shape[axis], axis=axis % x.ndim) for k in range(count)]
    return sum(shifted[1:], shifted[0]) / count


MODEL = MaskDenoiser
