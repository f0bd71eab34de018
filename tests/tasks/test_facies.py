"""Facies: windows of logs, features of them, classifiers, scores and scaled networks, against what is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from flax import nnx
from sklearn.tree import DecisionTreeClassifier

from geojax.baselines import facies as baselines
from geojax.baselines.classifiers import FeatureClassifier
from geojax.data import logs
from geojax.errors import UserError
from geojax.models.mlp import MLP
from geojax.models.scaled import Scaled
from geojax.scores import classification
from geojax.task import Examples, configured
from geojax.tasks.facies import ADJACENT, FACIES, LOGS


def well(name: str, samples: int, rng) -> xr.Dataset:
    """A well whose second facies has twice the gamma ray of the first; one log is missing throughout."""
    label = np.arange(samples) // 5 % 2
    values = {log: ("sample", rng.normal(size=samples)) for log in LOGS}
    values["gamma_ray"] = ("sample", 50.0 + 50 * label + rng.normal(size=samples))
    values["photoelectric"] = ("sample", np.full(samples, np.nan))
    coords = {"well": ("sample", [name] * samples), "depth": ("sample", 2000 + 0.5 * np.arange(samples))}
    return xr.Dataset(values | {"facies": ("sample", label + 1)}, coords, {"part": name})


@pytest.fixture
def made(rng):
    task = configured("facies", {"reach": 2})
    parts = {name: well(name, 40, rng) for name in "abc"}
    index = pd.concat([task.index(part).assign(part=name) for name, part in parts.items()], ignore_index=True)
    return task, parts, index


def test_a_window_holds_the_samples_around_its_depth_and_goes_on_beyond_the_ends():
    values = np.arange(5.0)[:, None] * [1, 10]

    found = logs.windows(values, np.array([0, 3]), 2)

    np.testing.assert_array_equal(found[:, :, 0], [[0, 0, 0, 1, 2], [1, 2, 3, 4, 4]])
    np.testing.assert_array_equal(found[:, :, 1], 10 * found[:, :, 0])


def test_moments_are_of_what_is_known():
    values = np.array([[1.0, np.nan, 7], [3, np.nan, 7]])

    center, spread = logs.moments(values)

    np.testing.assert_allclose(center, [2, 0, 7])
    np.testing.assert_allclose(spread, [1, 1, 1])


def test_each_window_of_a_task_is_of_its_own_well(made):
    task, parts, index = made
    shuffled = index.sample(frac=1, random_state=0, ignore_index=True)

    found = task.examples(shuffled, parts, xr.Dataset())

    gamma = [parts[row.part]["gamma_ray"].values[row.position] for row in shuffled.itertuples()]
    np.testing.assert_allclose(found.rows["window"][:, 2, LOGS.index("gamma_ray")], gamma, rtol=1e-6)
    np.testing.assert_array_equal(found.rows["label"], shuffled["label"])


def test_a_facies_beyond_the_named_ones_is_refused(made, rng):
    task, *_ = made
    part = well("d", 10, rng)
    part["facies"][3] = 12

    with pytest.raises(UserError, match="part d: facies must lie from 1 to 9, but run from 1 to 12"):
        task.index(part)


def test_a_missing_log_is_named(made, rng):
    task, *_ = made

    with pytest.raises(UserError, match="part d: must hold porosity, but holds"):
        task.index(well("d", 10, rng).drop_vars("porosity"))


def test_a_missing_value_enters_a_scaled_network_as_the_mean_and_is_told():
    class Echo(nnx.Module):
        def __call__(self, x, key=None):
            return x

    model = Scaled(Echo(), [10.0, 1], [2.0, 1])

    found = model(jnp.array([[[14.0, np.nan]]]))

    np.testing.assert_allclose(found, [[[2, 0, 1, 0]]])


def test_center_and_spread_are_kept_but_not_trained():
    model = Scaled(MLP(4, 2, widths=(3,), rngs=nnx.Rngs(0)), [0.0, 0], [1.0, 1])

    names = {".".join(map(str, path)) for path, _ in nnx.to_flat_state(nnx.state(model, nnx.Param))}

    assert not any("center" in name or "spread" in name for name in names)
    assert model(jnp.zeros((5, 1, 2))).shape == (5, 2)


@pytest.mark.parametrize("name", ["mlp", "cnn", "gru", "lstm"])
def test_each_model_tells_classes_of_a_window_and_its_loss_is_finite(made, name):
    task, parts, index = made
    train = task.examples(index, parts, xr.Dataset())
    sizes = {"cnn": {"windows": (3,), "strides": (1,), "widths": (4,)}, "mlp": {"widths": (4,)}}.get(
        name, {"hidden": 4}
    )

    model = task.model(name, sizes, train, nnx.Rngs(0))

    assert task.predict(model, train.take(np.arange(6))).shape == (6, 9)
    np.testing.assert_allclose(task.predict(model, train).sum(1), 1, rtol=1e-5)
    for training in (False, True):
        assert np.isfinite(task.loss(model, train, jax.random.key(0), training))


def test_facies_of_ones_own_keep_their_names_and_none_is_taken_to_grade_into_another(made):
    _, parts, index = made
    names = tuple("abcdefghi")
    task = configured("facies", {"reach": 2, "facies": names})
    examples = task.examples(index, parts, xr.Dataset())

    counts = task.statistics(index, examples, np.eye(9)[examples.rows["label"]], xr.Dataset())

    assert counts["true"].values.tolist() == list(names)
    assert "adjacent_accuracy" not in task.score(counts.sum("group"))


def test_features_of_a_window_without_a_log_are_missing_and_the_others_are_its_statistics(rng):
    window = rng.normal(size=(3, 5, 2))
    window[..., 1] = np.nan

    found = baselines.features(window).reshape(3, 9, 2)

    assert np.isnan(found[..., 1]).all()
    expected = [window[:, 2], window[:, 1], window[:, 3], window[:, 0], window[:, 4]]
    np.testing.assert_allclose(found[:, :5, 0], np.stack([each[:, 0] for each in expected], 1))
    np.testing.assert_allclose(found[:, 5, 0], window[..., 0].mean(1))
    np.testing.assert_allclose(found[:, 6, 0], window[..., 0].std(1))
    np.testing.assert_allclose(found[:, 7:, 0], np.stack([window[..., 0].min(1), window[..., 0].max(1)], 1))


@pytest.mark.parametrize("name", list(baselines.classifiers(9)))
def test_every_classifier_tells_facies_that_differ_in_gamma_ray(made, name):
    task, parts, index = made
    train, judged = (task.examples(index[index["well"] == w].reset_index(), parts, xr.Dataset()) for w in "ab")
    classifier = baselines.classifiers(9, 1)[name]

    classifier.fit(train, judged)

    found = classifier.predict(judged)
    assert found.shape == (40, 9)
    assert np.mean(found.argmax(1) == judged.rows["label"]) > 0.9


def test_a_class_that_training_lacks_keeps_its_place():
    def features(examples, training):
        return [examples.rows["x"]]

    examples = Examples({"x": np.array([[0.0], [1.0], [0.0], [1.0]]), "label": np.array([0, 3, 0, 3])})
    classifier = FeatureClassifier(features, [DecisionTreeClassifier()], classes=5)

    classifier.fit(examples, examples)

    np.testing.assert_array_equal(classifier.predict(examples).argmax(1), [0, 3, 0, 3])


def test_a_guess_of_an_adjacent_facies_counts_as_right():
    counts = np.zeros((9, 9))
    counts[0, 0], counts[0, 1], counts[0, 2], counts[5, 7] = 4, 3, 2, 1
    array = xr.DataArray(counts, {"true": list(FACIES), "guessed": list(FACIES)}, ("true", "guessed"))

    found = classification.adjacent_accuracy(array, ADJACENT)

    assert float(found) == pytest.approx(0.8)
