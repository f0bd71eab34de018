"""The training loop: exact, repeatable, resumable, and honest about failure."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from geojax.config import Training
from geojax.errors import UserError
from geojax.task import Examples, Turn
from geojax.training import loop, members, weights
from geojax.training.checkpoints import Checkpoints
from geojax.training.devices import Layout
from geojax.training.feeding import Pools

TRUE = np.array([[1.0], [-2.0], [0.5]])


class Line(nnx.Module):
    def __init__(self, rngs):
        self.linear = nnx.Linear(3, 1, rngs=rngs)
        self.scale = nnx.Variable(jnp.ones(3))

    def __call__(self, x):
        return self.linear(x * self.scale[...])


def loss(model, batch, key, training):
    return jnp.mean((model(batch.rows["x"]) - batch.rows["y"]) ** 2)


@pytest.fixture
def examples(rng):
    x = rng.normal(size=(64, 3)).astype("float32")
    return Examples({"x": x, "y": (x @ TRUE).astype("float32")})


def settings(**changes):
    return Training(**{"epochs": 40, "batch_size": 16, "learning_rate": 0.1, "weight_decay": 0.0} | changes)


def fit(examples, directory, loss=loss, **changes):
    return train(examples, examples, settings(**changes), Checkpoints(directory, "key", 0.0), loss=loss)


def train(examples, validation, settings, checkpoints, start=None, create=Line, loss=loss, **more):
    return loop.fit(create, (Turn(loss),), loss, examples, validation, settings, checkpoints, start, **more)


def test_training_finds_the_line_that_made_the_data(examples, tmp_path):
    (params, _), history = fit(examples, tmp_path)

    np.testing.assert_allclose(params["linear"]["kernel"][...][0], TRUE, atol=1e-2)
    assert history["validation_loss"].iloc[-1] < 1e-4 < history["validation_loss"].iloc[0]


def test_two_runs_from_one_seed_are_identical_to_the_bit(examples, tmp_path):
    first, one = fit(examples, tmp_path / "a", epochs=5)
    second, two = fit(examples, tmp_path / "b", epochs=5)

    assert jax.tree.all(jax.tree.map(lambda a, b: (a == b).all(), first, second))
    assert one.equals(two)


def test_a_run_stopped_halfway_resumes_to_the_same_bits(examples, tmp_path):
    whole, history = fit(examples, tmp_path / "whole", epochs=6)
    seen = []

    class KilledError(Exception):
        pass

    class Fragile(Checkpoints):
        def save(self, epoch, state, rows):
            super().save(epoch, state, rows)
            self.manager.wait_until_finished()
            seen.append(epoch)
            if epoch == 3:
                raise KilledError

    with pytest.raises(KilledError):
        train(examples, examples, settings(epochs=6), Fragile(tmp_path / "part", "key", 0.0))
    resumed, again = fit(examples, tmp_path / "part", epochs=6)

    assert seen == [1, 2, 3]
    assert jax.tree.all(jax.tree.map(lambda a, b: (a == b).all(), whole, resumed))
    assert history.equals(again)


def test_members_of_an_ensemble_differ_and_each_equals_its_own_training(examples, tmp_path):
    (both, _), _ = fit(examples, tmp_path / "two", epochs=3, ensemble=2)
    (alone, _), _ = fit(examples, tmp_path / "one", epochs=3, seed=1)

    kernels = both["linear"]["kernel"][...]
    assert not np.array_equal(kernels[0], kernels[1])
    np.testing.assert_allclose(kernels[1], alone["linear"]["kernel"][...][0], rtol=1e-6)


def test_early_stopping_ends_when_nothing_improves_and_keeps_the_best(examples, tmp_path):
    def rising(model, batch, key, training):
        return loss(model, batch, key, training) if training else jnp.sum(model.linear.kernel[...] ** 2)

    (params, _), history = fit(examples, tmp_path, loss=rising, epochs=50, patience=3, learning_rate=0.3)

    best = history.loc[history["validation_loss"].idxmin()]
    assert len(history) < 50
    assert history["epoch"].iloc[-1] == best["epoch"] + 3
    assert np.sum(params["linear"]["kernel"][...] ** 2) == pytest.approx(best["validation_loss"], rel=1e-5)


def test_a_loss_that_is_not_finite_stops_with_step_examples_and_the_last_good_state(examples, tmp_path):
    examples.rows["y"][37] = np.nan

    with pytest.raises(UserError, match=r"is nan at epoch 0, step [0-3], member 0, on rows .*\b37\b.*no checkpoint"):
        fit(examples, tmp_path / "at once")
    examples.rows["y"][37] = 0.0
    fit(examples, tmp_path / "later", epochs=3)

    def breaking(model, batch, key, training):
        good = loss(model, batch, key, training)
        return jnp.where(training & (jnp.abs(model.linear.kernel[...] - TRUE).max() < 0.5), jnp.inf, good)

    with pytest.raises(UserError, match=r"is inf at epoch (\d+),.*after epoch \d+, is kept in .*key"):
        fit(examples, tmp_path / "later2", loss=breaking)


def test_a_loss_that_grows_beyond_measure_stops_the_training(examples, tmp_path):
    with pytest.raises(UserError, match=r"has grown from .* to .* at epoch \d, step"):
        fit(examples, tmp_path, optimizer="sgd", learning_rate=1.5, clip_norm=1e9, schedule="constant")


def test_a_batch_larger_than_the_training_set_is_refused(examples, tmp_path):
    with pytest.raises(UserError, match="must not exceed the 64 training examples, but is 65"):
        fit(examples, tmp_path, batch_size=65)


def test_nothing_is_compiled_again_after_the_first_epoch(examples):
    own, held = settings(), (Turn(loss),)
    graph, state = members.begin(Line, held, own, 4)
    rows_of = loop._rows_of(own, (4, 1, 16), 64, None)
    epoch = loop._compile(graph, held, loss, own, 4, rows_of, Layout(None))
    data = jax.device_put(examples)

    for number in range(4):
        state, _, _ = epoch(state, number, data, data)

    assert epoch._cache_size() == 1


def test_a_moving_average_of_the_weights_is_what_is_kept(examples, tmp_path):
    (fast, _), _ = fit(examples, tmp_path / "fast", epochs=1)
    (slow, _), _ = fit(examples, tmp_path / "slow", epochs=1, average=0.999)
    start = Line(nnx.Rngs(0)).linear.kernel[...]

    moved = [np.abs(found["linear"]["kernel"][...][0] - start).max() for found in (fast, slow)]
    assert moved[1] < 0.02 * moved[0]


def test_weights_survive_the_store(examples, tmp_path):
    from geojax import store

    best, _ = fit(examples, tmp_path / "c", epochs=2, ensemble=2)
    store.write(weights.to_dataset(best, model={"name": "line"}), tmp_path / "model.zarr")
    graph, read = weights.from_dataset(Line, store.read(tmp_path / "model.zarr"))

    predicted = loop.predict(graph, read, lambda model, batch: model(batch.rows["x"]), examples, batch=24)
    linear = best[0]["linear"]
    pairs = zip(linear["kernel"][...], linear["bias"][...], strict=True)
    members = [examples.rows["x"] @ kernel + bias for kernel, bias in pairs]
    np.testing.assert_allclose(predicted, np.mean(members, 0), rtol=1e-5, atol=1e-5)


def test_weights_of_another_model_are_refused(examples, tmp_path):
    best, _ = fit(examples, tmp_path, epochs=1)
    stored = weights.to_dataset(best).rename({"linear.kernel": "other"})

    with pytest.raises(UserError, match=r"linear\.kernel must have shape"):
        weights.from_dataset(Line, stored)


def test_a_warm_start_begins_with_the_weights_it_is_given(examples, tmp_path):
    found, _ = fit(examples, tmp_path / "first", epochs=30)
    start, slow = Checkpoints(tmp_path / "second", "key", 0.0), settings(epochs=1, learning_rate=1e-12)

    (params, _), history = train(examples, examples, slow, start, found)

    np.testing.assert_allclose(params["linear"]["kernel"][...], found[0]["linear"]["kernel"][...], atol=1e-9)
    error = examples.rows["x"] @ found[0]["linear"]["kernel"][...][0] + found[0]["linear"]["bias"][...][0]
    expected = np.mean((error - examples.rows["y"]) ** 2)
    assert history["validation_loss"].iloc[0] == pytest.approx(expected, rel=1e-3)


def test_a_warm_start_carries_what_is_learned_and_makes_fixed_matrices_anew(examples, tmp_path):
    class Normed(nnx.Module):
        def __init__(self, rngs, fixed=1.0):
            self.linear = nnx.Linear(3, 1, rngs=rngs)
            self.norm = nnx.BatchNorm(3, momentum=0.5, rngs=rngs)
            self.fixed = nnx.Variable(jnp.full(2, fixed))

        def __call__(self, x):
            return self.linear(self.norm(x, use_running_average=False))

    first = settings(epochs=2)
    found, _ = train(examples, examples, first, Checkpoints(tmp_path, "key", 0.0), create=Normed)
    _, state = members.begin(lambda rngs: Normed(rngs, fixed=7.0), (Turn(loss),), first, 4, found)

    assert (state.rest["fixed"][...] == 7.0).all()
    assert (state.rest["norm"]["mean"][...] == found[1]["norm"]["mean"][...]).all()
    assert not (found[1]["norm"]["mean"][...] == 0.0).all()
    assert (state.params["linear"]["kernel"][...] == found[0]["linear"]["kernel"][...]).all()


def pooled(examples, size, epochs, loads=None):
    """Pools of `size` rows of the examples, taken round and round."""

    def read(number):
        if loads is not None:
            loads.append(number)
        return examples.take((np.arange(size) + number * size) % examples.size)

    return Pools(read, size, epochs)


def test_training_in_pools_finds_the_same_line_and_compiles_once(examples, tmp_path):
    traced = []

    def counted(model, batch, key, training):
        traced.append(training)
        return loss(model, batch, key, training)

    pools = pooled(examples, 32, 80)
    marks = settings(epochs=80)
    (params, _), history = train(pools, examples, marks, Checkpoints(tmp_path, "key", 0.0), loss=counted)

    np.testing.assert_allclose(params["linear"]["kernel"][...][0], TRUE, atol=1e-2)
    once = len(traced)
    assert len(history) == 80
    train(pooled(examples, 32, 1), examples, settings(epochs=1), Checkpoints(tmp_path / "b", "k"), loss=counted)
    assert len(traced) == 2 * once  # eighty epochs were traced as often as one


@pytest.mark.parametrize("warm", [False, True])
def test_a_run_in_pools_stopped_halfway_resumes_to_the_same_bits(examples, tmp_path, warm):
    start = fit(examples, tmp_path / "before", epochs=2, seed=5)[0] if warm else None

    class KilledError(Exception):
        pass

    class Fragile(Checkpoints):
        def save(self, epoch, state, rows):
            super().save(epoch, state, rows)
            self.manager.wait_until_finished()
            if epoch == 3:
                raise KilledError

    def run(checkpoints, loads=None):
        pools = pooled(examples, 32, 6, loads)
        return train(pools, examples, settings(epochs=6), checkpoints, start)

    whole, history = run(Checkpoints(tmp_path / "whole", "key", 0.0))
    with pytest.raises(KilledError):
        run(Fragile(tmp_path / "part", "key", 0.0))
    loads = []
    resumed, again = run(Checkpoints(tmp_path / "part", "key", 0.0), loads)

    assert loads == [3, 4, 5]
    assert jax.tree.all(jax.tree.map(lambda a, b: (a == b).all(), whole, resumed))
    assert history.equals(again)


def test_pools_of_different_shapes_are_refused(examples, tmp_path):
    pools = Pools(lambda n: examples.take(np.arange(32 + n)), 32, 3)

    with pytest.raises(UserError, match=r"one shape, but x is float32\[33, 3\] in pool 1"):
        train(pools, examples, settings(epochs=3), Checkpoints(tmp_path, "key"))


def test_a_validation_loss_that_is_never_finite_ends_without_weights(examples, tmp_path):
    def broken(model, batch, key, training):
        return loss(model, batch, key, training) * (1.0 if training else jnp.nan)

    with pytest.raises(UserError, match=r"validation loss must be finite.*member 0"):
        fit(examples, tmp_path, loss=broken, epochs=2)
