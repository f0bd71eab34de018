"""Gated recurrent unit over a time series."""

import jax
import jax.numpy as jnp
from flax import nnx

from geojax.models.recurrence import Count, Layers, Recurrent, Share, State, keep, product, weights


class GRUCell(nnx.Module):
    """One step of a GRU; the state is float32 whatever comes in.

    The reset gate acts on the product with the state, not on the state before it, so that a step is one product:
    the variant of cuDNN and PyTorch. Gates stand in the order reset, update, new in kernel (inputs, 3 × hidden),
    recurrent (hidden, 3 × hidden), static (features, 3 × hidden) and bias (3 × hidden,); inner (hidden,) is the
    bias inside the reset.
    """

    def __init__(self, inputs: int, static: int, hidden: int, rngs: nnx.Rngs) -> None:
        self.kernel = weights(rngs, hidden, inputs, 3 * hidden)
        self.recurrent = weights(rngs, hidden, hidden, 3 * hidden)
        self.bias = nnx.Param(jnp.zeros(3 * hidden))
        self.inner = nnx.Param(jnp.zeros(hidden))
        self.static = weights(rngs, hidden, static, 3 * hidden) if static else None

    def start(self, x: jax.Array) -> State:
        return (jnp.zeros((len(x), len(self.recurrent[...])), jnp.float32),)

    def offset(self, static: jax.Array | None) -> jax.Array:
        bias = self.bias[...].astype(jnp.float32)
        return bias if static is None or self.static is None else product(static, self.static[...]) + bias

    def __call__(self, state: State, x: jax.Array, offset: jax.Array) -> State:
        (hidden,) = state
        both = 2 * hidden.shape[-1]
        seen = product(x, self.kernel[...]) + offset
        past = product(hidden.astype(x.dtype), self.recurrent[...])
        reset, update = jnp.split(jax.nn.sigmoid(keep(seen[:, :both] + past[:, :both])), 2, -1)
        new = jnp.tanh(keep(seen[:, both:]) + reset * (keep(past[:, both:]) + self.inner[...]))
        return ((1 - update) * new + update * hidden,)


class GRU(Recurrent):
    """Series (example, time, inputs), and maybe static features (example, static), to (example, outputs) from the
    last valid state, or to (example, time, outputs) if `sequence`.

    Cho et al. (2014), doi:10.3115/v1/D14-1179.
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
        rngs: nnx.Rngs,
    ) -> None:
        def cell(inputs: int, static: int) -> GRUCell:
            return GRUCell(inputs, static, hidden, rngs)

        sizes = {"hidden": hidden, "layers": layers, "dropout": dropout, "bidirectional": bidirectional}
        super().__init__(Layers(cell, inputs, static, **sizes), outputs, sequence, rngs)


MODEL = GRU
