"""Gradient boosting of what a linear forecast leaves, on the examples that geojax.baselines.forecasts takes."""

from collections.abc import Sequence
from itertools import islice
from typing import Any

import numpy as np

from geojax.baselines.forecasts import RidgeAutoregression, error, flat_truth, leads, mean, spread_out
from geojax.data.magnetism import stretches
from geojax.task import Examples

PAST = (1, 2, 3, 4, 6, 9, 12, 18, 24, 36, 48, 72)  # steps back that trees see
SPANS = (6, 24, 72)  # steps over which trees see least, mean and greatest value


class BoostedTrees:
    """Gradient boosting of what the ridge regression leaves, a machine for each lead.

    How many trees each has is chosen on the validation examples, as are its leaves.
    """

    def __init__(self, leaves: Sequence[int] = (4, 8), trees: int = 300, rate: float = 0.07, every: int = 1) -> None:
        """every : of the training origins only one in as many is taken"""
        self.leaves, self.trees, self.rate, self.every = leaves, trees, rate, every

    def fit(self, train: Examples, validation: Examples) -> dict[str, Any]:
        from sklearn.ensemble import HistGradientBoostingRegressor

        self.mean, self.linear = mean(train), RidgeAutoregression()
        self.linear.fit(train, validation)
        seen, left = (self._seen(own) for own in (train, validation)), (self._left(own) for own in (train, validation))
        (inputs, judged), (wanted, truth) = seen, left
        self.machines, chosen = [], []
        for lead, (own, of_validation) in enumerate(zip(wanted.T, truth.T, strict=True)):
            rows = np.flatnonzero(np.isfinite(own))[:: self.every]
            rated = np.isfinite(of_validation)
            trials = []
            for leaves in self.leaves:
                machine = HistGradientBoostingRegressor(
                    max_iter=self.trees, max_leaf_nodes=leaves, learning_rate=self.rate, min_samples_leaf=100,
                    l2_regularization=10.0, early_stopping=False, random_state=lead,
                ).fit(inputs[rows], own[rows])  # fmt: skip
                errors = [np.mean((of_validation - found)[rated] ** 2) for found in machine.staged_predict(judged)]
                trials.append((min(errors), leaves, int(np.argmin(errors)) + 1, machine))
            _, leaves, count, machine = min(trials, key=lambda trial: trial[0])
            self.machines.append((machine, count))
            chosen.append((leaves, count))
        return {
            "leaves": [leaves for leaves, _ in chosen], "trees": [count for _, count in chosen],
            "validation_rmse": error(self.predict(validation), validation),
        }  # fmt: skip

    def predict(self, examples: Examples) -> np.ndarray:
        inputs = self._seen(examples)
        stages = (islice(machine.staged_predict(inputs), count - 1, None) for machine, count in self.machines)
        corrections = np.stack([next(stage) for stage in stages], 1)
        return self.linear.predict(examples) + spread_out(examples, corrections)

    def _left(self, examples: Examples) -> np.ndarray:
        return flat_truth(examples) - self.linear.predict(examples).reshape(-1, leads(examples))

    def _seen(self, examples: Examples) -> np.ndarray:
        """The present, some past values, extremes and means of spans, and the clock: (n, feature)."""
        series, places = np.nan_to_num(examples.shared["target"], nan=self.mean), stretches.origins(examples).ravel()
        room = int(examples.shared["origins"][0])
        past = [series[places] - series[places - lag] for lag in PAST if lag <= room]
        spans = []
        for span in (span for span in SPANS if span <= room):
            windows = np.lib.stride_tricks.sliding_window_view(series, span)
            ends = windows.min(1), windows.mean(1), windows.max(1)
            spans += [each[places - span + 1] for each in ends]
        own = [examples.shared["values"][places], examples.shared["clock"][places]]
        return np.concatenate([np.stack([series[places], *past, *spans], 1), *own], 1)
