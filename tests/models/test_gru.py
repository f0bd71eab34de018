"""The GRU against the equations of the variant that it is."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from geojax.models.gru import GRUCell
from geojax.models.recurrence import recur


def written_out(cell, x, hidden):
    """The equations of torch.nn.GRU in float64: (example, time, hidden)."""
    w, u, b, inner = (np.asarray(p[...], "float64") for p in (cell.kernel, cell.recurrent, cell.bias, cell.inner))
    shown = []
    for t in range(x.shape[1]):
        (xr, xz, xn), (hr, hz, hn) = np.split(x[:, t] @ w + b, 3, -1), np.split(hidden @ u, 3, -1)
        r, z = (1 / (1 + np.exp(-v)) for v in (xr + hr, xz + hz))
        n = np.tanh(xn + r * (hn + inner))
        hidden = (1 - z) * n + z * hidden
        shown.append(hidden)
    return np.stack(shown, 1)


def test_states_are_those_of_the_equations(rng):
    cell = GRUCell(3, 0, 5, nnx.Rngs(0))
    cell.bias[...], cell.inner[...] = (jnp.asarray(rng.normal(size=n), "float32") for n in (15, 5))
    x, start = rng.normal(size=(4, 30, 3)), rng.normal(size=(4, 5))

    shown, _ = recur(cell, jnp.asarray(x, "float32"), state=(jnp.asarray(start, "float32"),))

    np.testing.assert_allclose(shown, written_out(cell, x, start), atol=2e-6)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_state_nears_its_goal_by_a_thousandth_a_step_in_any_precision(dtype):
    cell = GRUCell(1, 0, 1, nnx.Rngs(0))
    keeps = np.log(0.999 / 0.001)
    values = (np.zeros((1, 3)), np.zeros((1, 3)), [0.0, keeps, 9.0], [0.0])
    cell.kernel, cell.recurrent, cell.bias, cell.inner = (nnx.Param(jnp.asarray(v, dtype)) for v in values)

    _, (state,) = recur(cell, jnp.zeros((1, 200, 1), dtype), state=(jnp.full((1, 1), 0.5),))

    assert state.dtype == "float32"
    assert state[0, 0] == pytest.approx(1 - 0.5 * 0.999**200, abs=0.003)
