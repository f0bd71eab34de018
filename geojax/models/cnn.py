"""1-D convolutional classifier."""

import jax
import jax.numpy as jnp
from flax import nnx

from geojax.models.layers import Convolution


class Block(nnx.Module):
    """Strided convolution, group normalization, GELU: (example, sample, inputs) to fewer samples."""

    def __init__(self, inputs: int, outputs: int, window: int, stride: int, rngs: nnx.Rngs) -> None:
        self.convolution = Convolution(inputs, outputs, (window,), stride, same=False, rngs=rngs)
        self.norm = nnx.GroupNorm(outputs, num_groups=4, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return nnx.gelu(self.norm(self.convolution(x)))


class CNN(nnx.Module):
    """Windows (example, sample, inputs) to logits (example, outputs).

    Four strided convolutions (the first sees 24 samples, in the manner of Ross et al. 2018,
    doi:10.1785/0120180080), pooled to mean, maximum and the means of both halves, which keep where in the
    window the energy sits; then a dense layer. At least 200 samples.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        width: int = 16,
        hidden: int = 128,
        dropout: float = 0.2,
        rngs: nnx.Rngs,
    ) -> None:
        plan = [(inputs, width, 24, 4), (width, width, 8, 2), (width, 2 * width, 6, 2), (2 * width, 2 * width, 6, 2)]
        self.blocks = nnx.List([Block(*sizes, rngs=rngs) for sizes in plan])
        self.dropout = nnx.Dropout(dropout)
        self.hidden = nnx.Linear(8 * width, hidden, rngs=rngs)
        self.out = nnx.Linear(hidden, outputs, rngs=rngs)

    def __call__(self, x: jax.Array, key: jax.Array | None = None) -> jax.Array:
        for block in self.blocks:
            x = block(x)
        half = x.shape[1] // 2
        x = jnp.concatenate([x.mean(1), x.max(1), x[:, :half].mean(1), x[:, half:].mean(1)], -1)
        first, second = (None, None) if key is None else jax.random.split(key)
        x = self.dropout(x, deterministic=key is None, rngs=first)
        return self.out(self.dropout(nnx.gelu(self.hidden(x)), deterministic=key is None, rngs=second))


MODEL = CNN
