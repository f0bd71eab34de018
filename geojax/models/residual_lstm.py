"""A linear forecast, corrected by an LSTM."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from geojax.models.lstm import LSTM
from geojax.models.recurrence import Count, Share

STEEP = 4.0  # changes from step to step are that much smaller than what changes


class ResidualLSTM(nnx.Module):
    """Series (example, time, variable) and features of each time (example, time, feature), to forecasts
    (example, origin, lead) at the last `origins` times.

    The linear forecast is fixed. The LSTM adds to each lead a multiple of its `spread`; its last layer starts at zero,
    so that training starts at the linear forecast. It sees values, their changes from step to step, and features.

    kernel : (lag, variable, lead), weights of the values, from the last to the first
    of_features : (feature, lead); offset : (lead,)
    spread : (lead,), usual error of the linear forecast, in the units of the forecast
    """

    def __init__(
        self,
        kernel: np.ndarray,
        of_features: np.ndarray,
        offset: np.ndarray,
        spread: np.ndarray,
        *,
        hidden: Count = 32,
        layers: Count = 1,
        dropout: Share = 0.0,
        forget_bias: float = 3.0,
        rngs: nnx.Rngs,
    ) -> None:
        self.kernel, self.of_features, self.offset, self.spread = (
            nnx.Variable(jnp.asarray(fixed, jnp.float32)) for fixed in (kernel, of_features, offset, spread)
        )
        inputs, leads = 2 * kernel.shape[1] + len(of_features), kernel.shape[2]
        self.lstm = LSTM(
            inputs, leads, hidden=hidden, layers=layers, dropout=dropout, sequence=True, forget_bias=forget_bias,
            rngs=rngs,
        )  # fmt: skip
        self.lstm.head.kernel[...] = jnp.zeros((hidden, leads))

    def __call__(self, values: jax.Array, features: jax.Array, origins: int, key: jax.Array | None = None) -> jax.Array:
        change = STEEP * jnp.diff(values, axis=1, prepend=values[:, :1])
        seen = jnp.concatenate([values, change, features], -1)
        return self.linear(values, features, origins) + self.spread[...] * self.lstm(seen, key)[:, -origins:]

    def linear(self, values: jax.Array, features: jax.Array, origins: int) -> jax.Array:
        """The linear forecast alone: (example, origin, lead). There must be as many times before the first origin as
        there are lags, less one."""
        kernel = self.kernel[...]
        first = values.shape[1] - origins
        past = jnp.stack([values[:, first - lag : first - lag + origins] for lag in range(len(kernel))], 2)
        of_past = jnp.einsum("eolv,lvh->eoh", past, kernel)
        return of_past + features[:, first:] @ self.of_features[...] + self.offset[...]


MODEL = ResidualLSTM
