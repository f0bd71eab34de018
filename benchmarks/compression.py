"""Which compression and layout a store should have: size and speed on real arrays, as a Markdown table.

Run it where `make run` has fetched the data: python benchmarks/compression.py > table.md
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import obspy
import zarr
from zarr.codecs import BloscCodec, Crc32cCodec, ZstdCodec

from geojax import shards, store

REPEATS = 3  # the best of them counts: the machine is shared
MIB = 2**20


def codecs() -> Iterator[tuple[str, list]]:
    yield "none", []
    for level in (1, 3, 5):
        yield f"zstd {level}", [ZstdCodec(level=level)]
    yield "zstd 3, its checksum", [ZstdCodec(level=3, checksum=True)]
    for name, level in (("lz4", 5), ("zstd", 1), ("zstd", 3), ("zstd", 5)):
        for shuffle in ("shuffle", "bitshuffle"):
            yield f"blosc {name} {level} {shuffle}", [BloscCodec(cname=name, clevel=level, shuffle=shuffle)]
    yield "blosc zstd 3 shuffle, CRC-32C", [BloscCodec(cname="zstd", clevel=3, shuffle="shuffle"), Crc32cCodec()]


def arrays(data: Path) -> Iterator[tuple[str, np.ndarray]]:
    years = sorted((data / "hadisst/parts").glob("*.zarr"))
    yield "HadISST, all years", np.concatenate([store.read(year)["sst"].values for year in years])
    yield "Oklahoma, 47 stations", store.read(data / "okl_wavefields/parts/crossing_east.zarr")["waveform"].values
    yield "miniSEED of ObsPy, counts", counts()


def counts() -> np.ndarray:
    """Whole-number records of ObsPy's own miniSEED files, end to end, as float32 of shape (8, sample)."""
    found = {}
    for path in sorted((Path(obspy.__file__).parent / "io/mseed/tests/data").rglob("*.mseed")):
        try:
            traces = obspy.read(path, format="MSEED")
        except Exception:  # some are broken on purpose
            continue
        for trace in traces:
            if trace.data.dtype.kind == "i" and trace.data.size > 1000 and np.ptp(trace.data) > 0:
                found[trace.data.tobytes()] = trace.data.astype("float32")  # many files hold the same record
    joined = np.concatenate(list(found.values()))
    return joined[: joined.size // 8 * 8].reshape(8, -1)


def best(action, repeats: int = REPEATS) -> float:
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        taken.append(time.perf_counter() - start)
    return min(taken)


def measure(values: np.ndarray, compressors: list, chunk: tuple[int, ...], shard: tuple[int, ...] | None) -> list[float]:
    """Bytes, files, write and read in MB/s, one chunk at random in ms."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "x"

        def write() -> None:
            array = zarr.create_array(
                place, shape=values.shape, dtype=values.dtype, chunks=chunk, shards=shard, compressors=compressors or None,
                overwrite=True, fill_value=np.nan,
            )  # fmt: skip
            array[...] = values

        written = best(write)
        array = zarr.open_array(place, mode="r")
        read = best(lambda: array[...])
        assert np.array_equal(array[...], values, equal_nan=True)
        starts = [[int(rng.integers(0, -(-n // c))) * c for n, c in zip(values.shape, chunk, strict=True)] for _ in range(40)]
        cuts = [tuple(slice(s, s + c) for s, c in zip(start, chunk, strict=True)) for start in starts]
        one = best(lambda: [array[cut] for cut in cuts]) / len(cuts)
        files = [path for path in place.rglob("*") if path.is_file()]
        return [sum(path.stat().st_size for path in files), len(files), values.nbytes / written / 1e6,
                values.nbytes / read / 1e6, 1e3 * one]  # fmt: skip


def show(label: str, values: np.ndarray, found: list[float]) -> None:
    size, files, write, read, one = found
    print(f"| {label} | {100 * size / values.nbytes:.1f} | {files} | {write:.0f} | {read:.0f} | {one:.2f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data"), help="where the DAG keeps its datasets")
    data = parser.parse_args().data
    head = "size (%) | files | write (MB/s) | read (MB/s) | one chunk (ms) |\n|---|---|---|---|---|---|"
    for name, values in arrays(data):
        chunk = shards.chunk_shape(values.shape, values.dtype.itemsize)
        whole = shards.shard_shape(values.shape, chunk)
        print(f"\n{name}, {values.shape}, {values.nbytes / 1e6:.1f} MB, chunks {chunk} in one shard:\n\n| codec | {head}")
        for label, compressors in codecs():
            show(label, values, measure(values, compressors, chunk, whole))
    values = store.read(data / "okl_wavefields/parts/crossing_east.zarr")["waveform"].values
    print(f"\nLayout, Oklahoma, {values.shape}, as stores are written:\n\n| layout | {head}")
    for size in (0.25, 0.5, 1, 2, 4):
        chunk = shards.chunk_shape(values.shape, values.dtype.itemsize, int(size * MIB))
        show(f"{size} MiB chunks, one shard", values, measure(values, shards.compressors(), chunk, shards.shard_shape(values.shape, chunk)))
    chunk = shards.chunk_shape(values.shape, values.dtype.itemsize)
    show("1 MiB chunks, a file each", values, measure(values, shards.compressors(), chunk, None))
    show("one chunk", values, measure(values, shards.compressors(), values.shape, None))


if __name__ == "__main__":
    main()
