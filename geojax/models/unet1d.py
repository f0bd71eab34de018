"""1-D U-Net: a label or value for every sample of a waveform."""

from itertools import pairwise

import jax
import jax.numpy as jnp
from flax import nnx

from geojax.models.layers import ACTIVATIONS, Activation, Convolution, GroupNorm


class Level(nnx.Module):
    """Convolution, normalization, activation: (example, sample, inputs) to (example, sample / stride, outputs)."""

    def __init__(
        self, inputs: int, outputs: int, window: int, stride: int, activation: Activation, rngs: nnx.Rngs
    ) -> None:
        self.convolution = Convolution(inputs, outputs, (window,), stride, rngs=rngs)
        self.norm = GroupNorm(outputs, rngs=rngs)
        self.activation: Activation = activation

    def __call__(self, x: jax.Array) -> jax.Array:
        return ACTIVATIONS[self.activation](self.norm(self.convolution(x)))


class Refinement(nnx.Module):
    """Stride times as many samples: the product gives those between two samples as channels (Shi et al. 2016).

    Like a transposed convolution that spans two strides, without overlaps to add up.
    source : doi:10.1109/CVPR.2016.207
    """

    def __init__(self, inputs: int, outputs: int, stride: int, activation: Activation, rngs: nnx.Rngs) -> None:
        self.outputs = outputs
        self.convolution = Convolution(inputs, outputs * stride, (2,), rngs=rngs)
        self.norm = GroupNorm(outputs, rngs=rngs)
        self.activation: Activation = activation

    def __call__(self, x: jax.Array, samples: int) -> jax.Array:
        """(example, sample, inputs) to (example, samples, outputs)."""
        x = self.convolution(x)
        x = x.reshape(len(x), -1, self.outputs)[:, :samples]
        return ACTIVATIONS[self.activation](self.norm(x))


class UNet1D(nnx.Module):
    """Waveforms (example, sample, inputs) to logits, or values, (example, sample, outputs); any length.

    The layout of PhaseNet (Zhu & Beroza 2019, doi:10.1093/gji/ggy423): each of `depth` levels keeps one sample in
    `stride` and doubles the channels, and what it saw before is handed across on the way back. Each level pads
    its own end, and its way back cuts it off. Group instead of batch normalization.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        width: int = 8,
        depth: int = 4,
        window: int = 7,
        stride: int = 4,
        dropout: float = 0.0,
        activation: Activation = "relu",
        rngs: nnx.Rngs,
    ) -> None:
        widths = [width * 2**level for level in range(depth + 1)]
        shape = {"activation": activation, "rngs": rngs}
        self.enter = Level(inputs, width, window, 1, **shape)
        self.same = nnx.List([Level(w, w, window, 1, **shape) for w in widths])
        self.down = nnx.List([Level(a, b, window, stride, **shape) for a, b in pairwise(widths)])
        self.up = nnx.List([Refinement(b, a, stride, **shape) for a, b in pairwise(widths)])
        self.merge = nnx.List([Level(2 * w, w, window, 1, **shape) for w in widths[:-1]])
        self.dropout = nnx.Dropout(dropout)
        self.leave = nnx.Linear(width, outputs, rngs=rngs)

    def __call__(self, x: jax.Array, key: jax.Array | None = None) -> jax.Array:
        x = self.same[0](self.enter(x))
        levels = []
        for down, same in zip(self.down, list(self.same)[1:], strict=True):
            levels.append(x)
            x = same(down(x))
        x = self.dropout(x, deterministic=key is None, rngs=key)
        for up, merge in zip(reversed(self.up), reversed(self.merge), strict=True):
            before = levels.pop()
            x = merge(jnp.concatenate([before, up(x, before.shape[1])], -1))
        return self.leave(x)


MODEL = UNet1D
