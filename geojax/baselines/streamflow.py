"""Persistence and regressions of discharge, each basin by itself.

Rows of examples hold `basin`, `start` (place of the first day in the shared series) and `flow` (row, day), NaN where
a day is not scored. All share `weather` (3, basin, time), precipitation, temperature and potential evapotranspiration,
`flow` and `target` (basin, time), mm/d, the second NaN but on scored days, and `day_of_year` (time,). Predictions are
(row, day, lead); that of a lead of n days uses nothing later than n days before its day.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.signal import lfilter

from geojax.task import Examples

MEMORIES = (2, 5, 10, 20, 40, 80, 160)  # days over which antecedent weather is averaged
LAGS = 8  # days whose precipitation and flow stand by themselves
STRENGTHS = (1e-5, 1e-4, 1e-3, 1e-2, 0.1)


def nash_sutcliffe(simulated: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Nash-Sutcliffe efficiency along the last axis, of the days that are observed; see geojax.scores.hydrology."""
    known = np.isfinite(observed)
    mean = np.nanmean(observed, -1, keepdims=True)
    error = np.where(known, simulated - observed, 0.0)
    return 1 - (error**2).sum(-1) / np.nansum((observed - mean) ** 2, -1)


def cut(series: np.ndarray, examples: Examples) -> np.ndarray:
    """Rows (row, day, lead), not below zero, of series (basin, time, lead)."""
    start, days = examples.rows["start"][:, None], np.arange(examples.rows["flow"].shape[1])
    return np.maximum(series[examples.rows["basin"][:, None], start + days], 0).astype("float32")


def weather(examples: Examples) -> np.ndarray:
    """(3, basin, time) with a dry day where no part has weather, as before a row's own years."""
    return np.nan_to_num(np.asarray(examples.shared["weather"], "float64"))


def delayed(series: np.ndarray, days: int) -> np.ndarray:
    """Series (…, time) as it was some days before."""
    return series if not days else np.concatenate([np.repeat(series[..., :1], days, -1), series[..., :-days]], -1)


def antecedent_weather(examples: Examples) -> np.ndarray:
    """Weather up to each day (basin, time, feature): the last days' rain, fading memories of all three, the season."""
    series, angle = weather(examples), 2 * np.pi * examples.shared["day_of_year"] / 365.25
    fading = [lfilter([1 / memory], [1, 1 / memory - 1], series) for memory in MEMORIES]
    wave = np.broadcast_to(np.stack([np.sin(angle), np.cos(angle)])[:, None], (2, *series.shape[1:]))
    wet = np.stack([own[0] for own in fading])
    columns = (
        [delayed(series[:1], lag) for lag in range(LAGS)] + fading + [wave, wet * wave[:1], wet * wave[1:], wet**2]
    )
    return np.moveaxis(np.concatenate(columns), 0, -1)


def antecedent_flow(examples: Examples) -> np.ndarray:
    """Flow up to each day (basin, time, feature): each of the last days, fading memories, and roots of all."""
    flow = carried(examples)
    columns = [delayed(flow, lag) for lag in range(LAGS)] + [
        lfilter([1 / memory], [1, 1 / memory - 1], flow) for memory in MEMORIES
    ]
    both = np.stack(columns, -1)
    return np.concatenate([both, np.sqrt(np.maximum(both, 0))], -1)


def antecedent(examples: Examples) -> np.ndarray:
    """Flow and weather up to each day (basin, time, feature)."""
    return np.concatenate([antecedent_flow(examples), antecedent_weather(examples)], -1)


def carried(examples: Examples) -> np.ndarray:
    """Flow (basin, time), the last known value where there is none."""
    flow = np.asarray(examples.shared["flow"], "float64")
    known = np.isfinite(flow)
    last = np.maximum.accumulate(np.where(known, np.arange(flow.shape[1]), 0), axis=1)
    return np.nan_to_num(np.take_along_axis(flow, last, 1))


class Persistence:
    """The flow of the day on which the forecast is made."""

    def __init__(self, leads: Sequence[int]) -> None:
        self.leads = leads

    def fit(self, train: Examples, validation: Examples) -> dict[str, Any]:
        return {}

    def predict(self, examples: Examples) -> np.ndarray:
        flow = carried(examples)
        return cut(np.stack([delayed(flow, lead) for lead in self.leads], -1), examples)


class RidgeRegression:
    """Ridge regression on what is known when a forecast is made, of each basin and lead by itself.

    Strength, and whether flow or its root is regressed, are those with the best validation NSE. A root is turned back
    with the variance of what it leaves (Duan 1983, doi:10.1080/01621459.1983.10478017).
    features : examples to (basin, time, feature), known when a day ends
    """

    def __init__(self, leads: Sequence[int], features: Callable[[Examples], np.ndarray]) -> None:
        self.leads, self.features = leads, features

    def fit(self, train: Examples, validation: Examples) -> dict[str, Any]:
        self.chosen: dict[tuple[int, int], tuple[float, bool, Any]] = {}
        every = [(own, own.shared["target"]) for own in (train, validation)]
        known = [(self.features(own), target) for own, target in every]
        for number, lead in enumerate(self.leads):
            sides = [zip(_late(features, lead), target, strict=True) for features, target in known]
            for basin, ((own, truth), (later, judge)) in enumerate(zip(*sides, strict=True)):
                trials = [(s, root, _solve(own, truth, s, root)) for s in STRENGTHS for root in (False, True)]
                worth = [nash_sutcliffe(_apply(fitted, later, root), judge) for _, root, fitted in trials]
                self.chosen[basin, number] = trials[int(np.argmax(worth))]
        values = list(self.chosen.values())
        return {"strengths": [own[0] for own in values], "roots": sum(own[1] for own in values), "of": len(values)}

    def predict(self, examples: Examples) -> np.ndarray:
        features, series = self.features(examples), []
        for number, lead in enumerate(self.leads):
            each = enumerate(_late(features, lead))
            fitted = ((own, *self.chosen[basin, number]) for basin, own in each)
            series.append(np.stack([_apply(solution, own, root) for own, _, root, solution in fitted]))
        return cut(np.stack(series, -1), examples)


def _late(features: np.ndarray, days: int) -> np.ndarray:
    """Features (basin, time, feature) as they were some days before."""
    return np.moveaxis(delayed(np.moveaxis(features, 1, -1), days), -1, 1)


Fitted = tuple[np.ndarray, np.ndarray, np.ndarray, float, float]  # centre, spread, weights, mean, variance left


def _solve(inputs: np.ndarray, truth: np.ndarray, strength: float, root: bool) -> Fitted:
    known = np.isfinite(truth)
    x, y = inputs[known], np.sqrt(truth[known]) if root else np.asarray(truth[known], "float64")
    center, spread = x.mean(0), np.maximum(x.std(0), 1e-9)
    x = (x - center) / spread
    weights = np.linalg.solve(x.T @ x + strength * len(x) * np.eye(x.shape[1]), x.T @ (y - y.mean()))
    return center, spread, weights, float(y.mean()), float(np.var(y - y.mean() - x @ weights))


def _apply(fitted: Fitted, inputs: np.ndarray, root: bool) -> np.ndarray:
    center, spread, weights, mean, left = fitted
    found = (inputs - center) / spread @ weights + mean
    return np.maximum(found, 0) ** 2 + left if root else found
