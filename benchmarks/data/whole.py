"""Reading from one part of 46 MB: `store.read` against xarray on Zarr, in time and in the memory that a process takes.

python benchmarks/data/whole.py [rounds]
"""

import re
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import xarray as xr
from pairs import in_turn, machine, ratios

from geojax import store

STATIONS, SAMPLES, LENGTH = 100, 40_000, 3000
ZARR = "xarray on Zarr"


def through_zarr(path: Path) -> xr.Dataset:
    return xr.open_zarr(path, consolidated=True, chunks=None)


def growth(path: Path, name: str) -> float:
    """MB by which the peak of a process grows that has opened the store and then reads the array."""
    command = [sys.executable, "-W", "ignore", __file__, "--grow", str(path), name]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def grow(path: Path, name: str) -> float:
    opened = (through_zarr if name == ZARR else store.read)(path)
    opened["onset"].load()
    before = _peak_mb()
    opened["waveform"].load()
    return _peak_mb() - before


def _peak_mb() -> float:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) / 1024


def main(rounds: int) -> None:
    warnings.filterwarnings("ignore")
    generator = np.random.default_rng(0)
    records = generator.integers(-20, 21, (STATIONS, 3, SAMPLES), "int8").astype("float32")
    waveform = ("station", "component", "sample"), records
    windows = [(int(generator.integers(STATIONS)), int(generator.integers(SAMPLES - LENGTH))) for _ in range(30)]
    ways: dict[str, Callable[[xr.Dataset], object]] = {
        "open": lambda opened: opened,
        "open and load": lambda opened: opened.load(),
        "20 stations": lambda opened: opened["waveform"].isel(station=range(40, 60)).load(),
        "every tenth station": lambda opened: opened["waveform"].isel(station=slice(0, None, 10)).load(),
        "30 windows": lambda opened: [
            opened["waveform"].isel(station=i, sample=slice(start, start + LENGTH)).load() for i, start in windows
        ],
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "part.zarr"
        store.write(xr.Dataset({"waveform": waveform, "onset": ("station", np.arange(STATIONS))}), path)
        print(f"{machine()}\n")
        for name, way in ways.items():
            both = {"geojax": lambda way=way: way(store.read(path)), ZARR: lambda way=way: way(through_zarr(path))}
            print(f"{name}\n\n{ratios(in_turn(both, rounds), ['geojax'], [ZARR])}\n", flush=True)
        for name in ("geojax", ZARR):
            every = sorted(growth(path, name) for _ in range(3))
            print(f"{name}: {every[1]:.0f} MB for an array of {records.nbytes / 2**20:.0f} MB", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--grow"]:
        print(grow(Path(sys.argv[2]), sys.argv[3]))
    else:
        main(int(sys.argv[1]) if sys.argv[1:] else 20)
