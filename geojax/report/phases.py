"""Choices and sums behind the pictures of seismic phases."""

import numpy as np
import pandas as pd
import xarray as xr
from scipy.signal import butter, sosfiltfilt

from geojax.task import Outcome

BAND_HZ = (2.0, 40.0)  # for display only; no method sees filtered records


def band_passed(waveform: np.ndarray, rate_hz: float) -> np.ndarray:
    """Waveforms (…, sample) within BAND_HZ, without a shift in time."""
    sections = butter(4, BAND_HZ, "bandpass", fs=rate_hz, output="sos")
    return sosfiltfilt(sections, waveform, axis=-1)


def section_stations(outcome: Outcome, step_km: float) -> list[tuple[xr.Dataset, int]]:
    """Of every `step_km` of epicentral distance the station nearest to the middle, nearest first."""
    places = pd.DataFrame(
        [(part, i, d) for part, own in outcome.parts.items() for i, d in enumerate(own["distance"].values)],
        columns=["part", "position", "distance"],
    )
    places["bin"] = (places["distance"] // step_km).astype(int)
    places["off"] = (places["distance"] - (places["bin"] + 0.5) * step_km).abs()
    chosen = places.sort_values(["bin", "off"]).drop_duplicates("bin")
    return [(outcome.parts[row.part], row.position) for row in chosen.itertuples()]


def on_the_ground(lat: np.ndarray, lon: np.ndarray, lat_0: float, lon_0: float) -> tuple[np.ndarray, np.ndarray]:
    """Kilometres east and north of a point, on a plane: exact enough for an array of some tens of km."""
    km = 111.195  # of a degree on a sphere of 6371 km
    return (lon - lon_0) * km * np.cos(np.radians(lat_0)), (lat - lat_0) * km


def confusion_counts(label: np.ndarray, probability: np.ndarray, count: int) -> np.ndarray:
    """Counts (true, guessed)."""
    counts = np.zeros((count, count))
    np.add.at(counts, (label, probability.argmax(1)), 1)
    return counts


def example_windows(label: np.ndarray, probability: np.ndarray, wanted: int) -> dict[str, int | None]:
    """Of the windows of a class: right with most and with least probability, and wrong with most confidence."""
    guess, top = probability.argmax(1), probability.max(1)
    own = label == wanted
    right, wrong = np.flatnonzero(own & (guess == wanted)), np.flatnonzero(own & (guess != wanted))
    return {
        "right, most certain": int(right[top[right].argmax()]) if right.size else None,
        "right, least certain": int(right[top[right].argmin()]) if right.size else None,
        "wrong, most certain": int(wrong[top[wrong].argmax()]) if wrong.size else None,
    }


def accuracy_by_snr(
    index: pd.DataFrame, right: np.ndarray, edges: np.ndarray, resamples: int = 1000
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Accuracy in each bin of signal-to-noise ratio, with the 95 % interval from resampling stations.

    index : columns station, snr_db
    right : (row,) bool
    edges : (bin + 1,) dB
    returns : three of (bin,)
    """
    names, station = np.unique(index["station"].to_numpy(), return_inverse=True)
    place = np.digitize(index["snr_db"], edges[1:-1])
    hits, total = np.zeros((2, len(names), len(edges) - 1))
    np.add.at(hits, (station, place), right)
    np.add.at(total, (station, place), 1)
    weights = np.random.default_rng(0).multinomial(len(names), np.full(len(names), 1 / len(names)), resamples)
    drawn = weights @ hits / np.maximum(weights @ total, 1)
    low, high = np.quantile(drawn, (0.025, 0.975), axis=0)
    return hits.sum(0) / np.maximum(total.sum(0), 1), low, high
