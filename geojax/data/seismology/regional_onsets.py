"""Derived P and S onsets of catalogued earthquakes at one station: travel times of a global model refined by a picker.

DERIVED, not read by an analyst: iasp91 says where to look, the median delay of all records corrects it, STA/LTA and
an AIC minimum say when. A record whose onset lies too far from where the model has it gets none.
"""

from typing import Any

import numpy as np
from obspy.signal.filter import bandpass

from geojax.data.seismology.onsets import pick_onset
from geojax.errors import UserError

BAND_HZ = (1.0, 8.0)
SEARCH_S = {"P": 2.0, "S": 2.5}  # half widths of the search about the model's time
ACCEPT_S = {"P": 0.6, "S": 1.0}  # accepted departures from the model's time, corrected
AVERAGES_S = {"P": (0.3, 5.0), "S": (0.5, 5.0)}  # short and long time average
LEAST = 0.5  # share of the records that must get a P onset, else the origins are not those of the records


def travel_times(source: Any, place: Any, model: str = "iasp91") -> np.ndarray:
    """Times of the first P and S (record, 2) in s after the origin.

    source : latitude, longitude (degrees) and depth (km) of each record (record, 3)
    place : latitude and longitude of its station (record, 2)
    """
    from obspy.geodetics import locations2degrees
    from obspy.taup import TauPyModel

    found, earth = np.empty((len(source), 2)), TauPyModel(model)
    for row, ((lat, lon, depth), where) in enumerate(zip(source, place, strict=True)):
        arrivals = earth.get_travel_times(max(depth, 0.1), locations2degrees(lat, lon, *where), ("ttp", "tts"))
        found[row] = [min(a.time for a in arrivals if a.name[0].upper() == phase) for phase in "PS"]
    return found


def derive(waveforms: np.ndarray, rate_hz: float, expected: np.ndarray) -> np.ndarray:
    """P and S onsets (record, 2) in s from the start of each record; NaN where none is certain.

    waveforms : (record, component N E Z, sample)
    expected : where the model has them, (record, 2), in s from the start of each record
    raises UserError : too few records hold a P onset where the model has it
    """
    found = np.full(expected.shape, np.nan)
    last = waveforms.shape[-1] / rate_hz
    for row, (record, times) in enumerate(zip(waveforms, expected, strict=True)):
        north, east, vertical = (bandpass(w - w.mean(), *BAND_HZ, rate_hz, corners=2) for w in record.astype(float))
        for k, (phase, trace) in enumerate({"P": vertical, "S": np.hypot(north, east)}.items()):
            if SEARCH_S[phase] < times[k] < last - SEARCH_S[phase]:
                found[row, k] = pick_onset(trace, rate_hz, times[k], SEARCH_S[phase], *AVERAGES_S[phase])
    off = found - expected
    off -= [np.median(own[np.isfinite(own)]) if np.isfinite(own).any() else 0.0 for own in off.T]
    found[~(np.abs(off) <= list(ACCEPT_S.values()))] = np.nan
    if np.isfinite(found[:, 0]).mean() < LEAST:
        raise UserError(
            f"{np.isfinite(found[:, 0]).sum()} of {len(found)} records hold a P onset where the travel times of their "
            "hypocentres have it; half of them must. Bring records with arrivals, or with their true origin times."
        )
    return found
