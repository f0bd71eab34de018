"""Long short-term memory over a time series, as in rainfall-runoff modelling."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from geojax.models.recurrence import Count, Layers, Recurrent, Share, State, keep, product, weights


class LSTMCell(nnx.Module):
    """One step of an LSTM with a forget gate; the cell state is float32 whatever comes in.

    Gates stand in the order input, forget, cell, output in kernel (inputs, 4 × hidden), recurrent
    (hidden, 4 × hidden), static (features, 4 × hidden) and bias (4 × hidden,).
    """

    def __init__(self, inputs: int, static: int, hidden: int, forget_bias: float, rngs: nnx.Rngs) -> None:
        self.kernel = weights(rngs, hidden, inputs, 4 * hidden)
        self.recurrent = weights(rngs, hidden, hidden, 4 * hidden)
        self.bias = nnx.Param(initial_bias(hidden, forget_bias))
        self.static = weights(rngs, hidden, static, 4 * hidden) if static else None

    def start(self, x: jax.Array) -> State:
        kernel = self.recurrent[...]
        shape = (len(x), len(kernel))
        return jnp.zeros(shape, jnp.result_type(x, kernel)), jnp.zeros(shape, jnp.float32)

    def offset(self, static: jax.Array | None) -> jax.Array:
        bias = self.bias[...].astype(jnp.float32)
        return bias if static is None or self.static is None else product(static, self.static[...]) + bias

    def __call__(self, state: State, x: jax.Array, offset: jax.Array) -> State:
        hidden, cell = state
        sums = keep(product(x, self.kernel[...]) + product(hidden, self.recurrent[...]) + offset)
        return advance(sums, cell, hidden.dtype)


def initial_bias(hidden: int, forget: float) -> jax.Array:
    """(4 × hidden,), zero but for the forget gate."""
    return jnp.asarray(np.repeat([0.0, forget, 0.0, 0.0], hidden), jnp.float32)


def advance(sums: jax.Array, cell: jax.Array, dtype: jnp.dtype) -> State:
    """Hidden state, of a type, and cell state (…, hidden), from the sums before activation (…, 4 × hidden)."""
    enter, forget, fresh, show = jnp.split(sums, 4, -1)
    cell = jax.nn.sigmoid(forget) * cell + jax.nn.sigmoid(enter) * jnp.tanh(fresh)
    return (jax.nn.sigmoid(show) * jnp.tanh(cell)).astype(dtype), cell


class LSTM(Recurrent):
    """Series (example, time, inputs), and maybe static features (example, static), to (example, outputs) from the
    last valid state, or to (example, time, outputs) if `sequence`.

    Hochreiter & Schmidhuber (1997), doi:10.1162/neco.1997.9.8.1735, with the forget gate of Gers et al. (2000),
    doi:10.1162/089976600300015015. A forget gate that starts open, with a bias of 3, remembers a season from the
    first step on, as basins do: Kratzert et al. (2019), doi:10.5194/hess-23-5089-2019.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        static: int = 0,
        *,
        hidden: Count = 64,
        layers: Count = 1,
        dropout: Share = 0.0,
        bidirectional: bool = False,
        sequence: bool = False,
        forget_bias: float = 3.0,
        rngs: nnx.Rngs,
    ) -> None:
        def cell(inputs: int, static: int) -> LSTMCell:
            return LSTMCell(inputs, static, hidden, forget_bias, rngs)

        sizes = {"hidden": hidden, "layers": layers, "dropout": dropout, "bidirectional": bidirectional}
        super().__init__(Layers(cell, inputs, static, **sizes), outputs, sequence, rngs)


MODEL = LSTM
