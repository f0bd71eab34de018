"""Rates of events as a mixture of given maps, modulated by a recurrent network."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.typing import ArrayLike

from geojax.models.gru import GRU

STEEPEST = 2.0  # a modulation lies within e^±2


class Modulated(nnx.Module):
    """Expected counts: exp(a) × a mixture of backgrounds + exp(b) × a sum of triggered rates.

    The network (example, time, feature) to (example, time, 2) gives a and b; weights of the maps are learned with it.
    Centre and spread of the inputs, (feature,), are kept with the weights, but not trained.

    productivity : of all triggered maps together, to begin with
    """

    def __init__(
        self,
        network: GRU,
        backgrounds: int,
        triggered: int,
        center: ArrayLike,
        spread: ArrayLike,
        *,
        productivity: float,
        window: int,
    ) -> None:
        self.network: Any = network
        self.window = window  # steps that it is made for
        self.mixture = nnx.Param(jnp.zeros(backgrounds))
        self.log_productivity = nnx.Param(jnp.full(triggered, jnp.log(productivity / triggered)))
        self.center = nnx.Variable(jnp.asarray(np.asarray(center)))
        self.spread = nnx.Variable(jnp.asarray(np.asarray(spread)))

    def __call__(
        self,
        inputs: jax.Array,
        static: jax.Array,
        background: jax.Array,
        triggered: jax.Array,
        key: jax.Array | None = None,
    ) -> jax.Array:
        """Expected counts (time, cell) of the last steps.

        inputs : (cell, time, feature); static : (cell, feature)
        background, triggered : (last, cell, map), of as many last steps as are wanted
        """
        wanted = len(background)
        found = self.network((inputs - self.center[...]) / self.spread[...], key, static=static)[:, -wanted:]
        factor = jnp.exp(STEEPEST * jnp.tanh(found.swapaxes(0, 1) / STEEPEST))
        lasting = background @ jax.nn.softmax(self.mixture[...])
        return factor[..., 0] * lasting + factor[..., 1] * (triggered @ jnp.exp(self.log_productivity[...]))
