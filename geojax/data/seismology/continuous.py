"""Picks of continuous waveforms: windows that overlap, curves joined, no pick told twice, none across a gap."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from obspy.core.event import Catalog, Comment, Event, Pick, QuantityError, WaveformStreamID

from geojax import store
from geojax.data.seismology import arrivals, overlaps, streams
from geojax.errors import UserError
from geojax.log import logger
from geojax.task import Examples

BLOCK = 128  # windows that are looked at together
COLUMNS = ["station", "phase", "time", "probability"]


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
    every = list(streams.stretches(streams.load(files)))
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


def curves(predict: Callable[[Examples], np.ndarray], waveforms: np.ndarray, samples: int) -> np.ndarray:
    """Curves (phase, sample) of waveforms (3, sample): means over windows that overlap by half.

    The nearer to a window's end, the less it says: there a model sees one side of an arrival only.
    """
    length = waveforms.shape[1]
    padded = np.pad(waveforms, ((0, 0), (0, max(samples - length, 0))))
    starts = overlaps.starts(padded.shape[1], samples, samples // 2)

    def pieces() -> Iterator[tuple[int, np.ndarray]]:
        for first in range(0, len(starts), BLOCK):
            own = starts[first : first + BLOCK]
            window = np.stack([padded[:, start : start + samples] for start in own])
            window = window - window.mean(2, keepdims=True)
            size = window.std((1, 2), keepdims=True)
            found = predict(Examples({"window": (window / np.maximum(size, 1e-12)).astype("float32")}))
            yield from zip(own, found * (size > 0), strict=True)

    return overlaps.joined(pieces(), overlaps.triangle(samples), padded.shape[1])[:, :length]


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
