"""2-D convolutional classifier."""

from itertools import pairwise

import jax
import jax.numpy as jnp
from flax import nnx

from geojax.models.layers import ACTIVATIONS, Activation, Convolution, GroupNorm, pool_greatest


class CNN2D(nnx.Module):
    """Fields (example, lat, lon, inputs) to logits, or values, (example, outputs); any lat and lon.

    Levels of a 3 × 3 convolution, the greatest of 2 × 2 cells, group normalization (Wu & He 2018,
    doi:10.1007/978-3-030-01261-8_1) and the activation; then mean and maximum over the field and a dense layer, in the
    manner of Simonyan & Zisserman (2015), arXiv:1409.1556.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        widths: tuple[int, ...] = (32, 64, 128),
        hidden: int = 128,
        dropout: float = 0.2,
        norm: bool = True,
        activation: Activation = "gelu",
        rngs: nnx.Rngs,
    ) -> None:
        self.convolutions = nnx.List([Convolution(a, b, (3, 3), rngs=rngs) for a, b in pairwise((inputs, *widths))])
        self.norms = nnx.List([GroupNorm(width, rngs=rngs) for width in widths] if norm else [])
        self.dropout = nnx.Dropout(dropout)
        self.activation: Activation = activation
        self.hidden = nnx.Linear(2 * (inputs, *widths)[-1], hidden, rngs=rngs)
        self.out = nnx.Linear(hidden, outputs, rngs=rngs)

    def __call__(self, x: jax.Array, key: jax.Array | None = None) -> jax.Array:
        activate = ACTIVATIONS[self.activation]
        for level, convolution in enumerate(self.convolutions):
            x = pool_greatest(convolution.product(x)) + convolution.bias[...]
            x = activate(self.norms[level](x) if self.norms else x)
        x = jnp.concatenate([x.mean((1, 2)), x.max((1, 2))], -1)
        first, second = (None, None) if key is None else jax.random.split(key)
        x = self.dropout(x, deterministic=key is None, rngs=first)
        return self.out(self.dropout(activate(self.hidden(x)), deterministic=key is None, rngs=second))


MODEL = CNN2D
