"""Generative adversarial pair for relief: chance and detail at every scale, and a critic that sees each scale alike."""

import math
from collections.abc import Sequence
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from geojax.errors import UserError
from geojax.models.conv_autoencoder import STRIDE, widths_of
from geojax.models.gan import COARSEST, Condition, Critic
from geojax.models.layers import GroupNorm, coarsen, refine
from geojax.models.strided import TransposedConvolution

HIDDEN = 32


class ReliefGenerator(nnx.Module):
    """Noise (example, latent) to fields (example, size, size), each about zero and of unit standard deviation.

    Every scale has noise of its own, as channels beside its features (after Karras et al. 2019,
    doi:10.1109/CVPR.2019.00453), and adds detail of its own to what the coarser ones have made (after Karras et al.
    2020, doi:10.1109/CVPR42600.2020.00813). `gains` say how large that detail is at first, so that the spectrum is
    about right before anything is learned.
    """

    def __init__(
        self, gains: Sequence[float], values: int, *, size: int, latent: int, noise: int, width: int, rngs: nnx.Rngs
    ) -> None:
        depth = _depth(size)
        widths = [*widths_of(1, width, depth)[::-1][:-1], width]
        self.noise, self.sizes = noise, [COARSEST * STRIDE**i for i in range(depth + 1)]
        self.coarse = latent
        self.latent = latent + noise * sum(n * n for n in self.sizes[:-1])
        self.condition = Condition(0, values, latent, rngs=rngs)
        self.enter = nnx.Linear(latent * (2 if values else 1), COARSEST**2 * widths[0], rngs=rngs)
        self.norms = nnx.List([GroupNorm(a, rngs=rngs) for a in widths[:-1]])
        self.convolutions = nnx.List(
            [TransposedConvolution(a + noise, b, 2, STRIDE, rngs=rngs) for a, b in pairwise(widths)]
        )
        self.details = nnx.List([nnx.Linear(a, 2, rngs=rngs) for a in widths])
        self.gains = nnx.Param(jnp.log(jnp.asarray(gains, jnp.float32)))
        self.hear = nnx.Linear(latent * (2 if values else 1), HIDDEN, rngs=rngs)
        self.vary = nnx.Linear(HIDDEN, depth + 1, rngs=rngs)

    def __call__(
        self, latent: jax.Array, key: jax.Array | None = None, *, values: jax.Array | None = None
    ) -> jax.Array:
        """`key` is taken as every model takes one, and drives nothing: all chance is in `latent`."""
        first = latent[:, : self.coarse]
        wanted = self.condition(None, values)
        x = first if wanted is None else jnp.concatenate([first, wanted.astype(first.dtype)], -1)
        loudness = jnp.exp(self.gains[...] + self.vary(nnx.leaky_relu(self.hear(x), 0.2)))[:, None, None]
        x = self.enter(x).reshape(len(x), COARSEST, COARSEST, -1)
        begin = self.coarse
        field = jnp.zeros((len(x), COARSEST // 2, COARSEST // 2, 1), x.dtype)
        for i, (norm, convolution) in enumerate(zip(self.norms, self.convolutions, strict=True)):
            side = self.sizes[i]
            chance = latent[:, begin : begin + self.noise * side * side].reshape(len(x), side, side, self.noise)
            begin += self.noise * side * side
            x = nnx.leaky_relu(norm(x), 0.2)
            field = enlarge(field) + loudness[..., i, None] * _detail(self.details[i], x)
            x = convolution(jnp.concatenate([x, chance], -1))
        x = nnx.leaky_relu(x, 0.2)
        field = (enlarge(field) + loudness[..., -1, None] * _detail(self.details[-1], x))[..., 0]
        field = field - field.mean((1, 2), keepdims=True)
        return field / jnp.sqrt((field**2).mean((1, 2), keepdims=True) + 1e-6)


class BandCritic(Critic):
    """A critic of fields (example, size, size) that sees, beside the field, what each halving takes away, enlarged.

    Relief has so little power at short wavelengths that a critic of bounded slope would pass over them.
    """

    def __init__(self, gains: Sequence[float], values: int, *, depth: int, width: int, rngs: nnx.Rngs) -> None:
        self.gains = tuple(float(gain) for gain in gains)
        super().__init__(1 + len(self.gains), 0, values, depth=depth, width=width, spectral=True, rngs=rngs)

    def __call__(
        self,
        x: jax.Array,
        key: jax.Array | None = None,
        *,
        label: jax.Array | None = None,
        values: jax.Array | None = None,
    ) -> jax.Array:
        return super().__call__(bands(x, self.gains), key, label=label, values=values)


class ReliefGAN(nnx.Module):
    """Noise (example, latent) to relief (example, size, size) in standard deviations, under conditions.

    Attributes `generator` and `critic`.

    fields : (example, size, size) to learn from, each about zero and of unit deviation: their power by scale sets how
        large details are at first, and how the critic weighs them
    values : how many continuous conditions there are
    latent : noise at the coarsest scale; noise : channels of noise at each scale
    raises UserError : the size of the fields is not a power of two of at least 8
    """

    def __init__(
        self,
        fields: np.ndarray,
        values: int = 0,
        *,
        latent: int = 32,
        noise: int = 2,
        width: int = 8,
        critic_width: int = 12,
        rngs: nnx.Rngs,
    ) -> None:
        size = fields.shape[1]
        spreads = _spreads(fields)
        self.generator = ReliefGenerator(spreads, values, size=size, latent=latent, noise=noise, width=width, rngs=rngs)
        fine = [1 / spread for spread in spreads[:0:-1][:3]]  # the three shortest
        self.critic = BandCritic(fine, values, depth=_depth(size), width=critic_width, rngs=rngs)

    def __call__(self, latent: jax.Array, key: jax.Array | None = None, **condition: jax.Array) -> jax.Array:
        """What the generator makes of noise, under `values` where there are conditions."""
        return self.generator(latent, key, **condition)


def _detail(layer: nnx.Linear, x: jax.Array) -> jax.Array:
    """What a scale adds (example, n, n, 1): a field times a factor that is above zero."""
    field, factor = jnp.split(layer(x), 2, -1)
    return field * jnp.exp(2 * jnp.tanh(0.5 * factor))


def bands(x: jax.Array, gains: Sequence[float]) -> jax.Array:
    """Fields (example, size, size) as channels: themselves, then what each halving takes away, times its gain."""
    found, coarse, repeats = [x[..., None]], x[..., None], 0
    for gain in gains:
        smaller = coarsen(coarse)
        lost = coarse - refine(smaller)
        for _ in range(repeats):
            lost = refine(lost)
        found.append(gain * lost)
        coarse, repeats = smaller, repeats + 1
    return jnp.concatenate(found, -1)


def enlarge(x: jax.Array) -> jax.Array:
    """Twice as many cells along both sides, linear in between: (example, n, n, channel) to (example, 2n, 2n, channel).

    Beyond the outermost centres it goes on straight, so that slopes have no kink at the border.
    """
    matrix = jnp.asarray(_linear(x.shape[1]), x.dtype)
    return jnp.einsum("ai,bj,nijc->nabc", matrix, matrix, x)


def _linear(count: int) -> np.ndarray:
    """Weights (2 count, count) of linear interpolation between the centres of cells, and beyond them."""
    weights = np.zeros((2 * count, count))
    place = (np.arange(2 * count) + 0.5) / 2 - 0.5
    left = np.clip(np.floor(place).astype(int), 0, count - 2)
    weights[np.arange(2 * count), left] = 1 - (place - left)
    weights[np.arange(2 * count), left + 1] = place - left
    return weights


def _spreads(fields: np.ndarray) -> list[float]:
    """Deviation of what each scale adds, from the coarsest on: of means over blocks, and what halvings take away."""
    found, now = [], fields.astype("float64")
    while now.shape[1] > COARSEST:
        half = now.reshape(len(now), now.shape[1] // 2, 2, now.shape[2] // 2, 2).mean((2, 4))
        found.append(float((now - half.repeat(2, 1).repeat(2, 2)).std()) + 1e-6)
        now = half
    return [float(now.std()) + 1e-6, *found[::-1]]


def _depth(size: int) -> int:
    depth = round(math.log2(size / COARSEST)) if size > 0 else 0
    if depth < 1 or COARSEST * STRIDE**depth != size:
        raise UserError(f"model: fields must be a power of two of at least 8 on a side, but are {size}. Cut the tiles.")
    return depth


MODEL = ReliefGAN
