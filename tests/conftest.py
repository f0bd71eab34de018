"""What more than one test module uses. A warning that geojax could have avoided is an error."""

import copy
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pandas as pd
import pytest
import yaml

from geojax import code

ROOT = Path(__file__).parents[1]
DATASET: dict[str, Any] = {
    "card": dict.fromkeys(("title", "summary", "origin", "licence", "labels", "citation"), "made for a test"),
    "source": {
        "kind": "package",
        "package": "fields",
        "version": "1.0",
        "archive": "fields-1.0.whl",
        "sha256": "0" * 64,
        "files": {"sst.nc": "fields/sst.nc"},
    },
    "reader": {
        "name": "netcdf",
        "variables": {"sst": {"units": "degree_Celsius", "standard_name": "sea_surface_temperature"}},
    },
    "parts": {"by": "year", "first": 1991, "last": 2000},
    "split": {
        "by": "time",
        "train": ["1991-01-01", "1996-12-31"],
        "validation": ["1997-01-01", "1998-12-31"],
        "test": ["1999-01-01", None],
    },
    "scaling": {"center": "month", "spread": "all", "over": ["time"], "reference": ["1991-1996"]},
}
RUN: dict[str, Any] = {
    "dataset": "fields",
    "task": "sst_gaps",
    "title": "gaps",
    "model": {"name": "gap_filler", "width": 4, "depth": 1},
    "training": {"epochs": 2, "batch_size": 4, "learning_rate": 0.002},
}
BY_TIME = {
    "by": "time",
    "train": ["1991-01-01", "1996-12-31"],
    "validation": ["1997-02-01", "1998-12-31"],
    "test": ["1999-02-01", None],
    "embargo_days": 31,
}
BY_GROUP = {"by": "group", "train": ["a", "b"], "validation": ["c"], "test": ["d"]}

hypothesis.settings.register_profile(
    "geojax",
    derandomize=True,  # the same examples in every run
    deadline=None,
    max_examples=40,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture, hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("geojax")


def pytest_configure(config: pytest.Config) -> None:
    third_parties_own = ("DeprecationWarning", "PendingDeprecationWarning", "FutureWarning")
    lines = ["error", *(f"ignore::{kind}" for kind in third_parties_own)]
    lines += [f"error::{kind}:geojax" for kind in third_parties_own]
    for line in lines:
        config.addinivalue_line("filterwarnings", line)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole runs first: begun last, they would leave the other processes with nothing to do."""
    items.sort(key=lambda item: item.path.parent.name not in ("workflow", "training"))


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers, the same for every run of a test."""
    return np.random.default_rng(20261121)


@pytest.fixture
def dataset() -> dict[str, Any]:
    """A small valid dataset configuration: years of one file inside a package."""
    return copy.deepcopy(DATASET)


@pytest.fixture
def run() -> dict[str, Any]:
    """A small valid run configuration for that dataset."""
    return copy.deepcopy(RUN)


@pytest.fixture
def configure(tmp_path: Path, dataset: dict[str, Any], run: dict[str, Any]) -> Callable[[], Path]:
    """Writes the configurations above, as a test has changed them, and returns the folder."""

    def write() -> Path:
        for kind, name, content in (("datasets", "fields", dataset), ("runs", "gaps", run)):
            (tmp_path / "config" / kind).mkdir(parents=True, exist_ok=True)
            (tmp_path / "config" / kind / f"{name}.yaml").write_text(yaml.safe_dump(content))
        return tmp_path / "config"

    return write


@pytest.fixture
def blocks() -> pd.DataFrame:
    """An index of three stations in each of four blocks that recorded one event; not yet split."""
    rows = [
        {"part": block, "position": i, "group": block, "station": f"{block}{i}"} for block in "abcd" for i in range(3)
    ]
    return pd.DataFrame(rows).assign(time=pd.Timestamp("2016-07-11 05:55:00"))


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the library's files, whose digests are taken instead of the library's own."""
    twin = tmp_path / "library" / "geojax"
    shutil.copytree(code.PACKAGE, twin, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(code, "PACKAGE", twin)
    return twin


@pytest.fixture
def loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers of this machine are reached without a proxy, and nothing waits before it tries again."""
    monkeypatch.setattr("geojax.data.sources._retry.WAIT_S", 0.0)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1,localhost")
