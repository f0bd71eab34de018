"""The LSTM against the published equations, and what its cell state remembers."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from geojax.models.lstm import LSTM, LSTMCell
from geojax.models.recurrence import recur


def written_out(cell, x, hidden, state):
    """The equations of torch.nn.LSTM in float64: (example, time, hidden)."""
    w, u, b = (np.asarray(p[...], "float64") for p in (cell.kernel, cell.recurrent, cell.bias))
    size, shown = u.shape[0], []
    for t in range(x.shape[1]):
        i, f, g, o = np.split(x[:, t] @ w + hidden @ u + b, [size, 2 * size, 3 * size], -1)
        state = _logistic(f) * state + _logistic(i) * np.tanh(g)
        hidden = _logistic(o) * np.tanh(state)
        shown.append(hidden)
    return np.stack(shown, 1), state


def _logistic(z):
    return 1 / (1 + np.exp(-z))


def test_hidden_and_cell_states_are_those_of_the_equations(rng):
    cell = LSTMCell(3, 0, 5, 3.0, nnx.Rngs(0))
    cell.bias[...] = jnp.asarray(rng.normal(size=20), "float32")
    x, start = rng.normal(size=(4, 30, 3)), rng.normal(size=(2, 4, 5))

    shown, end = recur(cell, jnp.asarray(x, "float32"), state=tuple(jnp.asarray(start, "float32")))
    expected, state = written_out(cell, x, *start)

    np.testing.assert_allclose(shown, expected, atol=2e-6)
    np.testing.assert_allclose(end[1], state, atol=5e-6)


def test_two_layers_in_both_directions_are_those_of_the_equations(rng):
    net = LSTM(3, 2, hidden=5, layers=2, bidirectional=True, sequence=True, rngs=nnx.Rngs(0))
    x = rng.normal(size=(4, 12, 3))
    zero = np.zeros((2, 4, 5))

    shown = x
    for forth, back in net.layers.cells:
        reversed_ = written_out(back, shown[:, ::-1], *zero)[0][:, ::-1]
        shown = np.concatenate([written_out(forth, shown, *zero)[0], reversed_], -1)
    expected = shown @ np.asarray(net.head.kernel[...]) + np.asarray(net.head.bias[...])
    last = LSTM(3, 2, hidden=5, layers=2, bidirectional=True, rngs=nnx.Rngs(0))
    ends = np.concatenate([shown[:, -1, :5], shown[:, 0, 5:]], -1) @ np.asarray(last.head.kernel[...])

    for model, wanted in ((net, expected), (last, ends)):
        found = nnx.jit(lambda model, x: model(x))(model, jnp.asarray(x, "float32"))
        np.testing.assert_allclose(found, wanted, atol=5e-6)


def test_the_forget_gate_starts_open_and_the_others_do_not():
    bias = LSTMCell(3, 0, 5, 3.0, nnx.Rngs(0)).bias[...]

    np.testing.assert_array_equal(bias, np.repeat([0.0, 3.0, 0.0, 0.0], 5))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_cell_state_gathers_a_thousandth_a_step_in_any_precision(dtype):
    cell = LSTMCell(1, 0, 1, 3.0, nnx.Rngs(0))
    rate = np.log(0.001 / 0.999)  # an input gate that lets a thousandth in, of a candidate of one
    cell.kernel, cell.recurrent, cell.bias = (
        nnx.Param(jnp.asarray(values, dtype)) for values in (np.zeros((1, 4)), np.zeros((1, 4)), [rate, 30.0, 9.0, 0.0])
    )
    start = (jnp.zeros((1, 1)), jnp.ones((1, 1)))

    _, (hidden, state) = recur(cell, jnp.zeros((1, 200, 1), dtype), state=start)

    assert (hidden.dtype, state.dtype) == (dtype, "float32")
    assert state[0, 0] == pytest.approx(1.2, abs=0.004)  # bfloat16 has no number between 1 and 1.0078
