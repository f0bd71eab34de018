"""Picks of continuous waveforms: windows that overlap, curves joined, no pick told twice, none across a gap."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import obspy
import pandas as pd
from obspy.core.event import Catalog, Comment, Event, Pick, QuantityError, WaveformStreamID

from geojax import store
from geojax.data.readers.seismic.formats import format_of, read_stream
from geojax.data.seismology import arrivals
from geojax.errors import UserError
from geojax.log import logger
from geojax.task import Examples

BLOCK = 128  # windows that are looked at together
ENDS = {"N": "N1", "E": "E2", "Z": "Z"}
COLUMNS = ["station", "phase", "time", "probability"]


class Stretch(NamedTuple):
    """Samples (component N E Z, sample) of one instrument without a gap; `name` is its id without the component."""

    name: str
    start: obspy.UTCDateTime
    rate_hz: float
    samples: np.ndarray


Find = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def pick(
    predict: Callable[[Examples], np.ndarray],
    finders: Mapping[str, Find],
    files: Sequence[Path],
    output: Path,
    settings: Any,
) -> list[Path]:
    """Write picks.csv (station, phase, time in UTC, probability) and picks.xml (QuakeML) of the files.

    predict : windows (window, 3, sample) to curves (window, phase, sample)
    finders : for each phase what finds samples and heights of its picks in a curve (sample,)
    files : waveforms, or folders of which everything that ObsPy reads as waveforms is taken
    settings : samples of a window, rate_hz and rates_hz
    raises UserError : no file holds all three components of an instrument at one time
    """
    every = list(stretches(load(files)))
    if not every:
        shown = ", ".join(str(path) for path in list(files)[:3])
        raise UserError(
            f"{shown}: must hold N, E and Z of one instrument at the same time, but do not. Bring all three."
        )
    rows = []
    for stretch in every:
        rate = settings.rates_hz.get(stretch.rate_hz, settings.rate_hz)
        found = curves(predict, arrivals.resampled(stretch.samples, stretch.rate_hz, rate), settings.samples)
        for curve, (phase, find) in zip(found, finders.items(), strict=True):
            for at, height in zip(*find(curve), strict=True):
                rows.append((stretch.name, phase, stretch.start + float(at) / rate, round(float(height), 3)))
    table = pd.DataFrame(sorted(rows, key=lambda row: (row[2].ns, row[:2])), columns=COLUMNS)
    logger.info("%d picks in %d stretches without a gap", len(table), len(every))
    csv, xml = output / "picks.csv", output / "picks.xml"
    store.write_bytes(table.assign(time=[str(t) for t in table["time"]]).to_csv(index=False).encode(), csv)
    catalogue(table).write(str(xml), format="QUAKEML")
    return [csv, xml]


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
    """Where all three components of an instrument have samples, stretch by stretch in the order of time."""
    known: dict[tuple[str, float], dict[str, list[obspy.Trace]]] = {}
    for trace in _without_overlaps(stream):
        component = next((c for c, ends in ENDS.items() if trace.stats.channel[-1:] in ends), None)
        if component:
            key = trace.id[:-1], trace.stats.sampling_rate
            known.setdefault(key, {}).setdefault(component, []).append(trace)
    for (name, rate), own in sorted(known.items()):
        if set(own) != set(ENDS):
            logger.warning("%s: left out, as it has %s alone", name, ", ".join(sorted(own)))
            continue
        turn = dict.fromkeys(ENDS, 0)
        while all(turn[c] < len(own[c]) for c in ENDS):
            here = tuple(own[c][turn[c]] for c in ENDS)
            if (found := _common(name, rate, here)) is not None:
                yield found
            first = min(ENDS, key=lambda c: own[c][turn[c]].stats.endtime)
            turn[first] += 1


def curves(predict: Callable[[Examples], np.ndarray], waveforms: np.ndarray, samples: int) -> np.ndarray:
    """Curves (phase, sample) of waveforms (3, sample): means over windows that overlap by half.

    The nearer to a window's end, the less it says: there a model sees one side of an arrival only.
    """
    length = waveforms.shape[1]
    padded = np.pad(waveforms, ((0, 0), (0, max(samples - length, 0))))
    starts = np.unique(np.append(np.arange(0, padded.shape[1] - samples, samples // 2), padded.shape[1] - samples))
    place = np.arange(samples)
    weight = np.minimum(1 + place, samples - place) / (samples / 2)
    total, share = None, np.zeros(padded.shape[1])
    for first in range(0, len(starts), BLOCK):
        own = starts[first : first + BLOCK]
        window = np.stack([padded[:, start : start + samples] for start in own])
        window = window - window.mean(2, keepdims=True)
        size = window.std((1, 2), keepdims=True)
        found = predict(Examples({"window": (window / np.maximum(size, 1e-12)).astype("float32")}))
        total = np.zeros((found.shape[1], padded.shape[1])) if total is None else total
        for start, curve, alive in zip(own, found, size[:, 0, 0] > 0, strict=True):
            total[:, start : start + samples] += curve * weight * alive
            share[start : start + samples] += weight
    assert total is not None  # there is at least one window
    return (total / share)[:, :length]


def catalogue(table: pd.DataFrame) -> Catalog:
    """Picks as one event without an origin: which of them belong together is left to an associator."""
    picks = []
    for row in table.itertuples():
        network, station, location, band = str(row.station).split(".")
        picks.append(
            Pick(
                time=row.time,
                phase_hint=row.phase,
                evaluation_mode="automatic",
                waveform_id=WaveformStreamID(network, station, location, f"{band}{'Z' if row.phase == 'P' else 'N'}"),
                time_errors=QuantityError(),
                comments=[Comment(text=f"probability {row.probability:.3f}")],
            )
        )
    return Catalog([Event(picks=picks)])


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
    for trace in sorted(joined, key=lambda t: (t.id, t.stats.starttime)):
        end = last.get(trace.id)
        if end is not None and trace.stats.endtime <= end:
            continue
        if end is not None and trace.stats.starttime <= end:
            trace = trace.slice(end + trace.stats.delta)
        found.append(trace)
        last[trace.id] = trace.stats.endtime
    return found


def _common(name: str, rate: float, traces: tuple[obspy.Trace, ...]) -> Stretch | None:
    """What three traces have in common in time."""
    start, end = max(t.stats.starttime for t in traces), min(t.stats.endtime for t in traces)
    if end <= start:
        return None
    cut = [trace.slice(start, end) for trace in traces]
    length = min(trace.stats.npts for trace in cut)
    return Stretch(
        name, cut[0].stats.starttime, rate, np.stack([trace.data[:length] for trace in cut]).astype("float32")
    )
