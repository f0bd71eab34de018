"""Generative adversarial pair: a generator of fields from noise, and the critic that it is trained against."""

import math
from itertools import pairwise
from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax import nnx

from geojax.errors import UserError
from geojax.models.conv_autoencoder import STRIDE, widths_of
from geojax.models.layers import GroupNorm
from geojax.models.spectral import SpectralNorm
from geojax.models.strided import StridedConvolution, TransposedConvolution

COARSEST = 4  # cells along a side where the generator begins and the critic ends


class Condition(nnx.Module):
    """What a field is to be like, as one vector (example, outputs): classes and continuous values, summed.

    label : (example,) integers below `classes`; values : (example, values) in units of order one
    raises UserError : one that was announced does not come, or comes unannounced
    """

    def __init__(self, classes: int, values: int, outputs: int, *, rngs: nnx.Rngs) -> None:
        self.classes, self.values = classes, values
        self.of_class = nnx.Embed(classes, outputs, rngs=rngs) if classes else None
        self.of_values = nnx.Linear(values, outputs, rngs=rngs) if values else None

    def __call__(self, label: jax.Array | None, values: jax.Array | None) -> jax.Array | None:
        for name, size, came in (("label", self.classes, label), ("values", self.values, values)):
            if (size > 0) != (came is not None):
                wanted = "is needed" if size else "must not be given"
                raise UserError(
                    f"model: `{name}` {wanted}: the pair was made for {size}. Make it with the right number."
                )
        parts = []
        if self.of_class is not None and label is not None:
            parts.append(self.of_class(label))
        if self.of_values is not None and values is not None:
            parts.append(self.of_values(values))
        return sum(parts[1:], parts[0]) if parts else None


class Generator(nnx.Module):
    """Noise (example, latent) to fields (example, size, size, channels)."""

    def __init__(
        self,
        channels: int,
        classes: int,
        values: int,
        *,
        depth: int,
        latent: int,
        width: int,
        bounded: bool,
        rngs: nnx.Rngs,
    ) -> None:
        widths = widths_of(channels, width, depth)[::-1]
        self.latent, self.bounded = latent, bounded
        self.condition = Condition(classes, values, latent, rngs=rngs)
        self.enter = nnx.Linear(latent * (2 if classes or values else 1), COARSEST**2 * widths[0], rngs=rngs)
        self.norms = nnx.List([GroupNorm(a, rngs=rngs) for a in widths[:-1]])
        self.convolutions = nnx.List([TransposedConvolution(a, b, 2, STRIDE, rngs=rngs) for a, b in pairwise(widths)])

    def __call__(
        self,
        latent: jax.Array,
        key: jax.Array | None = None,
        *,
        label: jax.Array | None = None,
        values: jax.Array | None = None,
    ) -> jax.Array:
        """`key` is taken as every model takes one, and drives nothing: all chance is in `latent`."""
        wanted = self.condition(label, values)
        x = latent if wanted is None else jnp.concatenate([latent, wanted.astype(latent.dtype)], -1)
        x = self.enter(x).reshape(len(x), COARSEST, COARSEST, -1)
        for norm, convolution in zip(self.norms, self.convolutions, strict=True):
            x = convolution(nnx.relu(norm(x)))
        return jnp.tanh(x) if self.bounded else x


class Critic(nnx.Module):
    """Fields (example, size, size, channels) to scores (example,), higher the more real; logits for a logistic loss.

    A condition enters as its inner product with the last features (Miyato and Koyama 2018, arXiv:1802.05637).
    """

    def __init__(
        self, channels: int, classes: int, values: int, *, depth: int, width: int, spectral: bool, rngs: nnx.Rngs
    ) -> None:
        widths = widths_of(channels, width, depth)

        def limited(layer: Any) -> Any:
            return SpectralNorm(layer, rngs=rngs) if spectral else layer

        self.spectral = spectral
        self.convolutions = nnx.List(
            [limited(StridedConvolution(a, b, 2, STRIDE, rngs=rngs)) for a, b in pairwise(widths)]
        )
        self.norms = nnx.List([] if spectral else [GroupNorm(b, rngs=rngs) for b in widths[2:]])
        self.leave = limited(nnx.Linear(COARSEST**2 * widths[-1], 1, rngs=rngs))
        self.condition = Condition(classes, values, widths[-1], rngs=rngs)

    def __call__(
        self,
        x: jax.Array,
        key: jax.Array | None = None,
        *,
        label: jax.Array | None = None,
        values: jax.Array | None = None,
    ) -> jax.Array:
        """`key` says that this is training: with spectral normalization, its singular vectors then move."""
        extra = {"key": key} if self.spectral else {}
        for number, convolution in enumerate(self.convolutions):
            x = convolution(x, **extra)
            if number > 0 and not self.spectral:  # as in the source, none after the first
                x = self.norms[number - 1](x)
            x = nnx.leaky_relu(x, 0.2)
        score = self.leave(x.reshape(len(x), -1), **extra)[:, 0]
        wanted = self.condition(label, values)
        return score if wanted is None else score + jnp.sum(wanted.astype(x.dtype) * x.mean((1, 2)), -1)


class GAN(nnx.Module):
    """DCGAN (Radford et al. 2016, arXiv:1511.06434): noise (example, latent) to fields (example, size, size, channels).

    Attributes `generator` and `critic`. Group normalization stands where the source has batch normalization, so that
    an example's score depends on it alone, as a gradient penalty needs.

    classes : how many labels there are, 0 for none; values : how many continuous conditions
    size : cells along a side, a power of two
    spectral : divide each layer of the critic by its largest singular value instead of group normalization
    output : tanh for fields scaled to −1 to 1, linear for standard scores
    raises UserError : the size is not a power of two of at least 8
    """

    def __init__(
        self,
        channels: int,
        classes: int = 0,
        values: int = 0,
        *,
        size: int = 64,
        latent: int = 100,
        width: int = 64,
        spectral: bool = False,
        output: Literal["tanh", "linear"] = "tanh",
        rngs: nnx.Rngs,
    ) -> None:
        depth = round(math.log2(size / COARSEST)) if size > 0 else 0
        if depth < 1 or COARSEST * STRIDE**depth != size:
            raise UserError(f"model: size: must be a power of two of at least 8, but is {size}. Cut or pad the fields.")
        self.generator = Generator(
            channels, classes, values, depth=depth, latent=latent, width=width, bounded=output == "tanh", rngs=rngs
        )
        self.critic = Critic(channels, classes, values, depth=depth, width=width, spectral=spectral, rngs=rngs)

    def __call__(self, latent: jax.Array, key: jax.Array | None = None, **condition: jax.Array) -> jax.Array:
        """What the generator makes of noise, under the condition `label` and `values` where there is one."""
        return self.generator(latent, key, **condition)


MODEL = GAN
