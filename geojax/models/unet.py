"""U-Net: fields in, fields out, at every scale between."""

from itertools import pairwise

import jax
import jax.numpy as jnp
from flax import nnx

from geojax.models.layers import Convolution, coarsen, refine


class UNet(nnx.Module):
    """U-Net (Ronneberger et al. 2015, doi:10.1007/978-3-319-24574-4_28).

    (example, lat, lon, inputs) to (example, lat, lon, outputs), any lat and lon: the border is padded with
    zeros to a multiple of 2**depth and cut off again. The last layer starts at zero.
    """

    def __init__(self, inputs: int, outputs: int, *, width: int = 16, depth: int = 2, rngs: nnx.Rngs) -> None:
        self.depth = depth
        widths = [width] + [2 * width] * depth
        self.enter = Convolution(inputs, width, (3, 3), rngs=rngs)
        self.down = nnx.List([Convolution(a, b, (3, 3), rngs=rngs) for a, b in pairwise(widths)])
        self.up = nnx.List(
            [Convolution(widths[i] + widths[i + 1], widths[i], (3, 3), rngs=rngs) for i in reversed(range(depth))]
        )
        self.leave = nnx.Linear(width, outputs, kernel_init=nnx.initializers.zeros_init(), rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        rows, columns = x.shape[1:3]
        step = 2**self.depth
        x = jnp.pad(x, ((0, 0), (0, -rows % step), (0, -columns % step), (0, 0)))
        levels = [nnx.gelu(self.enter(x))]
        for down in self.down:
            levels.append(nnx.gelu(down(coarsen(levels[-1]))))
        x = levels.pop()
        for up in self.up:
            x = nnx.gelu(up(jnp.concatenate([levels.pop(), refine(x)], -1)))
        return self.leave(x)[:, :rows, :columns]


MODEL = UNet
