"""Kp is read as published, the parts of a field add up, detectors find what is planted, scores are scikit-learn's."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from geojax import task as tasks
from geojax.baselines import anomalies
from geojax.data.magnetism import observatory
from geojax.errors import UserError
from geojax.scores import detection
from geojax.task import Examples

DAYS = {"2024-05-09": "1- 1+ 1- 1+ 1o 1o 2+ 2o", "2024-05-10": "3- 3- 2+ 2o 4- 8- 9- 9o"}


def test_kp_is_read_in_its_notation():
    assert [observatory.kp(word) for word in ("0o", "5-", "5o", "8+")] == pytest.approx([0, 14 / 3, 5, 25 / 3])


def test_a_word_that_is_no_kp_or_a_day_without_kp_is_refused():
    with pytest.raises(UserError, match="'10' stands there"):
        observatory.kp("10")
    with pytest.raises(UserError, match="lacks that of 2024-05-11T00"):
        observatory.activity(np.array(["2024-05-11T01:00"], "M8[s]"), DAYS)
    with pytest.raises(UserError, match="must have eight values, but has 2"):
        observatory.activity(np.array(["2024-05-09T01:00"], "M8[s]"), {"2024-05-09": "1o 1o"})


def test_activity_belongs_to_the_interval_of_three_hours():
    times = np.array(["2024-05-10T14:59:59", "2024-05-10T15:00:00", "2024-05-10T23:59:59"], "M8[s]")

    assert observatory.activity(times, DAYS) == pytest.approx([4 - 1 / 3, 8 - 1 / 3, 9])


def test_averages_are_of_what_is_known():
    series = np.array([[1.0], [3.0], [np.nan], [5.0], [np.nan], [np.nan], [7.0]])

    np.testing.assert_array_equal(observatory.average(series, 2), [[2.0], [5.0], [np.nan]])


def test_parts_add_up_and_each_finds_its_own():
    minutes = np.arange(4 * 1440.0)
    daily = 20 * np.cos(2 * np.pi * minutes / 1440) + 5 * np.sin(4 * np.pi * minutes / 1440)
    storm = np.where(minutes > 2000, -100 * np.exp(-(minutes - 2000) / 1500), 0.0)
    fast = np.where((minutes > 2500) & (minutes < 2510), 30.0, 0.0)
    field = (21_000 + daily + storm + fast)[:, None]

    found = observatory.decompose(minutes, field, minutes < 1900, 180)

    np.testing.assert_allclose(sum(found), field)
    np.testing.assert_allclose(found.slow, 21_000, atol=0.1)
    np.testing.assert_allclose(found.daily[:, 0], daily, atol=0.1)
    far = np.abs(minutes - 2000) > 120
    np.testing.assert_allclose(found.storm[far, 0], storm[far], atol=5)
    assert found.fast[2505, 0] == pytest.approx(30, abs=1)


def test_what_is_planted_has_the_size_that_was_asked_for(rng):
    still = np.zeros((300, 60, 3))

    height = np.linalg.norm(observatory.plant(rng, still, 20.0, (2.0, 8.0)), axis=2).max(1)

    assert height.max() <= 8.0
    assert 1.5 < np.median(height) < 6.0


def quiet(rng, count, plant=False):
    """Windows of three components that are two waves of random size, and a little noise."""
    time = np.arange(60) / 60
    waves = np.stack([np.sin(2 * np.pi * time), np.cos(2 * np.pi * time)])
    window = np.einsum("nwc,wt->ntc", rng.normal(size=(count, 2, 3)), waves) + 0.05 * rng.normal(size=(count, 60, 3))
    planted = (np.arange(count) % 2 == 0) & plant
    window[planted] = observatory.plant(rng, window[planted], 20.0, (1.5, 6.0))
    window = (window - window.mean(1, keepdims=True)).astype("float32")
    rows = {"window": window, "departure": window[:, None], "planted": planted.astype("float32")}
    return Examples(rows)


def test_principal_components_find_what_waves_of_any_size_hide_from_a_range(rng):
    train, validation, test = quiet(rng, 300), quiet(rng, 200, True), quiet(rng, 400, True)
    areas = {}
    for method in (
        anomalies.PrincipalComponents((1, 2, 8)), anomalies.Range(), anomalies.RunningMedian([1.0]),
        anomalies.IsolationForest(),
    ):  # fmt: skip
        told = method.fit(train, validation)
        assert 0.5 < told["validation_auc"] <= 1
        areas[type(method)] = roc_auc_score(test.rows["planted"], method.predict(test))

    assert areas[anomalies.PrincipalComponents] > 0.95
    assert areas[anomalies.PrincipalComponents] > areas[anomalies.Range] > 0.5


@pytest.fixture
def scored(rng):
    event = rng.random(500) < 0.3
    return np.round(rng.normal(size=500) + event, 1), event, rng.integers(0, 7, 500)  # rounded: there are ties


def test_areas_are_those_of_scikit_learn(scored):
    score, event, group = scored
    summed = detection.counts(score, event, group).sum("group")

    assert float(detection.roc_auc(summed)) == pytest.approx(roc_auc_score(event, score))
    assert float(detection.average_precision(summed)) == pytest.approx(average_precision_score(event, score))
    alarms, hits, _ = roc_curve(event, score, drop_intermediate=False)
    assert float(detection.sensitivity(summed, 0.05)) == pytest.approx(hits[alarms <= 0.05].max())


def test_a_resample_that_takes_a_group_twice_counts_it_twice(scored):
    score, event, group = scored
    counts = detection.counts(score, event, group)
    twice = np.concatenate([np.arange(500), np.flatnonzero(group == 3)])

    found = float(detection.roc_auc(counts.sum("group") + counts.sel(group=3)))

    assert found == pytest.approx(roc_auc_score(event[twice], score[twice]))


def day(rng, date):
    times = np.datetime64(date, "ns") + np.arange(86_400) * np.timedelta64(1, "s")
    fields = {f"field_{c}": ("time", rng.normal(size=86_400).astype("float32")) for c in "hez"}
    return xr.Dataset(fields, {"time": times, "station": "WIC"}, {"part": date})


def test_windows_lie_side_by_side_in_their_interval_and_validation_is_planted(rng):
    task = tasks.configured("geomagnetic_storm", {"kp": DAYS, "medians_h": [0.5]})
    parts = {date: day(rng, date) for date in DAYS}
    index = pd.concat([task.index(part).assign(part=name) for name, part in parts.items()], ignore_index=True)
    of = {
        group: "train" if "-09T" in group else "validation" if group < "2024-05-10T09" else "test"
        for group in index["group"].unique()
    }
    scaling = xr.Dataset({f"field_{c}_spread": 4.0 for c in "hez"})

    rows = task.expand(index.assign(split=index["group"].map(of)))
    found = task.examples(rows, parts, scaling)

    tested = rows[rows["split"] == "test"]
    assert (tested.groupby("group").size() == 9).all()  # of twenty minutes
    assert (np.diff(tested["time"]) >= np.timedelta64(20, "m")).all()
    assert (rows.loc[rows["split"] == "validation", "planted"].mean(), rows["planted"].sum()) == (0.5, 27)
    np.testing.assert_array_equal(found.rows["event"], rows["kp"] > 4.6)
    np.testing.assert_allclose(found.rows["window"].mean(1), 0, atol=1e-4)
    plain, planted = (found.rows["window"][rows["planted"] == which] for which in (False, True))
    assert planted.std(1).max() > 1.5 * plain.std(1).max()


def test_a_storm_in_the_training_split_is_refused(rng):
    task = tasks.configured("geomagnetic_storm", {"kp": DAYS})
    index = task.index(day(rng, "2024-05-10")).assign(split="train")

    with pytest.raises(UserError, match=r"must be quiet, but Kp is 7.67 in 2024-05-10T15"):
        task.expand(index)
