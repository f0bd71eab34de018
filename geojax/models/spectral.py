"""Layers of bounded slope."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax


class SpectralNorm(nnx.Module):
    """A layer with a matrix `kernel`, divided by the kernel's largest singular value; the bias is left as it is.

    The singular vector is followed by one power iteration for each call with a key, and stands still without.
    No gradient flows through it.
    source : Miyato et al. (2018), arXiv:1802.05957
    """

    def __init__(self, layer: Any, *, rngs: nnx.Rngs) -> None:
        self.layer = layer
        direction = jax.random.normal(rngs.params(), (self.layer.kernel.shape[-1],))
        for _ in range(20):
            direction = self._iterate(direction)
        self.direction = nnx.BatchStat(direction)

    def __call__(self, x: jax.Array, key: jax.Array | None = None) -> jax.Array:
        if key is not None:
            self.direction[...] = lax.stop_gradient(self._iterate(self.direction[...]))
        return self.layer(x / self.singular_value().astype(x.dtype))

    def singular_value(self) -> jax.Array:
        """The largest singular value of the kernel as it is known, a scalar in float32."""
        kernel = self.layer.kernel[...].astype(jnp.float32)
        return jnp.linalg.norm(kernel @ self.direction[...].astype(jnp.float32))

    def _iterate(self, direction: jax.Array) -> jax.Array:
        kernel = self.layer.kernel[...].astype(jnp.float32)
        moved = kernel.T @ (kernel @ direction.astype(jnp.float32))
        return (moved / jnp.linalg.norm(moved)).astype(direction.dtype)
