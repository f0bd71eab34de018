"""Picks: the peaks of curves that tell how probable an arrival is at each sample."""

import numpy as np
from scipy.signal import find_peaks

PHASES = ("P", "S")
APART = 50  # samples between two picks of one phase


def peaks(curve: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Samples of the picks of one phase, a curve (sample,), and their heights."""
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
