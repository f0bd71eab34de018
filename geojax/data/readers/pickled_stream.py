"""One local event on many stations: a pickled ObsPy Stream, StationXML, hypocentre (JSON) and velocities (.tvel).

The file that this was written for holds the M2.5 event of 2016-07-11 05:55:16 UTC recorded by the IRIS Community
Wavefield Experiment in Oklahoma, network YW, doi:10.7914/SN/YW_2016; Sweet et al. (2018), doi:10.1785/0220180079.
"""

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from geojax.data import onsets
from geojax.data.unpickling import PickledTrace, read_pickled_stream
from geojax.errors import UserError
from geojax.log import logger

COMPONENTS = {"N": ("DP1", "HHN", "BHN", "HNN"), "E": ("DP2", "HHE", "BHE", "HNE"), "Z": ("DPZ", "HHZ", "BHZ", "HNZ")}
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
    raises UserError : a file cannot be read, no station of the part is there, or rates and lengths differ
    """
    ((name, wanted),) = variables.items()
    traces = [t for t in read_pickled_stream(files["waveforms"]) if t.station in selection["stations"]]
    records = _records(traces, files["waveforms"])
    places = station_coordinates(files["stations"])
    records = {code: record for code, record in records.items() if _usable(code, record, records)}
    if not records:
        raise UserError(f"{files['waveforms']}: must hold stations of the part, but holds none of them.")
    event = json.loads(files["event"].read_text())
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
    origin = (np.datetime64(event["evt0"], "ns") - start) / np.timedelta64(1, "s")
    distance = onsets.epicentral_distance(lat, lon, event["evla"], event["evlo"])
    found = onsets.derive_onsets(
        waveforms, first.sampling_rate, origin, distance, event["evdp"],
        onsets.read_tvel(files["velocities"]), p_correction, s_correction,
    )  # fmt: skip
    rate = first.sampling_rate
    logger.info("%d stations, onsets picked: P %d, S %d", len(codes), found.p_picked.sum(), found.s_picked.sum())
    sample = {"units": "1", "long_name": "sample from the start of the trace", "derived": "STA/LTA and moveout"}
    return xr.Dataset(
        {
            name: (("station", "component", "sample"), waveforms, {"units": wanted["units"]}
                   | {"standard_name": wanted["standard_name"]}),
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
               "event_depth_km": event["evdp"], "event_magnitude": event["mag"], "origin_s": float(origin)},
    )  # fmt: skip


def station_coordinates(path: Path) -> dict[str, tuple[float, float, float]]:
    """Latitude and longitude in degrees and elevation in m of each station code of a StationXML file.

    raises UserError : the file is not StationXML
    """
    found = {}
    try:
        for _, element in ElementTree.iterparse(path):
            if element.tag == SPACE + "Station":
                numbers = [float(element.findtext(SPACE + k, "nan")) for k in ("Latitude", "Longitude", "Elevation")]
                found[element.get("code", "")] = tuple(numbers)
    except ElementTree.ParseError as error:
        raise UserError(f"{path}: must be FDSN StationXML, but is not ({error}). Fetch it again.") from None
    return found


def _records(traces: list[PickledTrace], path: Path) -> dict[str, dict[str, PickledTrace]]:
    component = {channel: name for name, channels in COMPONENTS.items() for channel in channels}
    records: dict[str, dict[str, PickledTrace]] = {}
    for trace in traces:
        if trace.channel in component:
            records.setdefault(trace.station, {})[component[trace.channel]] = trace
    kinds = {(t.sampling_rate, len(t.data)) for record in records.values() for t in record.values()}
    if len(kinds) > 1:
        raise UserError(f"{path}: traces must share sampling rate and length, but come as {sorted(kinds)}.")
    return {code: record for code, record in records.items() if set(record) == set(COMPONENTS)}


def _usable(code: str, record: dict[str, PickledTrace], records: dict[str, dict[str, PickledTrace]]) -> bool:
    """Leave out, and say so: a component without signal, or a station that repeats another's samples.

    The archive lists seven nodes under two codes; a copy would let a test station be seen in training.
    """
    peaks = [float(np.ptp(record[k].data)) for k in COMPONENTS]
    if min(peaks) <= 0.1 * float(np.median(peaks)):
        logger.warning("station %s left out: a component is dead (peak to peak %s)", code, peaks)
        return False
    for other in records:
        if other == code:
            return True
        if np.array_equal(records[other]["Z"].data, record["Z"].data):
            logger.warning("station %s left out: its samples repeat those of %s", code, other)
            return False
    return True
