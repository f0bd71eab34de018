"""Strided convolutions whose window is two strides long, and their transposes, as matrix products of blocks."""

import jax
import jax.numpy as jnp
from jax import lax


def convolve_strided(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    """What lies fully inside: (example, *(place + 1) × stride, inputs) to (example, *place, outputs).

    A window covers two blocks of one stride along each dimension, and two outputs side by side take three products
    instead of four: nine instead of sixteen in two dimensions. What is multiplied are differences of blocks and sums
    of taps, so a result may differ from that of ordinary summation by a few roundings of the largest number near,
    and a NaN may reach the output beside.

    kernel : (*2 × stride, inputs, outputs)
    source : Winograd's minimal filtering as in Lavin and Gray (2016), doi:10.1109/CVPR.2016.435
    """
    along = kernel.ndim - 2
    size = [n // stride - 1 for n in x.shape[1:-1]]
    x = jnp.pad(x, ((0, 0), *((0, (1 + n % 2) * stride) for n in size), (0, 0)))  # tiles begin at every second block
    # Without the barriers XLA computes what comes before and after once for each of the products.
    blocks = lax.optimization_barrier(to_blocks(x, 1, along, stride))
    blocks = blocks.reshape(*blocks.shape[: 1 + along], -1)
    taps = to_blocks(kernel, 0, along, stride).reshape(*[2] * along, -1, kernel.shape[-1])
    out = lax.optimization_barrier(_product(blocks, taps, 1))
    return from_blocks(out, 1, along)[(slice(None), *map(slice, size))]


def transpose_strided(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    """The transpose of the above: (example, *place, outputs) to (example, *(place + 1) × stride, inputs)."""
    shape = (len(x), *((n + 1) * stride for n in x.shape[1:-1]), kernel.shape[-2])
    back = jax.linear_transpose(lambda y: convolve_strided(y, kernel, stride), jax.ShapeDtypeStruct(shape, x.dtype))
    return back(x)[0]


def _product(x: jax.Array, taps: jax.Array, axis: int) -> jax.Array:
    """Blocks (example, *block, inputs) and taps (2, …, inputs, outputs) to (example, *tile, 2, …, outputs)."""
    if taps.ndim == 2:
        return (x.reshape(-1, x.shape[-1]) @ taps).reshape(*x.shape[:-1], -1)  # a plain product, and so its gradients
    pairs = x.reshape(*x.shape[:axis], -1, 2, *x.shape[axis + 1 :])
    even, odd = (lax.index_in_dim(pairs, i, axis + 1, keepdims=False) for i in range(2))
    a, b, c = (lax.slice_in_dim(y, i, y.shape[axis] - 1 + i, 1, axis) for y, i in ((even, 0), (odd, 0), (even, 1)))
    shared = _product(b, taps[0] + taps[1], axis + 1)
    pair = (_product(a - b, taps[0], axis + 1) + shared, _product(c - b, taps[1], axis + 1) + shared)
    return jnp.stack(pair, x.ndim - 1)


def to_blocks(x: jax.Array, first: int, along: int, stride: int) -> jax.Array:
    """Dimensions (…, *place, …), `along` of them from `first` on, to (…, *block, *step within the block, …)."""
    size = x.shape[first : first + along]
    x = x.reshape(*x.shape[:first], *(m for n in size for m in (n // stride, stride)), *x.shape[first + along :])
    end = first + 2 * along
    return x.transpose(*range(first), *range(first, end, 2), *range(first + 1, end, 2), *range(end, x.ndim))


def from_blocks(x: jax.Array, first: int, along: int) -> jax.Array:
    """The way back of `to_blocks`."""
    pairs = [(first + i, first + along + i) for i in range(along)]
    end = first + 2 * along
    size = [x.shape[block] * x.shape[step] for block, step in pairs]
    order = [*range(first), *(axis for pair in pairs for axis in pair), *range(end, x.ndim)]
    return x.transpose(order).reshape(*x.shape[:first], *size, *x.shape[end:])
