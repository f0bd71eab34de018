"""Stores as they are opened: lazy, what xarray itself makes of them, and read whole in little more than their size."""

import copy
import os
import pickle
import subprocess
import sys
import tracemalloc
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from zarr.codecs import TransposeCodec

from geojax import store
from geojax.errors import UserError

MB = 2**20


@pytest.fixture
def fields(rng) -> xr.Dataset:
    """What stores hold: numbers of many kinds, gaps, times, durations, text, flags, nothing and single values."""
    odd = np.array([0, -0.0, np.nan, np.inf, 1e-45], "f4")
    odd = np.append(odd, np.array([0xFFC00001, 0x7FC12345], "u4").view("f4"))  # other bits of NaN
    return xr.Dataset(
        {
            "sst": (("time", "lat", "lon"), rng.normal(size=(400, 30, 40)).astype("f4"), {"units": "degree_Celsius"}),
            "odd": ("odd", odd),
            "none": (("lat", "nothing"), np.empty((30, 0))),
            "flag": ("lat", rng.integers(0, 2, 30).astype(bool)),
            "count": (("time", "lat"), rng.integers(-5, 5, (400, 30), "i8")),
            "all_missing": (("time", "lat", "lon"), np.full((400, 30, 40), np.nan)),
            "origin": ((), 7.25, {"units": "s"}),
            "arrived": ("lat", pd.date_range("2001-01-01", periods=30, freq="7min").to_numpy()),
            "name": ("lat", [f"S{i}" for i in range(30)]),
        },
        {"time": pd.date_range("1991-01-16", periods=400, freq="6h"), "lat": np.linspace(-7.5, 7.5, 30)},
        {"Conventions": "CF-1.12"},
    )


def through_xarray(path: Path) -> xr.Dataset:
    return xr.open_zarr(path, consolidated=True, chunks=None)


@pytest.fixture
def written(fields, tmp_path) -> Path:
    store.write(fields, tmp_path / "a.zarr")
    return tmp_path / "a.zarr"


def test_a_store_is_what_xarray_itself_makes_of_it_to_the_last_bit(written):
    found, expected = store.read(written), through_xarray(written)

    xr.testing.assert_identical(found, expected)
    for name, array in expected.variables.items():
        assert found[name].dtype == array.dtype
        assert found[name].values.tobytes() == array.values.tobytes() or array.dtype.kind == "O"
        assert str(found[name].encoding) == str(array.encoding)


@pytest.mark.parametrize("chunks", [None, {"time": 7, "lat": 11}, {"lon": 1}], ids=str)
@given(data=st.data())
def test_any_way_to_index_gives_what_xarray_itself_gives(fields, tmp_path, chunks, data):
    if not (tmp_path / "a.zarr").exists():
        store.write(fields[["sst"]].isel(time=slice(20)), tmp_path / "a.zarr", chunks)
    sizes = {"time": 20, "lat": 30, "lon": 40}

    def key(size: int):
        numbers = st.integers(-size, size - 1)
        ends = st.none() | st.integers(-size - 3, size + 3)
        steps = st.none() | st.integers(1, 9) | st.integers(-9, -1)
        slices = st.builds(slice, ends, ends, steps)
        slices = slices.filter(lambda own: (own.step or 1) > 0 or range(size)[own])  # xarray stumbles over [0:0:-1]
        masks = st.lists(st.booleans(), min_size=size, max_size=size).map(np.array)
        return numbers | slices | st.lists(numbers, max_size=6) | masks

    keys = {dim: data.draw(key(size)) for dim, size in sizes.items() if data.draw(st.booleans())}
    again = {"lat": data.draw(key(30))} if "lat" not in keys else {}

    found, expected = (
        open_(tmp_path / "a.zarr")["sst"].isel(keys).isel(again) for open_ in (store.read, through_xarray)
    )

    xr.testing.assert_identical(found.load(), expected.load())


def test_points_that_lie_anywhere_are_those_of_xarray_itself(written, rng):
    points = {dim: xr.DataArray(rng.integers(0, n, 50), dims="point") for dim, n in (("time", 400), ("lon", 40))}

    found, expected = (open_(written)["sst"].isel(points) for open_ in (store.read, through_xarray))

    xr.testing.assert_identical(found.load(), expected.load())


def test_opening_reads_no_values_and_values_are_read_once(written, monkeypatch):
    read = []
    monkeypatch.setattr(os, "pread", lambda *args, own=os.pread: read.append(args) or own(*args))
    opened = store.read(written).drop_vars(["time", "lat"])  # those are read, for their indexes
    read.clear()

    assert opened["sst"].sizes == {"time": 400, "lat": 30, "lon": 40}
    assert not read
    opened["sst"].values  # noqa: B018
    assert read
    read.clear()
    opened["sst"].values  # noqa: B018
    assert not read


def test_an_index_beyond_the_end_is_refused(written):
    with pytest.raises(IndexError):
        store.read(written)["sst"].isel(time=400).load()


def test_what_was_read_may_be_changed_and_the_store_stays(written, fields):
    opened = store.read(written)
    opened["sst"].values[:] = 0
    opened["sst"][0] = 1

    xr.testing.assert_identical(store.read(written).load(), fields)


@pytest.mark.parametrize("after", [False, True], ids=["opened", "read"])
def test_an_opened_store_may_be_copied_and_go_to_another_process(written, fields, after):
    opened = store.read(written)
    if after:
        opened["sst"].mean().load()
        opened["sst"][3].load()

    for other in (copy.deepcopy(opened), pickle.loads(pickle.dumps(opened))):
        xr.testing.assert_identical(other.load(), fields)


def test_a_process_that_forks_after_reading_reads_in_its_child(written):
    program = f"""
import os
from geojax import store
opened = store.read({str(written)!r})
whole = opened["sst"].copy().values
child = os.fork()
if not child:
    os._exit(not (store.read({str(written)!r})["sst"].values == whole).all())
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True, timeout=60)


def test_many_threads_read_the_same_store_at_once(written, fields):
    opened = store.read(written)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda i: opened["sst"].isel(time=slice(i, None, 3)).values, range(24)))

    for i, values in enumerate(found):
        np.testing.assert_array_equal(values, fields["sst"].values[i::3])


@pytest.mark.parametrize("dims", [("time", "lat", "lon"), ("station", "component", "sample")], ids=str)
def test_a_whole_read_takes_little_more_memory_than_the_array(tmp_path, rng, dims):
    values = rng.normal(size=(48, 4, 2**15)).astype("f4")  # does not shrink: encoded chunks weigh as much
    store.write(xr.Dataset({"x": (dims, values)}), tmp_path / "a.zarr")
    opened = store.read(tmp_path / "a.zarr")
    tracemalloc.start()
    try:
        found = opened["x"].values
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    np.testing.assert_array_equal(found, values)
    assert (
        values.nbytes <= peak < values.nbytes + 5 * MB
    )  # two threads, for each a chunk of 1 MiB as it was and decoded


GROWTH = """
import re, sys
from pathlib import Path
from geojax import store
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
opened = store.read(sys.argv[1])
opened["few"].values
before = peak()
values = opened["x"].values
print(1024 * (peak() - before) / values.nbytes)
"""


def test_a_process_that_reads_a_whole_array_grows_by_little_more_than_it(tmp_path, rng):
    records = rng.integers(-20, 21, (100, 3, 40_000), "int8").astype("f4")
    dataset = xr.Dataset({"x": (("station", "component", "sample"), records), "few": ("n", np.arange(10.0))})
    store.write(dataset, tmp_path / "a.zarr")

    command = [sys.executable, "-W", "ignore", "-c", GROWTH, str(tmp_path / "a.zarr")]
    done = subprocess.run(command, check=True, capture_output=True, text=True)

    assert 0.9 < float(done.stdout) < 1.25  # zarr itself: 2.4


@pytest.mark.parametrize(
    ("chunks", "file"),
    [(None, "c/0/0/0"), ({"time": 400, "lat": 30, "lon": 40}, "c/0/0/0")],
    ids=["shard", "one chunk"],
)
@settings(max_examples=15)
@given(data=st.data())
def test_a_flipped_bit_is_named_by_its_chunk(fields, tmp_path, chunks, file, data):
    if not (tmp_path / "a.zarr").exists():
        store.write(fields[["sst"]], tmp_path / "a.zarr", chunks)
    path = tmp_path / "a.zarr" / "sst" / file
    content = path.read_bytes()
    place, bit = data.draw(st.integers(0, len(content) - 1)), data.draw(st.integers(0, 7))
    path.write_bytes(content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :])

    with pytest.raises(UserError, match=rf"{path}: (chunk [01]\.0\.0|its index) must be as it was written"):
        store.read(tmp_path / "a.zarr").load()
    path.write_bytes(content)
    xr.testing.assert_identical(store.read(tmp_path / "a.zarr").load(), fields[["sst"]])


def test_a_sound_chunk_is_read_beside_a_damaged_one(written, fields):
    path = written / "sst/c/0/0/0"
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)

    np.testing.assert_array_equal(store.read(written)["sst"][-1], fields["sst"][-1])
    with pytest.raises(UserError, match=r"chunk 0\.0\.0 must be as it was written"):
        store.read(written)["sst"][0].load()


def test_text_that_is_damaged_is_named_by_its_array(written):
    path = written / "name/c/0"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)

    with pytest.raises(UserError, match=f"{written}/name: must be as it was written, but is damaged"):
        store.read(written)["name"].load()


def test_a_file_that_goes_while_the_store_is_open_is_refused_not_read_as_gaps(written):
    opened = store.read(written)
    (written / "sst/c/0/0/0").unlink()

    with pytest.raises(UserError, match=r"sst/c/0/0/0: must exist, as the manifest of its store says"):
        opened["sst"].load()


@pytest.mark.parametrize("layout", [{"filters": [TransposeCodec(order=(1, 0))]}, {"dtype": "c16"}], ids=str)
def test_an_array_laid_out_as_no_store_of_ours_is_read_by_zarr(tmp_path, rng, layout):
    values = rng.normal(size=(4, 6))
    group = zarr.create_group(tmp_path / "a.zarr")
    given_ = {"shape": (4, 6), "chunks": (2, 3), "dtype": "f8", "dimension_names": ["lat", "lon"]}
    group.create_array("x", **given_ | layout)[:] = values
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        zarr.consolidate_metadata(tmp_path / "a.zarr")

    np.testing.assert_array_equal(store.read(tmp_path / "a.zarr")["x"][1:, ::2], values[1:, ::2])
