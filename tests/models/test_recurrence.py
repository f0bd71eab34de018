"""What holds for every recurrent model: padding, causality, directions, state, memory, dropout, learning."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from geojax import models
from geojax.errors import UserError
from geojax.models import recurrence
from geojax.models.gru import GRU, GRUCell
from geojax.models.lstm import LSTM, LSTMCell
from geojax.models.recurrence import within

SERIES = [LSTM, GRU]
recur = nnx.jit(recurrence.recur, static_argnames=("reverse", "sequence"))
call = nnx.jit(lambda net, x, **others: net(x, **others))


@pytest.fixture(params=["lstm", "gru"])
def cell(request):
    return LSTMCell(3, 0, 5, 3.0, nnx.Rngs(0)) if request.param == "lstm" else GRUCell(3, 0, 5, nnx.Rngs(0))


@pytest.fixture
def x(rng):
    return jnp.asarray(rng.normal(size=(4, 9, 3)), "float32")


def test_padded_steps_change_neither_state_nor_gradient_even_if_they_hold_nan(cell, x):
    short = x[:, :6]
    padded = x.at[:, 6:].set(jnp.nan)
    mask = within(jnp.full(4, 6), 9)

    def end(cell, x, mask):
        return jnp.sum(recur(cell, x, mask=mask, sequence=False)[1][0] ** 2)

    _same(recur(cell, padded, mask=mask, reverse=True)[1], recur(cell, short, reverse=True)[1])
    _same(_gradient(end)(cell, padded, mask), _gradient(end)(cell, short, None))


def test_a_masked_step_inside_a_series_is_as_if_it_were_not_there(cell, x):
    mask = jnp.ones((4, 9), bool).at[:, 3].set(False)

    shown, end = recur(cell, x, mask=mask)

    _same(end, recur(cell, jnp.delete(x, 3, axis=1))[1])
    np.testing.assert_array_equal(shown[:, 3], shown[:, 2])


def test_each_example_has_its_own_length(cell, x):
    lengths = jnp.array([9, 1, 4, 0])

    _, end = recur(cell, x, mask=within(lengths, 9))

    for i, length in enumerate([9, 1, 4]):
        alone = recur(cell, x[i : i + 1, :length])[1]
        np.testing.assert_allclose(end[0][i], alone[0][0], atol=1e-6)
    assert (end[0][3] == 0).all()


def test_the_future_does_not_reach_the_past(cell, x):
    shown, _ = recur(cell, x)
    later, _ = recur(cell, x.at[:, 5:].add(1.0))

    np.testing.assert_array_equal(shown[:, :5], later[:, :5])
    assert (jnp.abs(shown[:, 5] - later[:, 5]).max(1) > 1e-3).all()


def test_in_reverse_is_the_same_as_over_the_reversed_series(cell, x):
    back, end = recur(cell, x, reverse=True)
    shown, last = recur(cell, x[:, ::-1])

    np.testing.assert_allclose(back, shown[:, ::-1], atol=1e-6)
    _same(end, last)


def test_a_series_in_two_pieces_gives_the_same_when_the_state_is_handed_on(cell, x):
    whole, end = recur(cell, x)
    first, state = recur(cell, x[:, :4])
    second, last = recur(cell, x[:, 4:], state=state)

    np.testing.assert_allclose(jnp.concatenate([first, second], 1), whole, atol=1e-6)
    _same(last, end)


def test_what_is_computed_anew_has_the_gradient_of_plain_steps(cell, x):
    def plainly(cell):
        state, offset = cell.start(x), cell.offset(None)
        for t in range(4):
            state = cell(state, x[:, t], offset)
        return jnp.sum(jnp.sin(state[0]))

    def anew(cell):
        return jnp.sum(jnp.sin(recurrence.recur(cell, x[:, :4])[1][0]))

    _same(_gradient(anew)(cell), _gradient(plainly)(cell))


@pytest.mark.parametrize(("kind", "kept"), [("lstm", 4 + 2), ("gru", 4 + 1)])
def test_the_backward_pass_keeps_state_and_sums_and_no_activation(kind, kept, rng):
    time, batch, hidden = 50, 20, 5
    cell = {"lstm": LSTMCell(3, 0, hidden, 3.0, nnx.Rngs(0)), "gru": GRUCell(3, 0, hidden, nnx.Rngs(0))}[kind]
    graph, params = nnx.split(cell)
    x = jnp.asarray(rng.normal(size=(batch, time, 3)), "float32")

    _, pull = jax.vjp(lambda p: recurrence.recur(nnx.merge(graph, p), x, sequence=False)[1][0], params)
    stacks = [leaf for leaf in jax.tree.leaves(pull) if leaf.ndim and leaf.shape[0] == time]

    assert sum(leaf.size for leaf in stacks) <= time * batch * (kept * hidden + 3)


@pytest.mark.parametrize("kind", SERIES)
def test_of_a_bidirectional_layer_one_half_is_causal_and_the_other_is_not(kind, rng):
    net = kind(3, 2, hidden=5, bidirectional=True, sequence=True, rngs=nnx.Rngs(0))
    x = jnp.asarray(rng.normal(size=(2, 8, 3)), "float32")
    run = nnx.jit(lambda net, x: net.layers(x, None, sequence=True)[0])
    both, later = run(net, x), run(net, x.at[:, 4:].add(1.0))

    np.testing.assert_array_equal(both[:, :4, :5], later[:, :4, :5])
    assert (both[:, :4, 5:] != later[:, :4, 5:]).any()


@pytest.mark.parametrize("kind", SERIES)
@pytest.mark.parametrize(("sequence", "layers", "bidirectional"), [(True, 1, True), (False, 2, False)])
def test_shapes_and_a_gradient_for_every_parameter(kind, sequence, layers, bidirectional, rng):
    net = kind(3, 2, 4, hidden=5, layers=layers, bidirectional=bidirectional, sequence=sequence, rngs=nnx.Rngs(0))
    x = jnp.asarray(rng.normal(size=(6, 8, 3)), "float32")
    static = jnp.asarray(rng.normal(size=(6, 4)), "float32")

    out, gradient = _value_and_gradient(lambda m: (jnp.sum((y := m(x, static=static)) ** 2), y))(net)

    assert out[1].shape == ((6, 8, 2) if sequence else (6, 2))
    assert all(jnp.abs(leaf).max() > 0 for leaf in jax.tree.leaves(gradient))


@pytest.mark.parametrize("kind", SERIES)
def test_static_features_are_as_if_they_stood_in_every_step(kind, rng):
    net = kind(3, 2, 4, hidden=5, rngs=nnx.Rngs(0))
    x, static = rng.normal(size=(6, 8, 3)).astype("float32"), rng.normal(size=(6, 4)).astype("float32")
    wide = kind(7, 2, hidden=5, rngs=nnx.Rngs(0))
    (cell,), (own,) = wide.layers.cells[0], net.layers.cells[0]
    cell.kernel[...], cell.recurrent[...] = jnp.concatenate([own.kernel[...], own.static[...]]), own.recurrent[...]
    wide.head = net.head
    joined = np.concatenate([x, np.repeat(static[:, None], 8, 1)], -1)

    np.testing.assert_allclose(call(net, x, static=static), call(wide, joined), atol=1e-5)


@pytest.mark.parametrize("kind", SERIES)
def test_a_pass_in_bfloat16_is_near_that_in_float32(kind, rng):
    net = kind(3, 2, hidden=5, rngs=nnx.Rngs(0))
    x = jnp.asarray(rng.normal(size=(20, 60, 3)), "float32")
    graph, params = nnx.split(net)
    run = jax.jit(lambda params, x: nnx.merge(graph, params)(x))
    whole = run(params, x)
    half = run(*jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), (params, x)))

    assert half.dtype == jnp.bfloat16
    assert jnp.linalg.norm(half.astype("float32") - whole) < 0.1 * jnp.linalg.norm(whole)


@pytest.mark.parametrize("kind", SERIES)
def test_dropout_acts_only_with_a_key_and_not_on_the_state(kind, rng):
    net = kind(3, 2, hidden=5, layers=2, dropout=0.5, rngs=nnx.Rngs(0))
    x = jnp.asarray(rng.normal(size=(6, 8, 3)), "float32")
    run = nnx.jit(lambda net, key: net.layers(x, key, sequence=False))
    (dropped, states), (other, _), (kept, plain) = (
        run(net, key) for key in (*jax.random.split(jax.random.key(0)), None)
    )

    assert (dropped != other).any()
    assert set(jnp.unique(dropped == 0).tolist()) == {False, True}
    np.testing.assert_array_equal(kept, run(net, None)[0])
    _same(states[0], plain[0])


@pytest.mark.parametrize("kind", SERIES)
def test_ten_series_are_learned_whose_sign_stood_in_the_first_of_forty_steps(kind, rng):
    x = jnp.asarray(0.1 * rng.normal(size=(10, 40, 2)), "float32").at[:, 0, 0].set(jnp.array([1.0, -1.0] * 5))

    assert _overfit(kind(2, 1, hidden=16, rngs=nnx.Rngs(0)), x, x[:, 0, :1], steps=150) < 0.01


@pytest.mark.parametrize("kind", SERIES)
def test_members_all_at_once_are_the_members_one_by_one(kind, rng):
    made = [nnx.split(kind(3, 2, hidden=5, rngs=nnx.Rngs(m))) for m in range(3)]
    members = jax.tree.map(lambda *leaves: jnp.stack(leaves), *(m[1] for m in made))
    x = jnp.asarray(rng.normal(size=(4, 6, 3)), "float32")

    def of(params):
        return nnx.merge(made[0][0], params)(x)

    np.testing.assert_allclose(jax.vmap(of)(members), jax.lax.map(of, members), atol=1e-6)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"x": jnp.zeros((4, 6, 2))}, "`x` must be"),
        ({"static": None}, "`static` must be"),
        ({"static": jnp.zeros(5)}, "`static` must be"),
        ({"mask": jnp.ones(6, bool)}, "`mask` must be"),
        ({"mask": jnp.ones((6, 4), bool)}, "`mask` must be"),
    ],
)
def test_arrays_that_do_not_go_together_are_told(change, said):
    net = LSTM(3, 2, 5, hidden=4, rngs=nnx.Rngs(0))
    given = {"x": jnp.zeros((4, 6, 3)), "static": jnp.zeros((4, 5)), "mask": None} | change

    with pytest.raises(UserError, match=said):
        net(given["x"], static=given["static"], mask=given["mask"])


@pytest.mark.parametrize("name", ["lstm", "gru", "convlstm"])
@pytest.mark.parametrize("wrong", [{"layers": 0}, {"dropout": 1.0}, {"dropout": -0.1}])
def test_a_size_that_makes_no_model_is_refused_with_the_configuration(name, wrong):
    with pytest.raises(UserError, match=next(iter(wrong))):
        models.check_sizes(name, wrong)


def _gradient(function):
    return nnx.jit(nnx.grad(function))


def _value_and_gradient(function):
    return nnx.jit(nnx.value_and_grad(function, has_aux=True))


def _same(one, other, atol=1e-5):
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(a, b, atol=atol)


def _overfit(net, x, y, steps):
    optimizer = nnx.Optimizer(net, optax.adam(1e-2), wrt=nnx.Param)

    @nnx.jit
    def step(net, optimizer):
        value, gradient = nnx.value_and_grad(lambda m: jnp.mean((m(x) - y) ** 2))(net)
        optimizer.update(net, gradient)
        return value

    for _ in range(steps):
        value = step(net, optimizer)
    return float(value)
