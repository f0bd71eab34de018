"""Which examples a step sees, and which a fold is held out from."""

import jax
import numpy as np
import xarray as xr
from flax import nnx

from geojax.config import Training
from geojax.task import Examples, Turn
from geojax.training import loop, order, weights
from geojax.training.checkpoints import Checkpoints


def settings(**changes):
    return Training(**{"epochs": 3, "batch_size": 8, "learning_rate": 0.05, "weight_decay": 0.0} | changes)


def test_an_epoch_visits_every_example_once():
    assert sorted(np.ravel(order.rows(jax.random.key(3), 64, (4, 1, 16)))) == list(range(64))


def test_a_member_of_a_fold_visits_its_own_rows_alone_and_each_once():
    own = np.array([5, 9, 2, 40, 7, 11, -1, -1])

    assert sorted(np.ravel(order.rows(jax.random.key(3), 6, (3, 1, 2), own))) == [2, 5, 7, 9, 11, 40]


def test_epochs_longer_than_a_pass_repeat_no_example_within_a_pass():
    rows = np.ravel(order.rows(jax.random.key(0), 10, (6, 2, 2)))

    assert all(len(set(rows[i : i + 10])) == 10 for i in (0, 10))


def test_each_fold_trains_on_all_but_itself_and_the_one_that_judges_it(rng):
    fold = rng.permutation(np.repeat(np.arange(4), [3, 9, 5, 7]))

    held = order.held(fold)

    for f, (train, judged) in enumerate(zip(held.train, held.validation, strict=True)):
        after = (f + 1) % 4
        assert set(judged) == set(np.flatnonzero(fold == after))
        assert set(train[train >= 0]) == set(np.flatnonzero((fold != f) & (fold != after)))
        assert len(train[train >= 0]) == np.sum((fold != f) & (fold != after))


class Line(nnx.Module):
    def __init__(self, rngs):
        self.linear = nnx.Linear(3, 1, rngs=rngs)


def loss(model, batch, key, training):
    return np.mean((model.linear(batch.rows["x"]) - batch.rows["y"]) ** 2)


def test_what_a_fold_predicts_comes_from_its_own_members_alone():
    values = np.arange(6, dtype="float32").reshape(6, 1, 1) * np.ones((6, 3, 1), "float32")
    dims = ("linear.kernel_member", "linear.kernel_1", "linear.kernel_2")
    stored = xr.Dataset({"linear.kernel": (dims, values), "linear.bias": (("b_member", "b_1"), np.zeros((6, 1)))})
    ones = Examples({"x": np.ones((4, 3), "float32")})

    found = weights.predictors([Line] * 3, stored, lambda model, batch: model.linear(batch.rows["x"]), 2)

    # Two members a fold: 0 and 1, 2 and 3, 4 and 5, each times three ones.
    np.testing.assert_allclose([of(ones)[:, 0] for of in found], np.outer([1.5, 7.5, 13.5], np.ones(4)))


def test_folds_trained_at_once_equal_trainings_of_each_alone(rng, tmp_path):
    x = rng.normal(size=(48, 3)).astype("float32")
    whole = Examples({"x": x, "y": x.sum(1, keepdims=True) + rng.normal(size=(48, 1)).astype("float32")})
    own = settings(ensemble=2)
    held = order.held(np.repeat(np.arange(3), 16))

    def fit(name, train, judged, own, held=None):
        marks = Checkpoints(tmp_path / name, "key")
        return loop.fit(Line, (Turn(loss),), loss, train, judged, own, marks, held=held)

    (both, _), _ = fit("all", whole, whole, own, held)

    kernels = both["linear"]["kernel"][...]
    assert len(kernels) == 6
    for fold in range(3):
        alone = order.Held(held.train[fold : fold + 1], held.validation[fold : fold + 1])
        single = settings(ensemble=1).model_copy(update={"seed": 1})
        (one, _), _ = fit(f"fold {fold}", whole, whole, single, alone)
        np.testing.assert_allclose(kernels[2 * fold + 1], one["linear"]["kernel"][...][0], rtol=1e-5)
