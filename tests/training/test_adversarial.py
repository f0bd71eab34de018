"""Adversarial games: closed forms, who is trained in which turn, and a Gaussian that is learned."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from scipy.special import expit

from geojax.models.gan import GAN
from geojax.task import Examples
from geojax.training.objectives.adversarial import (
    dcgan,
    gradient_penalty,
    hinge,
    logistic,
    margin,
    wasserstein,
    wgan_gp,
)

REAL, MADE = np.array([2.0, -0.5, 0.3]), np.array([-3.0, 0.2, 1.4])
KEY = jax.random.key(0)


def x_of(batch):
    return batch.rows["x"]


class Fixed(nnx.Module):
    """A game whose scores are known: the critic adds up what it sees, the generator ignores its noise."""

    class Constant(nnx.Module):
        latent = 1

        def __init__(self):
            self.value = nnx.Param(jnp.asarray(MADE[:, None]))

        def __call__(self, latent, key=None):
            return self.value[...]

    class Sum(nnx.Module):
        def __init__(self):
            self.slope = nnx.Param(jnp.ones(()))

        def __call__(self, x, key=None):
            return self.slope[...] * x.sum(-1)

    def __init__(self):
        self.generator, self.critic = self.Constant(), self.Sum()


BATCH = Examples({"x": jnp.asarray(REAL[:, None])})


@pytest.mark.parametrize(
    ("turns", "critic", "generator"),
    [
        (dcgan(x_of), -np.log(expit(REAL)).mean() - np.log(expit(-MADE)).mean(), -np.log(expit(MADE)).mean()),
        (
            dcgan(x_of, smoothing=0.1),
            -(0.9 * np.log(expit(REAL)) + 0.1 * np.log(expit(-REAL))).mean() - np.log(expit(-MADE)).mean(),
            -np.log(expit(MADE)).mean(),
        ),
        (wgan_gp(x_of), MADE.mean() - REAL.mean(), -MADE.mean()),
        (hinge(x_of), np.maximum(0, 1 - REAL).mean() + np.maximum(0, 1 + MADE).mean(), -MADE.mean()),
    ],
    ids=["logistic", "smoothed", "wasserstein", "hinge"],
)
@pytest.mark.parametrize("training", [True, False])
def test_losses_of_known_scores_have_their_closed_form(turns, critic, generator, training):
    values = [turn.loss(Fixed(), BATCH, KEY, training) for turn in turns]

    assert [turn.player for turn in turns] == ["critic", "generator"]
    np.testing.assert_allclose(values, [critic, generator], rtol=1e-5, atol=1e-6)


def test_the_critic_of_the_wasserstein_game_moves_five_times_a_step_the_generator_once():
    assert [turn.times for turn in wgan_gp(x_of)] == [5, 1]
    assert [turn.times for turn in wgan_gp(x_of, critic_steps=2)] == [2, 1]


@pytest.mark.parametrize("judged", [logistic, margin, wasserstein])
def test_scores_far_out_give_a_finite_loss_and_gradient(judged):
    slope = jax.grad(lambda scores: judged(scores, -scores))(jnp.array([-1e4, 1e4]))

    assert jnp.isfinite(judged(jnp.array([-1e4]), jnp.array([1e4])))
    assert jnp.isfinite(slope).all()


@pytest.mark.parametrize(("slope", "expected"), [(1.0, 0.0), (3.0, 4.0), (0.0, 1.0)])
def test_the_gradient_penalty_is_the_squared_departure_of_the_slope_from_one(slope, expected, rng):
    real, made = jnp.asarray(rng.normal(size=(2, 5, 4, 4, 2)), "float32")
    way = rng.normal(size=(4, 4, 2))
    way = jnp.asarray(way / np.linalg.norm(way), "float32")

    def penalty(slope):
        return gradient_penalty(lambda x: slope * jnp.sum(way * x, (1, 2, 3)), real, made, KEY)

    assert float(penalty(slope)) == pytest.approx(expected, abs=1e-5)
    assert float(jax.grad(penalty)(slope)) == pytest.approx(2 * (slope - 1) if slope else 0.0, abs=1e-3)


def test_the_penalty_is_taken_between_a_real_sample_and_its_partner():
    """Slope 2x of x² summed; between 1 and 1 it is 2, and between 0 and 1 its departure averages 1/3."""
    ones = jnp.ones((20000, 1))

    at_one = gradient_penalty(lambda x: jnp.sum(x**2, -1), ones, ones, KEY)
    between = gradient_penalty(lambda x: jnp.sum(x**2, -1), ones, 0 * ones, KEY)

    assert float(at_one) == pytest.approx(1.0, rel=1e-4)
    assert float(between) == pytest.approx(1 / 3, rel=0.03)


@pytest.fixture
def net():
    return GAN(1, 3, size=8, latent=4, width=4, spectral=True, rngs=nnx.Rngs(0))


@pytest.fixture
def batch(rng):
    return Examples({"x": jnp.asarray(rng.normal(size=(6, 8, 8, 1)), "float32"), "label": jnp.arange(6) % 3})


def slope_of(turn, graph, params, rest, batch):
    def loss(params):
        return turn.loss(nnx.merge(graph, params, rest, copy=True), batch, KEY, True)

    return jax.jit(jax.grad(loss))(params)


@pytest.mark.parametrize("game", [dcgan, wgan_gp, hinge])
def test_a_turn_trains_its_player_and_leaves_the_other(game, net, batch):
    for turn in game(x_of, lambda batch: {"label": batch.rows["label"]}):
        own = nnx.All(nnx.Param, nnx.PathContains(turn.player))
        graph, params, rest = nnx.split(net, own, ...)

        slope = slope_of(turn, graph, params, rest, batch)

        assert set(slope) == {turn.player}
        assert sum(jnp.abs(leaf).max() > 0 for leaf in jax.tree.leaves(slope)) >= 4


def test_the_turn_of_the_critic_has_no_gradient_for_the_generator(net, batch):
    critic, _ = wgan_gp(x_of, lambda batch: {"label": batch.rows["label"]})
    graph, params, rest = nnx.split(net, nnx.Param, ...)

    slope = slope_of(critic, graph, params, rest, batch)

    assert all((leaf == 0).all() for leaf in jax.tree.leaves(slope["generator"]))
    assert any((leaf != 0).any() for leaf in jax.tree.leaves(slope["critic"]))


def test_the_condition_reaches_both_players(net, batch):
    turns = dcgan(x_of, lambda batch: {"label": batch.rows["label"]})
    other = Examples(batch.rows | {"label": batch.rows["label"][::-1]})

    for turn in turns:
        value = nnx.jit(lambda net, batch, turn=turn: turn.loss(net, batch, KEY, False))
        assert value(net, batch) != value(net, other)


class Line(nnx.Module):
    """Samples of a Gaussian: mean plus spread times noise."""

    latent = 1

    def __init__(self):
        self.mean, self.spread = nnx.Param(jnp.zeros(())), nnx.Param(jnp.ones(()))

    def __call__(self, latent, key=None):
        return self.mean[...] + self.spread[...] * latent


class Judge(nnx.Module):
    def __init__(self, rngs):
        self.first, self.second = nnx.Linear(1, 32, rngs=rngs), nnx.Linear(32, 1, rngs=rngs)

    def __call__(self, x, key=None):
        return self.second(nnx.gelu(self.first(x)))[:, 0]


class Pair(nnx.Module):
    def __init__(self, rngs):
        self.generator, self.critic = Line(), Judge(rngs)


@pytest.mark.parametrize(
    ("turns", "rate", "near"),
    [(dcgan(x_of), 1e-2, 0.06), (wgan_gp(x_of, penalty=0.1), 2e-2, 0.15)],
    ids=["dcgan", "wgan"],
)
def test_a_game_with_two_optimizers_learns_the_mean_and_spread_of_a_gaussian(turns, rate, near):
    """A strong gradient penalty would bar a critic of one variable from turning its slope of 1 into one of −1."""
    mean, spread, steps = 1.5, 0.4, 1500
    net = Pair(nnx.Rngs(0))
    graph, *players, rest = nnx.split(net, *[nnx.PathContains(turn.player) for turn in turns], ...)
    optimizers = [optax.adam(optax.linear_schedule(rate, 0.0, steps * turn.times), 0.5, 0.9) for turn in turns]

    def step(carry, key):
        players, moments = list(carry[0]), list(carry[1])
        for number, turn in enumerate(turns):
            for own in jax.random.split(jax.random.fold_in(key, number), turn.times):
                first, second = jax.random.split(own)
                batch = Examples({"x": mean + spread * jax.random.normal(first, (64, 1))})

                def loss(player, number=number, turn=turn, batch=batch, second=second):
                    now = [*players[:number], player, *players[number + 1 :]]
                    return turn.loss(nnx.merge(graph, *now, rest, copy=True), batch, second, True)

                change, moments[number] = optimizers[number].update(jax.grad(loss)(players[number]), moments[number])
                players[number] = optax.apply_updates(players[number], change)
        return (players, moments), None

    moments = [optimizer.init(player) for optimizer, player in zip(optimizers, players, strict=True)]
    keys = jax.random.split(KEY, steps)
    (players, _), _ = jax.jit(lambda c: jax.lax.scan(step, c, keys))((players, moments))

    learned = nnx.merge(graph, *players, rest).generator
    assert float(learned.mean[...]) == pytest.approx(mean, abs=near)
    assert abs(float(learned.spread[...])) == pytest.approx(spread, abs=near)


def test_a_turn_draws_other_noise_with_another_key(net, batch):
    _, generator = dcgan(x_of, lambda batch: {"label": batch.rows["label"]})

    value = nnx.jit(lambda net, key: generator.loss(net, batch, key, False))

    assert value(net, KEY) == value(net, KEY) != value(net, jax.random.key(1))
