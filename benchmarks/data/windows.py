"""Random windows (256 of 3 x 3000 samples) out of day parts, against SeisBench and h5py on the same samples.

python benchmarks/data/windows.py [rounds], in an environment with geojax and what peers.txt lists (`make bench-data`).
"""

import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import xarray as xr
from archive import RATE_HZ, SAMPLES, day, records
from pairs import in_turn, machine, rates, ratios
from zarr.codecs import BloscCodec, Crc32cCodec

from geojax import store
from geojax.data.loader import Loader

DAYS, BATCH, LENGTH, TRACE = 3, 256, 3000, 12_000  # traces of two minutes are usual in SeisBench
CHUNKS = (4096, 16_384)
LZ4 = (BloscCodec(cname="lz4", clevel=5, shuffle="bitshuffle", typesize=4), Crc32cCodec())
Draw = Callable[[int], np.ndarray]


def batches(seed: int) -> Callable[[], np.ndarray]:
    """Draws one batch after the other of (day, start), and every way the same ones."""
    generator = np.random.default_rng(seed)
    high = [DAYS, SAMPLES - LENGTH + 1]
    return lambda: generator.integers(0, high, (BATCH, 2))


def parts(folder: Path, days: list[np.ndarray], chunk: int, compressors: tuple) -> dict[str, Path]:
    """Stores of one shard each, as geojax writes them."""
    found = {}
    for number, values in enumerate(days):
        length = -(-values.shape[1] // chunk) * chunk
        layout = {"chunks": (3, chunk), "shards": (3, length), "compressors": compressors}
        found[str(number)] = folder / f"{chunk}-{len(compressors)}-{number}.zarr"
        dataset = xr.Dataset({"velocity": (("trace", "time"), values)})
        dataset.to_zarr(found[str(number)], zarr_format=3, encoding={"velocity": layout})
    return found


def geojax_windows(stores: dict[str, Path], threads: int, seed: int) -> Callable[[], np.ndarray]:
    loader, draw = Loader(stores, "velocity", threads), batches(seed)

    def batch() -> np.ndarray:
        rows = draw()
        return loader.windows([str(d) for d in rows[:, 0]], {"time": rows[:, 1]}, {"time": LENGTH})

    return batch


def h5py_windows(path: Path, days: list[np.ndarray], layout: dict, seed: int) -> Callable[[], np.ndarray]:
    with h5py.File(path, "w") as file:
        for number, values in enumerate(days):
            file.create_dataset(str(number), data=values, **layout)
    file, draw = h5py.File(path), batches(seed)
    opened = [file[str(number)] for number in range(len(days))]

    def batch() -> np.ndarray:
        windows = np.empty((BATCH, 3, LENGTH), "float32")
        for row, (number, start) in zip(windows, draw().tolist(), strict=True):
            opened[number].read_direct(row, np.s_[:, start : start + LENGTH])
        return windows

    return batch


def seisbench_windows(folder: Path, days: list[np.ndarray]) -> dict[str, Callable[[], list]]:
    """SeisBench's own reading: traces of two minutes in its format, a random window of a random trace."""
    from seisbench.data import WaveformDataset, WaveformDataWriter
    from seisbench.generate import GenericGenerator, RandomWindow, SteeredGenerator, SteeredWindow

    with WaveformDataWriter(folder / "metadata.csv", folder / "waveforms.hdf5") as writer:
        writer.data_format = {"dimension_order": "CW", "component_order": "ENZ", "sampling_rate": RATE_HZ}
        for number, values in enumerate(days):
            for start in range(0, values.shape[1] - TRACE + 1, TRACE):
                told = {"trace_name": f"{number}.{start}", "station_code": "OKL", "split": "train"}
                writer.add_trace(told, values[:, start : start + TRACE])
    dataset = WaveformDataset(folder, sampling_rate=RATE_HZ, component_order="ENZ", missing_components="pad")
    generic = GenericGenerator(dataset)
    generic.augmentation(RandomWindow(windowlen=LENGTH))
    generator, seeds = np.random.default_rng(1), count()

    def random_windows() -> list:
        return [generic[int(i)]["X"] for i in generator.integers(0, len(dataset), BATCH)]

    def steered_windows() -> list:
        rng = np.random.default_rng(next(seeds))
        names = dataset.metadata["trace_name"].iloc[rng.integers(0, len(dataset), BATCH)].to_numpy()
        table = pd.DataFrame({"trace_name": names, "start_sample": rng.integers(0, TRACE - LENGTH, BATCH)})
        table["end_sample"] = table["start_sample"] + LENGTH
        steered = SteeredGenerator(dataset, table)
        steered.augmentation(SteeredWindow(windowlen=LENGTH))
        return [steered[i]["X"] for i in range(BATCH)]

    return {"SeisBench GenericGenerator": random_windows, "SeisBench SteeredGenerator": steered_windows}


def ceilings(folder: Path, days: list[np.ndarray]) -> dict[str, Callable[[], np.ndarray]]:
    """The same bytes by nothing but calls to the system, and out of memory."""
    flat = folder / "flat.bin"
    with flat.open("wb") as file:
        for values in days:
            file.write(np.ascontiguousarray(values).tobytes())
    handle, draw, again = os.open(flat, os.O_RDONLY), batches(7), batches(7)
    size, whole = days[0].nbytes, days[0].nbytes // 3

    def pread() -> np.ndarray:
        windows = np.empty((BATCH, 3, LENGTH), "float32")
        for row, (number, start) in zip(windows, draw().tolist(), strict=True):
            for channel in range(3):
                os.preadv(handle, [row[channel].data], number * size + channel * whole + start * 4)
        return windows

    def memory() -> np.ndarray:
        windows = np.empty((BATCH, 3, LENGTH), "float32")
        for row, (number, start) in zip(windows, again().tolist(), strict=True):
            row[:] = days[number][:, start : start + LENGTH]
        return windows

    return {"pread of the same bytes": pread, "copy within memory": memory}


def main(rounds: int) -> None:
    warnings.filterwarnings("ignore")
    if find_spec("seisbench") is None:
        sys.exit("SeisBench is missing here. `make bench-data` builds an environment with it, benchmarks/.venv-peers.")
    values = records()
    days = [day(values, number).astype("float32") for number in range(DAYS)]
    folder = Path(tempfile.mkdtemp(prefix="geojax-bench-"))
    try:
        ours = {}
        for chunk in CHUNKS:
            for name, codecs in (("as it is", ()), ("lz4", LZ4)):
                stores = parts(folder / str(chunk), days, chunk, codecs)
                for threads in (1, 2):
                    way = f"geojax, {name}, chunks of {chunk}, {threads} thread{'s'[: threads - 1]}"
                    ours[way] = geojax_windows(stores, threads, 7)
        written = {str(number): folder / "written" / f"{number}.zarr" for number in range(DAYS)}
        for path, values in zip(written.values(), days, strict=True):
            store.write(xr.Dataset({"velocity": (("trace", "time"), values)}), path)
        ours["geojax, as store.write lays it out, 2 threads"] = geojax_windows(written, 2, 7)
        peers = {}
        for name, layout in (("as it is", {}), ("gzip", {"compression": "gzip"})):
            peers[f"h5py, {name}"] = h5py_windows(folder / f"{name}.h5", days, {"chunks": (3, CHUNKS[0])} | layout, 7)
        seisbench = folder / "seisbench"
        seisbench.mkdir()
        peers |= seisbench_windows(seisbench, days)
        bounds = ceilings(folder, days)
        print(f"{machine()}\n")
        _check(ours | {name: way for name, way in peers.items() if "h5py" in name} | bounds)
        costs = in_turn(ours | peers | bounds, rounds)
        print(rates({name: costs[name] for name in (*ours, *peers, *bounds)}, BATCH, "windows/s"))
        print(f"\n{ratios(costs, ours, [*peers, *bounds])}")
    finally:
        shutil.rmtree(folder)


def _check(same: dict[str, Callable[[], np.ndarray]]) -> None:
    """Ways that draw the same windows must give the same numbers."""
    found = {name: way() for name, way in same.items()}
    first = next(iter(found.values()))
    if wrong := [name for name, windows in found.items() if not np.array_equal(windows, first)]:
        sys.exit(f"{wrong[0]}: gives other windows than the first way.")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 40)
