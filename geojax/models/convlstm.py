"""Convolutional LSTM: a series of fields in, a field or a series of fields out."""

import jax
import jax.numpy as jnp
from flax import nnx

from geojax.models.layers import Convolution
from geojax.models.lstm import advance, initial_bias
from geojax.models.recurrence import Count, Layers, Recurrent, Share, State, keep


class ConvLSTMCell(nnx.Module):
    """One step of a convolutional LSTM; the cell state is float32 whatever comes in.

    Gates stand in the order input, forget, cell, output in the channels of one convolution over what comes in
    and the state. Without the peephole weights of the source, which would tie the model to one grid.
    """

    def __init__(self, inputs: int, hidden: int, window: int, forget_bias: float, rngs: nnx.Rngs) -> None:
        self.hidden = hidden
        self.convolution = Convolution(inputs + hidden, 4 * hidden, (window, window), rngs=rngs)
        self.convolution.bias[...] = initial_bias(hidden, forget_bias)

    def start(self, x: jax.Array) -> State:
        shape = (len(x), *x.shape[2:-1], self.hidden)
        return jnp.zeros(shape, jnp.result_type(x, self.convolution.kernel[...])), jnp.zeros(shape, jnp.float32)

    def offset(self, static: jax.Array | None) -> jax.Array:
        return jnp.zeros(())

    def __call__(self, state: State, x: jax.Array, offset: jax.Array) -> State:
        hidden, cell = state
        sums = keep(self.convolution(jnp.concatenate([x.astype(hidden.dtype), hidden], -1)))
        return advance(sums.astype(jnp.float32), cell, hidden.dtype)


class ConvLSTM(Recurrent):
    """Fields (example, time, lat, lon, inputs) to a field (example, lat, lon, outputs) from the last valid state, or
    to fields (example, time, lat, lon, outputs) if `sequence`; any lat and lon, zeros beyond the border.

    Shi et al. (2015), arXiv:1506.04214.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        width: Count = 16,
        layers: Count = 1,
        window: Count = 3,
        dropout: Share = 0.0,
        sequence: bool = False,
        forget_bias: float = 1.0,
        rngs: nnx.Rngs,
    ) -> None:
        def cell(inputs: int, _: int) -> ConvLSTMCell:
            return ConvLSTMCell(inputs, width, window, forget_bias, rngs)

        sizes = {"hidden": width, "layers": layers, "dropout": dropout, "bidirectional": False}
        super().__init__(Layers(cell, inputs, 0, **sizes), outputs, sequence, rngs)


MODEL = ConvLSTM
