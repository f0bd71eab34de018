"""Classical gap filling of a field from its own observed cells.

Examples hold `fields` (example, month, cell) in K, NaN where a month is absent, and `hidden` (example, cell), True
where a cell must be restored. What training shares: `months` (month, cell), `folds` with a held block and the rest,
`places` (cell, 2). Settings are those with the least mean log error over the validation examples.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

import numpy as np
from scipy.linalg import LinAlgError, cholesky, solve_triangular
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits

from geojax.task import Examples

REFUSED = 10.0  # a loss beyond any that settings in order can have


class Climatology:
    """No anomaly anywhere."""

    def fit(self, train: Examples, validation: Examples) -> dict[str, Any]:
        return {}

    def predict(self, examples: Examples) -> np.ndarray:
        return np.zeros(examples.rows["fields"].shape, "float32")


class EOFRegression:
    """Ridge regression of the leading principal components on the observed cells."""

    ridge: float  # chosen by `fit`

    def __init__(self, modes: int = 10, ridges: Sequence[float] = (1e-3, 0.1, 0.3, 1.0, 3.0, 10.0)) -> None:
        self.modes, self.ridges = modes, ridges

    def fit(self, train: Examples, validation: Examples) -> dict[str, Any]:
        months = train.shared["months"]
        _, values, modes = np.linalg.svd(months, full_matrices=False)
        self.patterns = (values[: self.modes, None] / np.sqrt(len(months))) * modes[: self.modes]
        return _choose(self, "ridge", self.ridges, validation)

    def predict(self, examples: Examples) -> np.ndarray:
        return _each(examples, self._restore)

    def _restore(self, fields: np.ndarray, hidden: np.ndarray) -> np.ndarray:
        seen = self.patterns[:, ~hidden]
        system = seen @ seen.T + self.ridge * np.eye(len(seen))
        return np.linalg.solve(system, seen @ fields[:, ~hidden].T).T @ self.patterns


class DINEOF:
    """Iterative EOF filling with the number of modes chosen on the validation examples.

    The gappy months join the training months, and the whole is cut to its leading EOFs until the hidden cells
    settle. source : Beckers & Rixen (2003), doi:10.1175/1520-0426(2003)020<1839:ECADFF>2.0.CO;2
    """

    modes: int  # chosen by `fit`

    def __init__(self, candidates: Sequence[int] = (6, 10, 15, 22), iterations: int = 25) -> None:
        self.candidates, self.iterations = candidates, iterations

    def fit(self, train: Examples, validation: Examples) -> dict[str, Any]:
        self.gram = train.shared["months"].T @ train.shared["months"]
        return _choose(self, "modes", self.candidates, validation)

    def predict(self, examples: Examples) -> np.ndarray:
        fields, hidden = examples.rows["fields"], examples.rows["hidden"]
        flat = np.nan_to_num(fields).reshape(-1, fields.shape[-1])
        gaps = np.repeat(hidden, fields.shape[1], axis=0)
        draws = len(fields) / len(np.unique(examples.rows["year"]))  # each month stands in that many examples
        filled = np.where(gaps, 0.0, flat)
        estimate = filled
        for _ in range(self.iterations):
            modes = np.linalg.eigh(self.gram + filled.T @ filled / draws)[1][:, -self.modes :]
            estimate = filled @ modes @ modes.T
            filled = np.where(gaps, estimate, flat)
        return estimate.reshape(fields.shape).astype("float32")


class OptimalInterpolation:
    """Optimal interpolation with a regularized covariance (Gandin 1963).

    B = (1 - a) S * taper + a s s' C + m², R = r²: the sample covariance S under a Gaussian taper, shrunk towards an
    exponential model with the sample's deviations s, plus an offset of variance m² (ordinary kriging as m grows) and
    the noise r. All seven are tuned by Nelder-Mead over held blocks of training years and the validation years.
    source : Bretherton et al. (1976), doi:10.1016/0011-7471(76)90001-2
    """

    # Lengths in degrees, deviations in K: where a first search over the same folds ended.
    start: ClassVar[dict[str, float]] = {
        "taper_x": 250, "taper_y": 55, "scale_x": 35, "scale_y": 17, "shrink": 0.12, "offset": 0.06, "noise": 0.09,
    }  # fmt: skip

    def __init__(self, evaluations: int = 160) -> None:
        self.evaluations = evaluations

    def fit(self, train: Examples, validation: Examples) -> dict[str, Any]:
        self.squares = (train.shared["places"][:, None] - train.shared["places"][None]) ** 2
        blocks = zip(train.shared["samples"], train.shared["blocks"], strict=True)
        folds = [(sample.astype(float), held) for sample, held in blocks]
        months = train.shared["months"]
        sample = months.T @ months / len(months)
        own = validation.rows["fields"].reshape(-1, months.shape[1])
        folds.append((sample, own[np.isfinite(own).all(1)]))
        start = np.log(list(self.start.values()))
        simplex = np.vstack([start, start + 0.3 * np.eye(len(start))])
        options = {"maxfev": self.evaluations, "adaptive": True, "initial_simplex": simplex}
        gaps = _by_coverage(validation)
        with threadpool_limits(1):  # matrices this small lose ten times more to threads than they win
            found = minimize(self._loss, start, (folds, gaps), method="Nelder-Mead", options=options)
        self.parameters = dict(zip(self.start, map(float, np.exp(found.x)), strict=True))
        self.covariance = self._covariance(sample, self.parameters)
        return {key: round(value, 4) for key, value in self.parameters.items()} | {"mean_log_rmse": float(found.fun)}

    def predict(self, examples: Examples) -> np.ndarray:
        return _each(examples, partial(analyse, self.covariance, self.parameters["noise"]))

    def _covariance(self, sample: np.ndarray, p: dict[str, float]) -> np.ndarray:
        y2, x2 = self.squares[..., 0], self.squares[..., 1]
        std = np.sqrt(np.diag(sample))
        taper = np.exp(-0.5 * (x2 / p["taper_x"] ** 2 + y2 / p["taper_y"] ** 2))
        model = np.exp(-np.sqrt(x2 / p["scale_x"] ** 2 + y2 / p["scale_y"] ** 2))
        return (1 - p["shrink"]) * taper * sample + p["shrink"] * model * np.outer(std, std) + p["offset"] ** 2

    def _loss(self, logs: np.ndarray, folds: list[Any], gaps: dict[float, np.ndarray]) -> float:
        p = dict(zip(self.start, np.exp(logs), strict=True))
        if p["shrink"] >= 1:
            return REFUSED
        covariances = [self._covariance(sample, p) for sample, _ in folds]
        errors = []
        for group in gaps.values():
            total = np.zeros(2)
            for i, hidden in enumerate(group):
                held = folds[i % len(folds)][1]
                try:
                    error = (analyse(covariances[i % len(folds)], p["noise"], held, hidden) - held)[:, hidden]
                except LinAlgError:  # a few months and next to no noise: not positive definite
                    return REFUSED
                total += np.sum(error**2), error.size
            errors.append(0.5 * np.log(total[0] / total[1]))
        return float(np.mean(errors))


def analyse(covariance: np.ndarray, noise: float, fields: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """Conditional mean (month, cell) given the observed cells of fields (month, cell) behind one gap (cell,)."""
    cross = covariance[~hidden]
    root = cholesky(cross[:, ~hidden] + noise**2 * np.eye(len(cross)), lower=True, check_finite=False)
    solve = partial(solve_triangular, root, lower=True, check_finite=False)
    return solve(solve(fields[:, ~hidden].T), trans="T").T @ cross


def _each(examples: Examples, restore: Any) -> np.ndarray:
    """Restore example by example; absent months come out as zero."""
    pairs = zip(np.nan_to_num(examples.rows["fields"]), examples.rows["hidden"], strict=True)
    return np.stack([restore(fields, hidden) for fields, hidden in pairs]).astype("float32")


def _by_coverage(examples: Examples) -> dict[float, np.ndarray]:
    return {
        float(c): examples.rows["hidden"][examples.rows["coverage"] == c] for c in np.unique(examples.rows["coverage"])
    }


def _choose(method: Any, name: str, candidates: Sequence[Any], validation: Examples) -> dict[str, Any]:
    """Set the attribute `name` to the candidate with the least mean log error over coverages."""
    losses = []
    for value in candidates:
        setattr(method, name, value)
        square = (method.predict(validation) - validation.rows["fields"]) ** 2
        square = np.where(validation.rows["hidden"][:, None], square, np.nan)
        coverage = validation.rows["coverage"]
        losses.append(np.mean([0.5 * np.log(np.nanmean(square[coverage == c])) for c in np.unique(coverage)]))
    setattr(method, name, candidates[int(np.argmin(losses))])
    return {name: getattr(method, name), "mean_log_rmse": float(min(losses))}
