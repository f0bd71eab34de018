"""An array is one file of chunks as long as what is read at once, and the manifest knows each of them."""

import math
import re
import shutil
import warnings

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr
from hypothesis import given
from hypothesis import strategies as st

from geojax import store
from geojax.errors import UserError
from geojax.store import shards

MIB = 2**20


@pytest.fixture
def records(rng, tmp_path):
    """60 times, 2 channels, 100 samples; nothing at the times 20 to 29; chunks of 10 times."""
    values = rng.normal(size=(60, 2, 100)).astype("float32")
    values[20:30] = np.nan
    times = pd.date_range("2024-05-10", periods=60, freq="s")
    coords = {"time": times, "channel": ["N", "E"]}
    content = xr.Dataset({"field": (("time", "channel", "sample"), values)}, coords)
    store.write(content, tmp_path / "a.zarr", chunks={"time": 10})
    return content


@pytest.fixture
def shard(records, tmp_path):
    return tmp_path / "a.zarr/field/c/0/0/0"


@pytest.mark.parametrize(
    ("shape", "itemsize", "chunk"),
    [
        ((12, 13, 57), 4, (12, 13, 57)),  # a year of coarse months: all at once
        ((47, 3, 20000), 4, (4, 3, 20000)),  # 4 stations of 240 kB; 12 pieces, as even as can be
        ((3, 8_640_000), 4, (1, 261_819)),  # a day at 100 Hz: 33 pieces of each trace
        ((744, 721, 1440), 4, (1, 181, 1440)),  # an hour of ERA5 is 4.15 MB: four bands of it
        ((5, 2 * MIB), 8, (1, 131_072)),
        ((10_000_000,), 8, (129_871,)),
        ((0, 4), 4, (1, 4)),
        ((), 8, ()),
    ],
)
def test_chunks_are_runs_of_memory_of_about_a_mebibyte(shape, itemsize, chunk):
    assert shards.chunk_shape(shape, itemsize) == chunk


@given(st.lists(st.integers(1, 300), min_size=1, max_size=4), st.sampled_from([1, 4, 8]), st.integers(64, 5000))
def test_no_chunk_is_above_the_limit_and_padding_is_less_than_a_piece(shape, itemsize, most):
    chunk = shards.chunk_shape(shape, itemsize, most=most)
    grid = shards.grid_of(shape, chunk)

    assert math.prod(chunk) * itemsize <= most
    assert all(0 <= n * c - size < c for n, c, size in zip(grid, chunk, shape, strict=True))
    cut = [i for i, n in enumerate(grid) if n > 1]
    assert all(c == 1 for c in chunk[: cut[-1]]) if cut else chunk == tuple(shape)


def test_an_array_of_many_chunks_is_two_files(tmp_path):
    store.write(xr.Dataset({"x": (("a", "b"), np.arange(2.0**19).reshape(512, 1024))}), tmp_path / "a.zarr")

    files = sorted(str(p.relative_to(tmp_path / "a.zarr/x")) for p in (tmp_path / "a.zarr/x").rglob("*") if p.is_file())
    assert files == ["c/0/0", "zarr.json"]
    array = zarr.open_array(tmp_path / "a.zarr/x", mode="r")
    assert (array.shards, array.chunks) == ((512, 1024), (128, 1024))


def test_chunks_that_are_asked_for_are_kept_to(records, tmp_path):
    assert zarr.open_array(tmp_path / "a.zarr/field", mode="r").chunks == (10, 2, 100)
    assert zarr.open_array(tmp_path / "a.zarr/channel", mode="r").shards is None  # one chunk needs no shard
    xr.testing.assert_identical(store.read(tmp_path / "a.zarr").load(), records)


@pytest.mark.parametrize("chunks", [{"tiem": 10}, {"time": 0}])
def test_chunks_that_fit_nothing_are_refused(records, tmp_path, chunks):
    with pytest.raises(UserError, match=r"must be a dimension and a length .* dimensions are time, channel, sample"):
        store.write(records, tmp_path / "b.zarr", chunks=chunks)
    assert not (tmp_path / "b.zarr").exists()


@pytest.mark.parametrize("shape", [(700, 401), (3, 3, 70001), (1, 300001)])
def test_what_chunks_do_not_divide_comes_back_whole_and_twice_the_same(rng, tmp_path, shape):
    given_ = xr.Dataset({"x": (tuple("abc"[: len(shape)]), rng.normal(size=shape))})
    for name in ("one", "two"):
        store.write(given_, tmp_path / f"{name}.zarr")

    assert zarr.open_array(tmp_path / "one.zarr/x", mode="r").shards is not None
    xr.testing.assert_identical(store.read(tmp_path / "one.zarr").load(), given_)
    assert store.read_json(tmp_path / "one.manifest.json") == store.read_json(tmp_path / "two.manifest.json")


def test_a_manifest_knows_every_chunk_of_a_shard_and_keeps_quiet_where_there_is_one(records, tmp_path):
    arrays = store.read_json(tmp_path / "a.manifest.json")["arrays"]

    told = arrays["field"]["chunks"]
    assert (told["dims"], told["shape"]) == (["time", "channel", "sample"], [10, 2, 100])
    assert [len(digest) for digest in told["digests"]] == [16, 16, 0, 16, 16, 16]  # no value, no chunk
    assert len(set(told["digests"])) == 6
    assert "chunks" not in arrays["time"]  # coordinates are read whole whenever the store is opened


def rewritten(path, times: slice, value: float) -> None:
    """Values changed by Zarr itself, which writes the shard anew."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        zarr.open_array(path, mode="r+")[times] = value


@pytest.mark.parametrize(
    ("times", "value", "found"),
    [
        (slice(55, 56), 1.0, "chunk 5.0.0 ({}): content differs"),
        (slice(50, 60), np.nan, "chunk 5.0.0 ({}): missing"),
        (slice(20, 21), 1.0, "chunk 2.0.0 ({}): not in the manifest"),
    ],
)
def test_a_chunk_that_differs_is_missing_or_too_many_is_named_with_what_it_covers(shard, tmp_path, times, value, found):
    rewritten(tmp_path / "a.zarr/field", times, value)

    first = times.start // 10 * 10
    covered = (
        f"time {first} to {first + 9} = 2024-05-10T00:00:{first} to 2024-05-10T00:00:{first + 9}, "
        "channel 0 to 1 = N to E, sample 0 to 99"
    )
    assert store.differences(tmp_path / "a.zarr") == [f"{shard}: {found.format(covered)}"]


def test_several_chunks_are_named_each(shard, tmp_path):
    rewritten(tmp_path / "a.zarr/field", slice(9, 11), 0.5)

    assert re.findall(r"chunk (\S+)", " ".join(store.differences(tmp_path / "a.zarr"))) == ["0.0.0", "1.0.0"]


def test_places_stand_without_coordinates_where_those_are_damaged_too(shard, tmp_path):
    rewritten(tmp_path / "a.zarr/field", slice(0, 1), 0.5)
    time = tmp_path / "a.zarr/time/c/0"
    time.write_bytes(time.read_bytes()[:-1] + b"!")

    assert store.differences(tmp_path / "a.zarr") == [
        f"{shard}: chunk 0.0.0 (time 0 to 9, channel 0 to 1, sample 0 to 99): content differs",
        f"{time}: content differs",
    ]


@pytest.mark.parametrize(("keep", "why"), [(-1, "damaged"), (50, r"cut off \(50 bytes\)"), (0, r"cut off \(0 bytes\)")])
def test_a_shard_whose_index_is_lost_is_said_to_be_lost_whole(shard, tmp_path, keep, why):
    shard.write_bytes(shard.read_bytes()[:keep])

    (line,) = store.differences(tmp_path / "a.zarr")
    assert re.fullmatch(rf"{shard}: the index of its chunks is {why}, so that none of its 6 chunks can be read", line)


@given(st.data())
def test_a_flipped_bit_is_found_by_verify_and_never_read_as_another_value(shard, records, tmp_path, data):
    """At random places of the shard and of a small array."""
    whole = tmp_path / "b.zarr"
    if not whole.exists():
        shutil.copytree(tmp_path / "a.zarr", whole)
        shutil.copy(tmp_path / "a.manifest.json", tmp_path / "b.manifest.json")
    path = whole / data.draw(st.sampled_from(["field/c/0/0/0", "channel/c/0", "time/c/0"]))
    before = path.read_bytes()
    place = data.draw(st.integers(0, len(before) - 1))
    path.write_bytes(
        before[:place] + bytes([before[place] ^ (1 << data.draw(st.integers(0, 7)))]) + before[place + 1 :]
    )

    assert len(store.differences(whole)) == 1
    with pytest.raises(UserError, match=f"{whole}/(field|channel|time)"):
        store.read(whole).load()
    path.write_bytes(before)
    assert store.differences(whole) == []
