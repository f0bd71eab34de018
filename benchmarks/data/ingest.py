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
from statistics import median
from typing import Any
from unittest import mock

import numpy as np
import obspy
import xarray as xr
from archive import write_days, write_years
from pairs import in_turn, machine, rates, ratios, timed

from geojax import stages, store
from geojax.data import quality, survey
from geojax.data.readers.fields import numbers
from geojax.store import encoding

WAVEFORMS = {
    "name": "waveforms",
    "variables": {"velocity": {"units": "counts", "long_name": "ground velocity as recorded"}},
}
GRIDS = {
    "name": "netcdf",
    "variables": {"sst": {"units": "degree_Celsius", "standard_name": "sea_surface_temperature"}},
}

QUALITY = {"policy": "fail", "admit": ["all"]}
ZLIB = {"zlib": True, "complevel": 1, "shuffle": True}
ZSTD = {"compression": "zstd", "complevel": 1, "shuffle": True}


def ingest(files: list[Path], target: Path, reader: dict) -> None:
    """What a job of rule ingest_part does, its start left out."""
    raw = [str(path) for path in files]
    stages.ingest_part(raw, str(target / f"{files[0].name}.zarr"), files[0].name, {}, reader, QUALITY)


def suffix(compression: dict[str, Any]) -> str:
    """So that every way writes a file of its own."""
    return "".join([f".{compression.get('compression', 'zlib')}" if compression else "", ".nc"])


def obspy_to_netcdf(files: list[Path], target: Path, **compression: Any) -> None:
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
    dataset.to_netcdf(
        target / f"{files[0].name}{suffix(compression)}", encoding={"velocity": compression, "time": compression}
    )


def xarray_to_netcdf(files: list[Path], target: Path, **compression: Any) -> None:
    """Open, to NetCDF."""
    with xr.open_dataset(files[0]) as dataset:
        dataset = dataset.astype("float32").drop_encoding()
        dataset.to_netcdf(target / f"{files[0].name}.out{suffix(compression)}", encoding={"sst": compression})


def share_of(function: str, module: Any, files: list[Path], target: Path, reader: dict) -> float:
    """Share of the CPU time of an ingest that one function of a module takes, in whatever thread."""
    spent, own = [], getattr(module, function)

    def counted(*arguments: Any, **options: Any) -> Any:
        start = time.thread_time()
        try:
            return own(*arguments, **options)
        finally:
            spent.append(time.thread_time() - start)

    with mock.patch.object(module, function, counted):
        whole = timed(lambda: ingest(files, target, reader)).cpu_s
    return sum(spent) / whole


def share_of_digests(files: list[Path], target: Path, reader: dict) -> float:
    """What hashing the same bytes takes: raw files once, shards twice, as a whole and chunk by chunk."""
    whole = timed(lambda: ingest(files, target, reader)).cpu_s
    stored = [path for path in (target / f"{files[0].name}.zarr").rglob("*") if path.is_file()]
    return timed(lambda: [store.digest(path) for path in [*files, *stored, *stored]]).cpu_s / whole


def shares(*what: Any) -> str:
    """What of an ingest's CPU time the plain loops do not spend."""
    found = {
        "compression": lambda: share_of("compress", encoding.blosc, *what),
        "digests": lambda: share_of_digests(*what),
        "checks of the values": lambda: sum(
            share_of(name, module, *what)
            for name, module in (("inspect", quality), ("inspect", numbers), ("judge", survey))
        ),
    }
    told = (f"{name} {median(share() for _ in range(5)):.0%}" for name, share in found.items())
    return f"Of geojax's CPU time: {', '.join(told)}."


def sizes(target: Path) -> str:
    """Of what the last ways of all left, in MB."""
    found = {
        path.name: sum(f.stat().st_size for f in (path.rglob("*") if path.is_dir() else [path]) if f.is_file()) / 1e6
        for path in sorted(target.iterdir())
        if path.suffix in (".zarr", ".nc")
    }
    return "On disk: " + ", ".join(f"{name} {size:.0f} MB" for name, size in found.items()) + "."


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
        loops = {
            "ObsPy loop to NetCDF": lambda: obspy_to_netcdf(parts[0], target),
            "the same, zlib 1": lambda: obspy_to_netcdf(parts[0], target, **ZLIB),
            "the same, zstd 1": lambda: obspy_to_netcdf(parts[0], target, **ZSTD),
        }
        ways = {"geojax ingest_part": lambda: ingest(parts[0], target, WAVEFORMS), **loops}
        ways["reading the files alone"] = lambda: [path.read_bytes() for path in parts[0]]
        costs = in_turn(ways, days)
        print(rates(costs, amount, "MB/s"), ratios(costs, list(ways)[:1], loops), sep="\n\n")
        print(f"\n{shares(parts[0], target, WAVEFORMS)} {sizes(target)}\n")

        years = write_years(Path(folder) / "years", 1)
        amount = years[0].stat().st_size / 1e6
        print(f"### Yearly grids: {amount:.0f} MB of float32\n")
        loops = {
            "xarray loop to NetCDF": lambda: xarray_to_netcdf(years, target),
            "the same, zlib 1": lambda: xarray_to_netcdf(years, target, **ZLIB),
            "the same, zstd 1": lambda: xarray_to_netcdf(years, target, **ZSTD),
        }
        ways = {"geojax ingest_part": lambda: ingest(years, target, GRIDS), **loops}
        costs = in_turn(ways, days)
        print(rates(costs, amount, "MB/s"), ratios(costs, list(ways)[:1], loops), sep="\n\n")
        print(f"\n{shares(years, target, GRIDS)} {sizes(target)}\n")

        amount = sum(path.stat().st_size for part in parts for path in part) / 1e6
        print(f"\n### {days} days, one job and two\n")
        both = {f"{n} at a time": (lambda n=n: jobs(n, parts, target)) for n in (1, 2)}
        costs = in_turn(both, 3)
        print(rates(costs, amount, "MB/s"), ratios(costs, list(both)[1:], list(both)[:1]), sep="\n\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 8)
