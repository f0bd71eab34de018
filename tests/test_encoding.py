"""What is written here is what Zarr itself would write and read, chunk by chunk and bit by bit."""

import math
import warnings

import numpy as np
import pytest
import xarray as xr
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from geojax import store
from geojax.store import encoding, shards

KINDS = ["float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool"]


@st.composite
def shards_to_write(draw):
    """Values with stretches of fill values, and the length of their chunks."""
    shape = draw(st.lists(st.integers(1, 9), min_size=1, max_size=3))
    chunk = [draw(st.integers(1, n)) for n in shape]
    kind = np.dtype(draw(st.sampled_from(KINDS)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    values = np.frombuffer(rng.bytes(math.prod(shape) * kind.itemsize), "u1" if kind.kind == "b" else kind)
    values = (values > 127 if kind.kind == "b" else values).reshape(shape).copy()
    values[rng.random(shape[0]) < draw(st.sampled_from([0, 0.5, 1]))] = np.nan if kind.kind == "f" else 0
    return values, tuple(chunk)


def by_zarr(folder, values, chunk, packing=shards.SERIES):
    """The same array, written by Zarr."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        array = zarr.create_array(
            folder, shape=values.shape, dtype=values.dtype, chunks=chunk, fill_value=fill_of(values),
            shards=tuple(math.ceil(n / c) * c for n, c in zip(values.shape, chunk, strict=True)),
            compressors=shards.compressors(packing),
        )  # fmt: skip
        array[...] = values
    return array


def fill_of(values):
    return np.nan if values.dtype.kind == "f" else 0


@settings(max_examples=80, deadline=None)
@given(shards_to_write())
def test_zarr_reads_every_bit_of_a_shard_written_here(tmp_path_factory, written):
    values, chunk = written
    folder = tmp_path_factory.mktemp("shard") / "a.zarr"
    by_zarr(folder, np.full_like(values, fill_of(values)), chunk)  # metadata alone
    shard = folder.joinpath("c", *("0" for _ in chunk))
    assert not shard.exists()

    told = encoding.write_shard(shard, values, chunk, fill_of(values))

    back = zarr.open_array(folder, mode="r")[...]
    assert (back.dtype, back.tobytes()) == (values.dtype, values.tobytes())
    assert (told is not None) == shard.exists()
    if told:
        assert told.digest == store.digest(shard)
        assert told.chunks == shards.describe(shard, dict(zip("abc", values.shape, strict=False)), chunk)["digests"]


@settings(max_examples=40, deadline=None)
@given(shards_to_write(), st.sampled_from([shards.SERIES, shards.FIELD]))
def test_its_chunks_are_those_that_zarr_writes(tmp_path_factory, written, packing):
    values, chunk = written
    if values.dtype.kind == "f":
        values[np.isnan(values)] = np.nan  # chunks of other NaN than the fill value are kept here, and lost by Zarr
    folder = tmp_path_factory.mktemp("shard")
    by_zarr(folder / "a.zarr", values, chunk, packing)
    shard = (folder / "a.zarr").joinpath("c", *("0" for _ in chunk))

    told = encoding.write_shard(folder / "own", values, chunk, fill_of(values), packing)

    assert (told is not None) == shard.exists()
    if told:
        sizes = dict(zip("abc", values.shape, strict=False))
        assert told.chunks == shards.describe(shard, sizes, chunk)["digests"]
        assert (folder / "own").stat().st_size == shard.stat().st_size


def test_a_store_written_here_is_the_one_that_xarray_writes(tmp_path, rng):
    """All files, byte for byte; along one dimension Zarr has the chunks of a shard in the same order."""
    content = xr.Dataset(
        {"x": ("time", rng.normal(size=500_000).astype("float32"), {"units": "m"}), "n": ("a", np.arange(300_000))},
        {
            "time": ("time", np.datetime64("2024-01-01T00:00:00.000000001", "ns") + np.arange(500_000) * 10**7),
            "name": ("b", ["one", "two"]),
        },
        {"title": "numbers"},
    )
    store.write(content, tmp_path / "a.zarr")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        content.to_zarr(tmp_path / "b.zarr", zarr_format=3, consolidated=True, encoding=shards.encoding(content))

    one, two = (
        {str(p.relative_to(tmp_path / name)): p.read_bytes() for p in (tmp_path / name).rglob("*") if p.is_file()}
        for name in ("a.zarr", "b.zarr")
    )
    assert one == two
    assert {"x/c/0", "n/c/0", "time/c/0"} <= set(one)


@given(
    st.integers(-(2**62), 2**62), st.integers(1, 10**15), st.integers(2, 40),
    st.sampled_from([1, 1000, 10**6, 10**9, 60 * 10**9, 86_400 * 10**9]), st.booleans(),
)  # fmt: skip
def test_times_come_back_to_the_nanosecond(start, step, count, unit, regular):
    times = start // 2 + np.arange(count) * (step // 100 * unit % 2**50 + unit)
    times[-1] += not regular
    variable = xr.Variable("time", times.view("datetime64[ns]"), {"standard_name": "time"})

    encoded = encoding.regular_times({"time": variable}, {})[0]["time"]

    assert (encoded.dtype == "int64") == (regular or count == 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        back = xr.conventions.decode_cf_variable("time", xr.conventions.encode_cf_variable(encoded))
    xr.testing.assert_identical(back, variable)


@pytest.mark.parametrize("times", [["2024-01-01", "NaT"], ["NaT", "2024-01-01"], ["2024-02", "2024-01"], ["2024"]])
def test_times_that_are_not_regular_are_left_to_xarray(times):
    variable = xr.Variable("time", np.array(times, "datetime64[ns]"))

    assert encoding.regular_times({"time": variable}, {})[0]["time"] is variable


def test_results_keep_their_order_and_an_error_is_passed_on():
    assert list(encoding.in_threads(lambda n: n * n, range(50))) == [n * n for n in range(50)]
    with pytest.raises(ZeroDivisionError):
        list(encoding.in_threads(lambda n: 1 // (3 - n), range(50)))


@pytest.mark.parametrize(
    ("dims", "packing"), [(("time", "lat", "lon"), shards.FIELD), (("trace", "time"), shards.SERIES)]
)
def test_fields_are_packed_as_fields_and_series_as_series_and_both_read_back(tmp_path, rng, dims, packing):
    values = rng.normal(size=(40, 300, 60)[: len(dims)] if len(dims) == 3 else (40, 20_000)).astype("float32")

    store.write(xr.Dataset({"x": (dims, values)}), tmp_path / "a.zarr")

    array = zarr.open_array(tmp_path / "a.zarr" / "x", mode="r")
    assert array.shards is not None
    assert (array.compressors[0].shuffle.value, array.compressors[0].blocksize) == packing
    assert (array[...] == values).all()
    assert store.differences(tmp_path / "a.zarr") == []
