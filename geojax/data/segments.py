"""Stretches of samples as files hold them, laid on one grid of times; what is missing is NaN, never filled."""

from collections.abc import Callable
from itertools import groupby
from typing import NamedTuple

import numpy as np

from geojax.data.findings import Finding
from geojax.data.quality import runs
from geojax.errors import UserError

ALIGNED = 0.01  # of a sample: starts that lie nearer to the grid lie on it
SPARSE = 100  # times as many points as samples: then the traces do not belong together
ROUNDING = 1e-6  # of a sample, by which a float may miss the border of a part
LARGE = 10_000_000  # points, below which sparseness is no matter


class Segment(NamedTuple):
    """Samples without a gap: their file, trace (NET.STA.LOC.CHA), start [ns since 1970, UTC], rate and values."""

    file: str
    trace: str
    start_ns: int
    rate_hz: float
    values: np.ndarray


class Grid(NamedTuple):
    """Traces (trace, time) on times that all share."""

    traces: list[str]
    values: np.ndarray
    start_ns: int
    rate_hz: float
    starts_ns: np.ndarray  # (trace,) exact time of the first sample of each


def instant(ns: int) -> str:
    """A time in words, to the nanosecond."""
    return f"{np.datetime64(ns, 'ns')}Z"


def times(grid: Grid) -> np.ndarray:
    """(time,) datetime64[ns], each the nearest nanosecond to its exact time."""
    step, count = 1e9 / grid.rate_hz, grid.values.shape[1]
    if step.is_integer():
        return np.arange(grid.start_ns, grid.start_ns + count * int(step), int(step)).view("datetime64[ns]")
    steps = np.rint(np.arange(count) * step).astype("int64")
    return (grid.start_ns + steps).astype("datetime64[ns]")


def cut(segments: list[Segment], first: str, end: str) -> list[Segment]:
    """What of the segments lies from `first` on and before `end`, dates of ISO 8601, UTC."""
    low, high = (int(np.datetime64(date, "ns").astype("int64")) for date in (first, end))
    found = []
    for segment in segments:
        step = 1e9 / segment.rate_hz
        places = np.ceil(np.array([low - segment.start_ns, high - segment.start_ns]) / step - ROUNDING)
        begin, stop = np.clip(places, 0, len(segment.values)).astype(int)
        if begin < stop:
            start = segment.start_ns + round(int(begin) * step)
            found.append(segment._replace(start_ns=start, values=segment.values[begin:stop]))
    return found


def assemble(segments: list[Segment], report: Callable[[Finding], None]) -> Grid:
    """Lay segments on the grid of the earliest; `report` is called with each fault of their times.

    raises UserError : sampling rates differ, or the segments lie too far apart to share an array
    """
    first = segments[0]
    rates = {s.rate_hz: s for s in segments}
    if len(rates) > 1:
        told = ", ".join(f"{s.trace} {rate:g} Hz" for rate, s in sorted(rates.items()))
        raise UserError(
            f"{first.file}: traces of one part must share their sampling rate, but come as {told}. "
            "Take those of one rate with `reader: options: channels`."
        )
    rate, start = first.rate_hz, min(s.start_ns for s in segments)
    names = sorted({s.trace for s in segments})
    length = max(_place(s, start)[0] + len(s.values) for s in segments)
    held = sum(len(s.values) for s in segments)
    if length * len(names) > max(SPARSE * held, LARGE):
        last = max(s.start_ns for s in segments)
        raise UserError(
            f"{first.file}: traces of one part must lie near one another in time, but start between {instant(start)} "
            f"and {instant(last)}. Split the file by day, or take fewer with `reader: options: channels`."
        )
    values = np.empty((len(names), length), _kind(segments))
    starts = np.zeros(len(names), "int64")
    for row, (name, own) in enumerate(
        groupby(sorted(segments, key=lambda s: (s.trace, s.start_ns)), lambda s: s.trace)
    ):
        every = list(own)
        starts[row] = every[0].start_ns
        taken = np.zeros(length, bool)
        for segment in every:
            _lay(segment, start, values[row], taken, report)
        if not taken.all():
            values[row, ~taken] = np.nan
            gaps, lengths = runs(~taken)
            moment = instant(start + round(int(gaps[0]) * 1e9 / rate))
            detail = f"{int(lengths.sum())} samples are missing in {len(gaps)} gaps"
            report(Finding("gap", every[0].file, name, len(gaps), moment, detail))
    return Grid(names, values, start, rate, starts)


def _place(segment: Segment, start_ns: int) -> tuple[int, float]:
    """Point of the grid where a segment begins, and how far from it, in samples."""
    exact = (segment.start_ns - start_ns) * segment.rate_hz / 1e9
    return round(exact), exact - round(exact)


def _kind(segments: list[Segment]) -> str:
    """float32 where it holds every sample exactly, else float64.

    raises UserError : not even that does
    """
    for kind in ("float32", "float64"):
        if all(exact(s.values, kind) for s in segments):
            return kind
    inexact = next(s for s in segments if not exact(s.values, "float64"))
    raise UserError(
        f"{inexact.file}: {inexact.trace}: samples must be exact in float64, but are {inexact.values.dtype}."
    )


def exact(values: np.ndarray, kind: str) -> bool:
    """Whether a floating type holds every value as it is."""
    if values.dtype.kind in "iu":
        limit = 2**24 if kind == "float32" else 2**53
        return bool(values.size == 0 or (values.min() >= -limit and values.max() <= limit))
    if np.dtype(kind).itemsize >= values.dtype.itemsize:
        return True
    with np.errstate(over="ignore"):
        return np.array_equal(values.astype(kind).astype(values.dtype), values, equal_nan=True)


def _lay(
    segment: Segment, start_ns: int, row: np.ndarray, taken: np.ndarray, report: Callable[[Finding], None]
) -> None:
    place, off = _place(segment, start_ns)
    where = slice(place, place + len(segment.values))
    moment = instant(segment.start_ns)
    if abs(off) > ALIGNED:
        detail = f"samples lie {abs(off):.3f} of a step off the grid of the part"
        report(Finding("misaligned", segment.file, segment.trace, 1, moment, detail))
    if segment.values.dtype.kind == "f" and (holes := int(np.isnan(segment.values).sum())):
        report(Finding("not_finite", segment.file, segment.trace, holes, moment, f"{holes} samples are no numbers"))
    twice = taken[where]
    if twice.any():
        again = int(twice.sum())
        same = np.array_equal(row[where][twice], segment.values[twice].astype(row.dtype), equal_nan=True)
        kind = "contradiction" if not same else "duplicate" if twice.all() else "overlap"
        words = "again, equal" if same else "again, with other values"
        report(Finding(kind, segment.file, segment.trace, again, moment, f"{again} samples are told {words}"))
    row[where] = segment.values
    taken[where] = True
