"""Ingest a part against the plain loop that ends in NetCDF, in MB of raw files per second; one job and two.

python benchmarks/data/ingest.py [days]
"""

import logging
import sys
import tempfile
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import obspy
import xarray as xr
from archive import write_days, write_years
from pairs import in_turn, machine, rates, ratios

from geojax import stages
from geojax.data import quality

WAVEFORMS = {
    "name": "waveforms",
    "variables": {"velocity": {"units": "counts", "long_name": "ground velocity as recorded"}},
    "options": {"quality": "record"},
}
GRIDS = {
    "name": "netcdf",
    "variables": {"sst": {"units": "degree_Celsius", "standard_name": "sea_surface_temperature"}},
}


def ingest(files: list[Path], target: Path, reader: dict) -> None:
    """What a job of rule ingest_part does, its start left out."""
    raw = [str(path) for path in files]
    stages.ingest_part(raw, str(target / f"{files[0].name}.zarr"), files[0].name, {"by": "file"}, reader)


def obspy_to_netcdf(files: list[Path], target: Path) -> None:
    """Read, merge, to xarray, to NetCDF: no check, no digest, no manifest."""
    stream = obspy.Stream()
    for path in files:
        stream += obspy.read(str(path))
    stream.merge(fill_value=np.nan if stream[0].data.dtype.kind == "f" else None)
    first = stream[0].stats
    step = np.timedelta64(round(1e9 / first.sampling_rate), "ns")
    times = np.datetime64(first.starttime.ns, "ns") + np.arange(first.npts) * step
    values = np.stack([trace.data for trace in stream]).astype("float32")
    dataset = xr.Dataset(
        {"velocity": (("trace", "time"), values)}, {"trace": [trace.id for trace in stream], "time": times}
    )
    dataset.to_netcdf(target / f"{files[0].name}.nc")


def xarray_to_netcdf(files: list[Path], target: Path) -> None:
    """Open, to NetCDF."""
    with xr.open_dataset(files[0]) as dataset:
        dataset.astype("float32").to_netcdf(target / f"{files[0].name}.out.nc")


def share_of_quality_control(files: list[Path], target: Path) -> float:
    """Share of the seconds of an ingest that are spent looking at the samples."""
    spent, inspect = [], quality.inspect

    def counted(*arguments):
        start = time.perf_counter()
        found = inspect(*arguments)
        spent.append(time.perf_counter() - start)
        return found

    quality.inspect = counted
    start = time.perf_counter()
    ingest(files, target, WAVEFORMS)
    quality.inspect = inspect
    return sum(spent) / (time.perf_counter() - start)


def jobs(count: int, parts: list[list[Path]], target: Path) -> None:
    """Parts one after the other, or two at a time, as Snakemake has them made."""
    with ProcessPoolExecutor(count, get_context("spawn")) as pool:
        list(pool.map(ingest, parts, [target] * len(parts), [WAVEFORMS] * len(parts)))


def main(days: int) -> None:
    warnings.filterwarnings("ignore")
    logging.disable()
    print(f"{machine()}\n")
    with tempfile.TemporaryDirectory(prefix="geojax-bench-") as folder:
        target = Path(folder) / "out"
        target.mkdir()
        parts = write_days(Path(folder) / "sds", days)
        amount = sum(path.stat().st_size for path in parts[0]) / 1e6
        print(f"### Day files: three channels, 100 Hz, {amount:.0f} MB of STEIM2\n")
        ways = {
            "ObsPy loop to NetCDF": lambda: obspy_to_netcdf(parts[0], target),
            "geojax ingest_part": lambda: ingest(parts[0], target, WAVEFORMS),
            "reading the files alone": lambda: [path.read_bytes() for path in parts[0]],
        }
        costs = in_turn(ways, days)
        print(rates(costs, amount, "MB/s"), ratios(costs, list(ways)[1:2], list(ways)[:1]), sep="\n\n")
        shares = [share_of_quality_control(parts[0], target) for _ in range(5)]
        print(f"\nQuality control of the samples: {np.median(shares):.0%} of geojax's time.\n")

        years = write_years(Path(folder) / "years", 1)
        amount = years[0].stat().st_size / 1e6
        print(f"### Yearly grids: {amount:.0f} MB of float32\n")
        ways = {
            "xarray loop to NetCDF": lambda: xarray_to_netcdf(years, target),
            "geojax ingest_part": lambda: ingest(years, target, GRIDS),
        }
        costs = in_turn(ways, days)
        print(rates(costs, amount, "MB/s"), ratios(costs, list(ways)[1:], list(ways)[:1]), sep="\n\n")

        amount = sum(path.stat().st_size for part in parts for path in part) / 1e6
        print(f"\n### {days} days, one job and two\n")
        both = {f"{n} at a time": (lambda n=n: jobs(n, parts, target)) for n in (1, 2)}
        costs = in_turn(both, 3)
        print(rates(costs, amount, "MB/s"), ratios(costs, list(both)[1:], list(both)[:1]), sep="\n\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 8)
