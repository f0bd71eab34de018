"""Layers that more than one model is made of."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

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


class GroupNorm(nnx.Module):
    """Group normalization of (example, *place, channel), with a derivative that passes over x less often than Flax's.

    source : Wu & He (2018), doi:10.1007/978-3-030-01261-8_1; in four groups, or as many as divide the channels
    """

    def __init__(self, width: int, *, rngs: nnx.Rngs) -> None:
        self.groups = math.gcd(width, 4)
        self.scale, self.bias = nnx.Param(jnp.ones(width)), nnx.Param(jnp.zeros(width))

    def __call__(self, x: jax.Array) -> jax.Array:
        return _normalize(x, self.scale[...], self.bias[...], self.groups)


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def _normalize(x: jax.Array, scale: jax.Array, bias: jax.Array, groups: int) -> jax.Array:
    return _normalize_forward(x, scale, bias, groups)[0]


def _normalize_forward(x: jax.Array, scale: jax.Array, bias: jax.Array, groups: int) -> tuple[jax.Array, Any]:
    rows = x.reshape(len(x), -1, x.shape[-1]).astype(jnp.float32)
    mean = _group_means(rows.mean(1), groups)
    variance = _group_means((rows * rows).mean(1), groups) - mean * mean
    rate = lax.rsqrt(jnp.maximum(variance, 0) + 1e-6)
    factor = rate * scale
    out = rows * factor[:, None] + (bias - mean * factor)[:, None]
    return out.reshape(x.shape).astype(x.dtype), (x, mean, rate, scale, bias[:0])


def _normalize_backward(groups: int, kept: Any, gradient: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    x, mean, rate, scale, empty = kept
    rows, by = (a.reshape(len(x), -1, x.shape[-1]).astype(jnp.float32) for a in (x, gradient))
    total = by.sum(1)
    along = rate * ((by * rows).sum(1) - mean * total)  # with the normalized x
    constant, slope = (_group_means(a * scale, groups) / rows.shape[1] for a in (total, along))
    slope = -rate * rate * slope
    of_x = by * (rate * scale)[:, None] + rows * slope[:, None] - (rate * constant + slope * mean)[:, None]
    of_scale, of_bias = along.sum(0).astype(scale.dtype), total.sum(0).astype(empty.dtype)
    return of_x.reshape(x.shape).astype(x.dtype), of_scale, of_bias


_normalize.defvjp(_normalize_forward, _normalize_backward)


def _group_means(x: jax.Array, groups: int) -> jax.Array:
    """(example, channel), each channel replaced by the mean of its group."""
    means = x.reshape(len(x), groups, -1).mean(-1)
    return jnp.repeat(means, x.shape[1] // groups, axis=1)


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
        x = jnp.pad(x, ((0, 0), *self.padding(x), (0, 0)))
        kernel = self.kernel[...].reshape(*self.window, self.inputs, -1)
        form = products.convolve if jax.default_backend() == "cpu" else convolve
        return form(x, kernel, self.stride, self.dilation)

    def padding(self, x: jax.Array) -> list[tuple[int, int]]:
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


@jax.custom_vjp
def pool_greatest(x: jax.Array) -> jax.Array:
    """Greatest of 2 × 2 cells: (example, lat, lon, channel) to half the size, rounded up at an odd border.

    Of equals the first gets the gradient.
    """
    return _greatest(x)[0]


def _greatest(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    x = jnp.pad(x, ((0, 0), (0, x.shape[1] % 2), (0, x.shape[2] % 2), (0, 0)), constant_values=-jnp.inf)
    a, b, c, d = (x[:, i::2, j::2] for i in (0, 1) for j in (0, 1))
    above, below = jnp.maximum(a, b), jnp.maximum(c, d)
    place = jnp.where(below > above, jnp.where(d > c, 3, 2), jnp.where(b > a, 1, 0))
    return jnp.maximum(above, below), place.astype(jnp.int8)


def _pool_forward(x: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    greatest, place = _greatest(x)
    return greatest, (place, x[:0])  # the shape of x, without its numbers


def _pool_backward(kept: tuple[jax.Array, jax.Array], gradient: jax.Array) -> tuple[jax.Array]:
    place, empty = kept
    count, rows, columns, channels = gradient.shape
    cell = jnp.arange(4, dtype=jnp.int8).reshape(2, 1, 2, 1)
    spread = jnp.where(place[:, :, None, :, None] == cell, gradient[:, :, None, :, None], 0)
    return (spread.reshape(count, 2 * rows, 2 * columns, channels)[:, : empty.shape[1], : empty.shape[2]],)


pool_greatest.defvjp(_pool_forward, _pool_backward)
