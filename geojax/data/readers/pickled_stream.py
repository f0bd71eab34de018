"""One local event on many stations: a pickled ObsPy Stream, StationXML, hypocentre (JSON) and velocities (.tvel).

The file that this was written for holds the M2.5 event of 2016-07-11 05:55:16 UTC recorded by the IRIS Community
Wavefield Experiment in Oklahoma, network YW, doi:10.7914/SN/YW_2016; Sweet et al. (2018), doi:10.1785/0220180079.
"""

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from lxml import etree

from geojax.data import findings
from geojax.data.findings import Finding
from geojax.data.readers import cf_attributes
from geojax.data.seismology import onsets
from geojax.data.unpickling import PickledTrace, read_pickled_stream
from geojax.errors import UserError
from geojax.log import logger

COMPONENTS = {"N": ("DP1", "HHN", "BHN", "HNN"), "E": ("DP2", "HHE", "BHE", "HNE"), "Z": ("DPZ", "HHZ", "BHZ", "HNZ")}
FILES = ("waveforms", "stations", "event", "velocities")
SPACE = "{http://www.fdsn.org/xml/station/1}"


def read(
    files: Mapping[str, Path],
    selection: Mapping[str, Any],
    variables: Mapping[str, Mapping[str, Any]],
    *,
    p_correction: tuple[float, float] = (0.0, 0.0),
    s_correction: tuple[float, float] = (0.0, 0.0),
) -> xr.Dataset:
    """Read waveforms (station, component, sample), float32, and derive P and S onsets.

    files : waveforms, stations, event, velocities
    selection : stations, a set of codes
    p_correction, s_correction : delay in s and slowness error in s/km, added to the model's travel times
    returns : the waveforms with p_onset and s_onset (sample from the start of the trace), coordinates, and the
        epicentre in the attributes
    raises UserError : a file cannot be read, no station of the part is there, rates, lengths or starts differ, or
        the records do not hold the event
    """
    if absent := [name for name in FILES if name not in files]:
        raise UserError(f"`source: files` must name {', '.join(FILES)}, but lacks {', '.join(absent)}.")
    ((name, wanted),) = variables.items()
    traces = [t for t in read_pickled_stream(files["waveforms"]) if t.station in selection["stations"]]
    records = _records(traces, files["waveforms"])
    places = station_coordinates(files["stations"])
    faults = [_fault(code, record, records, files["waveforms"]) for code, record in records.items()]
    records = {code: own for (code, own), fault in zip(records.items(), faults, strict=True) if fault is None}
    left_out = findings.record(fault for fault in faults if fault)
    if not records:
        raise UserError(f"{files['waveforms']}: must hold stations of the part, but holds none of them.")
    event = _event(files["event"])
    codes = list(records)
    if absent := [code for code in codes if code not in places]:
        raise UserError(f"{files['stations']}: must hold the coordinates of {absent[0]}, but does not.")
    first = records[codes[0]]["Z"]
    if first.units != wanted["units"]:
        raise UserError(f"{files['waveforms']}: samples must be in {wanted['units']!r}, but are in {first.units!r}.")
    waveforms = np.stack([np.stack([records[c][k].data for k in COMPONENTS]) for c in codes]).astype("float32")
    lat, lon, elevation = np.array([places[code] for code in codes]).T
    # The pickle's start times differ by less than a sample between stations.
    start = np.datetime64(first.starttime_ns, "ns")
    origin = (event["evt0"] - start) / np.timedelta64(1, "s")
    rate = first.sampling_rate
    distance = onsets.epicentral_distance(lat, lon, event["evla"], event["evlo"])
    model = _velocities(files["velocities"])
    corrections = p_correction, s_correction
    p, s = onsets.predicted_times(distance, event["evdp"], model, *corrections)
    searched = origin + min(p) - onsets.P_SEARCH, origin + max(s) + onsets.S_SEARCH
    if searched[0] < 0 or searched[1] > waveforms.shape[-1] / rate:
        raise UserError(
            f"{files['waveforms']}: must hold P and S of the event, expected {searched[0]:.1f} to {searched[1]:.1f} s "
            f"from the start of the records, but the records are {waveforms.shape[-1] / rate:.1f} s long."
        )
    found = onsets.derive_onsets(waveforms, rate, origin, distance, event["evdp"], model, *corrections)
    logger.info("%d stations, onsets picked: P %d, S %d", len(codes), found.p_picked.sum(), found.s_picked.sum())
    sample = {"units": "1", "long_name": "sample from the start of the trace", "derived": "STA/LTA and moveout"}
    return xr.Dataset(
        {
            name: (("station", "component", "sample"), waveforms, cf_attributes(wanted)),
            "p_onset": ("station", np.round((origin + found.p) * rate).astype("int32"), sample),
            "s_onset": ("station", np.round((origin + found.s) * rate).astype("int32"), sample),
            "p_picked": ("station", found.p_picked),
            "s_picked": ("station", found.s_picked),
        },
        coords={
            "station": codes,
            "component": list(COMPONENTS),
            "lat": ("station", lat, {"units": "degrees_north", "standard_name": "latitude"}),
            "lon": ("station", lon, {"units": "degrees_east", "standard_name": "longitude"}),
            "elevation": ("station", elevation, {"units": "m", "standard_name": "surface_altitude"}),
            "distance": ("station", distance, {"units": "km", "long_name": "epicentral distance"}),
            "time": ("station", np.full(len(codes), start), {"standard_name": "time"}),
        },
        attrs={"sampling_rate_hz": rate, "event_lat": event["evla"], "event_lon": event["evlo"],
               "event_depth_km": event["evdp"], "event_magnitude": event["mag"], "origin_s": float(origin),
               "quality": left_out},
    )  # fmt: skip


def station_coordinates(path: Path) -> dict[str, tuple[float, float, float]]:
    """Latitude and longitude in degrees and elevation in m of each station code of a StationXML file.

    raises UserError : the file is not StationXML
    """
    found = {}
    try:
        with path.open("rb") as file:
            for _, element in etree.iterparse(file, tag=SPACE + "Station"):
                numbers = [float(element.findtext(SPACE + k, "nan")) for k in ("Latitude", "Longitude", "Elevation")]
                found[element.get("code", "")] = tuple(numbers)
                element.clear()
    except (OSError, etree.XMLSyntaxError, ValueError) as error:
        raise UserError(f"{path}: must be FDSN StationXML, but is not ({error}). Fetch it again.") from None
    return found


def _event(path: Path) -> dict[str, Any]:
    """Origin time, place in degrees, depth in km and magnitude."""
    try:
        found = json.loads(path.read_text())
        numbers = {key: float(found[key]) for key in ("evla", "evlo", "evdp", "mag")}
        return numbers | {"evt0": np.datetime64(found["evt0"], "ns")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path}: must be JSON with evt0 (UTC), evla, evlo, evdp (km) and mag of the event, but is not ({error!r})."
        ) from None


def _velocities(path: Path) -> np.ndarray:
    try:
        with warnings.catch_warnings(action="error"):  # NumPy merely warns of a file without rows
            model = onsets.read_tvel(path)
        if model.ndim != 2:
            raise ValueError("fewer than two rows")
        return model
    except (OSError, ValueError, UserWarning) as error:
        raise UserError(
            f"{path}: must hold two title lines, then depth (km), Vp and Vs (km/s), but does not ({error})."
        ) from None


def _records(traces: list[PickledTrace], path: Path) -> dict[str, dict[str, PickledTrace]]:
    component = {channel: name for name, channels in COMPONENTS.items() for channel in channels}
    records: dict[str, dict[str, PickledTrace]] = {}
    for trace in traces:
        if trace.channel in component:
            records.setdefault(trace.station, {})[component[trace.channel]] = trace
    kinds = {(t.sampling_rate, len(t.data)) for record in records.values() for t in record.values()}
    if len(kinds) > 1:
        raise UserError(f"{path}: traces must share sampling rate and length, but come as {sorted(kinds)}.")
    starts = [t.starttime_ns for record in records.values() for t in record.values()]
    if starts and (max(starts) - min(starts)) / 1e9 >= 1 / traces[0].sampling_rate:
        apart = (max(starts) - min(starts)) / 1e9
        raise UserError(f"{path}: traces must share their start to within a sample, but lie up to {apart} s apart.")
    return {code: record for code, record in records.items() if set(record) == set(COMPONENTS)}


def _fault(
    code: str, record: dict[str, PickledTrace], records: dict[str, dict[str, PickledTrace]], path: Path
) -> Finding | None:
    """Why a station is left out: a component without signal, or samples that repeat those of another.

    The archive lists seven nodes under two codes; a copy would let a test station be seen in training.
    """
    peaks = [float(np.ptp(record[k].data)) for k in COMPONENTS]
    start = str(np.datetime64(record["Z"].starttime_ns, "ns"))
    if not min(peaks) > 0.1 * float(np.median(peaks)):  # so that NaN is no signal either
        words = f"a component is dead (peak to peak {peaks}), so the station is left out"
        return Finding("flat", str(path), code, 1, start, words)
    for other in records:
        if other == code:
            return None
        if np.array_equal(records[other]["Z"].data, record["Z"].data):
            words = f"its samples repeat those of {other}, so the station is left out"
            return Finding("duplicate", str(path), code, 1, start, words)
    return None
