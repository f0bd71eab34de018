"""Storms are told as defined; forecasts are compared with closed forms; the forecast task sees no future."""

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from flax import nnx
from sklearn.linear_model import LinearRegression

from geojax import task as tasks
from geojax.baselines import boosted_forecasts
from geojax.baselines import forecasts as classical
from geojax.data.magnetism import storms, stretches
from geojax.errors import UserError
from geojax.models.residual_lstm import ResidualLSTM
from geojax.scores import forecasts, regression
from geojax.task import Examples

LEADS = (1, 5)


def relaxing(rng, count=6000, rate=0.9):
    """A first-order autoregression, whose best forecast at lead h is rate**h times the present."""
    series = np.zeros(count)
    for i, kick in enumerate(rng.normal(size=count - 1)):
        series[i + 1] = rate * series[i] + kick
    return series


def examples(series, spin_up=24, origins=40):
    start = stretches.starts(len(series), spin_up + origins + max(LEADS), origins).astype("int32")
    shared = {
        "values": series[:, None].astype("float32"), "target": series.astype("float32"),
        "clock": np.zeros((len(series), 2), "float32"), "leads": np.array(LEADS), "spin_up": np.arange(spin_up),
        "origins": spin_up + np.arange(origins), "minute": np.arange(len(series), dtype="int32") * 60,
    }  # fmt: skip
    return Examples({"start": start, "latest": start}, shared)


def storm_like():
    series = np.zeros(400)
    series[99] = 20.0  # sudden commencement
    series[100:106] = [-20.0, -60.0, -120.0, -90.0, -70.0, -40.0]
    series[110] = -55.0  # the same storm, as less than a day lies between
    series[300] = -80.0
    return series


def test_a_storm_runs_from_its_last_high_hour_to_a_day_after_its_last_low_one():
    found = storms.find(storm_like(), -50.0)

    assert found == [storms.Storm(99, 102, 134), storms.Storm(299, 300, 324)]


def test_a_series_that_stays_above_the_threshold_has_no_storm():
    assert storms.find(np.full(100, -49.0), -50.0) == []
    assert storms.find(np.full(100, np.nan), -50.0) == []


@pytest.mark.parametrize(
    ("origin", "target", "phase"),
    [(90, 98, "quiet"), (99, 101, "storm not begun"), (101, 110, "main phase"), (102, 104, "recovery"),
     (134, 136, "quiet"), (120, 320, "storm not begun")],
)  # fmt: skip
def test_a_phase_is_what_the_origin_knew_of_the_storm_at_the_target(origin, target, phase):
    found = storms.phases(storms.find(storm_like(), -50.0), np.array([[origin]]), np.array([[target]]), 400)

    assert storms.PHASES[found.item()] == phase


def test_intensity_follows_the_classes_of_gonzalez():
    found = [storms.CLASSES[i] for i in storms.intensity(np.array([0.0, -40.0, -80.0, -300.0]))]

    assert found == list(storms.CLASSES)


def test_persistence_and_relaxation_reach_the_errors_that_theory_gives(rng):
    train, validation = examples(relaxing(rng, 20_000)), examples(relaxing(rng, 20_000))
    truth = stretches.truth(validation)

    for method, expected in (
        (classical.Persistence(), lambda h: 2 * (1 - 0.9**h)),
        (classical.Relaxation(), lambda h: 1 - 0.9 ** (2 * h)),
        (classical.RidgeAutoregression(lags=(3,)), lambda h: 1 - 0.9 ** (2 * h)),
    ):
        method.fit(train, validation)
        mean_square = ((method.predict(validation) - truth) ** 2).mean((0, 1))
        theory = [expected(h) / (1 - 0.9**2) for h in LEADS]
        np.testing.assert_allclose(mean_square, theory, rtol=0.06)


def test_the_regression_is_that_of_scikit_learn(rng):
    train = examples(relaxing(rng, 2000))
    places = stretches.origins(train).ravel()
    design = np.stack([train.shared["target"][places - lag] for lag in range(4)], 1)
    expected = LinearRegression().fit(design, train.shared["target"][places[:, None] + np.array(LEADS)])

    (weight,) = classical.regression(train, 4, [1e-12])

    np.testing.assert_allclose(weight[:4], expected.coef_.T, atol=1e-4)
    np.testing.assert_allclose(weight[-1], expected.intercept_, atol=1e-4)


def test_relaxation_bends_where_a_storm_recovers_at_another_rate(rng):
    series = relaxing(rng, 20_000)
    series = np.where(series < -2, 3 * series, series)
    train, validation = examples(series[:10_000]), examples(series[10_000:])

    chosen = classical.Relaxation().fit(train, validation)

    assert chosen["pieces"] > 1


def test_boosted_trees_find_what_a_line_cannot(rng):
    kicks = rng.normal(size=8000)
    series = np.zeros(8000)
    for i in range(1, 8000):
        series[i] = 1 - 1.5 * abs(series[i - 1]) + 0.1 * kicks[i]  # a tent map, chaotic: a line is next to blind
    train, validation = examples(series[:5000]), examples(series[5000:])
    truth = stretches.truth(validation)
    linear, trees = (
        classical.RidgeAutoregression(),
        boosted_forecasts.BoostedTrees(leaves=(6,), trees=60, rate=0.1, every=1),
    )

    errors = []
    for method in (linear, trees):
        method.fit(train, validation)
        errors.append(((method.predict(validation) - truth)[..., 0] ** 2).mean())

    assert errors[1] < 0.8 * errors[0]


def test_an_untrained_model_is_the_linear_forecast(rng):
    train = examples(relaxing(rng, 2000))
    (weight,) = classical.regression(train, 4, [1e-6])
    model = ResidualLSTM(weight[:4].reshape(4, 1, 2), weight[4:-1], weight[-1], np.ones(2), hidden=4, rngs=nnx.Rngs(0))
    places = train.rows["start"][:3, None] + np.arange(64)
    values, clock = (jnp.asarray(train.shared[name][places]) for name in ("values", "clock"))

    found = model(values, clock, 40)

    origin = stretches.origins(train)[:3]
    expected = stretches.lagged(train, 4, origin.ravel()) @ weight[:-1] + weight[-1]
    np.testing.assert_allclose(found, expected.reshape(3, 40, 2), atol=1e-4)


def test_no_forecast_sees_what_comes_after_it(rng):
    model = ResidualLSTM(
        rng.normal(size=(3, 1, 2)), rng.normal(size=(2, 2)), np.zeros(2), np.ones(2), hidden=4, rngs=nnx.Rngs(0)
    )
    model.lstm.head.kernel[...] = jnp.ones((4, 2))
    values, clock = jnp.asarray(rng.normal(size=(1, 30, 1)), "float32"), jnp.zeros((1, 30, 2))

    before, after = model(values, clock, 20), model(values.at[:, 25:].add(5.0), clock, 20)

    np.testing.assert_array_equal(before[:, :15], after[:, :15])
    assert not np.allclose(before[:, 15], after[:, 15])


def test_skill_is_the_share_of_the_reference_error_that_is_avoided():
    truth, group = np.array([0.0, 0.0, 0.0, np.nan]), np.array(["a", "a", "b", "b"])
    found = forecasts.sums(
        truth,
        np.array([1.0, 1.0, 2.0, 9.0]),
        np.full(4, 2.0),
        group,
        {"lead": (["1 h", "2 h"], np.array([0, 1, 0, 0]))},
    )

    assert float(forecasts.skill(found.sum(["group", "lead"]))) == pytest.approx(1 - 6 / 12)
    np.testing.assert_allclose(forecasts.skill(found.sum("group")), [1 - 5 / 8, 1 - 1 / 4])
    assert float(regression.root_mean_square(found.sum(["group", "lead"]))) == pytest.approx(2**0.5)


def part_of(series, first="2001-01-01T00:30"):
    times = np.datetime64(first, "ns") + np.arange(len(series)) * np.timedelta64(1, "h")
    fields = {name: ("time", series.astype("float32")) for name in ("rc", "rc_external", "rc_internal")}
    return xr.Dataset(fields, {"time": times}, {"part": first[:4]})


def test_examples_hold_the_series_in_its_own_units_and_stretches_within_their_part(rng):
    task = tasks.configured("storm_forecast", {"leads": [1, 24], "spin_up": 48, "origins": 24})
    parts = {"2001": part_of(relaxing(rng, 500)), "2002": part_of(relaxing(rng, 500), "2002-01-01T00:30")}
    scaling = xr.Dataset(
        {
            f"{n}_{of}": v
            for n in ("rc", "rc_external", "rc_internal")
            for of, v in (("center", -10.0), ("spread", 20.0))
        }
    )
    index = pd.concat([task.index(part).assign(part=name) for name, part in parts.items()], ignore_index=True)

    found = task.examples(index.assign(split="train"), parts, scaling)

    raw = np.concatenate([20 * part["rc"].values - 10 for part in parts.values()])
    np.testing.assert_allclose(found.shared["target"], raw, rtol=1e-5, atol=1e-5)
    for start, latest, part in zip(found.rows["start"], found.rows["latest"], index["part"], strict=True):
        inside = (0, 500) if part == "2001" else (500, 1000)
        assert inside[0] <= start <= latest <= inside[1] - task.settings.length
    sums = task.statistics(index, found, stretches.truth(found), scaling)
    assert float(sums["square"].sum()) == 0
    assert float(sums["weight"].sum()) == stretches.truth(found).size


def test_times_that_are_not_equally_far_apart_are_refused(rng):
    task = tasks.configured("storm_forecast", {})
    part = part_of(relaxing(rng, 400)).isel(time=np.delete(np.arange(400), 7))

    with pytest.raises(UserError, match="times must be equally far apart"):
        task.index(part)


def test_forecasts_are_drawn_at_the_hour_that_they_are_for():
    from geojax.report.ring_current import Series
    from geojax.task import Outcome

    test = examples(storm_like(), spin_up=24, origins=40)
    test.shared.update({"step_h": np.array([1.0]), "threshold": np.array([-50.0])})
    perfect = stretches.truth(test)
    empty = pd.DataFrame()
    series = Series(Outcome(empty, {}, xr.Dataset(), test, perfect, {"persistence": perfect}, "persistence", empty))

    ahead = series.ahead(perfect, 1)
    known = np.isfinite(ahead)

    np.testing.assert_array_equal(ahead[known], storm_like()[known])
    assert known.sum() == perfect[..., 1].size
    np.testing.assert_array_equal(series.issued(perfect, 101), storm_like()[[102, 106]])
    assert series.issued(perfect, 3) is None  # before the first origin
    assert [storm.peak for storm in series.chosen.values()] == [102, 102, 300]
