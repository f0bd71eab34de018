"""A raw file that changes while it is read makes no part."""

import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import xarray as xr

from geojax import stages, store
from geojax.data import readers
from geojax.data.steadiness import steady
from geojax.errors import UserError

CHANGED = (
    r"day\.nc: must stay as it is while it is read, but changed while it was read\. Run again when its writer is done"
)
READER = {"name": "netcdf", "variables": {"sst": {"units": "degree_Celsius"}}}
QUALITY = {"policy": "fail", "admit": []}


@pytest.fixture
def day(tmp_path):
    coords = {"time": np.array(["1991-01-16"], "M8[ns]"), "lat": [0.0, 5.0], "lon": [0.0, 5.0, 10.0]}
    field = xr.DataArray(np.full((1, 2, 3), 20.0), coords, ("time", "lat", "lon"), attrs={"units": "degree_Celsius"})
    field.to_dataset(name="sst").to_netcdf(tmp_path / "day.nc")
    return tmp_path / "day.nc"


def old(path):
    os.utime(path, (time.time() - 3600, time.time() - 3600))


def append(path):
    def write():
        with open(path, "ab") as file:
            file.write(b"more")

    writer = threading.Thread(target=write)
    writer.start()
    writer.join()


def rewrite(path):
    """By another process, to the same length, within one step of the clock."""
    code = "import os, sys; p = sys.argv[1]; s = os.stat(p); c = open(p, 'rb').read(); f = open(p, 'r+b')\n"
    code += "f.write(c[:-1] + b'!'); f.close(); os.utime(p, ns=(s.st_atime_ns, s.st_mtime_ns))"
    subprocess.run([sys.executable, "-S", "-c", code, str(path)], check=True)


def replace(path):
    """By a file of the same length and time."""
    state = path.stat()
    other = path.with_name("other")
    other.write_bytes(path.read_bytes()[:-1] + b"!")
    os.utime(other, ns=(state.st_atime_ns, state.st_mtime_ns))
    other.rename(path)


def remove(path):
    path.unlink()


@pytest.fixture
def reading(monkeypatch):
    """Lets the reader be interrupted by what another does to its file."""

    def set_up(action):
        def interrupted(files, *_):
            content = readers.netcdf.read(files, *_)
            action(next(iter(files.values())))
            return content

        load = readers.load
        load("netcdf")
        monkeypatch.setattr(readers, "load", lambda name: interrupted)

    return set_up


@pytest.mark.parametrize("action", [append, rewrite, replace, remove])
def test_a_file_that_changes_while_it_is_read_makes_no_part(day, tmp_path, reading, action):
    if action is not rewrite:
        old(day)
    reading(action)

    with pytest.raises(UserError, match=CHANGED):
        stages.ingest_part(str(day), str(tmp_path / "parts/day.zarr"), "day", {}, READER, QUALITY)

    assert not (tmp_path / "parts").exists()


def test_when_its_writer_is_done_the_part_is_made_with_the_digest_of_what_was_read(day, tmp_path, reading):
    reading(lambda path: None)

    stages.ingest_part(str(day), str(tmp_path / "parts/day.zarr"), "day", {}, READER, QUALITY)

    assert store.read_json(tmp_path / "parts/day.manifest.json")["raw"] == {"day.nc": store.digest(day)}


def test_that_the_file_was_being_written_is_said_where_the_reader_gave_up_for_it(day):
    old(day)

    def read() -> None:
        with steady({"day": day}):
            day.write_bytes(day.read_bytes()[:100])
            raise UserError("must be a NetCDF file that can be read to its end")

    with pytest.raises(UserError, match=CHANGED):
        read()


def test_a_reader_that_fails_on_a_steady_file_keeps_its_own_words(day):
    with pytest.raises(UserError, match="no such variable"), steady({"day": day}):
        raise UserError("no such variable")


@pytest.mark.parametrize(("age", "times"), [(0, 2), (3600, 1)])
def test_only_a_file_written_just_now_is_digested_twice(day, monkeypatch, age, times):
    os.utime(day, (time.time() - age, time.time() - age))
    asked = []
    monkeypatch.setattr(store, "digest", lambda path: asked.append(path) or "0")

    with steady({"day": day}) as digests:
        pass

    assert (digests, asked) == ({"day": "0"}, [day] * times)


def test_what_was_fetched_keeps_the_digest_that_its_manifest_tells_and_must_be_there(day, tmp_path):
    old(day)
    with steady({"day": day}, told={"day": "abc"}) as digests:
        assert digests == {"day": "abc"}
    day.unlink()
    with pytest.raises(UserError, match=r"day\.nc: the raw file must exist"), steady({"day": day}, {"day": "abc"}):
        pass
