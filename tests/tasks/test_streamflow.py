"""Discharge: areas, calendars, the conceptual model, scores and examples agree with what is known in closed form."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.optimize import differential_evolution, rosen
from sklearn.linear_model import Ridge

from geojax import task as tasks
from geojax.baselines import hbv, rainfall_runoff, streamflow
from geojax.baselines.evolution import evolve
from geojax.data.readers import timeseries
from geojax.data.rivers import basins, hydrology
from geojax.errors import UserError
from geojax.report.hydrology import Flows
from geojax.scores import hydrology as scores
from geojax.task import Examples, Outcome


def configured(**given):
    return tasks.configured("streamflow", given)


START = np.datetime64("1990-11-01")


# Areas and calendars ------------------------------------------------------------------------------------------------


def test_all_water_above_a_gauge_drains_to_it():
    drains = hydrology.drained("abcd", {"c": ["a", "b"], "d": ["c"]})

    assert drains.tolist() == [[1, 0, 0, 0], [0, 1, 0, 0], [1, 1, 1, 0], [1, 1, 1, 1]]


def test_a_mean_over_nested_basins_weighs_each_by_its_own_land():
    rain = hydrology.upstream_mean(
        np.array([[6.0, 0.0, 3.0]]), np.array([1.0, 3.0, 2.0]), hydrology.drained("abc", {"c": "ab"})
    )

    assert rain.tolist() == [[6.0, 0.0, (6 * 1 + 0 * 3 + 3 * 2) / 6]]


@pytest.mark.parametrize(
    ("above", "told"),
    [
        ({"a": ["x"]}, "x must be one of the stations a, b, c"),
        ({"b": ["a"], "c": ["a"]}, "a must drain to one next station"),
        ({"a": ["b"], "b": ["a"]}, "must not run in a circle"),
    ],
)
def test_rivers_that_cannot_be_are_refused(above, told):
    with pytest.raises(UserError, match=told):
        hydrology.drained("abc", above)


def test_a_hydrological_year_is_named_by_the_year_in_which_it_ends():
    days = np.array(["2004-10-31", "2004-11-01", "2005-10-31", "2005-11-01"], "datetime64[D]")

    assert hydrology.hydrological_year(days, 11).tolist() == [2004, 2005, 2005, 2006]
    assert hydrology.hydrological_year(days, 1).tolist() == [2004, 2004, 2005, 2005]
    assert hydrology.runs_of_year(days, 11) == [(0, 0), (1, 2), (3, 3)]


def test_potential_evapotranspiration_agrees_with_tabled_radiation():
    # Allen et al. (1998), example 8: 32.2 MJ m-2 d-1 on 3 September at 20 degrees south
    september, south = np.array([246]), np.array([-20.0])

    demand = hydrology.potential_evapotranspiration(np.array([[95.0]]), september, south)

    assert demand[0, 0] * 2.45 == pytest.approx(32.2, abs=0.1)
    assert hydrology.potential_evapotranspiration(np.array([[-6.0]]), september, south) == 0


# Series at stations -------------------------------------------------------------------------------------------------


def gauges(path, name, values, codes, units="mm"):
    content = xr.Dataset(
        {
            name: (("stations", "time"), np.asarray(values, float).T, {"units": units}),
            "id": ("stations", np.array(codes, "S8"), {"cf_role": "timeseries_id"}),
        },
        {"time": pd.date_range("1999-12-30T23:00", periods=len(values))},
    )
    content.to_netcdf(path, engine="netcdf4")
    return path


RAIN = {
    "rain": {"name": "p", "units": "mm", "long_name": "rain"},
    "flow": {"name": "q", "units": "m3 s-1", "long_name": "flow"},
}
NESTED = {"areas": {"a": 1.0, "b": 3.0}, "above": {"b": ["a"]}, "areal": ["rain"]}


def test_stations_are_joined_by_name_and_weather_is_averaged_over_all_that_drains_there(tmp_path):
    p = gauges(tmp_path / "p.nc", "p", [[1, 5], [2, 6], [3, 7]], ["land_b", "land_a"])
    q = gauges(tmp_path / "q.nc", "q", [[10, 20], [11, 21], [12, 22]], ["a", "b"], "m3/s")

    read = timeseries.read(
        {"p": p, "q": q}, {"span": ["2000-01-01", "2001-01-01"]}, RAIN,
        station="basin", code="(?:land_)?(.+)", utc_offset_hours=1, **NESTED,
    )  # fmt: skip

    assert read["basin"].values.tolist() == ["a", "b"]
    assert read["area"].values.tolist() == [1.0, 4.0]
    assert read["time"].values.astype("datetime64[D]").astype(str).tolist() == ["2000-01-01", "2000-01-02"]
    assert read["flow"].values.tolist() == [[11, 21], [12, 22]]
    assert read["rain"].values.tolist() == [[6, (6 + 3 * 2) / 4], [7, (7 + 3 * 3) / 4]]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"code": "land_(.+)"}, "must fit every station, but does not fit 'a'"),
        ({"code": "land"}, "must be a regular expression with one group"),
        ({"areas": {"a": 1.0}}, "areas: must name each station once, a, b, but names a"),
        ({"above": {"b": ["a"]}}, "`above` and `areal` need `areas`"),
        ({**NESTED, "areal": ["snow"]}, "areal: `snow` must be one of"),
        (
            {"coordinates": {"latitude": {"units": "degrees_north", "values": {"a": 1}}}},
            "coordinates: latitude: must name",
        ),
    ],
)
def test_options_that_do_not_fit_the_stations_are_refused(tmp_path, options, told):
    q = gauges(tmp_path / "q.nc", "q", [[10, 20]], ["a", "b"], "m3/s")

    with pytest.raises(UserError, match=told):
        timeseries.read({"q": q}, {}, {"flow": RAIN["flow"]}, **options)


def test_files_of_other_stations_times_or_units_are_refused(tmp_path):
    p = gauges(tmp_path / "p.nc", "p", [[1, 5]], ["a", "b"])
    with pytest.raises(UserError, match=r"must have the same station as `rain`"):
        timeseries.read({"p": p, "q": gauges(tmp_path / "q.nc", "q", [[1, 2]], ["a", "c"], "m3/s")}, {}, RAIN)
    with pytest.raises(UserError, match=r"must have the same time as `rain`, 1 from"):
        timeseries.read({"p": p, "q": gauges(tmp_path / "r.nc", "q", [[1, 2], [3, 4]], ["a", "b"], "m3/s")}, {}, RAIN)
    with pytest.raises(UserError, match=r"`q` must be in 'm3 s-1', but its units are 'mm'"):
        timeseries.read({"p": p, "q": gauges(tmp_path / "s.nc", "q", [[1, 2]], ["a", "b"])}, {}, RAIN)
    with pytest.raises(UserError, match=r"must hold a variable `q`, but none of them does"):
        timeseries.read({"p": p}, {}, RAIN)


# The conceptual model -----------------------------------------------------------------------------------------------


def parameters(**own):
    middle = {name: np.mean(bounds) for name, bounds in hbv.BOUNDS.items()}
    return np.array(list((middle | own).values()))


def weather(days, rng, cold=-5.0, warm=15.0):
    season = (cold + warm) / 2 - (warm - cold) / 2 * np.cos(2 * np.pi * np.arange(days) / 365)
    return np.stack([rng.gamma(0.3, 8.0, days), season + rng.normal(size=days), np.maximum(season, 0) / 5])


def test_no_water_is_lost_or_made(rng):
    forcing = weather(800, rng)
    forcing[2] = 0  # nothing evaporates
    own = parameters(snowfall_correction=1.0)
    begin = hbv.begin(own)

    flow, end = hbv.simulate(forcing, own)

    held = sum(float(store) for store in end[:5]) - sum(float(store) for store in begin[:5])
    underway = sum(
        float(end.runoff[-late]) * hbv.unit_hydrograph(own[-1])[late:].sum() for late in range(1, hbv.LONGEST)
    )
    assert forcing[0].sum() == pytest.approx(flow.sum() + held + underway, rel=1e-9)


def test_snow_falls_in_the_cold_and_melts_by_degree_days():
    own = parameters(threshold_temperature=0.0, snowfall_correction=1.0, degree_day_factor=3.0)
    cold = np.array([[10.0, 0, 0], [-5.0, 2.0, 2.0], [0, 0, 0]])

    _, states = hbv.simulate(cold, own, keep=True)

    assert states.snow.tolist() == pytest.approx([10.0, 4.0, 0.0])  # 6 mm melt on a day of 2 K


def test_a_store_without_rain_recedes_exponentially():
    own = parameters(k2=0.05, percolation=2.0)
    dry = np.stack([np.zeros(60), np.full(60, 10.0), np.zeros(60)])

    flow, _ = hbv.simulate(dry, own)

    assert flow[20:] / flow[19:-1] == pytest.approx(0.95)


def test_a_run_in_two_pieces_is_the_run_in_one(rng):
    forcing, own = weather(200, rng), parameters()

    whole, every = hbv.simulate(forcing, own, keep=True)
    first, middle = hbv.simulate(forcing[:, :120], own)
    second, end = hbv.simulate(forcing[:, 120:], own, middle)

    assert np.concatenate([first, second]) == pytest.approx(whole, abs=1e-12)
    for kept, left in zip(every, end, strict=True):
        assert kept[..., -1] == pytest.approx(left)


def test_the_unit_hydrograph_is_a_triangle_of_area_one():
    for base in (1.0, 2.0, 3.3, 5.0):
        weights = hbv.unit_hydrograph(np.array(base))
        assert weights.sum() == pytest.approx(1.0)
    assert hbv.unit_hydrograph(np.array(1.0))[0] == pytest.approx(1.0)  # all leaves on its day
    assert hbv.unit_hydrograph(np.array(4.0)) == pytest.approx([0.125, 0.375, 0.375, 0.125, 0])


def test_differential_evolution_finds_each_problems_minimum_as_scipy_does():
    bounds = np.array([[-2.0, 2.0]] * 3)
    shifts = np.array([0.0, 0.5])

    found, losses = evolve(
        lambda x: rosen(x + shifts),
        bounds,
        problems=2,
        population=30,
        generations=250,
        generator=np.random.default_rng(1),
    )

    assert found[:, 0] == pytest.approx(differential_evolution(rosen, bounds, seed=1).x, abs=1e-3)
    assert found[:, 1] == pytest.approx([0.5] * 3, abs=1e-3)
    assert losses == pytest.approx(0, abs=1e-6)


def test_calibration_stays_within_bounds_though_the_minimum_lies_outside():
    found, _ = evolve(
        lambda x: ((x - 5.0) ** 2).sum(0), np.array([[0.0, 1.0]] * 2), 1, 20, 60, np.random.default_rng(0)
    )

    assert found[:, 0] == pytest.approx([1.0, 1.0], abs=1e-3)
    assert (found <= 1).all()


# Baselines on planted examples --------------------------------------------------------------------------------------

YEAR = 366


def planted(rng, days=3 * 365, basins=2, truth=None):
    """Examples of one row a basin and year, whose flow is HBV's with parameters of the middle."""
    forcing = np.stack([weather(365 + days + YEAR, rng) for _ in range(basins)], 1).astype("float32")
    flow, _ = hbv.simulate(forcing.astype("float64"), (parameters() if truth is None else truth)[:, None])
    flow = flow.astype("float32")
    flow[:, 365 + days :] = np.nan
    target = flow.copy()
    target[:, :365] = np.nan
    basin, start = (
        own.ravel() for own in np.meshgrid(np.arange(basins), 365 + 365 * np.arange(days // 365), indexing="ij")
    )
    rows = {"basin": basin, "start": start, "days": np.full(len(basin), 365)}
    rows["flow"] = np.where(np.arange(YEAR) < 365, target[basin[:, None], start[:, None] + np.arange(YEAR)], np.nan)
    calendar = pd.date_range(START, periods=forcing.shape[-1]).day_of_year.to_numpy()
    return Examples(rows, {"weather": forcing, "flow": flow, "target": target, "day_of_year": calendar})


def skill(baseline, examples, lead=0):
    found = baseline.predict(examples)[..., lead]
    return streamflow.nash_sutcliffe(found.ravel(), examples.rows["flow"].ravel())


def test_hbv_is_recovered_from_its_own_discharge(rng):
    train, validation, test = (planted(rng) for _ in range(3))
    baseline = rainfall_runoff.HBV(generations=40, starts=1, population=20)

    chosen = baseline.fit(train, validation)

    assert min(chosen["validation_nse"]) > 0.9
    assert skill(baseline, test) > 0.9


def test_updated_hbv_forecasts_better_than_persistence_and_uses_nothing_later(rng):
    train, validation, test = (planted(rng) for _ in range(3))
    updated, persistence = rainfall_runoff.UpdatedHBV((2,), generations=15), streamflow.Persistence((2,))
    for baseline in (updated, persistence):
        baseline.fit(train, validation)

    assert skill(updated, test) > skill(persistence, test)
    changed = {name: array.copy() for name, array in test.shared.items()}
    changed["flow"][:, 600:] = 99.0
    changed["weather"][:, :, 600:] = 7.0
    before = test.rows["start"][:, None] + np.arange(YEAR) < 600 + 2
    same, other = (updated.predict(Examples(test.rows, shared)) for shared in (test.shared, changed))
    assert (same[before] == other[before]).all()
    assert (same[~before] != other[~before]).any()


def test_ridge_regression_is_scikit_learns(rng):
    x, y = rng.normal(size=(1, 300, 4)), rng.normal(size=(1, 300))
    inputs = (x - x.mean(1)) / x.std(1)

    found = streamflow._apply(streamflow._solve(x[0], y[0], 0.01, False), x[0], False)

    assert found == pytest.approx(Ridge(0.01 * 300).fit(inputs[0], y[0]).predict(inputs[0]))


def test_persistence_is_the_last_flow_known(rng):
    examples = planted(rng)
    examples.shared["flow"][0, 400] = np.nan

    found = streamflow.Persistence((1, 3)).predict(examples)

    flow = examples.shared["flow"][0]
    assert found[0, 0].tolist() == [flow[364], flow[362]]
    assert found[0, 36, 0] == flow[399]  # 401 from 400, which is not known


# Scores -------------------------------------------------------------------------------------------------------------


def flows(rng, rows=6, days=50):
    observed = rng.gamma(1.0, 2.0, (rows, days))
    observed[0, :5] = np.nan
    return observed, observed[..., None] * rng.uniform(0.5, 1.5, (rows, days, 1))


def summed(observed, simulated):
    years, names = ["1", "2", "3"] * 2, ["a"] * 3 + ["b"] * 3
    return scores.sums(observed, simulated, years, names, [0], np.full(6, 4.0), np.full(6, 1.0))


def test_scores_from_sums_are_those_of_their_definitions(rng):
    observed, simulated = flows(rng)
    simulated[0, :5] = 1e9  # not observed, so not scored

    total = summed(observed, simulated).sum("group").isel(lead=0)

    kge = scores.kling_gupta(total)
    for basin, rows in (("a", slice(0, 3)), ("b", slice(3, 6))):
        known = np.isfinite(observed[rows])
        o, s = observed[rows][known], simulated[rows, :, 0][known]
        assert scores.nash_sutcliffe(total).sel(basin=basin) == pytest.approx(
            1 - ((s - o) ** 2).sum() / ((o - o.mean()) ** 2).sum()
        )
        parts = np.corrcoef(o, s)[0, 1], s.std() / o.std(), s.mean() / o.mean()
        own = kge.sel(basin=basin)
        assert [float(own[n]) for n in ("correlation", "variability_ratio", "mean_ratio")] == pytest.approx(parts)
        assert own["kge"] == pytest.approx(1 - np.linalg.norm(np.array(parts) - 1))
        assert scores.volume_bias(total, "high").sel(basin=basin) == pytest.approx(s[o > 4].sum() / o[o > 4].sum() - 1)
        assert scores.volume_bias(total, "low").sel(basin=basin) == pytest.approx(s[o < 1].sum() / o[o < 1].sum() - 1)


def test_a_perfect_simulation_scores_one_and_the_observed_mean_nothing(rng):
    observed, _ = flows(rng)
    mean = np.full((*observed.shape, 1), np.nanmean(observed[:3]))

    perfect, flat = (scores.table(summed(observed, s).sum("group")) for s in (np.nan_to_num(observed)[..., None], mean))

    assert perfect["nse"] == pytest.approx(1)
    assert perfect["kge"] == pytest.approx(1)
    assert flat["nse_by_basin"].sel(basin="a") == pytest.approx(0)


# Examples -----------------------------------------------------------------------------------------------------------


def part(year, rng, names=("a", "b")):
    time = pd.date_range(f"{year}-01-01", f"{year}-12-31")
    values = {name: (("time", "basin"), rng.normal(size=(len(time), len(names)))) for name in basins.VARIABLES}
    coords = {
        "time": time,
        "basin": list(names),
        "area": ("basin", [86.4, 864.0][: len(names)]),
        "latitude": ("basin", [50.0, 51.0][: len(names)]),
    }
    found = xr.Dataset(values, coords, {"part": str(year)})
    found["discharge"].attrs["original_units"] = "m3 s-1"
    return found


def scaling():
    own = {
        f"{name}_{kind}": ("basin", [1.0 + i, 2.0 + i])
        for i, name in enumerate(basins.VARIABLES)
        for kind in ("center", "spread")
    }
    return xr.Dataset(own, {"basin": np.array(["a", "b"], np.dtypes.StringDType())})  # as a store gives them


@pytest.fixture
def parts(rng):
    return {str(year): part(year, rng) for year in range(1990, 1994)}


def indexed(parts, task, first="1991-11-01", last="1993-10-31"):
    every = pd.concat([task.index(own).assign(part=name) for name, own in parts.items()], ignore_index=True)
    inside = (every["time"] >= first) & (every["end"] <= last)
    return every[inside].assign(split="test").reset_index(drop=True)


def test_an_example_is_a_hydrological_years_share_of_a_part(parts):
    rows = configured().index(parts["1991"])

    assert rows[["basin", "group", "days"]].values.tolist() == [
        ["a", "1991", 304], ["a", "1992", 61], ["b", "1991", 304], ["b", "1992", 61]
    ]  # fmt: skip


def test_examples_hold_each_rows_discharge_in_mm_per_day(parts):
    task = configured()
    rows = indexed(parts, task)

    found = task.examples(rows, parts, scaling())

    for i, row in enumerate(rows.itertuples()):
        raw = parts[row.part].sel(basin=row.basin, time=slice(row.time, row.end))["discharge"].values
        center = {"a": 3.0, "b": 4.0}[row.basin]
        depth = (raw * center + center) * {"a": 1.0, "b": 0.1}[row.basin]
        assert found.rows["flow"][i, : row.days] == pytest.approx(depth, rel=1e-5)
        assert np.isnan(found.rows["flow"][i, row.days :]).all()


def test_weather_must_be_complete_before_the_first_year_too(parts):
    task = configured()
    rows = indexed(parts, task)
    parts["1990"]["temperature"][-1, 0] = np.nan

    with pytest.raises(
        UserError, match=r"of basin a must be complete, and so the 365 days before, but lack on 1990-12-31"
    ):
        task.examples(rows, parts, scaling())
    with pytest.raises(UserError, match="lack on 1989-11-01"):
        task.examples(indexed(parts, task, "1990-11-01"), parts, scaling())


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"past_flow": True}, "or the answer is known"),
        ({"leads": [3]}, r"must be \[0\], a simulation"),
    ],
)
def test_forecasts_must_not_be_given_their_answer(given, told):
    with pytest.raises(UserError, match=told):
        configured(**given)


def test_a_model_uses_nothing_later_than_its_lead_allows(parts):
    from flax import nnx

    task = configured(leads=(3, 7), past_flow=True, warmup=100)
    rows = indexed(parts, task).head(1)
    found = task.examples(rows, parts, scaling())
    model = task.model("lstm", {"hidden": 4}, found, nnx.Rngs(0))
    known = int(found.rows["start"][0]) + 30  # the day on which nothing is known any more

    shared = dict(found.shared) | {"inputs": found.shared["inputs"].copy()}
    shared["inputs"][:, known:] = 5.0
    same, other = (np.asarray(task.predict(model, Examples(found.rows, s))) for s in (found.shared, shared))

    for i, lead in enumerate(task.settings.leads):
        assert (same[0, : 30 + lead, i] == other[0, : 30 + lead, i]).all()
        assert (same[0, 30 + lead : 61, i] != other[0, 30 + lead : 61, i]).any()


def test_roots_give_no_flow_below_zero(parts):
    from flax import nnx

    task = configured(leads=(1,), past_flow=True, root=True, warmup=30)
    rows = indexed(parts, task)
    found = task.examples(rows, parts, scaling())
    model = task.model("lstm", {"hidden": 4}, found, nnx.Rngs(0))

    flow = (
        model(found.rows, found.shared, found.rows["start"], 366) * found.shared["spread"][0]
        + found.shared["center"][0]
    )

    assert (np.asarray(flow)[found.rows["basin"] == 0] >= -1e-6).all()


def test_a_scaling_that_is_not_by_basin_is_refused(parts):
    task = configured()
    monthly = scaling().expand_dims(month=range(1, 13))

    with pytest.raises(UserError, match=r"Write `scaling: \{center: mean, spread: point, over: \[time\]\}`"):
        task.examples(indexed(parts, task), parts, monthly)


def test_a_part_without_basins_is_refused(parts):
    with pytest.raises(UserError, match="part 1991: must hold `precipitation` on time and basin"):
        configured().index(parts["1991"].isel(basin=0))


def test_pictures_show_each_years_flow_and_its_peak(parts):
    task = configured()
    rows = indexed(parts, task)
    found = task.examples(rows, parts, scaling())
    guess = np.nan_to_num(found.rows["flow"])[..., None]
    outcome = Outcome(rows, parts, scaling(), found, guess, {"HBV": guess + 1.0}, "HBV", pd.DataFrame())

    flows = Flows(outcome, 0)

    assert flows.nse("model") == pytest.approx(np.ones((2, 2)))
    own = (rows["basin"] == "b") & (rows["group"] == "1993")
    assert flows.peaks(flows.observed)[1, 1] == pytest.approx(np.nanmax(found.rows["flow"][own]))
    assert flows.peaks(flows.methods["HBV"]) == pytest.approx(flows.peaks(flows.observed) + 1)
    assert task.pictures(outcome)[0].title == "Hydrographs"
