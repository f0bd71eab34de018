"""Convolutional autoencoder: series or fields through a narrow code and back."""

import math
from collections.abc import Sequence
from itertools import pairwise

import jax
import jax.numpy as jnp
from flax import nnx

from geojax.models.layers import GroupNorm
from geojax.models.strided import StridedConvolution, TransposedConvolution

STRIDE = 2


def widths_of(inputs: int, width: int, depth: int) -> list[int]:
    """Channels from the finest scale to the coarsest: doubled at each of `depth` steps, up to 8 × width."""
    return [inputs, *(width * 2 ** min(step, 3) for step in range(depth))]


def coarsest(shape: Sequence[int], depth: int) -> tuple[int, ...]:
    """The places that are left of `shape` after `depth` halvings, rounded up."""
    return tuple(-(-n // STRIDE**depth) for n in shape)


class Encoder(nnx.Module):
    """(example, *shape, inputs) to (example, outputs): strided convolutions, group normalization, GELU, dense."""

    def __init__(
        self, shape: Sequence[int], inputs: int, outputs: int, *, width: int, depth: int, rngs: nnx.Rngs
    ) -> None:
        self.shape, self.depth = tuple(shape), depth
        widths, places = widths_of(inputs, width, depth), len(self.shape)
        self.convolutions = nnx.List([StridedConvolution(a, b, places, STRIDE, rngs=rngs) for a, b in pairwise(widths)])
        self.norms = nnx.List([GroupNorm(b, rngs=rngs) for b in widths[1:]])
        self.leave = nnx.Linear(math.prod(coarsest(shape, depth)) * widths[-1], outputs, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        border = [(0, -n % STRIDE**self.depth) for n in self.shape]
        x = jnp.pad(x, ((0, 0), *border, (0, 0)))
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x = nnx.gelu(norm(convolution(x)))
        return self.leave(x.reshape(len(x), -1))


class Decoder(nnx.Module):
    """(example, inputs) to (example, *shape, outputs): the encoder's way back, with transposed convolutions."""

    def __init__(
        self, shape: Sequence[int], inputs: int, outputs: int, *, width: int, depth: int, rngs: nnx.Rngs
    ) -> None:
        self.shape, self.depth = tuple(shape), depth
        widths, places = widths_of(outputs, width, depth)[::-1], len(self.shape)
        self.enter = nnx.Linear(inputs, math.prod(coarsest(shape, depth)) * widths[0], rngs=rngs)
        self.norms = nnx.List([GroupNorm(a, rngs=rngs) for a in widths[:-1]])
        self.convolutions = nnx.List(
            [TransposedConvolution(a, b, places, STRIDE, rngs=rngs) for a, b in pairwise(widths)]
        )

    def __call__(self, code: jax.Array) -> jax.Array:
        x = self.enter(code).reshape(len(code), *coarsest(self.shape, self.depth), -1)
        for norm, convolution in zip(self.norms, self.convolutions, strict=True):
            x = convolution(nnx.gelu(norm(x)))
        return x[(slice(None), *map(slice, self.shape))]


class ConvAutoencoder(nnx.Module):
    """Convolutional autoencoder (Masci et al. 2011, doi:10.1007/978-3-642-21735-7_7): (example, *shape, inputs) to
    the same.

    Windows of 4 with stride 2, as in Radford et al. (arXiv:1511.06434), each halving the places. The border is padded
    with zeros to a multiple of 2**depth and cut off again.

    shape : (sample,) or (lat, lon), the places of an example
    dropout : share of the inputs that is set to zero in training, the rest scaled up
    """

    def __init__(
        self,
        inputs: int,
        shape: Sequence[int],
        *,
        code: int = 64,
        width: int = 16,
        depth: int = 3,
        dropout: float = 0.0,
        rngs: nnx.Rngs,
    ) -> None:
        self.dropout = nnx.Dropout(dropout)
        self.encoder = Encoder(shape, inputs, code, width=width, depth=depth, rngs=rngs)
        self.decoder = Decoder(shape, code, inputs, width=width, depth=depth, rngs=rngs)

    def __call__(self, x: jax.Array, key: jax.Array | None = None) -> jax.Array:
        return self.decode(self.encode(self.dropout(x, deterministic=key is None, rngs=key)))

    def encode(self, x: jax.Array) -> jax.Array:
        """(example, *shape, inputs) to (example, code)."""
        return self.encoder(x)

    def decode(self, code: jax.Array) -> jax.Array:
        """(example, code) to (example, *shape, inputs)."""
        return self.decoder(code)


MODEL = ConvAutoencoder
