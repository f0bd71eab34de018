"""Classical forecasts of a series from its past, at several leads.

Examples are stretches of one series, as geojax.data.magnetism.stretches says. Forecasts are (example, origin, lead) in
the units of the target. Settings are those with the least mean square error over the validation examples.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from geojax.data.magnetism import stretches
from geojax.task import Examples

BLOCK = 16384  # origins whose past is laid out at once


class Persistence:
    """What is, stays."""

    def fit(self, train: Examples, validation: Examples) -> dict[str, Any]:
        self.mean = mean(train)
        return {}

    def predict(self, examples: Examples) -> np.ndarray:
        return spread_out(examples, present(examples, self.mean)[:, None].repeat(leads(examples), 1))


class Relaxation:
    """The mean of what followed, given the present value alone: a broken line for each lead.

    With one piece it is damped persistence, a relaxation at one rate; with several, a storm may recover at another.
    """

    pieces: int  # chosen by `fit`

    def __init__(self, candidates: Sequence[int] = (1, 4, 16, 32)) -> None:
        self.candidates = candidates

    def fit(self, train: Examples, validation: Examples) -> dict[str, Any]:
        self.mean = mean(train)
        now, truth = present(train, self.mean), flat_truth(train)
        known = np.isfinite(truth)
        errors, lines = [], []
        for pieces in self.candidates:
            # Half of the knots lie in the lowest tenth, where storms are.
            deep = np.linspace(0, 0.1, pieces // 2, False)
            shares = [*deep, *np.linspace(0.1 if deep.size else 0, 1, pieces - deep.size + 1)]
            self.knots = np.unique(np.quantile(now, shares))
            hats = self._hats(now)
            self.values = np.stack(
                [np.linalg.lstsq(hats[k], y[k], rcond=None)[0] for k, y in zip(known.T, truth.T, strict=True)], 1
            )
            lines.append((self.knots, self.values))
            errors.append(error(self.predict(validation), validation))
        best = int(np.argmin(errors))
        self.pieces, (self.knots, self.values) = self.candidates[best], lines[best]
        return {"pieces": self.pieces, "validation_rmse": errors[best]}

    def predict(self, examples: Examples) -> np.ndarray:
        return spread_out(examples, self._hats(present(examples, self.mean)) @ self.values)

    def _hats(self, now: np.ndarray) -> np.ndarray:
        """Weight of each knot (n, knot); beyond the ends the outer pieces go on."""
        if len(self.knots) < 2:
            return np.ones((len(now), 1))
        piece = np.clip(np.searchsorted(self.knots, now) - 1, 0, len(self.knots) - 2)
        share = (now - self.knots[piece]) / (self.knots[piece + 1] - self.knots[piece])
        hats = np.zeros((len(now), len(self.knots)))
        rows = np.arange(len(now))
        hats[rows, piece], hats[rows, piece + 1] = 1 - share, share
        return hats


class RidgeAutoregression:
    """Ridge regression of each lead on the past values and on the clock."""

    lags: int  # chosen by `fit`, as is `ridge`
    ridge: float

    def __init__(
        self, lags: Sequence[int] = (3, 12, 24, 48, 72, 96), ridges: Sequence[float] = (1e-7, 1e-5, 1e-3)
    ) -> None:
        self.candidates, self.ridges = lags, ridges

    def fit(self, train: Examples, validation: Examples) -> dict[str, Any]:
        room = int(train.shared["origins"][0]) + 1
        trials = [(lags, ridge) for lags in self.candidates if lags <= room for ridge in self.ridges]
        errors, weights = [], []
        for lags in dict.fromkeys(lags for lags, _ in trials):
            for weight in regression(train, lags, self.ridges):
                self.lags, self.weight = lags, weight
                errors.append(error(self.predict(validation), validation))
                weights.append(weight)
        best = int(np.argmin(errors))
        (self.lags, self.ridge), self.weight = trials[best], weights[best]
        return {"lags": self.lags, "ridge": self.ridge, "validation_rmse": errors[best]}

    def predict(self, examples: Examples) -> np.ndarray:
        places = stretches.origins(examples).ravel()
        pieces = [
            stretches.lagged(examples, self.lags, places[i : i + BLOCK]) @ self.weight[:-1] + self.weight[-1]
            for i in range(0, len(places), BLOCK)
        ]
        return spread_out(examples, np.concatenate(pieces))


def regression(train: Examples, lags: int, ridges: Sequence[float]) -> list[np.ndarray]:
    """Ridge weights (lags × variable + feature + 1, lead) for each strength, the last row being the offset.

    ridges : penalties on the squared weights, as shares of the number of origins
    """
    places, truth = stretches.origins(train).ravel(), flat_truth(train)
    known = np.isfinite(truth).all(1)
    places, truth = places[known], truth[known].astype("float64")
    width = lags * train.shared["values"].shape[1] + train.shared["clock"].shape[1] + 1
    gram, moment = np.zeros((width, width)), np.zeros((width, truth.shape[1]))
    for i in range(0, len(places), BLOCK):
        own = stretches.lagged(train, lags, places[i : i + BLOCK]).astype("float64")
        own = np.concatenate([own, np.ones((len(own), 1))], 1)
        gram, moment = gram + own.T @ own, moment + own.T @ truth[i : i + BLOCK]
    penalty = np.diag([*np.ones(width - 1), 0.0]) * len(places)
    return [np.linalg.solve(gram + ridge * penalty, moment) for ridge in ridges]


def leads(examples: Examples) -> int:
    return len(examples.shared["leads"])


def mean(train: Examples) -> float:
    """What stands for a present value that is missing."""
    return float(np.nanmean(train.shared["target"]))


def present(examples: Examples, mean: float) -> np.ndarray:
    """(n,) present values."""
    return np.nan_to_num(examples.shared["target"][stretches.origins(examples).ravel()], nan=mean)


def flat_truth(examples: Examples) -> np.ndarray:
    return stretches.truth(examples).reshape(-1, leads(examples))


def spread_out(examples: Examples, flat: np.ndarray) -> np.ndarray:
    return flat.reshape(examples.size, -1, leads(examples)).astype("float32")


def error(predicted: np.ndarray, examples: Examples) -> float:
    return float(np.sqrt(np.nanmean((predicted - stretches.truth(examples)) ** 2)))
