"""Examples hear of no later part, and a model's key knows every part that they were made of."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from geojax import store
from geojax.data import gathered
from geojax.data.opened import begins
from geojax.problem import Problem
from geojax.stages.training import _training_content
from geojax.task import Examples


class Past:
    """A task that looks back: each row's example is the sum of all that it is given up to then."""

    def __init__(self):
        self.heard = []

    def examples(self, index, parts, scaling):
        self.heard.append(list(parts))
        total = sum(float(part["level"].sum()) for part in parts.values())
        return Examples({"total": np.full(len(index), total)})


def year(number, level):
    time = pd.date_range(f"{number}-01-01", periods=12, freq="MS")
    return xr.Dataset({"level": ("time", np.full(12, level))}, {"time": time})


@pytest.fixture
def folder(tmp_path):
    """Years 2000 to 2005; nothing is asked of the first, the last tests."""
    for number in range(2000, 2006):
        store.write(year(number, float(number)), tmp_path / f"{number}.zarr")
    store.write(xr.Dataset({"one": ((), 1.0)}), tmp_path / "scaling.zarr")
    listed(tmp_path)
    return tmp_path


def listed(folder):
    gathered.write(sorted(folder.glob("20*.manifest.json")), folder / "parts.json")


def opened(folder):
    splits = {2001: "train", 2002: "train", 2003: "validation", 2004: "test"}
    rows = [{"part": str(y), "time": pd.Timestamp(f"{y}-01-01"), "split": s, "example": y} for y, s in splits.items()]
    paths = {path.name.removesuffix(".zarr"): path for path in folder.glob("20*.zarr")}
    spans = {name: store.read_json(store.manifest_of(path))["time_span"] for name, path in paths.items()}
    parts = {name: store.read(path) for name, path in sorted(paths.items())}
    return Problem(Past(), parts, xr.Dataset(), pd.DataFrame(rows), begins(spans))


def content(folder):
    problem = opened(folder)
    for split in ("train", "validation"):
        problem.examples(split)
    return _training_content(problem, str(folder / "parts.json"), str(folder / "scaling.manifest.json"))


def test_examples_hear_of_their_past_and_of_nothing_that_begins_after_them(folder):
    problem = opened(folder)

    for split in ("train", "validation", "test"):
        problem.examples(split)

    past = [str(y) for y in range(2000, 2005)]
    assert problem.task.heard == [past[:3], past[:4], past]


def test_a_part_that_begins_later_is_refused_by_its_name(folder):
    problem = opened(folder)

    known = problem.known(problem.rows("train"))

    assert "2003" not in known
    with pytest.raises(KeyError, match="2003"):
        known["2003"]


@pytest.mark.parametrize(("changed", "trains_anew"), [(2000, True), (2001, True), (2003, True), (2004, False)])
def test_what_was_only_looked_back_on_counts_as_what_a_model_was_trained_on(folder, changed, trains_anew):
    before = content(folder)

    store.write(year(changed, -1.0), folder / f"{changed}.zarr")
    listed(folder)

    assert (content(folder) != before) == trains_anew


def test_a_new_year_after_the_test_changes_no_training(folder):
    before = content(folder)

    store.write(year(2006, 1.0), folder / "2006.zarr")
    listed(folder)

    assert content(folder) == before


def test_parts_without_times_or_with_those_of_another_calendar_are_always_known(folder):
    assert begins({"tile": None, "model": ["2000-02-30 00:00:00", "2000-03-01 00:00:00"]}) == {}
    problem = opened(folder)
    every = SimpleNamespace(**vars(problem) | {"begins": {}})

    assert set(Problem.known(every, problem.rows("train"))) == set(problem.parts)
