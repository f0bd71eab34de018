"""Boxes read past zarr are what zarr reads, whatever the layout; what is damaged is named, never returned."""

import copy
import json
import os
import pickle
import tempfile
from pathlib import Path

import numcodecs
import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st
from zarr.codecs import BloscCodec, BytesCodec, Crc32cCodec, GzipCodec, TransposeCodec, ZstdCodec

from geojax.errors import UserError
from geojax.store import arrays, blocks
from geojax.store.arrays import Reader
from geojax.store.layouts import describe

KINDS = ("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64")
LZ4 = BloscCodec(typesize=4, cname="lz4", clevel=5, shuffle="bitshuffle")
CODECS = (
    [], [Crc32cCodec()], [ZstdCodec(level=1)], [ZstdCodec(level=3, checksum=True), Crc32cCodec()], [GzipCodec(level=1)],
    [LZ4], [LZ4, Crc32cCodec()], [BloscCodec(typesize=2, cname="zstd", clevel=1, shuffle="shuffle"), Crc32cCodec()],
)  # fmt: skip


@st.composite
def layouts(draw, least: int = 1) -> dict:
    """What an array may look like on disk, as zarr takes it."""
    shape = tuple(draw(st.lists(st.integers(1, 13), min_size=least, max_size=3)))
    chunk = tuple(draw(st.integers(1, 6)) for _ in shape)
    shards = {"shape": [c * draw(st.integers(1, 4)) for c in chunk], "index_location": draw(st.sampled_from(PLACES))}
    kind = draw(st.sampled_from(KINDS))
    fills = {"b": [False, True], "f": [0, 1.5, np.nan, -np.inf]}.get(np.dtype(kind).kind, [0, 7])
    return {
        "shape": shape,
        "chunks": chunk,
        "shards": shards if shape and draw(st.booleans()) else None,  # zarr cannot write one of a single value
        "dtype": kind,
        "fill_value": draw(st.sampled_from(fills)),
        "serializer": BytesCodec(endian=draw(st.sampled_from(["little", "big"]))),
        "compressors": draw(st.sampled_from(CODECS)),
        "filters": [],
        "chunk_key_encoding": {"name": "default", "separator": draw(st.sampled_from(["/", "."]))},
    }


PLACES = ["start", "end"]


def written(folder: Path, layout: dict, seed: int) -> zarr.Array:
    """An array of random numbers; what lies beyond the middle of the first dimension is left as it was created."""
    array = zarr.create_array(folder, **layout)
    half = (slice(layout["shape"][0] // 2 + 1),) if layout["shape"] else ()
    numbers = np.random.default_rng(seed).integers(0, 100, np.empty(layout["shape"], "b")[half].shape)
    array[half] = (numbers % 2 if layout["dtype"] == "bool" else numbers).astype(layout["dtype"])
    return array


def through_zarr(array: zarr.Array, origins: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    return np.stack([array[tuple(slice(o, o + n) for o, n in zip(origin, size, strict=True))] for origin in origins])


@given(layout=layouts(), seed=st.integers(0, 1000), threads=st.integers(1, 3), data=st.data())
def test_boxes_are_what_zarr_reads_in_every_known_layout(layout, seed, threads, data):
    size = tuple(data.draw(st.integers(1, n)) for n in layout["shape"])
    room = [n - s for n, s in zip(layout["shape"], size, strict=True)]
    origins = np.array(data.draw(st.lists(st.tuples(*(st.integers(0, r) for r in room)), min_size=1, max_size=40)))
    with tempfile.TemporaryDirectory() as folder:
        expected = through_zarr(written(Path(folder), layout, seed), origins, size)
        reader, known = Reader(threads), describe(Path(folder))

        assert known is not None
        for _ in range(2):  # of what was found sound, only parts are read the second time
            found = reader.read([known], np.zeros(len(origins), int), origins, size)
            assert found.dtype == expected.dtype
            np.testing.assert_array_equal(found, expected)


@st.composite
def choices(draw, size: int) -> range | np.ndarray:
    """Ascending indices of a dimension, or none."""
    if draw(st.booleans()):
        return range(draw(st.integers(0, size)), draw(st.integers(0, size)), draw(st.integers(1, 5)))
    return np.array(sorted(draw(st.lists(st.integers(0, size - 1), max_size=8))), "int64")


@given(layout=layouts(least=0), seed=st.integers(0, 1000), threads=st.integers(1, 3), data=st.data())
def test_what_stands_where_indices_cross_is_what_zarr_reads_in_every_known_layout(layout, seed, threads, data):
    chosen = [data.draw(choices(size)) for size in layout["shape"]]
    with tempfile.TemporaryDirectory() as folder:
        whole = written(Path(folder), layout, seed)[()]
        expected = whole[np.ix_(*map(list, chosen))] if all(map(len, chosen)) else np.empty([*map(len, chosen)])

        found = Reader(threads).outer(describe(Path(folder)), chosen)

        assert found.dtype == np.dtype(layout["dtype"])
        np.testing.assert_array_equal(found, expected)


def test_an_index_asked_for_twice_comes_twice(tmp_path):
    zarr.create_array(tmp_path, data=np.arange(12.0), chunks=(4,))

    found = Reader().outer(describe(tmp_path), [np.array([1, 1, 2, 2, 9])])  # as many of a chunk as it has

    assert found.tolist() == [1.0, 1.0, 2.0, 2.0, 9.0]


@pytest.mark.parametrize("chosen", [range(3, 11), np.array([2, 10]), np.array([-1, 2])])
def test_an_index_that_there_is_not_is_refused(tmp_path, chosen):
    zarr.create_array(tmp_path, data=np.zeros(10), chunks=(4,))

    with pytest.raises(IndexError, match="must lie within 0 to 9"):
        Reader().outer(describe(tmp_path), [chosen])


def test_a_reader_may_be_copied_and_go_to_another_process(tmp_path):
    zarr.create_array(tmp_path, data=np.arange(10.0), chunks=(4,))
    reader, known = Reader(3), describe(tmp_path)
    reader.outer(known, [range(10)])

    for other in (copy.deepcopy(reader), pickle.loads(pickle.dumps(reader))):
        assert other.threads == 3
        assert other.outer(known, [range(2, 5)]).tolist() == [2.0, 3.0, 4.0]


@pytest.mark.parametrize("codecs", CODECS, ids=str)
@pytest.mark.parametrize("sharded", [True, False])
def test_long_windows_across_chunks_of_several_arrays_come_in_the_order_of_the_rows(tmp_path, rng, codecs, sharded):
    values = rng.normal(size=(3, 2, 3, 50_000)).astype("float32")
    for i, each in enumerate(values):
        array = zarr.create_array(
            tmp_path / str(i), shape=each.shape, chunks=(2, 3, 9000 + 1000 * i), dtype="f4", compressors=codecs,
            shards=(2, 3, 5 * (9000 + 1000 * i)) if sharded else None,
        )  # fmt: skip
        array[:] = each
    which = rng.integers(0, 3, 200)
    origins = np.column_stack([rng.integers(0, 2, 200), np.zeros(200, int), rng.integers(0, 42_001, 200)])
    reader, known = Reader(2), [describe(tmp_path / str(i)) for i in range(3)]

    for _ in range(2):
        found = reader.read(known, which, origins, (1, 3, 8000))
        expected = [values[w, a, :, t : t + 8000][None] for w, (a, _, t) in zip(which, origins, strict=True)]
        np.testing.assert_array_equal(found, expected)


def test_parts_of_chunks_stored_as_they_are_are_read_alone(tmp_path, rng, monkeypatch):
    values = rng.normal(size=(2, 100_000)).astype("float32")
    zarr.create_array(tmp_path / "a", data=values, chunks=(2, 100_000), compressors=[Crc32cCodec()])
    reader, known, origins = Reader(1), describe(tmp_path / "a"), np.array([[0, 5], [0, 70_000]])
    which = np.zeros(2, int)
    reader.read([known], which, origins, (2, 3000))
    monkeypatch.setattr(arrays.File, "chunk", None)

    found = reader.read([known], which, origins, (2, 3000))

    np.testing.assert_array_equal(found, np.stack([values[:, 5:3005], values[:, 70_000:73_000]]))


@pytest.mark.parametrize("cname", ["blosclz", "lz4", "lz4hc", "zlib", "zstd"])
@pytest.mark.parametrize("shuffle", ["noshuffle", "shuffle", "bitshuffle"])
@pytest.mark.parametrize("checked", [True, False])
def test_blocks_of_a_chunk_are_decoded_alone(tmp_path, rng, monkeypatch, cname, shuffle, checked):
    values = np.rint(rng.normal(size=(3, 90_001)).cumsum(1)).astype("float32")
    codec = BloscCodec(typesize=4, cname=cname, clevel=1, shuffle=shuffle)
    zarr.create_array(tmp_path, data=values, chunks=(3, 90_001), compressors=[codec, *[Crc32cCodec()] * checked])
    monkeypatch.setattr(arrays.File, "chunk", None)
    reader, known = Reader(1), [describe(tmp_path)]

    for start in (0, 87_001, *rng.integers(0, 87_001, 20)):
        found = reader.read(known, np.zeros(1, int), np.array([[0, start]]), (3, 3000))
        np.testing.assert_array_equal(found[0], values[:, start : start + 3000])


def test_blocks_that_several_threads_wrote_in_any_order_are_found(rng):
    values = np.rint(rng.normal(size=1_000_000).cumsum()).astype("float32")
    numcodecs.blosc.use_threads = True
    try:
        content = numcodecs.Blosc("zstd", 1, 2).encode(values)
    finally:
        numcodecs.blosc.use_threads = None
    found = blocks.find(content)

    for first in range(0, len(found.starts) - 1, 7):
        decoded = found.decode(first, first + 1, lambda start, length: content[start : start + length])
        there = slice(first * found.size // 4, (first + 2) * found.size // 4)
        np.testing.assert_array_equal(np.frombuffer(decoded, "f4"), values[there])


@pytest.mark.parametrize("place", [4, 12, 16, 20])
def test_a_header_of_blocks_that_contradicts_itself_is_refused(rng, place):
    content = bytearray(numcodecs.Blosc("zstd", 1, 2).encode(rng.normal(size=300_000)))
    content[place : place + 4] = (2**31 - 16).to_bytes(4, "little")

    with pytest.raises(ValueError, match=r"blocks, but has|a block starts outside"):
        blocks.find(bytes(content))


def test_a_chunk_whose_header_promises_another_length_is_refused(tmp_path, rng):
    values = rng.normal(size=(1, 90_000)).cumsum(1)
    codec = BloscCodec(typesize=8, cname="zstd", clevel=1, shuffle="shuffle")
    zarr.create_array(tmp_path, data=values, chunks=(1, 90_000), compressors=[codec])
    content = bytearray((tmp_path / "c/0/0").read_bytes())
    content[4:8] = (90_000 * 8 - 8).to_bytes(4, "little")
    (tmp_path / "c/0/0").write_bytes(content)

    with pytest.raises(UserError, match=r"chunk 0\.0 must be as it was written"):
        Reader().read([describe(tmp_path)], np.zeros(1, int), np.array([[0, 50]]), (1, 100))


def test_arrays_of_two_dtypes_come_as_the_one_that_holds_both(tmp_path):
    zarr.create_array(tmp_path / "a", data=np.arange(10, dtype="f4"), chunks=(4,))
    zarr.create_array(tmp_path / "b", data=np.arange(10) + 2.0**40, chunks=(5,))

    found = Reader().read(
        [describe(tmp_path / "a"), describe(tmp_path / "b")], np.array([1, 0]), np.array([[2], [3]]), (2,)
    )

    assert found.dtype == np.float64
    assert found.tolist() == [[2.0**40 + 2, 2.0**40 + 3], [3.0, 4.0]]


@pytest.mark.parametrize("origin", [[-1, 0], [0, -3], [0, 8], [2, 0]])
def test_a_box_that_leaves_its_array_is_refused(tmp_path, origin):
    zarr.create_array(tmp_path / "a", data=np.zeros((2, 10)), chunks=(1, 4))

    with pytest.raises(UserError, match=r"must lie inside \(2, 10\)"):
        Reader().read([describe(tmp_path / "a")], np.zeros(2, int), np.array([[0, 0], origin]), (1, 3))


@given(data=st.data(), codecs=st.sampled_from([c for c in CODECS if any(isinstance(x, Crc32cCodec) for x in c)]))
def test_any_changed_byte_of_a_checked_shard_is_found(data, codecs):
    values = np.random.default_rng(5).normal(size=(3, 400)).cumsum(1).astype("float32")
    with tempfile.TemporaryDirectory() as folder:
        array = zarr.create_array(folder, data=values, chunks=(3, 100), shards=(3, 400), compressors=codecs)
        (shard,) = Path(folder).glob("c/*/*")
        content = bytearray(shard.read_bytes())
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] ^= data.draw(st.integers(1, 255))
        shard.write_bytes(content)

        with pytest.raises(UserError, match=f"{shard}: (chunk 0.[0-3]|its index) must be as it was written"):
            Reader().read([describe(array.store.root)], np.zeros(1, int), np.zeros((1, 2), int), (3, 400))


@pytest.mark.parametrize("codecs", CODECS, ids=str)
@pytest.mark.parametrize("sharded", [True, False])
def test_a_file_cut_short_anywhere_is_refused(tmp_path, rng, codecs, sharded):
    values = rng.normal(size=(3, 4000)).cumsum(1).astype("float32")
    zarr.create_array(
        tmp_path, data=values, chunks=(3, 1000 if sharded else 4000), shards=(3, 4000) if sharded else None,
        compressors=codecs,
    )  # fmt: skip
    (file,) = tmp_path.glob("c/*/*")
    for size in rng.integers(0, file.stat().st_size, 20)[::-1]:
        with file.open("rb+") as opened:
            opened.truncate(min(size, file.stat().st_size - 1))
        with pytest.raises(UserError, match=f"{file}: .* must be as it was written"):
            Reader().read([describe(tmp_path)], np.zeros(1, int), np.zeros((1, 2), int), (3, 4000))


def test_an_index_that_points_out_of_the_shard_is_refused_where_no_checksum_guards_it(tmp_path):
    zarr.create_array(tmp_path, data=np.arange(100.0), chunks=(10,), shards=(100,), compressors=[])
    told = json.loads((tmp_path / "zarr.json").read_text())
    told["codecs"][0]["configuration"]["index_codecs"].pop()
    (tmp_path / "zarr.json").write_text(json.dumps(told))
    index = np.full((10, 2), 2**62, "<u8")
    (tmp_path / "c/0").write_bytes(b"\0" * 800 + index.tobytes())

    with pytest.raises(UserError, match=r"chunk 3 must be as it was written, but is damaged .it should end at byte"):
        Reader().read([describe(tmp_path)], np.zeros(1, int), np.array([[30]]), (5,))


def test_a_missing_file_is_fill_values_unless_it_was_promised(tmp_path):
    zarr.create_array(tmp_path, data=np.arange(8.0), chunks=(4,), fill_value=-1.0)
    (tmp_path / "c/1").unlink()
    known, which, origins = [describe(tmp_path)], np.zeros(1, int), np.array([[2]])

    assert Reader().read(known, which, origins, (4,)).tolist() == [[2, 3, -1, -1]]
    with pytest.raises(UserError, match="c/1: must exist, as the manifest"):
        Reader().read(known, which, origins, (4,), [{"c/0", "c/1"}])


def test_no_more_files_stay_open_than_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(arrays, "OPEN", 5)
    zarr.create_array(tmp_path, data=np.arange(200.0), chunks=(2,))
    reader, before = Reader(2), len(os.listdir("/proc/self/fd"))

    found = reader.read([describe(tmp_path)], np.zeros(100, int), np.arange(0, 200, 2)[:, None], (2,))

    assert found.ravel().tolist() == list(range(200))
    assert len(os.listdir("/proc/self/fd")) <= before + 5


@pytest.mark.parametrize(
    "layout",
    [
        {"dtype": "complex64"},
        {"dtype": "U4"},
        {"filters": [TransposeCodec(order=(1, 0))]},
        {"zarr_format": 2, "compressors": None},
        {"chunk_key_encoding": {"name": "v2", "separator": "."}},
    ],
    ids=str,
)
def test_a_layout_that_is_not_known_is_left_to_zarr(tmp_path, layout):
    zarr.create_array(tmp_path, **{"shape": (4, 4), "chunks": (2, 2), "dtype": "f4"} | layout)
    if layout.get("zarr_format") == 2:
        with pytest.raises(UserError, match=r"zarr\.json cannot be read"):
            describe(tmp_path)
    else:
        assert describe(tmp_path) is None
