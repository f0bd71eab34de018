"""Variational autoencoder: examples to a Gaussian over codes, and back."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from geojax.models.conv_autoencoder import Decoder, Encoder
from geojax.models.dense_autoencoder import Stack


class Encoded(NamedTuple):
    """What a variational autoencoder returns; mean and logarithm of the variance of the code are (example, code)."""

    reconstruction: jax.Array
    mean: jax.Array
    log_variance: jax.Array


class VAE(nnx.Module):
    """Variational autoencoder (Kingma and Welling 2014, arXiv:1312.6114).

    (example, *shape, inputs) to its reconstruction, of the same shape, and the posterior of its code. With a key the
    code is drawn (mean + deviation × noise, so that the gradient reaches both); without, it is the mean.

    shape : () for rows of features, which dense layers take; (sample,) or (lat, lon) for convolutions
    hidden : widths between inputs and code of dense layers
    width, depth : channels at the finest scale, and halvings, of convolutions
    """

    def __init__(
        self,
        inputs: int,
        shape: Sequence[int] = (),
        *,
        code: int = 16,
        hidden: tuple[int, ...] = (256,),
        width: int = 16,
        depth: int = 3,
        rngs: nnx.Rngs,
    ) -> None:
        self.code = code
        if len(shape) == 0:
            self.encoder = Stack([inputs, *hidden, 2 * code], rngs=rngs)
            self.decoder = Stack([code, *reversed(hidden), inputs], rngs=rngs)
        else:
            self.encoder = Encoder(shape, inputs, 2 * code, width=width, depth=depth, rngs=rngs)
            self.decoder = Decoder(shape, code, inputs, width=width, depth=depth, rngs=rngs)

    def __call__(self, x: jax.Array, key: jax.Array | None = None) -> Encoded:
        mean, log_variance = self.encode(x)
        code = mean
        if key is not None:
            code = mean + jnp.exp(0.5 * log_variance) * jax.random.normal(key, mean.shape, mean.dtype)
        return Encoded(self.decode(code), mean, log_variance)

    def encode(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Mean and logarithm of the variance of the code, each (example, code)."""
        both = self.encoder(x)
        return both[..., : self.code], both[..., self.code :]

    def decode(self, code: jax.Array) -> jax.Array:
        """(example, code) to (example, *shape, inputs)."""
        return self.decoder(code)


MODEL = VAE
