"""Continuous waveforms in any format of ObsPy that keeps all it says in one file: miniSEED, SAC, GSE2, SEG-Y, …

With them come, if asked for, coordinates and ground motion from StationXML, and picks from QuakeML.
"""

from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from geojax.data import quality as faults
from geojax.data.findings import Finding, record
from geojax.data.quality import FLAT
from geojax.data.readers import cf_attributes
from geojax.data.readers.seismic.formats import read_stream
from geojax.data.readers.seismic.picks import chosen, read_picks
from geojax.data.readers.seismic.response import removal, remove_response
from geojax.data.readers.seismic.stations import coordinates, read_stations
from geojax.data.readers.seismic.xml import named
from geojax.data.segments import Grid, Segment, assemble, cut, instant, times
from geojax.errors import UserError

SAC_UNITS = {6: "nm", 7: "nm s-1", 8: "nm s-2", 50: "V"}  # header idep; 5 is unknown
COUNTS = "counts"  # what a response is removed from


def read(
    files: Mapping[str, Path],
    selection: Mapping[str, Any],
    variables: Mapping[str, Mapping[str, Any]],
    *,
    channels: Sequence[str] = ("*",),
    flat: int = FLAT,
    inventory: str | None = None,
    response: Mapping[str, Any] | None = None,
    picks: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Read one variable (trace, time): float32 if that holds every sample exactly, else float64; NaN where none is.

    files : those of one part; traces of several files are joined by their SEED id
    channels : SEED ids NET.STA.LOC.CHA that are taken, with wildcards; traces without a station are named #1, #2, …
    flat : equal samples in a row from which on a channel counts as dead
    inventory : which of `files`, with wildcards, are StationXML: gives latitude, longitude and elevation_m (trace)
    response : removes the instrument response that the inventory tells, see `seismic.response.Removal`; float32 then
    picks : catalog, which of `files` are QuakeML, and without, statuses left out: gives pick_time (pick)
    returns : with coordinates trace, time and start_time (each trace's own, exact), and what was found in
        attrs["quality"]
    raises UserError : a file cannot be read to its end, is refused, or holds what no configuration may admit
    """
    if len(variables) != 1:
        raise UserError(f"reader: variables: `waveforms` reads one variable, but {len(variables)} are named.")
    if strange := sorted(set(selection) - {"span", "stations"}):
        raise UserError(f"parts: by: {strange[0]}: `waveforms` cannot be cut so; take `by: file`, day or station.")
    ((name, wanted),) = variables.items()
    found: list[Finding] = []
    xml = named(files, inventory, "inventory") if inventory else {}
    catalogs, without = chosen(picks, files) if picks is not None else ({}, ())
    how = removal(response, wanted["units"]) if response is not None else None
    if how and not xml:
        raise UserError("reader: options: response: needs `inventory`, which names the StationXML of the part.")
    grid = _grid(
        _recorded(files, {*xml, *catalogs}),
        selection, COUNTS if how else wanted["units"], channels, flat, found,
    )  # fmt: skip
    added: dict[str, Any] = {}
    attrs = cf_attributes(wanted)
    if xml:
        stations = read_stations(xml, found.append)
        added |= coordinates(grid, stations, found.append)
        if how:
            grid, attrs = remove_response(grid, stations, how, found.append), attrs | {"processing": str(how)}
    if picks is not None:
        added |= read_picks(catalogs, without, grid, found.append)
    recorded = record(found)
    _check_range(grid, _shown(files), name, wanted.get("valid_range"))
    return _dataset(grid, name, attrs, added, recorded)


def _recorded(files: Mapping[str, Path], others: set[str]) -> Mapping[str, Path]:
    """The files of waveforms: in what a service sent, the one of that name; else all but the inventory and catalog."""
    if "waveforms" in files:
        return {"waveforms": files["waveforms"]}
    return {key: path for key, path in files.items() if key not in others}


def _grid(
    files: Mapping[str, Path], selection: Mapping[str, Any], units: str, channels: Sequence[str], flat: int,
    found: list[Finding],
) -> Grid:  # fmt: skip
    """Samples as they were recorded, and what is wrong with them."""
    segments, own = [], list[Finding]()
    for path in files.values():
        segments += _segments(path, units, own.append, f"{path.name}" if len(files) > 1 else "")
    stations = selection.get("stations")
    taken = [s for s in segments if _is_taken(s.trace, channels, stations)]
    if "span" in selection:
        taken = cut(taken, *selection["span"])
    if not taken:
        there = ", ".join(sorted({s.trace for s in segments})[:8]) or "no samples at all"
        span = " from {} to before {}".format(*selection["span"]) if "span" in selection else ""
        raise UserError(f"{_shown(files)}: must hold samples of {', '.join(channels)}{span}, but holds {there}.")
    found += [f for f in own if f.trace == "all" or _is_taken(f.trace, channels, stations)]
    grid = assemble(taken, found.append)
    for row, trace in enumerate(grid.traces):
        _inspect(row, trace, grid, next(s.file for s in taken if s.trace == trace), flat, found)
    return grid


def _shown(files: Mapping[str, Path]) -> str:
    return ", ".join(str(path) for path in list(files.values())[:3])


def _is_taken(trace: str, channels: Sequence[str], stations: set[str] | None) -> bool:
    ours = stations is None or (trace.count(".") == 3 and trace.split(".")[1] in stations)
    return ours and any(fnmatchcase(trace, pattern) for pattern in channels)


def _segments(path: Path, units: str, report: Callable[[Finding], None], prefix: str) -> list[Segment]:
    """Stretches of one file in its order, told apart by SEED id, or by number where they have no station."""
    form, stream = read_stream(path, report)
    segments, last = [], {}
    for number, trace in enumerate(stream, 1):
        stats, values = trace.stats, np.ma.getdata(trace.data)
        label = trace.id if stats.station else f"{prefix}#{number}"
        start = int(stats.starttime.ns)
        if values.size == 0 or not stats.sampling_rate > 0:
            report(
                Finding("empty", str(path), label, 1, _moment(start), "the trace has no samples or no sampling rate")
            )
            continue
        if np.ma.is_masked(trace.data) or values.ndim != 1 or values.dtype.kind not in "iuf":
            raise UserError(f"{path}: {label}: samples must be numbers, but are {values.dtype}. Take it out by its id.")
        if not -(2**63) < start < 2**63 - 10**9 * len(values) / stats.sampling_rate:
            raise UserError(f"{path}: {label}: times must lie between 1678 and 2262, but start at {stats.starttime}.")
        if start < last.get(label, start):
            detail = f"a stretch stands after a later one, of {instant(last[label])}"
            report(Finding("order", str(path), label, 1, instant(start), detail))
        last[label] = start
        told = SAC_UNITS.get(int(stats.sac.get("idep", 5))) if form == "SAC" else None
        if told and told != units:
            raise UserError(
                f"{path}: {label}: samples must be in {units!r}, but the file says {told!r}. "
                "Correct `reader: variables: units`, or convert the file."
            )
        segments.append(Segment(str(path), label, start, float(stats.sampling_rate), values))
    return segments


def _moment(ns: int) -> str:
    return instant(ns) if abs(ns) < 2**63 else "a time out of range"


def _inspect(row: int, trace: str, grid: Grid, file: str, flat: int, found: list[Finding]) -> None:
    for kind, count, first, words in faults.inspect(grid.values[row], flat):
        moment = instant(grid.start_ns + round(first * 1e9 / grid.rate_hz))
        found.append(Finding(kind, file, trace, count, moment, words))


def _check_range(grid: Grid, shown: str, name: str, valid: Sequence[float] | None) -> None:
    if valid and (outside := int(((grid.values < valid[0]) | (grid.values > valid[1])).sum())):
        raise UserError(f"{shown}: `{name}` must lie in {valid[0]} … {valid[1]}, but {outside} samples do not.")


def _dataset(
    grid: Grid, name: str, attrs: dict[str, str], added: dict[str, Any], quality: list[dict[str, Any]]
) -> xr.Dataset:
    variables = {name: (("trace", "time"), grid.values, attrs)}
    if "pick_time" in added:
        variables["pick_time"] = added.pop("pick_time")
    coords = {
        "trace": ("trace", grid.traces, {"long_name": "SEED id: network.station.location.channel"}),
        "time": ("time", times(grid), {"standard_name": "time"}),
        "start_time": (
            "trace", grid.starts_ns.astype("datetime64[ns]"), {"long_name": "time of the first sample of the trace"}
        ),
    }  # fmt: skip
    own = {"sampling_rate_hz": grid.rate_hz, "start_ns": grid.start_ns, "quality": quality}
    return xr.Dataset(variables, coords | added, own)
