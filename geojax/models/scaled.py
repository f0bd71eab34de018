"""Inputs brought to zero mean and unit deviation, as the training examples tell, before any network."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.typing import ArrayLike

from geojax.models.mlp import MLP


class Scaled(nnx.Module):
    """A network behind (x - center) / spread and, beside each feature, whether it is known: twice the features.

    A value that is not finite counts as missing and enters as the mean. Centre and spread (feature,) are kept with
    the weights, but not trained. A network for features alone, (example, feature), sees the window flattened.
    """

    def __init__(self, network: nnx.Module, center: ArrayLike, spread: ArrayLike) -> None:
        self.network: Any = network
        self.center = nnx.Variable(jnp.asarray(np.asarray(center)))
        self.spread = nnx.Variable(jnp.asarray(np.asarray(spread)))

    def __call__(self, x: jax.Array, key: jax.Array | None = None) -> jax.Array:
        """x : (example, time, feature)"""
        known = jnp.isfinite(x)
        scaled = jnp.where(known, (x - self.center[...]) / self.spread[...], 0)
        both = jnp.concatenate([scaled, known.astype(scaled.dtype)], -1)
        return self.network(both.reshape(len(x), -1) if isinstance(self.network, MLP) else both, key)
