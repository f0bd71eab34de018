"""Derived P and S onsets of one local event: layered-model travel times refined by a picker.

These onsets are DERIVED, not read by an analyst: the model (with two fixed corrections) says
where to look, STA/LTA and an AIC minimum say when within that window.  Each station is treated
by itself, so the result does not depend on which stations share a part.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from obspy.signal.filter import bandpass
from obspy.signal.trigger import aic_simple, classic_sta_lta

Correction = tuple[float, float]  # delay [s] and slowness error [s/km] of observed minus predicted first breaks
P_SEARCH, S_SEARCH = 0.15, 0.20  # half widths [s] of the search about the corrected prediction
P_ACCEPT, S_ACCEPT = 0.05, 0.12  # accepted departures [s] from it


class Onsets(NamedTuple):
    """Per-station arrays [s after origin]; `*_picked` False means the prediction stands in."""

    p: np.ndarray
    s: np.ndarray
    p_picked: np.ndarray
    s_picked: np.ndarray
    p_predicted: np.ndarray
    s_predicted: np.ndarray


def read_tvel(path: str | Path) -> np.ndarray:
    """(n, 3) rows of depth [km], Vp and Vs [km/s] of a .tvel file (two title lines)."""
    return np.loadtxt(path, skiprows=2, usecols=(0, 1, 2))


def layers_above(model: np.ndarray, depth: float, phase: str) -> tuple[np.ndarray, np.ndarray]:
    """Thickness [km] and speed [km/s] of the layers between the surface and `depth` [km]."""
    top, bottom = model[:-1, 0], np.minimum(model[1:, 0], depth)
    speed = model[:, {"P": 1, "S": 2}[phase]]
    thickness = bottom - top
    above = thickness > 0
    return thickness[above], 0.5 * (speed[:-1] + speed[1:])[above]


def direct_time(distance: np.ndarray, thickness: np.ndarray, speed: np.ndarray, iterations: int = 60) -> np.ndarray:
    """Travel time [s] of the direct up-going ray to each epicentral distance [km].

    Bisection on the ray parameter p: X(p) = sum h p v / sqrt(1 - p^2 v^2) grows with p
    (Aki & Richards, Quantitative Seismology, ch. 9).  Valid where no head wave is earlier,
    i.e. for a source in the fastest layer above the next interface and short distances.
    """
    distance = np.asarray(distance, float)
    low, high = np.zeros_like(distance), np.full_like(distance, 1 / speed.max())

    def cosines(p: np.ndarray) -> np.ndarray:
        return np.sqrt(np.maximum(1 - (p[:, None] * speed) ** 2, 1e-15))

    for _ in range(iterations):
        p = 0.5 * (low + high)
        near = (thickness * p[:, None] * speed / cosines(p)).sum(1) < distance
        low, high = np.where(near, p, low), np.where(near, high, p)
    p = 0.5 * (low + high)
    return (thickness / (speed * cosines(p))).sum(1)


def epicentral_distance(
    latitude: np.ndarray, longitude: np.ndarray, event_latitude: float, event_longitude: float
) -> np.ndarray:
    """Distance [km] on a local tangent plane (error < 0.1 % within 10 km)."""
    north = (latitude - event_latitude) * 111.0
    east = (longitude - event_longitude) * 111.32 * np.cos(np.radians(event_latitude))
    return np.hypot(north, east)


def predicted_times(
    distance: np.ndarray, depth: float, model: np.ndarray, p_correction: Correction, s_correction: Correction
) -> tuple[np.ndarray, np.ndarray]:
    """P and S times [s after origin] of the 1-D model with the fixed corrections."""
    p, s = (direct_time(distance, *layers_above(model, depth, phase)) for phase in "PS")
    return p + p_correction[0] + p_correction[1] * distance, s + s_correction[0] + s_correction[1] * distance


def pick_onset(trace: np.ndarray, rate: float, expected: float, half_width: float, sta: float, lta: float) -> float:
    """Onset sample time [s from trace start] within `expected` +- `half_width` [s].

    STA/LTA marks the steepest rise, and the minimum of Maeda's (1985) AIC just before it
    marks the first break (obspy.signal.trigger; doi:10.4294/zisin1948.38.3_365).
    """
    first, last = int((expected - half_width) * rate), int((expected + half_width) * rate)
    ratio = classic_sta_lta(trace, int(sta * rate), int(lta * rate))
    peak = first + int(np.argmax(ratio[first:last]))
    start = max(peak - int(0.5 * lta * rate), 0)
    return (start + int(np.argmin(aic_simple(trace[start : peak + 1])[2:-2])) + 2) / rate


def pick_station(
    waveform: np.ndarray, rate: float, origin: float, p_expected: float, s_expected: float
) -> tuple[float, float]:
    """P on the vertical, S on the summed horizontal energy; times [s from trace start].

    waveform (3, sample): components north, east, vertical.
    """
    north, east, vertical = (bandpass(w - w.mean(), 2.0, 40.0, rate, corners=2) for w in waveform.astype(float))
    p = pick_onset(vertical, rate, origin + p_expected, P_SEARCH, sta=0.06, lta=1.0)
    horizontal = np.hypot(north, east)
    s = pick_onset(horizontal, rate, origin + s_expected, S_SEARCH, sta=0.10, lta=0.4)
    return p - origin, s - origin


def derive_onsets(
    waveforms: np.ndarray,
    rate: float,
    origin: float,
    distance: np.ndarray,
    depth: float,
    model: np.ndarray,
    p_correction: Correction = (0.0, 0.0),
    s_correction: Correction = (0.0, 0.0),
) -> Onsets:
    """`Onsets` of waveforms (station, 3, sample) [counts] with the event at `origin` [s from the
    start], stations at `distance` [km], source `depth` [km], and `model` as of `read_tvel`."""
    p_predicted, s_predicted = predicted_times(distance, depth, model, p_correction, s_correction)
    pairs = zip(waveforms, p_predicted, s_predicted, strict=True)
    p, s = np.array([pick_station(w, rate, origin, pe, se) for w, pe, se in pairs]).T
    p_picked, s_picked = abs(p - p_predicted) <= P_ACCEPT, abs(s - s_predicted) <= S_ACCEPT
    return Onsets(
        np.where(p_picked, p, p_predicted), np.where(s_picked, s, s_predicted),
        p_picked, s_picked, p_predicted, s_predicted,
    )  # fmt: skip
