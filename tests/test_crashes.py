"""A job that is killed at any moment, or finds the disk full, leaves nothing that could be taken for a result."""

import errno
import gc
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from geojax import stages, store
from geojax.errors import UserError

KILLS = 50
SEEN = ("refused", "old", "new", "PARTIAL")  # what a consumer finds; the number is a child's exit status
READER = {"name": "netcdf", "variables": {"sst": {"units": "degree_Celsius"}}}
QUALITY = {"policy": "fail", "admit": []}
SCALING = {"center": "mean", "spread": "all", "over": ["time"], "reference": ["1991"]}


def write_year(path: Path, year: int) -> None:
    """Monthly fields, 0.3 MB."""
    months = [f"{year}-{m:02d}-16" for m in range(1, 13)]
    coords = {"time": np.array(months, "M8[ns]"), "lat": np.arange(60.0), "lon": np.arange(110.0)}
    values = np.random.default_rng(year).normal(20, 3, (12, 60, 110)).astype("float32")
    array = xr.DataArray(values, coords, ("time", "lat", "lon"), attrs={"units": "degree_Celsius"})
    array.to_dataset(name="sst").to_netcdf(path)


def jobs(folder: Path) -> dict[str, Callable[[Path], None]]:
    """What each stage does to the store that it is handed; folder holds what it reads."""
    raw, part, scaling, listed = (str(folder / n) for n in ("1991.nc", "1991.zarr", "scaling.zarr", "reference.json"))
    return {
        "ingest_part": lambda path: stages.ingest_part(raw, str(path), "1991", {}, READER, QUALITY),
        "normalize_part": lambda path: stages.normalize_part(part, scaling, str(path)),
        "fit_scaling": lambda path: stages.fit_scaling(listed, str(path), SCALING, str(path.parent / "kept"), "1"),
    }


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def child(action: Callable[[], int | None]) -> int:
    """A process of its own, as a job is, with the imports made already."""
    pid = os.fork()
    if pid:
        return pid
    status = 99
    try:
        status = action() or 0
    finally:
        os._exit(status)


def ended(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def kill_at_random(folder: Path, stage: str) -> dict[str, object]:
    """Kill the stage at moments spread over its duration; say what a consumer saw, and what a rerun came to."""
    import netCDF4  # noqa: F401  # once, not in every child
    import xarray.backends.zarr  # noqa: F401
    import zarr.api.synchronous  # noqa: F401

    from geojax.data import gathered, moments, readers, scaling, steadiness  # noqa: F401

    readers.load("netcdf")
    gc.collect()
    gc.freeze()  # a child that collects would copy every page
    job, work, path = jobs(folder)[stage], folder / "work", folder / "work" / "out.zarr"
    before = xr.Dataset({"sst": ("a", np.arange(3.0))})
    assert ended(child(lambda: store.write(before, folder / "old" / "out.zarr"))) == 0
    assert ended(child(lambda: job(folder / "new" / "out.zarr"))) == 0
    undisturbed, digests = contents(folder / "new"), {}
    for name in ("old", "new"):
        digests[store.read_json(folder / name / "out.manifest.json")["digest"]] = name

    def look() -> int:
        """What a stage that reads the store would work with."""
        try:
            found = store.read(path).load()
            told = [store.read_json(store.manifest_of(path))["digest"]] if store.manifest_of(path).exists() else digests
        except UserError:
            return 0
        agreeing = [digests[code] for code in told if found.identical(store.read(folder / digests[code] / "out.zarr"))]
        return SEEN.index(agreeing[0]) if agreeing else SEEN.index("PARTIAL")

    def start(old: bool) -> None:
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(folder / "old", work) if old else work.mkdir()

    taken = []
    for _ in range(3):
        start(old=True)
        began = time.perf_counter()
        assert ended(child(lambda: job(path))) == 0
        taken.append(time.perf_counter() - began)
    generator = random.Random(20261121)
    killed, seen, hidden, torn = 0, Counter(), 0, []
    for k in range(4 * KILLS):
        if k >= KILLS and hidden:  # a busy machine spends most of a job before it writes
            break
        start(old=k % 2 == 0)
        pid = child(lambda: job(path))
        time.sleep(generator.uniform(0, sorted(taken)[1]))
        os.kill(pid, signal.SIGKILL)
        killed += ended(pid) == -signal.SIGKILL
        hidden += any(name.startswith(".") for name in os.listdir(work))
        seen[SEEN[ended(child(lambda: [look(), job(path)][0]))]] += 1
        torn += [k] if contents(work) != undisturbed or set(os.listdir(work)) != set(os.listdir(folder / "new")) else []
    return {"killed": killed, "seen": seen, "hidden": hidden, "torn": torn}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("crashes")
    write_year(folder / "1991.nc", 1991)
    made = jobs(folder)
    made["ingest_part"](folder / "1991.zarr")
    stages.gather_parts([str(folder / "1991.manifest.json")], str(folder / "reference.json"))
    made["fit_scaling"](folder / "scaling.zarr")
    return folder


@pytest.mark.parametrize("stage", ["ingest_part", "normalize_part", "fit_scaling"])
def test_a_stage_killed_at_random_leaves_nothing_partial_and_a_rerun_gives_the_same_bytes(prepared, tmp_path, stage):
    shutil.copytree(prepared, tmp_path / "here")

    done = subprocess.run([sys.executable, __file__, str(tmp_path / "here"), stage], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["killed"] >= KILLS // 2  # the others had ended before
    assert found["hidden"] >= 1  # so many were killed while they wrote
    assert set(found["seen"]) <= {"refused", "old", "new"}
    assert found["seen"]["refused"] >= 3
    assert found["torn"] == []


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """The system refuses files beyond `size` bytes, as a quota or a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


LIMIT = r"must be written whole, but a file would become larger than the limit .* Make room or raise the limit"


@pytest.mark.parametrize("size", [0, 100, 5000, 100_000])
@pytest.mark.parametrize("stage", ["ingest_part", "normalize_part"])
def test_a_store_that_finds_no_room_ends_in_one_plain_message_and_the_old_stays(prepared, tmp_path, stage, size):
    store.write(xr.Dataset({"sst": ("a", np.arange(3.0))}), tmp_path / "out.zarr")
    before = contents(tmp_path)

    with largest_file(size), pytest.raises(UserError, match=rf"out\.zarr: {LIMIT}"):
        jobs(prepared)[stage](tmp_path / "out.zarr")

    assert contents(tmp_path) == before
    assert store.differences(tmp_path / "out.zarr") == []
    jobs(prepared)[stage](tmp_path / "out.zarr")
    assert store.differences(tmp_path / "out.zarr") == []


def test_a_table_that_finds_no_room_ends_in_one_plain_message_and_the_old_stays(tmp_path):
    store.write_table(pd.DataFrame({"x": [1]}), tmp_path / "a.parquet")
    before = contents(tmp_path)

    with largest_file(5000), pytest.raises(UserError, match=rf"a\.parquet: {LIMIT}"):
        store.write_table(pd.DataFrame({"x": np.arange(10_000)}), tmp_path / "a.parquet")

    assert contents(tmp_path) == before


@pytest.mark.parametrize(("number", "words"), [("ENOSPC", "no space is left"), ("EDQUOT", "the quota is used up")])
def test_a_full_disk_and_a_used_up_quota_are_told_apart(tmp_path, monkeypatch, number, words):
    def full(*_):
        raise OSError(getattr(errno, number), "full")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(UserError, match=rf"a\.json: must be written whole, but {words} .* MB free\)"):
        store.write_json({}, tmp_path / "a.json")
    assert os.listdir(tmp_path) == []


if __name__ == "__main__":
    print(json.dumps(kill_at_random(Path(sys.argv[1]), sys.argv[2])))
