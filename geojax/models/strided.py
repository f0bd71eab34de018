"""Convolutions that halve the places, and those that double them."""

import math

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from geojax.models.blocks import convolve_strided, transpose_strided
from geojax.models.layers import Convolution


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
        x = jnp.pad(x, ((0, 0), *self.padding(x), (0, 0)))
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
