"""A detector of what a generator makes, as arrays: logistic regression on properties and on their products.

It says how likely an example is made by the generator whose examples it was fitted on, if as many are made as are real.
It knows that generator alone: what another one makes may pass as real.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import expit

from geojax.scores import two_samples

PENALTIES = (1e-3, 1e-2, 1e-1, 1.0)  # inverse strengths of the ridge penalty that are tried
REACH = 4.0  # spreads from the mean beyond which a property says no more
ALARMS = 0.05  # share of real validation examples above the threshold
ODDS = np.linspace(-20, 20, 201)  # natural logarithms, between which examples are counted


def fit(train: Sequence[np.ndarray], validation: Sequence[np.ndarray]) -> xr.Dataset:
    """The detector with the least log loss on validation.

    train, validation : properties (example, property) of real and of made examples
    returns : center and spread (property,), weight (term, other): log odds are the quadratic form of the weights in 1
        and the standardized properties. Attributes: the threshold of the probability, above which lie 5 % of the real
        validation examples, and what was found on validation
    source : Lopez-Paz and Oquab (2017), arXiv:1610.06545, for classifiers that compare two samples
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss, roc_auc_score
    from threadpoolctl import threadpool_limits

    inputs, label = np.concatenate(train), np.repeat([0, 1], [len(own) for own in train])
    center, spread = inputs.mean(0), inputs.std(0) + 1e-9
    judged = np.repeat([0, 1], [len(own) for own in validation])
    found = []
    with threadpool_limits(1):
        for penalty in PENALTIES:
            model = LogisticRegression(C=penalty, max_iter=2000).fit(_products(inputs, center, spread), label)
            arrays = {"center": ("property", center), "spread": ("property", spread)}
            own = xr.Dataset(arrays | {"weight": (("term", "other"), _form(model.intercept_[0], model.coef_[0]))})
            chances = [probability(each, own) for each in validation]
            loss = float(log_loss(judged, np.concatenate(chances)))
            found.append((loss, penalty, own, chances))
    loss, penalty, best, (real, made) = min(found, key=lambda each: each[0])
    threshold = float(np.quantile(real, 1 - ALARMS))
    return best.assign_attrs(
        threshold=threshold,
        penalty=penalty,
        validation_log_loss=loss,
        validation_auc=float(roc_auc_score(judged, np.concatenate([real, made]))),
        validation_false_alarms=float((real > threshold).mean()),
        validation_hits=float((made > threshold).mean()),
    )


def log_odds(properties: np.ndarray, detector: xr.Dataset) -> np.ndarray:
    """Logarithm of the odds (example,) that examples with these properties (example, property) are made."""
    terms = _terms(properties, detector["center"].values, detector["spread"].values)
    return np.einsum("ni,ij,nj->n", terms, detector["weight"].values, terms)


def probability(properties: np.ndarray, detector: xr.Dataset) -> np.ndarray:
    """Probability (example,) that examples with these properties (example, property) are made."""
    return expit(log_odds(properties, detector))


def told(properties: np.ndarray, detector: xr.Dataset) -> pd.DataFrame:
    """Of examples with these properties (example, property) the probability, and in a word what it means."""
    chance = probability(properties, detector)
    words = np.where(chance > detector.attrs["threshold"], "made by this model", "not made by this model")
    return pd.DataFrame({"probability": chance, "said": words})


def judged(real: np.ndarray, made: np.ndarray, group: np.ndarray, detector: xr.Dataset) -> xr.Dataset:
    """Counts (group, sample, bin) of real and made examples by their log odds, and of those above the threshold.

    real, made : properties (example, property) of examples of the same groups
    """
    names, code = np.unique(group, return_inverse=True)
    odds = [log_odds(own, detector) for own in (real, made)]
    above = [expit(own) > detector.attrs["threshold"] for own in odds]
    content = {
        "odds": (("group", "sample", "bin"), np.stack([two_samples.counts(o[:, None], code, ODDS) for o in odds], 1)),
        "above": (("group", "sample"), np.stack([np.bincount(code, own) for own in above], 1)),
    }
    return xr.Dataset(content, {"group": names, "sample": ["real", "made"]})


def scores(sums: xr.Dataset) -> xr.Dataset:
    """Scores from sums of what `judged` counts.

    detector_auc : how well the detector tells made examples from real ones; 0.5 is not at all
    taken_for_made : share of each sample above the threshold
    """
    made, real = (sums["odds"].sel(sample=name, drop=True) for name in ("made", "real"))
    taken = sums["above"] / sums["odds"].sum("bin")
    return xr.Dataset({"detector_auc": two_samples.larger(made, real), "taken_for_made": taken})


def _terms(properties: np.ndarray, center: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """1 and the standardized properties (example, 1 + property)."""
    standard = np.clip((properties.astype("float64") - center) / spread, -REACH, REACH)
    return np.concatenate([np.ones((len(standard), 1)), standard], 1)


def _products(properties: np.ndarray, center: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Each product of two terms once, without that of 1 with itself, which the intercept is."""
    terms = _terms(properties, center, spread)
    one, other = np.triu_indices(terms.shape[1])
    return (terms[:, one] * terms[:, other])[:, 1:]


def _form(intercept: float, coefficients: np.ndarray) -> np.ndarray:
    """The symmetric matrix of the quadratic form with these coefficients of the products."""
    size = round((np.sqrt(8 * (len(coefficients) + 1) + 1) - 1) / 2)
    upper = np.zeros((size, size))
    upper[np.triu_indices(size)] = [intercept, *coefficients]
    return 0.5 * (upper + upper.T)
