"""Rates of earthquakes: cells, kernels, causality of every map, baselines and scores, against what is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from flax import nnx
from scipy.integrate import dblquad, quad

from geojax import task as tasks
from geojax.baselines import seismicity as classical
from geojax.data.events import rate_maps, seismicity
from geojax.data.events.cells import Catalogue, Cells, days, positions
from geojax.data.events.seismicity import DEGREE_KM, OFFSET_DAYS, Pairs
from geojax.errors import UserError
from geojax.models.gru import GRU
from geojax.models.modulated import Modulated
from geojax.task import Examples

SETTINGS = {"warmup_years": 3, "window": 4, "judged": 2, "neighbours": (1,), "reference": 0, "cell": 5.0, "stride": 2}


def catalogue(times, lat, lon, magnitude=6.0) -> Catalogue:
    times, lat, lon = (np.atleast_1d(np.asarray(x, float)) for x in (times, lat, lon))
    return Catalogue(times, lat, lon, np.full(len(times), 10.0), np.broadcast_to(magnitude, times.shape).astype(float))


def year(name: int, rng, events: int = 60) -> xr.Dataset:
    """A year of events along two arcs, one of them deep."""
    first, length = np.datetime64(f"{name}-01-01", "s"), 365 * 86400
    time = first + np.sort(rng.integers(0, length, events)).astype("timedelta64[s]")
    time[0], time[-1] = first, first + np.timedelta64(length - 1, "s")
    deep = rng.random(events) < 0.3
    values = {
        "latitude": np.where(deep, -20.0, 10.0) + rng.normal(0, 3, events),
        "longitude": np.where(deep, 179.0, 120.0) + rng.normal(0, 4, events),
        "depth": np.where(deep, 400.0, 20.0),
    }
    values["longitude"] = (values["longitude"] + 180) % 360 - 180
    coords = {"time": ("event", time.astype("datetime64[ns]"))} | {k: ("event", v) for k, v in values.items()}
    part = xr.Dataset({"magnitude": ("event", 5.5 + rng.exponential(0.4, events))}, coords, {"part": str(name)})
    part["depth"].attrs["units"] = "km"
    return part


@pytest.fixture
def made(rng):
    task = tasks.configured("earthquake_rates", SETTINGS)
    parts = {str(name): year(name, rng) for name in range(2001, 2008)}
    index = pd.concat([task.index(part).assign(part=name) for name, part in parts.items()], ignore_index=True)
    split = np.select([index["time"] < "2006", index["time"] < "2007"], ["train", "validation"], "test")
    return task, parts, task.expand(index.assign(split=split))


def rows(index: pd.DataFrame, split: str) -> pd.DataFrame:
    return index[index["split"] == split].reset_index(drop=True)


def test_cells_have_nearly_equal_areas_and_with_elsewhere_cover_the_earth(rng):
    lat, lon = np.degrees(np.arcsin(rng.uniform(-0.9, 0.9, 3000))), rng.uniform(-180, 180, 3000)

    cells = Cells.around(lat, lon, 4.0)

    assert cells.share.sum() == pytest.approx(1)
    assert np.ptp(cells.share[:-1]) < 0.1 * cells.share[:-1].mean()


def test_a_cell_holds_the_events_that_it_is_given(rng):
    lat, lon = rng.uniform(-90, 90, 500), rng.uniform(-180, 180, 500)

    cells = Cells.around(lat, lon, 2.0)

    own = cells.of(lat, lon)
    assert (np.abs(lat - cells.lat[own]) <= cells.half_lat + 1e-9).all()
    assert (np.abs(lon - cells.lon[own]) <= cells.half_lon[own] + 1e-9).all()


def test_an_event_far_from_all_cells_is_elsewhere():
    cells = Cells.around(np.array([0.0]), np.array([0.0]), 2.0)

    assert cells.of(np.array([0.0, 60.0]), np.array([0.0, 100.0]))[1] == cells.size - 1
    assert 4 <= cells.size - 1 <= 9


def test_the_share_of_a_kernel_in_a_cell_is_its_integral():
    events = catalogue(0.0, 0.3, 0.2)
    cells = Cells.around(np.array([0.3]), np.array([0.2]), 2.0)
    width = 60.0

    shares = Pairs.of(events, cells).shares(np.array([width])).toarray()[:, 0]

    here = cells.of(np.array([0.3]), np.array([0.2]))[0]
    x, y = cells.lon[here] - 0.2, cells.lat[here] - 0.3
    expected, _ = dblquad(
        lambda b, a: width / (2 * np.pi) * (a**2 + b**2 + width**2) ** -1.5,
        *(DEGREE_KM * (x + d) for d in (-1, 1)), *(DEGREE_KM * (y + d) for d in (-1, 1)),
    )  # fmt: skip
    assert shares[here] == pytest.approx(expected, rel=1e-3)
    assert shares.sum() == pytest.approx(1)


def test_kernels_add_up_to_one_also_across_the_dateline_and_near_a_pole(rng):
    events = catalogue(np.arange(4.0), [1, 1, 85, -60], [179.9, -179.9, 10, 0])
    cells = Cells.around(events.lat, events.lon, 2.0)

    shares = Pairs.of(events, cells).shares(np.full(4, 30.0)).toarray()

    np.testing.assert_allclose(shares.sum(0), 1)
    side = cells.of(np.array([1.0]), np.array([-179.9]))[0]
    assert shares[side, 0] > 0.25  # the event on the other side of the dateline


def test_the_nearest_neighbour_is_another_and_an_earlier_event():
    events = catalogue(np.arange(4.0), [0, 0, 0, 0], [0, 1, 3, 3.1])

    found = seismicity.neighbour_distance(events, 3, 1)

    np.testing.assert_allclose(found, DEGREE_KM * np.array([1, 1, 2, 0.1]), rtol=1e-6)


def test_a_cluster_counts_little_more_than_its_first_event():
    events = catalogue([0, 1, 2, 3, 100], [0, 0.1, 0.2, 50, 0], [0, 0, 0, 0, 0])

    np.testing.assert_allclose(seismicity.thinning(events), [1, 1 / 2, 1 / 3, 1, 1])


def test_what_an_event_triggers_is_the_integral_of_its_law_over_each_later_month():
    events, edges = catalogue(10.0, 0, 0, 7.5), np.array([0.0, 30, 60, 90])
    cells = Cells.around(events.lat, events.lon, 2.0)

    found = seismicity.triggered(events, Pairs.of(events, cells), edges, 5.5, alpha=0.8, p=1.3, width=5)

    law = [quad(lambda t: (t + OFFSET_DAYS) ** -1.3, *span)[0] for span in ((20, 50), (50, 80))]
    np.testing.assert_allclose(found.sum(1), [0, *(10**1.6 * np.array(law))], rtol=1e-5)


def test_the_law_is_continuous_where_its_exponent_is_one():
    events, edges = catalogue(10.0, 0, 0), np.array([0.0, 30, 60])
    pairs = Pairs.of(events, Cells.around(events.lat, events.lon, 2.0))

    one, near = (seismicity.triggered(events, pairs, edges, 5.5, alpha=0, p=p, width=5) for p in (1.0, 1.0001))

    np.testing.assert_allclose(one, near, rtol=1e-3)


def test_no_map_of_a_month_knows_what_came_after_its_start(rng):
    time = np.sort(rng.uniform(0, 360, 200))
    lat, lon = rng.normal(0, 4, 200), rng.normal(0, 4, 200)
    edges = np.arange(0.0, 361, 30)
    cells = Cells.around(lat, lon, 2.0)
    moved = np.where(time < edges[8], lat, -lat)
    options = {"level_years": 1, "neighbours": (1,), "uniform": 1e-3, "reference": 0, "laws": ((0.5, 1.2, 5.0),)}

    one, other = (rate_maps.known(catalogue(time, own, lon), cells, edges, 5.5, 3, **options) for own in (lat, moved))

    for name in ("inputs", "background", "triggered", "reference"):
        np.testing.assert_array_equal(one[name][3:9], other[name][3:9])
        assert (one[name][9] != other[name][9]).any()
    np.testing.assert_allclose(one["background"][6].sum(0), 30 * np.sum(time < edges[6]) / edges[6], rtol=1e-4)


def test_a_part_has_a_row_for_each_month_with_its_events(made):
    task, parts, _ = made

    found = task.index(parts["2003"])

    times = pd.DatetimeIndex(parts["2003"]["time"].values)
    np.testing.assert_array_equal(found["events"], np.bincount(times.month, minlength=13)[1:])
    assert list(found["group"].unique()) == ["2003Q1", "2003Q2", "2003Q3", "2003Q4"]


def test_a_catalogue_without_depths_is_refused(made):
    task, parts, _ = made

    with pytest.raises(UserError, match="part 2003: must hold depth, but holds"):
        task.index(parts["2003"].drop_vars("depth"))


def test_depths_in_metres_are_taken_for_what_they_are_and_others_refused(made):
    *_, parts, _ = made
    kilometres = parts["2003"]
    metres = kilometres.assign_coords(depth=("event", 1000 * kilometres["depth"].values, {"units": "m"}))
    feet = kilometres.assign_coords(depth=kilometres["depth"].assign_attrs(units="ft"))

    np.testing.assert_allclose(Catalogue.gather([metres], 5).depth, Catalogue.gather([kilometres], 5).depth)
    with pytest.raises(UserError, match="part 2003: depth must be in km or m, but its units are 'ft'"):
        Catalogue.gather([feet], 5)


def test_an_event_without_a_place_is_refused(made):
    *_, parts, _ = made
    part = parts["2003"].copy(deep=True)
    part["latitude"][3] = np.nan

    with pytest.raises(UserError, match="part 2003: every event must have latitude, longitude and depth, but 1 lack"):
        Catalogue.gather([part], 5)


def test_the_order_of_events_in_a_part_is_of_no_account(made, rng):
    task, parts, _ = made
    part = parts["2003"]

    found = task.index(part.isel(event=rng.permutation(60)))

    pd.testing.assert_frame_equal(found, task.index(part))


def test_examples_begin_after_the_first_years_and_count_every_event(made):
    task, parts, index = made

    found = task.examples(rows(index, "test"), parts, xr.Dataset())

    assert index["time"].min() == pd.Timestamp("2004-01-01")
    np.testing.assert_array_equal(found.shared["counts"][found.rows["month"]].sum(1), rows(index, "test")["events"])


def test_cells_are_those_that_training_knows(made):
    task, parts, index = made
    changed = dict(parts) | {"2007": parts["2007"].assign_coords(latitude=("event", np.full(60, 60.0)))}

    one, other = (task.examples(rows(index, "test"), own, xr.Dataset()).shared for own in (parts, changed))

    np.testing.assert_array_equal(one["cells"].lat, other["cells"].lat)
    assert other["counts"][-12:, -1].sum() == 60  # all of them elsewhere


def test_a_forecast_of_a_month_knows_nothing_of_it(made, rng):
    task, parts, index = made
    changed = dict(parts) | {"2007": year(2007, rng)}
    test = rows(index, "test").iloc[:1]
    model = task.model("gru", {"hidden": 4}, task.examples(rows(index, "train"), parts, xr.Dataset()),
                       nnx.Rngs(0))  # fmt: skip

    one, other = (np.asarray(task.predict(model, task.examples(test, own, xr.Dataset()))) for own in (parts, changed))

    np.testing.assert_array_equal(one, other)
    assert (one > 0).all()


def test_training_and_validation_losses_of_the_same_window_agree_when_all_cells_are_seen(made):
    task, parts, index = made
    task = tasks.configured("earthquake_rates", SETTINGS | {"stride": 1, "judged": 1})
    train = task.examples(rows(index, "train"), parts, xr.Dataset())
    model = task.model("gru", {"hidden": 4}, train, nnx.Rngs(0))

    one, other = (task.loss(model, train, jax.random.key(0), training) for training in (True, False))

    assert float(one) == pytest.approx(float(other), rel=1e-5)


def test_a_network_that_says_nothing_leaves_the_mean_background_and_what_is_triggered():
    network = GRU(3, 2, hidden=4, sequence=True, rngs=nnx.Rngs(0))
    network.head.kernel[...] *= 0
    model = Modulated(network, 2, 1, np.zeros(3), np.ones(3), productivity=0.5, window=5)
    background = jnp.array([[[1.0, 3.0]] * 6] * 2)

    found = model(jnp.ones((6, 5, 3)), None, background, jnp.full((2, 6, 1), 4.0))

    np.testing.assert_allclose(found, np.full((2, 6), 2.0 + 0.5 * 4), rtol=1e-6)


def test_weights_of_two_forecasts_are_found_again(rng):
    one, other = rng.uniform(0, 5, (2, 50, 40))
    counts = rng.poisson(0.7 * one + 0.2 * other).astype("float32")
    examples = Examples({"month": np.arange(50)}, {"counts": counts})

    weights, _ = classical._weigh(examples, one, other, 300)

    np.testing.assert_allclose(weights, [0.7, 0.2], atol=0.05)


def test_every_baseline_forecasts_counts_above_zero_and_none_knows_the_month(made, rng):
    task, parts, index = made
    task = tasks.configured("earthquake_rates", SETTINGS | {"evaluations": 5})
    fitted = [task.examples(rows(index, split), parts, xr.Dataset()) for split in ("train", "validation")]
    test = rows(index, "test").iloc[:1]
    known, changed = (
        task.examples(test, own, xr.Dataset()) for own in (parts, dict(parts) | {"2007": year(2007, rng)})
    )

    for name, baseline in task.baselines().items():
        baseline.fit(*fitted)
        found = baseline.predict(known)
        assert (found > 0).all(), name
        np.testing.assert_array_equal(found, baseline.predict(changed), err_msg=name)
        assert 1 < found.sum() < 20, name


def test_days_and_places_are_what_they_say():
    assert days(np.array(["1970-01-02T12:00"], "datetime64[m]"))[0] == 1.5
    np.testing.assert_allclose(positions(np.array([0.0, 90]), np.array([90.0, 0])), [[0, 1, 0], [0, 0, 1]], atol=1e-12)
