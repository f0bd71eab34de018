"""Deep embedded clustering: an autoencoder whose code gathers around centres."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from geojax.models.dense_autoencoder import Stack


class DeepClustering(nnx.Module):
    """Deep embedded clustering (Xie et al. 2016, arXiv:1511.06335), with the decoder kept (Guo et al. 2017,
    doi:10.24963/ijcai.2017/243).

    The code is a fixed linear map of the inputs plus what a network learns to add, zero at the start, and so is the
    reconstruction: with principal components for that map, clustering begins at clusters found there, and needs no
    training of the autoencoder before. Unlike in the source, clusters differ in width.

    axes : (inputs, code), orthonormal columns
    centres, radii : (cluster, code) and (cluster,), where centres and how wide clusters are at the start
    hidden : widths between inputs and code; the decoder mirrors them
    dropout : share of the inputs that training hides from the encoder
    """

    def __init__(
        self,
        axes: np.ndarray,
        centres: np.ndarray,
        radii: np.ndarray,
        *,
        hidden: tuple[int, ...] = (64, 64),
        dropout: float = 0.0,
        rngs: nnx.Rngs,
    ) -> None:
        inputs, code = axes.shape
        self.axes = nnx.Variable(jnp.asarray(axes, jnp.float32))
        self.centres = nnx.Param(jnp.asarray(centres, jnp.float32))
        self.log_radii = nnx.Param(jnp.log(jnp.asarray(radii, jnp.float32)))
        self.dropout = nnx.Dropout(dropout)
        self.encoder = Stack([inputs, *hidden, code], rngs=rngs)
        self.decoder = Stack([code, *reversed(hidden), inputs], rngs=rngs)
        for stack in (self.encoder, self.decoder):
            last = stack.layers[-1]
            last.kernel[...] = jnp.zeros_like(last.kernel[...])

    def __call__(self, x: jax.Array, key: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        """(example, inputs) to the code (example, code) and the reconstruction (example, inputs)."""
        code = self.encode(self.dropout(x, deterministic=key is None, rngs=key))
        return code, self.decode(code)

    def encode(self, x: jax.Array) -> jax.Array:
        """(example, inputs) to (example, code)."""
        return x @ self.axes[...] + self.encoder(x)

    def decode(self, code: jax.Array) -> jax.Array:
        """(example, code) to (example, inputs)."""
        return code @ self.axes[...].T + self.decoder(code)

    def memberships(self, code: jax.Array) -> jax.Array:
        """Share (example, cluster) of each centre in each code, by Student's t of one degree of freedom around it."""
        size = code.shape[-1]
        square = jnp.sum((code[:, None] - self.centres[...]) ** 2, -1) * jnp.exp(-2 * self.log_radii[...])
        return jax.nn.softmax(-size * self.log_radii[...] - 0.5 * (1 + size) * jnp.log1p(square), -1)


MODEL = DeepClustering
