"""Classical forecasts of rates of earthquakes: climatology, smoothed seismicity, and its clusters by Omori's law.

Examples hold `month` (example,); what they share is described in geojax.tasks.earthquake_rates. No forecast of a month
sees anything that came after its start. Settings are those that are most likely on the validation months.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from scipy.optimize import minimize

from geojax.data.events.seismicity import Pairs, triggered
from geojax.scores.rates import log_likelihood
from geojax.task import Examples


class Climatology:
    """Counts of each cell in all earlier months, with a prior of as many events as `prior` says, spread by area."""

    prior: float  # chosen by `fit`

    def __init__(self, priors: Sequence[float] = (30, 100, 300, 600, 1000, 2000)) -> None:
        self.priors = priors

    def fit(self, train: Examples, validation: Examples) -> dict[str, Any]:
        self.prior, gain = _most_likely(self.priors, lambda prior: _climatology(validation, prior), validation)
        return {"prior_events": self.prior, "validation_gain": gain}

    def predict(self, examples: Examples) -> np.ndarray:
        return _climatology(examples, self.prior).astype("float32")


class SmoothedSeismicity:
    """One of the maps of smoothed seismicity, maybe with a further share that is spread by area.

    source : Helmstetter et al. (2007), doi:10.1785/gssrl.78.1.78
    """

    chosen: tuple[int, float]  # map and share, by `fit`

    def __init__(self, further: Sequence[float] = (0.0, 3e-4, 1e-3, 3e-3, 1e-2)) -> None:
        self.further = further

    def fit(self, train: Examples, validation: Examples) -> dict[str, Any]:
        every = range(validation.shared["background"].shape[-1])
        trials = [(number, share) for number in every for share in self.further]
        self.chosen, gain = _most_likely(trials, lambda own: smooth(validation, *own), validation)
        return {"map": self.chosen[0], "further_by_area": self.chosen[1], "validation_gain": gain}

    def predict(self, examples: Examples) -> np.ndarray:
        return smooth(examples, *self.chosen).astype("float32")


class OmoriClusters:
    """Smoothed seismicity times a constant, plus what earlier events trigger by Omori's law: ETAS of monthly counts.

    All five constants are fitted by the likelihood of the training months; the map is chosen on the validation months.
    What the first events of a month trigger within it, no forecast for a month can know.
    source : Ogata (1998), doi:10.1023/A:1003403601725
    """

    def __init__(self, least: float, evaluations: int = 60) -> None:
        self.least, self.evaluations = least, evaluations

    def fit(self, train: Examples, validation: Examples) -> dict[str, Any]:
        maps = range(train.shared["background"].shape[-1])
        base = {number: smooth(train, number) for number in maps}
        start = np.array([0.5, 1.0, np.log(8.0)])  # alpha, p, log width
        simplex = start + np.vstack([np.zeros(3), np.diag([0.3, 0.2, -1.0])])
        options = {"maxfev": self.evaluations, "initial_simplex": simplex}
        pairs = Pairs.of(train.shared["catalogue"], train.shared["cells"])
        first = maps[-1]

        def loss(point: np.ndarray) -> float:
            added = self._added(train, point[0], point[1], np.exp(point[2]), pairs)
            return -_weigh(train, base[first], added)[1]

        found = minimize(loss, start, method="Nelder-Mead", options=options).x
        self.alpha, self.p, self.width = float(found[0]), float(found[1]), float(np.exp(found[2]))
        added, judged = self._added(train, self.alpha, self.p, self.width, pairs), self._added(validation, *self._law)
        weights = {number: _weigh(train, own, added)[0] for number, own in base.items()}

        def forecast(number: int) -> np.ndarray:
            return weights[number][0] * smooth(validation, number) + weights[number][1] * judged

        self.map, gain = _most_likely(maps, forecast, validation)
        self.weights = weights[self.map]
        chosen = {"alpha": self.alpha, "p": self.p, "width_km": self.width, "background": self.weights[0]}
        chosen |= {"productivity": self.weights[1], "validation_gain": gain}
        return {"map": self.map} | {name: round(float(value), 5) for name, value in chosen.items()}

    def predict(self, examples: Examples) -> np.ndarray:
        added = self._added(examples, *self._law)
        return (self.weights[0] * smooth(examples, self.map) + self.weights[1] * added).astype("float32")

    @property
    def _law(self) -> tuple[float, float, float]:
        return self.alpha, self.p, self.width

    def _added(
        self, examples: Examples, alpha: float, p: float, width: float, pairs: Pairs | None = None
    ) -> np.ndarray:
        """Triggered rates (example, cell) per unit productivity."""
        catalogue, edges = examples.shared["catalogue"], examples.shared["edges"]
        pairs = pairs or Pairs.of(catalogue, examples.shared["cells"])
        first = int(examples.rows["month"].min())
        found = triggered(catalogue, pairs, edges[first:], self.least, alpha=alpha, p=p, width=width)
        return found[examples.rows["month"] - first]


def smooth(examples: Examples, number: int, share: float = 0.0) -> np.ndarray:
    """Expected counts (example, cell) by map `number`, a further share of them spread by area."""
    own = examples.shared["background"][examples.rows["month"], :, number].astype("float64")
    return (1 - share) * own + share * own.sum(1, keepdims=True) * examples.shared["share"]


def _climatology(examples: Examples, prior: float) -> np.ndarray:
    """Expected counts (example, cell)."""
    month, counts = examples.rows["month"], examples.shared["counts"].astype("float64")
    earlier = (np.cumsum(counts, 0) - counts)[month] + prior * examples.shared["share"]
    total = examples.shared["background"][month, :, 0].sum(1, keepdims=True, dtype="float64")
    return total * earlier / earlier.sum(1, keepdims=True)


def _weigh(examples: Examples, one: np.ndarray, other: np.ndarray, steps: int = 40) -> tuple[np.ndarray, float]:
    """Weights of two forecasts whose sum is most likely, by expectation and maximization, and the likelihood."""
    counts = examples.shared["counts"][examples.rows["month"]]
    both = np.stack([one[counts > 0], other[counts > 0]]).astype("float64")
    seen, totals = counts[counts > 0], np.array([one.sum(), other.sum(dtype="float64")])
    weights = 0.5 * seen.sum() / totals
    for _ in range(steps):
        part = weights[:, None] * both
        weights = (seen * part / part.sum(0)).sum(1) / totals
    return weights, float(seen @ np.log(weights @ both) - weights @ totals)


def _most_likely(trials: Iterable[Any], forecast: Callable[[Any], np.ndarray], examples: Examples) -> tuple[Any, float]:
    """The trial whose forecast is most likely, and its gain over the reference in nats per event."""
    counts, reference = (examples.shared[name][examples.rows["month"]] for name in ("counts", "reference"))
    base = log_likelihood(counts, reference).sum()
    gains = {trial: float(log_likelihood(counts, forecast(trial)).sum() - base) for trial in trials}
    best = max(gains, key=lambda trial: gains[trial])
    return best, round(gains[best] / float(counts.sum()), 4)
