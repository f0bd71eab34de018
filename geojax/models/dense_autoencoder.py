"""Dense autoencoder: rows of features through a narrow code and back."""

from collections.abc import Sequence
from itertools import pairwise

import jax
from flax import nnx


class Stack(nnx.Module):
    """Dense layers (example, first width) to (example, last width), with GELU between them."""

    def __init__(self, widths: Sequence[int], *, linear: bool = False, rngs: nnx.Rngs) -> None:
        self.linear = linear
        self.layers = nnx.List([nnx.Linear(a, b, rngs=rngs) for a, b in pairwise(widths)])

    def __call__(self, x: jax.Array) -> jax.Array:
        for number, layer in enumerate(self.layers):
            x = layer(x if self.linear or number == 0 else nnx.gelu(x))
        return x


class DenseAutoencoder(nnx.Module):
    """Autoencoder (Hinton and Salakhutdinov 2006, doi:10.1126/science.1127647): (example, inputs) to the same.

    hidden : widths between the inputs and the code; the decoder mirrors them
    linear : without activations, so that a trained one spans the subspace of the first `code` principal components
        (Baldi and Hornik 1989, doi:10.1016/0893-6080(89)90014-2)
    dropout : share of the inputs that is set to zero in training, the rest scaled up, so that it learns to denoise
        (Vincent et al. 2008, doi:10.1145/1390156.1390294)
    """

    def __init__(
        self,
        inputs: int,
        *,
        code: int = 64,
        hidden: tuple[int, ...] = (),
        linear: bool = False,
        dropout: float = 0.0,
        rngs: nnx.Rngs,
    ) -> None:
        self.linear = linear
        self.dropout = nnx.Dropout(dropout)
        self.encoder = Stack([inputs, *hidden, code], linear=linear, rngs=rngs)
        self.decoder = Stack([code, *reversed(hidden), inputs], linear=linear, rngs=rngs)

    def __call__(self, x: jax.Array, key: jax.Array | None = None) -> jax.Array:
        return self.decode(self.encode(self.dropout(x, deterministic=key is None, rngs=key)))

    def encode(self, x: jax.Array) -> jax.Array:
        """(example, inputs) to (example, code); the code is taken before its activation, so it has no bound."""
        return self.encoder(x)

    def decode(self, code: jax.Array) -> jax.Array:
        """(example, code) to (example, inputs)."""
        return self.decoder(code if self.linear else nnx.gelu(code))


MODEL = DenseAutoencoder
