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

CACHE = 2**21  # bytes that intermediate results may take
TILED = 32  # channels from which tiles save more than they cost
NARROW = 8


def convolve(x: jax.Array, kernel: jax.Array, stride: int = 1, dilation: int = 1) -> jax.Array:
    """The fastest of the forms below that fits."""
    window, channels = kernel.shape[:-2], kernel.shape[-2:]
    if dilation > 1:
        return multiply(views(x, window, stride, dilation), kernel.reshape(-1, channels[1]))
    if window == (3, 3) and stride == 1 and min(channels) >= TILED and x.dtype == jnp.float32:
        return convolve_tiles(x, kernel)
    return convolve_blocks(x, kernel, stride)


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
    """A row of the product gives several outputs along the last place, by a matrix that repeats the kernel.

    Fewer and longer pieces are copied than with a row for each output, and narrow layers make wider products.
    """
    *before, window, inputs, outputs = kernel.shape
    count = (x.shape[-2] - window) // stride + 1
    wide, most = (256, 8) if inputs < NARROW else (64, 4)  # columns of the product, outputs in a row: measured
    block = min(max(wide // (outputs * stride**2), 1), most)
    step, seen = block * stride, (block - 1) * stride + window  # places that a row moves on, and that it sees
    none = [(0, 0)] * len(before)
    shifted = [(*none, (q * stride, seen - window - q * stride), (0, 0), (0, 0)) for q in range(block)]
    matrix = jnp.stack([jnp.pad(kernel, by) for by in shifted], -2).reshape(-1, block * outputs)

    rows, taps = -(-count // block), -(-seen // step)
    missing = (rows + taps - 1) * step - x.shape[-2]
    by = [(0, 0, 0)] * (x.ndim - 2) + [(0, missing, 0), (0, 0, 0)]
    x = lax.pad(x, jnp.zeros((), x.dtype), by)  # cuts where it is negative
    x = x.reshape(*x.shape[:-2], rows + taps - 1, step * inputs)
    pieces = []
    for offset in itertools.product(*map(range, before)):
        ends = [x.shape[1 + axis] - width + 1 for axis, width in enumerate(before)]
        along = [slice(o, o + end, stride) for o, end in zip(offset, ends, strict=True)]
        seen_here = x[(slice(None), *along)]
        pieces += [seen_here[..., j : j + rows, : min(step, seen - j * step) * inputs] for j in range(taps)]
    out = multiply(jnp.concatenate(pieces, -1), matrix)
    return out.reshape(*out.shape[:-2], rows * block, outputs)[..., :count, :]


@jax.custom_vjp
def multiply(seen: jax.Array, matrix: jax.Array) -> jax.Array:
    """What outputs see, (…, seen), times a matrix (seen, outputs)."""
    return seen @ matrix


def _multiply_forward(seen: jax.Array, matrix: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return seen @ matrix, (seen, matrix)


def _multiply_backward(kept: tuple[jax.Array, jax.Array], gradient: jax.Array) -> tuple[jax.Array, jax.Array]:
    seen, matrix = kept
    of_matrix = _upright(seen.reshape(-1, len(matrix))) @ gradient.reshape(-1, matrix.shape[1])
    return gradient @ _upright(matrix), of_matrix


def _upright(x: jax.Array) -> jax.Array:
    """Transposed in memory; left to itself XLA turns the wider factor of a product, or runs it turned, slowly."""
    return lax.optimization_barrier(x.swapaxes(-1, -2))


multiply.defvjp(_multiply_forward, _multiply_backward)


@jax.custom_vjp
def convolve_tiles(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Two dimensions, 3 × 3: each 2 × 2 outputs by 16 products instead of 36.

    The result of ordinary summation to a rounding of the largest number near, so float32 only; a few examples at
    a time, so that what lies between the steps stays in the processor's cache.
    source : Winograd's minimal filtering as in Lavin & Gray (2016), doi:10.1109/CVPR.2016.435
    """
    spread = _spread(kernel)
    out = _flat(lax.map(lambda few: _tiles(few, spread), _by_few(_even(x), kernel)))
    return out[:, : x.shape[1] - 2, : x.shape[2] - 2]


def _tiles_forward(x: jax.Array, kernel: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return convolve_tiles(x, kernel), (x, kernel)


def _tiles_backward(kept: tuple[jax.Array, jax.Array], gradient: jax.Array) -> tuple[jax.Array, jax.Array]:
    x, kernel = kept
    rows, columns = x.shape[1:3]
    turned = _spread(kernel[::-1, ::-1].swapaxes(2, 3))

    def add(total: jax.Array, few: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        x, gradient = few
        across = jnp.stack([b.reshape(-1, b.shape[-1]) for a in _ungather(gradient, 1) for b in _ungather(a, 2)])
        total += jnp.matmul(_upright(_combine(x)), across)
        return total, _tiles(jnp.pad(gradient, ((0, 0), (2, 2), (2, 2), (0, 0))), turned)

    even = jnp.pad(gradient, ((0, 0), (0, rows % 2), (0, columns % 2), (0, 0)))
    few = _by_few(_even(x), kernel), _by_few(even, kernel)
    of_spread, of_x = lax.scan(add, jnp.zeros((16, *kernel.shape[2:]), x.dtype), few)
    (of_kernel,) = jax.linear_transpose(_spread, kernel)(of_spread)
    return _flat(of_x)[:, :rows, :columns], of_kernel


convolve_tiles.defvjp(_tiles_forward, _tiles_backward)


def _even(x: jax.Array) -> jax.Array:
    return jnp.pad(x, ((0, 0), (0, x.shape[1] % 2), (0, x.shape[2] % 2), (0, 0)))


def _by_few(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """(example, …) to (group, few, …): as many examples as divide their number and keep to CACHE."""
    of_one = 4 * x[0, ..., 0].size * sum(kernel.shape[2:]) * x.dtype.itemsize
    few = max(n for n in range(1, len(x) + 1) if len(x) % n == 0 and (n == 1 or n * of_one <= CACHE))
    return x.reshape(-1, few, *x.shape[1:])


def _flat(x: jax.Array) -> jax.Array:
    return x.reshape(-1, *x.shape[2:])


def _tiles(x: jax.Array, spread: jax.Array) -> jax.Array:
    """The convolution of an even number of rows and columns."""
    count, rows, columns = len(x), x.shape[1] // 2 - 1, x.shape[2] // 2 - 1
    products = jnp.matmul(_combine(x), spread).reshape(4, 4, count, rows, columns, -1)
    out = jnp.stack([jnp.stack(_gather(a), 3) for a in _gather(products)], 2)
    return out.reshape(count, 2 * rows, 2 * columns, -1)


def _combine(x: jax.Array) -> jax.Array:
    """(example, lat, lon, inputs) to what is multiplied, (16, tile, inputs)."""
    return jnp.stack([b.reshape(-1, x.shape[-1]) for a in _split(x, 1) for b in _split(a, 2)])


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
    """What each of the four products gets of the gradients of two outputs side by side along an axis."""
    a, b = (lax.slice_in_dim(gradient, i, None, 2, axis) for i in range(2))
    return a, a + b, a - b, -b
