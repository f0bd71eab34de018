"""Archives to measure with, made of real records: day files of miniSEED in SDS, and yearly grids.

The records are those of run `seismic_phases`: 358 nodes and one earthquake at 250 Hz, here taken for 100 Hz and set
one after the other until a day is full. Amplitudes, noise and compression are real; their order is not.
"""

from pathlib import Path

import numpy as np
import obspy
import pandas as pd
import xarray as xr

from geojax import config
from geojax.data import raw as lots
from geojax.data import sources
from geojax.data.unpickling import read_pickled_stream

ROOT = Path(__file__).parents[2]
RATE_HZ, SAMPLES = 100.0, 8_640_000  # of a day
CHANNELS = {"HHE": "DP1", "HHN": "DP2", "HHZ": "DPZ"}


def raw(dataset: str) -> Path:
    """Folder of the raw files of a dataset that geojax comes with, fetched if `make run` has not done so."""
    folder = ROOT / "data" / dataset / "raw" / lots.WHOLE
    if not folder.exists():
        section = config.load(config.Dataset, ROOT / "config" / "datasets" / f"{dataset}.yaml")
        sources.fetch(lots.order(section, lots.WHOLE), folder)
    return folder


def records() -> np.ndarray:
    """(channel, sample) int32, the records of all nodes about their medians."""
    traces = read_pickled_stream(raw("okl_wavefields") / "waveforms")
    joined = [
        np.concatenate([t.data - int(np.median(t.data)) for t in traces if t.channel == code])
        for code in CHANNELS.values()
    ]
    return np.stack(joined).astype("int32")


def day(values: np.ndarray, number: int) -> np.ndarray:
    """(channel, sample) of a day that starts elsewhere in the records than any other day."""
    return np.take(values, np.arange(SAMPLES) + number * 1_234_567, axis=1, mode="wrap")


def write_days(folder: Path, days: int) -> list[list[Path]]:
    """An SDS archive of one station; the files of each day."""
    values, written = records(), []
    for number in range(days):
        start = obspy.UTCDateTime(2024, 1, 1) + number * 86400
        written.append([])
        for channel, samples in zip(CHANNELS, day(values, number), strict=True):
            header = {
                "network": "XX",
                "station": "OKL",
                "channel": channel,
                "sampling_rate": RATE_HZ,
                "starttime": start,
            }
            path = folder / f"2024/XX/OKL/{channel}.D/XX.OKL..{channel}.D.2024.{start.julday:03d}"
            path.parent.mkdir(parents=True, exist_ok=True)
            obspy.Trace(samples, header).write(str(path), format="MSEED", encoding="STEIM2", reclen=4096)
            written[-1].append(path)
    return written


def write_years(folder: Path, years: int) -> list[Path]:
    """Yearly grids, daily at 0.5° for 30° S to 30° N: monthly HadISST between its points, to 0.01 °C."""
    folder.mkdir(parents=True, exist_ok=True)
    with xr.open_dataset(raw("hadisst") / "sst.nc") as monthly:
        (name,) = (v for v in monthly if monthly[v].ndim == 3)
        field = monthly[name].load()
    lat, lon = (next(d for d in field.dims if str(d).lower().startswith(axis)) for axis in ("lat", "lon"))
    fine = {axis: np.arange(float(field[axis].min()), float(field[axis].max()), 0.5) for axis in (lat, lon)}
    written = []
    for year in range(1995, 1995 + years):
        days = pd.date_range(f"{year}-01-01", f"{year}-12-31")
        daily = field.interp({"time": days, **fine}).round(2).astype("float32").rename("sst")
        daily = daily.rename({lat: "lat", lon: "lon"}).assign_attrs(units="degree_Celsius")
        written.append(folder / f"sst_{year}.nc")
        daily.to_netcdf(written[-1])
    return written
