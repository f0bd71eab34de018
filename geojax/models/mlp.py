"""Feed-forward network for tables of features."""

from itertools import pairwise

import jax
from flax import nnx

from geojax.models.layers import ACTIVATIONS, Activation


class MLP(nnx.Module):
    """Features (example, feature) to (example, outputs): logits of classes, or values; any axes may lead.

    Dense layers of the given widths, each followed by layer normalization (Ba et al. 2016, arXiv:1607.06450) if
    wanted, the activation and dropout; then a linear layer. No widths make a linear model.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        widths: tuple[int, ...] = (128, 128),
        dropout: float = 0.0,
        norm: bool = False,
        activation: Activation = "gelu",
        rngs: nnx.Rngs,
    ) -> None:
        self.hidden = nnx.List([nnx.Linear(a, b, rngs=rngs) for a, b in pairwise((inputs, *widths))])
        self.norms = nnx.List([nnx.LayerNorm(width, rngs=rngs) for width in widths] if norm else [])
        self.dropout = nnx.Dropout(dropout)
        self.activation: Activation = activation
        self.out = nnx.Linear((inputs, *widths)[-1], outputs, rngs=rngs)

    def __call__(self, x: jax.Array, key: jax.Array | None = None) -> jax.Array:
        activate = ACTIVATIONS[self.activation]
        for depth, layer in enumerate(self.hidden):
            x = layer(x)
            if self.norms:
                x = self.norms[depth](x)
            own = None if key is None else jax.random.fold_in(key, depth)
            x = self.dropout(activate(x), deterministic=key is None, rngs=own)
        return self.out(x)


MODEL = MLP
