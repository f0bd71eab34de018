"""Magnetic storms in the series of an index of the ring current, such as Dst or RC."""

from typing import NamedTuple

import numpy as np

PHASES = ("quiet", "storm not begun", "main phase", "recovery")
CLASSES = ("above −30 nT", "−50 to −30 nT", "−100 to −50 nT", "below −100 nT")
EDGES_NT = (-100.0, -50.0, -30.0)


class Storm(NamedTuple):
    """Places in the series: the last hour before the fall, the deepest hour, the last hour that counts as storm."""

    onset: int
    peak: int
    end: int


def find(series: np.ndarray, threshold: float, day: int = 24) -> list[Storm]:
    """Storms of a series (time,), in order.

    A storm is a stretch at or below `threshold`; stretches less than a `day` (in steps) apart are one. It begins where
    the index was highest within the day before, which is after the sudden commencement if there was one, and ends a
    day after it was last below the threshold, or where the next begins. Missing values are not below it.
    """
    low = np.flatnonzero(np.nan_to_num(series, nan=np.inf) <= threshold)
    found: list[Storm] = []
    for run in np.split(low, np.flatnonzero(np.diff(low) > day) + 1) if low.size else []:
        first, last = int(run[0]), int(run[-1])
        earliest = max(first - day, found[-1].end if found else 0, 0)
        before = np.nan_to_num(series[earliest:first], nan=-np.inf)
        # The latest of several maxima: a plateau belongs to the time before.
        onset = first - 1 - int(before[::-1].argmax()) if before.size else first
        if found:
            found[-1] = found[-1]._replace(end=min(found[-1].end, onset))
        peak = first + int(np.nanargmin(series[first : last + 1]))
        found.append(Storm(onset, peak, min(last + day, len(series) - 1)))
    return found


def phases(storms: list[Storm], origin: np.ndarray, target: np.ndarray, length: int) -> np.ndarray:
    """What was known at the origin of the storm that the target lies in: places in PHASES.

    origin, target : places in the series, of any one shape; length : of the series
    returns : 0 no storm at the target, 1 it had not begun at the origin, 2 it was growing, 3 it was past its peak
    """
    own = np.full(length, -1)
    for number, storm in enumerate(storms):
        own[storm.onset + 1 : storm.end + 1] = number
    number = own[target]
    ends = np.array([*((s.onset, s.peak) for s in storms), (0, 0)])
    onset, peak = ends[number].T if number.ndim == 1 else np.moveaxis(ends[number], -1, 0)
    known = np.where(origin <= onset, 1, np.where(origin < peak, 2, 3))
    return np.where(number < 0, 0, known)


def intensity(index: np.ndarray) -> np.ndarray:
    """Places in CLASSES, after Gonzalez et al. (1994), doi:10.1029/93JA02867: −30, −50 and −100 nT."""
    return len(EDGES_NT) - np.digitize(index, EDGES_NT)
