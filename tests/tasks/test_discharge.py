"""A model of discharge is applied to one's own tables: right days, right units, nothing from incomplete histories."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from geojax import application
from geojax import task as tasks
from geojax.config import Dataset
from geojax.errors import UserError

WARMUP, DAYS = 40, 500
FORECAST = {"leads": (3, 7), "past_flow": True, "warmup": WARMUP}
AREA = {"a": 100.0, "b": 864.0}
UNITS = {"discharge": "m3 s-1", "precipitation": "mm", "temperature": "degree_Celsius"}


@pytest.fixture
def data(dataset):
    """What a run on tables of two basins knows: flow in m3/s about 5 with deviation 2."""
    own = {name: {"name": name[0].upper(), "units": units, "long_name": name} for name, units in UNITS.items()}
    dataset["reader"] = {"name": "table", "variables": own}
    dataset["reader"]["options"] = {"time": "date", "index": ["time", "basin"], "text": {"basin": "gauge"}}
    dataset["scaling"] |= {"center": "mean", "spread": "point"}
    levels = {"center": {"discharge": 5.0, "precipitation": 2.0, "temperature": 9.0},
              "spread": {"discharge": 2.0, "precipitation": 4.0, "temperature": 6.0}}  # fmt: skip
    scaling = xr.Dataset(
        {f"{name}_{of}": ("basin", np.full(2, value, "float32"))
         for of, values in levels.items() for name, value in values.items()}, {"basin": list("ab")}
    )  # fmt: skip
    known = {"basin": list("ab"), "area": ("basin", list(AREA.values())), "latitude": ("basin", [50.0, 51.0])}
    part = xr.Dataset({n: (("time", "basin"), np.zeros((1, 2)), {"original_units": u}) for n, u in UNITS.items()})
    read = partial(application.read, [Dataset.model_validate(dataset)], scaling)
    return tasks.Data({"1990": part.assign_coords(known)}, scaling, read)


@pytest.fixture
def table(rng) -> pd.DataFrame:
    """Daily weather and flow of both basins from 2001-01-01."""
    days = pd.date_range("2001-01-01", periods=DAYS)
    pieces = [
        pd.DataFrame({"date": days, "gauge": gauge, "P": rng.gamma(0.5, 4, DAYS), "T": rng.normal(9, 6, DAYS),
                      "D": 1 + rng.gamma(2, 2, DAYS)})
        for gauge in "ab"
    ]  # fmt: skip
    return pd.concat(pieces, ignore_index=True)


def persistence(leads):
    """A model that says of each day what flowed at the day of issue, in mm/d."""

    def predict(examples):
        basin, start = examples.rows["basin"], examples.rows["start"]
        day = start[:, None, None] + np.arange(366)[:, None] - np.array(leads)
        flow = examples.shared["inputs"][basin[:, None, None], day, 5]
        center, spread = (examples.shared[name][basin][:, None, None] for name in ("center", "spread"))
        return flow * spread + center

    return predict


def applied(table, data, folder, predict=None, **settings) -> pd.DataFrame:
    task = tasks.configured("streamflow", FORECAST | settings)
    table.to_csv(folder / "own.csv", index=False)
    predict = predict or persistence(task.settings.leads)
    (path,) = task.apply(predict, [folder / "own.csv"], folder, data)
    return pd.read_csv(path, parse_dates=["issued", "date"])


def test_persistence_gives_the_flow_of_the_day_of_issue_at_each_lead_and_beyond_the_last_day(table, data, tmp_path):
    found = applied(table, data, tmp_path)

    last = table["date"].max()
    for (basin, lead), own in found.groupby(["basin", "lead_days"]):
        assert own["issued"].tolist() == [*pd.date_range(f"{table['date'].min() + pd.Timedelta(days=WARMUP - lead)}",
                                                         last)]  # fmt: skip
        assert (own["date"] - own["issued"] == pd.Timedelta(days=lead)).all()
        flow = table[table["gauge"] == basin].set_index("date").loc[own["issued"], "D"].to_numpy()
        np.testing.assert_allclose(own["discharge_m3_per_s"], flow, rtol=2e-5)
        np.testing.assert_allclose(own["discharge_mm_per_day"], flow * 86.4 / AREA[str(basin)], rtol=2e-5)
    assert found["date"].max() == last + pd.Timedelta(days=7)


def test_no_day_is_forecast_whose_history_lacks_something_and_other_basins_are_not_touched(table, data, tmp_path):
    whole = applied(table, data, tmp_path)
    table.loc[200, "P"] = np.nan  # of basin a, 2001-07-20
    table = table.drop(index=300)  # 2001-10-28, a line that is missing

    found = applied(table, data, tmp_path)

    left_out = whole.merge(found, how="left", indicator=True).query("_merge == 'left_only'")
    expected = {
        (lead, day + pd.Timedelta(days=after))
        for lead in (3, 7) for day in pd.to_datetime(["2001-07-20", "2001-10-28"]) for after in range(WARMUP - lead + 1)
    }  # fmt: skip
    assert set(left_out["basin"]) == {"a"}
    assert set(zip(left_out["lead_days"], left_out["issued"], strict=True)) == expected
    assert len(found) == len(whole) - len(expected)


def test_discharge_is_simulated_from_tables_that_hold_none(table, data, tmp_path):
    settings = {"leads": (0,), "past_flow": False}

    def rain(examples):
        basin, start = examples.rows["basin"], examples.rows["start"]
        return examples.shared["inputs"][basin[:, None], start[:, None] + np.arange(366), 0][..., None] * 4

    found = applied(table.drop(columns="D"), data, tmp_path, rain, **settings)

    merged = found.merge(table, left_on=["basin", "date"], right_on=["gauge", "date"])
    assert len(merged) == len(found) == 2 * (DAYS - WARMUP)
    assert (found["issued"] == found["date"]).all()
    np.testing.assert_allclose(merged["discharge_mm_per_day"], merged["P"], atol=1e-4)


def test_one_basin_of_the_run_is_enough_and_unknown_areas_leave_depth_alone(table, data, tmp_path):
    one = applied(table[table["gauge"] == "b"], data, tmp_path)
    assert set(one["basin"]) == {"b"}

    parts = {"1990": data.parts["1990"].drop_vars("area")}
    for array in parts["1990"].data_vars.values():
        array.attrs["original_units"] = "mm d-1" if array.name == "discharge" else array.attrs["original_units"]
    unknown = tasks.Data(parts, data.scaling, data.read)
    found = applied(table.drop(columns="D"), unknown, tmp_path, lambda e: np.ones((e.size, 366, 1)),
                    leads=(0,), past_flow=False)  # fmt: skip
    assert found["discharge_m3_per_s"].isna().all()
    assert (found["discharge_mm_per_day"] == 1).all()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda t: t.drop(columns="T"), r"own.csv: must have one column `T`, but has none"),
        (lambda t: t.drop(columns="D"), r"own.csv: must have one column `D`, but has none"),
        (lambda t: t.replace({"gauge": {"b": "x"}}), r"basin x must be one that the run was trained on \(a, b\)"),
        (lambda t: t[t["date"] < "2001-01-20"], "weather and discharge of 34 days in a row must be known"),
    ],
)
def test_tables_that_a_run_cannot_take_are_refused_by_name(table, data, tmp_path, change, told):
    with pytest.raises(UserError, match=told):
        applied(change(table), data, tmp_path)
