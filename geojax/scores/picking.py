"""Scores of picks of P and S against reference arrivals.

A pick is a hit when it is the nearest of its window to a reference arrival and lies within a tolerance of it; all
other picks are false. Windows whose record nobody searched for a phase do not judge picks of that phase.
"""

import numpy as np
import xarray as xr
from scipy.signal import find_peaks

PHASES = ("P", "S")
APART = 50  # samples between two picks of one phase
WITHIN_S = (0.1, 0.5)
DIMS = ("group", "dataset", "phase")


def peaks(curve: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Samples of the picks of one phase, peaks of a curve (sample,), and their heights."""
    edged = np.concatenate([[0.0], curve, [0.0]])  # a peak may lie on the border
    found, _ = find_peaks(edged, height=threshold, distance=APART)
    return found - 1, edged[found]


def spikes(at: np.ndarray, height: np.ndarray, samples: int) -> np.ndarray:
    """Curves (window, samples) that are zero but for one pick in each.

    at : sample of each window's pick, below zero for none; height : (window,)
    """
    curves = np.zeros((len(at), samples), "float32")
    own = np.flatnonzero(at >= 0)
    curves[own, at[own].astype(int)] = height[own]
    return curves


def residuals(curve: np.ndarray, onset: float, threshold: float, rate_hz: float) -> tuple[float, int]:
    """Seconds from the reference to the nearest pick, NaN without either, and the number of picks.

    curve : (sample,); onset : sample of the reference, NaN for none
    """
    at, _ = peaks(curve, threshold)
    if not len(at) or np.isnan(onset):
        return np.nan, len(at)
    off = at - onset
    return float(off[np.abs(off).argmin()]) / rate_hz, len(at)


def every(
    curves: np.ndarray, onsets: np.ndarray, threshold: tuple[float, ...], rate_hz: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """`residuals` of all windows: seconds (window, phase) and numbers of picks (window, phase).

    curves : (window, phase, sample); onsets : (window, phase)
    """
    off, count = np.full(onsets.shape, np.nan), np.zeros(onsets.shape, int)
    for i, k in np.ndindex(onsets.shape):
        off[i, k], count[i, k] = residuals(curves[i, k], float(onsets[i, k]), threshold[k], float(rate_hz[i]))
    return off, count


def sums(
    off: np.ndarray, count: np.ndarray, onsets: np.ndarray, judged: np.ndarray, group: np.ndarray, dataset: np.ndarray
) -> xr.Dataset:
    """Sums (group, dataset, phase) of what `scores` makes scores of.

    off, count : as from `every`; onsets, judged : (window, phase); group, dataset : (window,)
    """
    near = np.abs(off) <= WITHIN_S[-1]
    values = {f"hits_{t:g}": np.abs(off) <= t for t in WITHIN_S} | {
        "found": count,
        "wanted": np.isfinite(onsets),
        "near": near,
        "residual": np.where(near, off, 0),
        "square": np.where(near, off**2, 0),
        "size": np.where(near, np.abs(off), 0),
    }
    groups, g = np.unique(np.asarray(group, str), return_inverse=True)
    datasets, d = np.unique(np.asarray(dataset, str), return_inverse=True)
    found = {}
    for name, value in values.items():
        total = np.zeros((len(groups), len(datasets), len(PHASES)))
        np.add.at(total, (g, d), np.where(judged, value, 0).astype("float64"))
        found[name] = (DIMS, total)
    return xr.Dataset(found, {"group": groups, "dataset": datasets, "phase": list(PHASES)})


def f1(hits: xr.DataArray, found: xr.DataArray, wanted: xr.DataArray) -> xr.DataArray:
    """Harmonic mean of precision and recall: twice the hits over picks and reference arrivals together."""
    return 2 * hits / (found + wanted).where(wanted > 0)


def scores(statistics: xr.Dataset) -> xr.Dataset:
    """Scores from sums (…, dataset, phase): F1 as a mean over phases, and all else by phase, in s."""
    phases = statistics.sum("dataset")
    strict, wide = (f"hits_{t:g}" for t in WITHIN_S)

    def of(own: xr.Dataset, hits: str) -> xr.DataArray:
        return f1(own[hits], own["found"], own["wanted"])

    near = phases["near"].where(phases["near"] > 0)
    mean = phases["residual"] / near
    each = of(statistics, strict).stack(arrival=("dataset", "phase"))
    each = each.drop_vars(["arrival", "dataset", "phase"]).assign_coords(
        arrival=[f"{d}, {p}" for d in statistics["dataset"].values for p in PHASES]
    )
    return xr.Dataset(
        {
            "f1": of(phases, strict).mean("phase"),
            "f1_by_dataset": of(statistics, strict).mean("phase"),
            "f1_by_phase": of(phases, strict),
            "f1_by_arrival": each,
            "f1_within_half_a_second_by_phase": of(phases, wide),
            "precision_by_phase": phases[strict] / phases["found"].where(phases["found"] > 0),
            "recall_by_phase": phases[strict] / phases["wanted"].where(phases["wanted"] > 0),
            "mean_residual_in_s_by_phase": mean,
            "deviation_of_residuals_in_s_by_phase": np.sqrt((phases["square"] / near - mean**2).clip(0)),
            "mean_absolute_residual_in_s_by_phase": phases["size"] / near,
        }
    )
