"""A model of a series is applied to one's own files: forecasts from every step whose history is complete."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from geojax import application
from geojax import task as tasks
from geojax.config import Dataset
from geojax.errors import UserError

SPIN_UP, LEADS, HOURS = 10, (1, 6), 150
INDEX = ("rc", "rc_external", "rc_internal")
START = pd.Timestamp("2024-05-10T00:30")


@pytest.fixture
def data(dataset):
    """What a run on hourly tables knows: each variable about -10 nT with deviation 20."""
    own = {name: {"units": "nT", "long_name": name} for name in INDEX}
    dataset["reader"] = {"name": "table", "variables": own, "options": {"time": "time"}}
    scaling = xr.Dataset(
        {f"{name}_{of}": value for name in INDEX for of, value in (("center", -10.0), ("spread", 20.0))}
    )
    times = pd.date_range("2000-01-01T00:30", periods=3, freq="h")
    part = xr.Dataset({name: ("time", np.zeros(3), {"original_units": "nT"}) for name in INDEX}, {"time": times})
    return tasks.Data({"2000": part}, scaling, partial(application.read, [Dataset.model_validate(dataset)], scaling))


@pytest.fixture
def table(rng) -> pd.DataFrame:
    times = pd.date_range(START, periods=HOURS, freq="h")
    external, internal = rng.normal(-8, 15, HOURS), rng.normal(-2, 5, HOURS)
    return pd.DataFrame({"time": times, "rc": external + internal, "rc_external": external, "rc_internal": internal})


def persistence(examples):
    """The external part at each origin, in nT."""
    at = examples.rows["start"][:, None] + examples.shared["origins"]
    return np.repeat(examples.shared["values"][at, :1] * 20 - 10, len(LEADS), -1)


def applied(table, data, folder, **given) -> pd.DataFrame:
    settings = {"spin_up": SPIN_UP, "leads": LEADS, "lags": 3, "origins": 32, **given}
    table.to_csv(folder / "own.csv", index=False)
    (path,) = tasks.configured("storm_forecast", settings).apply(persistence, [folder / "own.csv"], folder, data)
    return pd.read_csv(path, parse_dates=["issued", "time"])


@pytest.mark.parametrize("hours", [SPIN_UP + 1, 42, 43, HOURS])
def test_persistence_gives_what_was_at_the_hour_of_issue_up_to_the_latest(table, data, tmp_path, hours):
    table = table[:hours]

    found = applied(table, data, tmp_path)

    issued = table["time"][SPIN_UP:].dt.tz_localize("UTC")
    assert found["issued"].tolist() == [time for time in issued for _ in LEADS]
    assert found["lead_hours"].tolist() == [*LEADS] * len(issued)
    assert ((found["time"] - found["issued"]) / pd.Timedelta(hours=1)).tolist() == found["lead_hours"].tolist()
    np.testing.assert_allclose(found["rc"], np.repeat(table["rc_external"][SPIN_UP:], len(LEADS)), atol=1e-3)
    assert set(found["units"]) == {"nT"}


def test_after_a_missing_hour_nothing_is_issued_until_the_history_is_complete_again(table, data, tmp_path):
    whole = applied(table, data, tmp_path)
    table.loc[60, "rc_internal"] = np.nan

    found = applied(table.drop(index=100), data, tmp_path)  # and one hour has no line at all

    lost = sorted(
        {(t - START.tz_localize("UTC")) / pd.Timedelta(hours=1) for t in {*whole["issued"]} - {*found["issued"]}}
    )
    assert lost == [*range(60, 60 + SPIN_UP + 1), *range(100, 100 + SPIN_UP + 1)]


def test_what_is_forecast_need_not_be_known_where_it_is_no_input(table, data, tmp_path):
    assert applied(table.drop(columns="rc"), data, tmp_path).equals(applied(table, data, tmp_path))

    with pytest.raises(UserError, match=r"own.csv: must have one column `rc`, but has none"):
        applied(table.drop(columns="rc"), data, tmp_path, inputs=INDEX)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda t: t.drop(columns="rc_internal"), "own.csv: must have one column `rc_internal`, but has none"),
        (
            lambda t: t.assign(time=pd.date_range(START, periods=HOURS, freq="30min")),
            "must lie whole steps of 1 h apart",
        ),
        (lambda t: t[:SPIN_UP], r"rc_external, rc_internal must be known at 11 steps of 1 h in a row"),
    ],
)
def test_files_that_a_run_cannot_take_are_refused_by_name(table, data, tmp_path, change, told):
    with pytest.raises(UserError, match=told):
        applied(change(table), data, tmp_path)
