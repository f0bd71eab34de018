"""Layers that more than one model is made of."""

import math
from collections.abc import Callable, Sequence
from typing import Literal

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from geojax.models import products


Activation = Literal["gelu", "relu", "silu", "tanh"]
ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "gelu": nnx.gelu,
    "relu": nnx.relu,
    "silu": nnx.silu,
    "tanh": nnx.tanh,
}


def group_norm(width: int, rngs: nnx.Rngs) -> nnx.GroupNorm:
    """Group normalization in four groups of channels, or as many as divide the width."""
    return nnx.GroupNorm(width, num_groups=math.gcd(width, 4), rngs=rngs)


class Convolution(nnx.Module):
    """Convolution of (example, *place, inputs) to (example, *place / stride, outputs), in one or two dimensions.

    XLA runs a convolution inside a compiled loop on a CPU 8 to 30 times slower than the same as matrix products,
    so that is what a CPU gets; an accelerator gets the real one. The parameters are the same,
    (window × inputs, outputs), and so are the numbers. Not for numbers that are not finite.

    same : as many outputs as places (divided by the stride), behind zeros on both sides; else only whole windows
    causal : all those zeros come first, so that an output sees no later input
    dilation : places between what neighbouring elements of the kernel see
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        window: Sequence[int],
        stride: int = 1,
        *,
        same: bool = True,
        causal: bool = False,
        dilation: int = 1,
        rngs: nnx.Rngs,
    ) -> None:
        self.window, self.stride, self.same, self.inputs = tuple(window), stride, same, inputs
        self.causal, self.dilation = causal, dilation
        shape = (math.prod(window) * inputs, outputs)
        self.kernel = nnx.Param(nnx.initializers.he_normal()(rngs.params(), shape))
        self.bias = nnx.Param(jnp.zeros(outputs))

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.product(x) + self.bias[...]

    def product(self, x: jax.Array) -> jax.Array:
        """All but the bias."""
        x = jnp.pad(x, ((0, 0), *self._padding(x), (0, 0)))
        kernel = self.kernel[...].reshape(*self.window, self.inputs, -1)
        form = products.convolve if jax.default_backend() == "cpu" else convolve
        return form(x, kernel, self.stride, self.dilation)

    def _padding(self, x: jax.Array) -> list[tuple[int, int]]:
        if not self.same:
            return [(0, 0)] * len(self.window)
        total = [
            max((-(-size // self.stride) - 1) * self.stride + self.dilation * (width - 1) + 1 - size, 0)
            for size, width in zip(x.shape[1:-1], self.window, strict=True)
        ]
        return [(t, 0) if self.causal else (t // 2, t - t // 2) for t in total]


def convolve(x: jax.Array, kernel: jax.Array, stride: int = 1, dilation: int = 1) -> jax.Array:
    """What `products.convolve` gives, as a real convolution."""
    places = "HW"[: kernel.ndim - 2]
    numbers = (f"N{places}C", f"{places}IO", f"N{places}C")
    along = len(places)
    return lax.conv_general_dilated(
        x, kernel, (stride,) * along, "VALID", rhs_dilation=(dilation,) * along, dimension_numbers=numbers
    )


def coarsen(x: jax.Array) -> jax.Array:
    """Mean of 2 × 2 cells: (example, lat, lon, channel) to half the size in both."""
    n, rows, columns, channels = x.shape
    return x.reshape(n, rows // 2, 2, columns // 2, 2, channels).mean((2, 4))


def refine(x: jax.Array) -> jax.Array:
    """Each cell repeated 2 × 2: the shape that `coarsen` came from."""
    return x.repeat(2, axis=1).repeat(2, axis=2)


def pool_greatest(x: jax.Array) -> jax.Array:
    """Greatest of 2 × 2 cells: (example, lat, lon, channel) to half the size, rounded up at an odd border."""
    n, rows, columns, channels = x.shape
    x = jnp.pad(x, ((0, 0), (0, rows % 2), (0, columns % 2), (0, 0)), constant_values=-jnp.inf)
    return x.reshape(n, -(-rows // 2), 2, -(-columns // 2), 2, channels).max((2, 4))
