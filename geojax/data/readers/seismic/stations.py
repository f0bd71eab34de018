"""Where channels stand and how they respond, from StationXML."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from geojax.data.findings import Finding
from geojax.data.readers.seismic.xml import Report, read_inventory
from geojax.data.segments import Grid, instant

OFF = 1e-3  # of the sampling rate: a channel that tells another one is not that of the samples
COORDINATES = {
    "latitude": {"units": "degrees_north", "standard_name": "latitude"},
    "longitude": {"units": "degrees_east", "standard_name": "longitude"},
    "elevation_m": {"units": "m", "long_name": "elevation above sea level as StationXML gives it"},
}


class Epoch(NamedTuple):
    """A channel from start to end [ns since 1970, UTC; None is open], at a place in degrees and m."""

    start_ns: int | None
    end_ns: int | None
    place: tuple[float, float, float]
    rate_hz: float | None
    response: Any

    def meets(self, first_ns: int, last_ns: int) -> bool:
        return (self.start_ns is None or self.start_ns <= last_ns) and (self.end_ns is None or self.end_ns >= first_ns)

    def covers(self, first_ns: int, last_ns: int) -> bool:
        return (self.start_ns is None or self.start_ns <= first_ns) and (self.end_ns is None or self.end_ns >= last_ns)


class Stations(NamedTuple):
    """Epochs by SEED id, or by NET.STA where the file lists no channels."""

    file: str
    epochs: dict[str, list[Epoch]]

    def of(self, trace: str) -> list[Epoch]:
        return self.epochs.get(trace) or self.epochs.get(".".join(trace.split(".")[:2]), [])


def read_stations(files: Mapping[str, Path], report: Report) -> Stations:
    """raises UserError : a file is not StationXML."""
    epochs: dict[str, list[Epoch]] = {}
    for path in files.values():
        for key, epoch in _epochs(read_inventory(path, report)):
            epochs.setdefault(key, []).append(epoch)
    return Stations(", ".join(map(str, files.values())), epochs)


def coordinates(grid: Grid, stations: Stations, report: Report) -> dict[str, Any]:
    """Coordinates (trace,), NaN where StationXML tells no place or several, which is reported."""
    places = np.full((len(grid.traces), 3), np.nan)
    for row, trace in enumerate(grid.traces):
        first, last = extent(grid, row)
        known = stations.of(trace)
        there = [epoch for epoch in known if epoch.meets(first, last)]
        told = {epoch.place for epoch in there}
        if len(told) == 1:
            (places[row],) = told
        kind = "ambiguous" if told else "metadata"
        if len(told) != 1:
            words = f"{len(told)} places" if told else "no place at that time" if known else "no place"
            report(Finding(kind, stations.file, trace, 1, instant(first), f"StationXML tells {words} of it"))
        rates = {epoch.rate_hz for epoch in there if epoch.rate_hz}
        if strange := sorted(rate for rate in rates if abs(rate - grid.rate_hz) > OFF * grid.rate_hz):
            words = f"StationXML tells {strange[0]:g} Hz, but the samples come at {grid.rate_hz:g} Hz"
            report(Finding("metadata", stations.file, trace, 1, instant(first), words))
    return {name: ("trace", places[:, i], attrs) for i, (name, attrs) in enumerate(COORDINATES.items())}


def extent(grid: Grid, row: int) -> tuple[int, int]:
    """Times of the first and last sample of a trace [ns since 1970, UTC]."""
    held = np.flatnonzero(~np.isnan(grid.values[row]))
    first, last = (held[0], held[-1]) if held.size else (0, 0)
    begin, end = (grid.start_ns + round(int(i) * 1e9 / grid.rate_hz) for i in (first, last))
    return begin, end


def _epochs(inventory: Any) -> Iterator[tuple[str, Epoch]]:
    for network in inventory:
        for station in network:
            key = f"{network.code}.{station.code}"
            if not station.channels:
                yield key, Epoch(_ns(station.start_date), _ns(station.end_date), _place(station), None, None)
            for c in station.channels:
                epoch = Epoch(_ns(c.start_date), _ns(c.end_date), _place(c), c.sample_rate, c.response)
                yield f"{key}.{c.location_code}.{c.code}", epoch


def _place(thing: Any) -> tuple[float, float, float]:
    return float(thing.latitude), float(thing.longitude), float(thing.elevation)


def _ns(moment: Any) -> int | None:
    return None if moment is None else moment.ns
