"""A trained model is applied to one's own files, or it is said plainly why not."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from geojax import application, workflow
from geojax.config import Dataset
from geojax.errors import UserError


@pytest.fixture
def plan(configure):
    return workflow.read(configure())


def test_a_file_that_is_not_there_is_named(plan, tmp_path):
    with pytest.raises(UserError, match=r"nowhere.mseed: must be a file or a folder, but there is none"):
        application.apply("gaps", plan.runs["gaps"], plan.datasets, [Path("nowhere.mseed")], tmp_path)


def test_a_run_that_was_not_trained_says_how_to_train_it(plan, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    with pytest.raises(UserError, match=r"no trained model yet\. Run: snakemake --cores all --config runs=gaps"):
        application.apply("gaps", plan.runs["gaps"], plan.datasets, [tmp_path], tmp_path / "found")


def test_files_are_read_and_scaled_as_the_run_read_and_scaled_its_own(dataset, tmp_path):
    times = pd.date_range("2020-01-01", periods=3)
    own = {"name": "table", "options": {"time": "time"}, "variables": {"sst": {"units": "K", "long_name": "warmth"}}}
    table = pd.DataFrame({"time": times, "sst": [3.0, 5.0, 9.0]})
    fitted = xr.Dataset({"sst_center": 5.0, "sst_spread": 2.0})
    for year, rows in (("a", table[:1]), ("b", table[1:])):
        rows.to_csv(tmp_path / f"{year}.csv", index=False)
    told = Dataset.model_validate(dataset | {"reader": own})

    part = application.read([told], fitted, [tmp_path], ())

    assert part["sst"].values.tolist() == [-1, 0, 2]
    np.testing.assert_array_equal(part["time"].values, times.values)
    with pytest.raises(UserError, match="a run of several datasets does not tell which one's files these are"):
        application.read([told, told], fitted, [tmp_path], ())


def test_a_place_that_the_run_was_not_trained_on_is_refused(dataset, tmp_path):
    own = {"name": "table", "variables": {"sst": {"units": "K", "long_name": "warmth"}}}
    own["options"] = {"time": "time", "index": ["time", "station"], "text": ["station"]}
    pd.DataFrame({"time": ["2020-01-01"] * 2, "station": ["x", "b"], "sst": [5.0, 9.0]}).to_csv(tmp_path / "own.csv")
    told = [Dataset.model_validate(dataset | {"reader": own})]
    fitted = xr.Dataset({"sst_center": ("station", [1.0, 5.0]), "sst_spread": ("station", [2.0, 4.0])})

    with pytest.raises(UserError, match=r"station x must be one that the run was trained on \(a, b\)"):
        application.read(told, fitted.assign_coords(station=["a", "b"]), [tmp_path / "own.csv"], ())

    part = application.read(told, fitted.assign_coords(station=["b", "x"]), [tmp_path / "own.csv"], ())
    assert part["sst"].sel(station=["b", "x"]).values.tolist() == [[4, 0]]
