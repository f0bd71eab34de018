"""Temporal convolutional network: series to series, never from the future."""

from itertools import pairwise

import jax
from flax import nnx

from geojax.models.layers import ACTIVATIONS, Activation, Convolution


class Residual(nnx.Module):
    """Two causal dilated convolutions beside a connection that passes them by."""

    def __init__(
        self, inputs: int, outputs: int, window: int, dilation: int, dropout: float, norm: bool, rngs: nnx.Rngs
    ) -> None:
        self.convolutions = nnx.List(
            [
                Convolution(width, outputs, (window,), causal=True, dilation=dilation, rngs=rngs)
                for width in (inputs, outputs)
            ]
        )
        self.norms = nnx.List([nnx.LayerNorm(outputs, rngs=rngs) for _ in range(2 * norm)])
        self.dropout = nnx.Dropout(dropout, broadcast_dims=(1,))
        self.past = nnx.Linear(inputs, outputs, rngs=rngs) if inputs != outputs else None

    def __call__(self, x: jax.Array, activation: Activation, key: jax.Array | None = None) -> jax.Array:
        activate = ACTIVATIONS[activation]
        passed = x if self.past is None else self.past(x)
        for turn, convolution in enumerate(self.convolutions):
            x = convolution(x)
            if self.norms:
                x = self.norms[turn](x)
            own = None if key is None else jax.random.fold_in(key, turn)
            x = self.dropout(activate(x), deterministic=key is None, rngs=own)
        return activate(x + passed)


class TCN(nnx.Module):
    """Series (example, time, inputs) to (example, time, outputs); each output sees its own and earlier times.

    Residual blocks of the given widths whose dilation doubles from block to block (Bai et al. 2018,
    arXiv:1803.01271), with layer instead of weight normalization, and dropout of whole channels. An output sees
    the last 1 + 2 (window - 1) (2**blocks - 1) times.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        widths: tuple[int, ...] = (32, 32, 32, 32),
        window: int = 3,
        dropout: float = 0.1,
        norm: bool = True,
        activation: Activation = "relu",
        rngs: nnx.Rngs,
    ) -> None:
        self.blocks = nnx.List(
            [
                Residual(a, b, window, 2**level, dropout, norm, rngs)
                for level, (a, b) in enumerate(pairwise((inputs, *widths)))
            ]
        )
        self.activation: Activation = activation
        self.out = nnx.Linear((inputs, *widths)[-1], outputs, rngs=rngs)

    def __call__(self, x: jax.Array, key: jax.Array | None = None) -> jax.Array:
        for level, block in enumerate(self.blocks):
            x = block(x, self.activation, None if key is None else jax.random.fold_in(key, level))
        return self.out(x)


MODEL = TCN
