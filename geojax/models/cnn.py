"""1-D convolutional classifier."""

from itertools import pairwise

import jax
import jax.numpy as jnp
from flax import nnx

from geojax.errors import UserError
from geojax.models.layers import Convolution, GroupNorm


class Block(nnx.Module):
    """Strided convolution, group normalization if wanted, GELU: (example, sample, inputs) to fewer samples."""

    def __init__(self, inputs: int, outputs: int, window: int, stride: int, norm: bool, rngs: nnx.Rngs) -> None:
        self.convolution = Convolution(inputs, outputs, (window,), stride, same=False, rngs=rngs)
        self.norm = GroupNorm(outputs, rngs=rngs) if norm else None

    def __call__(self, x: jax.Array) -> jax.Array:
        x = self.convolution(x)
        return nnx.gelu(x if self.norm is None else self.norm(x))


class CNN(nnx.Module):
    """Windows (example, sample, inputs) to logits (example, outputs).

    Strided convolutions, by default four (the first sees 24 samples, in the manner of Ross et al. 2018,
    doi:10.1785/0120180080), pooled to mean, maximum and the means of both halves, which keep where in the
    window the energy sits; then a dense layer.

    widths, windows, strides : of each convolution; widths by default from `width`
    raises UserError : the three are not equally many, or the window has too few samples for them
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        width: int = 16,
        widths: tuple[int, ...] | None = None,
        windows: tuple[int, ...] = (24, 8, 6, 6),
        strides: tuple[int, ...] = (4, 2, 2, 2),
        norm: bool = True,
        hidden: int = 128,
        dropout: float = 0.2,
        rngs: nnx.Rngs,
    ) -> None:
        widths = widths or (width, width, 2 * width, 2 * width)
        if not len(widths) == len(windows) == len(strides):
            raise UserError(
                f"model: widths, windows and strides must be equally many, but are {len(widths)}, {len(windows)} and "
                f"{len(strides)}. Give one of each for every convolution."
            )
        plan = zip(pairwise((inputs, *widths)), windows, strides, strict=True)
        self.blocks = nnx.List([Block(*sizes, window, stride, norm, rngs) for sizes, window, stride in plan])
        self.dropout = nnx.Dropout(dropout)
        self.hidden = nnx.Linear(4 * widths[-1], hidden, rngs=rngs)
        self.out = nnx.Linear(hidden, outputs, rngs=rngs)
        self.fewest = 2  # samples, so that each half has one
        for window, stride in zip(reversed(windows), reversed(strides), strict=True):
            self.fewest = (self.fewest - 1) * stride + window

    def __call__(self, x: jax.Array, key: jax.Array | None = None) -> jax.Array:
        if x.shape[1] < self.fewest:
            raise UserError(
                f"model: the convolutions need windows of at least {self.fewest} samples, but these have "
                f"{x.shape[1]}. Make the windows longer, or strides or windows of the convolutions smaller."
            )
        for block in self.blocks:
            x = block(x)
        half = x.shape[1] // 2
        x = jnp.concatenate([x.mean(1), x.max(1), x[:, :half].mean(1), x[:, half:].mean(1)], -1)
        first, second = (None, None) if key is None else jax.random.split(key)
        x = self.dropout(x, deterministic=key is None, rngs=first)
        return self.out(self.dropout(nnx.gelu(self.hidden(x)), deterministic=key is None, rngs=second))


MODEL = CNN
