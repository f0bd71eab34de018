"""The convolutional LSTM: what geometry says of it."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from geojax.models.convlstm import ConvLSTM
from geojax.models.lstm import LSTM

call = nnx.jit(lambda net, x, key=None, **others: net(x, key, **others))


def test_where_the_pattern_lies_makes_no_difference_away_from_the_border(rng):
    net = ConvLSTM(2, 3, width=4, sequence=True, rngs=nnx.Rngs(0))
    x = jnp.asarray(rng.normal(size=(1, 3, 14, 15, 2)), "float32")

    moved = call(net, jnp.roll(x, (1, 2), axis=(2, 3)))
    expected = jnp.roll(call(net, x), (1, 2), axis=(2, 3))

    inside = np.s_[:, :, 4:-3, 5:-3]  # three steps of a window of 3 carry the border three cells inwards
    np.testing.assert_allclose(moved[inside], expected[inside], atol=1e-6)
    assert (jnp.abs(moved - expected)[:, :, 0] > 1e-3).any()


def test_with_a_window_of_one_each_cell_of_the_grid_is_an_lstm_of_its_own(rng):
    net = ConvLSTM(3, 2, width=5, window=1, sequence=True, rngs=nnx.Rngs(0))
    alone = LSTM(3, 2, hidden=5, sequence=True, rngs=nnx.Rngs(0))
    cell, own = net.layers.cells[0][0].convolution, alone.layers.cells[0][0]
    own.kernel[...], own.recurrent[...], own.bias[...] = cell.kernel[:3], cell.kernel[3:], cell.bias[...]
    alone.head = net.head
    x = jnp.asarray(rng.normal(size=(2, 7, 4, 5, 3)), "float32")

    expected = call(alone, x.transpose(0, 2, 3, 1, 4).reshape(-1, 7, 3)).reshape(2, 4, 5, 7, 2).transpose(0, 3, 1, 2, 4)

    np.testing.assert_allclose(call(net, x), expected, atol=1e-5)


@pytest.mark.parametrize(("sequence", "window"), [(True, 2), (False, 3)])
def test_shapes_and_a_gradient_for_every_parameter(sequence, window, rng):
    net = ConvLSTM(2, 3, width=4, layers=2, window=window, sequence=sequence, rngs=nnx.Rngs(0))
    x = jnp.asarray(rng.normal(size=(2, 4, 6, 7, 2)), "float32")

    run = nnx.jit(nnx.value_and_grad(lambda m: (jnp.sum((y := m(x)) ** 2), y), has_aux=True))
    (_, out), gradient = run(net)

    assert out.shape == ((2, 4, 6, 7, 3) if sequence else (2, 6, 7, 3))
    assert all(jnp.abs(leaf).max() > 0 for leaf in jax.tree.leaves(gradient))


def test_an_example_that_ends_early_gives_what_it_gives_alone(rng):
    net = ConvLSTM(2, 3, width=4, layers=2, rngs=nnx.Rngs(0))
    x = jnp.asarray(rng.normal(size=(2, 5, 6, 7, 2)), "float32")
    mask = jnp.array([[True] * 5, [True, True, True, False, False]])

    np.testing.assert_allclose(call(net, x.at[1, 3:].set(jnp.nan), mask=mask)[1:], call(net, x[1:, :3]), atol=1e-6)


def test_a_pass_in_bfloat16_is_near_that_in_float32(rng):
    net = ConvLSTM(2, 1, width=4, rngs=nnx.Rngs(0))
    x = jnp.asarray(rng.normal(size=(2, 20, 6, 7, 2)), "float32")
    graph, params = nnx.split(net)
    half = call(nnx.merge(graph, jax.tree.map(lambda p: p.astype(jnp.bfloat16), params)), x.astype(jnp.bfloat16))

    assert half.dtype == jnp.bfloat16
    np.testing.assert_allclose(half.astype("float32"), call(net, x), atol=0.06)


def test_dropout_acts_only_with_a_key(rng):
    net = ConvLSTM(2, 1, width=4, dropout=0.5, rngs=nnx.Rngs(0))
    x = jnp.asarray(rng.normal(size=(2, 3, 6, 7, 2)), "float32")

    np.testing.assert_array_equal(call(net, x), call(net, x))
    assert (call(net, x, jax.random.key(0)) != call(net, x, jax.random.key(1))).any()


def test_ten_blobs_that_move_a_cell_a_step_are_learned(rng):
    place = rng.integers(0, 5, size=10)
    fields = np.stack([[np.eye(8, dtype="float32")[p + t] for t in range(4)] for p in place])
    fields = np.repeat(fields[:, :, None, :, None], 3, axis=2)
    x, y = jnp.asarray(fields[:, :3]), jnp.asarray(fields[:, 3])
    net = ConvLSTM(1, 1, width=8, rngs=nnx.Rngs(0))
    optimizer = nnx.Optimizer(net, optax.adam(2e-2), wrt=nnx.Param)

    @nnx.jit
    def step(net, optimizer):
        value, gradient = nnx.value_and_grad(lambda m: jnp.mean((m(x) - y) ** 2))(net)
        optimizer.update(net, gradient)
        return value

    losses = [float(step(net, optimizer)) for _ in range(150)]
    assert losses[-1] < 0.1 * np.var(y)
