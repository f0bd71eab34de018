"""Forecasts of one's own series by a trained model, from every step whose history is complete."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from geojax import store
from geojax.data import histories
from geojax.data.magnetism import stretches
from geojax.errors import UserError
from geojax.log import logger
from geojax.task import Data, Examples


def write(
    predict: Callable[[Examples], np.ndarray], files: Sequence[Path], output: Path, data: Data, settings: Any
) -> list[Path]:
    """Write forecast.csv: time of issue, lead, time that is forecast, what is forecast and its units.

    predict : rows start, and the series that they share, to forecasts (row, origin, lead)
    settings : target, inputs, leads, spin_up and origins
    raises UserError : times are none of a regular series with the run's step, or no step has a complete history
    """
    part = data.read(files, [settings.target] if settings.target not in settings.inputs else [])
    known = next(iter(data.parts.values()))
    step = np.diff(known["time"].values[:2])[0]
    part = regular(part, step)
    times = part["time"].values
    values = np.stack([part[name].values for name in settings.inputs], 1)
    count = settings.spin_up + 1
    issued = np.flatnonzero(histories.complete(np.isfinite(values).all(1), count))
    if not issued.size:
        raise UserError(
            f"{part.attrs['part']}: {', '.join(settings.inputs)} must be known at {count} steps of {_words(step)} in a "
            f"row, but are nowhere from {times[0]:.16} to {times[-1]:.16}. Bring a longer series, without gaps."
        )
    found = everywhere(predict, values, times, settings)[issued]
    leads = np.array(settings.leads)
    hours = leads * (step / np.timedelta64(1, "h"))
    table = pd.DataFrame({
        "issued": np.repeat(times[issued], len(leads)), "lead_hours": np.tile(hours, len(issued)),
        "time": (times[issued][:, None] + leads * step).ravel(), settings.target: found.ravel(),
        "units": known[settings.target].attrs.get("original_units", "1"),
    })  # fmt: skip
    logger.info("forecasts from %d of %d steps, the last at %s", len(issued), len(times), times[issued[-1]])
    path = output / "forecast.csv"
    content = table.to_csv(index=False, float_format="%.6g", date_format="%Y-%m-%dT%H:%M:%SZ").encode()
    store.write_bytes(content, path)
    return [path]


def regular(part: xr.Dataset, step: np.timedelta64) -> xr.Dataset:
    """A part on all steps from its first time to its last, NaN where it has none.

    raises UserError : a time is not a whole number of steps after the first
    """
    times = part["time"].values
    off = (times - times[0]) % step != np.timedelta64(0)
    if off.any():
        raise UserError(
            f"{part.attrs['part']}: times must lie whole steps of {_words(step)} apart, as those that the run was "
            f"trained on, but {times[off][0]:.19} does not. Bring means over such steps."
        )
    return part.reindex(time=np.arange(times[0], times[-1] + step, step))


def everywhere(
    predict: Callable[[Examples], np.ndarray], values: np.ndarray, times: np.ndarray, settings: Any
) -> np.ndarray:
    """Forecasts (step, lead) from every step of scaled values (step, input); from the first `spin_up`, NaN."""
    origins = min(settings.origins, len(times) - settings.spin_up)
    last = len(times) - settings.spin_up - origins
    starts = np.unique(np.append(np.arange(0, last, origins), last))
    shared = {
        "values": np.nan_to_num(values).astype("float32"),
        "clock": stretches.clock(times),
        "spin_up": np.arange(settings.spin_up, dtype="int32"),
        "origins": settings.spin_up + np.arange(origins, dtype="int32"),
    }
    found = np.full((len(times), len(settings.leads)), np.nan, "float32")
    for start, said in zip(starts, predict(Examples({"start": starts.astype("int32")}, shared)), strict=True):
        found[start + shared["origins"]] = said
    return found


def _words(step: np.timedelta64) -> str:
    return f"{step / np.timedelta64(1, 'h'):g} h"
