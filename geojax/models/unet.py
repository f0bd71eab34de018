"""U-Net: fields in, fields out, at every scale between."""

from itertools import pairwise

import jax
import jax.numpy as jnp
from flax import nnx

from geojax.models import masks
from geojax.models.layers import ACTIVATIONS, Activation, Convolution, GroupNorm, coarsen, refine


class UNet(nnx.Module):
    """U-Net (Ronneberger et al. 2015, doi:10.1007/978-3-319-24574-4_28).

    (example, lat, lon, inputs) to (example, lat, lon, outputs), logits or values, any lat and lon: the border is
    padded with zeros to a multiple of 2**depth and cut off again. Where a mask of what is observed is given,
    convolutions are partial ones (Liu et al. 2018, doi:10.1007/978-3-030-01252-6_6): numbers that are not
    observed, or lie behind the border, do not enter, be they NaN, and a cell that no observation reaches gives
    the bias of the last layer.

    pooled : one vector for each example instead, (example, outputs), from the mean over what observations reach
    zero : the last layer starts at zero, so that training starts at no correction
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        width: int = 16,
        depth: int = 2,
        norm: bool = False,
        dropout: float = 0.0,
        activation: Activation = "gelu",
        pooled: bool = False,
        zero: bool = True,
        rngs: nnx.Rngs,
    ) -> None:
        self.depth, self.pooled = depth, pooled
        self.activation: Activation = activation
        widths = [width] + [2 * width] * depth
        self.enter = Convolution(inputs, width, (3, 3), rngs=rngs)
        self.down = nnx.List([Convolution(a, b, (3, 3), rngs=rngs) for a, b in pairwise(widths)])
        self.up = nnx.List(
            [Convolution(widths[i] + widths[i + 1], widths[i], (3, 3), rngs=rngs) for i in reversed(range(depth))]
        )
        start = nnx.initializers.zeros_init() if zero else nnx.initializers.lecun_normal()
        self.leave = nnx.Linear(width, outputs, kernel_init=start, rngs=rngs)
        normed = [*widths, *widths[-2::-1]] if norm else []
        self.norms = nnx.List([GroupNorm(w, rngs=rngs) for w in normed])
        self.dropout = nnx.Dropout(dropout)

    def __call__(self, x: jax.Array, key: jax.Array | None = None, observed: jax.Array | None = None) -> jax.Array:
        """observed : (example, lat, lon, inputs) or (…, 1), True where x counts; all of it without."""
        rows, columns = x.shape[1:3]
        share = None
        if observed is not None:
            x, share = masks.hide(x, observed)
        step = 2**self.depth
        by = ((0, 0), (0, -rows % step), (0, -columns % step), (0, 0))
        x, share = jnp.pad(x, by), None if share is None else jnp.pad(share, by)

        levels = [self._apply(self.enter, x, share, 0)]
        for level, down in enumerate(self.down, 1):
            x, share = levels[-1]
            x, share = (coarsen(x), None) if share is None else masks.coarsen(x, share)
            levels.append(self._apply(down, x, share, level))
        x, share = levels.pop()
        x = self.dropout(x, deterministic=key is None, rngs=key)
        for level, up in enumerate(self.up, self.depth + 1):
            before, seen = levels.pop()
            if share is not None and seen is not None:
                parts = before.shape[-1], x.shape[-1]
                share = (parts[0] * seen + parts[1] * refine(share)) / sum(parts)
            x, share = self._apply(up, jnp.concatenate([before, refine(x)], -1), share, level)
        x = x[:, :rows, :columns]
        if self.pooled:
            weight = jnp.ones((1, rows, columns, 1)) if share is None else share[:, :rows, :columns]
            weight = weight.astype(jnp.float32)
            mean = jnp.sum(x * weight, (1, 2)) / jnp.maximum(jnp.sum(weight, (1, 2)), 1)
            x = mean.astype(x.dtype)
        return self.leave(x)

    def _apply(
        self, layer: Convolution, x: jax.Array, share: jax.Array | None, turn: int
    ) -> tuple[jax.Array, jax.Array | None]:
        """Convolution, normalization if wanted, activation; zero where no observation reaches."""
        x, share = (layer(x), None) if share is None else masks.convolve(layer, x, share)
        if self.norms:
            x = self.norms[turn](x)
        x = ACTIVATIONS[self.activation](x)
        return (x if share is None else x * share), share


MODEL = UNet
