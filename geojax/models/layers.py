"""Layers that more than one model is made of."""

import itertools
import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax


class Convolution(nnx.Module):
    """Convolution of (example, *place, inputs) to (example, *place / stride, outputs), in one or two dimensions.

    XLA runs a convolution inside a compiled loop on a CPU 8 to 30 times slower than the same as a matrix
    product over shifted views, so that is what a CPU gets; an accelerator gets the real one. The parameters
    are the same, (window × inputs, outputs), and so are the numbers.
    """

    def __init__(
        self, inputs: int, outputs: int, window: Sequence[int], stride: int = 1, *, same: bool = True, rngs: nnx.Rngs
    ) -> None:
        self.window, self.stride, self.same, self.inputs = tuple(window), stride, same, inputs
        shape = (math.prod(window) * inputs, outputs)
        self.kernel = nnx.Param(nnx.initializers.he_normal()(rngs.params(), shape))
        self.bias = nnx.Param(jnp.zeros(outputs))

    def __call__(self, x: jax.Array) -> jax.Array:
        x = jnp.pad(x, ((0, 0), *self._padding(x), (0, 0)))
        if jax.default_backend() == "cpu":
            return self.views(x) @ self.kernel[...] + self.bias[...]
        return self.convolve(x) + self.bias[...]

    def _padding(self, x: jax.Array) -> list[tuple[int, int]]:
        if not self.same:
            return [(0, 0)] * len(self.window)
        total = [
            max((-(-size // self.stride) - 1) * self.stride + width - size, 0)
            for size, width in zip(x.shape[1:-1], self.window, strict=True)
        ]
        return [(t // 2, t - t // 2) for t in total]

    def views(self, x: jax.Array) -> jax.Array:
        """What each output sees: (example, *place / stride, window × inputs)."""
        sizes = [(n - w) // self.stride + 1 for n, w in zip(x.shape[1:-1], self.window, strict=True)]
        if len(sizes) == 1 and self.stride > 1 and self.window[0] % self.stride == 0:
            blocks = x[:, : x.shape[1] // self.stride * self.stride].reshape(len(x), -1, self.stride * self.inputs)
            taps = range(self.window[0] // self.stride)
            return jnp.concatenate([blocks[:, j : j + sizes[0]] for j in taps], -1)
        pieces = []
        for offset in itertools.product(*map(range, self.window)):
            along = [slice(o, o + (n - 1) * self.stride + 1, self.stride) for o, n in zip(offset, sizes, strict=True)]
            pieces.append(x[(slice(None), *along)])
        return jnp.concatenate(pieces, -1)

    def convolve(self, x: jax.Array) -> jax.Array:
        """The same product as a convolution."""
        kernel = self.kernel[...].reshape(*self.window, self.inputs, -1)
        places = "HW"[: len(self.window)]
        numbers = (f"N{places}C", f"{places}IO", f"N{places}C")
        return lax.conv_general_dilated(
            x, kernel, (self.stride,) * len(self.window), "VALID", dimension_numbers=numbers
        )


def coarsen(x: jax.Array) -> jax.Array:
    """Mean of 2 × 2 cells: (example, lat, lon, channel) to half the size in both."""
    n, rows, columns, channels = x.shape
    return x.reshape(n, rows // 2, 2, columns // 2, 2, channels).mean((2, 4))


def refine(x: jax.Array) -> jax.Array:
    """Each cell repeated 2 × 2: the shape that `coarsen` came from."""
    return x.repeat(2, axis=1).repeat(2, axis=2)
