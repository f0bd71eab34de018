"""Classical pickers: STA/LTA, Maeda's AIC about its trigger, and Baer & Kradolfer's. Each is tuned for each phase.

All look at windows (window, component N E Z, sample): P on the vertical, S on the horizontals after the P pick. Each
gives at most one pick of a phase, with the strength of its trigger, of which a threshold is chosen on validation.
"""

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
from obspy.signal.trigger import pk_baer
from scipy.signal import butter, sosfilt

from geojax.scores.denoising import aic_onset
from geojax.scores.picking import PHASES, WITHIN_S, spikes
from geojax.task import Examples

BANDS = (None, (0.02, 0.4), (0.06, 0.4))  # of the window's rate
AFTER = 20  # least samples from the P pick to S


class Picker:
    """What all have in common: the search for settings and thresholds of each phase.

    threshold : at which the runs' curves are read, which a trigger of just enough strength gets
    """

    grid: dict[str, tuple[Any, ...]]

    def __init__(self, threshold: tuple[float, float]) -> None:
        self.threshold = threshold
        self.chosen: dict[str, dict[str, Any]] = {}

    def picks(self, trace: np.ndarray, first: np.ndarray, settings: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
        """Sample of the pick of each trace (window, sample), not before `first` (window,), and its strength."""
        raise NotImplementedError

    def fit(self, train: Examples, validation: Examples) -> dict[str, Any]:
        """For P, then for S, the setting and the least strength with the best F1 on the validation windows."""
        rows, told = validation.rows, {}
        first = np.zeros(len(rows["window"]), int)
        for k, phase in enumerate(PHASES):
            best = -1.0
            for settings in _every(self.grid):
                at, strength = self.picks(_trace(rows["window"], phase, settings["band"]), first, settings)
                score, least = _best(at, strength, rows["onsets"][:, k], rows["judged"][:, k], rows["rate_hz"])
                if score > best:
                    best, self.chosen[phase] = score, settings | {"least": least}
            told |= {f"{phase}_{key}": value for key, value in self.chosen[phase].items()}
            told[f"{phase}_validation_f1"] = round(best, 4)
            if phase == "P":
                at, strength = self._chosen_picks(rows["window"], phase, first)
                first = np.where(strength >= self.chosen[phase]["least"], at + AFTER, 0)
        return told

    def predict(self, examples: Examples) -> np.ndarray:
        """Curves (window, phase, sample): one spike for each pick."""
        window = examples.rows["window"]
        first, curves = np.zeros(len(window), int), []
        for phase, threshold in zip(PHASES, self.threshold, strict=True):
            at, strength = self._chosen_picks(window, phase, first)
            least = self.chosen[phase]["least"]
            height = strength / (strength + least * (1 / threshold - 1) + 1e-12)
            height = np.where(strength >= least, np.maximum(height, threshold), height)
            curves.append(spikes(np.where(strength > 0, at, -1), height, window.shape[-1]))
            first = np.where(strength >= least, at + AFTER, 0)
        return np.stack(curves, 1)

    def _chosen_picks(self, window: np.ndarray, phase: str, first: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        settings = self.chosen[phase]
        return self.picks(_trace(window, phase, settings["band"]), first, settings)


class StaLta(Picker):
    """Where the ratio of a short to a long mean of the squared trace first reaches a share of its largest value.

    source : Allen (1978), doi:10.1785/BSSA0680051521; the short mean begins where the long one ends
    """

    grid = {"band": BANDS, "short": (10, 20, 40), "long": (50, 100, 200), "share": (0.6, 0.8, 0.9, 1.0)}  # noqa: RUF012

    def picks(self, trace: np.ndarray, first: np.ndarray, settings: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
        found = ratio(trace, settings["short"], settings["long"])
        found[np.arange(trace.shape[1]) < first[:, None]] = 0
        most = found.max(1)
        return (found >= settings["share"] * most[:, None]).argmax(1), most


class Aic(Picker):
    """The minimum of Maeda's AIC in a stretch about the largest STA/LTA.

    source : Maeda (1985), doi:10.4294/zisin1948.38.3_365
    """

    grid = {"band": BANDS, "short": (10, 20, 40), "long": (100, 200), "before": (30, 50, 100), "after": (10, 20, 40)}  # noqa: RUF012

    def picks(self, trace: np.ndarray, first: np.ndarray, settings: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
        found = ratio(trace, settings["short"], settings["long"])
        found[np.arange(trace.shape[1]) < first[:, None]] = 0
        length = settings["before"] + settings["after"]
        start = np.clip(found.argmax(1) - settings["before"], 0, trace.shape[1] - length)
        stretch = np.take_along_axis(trace, start[:, None] + np.arange(length), 1)
        return np.maximum(start + aic_onset(stretch), first).clip(0, trace.shape[1] - 1), found.max(1)


class BaerKradolfer(Picker):
    """ObsPy's picker of a squared envelope; its strength is STA/LTA at the pick, as it gives none of its own.

    source : Baer & Kradolfer (1987), doi:10.1785/BSSA0770041437
    """

    grid = {"band": BANDS, "thr1": (7.0, 12.0, 20.0, 40.0), "thr2": (20.0, 40.0), "up": (5, 20), "noise": (40, 100)}  # noqa: RUF012

    def picks(self, trace: np.ndarray, first: np.ndarray, settings: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
        at, strength = np.zeros(len(trace), int), np.zeros(len(trace))
        found = ratio(trace, 20, 100)
        scaled = (1e4 * trace / np.maximum(np.abs(trace).max(1, keepdims=True), 1e-12)).astype("float32")
        for i, (own, begin) in enumerate(zip(scaled, first, strict=True)):
            noise = settings["noise"]  # that before S is what follows P
            begin = min(max(int(begin) - noise, 0), len(own) - 2 * noise)
            sample, _ = pk_baer(own[begin:], 100.0, 20, settings["up"], settings["thr1"], settings["thr2"], noise, 100)
            if sample > 0:
                at[i] = min(begin + sample, len(own) - 1)
                strength[i] = found[i, at[i] : at[i] + 40].max() if at[i] >= first[i] else 0.0
        return at, strength


def ratio(trace: np.ndarray, short: int, long: int) -> np.ndarray:
    """Mean square of the `short` samples from each sample on, over that of the `long` before it; (window, sample)."""
    total = np.pad(np.cumsum(np.square(trace, dtype="float64"), 1), ((0, 0), (1, 0)))
    found, place = np.zeros(trace.shape), np.arange(long, trace.shape[1] - short)
    before = (total[:, place] - total[:, place - long]) / long
    found[:, place] = (total[:, place + short] - total[:, place]) / short / np.maximum(before, 1e-6)
    return found


def _trace(window: np.ndarray, phase: str, band: tuple[float, float] | None) -> np.ndarray:
    """What a phase is picked on: the vertical, or the length of the horizontals."""
    own = window
    if band is not None:
        own = sosfilt(butter(2, band, "bandpass", fs=1.0, output="sos"), window, axis=-1)
    return own[:, 2] if phase == "P" else np.hypot(own[:, 0], own[:, 1])


def _every(grid: dict[str, tuple[Any, ...]]) -> Iterator[dict[str, Any]]:
    return (dict(zip(grid, values, strict=True)) for values in product(*grid.values()))


def _best(
    at: np.ndarray, strength: np.ndarray, onset: np.ndarray, judged: np.ndarray, rate_hz: np.ndarray
) -> tuple[float, float]:
    """The best F1 that any least strength gives, and that strength."""
    order = np.argsort(-strength, kind="stable")
    order = order[judged[order] & (strength[order] > 0)]
    if not len(order):
        return 0.0, np.inf
    hit = np.abs(at - onset)[order] <= WITHIN_S[0] * rate_hz[order]
    found = 2 * np.cumsum(hit) / (1 + np.arange(len(order)) + np.isfinite(onset[judged]).sum())
    best = int(found.argmax())
    return float(found[best]), float(strength[order][best])
