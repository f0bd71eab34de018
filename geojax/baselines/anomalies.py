"""Detectors of anomalies in windows of a series that are fitted to quiet windows alone.

Examples hold `window` (example, step, component), without its mean, `departure` (example, length, step, component),
the same less running medians of several lengths, and in validation `planted` (example,), whether a disturbance was
planted. Settings are those that tell planted from plain validation windows best, by the area under the ROC curve.
Scores are (example,), logarithms to base 10.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from geojax.task import Examples

TINY = 1e-12


class _Chosen:
    """A detector that takes the best of some settings."""

    trials: Sequence[Any]
    setting: str

    def fit(self, train: Examples, validation: Examples) -> dict[str, Any]:
        found = []
        for trial in self.trials:
            self.detect = self._fitted(train, trial)
            area = float(roc_auc_score(validation.rows["planted"], self.detect(validation)))
            found.append((area, self.detect))
        best = int(np.argmax([area for area, _ in found]))
        area, self.detect = found[best]
        return {self.setting: self.trials[best], "validation_auc": area}

    def predict(self, examples: Examples) -> np.ndarray:
        return self.detect(examples).astype("float32")

    def _fitted(self, train: Examples, trial: Any) -> Callable[[Examples], np.ndarray]:
        """A detector with one setting."""
        raise NotImplementedError


class RunningMedian(_Chosen):
    """Mean square departure from a running median."""

    setting = "hours"

    def __init__(self, lengths: Sequence[float]) -> None:
        """lengths : of the running medians, in hours, in the order of `departure`; longer than a window, as
        shorter ones take out the bays that are to be found
        """
        self.trials = list(lengths)

    def _fitted(self, train: Examples, trial: Any) -> Callable[[Examples], np.ndarray]:
        place = list(self.trials).index(trial)
        scale = train.rows["departure"][:, place].std((0, 1)) + TINY
        return lambda own: np.log10(((own.rows["departure"][:, place] / scale) ** 2).mean((1, 2)) + TINY)


class Range(_Chosen):
    """Largest less least value, as the K index takes it over three hours: of the component where it is largest, or of
    all in the mean, in deviations of the training windows.
    """

    setting, trials = "over_components", ("largest", "mean")

    def _fitted(self, train: Examples, trial: Any) -> Callable[[Examples], np.ndarray]:
        scale = train.rows["window"].std((0, 1)) + TINY
        over = np.max if trial == "largest" else np.mean
        return lambda own: np.log10(over(np.ptp(own.rows["window"] / scale, axis=1), axis=1) + TINY)


class PrincipalComponents(_Chosen):
    """Mean square of what the leading principal components of the quiet windows leave over."""

    setting = "components"

    def __init__(self, trials: Sequence[int] = (1, 2, 4, 8, 16, 32)) -> None:
        self.trials = trials

    def _fitted(self, train: Examples, trial: Any) -> Callable[[Examples], np.ndarray]:
        scale = train.rows["window"].std((0, 1)) + TINY
        modes = np.linalg.svd(_flat(train, scale), full_matrices=False)[2][:trial]

        def detect(own: Examples) -> np.ndarray:
            flat = _flat(own, scale)
            return np.log10(((flat - flat @ modes.T @ modes) ** 2).mean(1) + TINY)

        return detect


class IsolationForest(_Chosen):
    """Isolation forest (Liu et al. 2008, doi:10.1109/ICDM.2008.17) on range, deviation, steepest change and mean slope
    of each component, as logarithms, or on the samples themselves.
    """  # samples: share of the training windows that each tree sees

    setting = "inputs_and_samples"

    def __init__(self, samples: Sequence[float] = (0.1, 0.3, 1.0)) -> None:
        self.trials = [(inputs, count) for inputs in ("features", "window") for count in samples]

    def _fitted(self, train: Examples, trial: Any) -> Callable[[Examples], np.ndarray]:
        from sklearn.ensemble import IsolationForest as Forest

        inputs, count = trial
        scale = train.rows["window"].std((0, 1)) + TINY
        seen = _features if inputs == "features" else _flat
        forest = Forest(n_estimators=200, max_samples=count, random_state=0).fit(seen(train, scale))
        return lambda own: np.log10(-forest.score_samples(seen(own, scale)))


def _flat(examples: Examples, scale: np.ndarray) -> np.ndarray:
    return (examples.rows["window"] / scale).reshape(examples.size, -1).astype("float64")


def _features(examples: Examples, scale: np.ndarray) -> np.ndarray:
    window = examples.rows["window"] / scale
    change = np.abs(np.diff(window, axis=1))
    each = [np.ptp(window, axis=1), window.std(1), change.max(1), change.mean(1)]
    return np.log10(np.concatenate(each, 1) + 1e-6)
