"""Continuous waveforms of one's own: files read and joined, parted where one of three components lacks."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import obspy
from obspy.core.trace import Stats

from geojax.data.readers.seismic.formats import format_of, read_stream
from geojax.errors import UserError
from geojax.log import logger

ENDS = {"N": "N1", "E": "E2", "Z": "Z"}


class Stretch(NamedTuple):
    """Samples (component N E Z, sample), float64, of one instrument without a gap.

    name : its id without the component
    start : of the vertical; components may be apart by less than a sample
    headers : of each component, as ObsPy gives them
    """

    name: str
    start: obspy.UTCDateTime
    rate_hz: float
    samples: np.ndarray
    headers: tuple[Stats, ...]

    @property
    def end(self) -> obspy.UTCDateTime:
        """Time of the last sample."""
        return self.start + (self.samples.shape[1] - 1) / self.rate_hz

    def __str__(self) -> str:
        return f"{self.name} from {self.start} to {self.end}"


def load(files: Sequence[Path]) -> obspy.Stream:
    """All waveforms of files and folders.

    raises UserError : a file that is named is none of waveforms, or a folder holds none
    """
    stream = obspy.Stream()
    for path in files:
        taken = [path] if not path.is_dir() else [own for own in sorted(path.rglob("*")) if _is_waveform(own)]
        if not taken:
            raise UserError(f"{path}: must hold waveforms such as miniSEED, but holds none. Name another folder.")
        for own in taken:
            stream += read_stream(own, lambda finding: logger.warning("%s", finding.detail))[1]
    return stream


def stretches(stream: obspy.Stream) -> Iterator[Stretch]:
    """Where all three components of an instrument have samples, stretch by stretch in the order of time.

    What is left out, as a component lacks there, is told in the log.
    """
    known: dict[tuple[str, float], dict[str, list[obspy.Trace]]] = {}
    for trace in _without_overlaps(stream):
        component = next((c for c, ends in ENDS.items() if trace.stats.channel[-1:] in ends), None)
        if component:
            key = trace.id[:-1], trace.stats.sampling_rate
            known.setdefault(key, {}).setdefault(component, []).append(trace)
        else:
            logger.warning("%s: left out, as its code ends in none of %s", trace.id, ", ".join("".join(ENDS.values())))
    for (name, rate), own in sorted(known.items()):
        if set(own) != set(ENDS):
            logger.warning("%s: left out, as it has %s alone", name, ", ".join(sorted(own)))
            continue
        found = []
        turn = dict.fromkeys(ENDS, 0)
        while all(turn[c] < len(own[c]) for c in ENDS):
            here = tuple(own[c][turn[c]] for c in ENDS)
            if (common := _common(name, rate, here)) is not None:
                found.append(common)
                yield common
            first = min(ENDS, key=lambda c: own[c][turn[c]].stats.endtime)
            turn[first] += 1
        for trace in (trace for c in ENDS for trace in own[c]):
            for start, end in _rest(trace, found):
                logger.warning("%s from %s to %s: left out, as not all three are there", trace.id, start, end)


def _is_waveform(path: Path) -> bool:
    try:
        return path.is_file() and bool(format_of(path))
    except UserError:
        return False


def _without_overlaps(stream: obspy.Stream) -> list[obspy.Trace]:
    """Traces in order of time, joined where they meet; where they tell a time twice, the first counts."""
    # Never filled across gaps: records of days apart would be as long as what lies between them.
    joined = obspy.Stream([t for t in stream if t.stats.npts and t.stats.sampling_rate > 0]).merge(method=-1)
    found, last = [], {}
    for trace in sorted((own for t in joined for own in _finite(t)), key=lambda t: (t.id, t.stats.starttime)):
        end = last.get(trace.id)
        if end is not None and trace.stats.endtime <= end:
            continue
        if end is not None and trace.stats.starttime <= end:
            trace = trace.slice(end + trace.stats.delta)
        found.append(trace)
        last[trace.id] = trace.stats.endtime
    return found


def _finite(trace: obspy.Trace) -> list[obspy.Trace]:
    """A trace parted where its samples are no numbers."""
    if np.isfinite(trace.data).all():
        return [trace]
    masked = trace.copy()
    masked.data = np.ma.masked_invalid(masked.data)
    return list(masked.split())


def _common(name: str, rate: float, traces: tuple[obspy.Trace, ...]) -> Stretch | None:
    """What three traces have in common in time."""
    start, end = max(t.stats.starttime for t in traces), min(t.stats.endtime for t in traces)
    if end <= start:
        return None
    cut = [trace.slice(start, end) for trace in traces]
    length = min(trace.stats.npts for trace in cut)
    samples = np.stack([trace.data[:length] for trace in cut]).astype("float64")
    return Stretch(name, cut[-1].stats.starttime, rate, samples, tuple(trace.stats for trace in cut))


def _rest(trace: obspy.Trace, found: Sequence[Stretch]) -> Iterator[tuple[obspy.UTCDateTime, obspy.UTCDateTime]]:
    """First and last sample of what of a trace is in no stretch."""
    step, at = trace.stats.delta, trace.stats.starttime
    for own in found:
        if own.end < at or own.start > trace.stats.endtime:
            continue
        if own.start - at > 0.75 * step:
            yield at, own.start - step
        at = own.end + step
    if trace.stats.endtime - at > -0.25 * step:
        yield at, trace.stats.endtime
