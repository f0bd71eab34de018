"""Layers that more than one model is made of."""

import itertools
import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from geojax.models.blocks import convolve_strided, transpose_strided


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


class StridedConvolution(Convolution):
    """Convolution with a window of two strides: (example, *place, inputs) to (example, *place / stride, outputs).

    The same parameters and numbers as `Convolution`, with fewer products on a CPU.
    """

    def __init__(self, inputs: int, outputs: int, places: int, stride: int = 2, *, rngs: nnx.Rngs) -> None:
        super().__init__(inputs, outputs, [2 * stride] * places, stride, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        if jax.default_backend() != "cpu":
            return super().__call__(x)
        kernel = self.kernel[...].reshape(*self.window, self.inputs, -1)
        x = jnp.pad(x, ((0, 0), *self._padding(x), (0, 0)))
        return convolve_strided(x, kernel, self.stride) + self.bias[...]


class TransposedConvolution(nnx.Module):
    """Transposed convolution with a window of two strides, in one or two dimensions.

    (example, *place, inputs) to (example, *place × stride, outputs): the transpose of a `StridedConvolution`, with the
    border of `lax.conv_transpose` and padding SAME. As products of blocks on a CPU, as a real convolution elsewhere.
    """

    def __init__(self, inputs: int, outputs: int, places: int, stride: int = 2, *, rngs: nnx.Rngs) -> None:
        self.window, self.stride, self.outputs = (2 * stride,) * places, stride, outputs
        start = nnx.initializers.normal(math.sqrt(2 / (inputs * 2**places)))  # as many products as an output sums
        self.kernel = nnx.Param(start(rngs.params(), (math.prod(self.window) * outputs, inputs)))
        self.bias = nnx.Param(jnp.zeros(outputs))

    def __call__(self, x: jax.Array) -> jax.Array:
        form = self.blocks if jax.default_backend() == "cpu" else self.convolve
        return form(x) + self.bias[...]

    def blocks(self, x: jax.Array) -> jax.Array:
        """All but the bias, as products of blocks."""
        kernel = self.kernel[...].reshape(*self.window, self.outputs, -1)
        out, lead = transpose_strided(x, kernel, self.stride), self.stride // 2
        return out[(slice(None), *(slice(lead, lead + n * self.stride) for n in x.shape[1:-1]))]

    def convolve(self, x: jax.Array) -> jax.Array:
        """The same as a real convolution."""
        places = "HW"[: len(self.window)]
        numbers = (f"N{places}C", f"{places}IO", f"N{places}C")
        kernel = self.kernel[...].reshape(*self.window, self.outputs, -1)
        strides = [self.stride] * len(self.window)
        return lax.conv_transpose(x, kernel, strides, "SAME", dimension_numbers=numbers, transpose_kernel=True)


class SpectralNorm(nnx.Module):
    """A layer with a matrix `kernel`, divided by the kernel's largest singular value; the bias is left as it is.

    The singular vector is followed by one power iteration for each call with a key, and stands still without.
    No gradient flows through it.
    source : Miyato et al. (2018), arXiv:1802.05957
    """

    def __init__(self, layer: Any, *, rngs: nnx.Rngs) -> None:
        self.layer = layer
        direction = jax.random.normal(rngs.params(), (self.layer.kernel.shape[-1],))
        for _ in range(20):
            direction = self._iterate(direction)
        self.direction = nnx.BatchStat(direction)

    def __call__(self, x: jax.Array, key: jax.Array | None = None) -> jax.Array:
        if key is not None:
            self.direction[...] = lax.stop_gradient(self._iterate(self.direction[...]))
        return self.layer(x / self.singular_value().astype(x.dtype))

    def singular_value(self) -> jax.Array:
        """The largest singular value of the kernel as it is known, a scalar in float32."""
        kernel = self.layer.kernel[...].astype(jnp.float32)
        return jnp.linalg.norm(kernel @ self.direction[...].astype(jnp.float32))

    def _iterate(self, direction: jax.Array) -> jax.Array:
        kernel = self.layer.kernel[...].astype(jnp.float32)
        moved = kernel.T @ (kernel @ direction.astype(jnp.float32))
        return (moved / jnp.linalg.norm(moved)).astype(direction.dtype)
