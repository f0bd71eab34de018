"""What one step does: turns, pieces of a batch, low precision, and optimizers, against answers known beforehand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from geojax.config import Training
from geojax.task import Examples, Turn
from geojax.training import loop, members
from geojax.training.checkpoints import Checkpoints
from geojax.training.steps import stepper


class Net(nnx.Module):
    def __init__(self, rngs):
        self.first = nnx.Linear(3, 8, rngs=rngs)
        self.last = nnx.Linear(8, 1, rngs=rngs)

    def __call__(self, x):
        return self.last(nnx.tanh(self.first(x)))


class Players(nnx.Module):
    """A generator that shifts noise and a critic that tells it from data by its mean."""

    def __init__(self, rngs):
        self.generator = nnx.Param(jnp.zeros(()))
        self.critic = nnx.Linear(1, 1, rngs=rngs)


def loss(model, batch, key, training):
    return jnp.mean((model(batch.rows["x"]) - batch.rows["y"]) ** 2)


def settings(**changes):
    given = {"epochs": 1, "batch_size": 16, "learning_rate": 0.01, "weight_decay": 0.0, "clip_norm": 1e9, "warmup": 0.0}
    return Training(**given | changes)


@pytest.fixture
def examples(rng):
    x = rng.normal(size=(64, 3)).astype("float32")
    return Examples({"x": x, "y": np.sin(x.sum(1, keepdims=True)).astype("float32")})


SUPERVISED = (Turn(loss),)


def one_step(examples, own, create=Net, turns=SUPERVISED, steps=1):
    """Parameters after steps on the first rows, and the losses (step, turn)."""
    graph, state = members.begin(create, turns, own, steps)
    carry = jax.tree.map(lambda x: x[0], (state.params, state.average, state.rest, state.optimizers))
    step, updates = stepper(graph, turns, own, steps, lambda batch: batch), sum(turn.times for turn in turns)
    rows = jnp.arange(updates * own.batch_size).reshape(updates, -1) % examples.size
    losses = []
    for i in range(steps):
        now = rows, jax.random.split(jax.random.key(i), updates)
        carry, values = step(carry, now, examples)
        losses.append(values)
    return carry[0], jnp.stack(losses)


def flat(params):
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(params)])


@pytest.mark.parametrize("pieces", [2, 4, 16])
def test_gradients_summed_over_pieces_are_those_of_the_whole_batch(examples, pieces):
    whole, one = one_step(examples, settings(optimizer="sgd", momentum=0.0))
    summed, several = one_step(examples, settings(optimizer="sgd", momentum=0.0, accumulate=pieces))

    np.testing.assert_allclose(flat(summed), flat(whole), atol=1e-7)
    np.testing.assert_allclose(several, one, rtol=1e-6)


def test_activations_computed_twice_give_the_same_update(examples):
    kept, _ = one_step(examples, settings())
    again, _ = one_step(examples, settings(rematerialize=True))

    np.testing.assert_allclose(flat(again), flat(kept), atol=1e-7)


def test_sgd_without_momentum_moves_by_rate_times_gradient(examples):
    graph, params, rest = nnx.split(Net(nnx.Rngs(0)), nnx.Param, ...)
    batch = examples.take(np.arange(16))
    slope = jax.grad(lambda p: loss(nnx.merge(graph, p, rest), batch, None, True))(params)

    moved, _ = one_step(examples, settings(optimizer="sgd", momentum=0.0, schedule="constant", learning_rate=0.1))

    np.testing.assert_allclose(flat(moved), flat(params) - 0.1 * flat(slope), atol=1e-7)


def test_momentum_sums_earlier_gradients(examples):
    def slope_one(model, batch, key, training):
        return model.first.kernel[...].sum() + 0 * model.last.kernel[...].sum()

    own = settings(optimizer="sgd", momentum=0.5, schedule="constant", learning_rate=1.0, epochs=3)
    start = nnx.state(Net(nnx.Rngs(0)), nnx.Param)["first"]["kernel"][...]
    moved, _ = one_step(examples, own, turns=(Turn(slope_one),), steps=3)

    np.testing.assert_allclose(moved["first"]["kernel"][...], start - (1 + 1.5 + 1.75), atol=1e-5)


def test_weights_decay_without_a_gradient(examples):
    own = settings(optimizer="sgd", momentum=0.0, weight_decay=0.5, schedule="constant", learning_rate=0.1)
    start = flat(nnx.state(Net(nnx.Rngs(0)), nnx.Param))

    moved, _ = one_step(examples, own, turns=(Turn(lambda *_: jnp.zeros(())),))

    np.testing.assert_allclose(flat(moved), 0.95 * start, atol=1e-7)


def test_bfloat16_computes_low_and_keeps_weights_and_losses_in_float32(examples):
    seen = []

    def watched(model, batch, key, training):
        out = model(batch.rows["x"])
        seen.append((batch.rows["y"].dtype, out.dtype))
        return jnp.mean((out - batch.rows["y"]) ** 2)

    high, exact = one_step(examples, settings())
    low, rounded = one_step(examples, settings(precision="bfloat16"), turns=(Turn(watched),))

    assert {leaf.dtype for leaf in jax.tree.leaves(low)} == {jnp.dtype("float32")}
    assert seen[0] == (jnp.float32, jnp.float32)
    assert rounded.dtype == jnp.float32
    assert exact != rounded
    np.testing.assert_allclose(rounded, exact, rtol=0.02)
    assert np.abs(flat(low) - flat(high)).max() < 0.025  # Adam's first step is the rate, whatever the gradient


def test_the_model_of_a_low_training_sees_bfloat16_alone(examples):
    class Watched(Net):
        def __call__(self, x):
            assert x.dtype == self.first.kernel[...].dtype == jnp.bfloat16
            return super().__call__(x)

    one_step(examples, settings(precision="bfloat16"), create=Watched)


def test_each_turn_moves_its_own_player_on_fresh_batches_as_often_as_it_says(examples):
    seen = []

    def of_critic(model, batch, key, training):
        jax.debug.callback(lambda x: seen.append(("critic", float(x))), batch.rows["x"][0, 0], ordered=True)
        return model.critic.kernel[...].sum() + model.generator[...]

    def of_generator(model, batch, key, training):
        jax.debug.callback(lambda x: seen.append(("generator", float(x))), batch.rows["x"][0, 0], ordered=True)
        return model.generator[...] * model.critic.kernel[...].sum()

    turns = Turn(of_critic, "critic", 3), Turn(of_generator, "generator")
    own = settings(optimizer="sgd", momentum=0.0, schedule="constant", player_rates={"critic": 2.0})
    start = nnx.state(Players(nnx.Rngs(0)), nnx.Param)
    moved, losses = one_step(examples, own, Players, turns)
    jax.effects_barrier()

    kernel = start["critic"]["kernel"][...].sum()
    np.testing.assert_allclose(moved["critic"]["kernel"][...].sum(), kernel - 3 * 0.02, rtol=1e-5)
    np.testing.assert_allclose(moved["generator"][...], -0.01 * (kernel - 0.06), rtol=1e-5)  # after the critic moved
    np.testing.assert_allclose(losses[0], [kernel - 0.02, 0.0], rtol=1e-5)  # the critic's is the mean of its three
    first = examples.rows["x"][[0, 16, 32, 48], 0]
    assert seen == [(who, float(x)) for who, x in zip(["critic"] * 3 + ["generator"], first, strict=True)]


def test_an_adversarial_training_writes_a_loss_for_each_player(examples, tmp_path):
    def toward(model, batch, key, training):
        return (model.generator[...] - 1.0) ** 2

    turns = Turn(lambda m, *_: jnp.mean(m.critic.kernel[...] ** 2), "critic", 2), Turn(toward, "generator")
    own = settings(epochs=30, learning_rate=0.1)

    best, history = loop.fit(Players, turns, toward, examples, examples, own, Checkpoints(tmp_path, "key"))

    assert {"critic_loss", "generator_loss", "validation_loss"} <= set(history)
    assert history["generator_loss"].iloc[-1] < 0.05 < history["generator_loss"].iloc[0]
    assert best[0]["generator"][...][0] == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize(("schedule", "end"), [("cosine", 0.001), ("linear", 0.001), ("constant", 0.1)])
def test_a_schedule_rises_to_its_rate_and_ends_as_it_says(schedule, end):
    from geojax.training import optimizers

    rate = optimizers.schedule(settings(schedule=schedule, warmup=0.2, learning_rate=0.1), 100)

    assert rate(0) == pytest.approx(0.0)
    assert rate(20) == pytest.approx(0.1)
    assert rate(100) == pytest.approx(end)
