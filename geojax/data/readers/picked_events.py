"""Records of catalogued events cut from continuous waveforms (miniSEED, SAC, …), with the P and S picks of QuakeML."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import obspy
import xarray as xr

from geojax.data.findings import Finding, record
from geojax.data.readers import cf_attributes
from geojax.data.readers.seismic.formats import read_stream
from geojax.data.readers.seismic.xml import named, read_catalog
from geojax.errors import UserError

PHASES = {"P": ("P", "Pg", "Pn", "p"), "S": ("S", "Sg", "Sn", "s")}
COMPONENTS = {"N": "N1", "E": "E2", "Z": "Z"}


def read(
    files: Mapping[str, Path],
    selection: Mapping[str, Any],
    variables: Mapping[str, Mapping[str, Any]],
    *,
    catalog: str = "*.xml",
    without: Sequence[str] = ("rejected",),
    before_s: float = 2.0,
    after_s: float = 10.0,
) -> xr.Dataset:
    """Read one variable (trace, channel, sample), float32: a record for each event and station with a pick.

    files : waveforms, and QuakeML by the names that `catalog` fits
    without : evaluation statuses whose picks are left out
    before_s, after_s : length of the records before and after the first pick of the event at any station
    returns : with p_onset and s_onset (trace,), samples from the start of the record, NaN where none was picked
    raises UserError : a file cannot be read to its end, records differ in rate, or no pick lies in the waveforms
    """
    ((name, wanted),) = variables.items()
    found: list[Finding] = []
    catalogs = named(files, catalog, "catalog")
    stream = obspy.Stream()
    for path in (own for key, own in files.items() if key not in catalogs):
        stream += read_stream(path, found.append)[1]
    rows, values = [], []
    shown = ", ".join(str(path) for path in list(files.values())[:3])
    for path in catalogs.values():
        for event in read_catalog(path, found.append):
            for station, onsets in _picks(event, without, selection).items():
                first = min(p.time for p in event.picks if p.evaluation_status not in without) - before_s
                cut = _cut(stream, station, first, before_s + after_s)
                if cut is None:
                    words = "its waveforms do not cover N, E and Z about the pick"
                    found.append(Finding("gap", str(path), station, 1, str(first), words))
                    continue
                start, rate, samples = cut
                values.append(samples)
                own = {"event": str(event.resource_id), "station_code": station, "rate": rate, "start": start}
                rows.append(own | {k: (onsets[k] - start) * rate if k in onsets else np.nan for k in PHASES})
    if not rows:
        raise UserError(f"{shown}: must hold waveforms about picks of the catalogue, but hold none.")
    if len(rates := {row["rate"] for row in rows}) > 1:
        raise UserError(f"{shown}: records of one part must share their sampling rate, but come at {sorted(rates)} Hz.")
    length = min(samples.shape[1] for samples in values)
    sample = {"units": "1", "long_name": "sample from the start of the record"}

    def column(key: str) -> list[Any]:
        return [row[key] for row in rows]

    return xr.Dataset(
        {
            name: (("trace", "channel", "sample"), np.stack([v[:, :length] for v in values]), cf_attributes(wanted)),
            "p_onset": ("trace", np.array(column("P")), sample),
            "s_onset": ("trace", np.array(column("S")), sample),
        },
        coords={
            "trace": [f"{row['event']} {row['station_code']}" for row in rows],
            "channel": list(COMPONENTS),
            "event": ("trace", column("event")),
            "station_code": ("trace", column("station_code")),
            "trace_start_time": ("trace", np.array([np.datetime64(row["start"].ns, "ns") for row in rows])),
        },
        attrs={"sampling_rate_hz": float(rates.pop()), "quality": record(found)},
    )


def _picks(event: Any, without: Sequence[str], selection: Mapping[str, Any]) -> dict[str, dict[str, obspy.UTCDateTime]]:
    """Of each NET.STA the first pick of each phase."""
    found: dict[str, dict[str, obspy.UTCDateTime]] = {}
    for pick in sorted(event.picks, key=lambda p: p.time):
        where = pick.waveform_id
        phase = next((k for k, names in PHASES.items() if pick.phase_hint in names), None)
        if phase is None or pick.evaluation_status in without:
            continue
        if "stations" in selection and where.station_code not in selection["stations"]:
            continue
        found.setdefault(f"{where.network_code}.{where.station_code}", {}).setdefault(phase, pick.time)
    return found


def _cut(stream: obspy.Stream, station: str, first: obspy.UTCDateTime, length_s: float) -> Any:
    """Start, rate and samples (3, sample) of a station from `first` on; None where it does not cover them."""
    network, code = station.split(".")
    rows: dict[str, obspy.Trace] = {}
    for trace in stream.select(network=network, station=code):
        stats = trace.stats
        component = next((k for k, ends in COMPONENTS.items() if stats.channel[-1:] in ends), None)
        if component and stats.starttime <= first + stats.delta and stats.endtime >= first + length_s - stats.delta:
            rows[component] = trace.slice(first, first + length_s)
    if set(rows) != set(COMPONENTS) or len({(t.stats.sampling_rate, t.stats.npts) for t in rows.values()}) > 1:
        return None
    stats = rows["Z"].stats
    samples = np.stack([rows[c].data for c in COMPONENTS]).astype("float32")
    return stats.starttime, stats.sampling_rate, samples
