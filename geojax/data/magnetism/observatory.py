"""Series of a geomagnetic observatory: averages, windows, activity by three hours, and what the field is made of."""

import re
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy.ndimage import median_filter

from geojax.errors import UserError

INTERVAL = np.timedelta64(3, "h")
THIRDS = {"-": -1 / 3, "o": 0.0, "+": 1 / 3}


def average(series: np.ndarray, count: int) -> np.ndarray:
    """Means (step, component) of each `count` samples of a series (sample, component); of the known ones."""
    whole = series[: len(series) // count * count].reshape(-1, count, series.shape[1])
    known = np.isfinite(whole)
    total = np.where(known, whole, 0.0).sum(1)
    return np.where(known.any(1), total / np.maximum(known.sum(1), 1), np.nan)


def kp(text: str) -> float:
    """Kp as a number from its usual notation: 5- is 4.67, 5o is 5, 5+ is 5.33.

    raises UserError : it is no Kp
    """
    if not re.fullmatch(r"0[o+]|[1-8][-o+]|9[-o]", text):
        raise UserError(f"examples: kp: must be told as 0o, 0+, 1-, 1o … 9o, but {text!r} stands there.")
    return int(text[0]) + THIRDS[text[1]]


def activity(times: np.ndarray, days: Mapping[str, str]) -> np.ndarray:
    """Kp at times (step,).

    days : date: the eight values of its intervals of three hours, in their usual notation, with blanks between
    raises UserError : a day has not eight, or lacks
    """
    known = {}
    for day, words in days.items():
        if len(each := words.split()) != 8:
            raise UserError(f"examples: kp: {day} must have eight values, but has {len(each)}.")
        known |= {np.datetime64(day, "h") + 3 * i: kp(word) for i, word in enumerate(each)}
    begins = intervals(times)
    if absent := sorted(set(begins) - known.keys()):
        raise UserError(f"examples: kp: must tell all days of the data, but lacks that of {absent[0]}.")
    return np.array([known[begin] for begin in begins])


def intervals(times: np.ndarray) -> np.ndarray:
    """The beginning, in hours, of the interval of three hours that each time lies in."""
    hours = times.astype("M8[h]")
    return hours - (hours.astype("int64") % 3).astype("m8[h]")


class Shares(NamedTuple):
    """What a field (step, component) is made of; they add up to it."""

    slow: np.ndarray  # main field and baseline
    daily: np.ndarray  # solar quiet variation
    storm: np.ndarray  # ring current and what else lasts for hours
    fast: np.ndarray  # substorms and pulsations


def decompose(minutes: np.ndarray, field: np.ndarray, quiet: np.ndarray, length: int, harmonics: int = 4) -> Shares:
    """Split a field into four parts that add up to it.

    The daily part is a Fourier series of the time of day, fitted with a constant and a trend to the quiet steps; the
    constant is the slow part, as no trend of a few days can be told from a storm. Of the rest, a running median is the
    storm-time part.

    minutes : (step,), times in minutes since a midnight; quiet : (step,), what is fitted
    length : steps of the running median
    """
    turns = 2 * np.pi * np.arange(1, harmonics + 1) * (minutes[:, None] / 1440)
    waves = np.concatenate([np.cos(turns), np.sin(turns)], 1)
    trend = (minutes - minutes[quiet].mean()) / 1440
    design = np.concatenate([np.ones((len(minutes), 1)), trend[:, None], waves], 1)
    weights = np.linalg.lstsq(design[quiet], field[quiet], rcond=None)[0]
    slow, daily = np.broadcast_to(weights[0], field.shape), waves @ weights[2:]
    storm = running_median(field - slow - daily, length)
    return Shares(slow, daily, storm, field - slow - daily - storm)


def running_median(field: np.ndarray, length: int) -> np.ndarray:
    """Centred running median (step, component) over `length` steps; beyond the ends the last value goes on."""
    return median_filter(field, size=(length, 1), mode="nearest")


def plant(generator: np.random.Generator, windows: np.ndarray, step_s: float, size: tuple[float, float]) -> np.ndarray:
    """Windows (window, step, component) with an artificial disturbance in each, a bay or a train of pulsations.

    Bays rise and fall as a Gaussian of 3 to 30 minutes, pulsations have periods of 1 to 5 minutes in an envelope of 5
    to 15; direction and place in the window are random. That is the shape of substorm signatures, not a model of them.

    size : range of the largest value, drawn evenly in its logarithm, in the units of the windows
    """
    count, steps, components = windows.shape
    time = np.arange(steps) * step_s / 60 - generator.uniform(0, steps * step_s / 60, (count, 1))
    bay = np.exp(-0.5 * (time / np.exp(generator.uniform(np.log(3), np.log(30), (count, 1))) * 2.35) ** 2)
    envelope = np.exp(-0.5 * (time / generator.uniform(5, 15, (count, 1)) * 2.35) ** 2)
    wave = envelope * np.sin(2 * np.pi * time / generator.uniform(1, 5, (count, 1)))
    shape = np.where(generator.random((count, 1)) < 0.5, bay, wave)
    direction = generator.normal(size=(count, 1, components))
    direction /= np.linalg.norm(direction, axis=2, keepdims=True)
    height = np.exp(generator.uniform(np.log(size[0]), np.log(size[1]), (count, 1, 1)))
    return windows + height * direction * shape[:, :, None]
