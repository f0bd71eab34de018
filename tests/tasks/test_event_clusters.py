"""Clusters of events: scores against scikit-learn, sharpening against its definition, planted groups are found."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from catalogue import SCALING, part, planes, split
from flax import nnx
from sklearn.metrics import adjusted_rand_score, silhouette_samples

from geojax.baselines import clustering as methods
from geojax.data.events import catalogues
from geojax.models.deep_clustering import DeepClustering
from geojax.scores import clustering
from geojax.task import Examples
from geojax.tasks.event_clusters import TASK, ClusterSettings
from geojax.training.objectives import sharpening

CLASSES = ("UP", "P1", "P2", "P3", "ID")


@pytest.mark.parametrize("agreement", [0.0, 0.5, 1.0])
def test_the_adjusted_rand_index_of_summed_tables_is_that_of_scikit_learn(agreement, rng):
    truth = rng.integers(5, size=400)
    found = np.where(rng.random(400) < agreement, truth % 3, rng.integers(4, size=400))
    week = pd.Series(rng.integers(6, size=400).astype(str))

    counts = clustering.contingency(truth, found, week, CLASSES, 4)

    assert float(clustering.adjusted_rand(counts.sum("group"))) == pytest.approx(adjusted_rand_score(truth, found))
    of_weeks = clustering.adjusted_rand(counts)
    for name in of_weeks["group"].values:
        own = (week == name).to_numpy()
        assert float(of_weeks.sel(group=name)) == pytest.approx(adjusted_rand_score(truth[own], found[own]))


@pytest.mark.parametrize(("counts", "value"), [([[5, 0], [0, 3]], 1.0), ([[4], [4]], 0.0), ([[7]], 1.0), ([[1]], 1.0)])
def test_the_adjusted_rand_index_of_equal_and_of_single_clusters(counts, value):
    table = xr.DataArray(np.array(counts, float), dims=("true", "cluster"))

    assert float(clustering.adjusted_rand(table)) == pytest.approx(value)


def test_silhouettes_are_those_of_scikit_learn_and_zero_for_one_cluster(rng):
    values, cluster = rng.normal(size=(50, 3)), rng.integers(3, size=50)

    np.testing.assert_allclose(clustering.silhouettes(values, cluster), silhouette_samples(values, cluster))
    assert (clustering.silhouettes(values, np.zeros(50, int)) == 0).all()


@pytest.mark.parametrize("evenness", [0.0, 1.0])
def test_sharpening_is_the_divergence_of_the_source(evenness, rng):
    q = rng.dirichlet(np.ones(3), 40)
    target = q**2 / q.sum(0) ** evenness
    target /= target.sum(1, keepdims=True)

    value = sharpening(jnp.asarray(q), evenness)

    assert float(value) == pytest.approx((target * np.log(target / q)).sum(1).mean(), rel=1e-5)


def test_sharpening_draws_memberships_towards_certainty_and_rests_there():
    def loss(logits):
        return sharpening(jax.nn.softmax(logits), 0.0)

    unsure = jnp.array([[0.5, 0.0], [0.0, 0.5]])

    slope = jax.grad(loss)(unsure)

    assert (slope[jnp.array([0, 1]), jnp.array([0, 1])] < 0).all()
    assert float(loss(200 * unsure)) == pytest.approx(0, abs=1e-6)
    assert jnp.isfinite(jax.grad(loss)(1e4 * unsure)).all()


def test_deep_clustering_starts_at_principal_components_and_the_centres_given(rng):
    axes = np.linalg.qr(rng.normal(size=(4, 2)))[0]
    centres, x = rng.normal(size=(3, 2)), rng.normal(size=(30, 4)).astype("float32")
    net = DeepClustering(axes, centres, np.full(3, 0.7), hidden=(8,), rngs=nnx.Rngs(0))

    code, restored = net(jnp.asarray(x))

    np.testing.assert_allclose(code, x @ axes, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(restored, x @ axes @ axes.T, rtol=1e-4, atol=1e-5)
    nearest = ((np.asarray(code)[:, None] - centres) ** 2).sum(-1).argmin(1)
    np.testing.assert_array_equal(net.memberships(code).argmax(1), nearest)
    np.testing.assert_allclose(net.memberships(code).sum(1), 1, rtol=1e-5)


@pytest.mark.parametrize(
    "name", ["k-means", "k-means of principal components", "Gaussian mixture", "spectral clustering"]
)
def test_every_method_finds_groups_that_lie_apart(name, rng):
    middles = 12 * rng.normal(size=(3, 4))
    truth = rng.integers(3, size=(2, 200))
    train, later = (Examples({"inputs": (middles[t] + rng.normal(size=(200, 4))).astype("float32")}) for t in truth)
    method = methods.methods(3, 4, 2)[name]

    told = method.fit(train, later)
    found = method.predict(later)

    assert told["criterion"] == max(told["trials"])
    assert found.shape == (200, 3 + 2)
    assert adjusted_rand_score(truth[1], found[:, :3].argmax(1)) > 0.95


def test_height_and_spacing_are_what_a_planted_neighbourhood_tells():
    """Four events at 40, 50, 60 and 50 km below one place, then one at 30 km."""
    time = np.datetime64("2007-01-01") + np.arange(5).astype("timedelta64[D]")
    values = np.array([[-70, -21, depth, 2.0] for depth in (40, 50, 60, 50, 30)])
    events = catalogues.gather({"a": part("a", values, time, ["ID"] * 5)}, SCALING, time.max())

    found = catalogues.surroundings(events, np.array([0, 4]), 4)

    np.testing.assert_allclose(found["height"], [0, np.arcsinh(20 / 5)], rtol=1e-4)
    np.testing.assert_allclose(found["spacing"], [0, np.log10(1 + 20)], rtol=1e-3)


def test_statistics_of_blocks_of_weeks_give_the_scores_of_the_whole(rng):
    values, time, words = planes(rng, 300)
    parts = {"a": part("a", values, time, words)}
    task = TASK(ClusterSettings())
    rows = split(parts, task, ["2007-02-15", "2007-03-01"])
    test = rows[rows["split"] == "test"].reset_index(drop=True)
    examples = task.examples(test, parts, SCALING)
    predicted = rng.random((len(test), task.settings.clusters + task.settings.code))

    score = task.score(task.statistics(test, examples, predicted, SCALING).sum("group"))

    cluster = predicted[:, :5].argmax(1)
    assert float(score["adjusted_rand"]) == pytest.approx(adjusted_rand_score(test["label"], cluster))
    assert float(score["silhouette"]) == pytest.approx(silhouette_samples(examples.rows["inputs"], cluster).mean())
