"""Which compression and layout a store should have: size and speed on real arrays, as a Markdown table.

Run it where `make run` has fetched the data: python benchmarks/compression.py
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import obspy
import zarr
from zarr.codecs import BloscCodec, ZstdCodec

from geojax import store
from geojax.store import shards

ROUNDS = 7  # the best counts: the machine is shared


def codecs() -> Iterator[tuple[str, list]]:
    yield "none", []
    for level in (1, 3, 5):
        yield f"zstd {level}", [ZstdCodec(level=level)]
    yield "zstd 3, its checksum", [ZstdCodec(level=3, checksum=True)]
    for name, level in (("lz4", 5), ("zstd", 1), ("zstd", 3), ("zstd", 5)):
        for shuffle in ("shuffle", "bitshuffle"):
            yield f"blosc {name} {level} {shuffle}", [BloscCodec(cname=name, clevel=level, shuffle=shuffle)]
    yield "as stores are: blosc zstd 1 bitshuffle, CRC-32C", shards.compressors()


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


def seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def measure(values: np.ndarray, layout: Mapping[str, Any]) -> tuple[list[float], list[float]]:
    """Size in % of the array and number of files; seconds to write all, to read all, to read a chunk at random."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "x"

        def write() -> None:
            array = zarr.create_array(place, shape=values.shape, dtype=values.dtype, fill_value=np.nan, **layout)
            array[...] = values

        written = seconds(write)
        array = zarr.open_array(place, mode="r")
        read = seconds(lambda: array[...])
        assert np.array_equal(array[...], values, equal_nan=True)
        grid = shards.grid_of(values.shape, layout["chunks"])
        starts = [[int(rng.integers(n)) * c for n, c in zip(grid, layout["chunks"], strict=True)] for _ in range(20)]
        cuts = [tuple(slice(s, s + c) for s, c in zip(start, layout["chunks"], strict=True)) for start in starts]
        one = seconds(lambda: [array[cut] for cut in cuts]) / len(cuts)
        sizes = [path.stat().st_size for path in place.rglob("*") if path.is_file()]
    return [100 * sum(sizes) / values.nbytes, len(sizes)], [written, read, one]


def table(kind: str, values: np.ndarray, layouts: Mapping[str, Mapping[str, Any]]) -> None:
    """One line for each layout; they take turns, so that what else the machine does meets all alike."""
    found: dict[str, list] = {label: [] for label in layouts}
    for _ in range(ROUNDS):
        for label, layout in layouts.items():
            found[label].append(measure(values, layout))
    print(f"| {kind} | size (%) | files | write (MB/s) | read (MB/s) | one chunk (ms) |\n|---|---|---|---|---|---|")
    for label, rounds in found.items():
        size, files = rounds[0][0]
        write, read, one = np.min([taken for _, taken in rounds], axis=0)
        speeds = f"{values.nbytes / write / 1e6:.0f} | {values.nbytes / read / 1e6:.0f} | {1e3 * one:.2f}"
        print(f"| {label} | {size:.1f} | {files:.0f} | {speeds} |", flush=True)


def layout(values: np.ndarray, codec: list, mib: float = 1) -> dict[str, Any]:
    chunk = shards.chunk_shape(values.shape, values.dtype.itemsize, most=int(mib * 2**20))
    return {"chunks": chunk, "shards": shards.shard_shape(values.shape, chunk), "compressors": codec or None}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data"), help="where the DAG keeps its datasets")
    every = dict(arrays(parser.parse_args().data))
    for name, values in every.items():
        print(f"\n{name}: {values.shape}, {values.nbytes / 1e6:.1f} MB, chunks {layout(values, [])['chunks']}\n")
        table("codec", values, {label: layout(values, codec) for label, codec in codecs()})
    name, values = max(every.items(), key=lambda item: item[1].nbytes)
    print(f"\nLayout: {name}, compressed as stores are\n")
    own = shards.compressors()
    layouts = {f"chunks of {mib} MiB, one shard": layout(values, own, mib) for mib in (0.25, 0.5, 1, 2, 4)}
    layouts |= {"chunks of 1 MiB, a file each": layout(values, own) | {"shards": None}}
    table("layout", values, layouts | {"one chunk": {"chunks": values.shape, "compressors": own}})


if __name__ == "__main__":
    main()
