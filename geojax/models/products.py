"""Convolutions as matrix products, the form that a CPU computes fast inside a compiled loop.

All take x already padded, (example, *place, inputs), and a kernel (*window, inputs, outputs), and return what
lies fully inside, (example, *place / stride, outputs). They want finite numbers: a NaN may reach outputs that
lie a few cells beside those that see it.
"""

import itertools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax

BLOCK = 4  # at most so many outputs in a row come from one row of the product


def convolve(x: jax.Array, kernel: jax.Array, stride: int = 1, dilation: int = 1) -> jax.Array:
    """The fastest of the forms below that fits."""
    if kernel.ndim == 3 and dilation == 1:
        return convolve_blocks(x, kernel, stride)
    if kernel.shape[:-2] == (3, 3) and stride == dilation == 1 and x.dtype == jnp.float32:
        return convolve_tiles(x, kernel)
    return views(x, kernel.shape[:-2], stride, dilation) @ kernel.reshape(-1, kernel.shape[-1])


def views(x: jax.Array, window: Sequence[int], stride: int = 1, dilation: int = 1) -> jax.Array:
    """What each output sees: (example, *place / stride, window × inputs)."""
    reach = [dilation * (width - 1) for width in window]
    ends = [n - r for n, r in zip(x.shape[1:-1], reach, strict=True)]
    pieces = []
    for offset in itertools.product(*(range(0, r + 1, dilation) for r in reach)):
        along = [slice(o, o + end, stride) for o, end in zip(offset, ends, strict=True)]
        pieces.append(x[(slice(None), *along)])
    return jnp.concatenate(pieces, -1)


def convolve_blocks(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    """One dimension: a row of the product gives several outputs in a row, by a matrix that repeats the kernel.

    Fewer and longer pieces are copied than with a row for each output, and narrow layers make wider products.
    """
    window, inputs, outputs = kernel.shape
    count = (x.shape[1] - window) // stride + 1
    block = min(max(64 // (outputs * stride**2), 1), BLOCK)
    step, seen = block * stride, (block - 1) * stride + window  # samples that a row moves on, and that it sees
    shifted = [((q * stride, seen - window - q * stride), (0, 0), (0, 0)) for q in range(block)]
    matrix = jnp.stack([jnp.pad(kernel, by) for by in shifted], 2).reshape(seen * inputs, block * outputs)

    rows, taps = -(-count // block), -(-seen // step)
    missing = (rows + taps - 1) * step - x.shape[1]
    x = lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), (0, missing, 0), (0, 0, 0)))  # cuts where it is negative
    x = x.reshape(len(x), rows + taps - 1, step * inputs)
    pieces = [x[:, j : j + rows, : min(step, seen - j * step) * inputs] for j in range(taps)]
    return (jnp.concatenate(pieces, -1) @ matrix).reshape(len(x), rows * block, outputs)[:, :count]


@jax.custom_vjp
def convolve_tiles(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Two dimensions, 3 × 3: each 2 × 2 outputs by 16 products instead of 36.

    The result of ordinary summation to a rounding of the largest number near, so float32 only.
    source : Winograd's minimal filtering as in Lavin & Gray (2016), doi:10.1109/CVPR.2016.435
    """
    return _tiles_forward(x, kernel)[0]


def _tiles_forward(x: jax.Array, kernel: jax.Array) -> tuple[jax.Array, tuple[jax.Array, ...]]:
    count, rows, columns = len(x), x.shape[1] - 2, x.shape[2] - 2
    x = jnp.pad(x, ((0, 0), (0, rows % 2), (0, columns % 2), (0, 0)))
    tiles = jnp.stack([b.reshape(-1, x.shape[-1]) for a in _split(x, 1) for b in _split(a, 2)])
    products = jnp.matmul(tiles, _spread(kernel))
    products = products.reshape(4, 4, count, -(-rows // 2), -(-columns // 2), kernel.shape[-1])
    out = jnp.stack([jnp.stack(_gather(a), 3) for a in _gather(products)], 2)
    out = out.reshape(count, rows + rows % 2, columns + columns % 2, -1)[:, :rows, :columns]
    return out, (tiles, kernel)


def _tiles_backward(kept: tuple[jax.Array, ...], gradient: jax.Array) -> tuple[jax.Array, jax.Array]:
    tiles, kernel = kept
    turned = kernel[::-1, ::-1].swapaxes(2, 3)
    of_x, _ = _tiles_forward(jnp.pad(gradient, ((0, 0), (2, 2), (2, 2), (0, 0))), turned)

    count, rows, columns, outputs = gradient.shape
    gradient = jnp.pad(gradient, ((0, 0), (0, rows % 2), (0, columns % 2), (0, 0)))
    gradient = gradient.reshape(count, -(-rows // 2), 2, -(-columns // 2), 2, outputs)
    across = [b.reshape(-1, outputs) for a in _ungather(gradient, 2) for b in _ungather(a, 3)]
    of_products = jnp.einsum("kti,kto->kio", tiles, jnp.stack(across))
    (of_kernel,) = jax.linear_transpose(_spread, kernel)(of_products)
    return of_x, of_kernel


convolve_tiles.defvjp(_tiles_forward, _tiles_backward)


def _split(x: jax.Array, axis: int) -> tuple[jax.Array, ...]:
    """The four inputs of every second place along an axis, combined."""
    end = x.shape[axis] - 2
    a, b, c, d = (lax.slice_in_dim(x, i, i + end - 1, 2, axis) for i in range(4))
    return a - c, b + c, c - b, b - d


def _spread(kernel: jax.Array) -> jax.Array:
    """(3, 3, inputs, outputs) to what multiplies the combined inputs, (16, inputs, outputs)."""
    for _ in range(2):
        a, b, c = kernel
        kernel = jnp.stack([a, (a + b + c) / 2, (a - b + c) / 2, c], 1)
    return kernel.reshape(16, *kernel.shape[2:])


def _gather(products: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Two outputs side by side from the four products along the first axis."""
    a, b, c, d = products
    return a + b + c, b - c - d


def _ungather(gradient: jax.Array, axis: int) -> tuple[jax.Array, ...]:
    """What each of the four products gets of the gradients of two outputs side by side."""
    a, b = (lax.index_in_dim(gradient, i, axis, keepdims=False) for i in range(2))
    return a, a + b, a - b, -b
