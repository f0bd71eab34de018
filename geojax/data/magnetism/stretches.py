"""Stretches of a series from which forecasts are made at many origins: `rows` and `shared` of a forecasting task.

Rows hold `start`, where a stretch begins in the series that all share, and `latest`, how late it could begin. Shared
are, at each step of the series, `values` (step, variable), scaled and 0 where missing, `clock` (step, feature) and
`target` (step,) in its own units, NaN where missing; and, in steps, `leads`, `spin_up` from 0 and `origins` after it,
counted from the start of a stretch. `minute` (step,) is since 1970, in UTC.
"""

import numpy as np

from geojax.task import Examples


def starts(count: int, length: int, step: int) -> np.ndarray:
    """Where stretches of some length begin in a series of `count` steps, one every `step`."""
    return np.arange(0, count - length + 1, step)


def origins(examples: Examples) -> np.ndarray:
    """Places (row, origin) in the series at which forecasts are made."""
    return examples.rows["start"][:, None] + examples.shared["origins"]


def truth(examples: Examples) -> np.ndarray:
    """The target at each lead after each origin: (row, origin, lead)."""
    return examples.shared["target"][origins(examples)[..., None] + examples.shared["leads"]]


def lagged(examples: Examples, lags: int, places: np.ndarray) -> np.ndarray:
    """Values at places (n,) and at the lags - 1 steps before, then the clock: (n, lags × variable + feature)."""
    values, clock = examples.shared["values"], examples.shared["clock"]
    past = values[places[:, None] - np.arange(lags)]
    return np.concatenate([past.reshape(len(places), -1), clock[places]], 1)


def clock(times: np.ndarray) -> np.ndarray:
    """Time of day, and of the year with its half, as cosines and sines: (step, 6)."""
    day = (times - times.astype("M8[D]")) / np.timedelta64(1, "D")
    year = (times - times.astype("M8[Y]")) / np.timedelta64(1, "D") / 365.2425
    turns = 2 * np.pi * np.stack([day, year, 2 * year], 1)
    return np.concatenate([np.cos(turns), np.sin(turns)], 1).astype("float32")
