"""Arrivals that QuakeML tells of the stations of a part."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from geojax.data.findings import Finding
from geojax.data.readers.seismic.xml import Report, named, read_catalog
from geojax.data.segments import Grid, instant
from geojax.errors import UserError
from geojax.log import logger

PLACE = "reader: options: picks"
STATUSES = ("preliminary", "confirmed", "reviewed", "final", "rejected", "reported", "unknown")


class Pick(NamedTuple):
    """An arrival as its file tells it; what the file leaves open is empty or NaN."""

    file: str
    trace: str
    time_ns: int
    phase: str
    mode: str
    status: str
    uncertainty_s: float
    event: str


def chosen(option: Mapping[str, Any], files: Mapping[str, Path]) -> tuple[dict[str, Path], tuple[str, ...]]:
    """Files and statuses left out, from the option `picks: {catalog: …, without: […]}`.

    raises UserError : a setting is unknown, or names no file or status
    """
    if strange := sorted(set(option) - {"catalog", "without"}):
        raise UserError(f"{PLACE}: no setting `{strange[0]}`. There are catalog, without.")
    if "catalog" not in option:
        raise UserError(f"{PLACE}: must name its `catalog`, a QuakeML file of the part.")
    without: Sequence[str] = option.get("without", ())
    if strange := [status for status in without if status not in STATUSES]:
        raise UserError(f"{PLACE}: without: {strange[0]!r} must be one of {', '.join(STATUSES)}.")
    return named(files, option["catalog"], f"{PLACE.split(': ')[-1]}: catalog"), tuple(without)


def read_picks(files: Mapping[str, Path], without: Sequence[str], grid: Grid, report: Report) -> dict[str, Any]:
    """Picks (pick,) of the stations of the part, from its first to its last sample, in the order of the files.

    without : evaluation statuses whose picks are left out; their number is told in the attributes
    returns : the variable pick_time and its coordinates, for xr.Dataset
    raises UserError : a file is not QuakeML
    """
    every = [pick for path in files.values() for pick in _picks(path, report)]
    last = grid.start_ns + round((grid.values.shape[1] - 1) * 1e9 / grid.rate_hz)
    traces = [trace.split(".") for trace in grid.traces]
    own = [p for p in every if grid.start_ns <= p.time_ns <= last and any(_is_at(p, trace) for trace in traces)]
    kept = [pick for pick in own if (pick.status or "unknown") not in without]
    logger.info("%d picks of %d are of the part; %d left out by status", len(own), len(every), len(own) - len(kept))
    for pick in kept:
        moment = instant(pick.time_ns)
        if pick.status == "rejected":
            report(Finding("rejected", pick.file, pick.trace, 1, moment, f"its {pick.phase} pick was rejected"))
        if not pick.phase:
            report(Finding("metadata", pick.file, pick.trace, 1, moment, "a pick tells no phase"))
    alike = Counter((p.file, p.trace, p.phase, p.event) for p in kept if p.status != "rejected")
    for (file, trace, phase, event), number in alike.items():
        if number > 1:
            first = min(p.time_ns for p in kept if (p.file, p.trace, p.phase, p.event) == (file, trace, phase, event))
            report(Finding("ambiguous", file, trace, number, instant(first), f"{number} {phase} picks of one event"))
    return _table(kept, len(own) - len(kept))


def _picks(path: Path, report: Report) -> list[Pick]:
    found = []
    for event in read_catalog(path, report):
        origin = event.preferred_origin() or (event.origins[0] if event.origins else None)
        phases = {str(arrival.pick_id): arrival.phase for arrival in (origin.arrivals if origin else [])}
        for pick in event.picks:
            place = pick.waveform_id
            if place is None or not place.station_code or pick.time is None:
                report(Finding("metadata", str(path), "all", 1, "no time", "a pick tells no station or no time"))
                continue
            codes = (place.network_code, place.station_code, place.location_code, place.channel_code)
            errors = [getattr(pick.time_errors, f"{k}uncertainty", None) for k in ("", "lower_", "upper_")]
            uncertainty = (
                errors[0] if errors[0] is not None else max((e for e in errors if e is not None), default=np.nan)
            )
            found.append(
                Pick(
                    str(path),
                    ".".join((code or "").replace("--", "") for code in codes),
                    pick.time.ns,
                    pick.phase_hint or phases.get(str(pick.resource_id)) or "",
                    pick.evaluation_mode or "",
                    pick.evaluation_status or "",
                    float(uncertainty),
                    str(event.resource_id),
                )
            )
    return found


def _is_at(pick: Pick, trace: list[str]) -> bool:
    """Whether a pick was read at the station of a trace; many catalogues leave the network open."""
    network, station, *_ = pick.trace.split(".")
    return len(trace) == 4 and station == trace[1] and network in ("", trace[0])


def _table(picks: list[Pick], left_out: int) -> dict[str, Any]:
    def text(name: str, words: str) -> tuple[str, np.ndarray, dict[str, str]]:
        return "pick", np.array([getattr(p, name) for p in picks], "U"), {"long_name": words}

    times = np.array([p.time_ns for p in picks], "int64").astype("datetime64[ns]")
    uncertainty = np.array([p.uncertainty_s for p in picks], "float64")
    return {
        "pick_time": ("pick", times, {"long_name": "time of arrival", "left_out": left_out}),
        "pick_trace": text("trace", "network.station.location.channel as the catalogue tells it"),
        "pick_phase": text("phase", "seismic phase"),
        "pick_mode": text("mode", "manual or automatic"),
        "pick_status": text("status", "evaluation status"),
        "pick_uncertainty_s": ("pick", uncertainty, {"units": "s", "long_name": "uncertainty of the time"}),
        "event_id": text("event", "resource identifier of the event in its catalogue"),
    }
