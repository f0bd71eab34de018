"""Classifiers of depth samples on features of the logs around them."""

from typing import Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from geojax.baselines.classifiers import FeatureClassifier
from geojax.task import Examples


class Known(TransformerMixin, BaseEstimator):
    """Features of which the training examples know anything; a log may be missing in all their wells."""

    def fit(self, x: np.ndarray, y: object = None) -> Self:
        self.known_ = np.isfinite(x).any(0)
        return self

    def transform(self, x: np.ndarray) -> np.ndarray:
        return x[:, self.known_]


def classifiers(classes: int, most: int | None = None) -> dict[str, FeatureClassifier]:
    """Each family with the settings that it may choose from.

    most : how many settings of each are tried; all without
    """

    def scaled(classifier: ClassifierMixin) -> Pipeline:
        return make_pipeline(Known(), SimpleImputer(add_indicator=True), StandardScaler(), classifier)

    def filled(classifier: ClassifierMixin) -> Pipeline:
        return make_pipeline(Known(), SimpleImputer(add_indicator=True), classifier)

    trials = {
        "logistic regression": [scaled(LogisticRegression(C=c, max_iter=2000)) for c in (0.03, 0.003, 0.3)],
        "decision tree": [
            filled(DecisionTreeClassifier(max_depth=depth, min_samples_leaf=leaf, random_state=0))
            for depth, leaf in ((8, 20), (5, 20), (8, 5), (12, 20))
        ],
        "random forest": [
            filled(RandomForestClassifier(100, min_samples_leaf=leaf, max_features=share, random_state=0))
            for leaf, share in ((5, "sqrt"), (2, "sqrt"), (5, 0.3))
        ],
        "SVM": [scaled(SVC(C=c, gamma=gamma)) for c, gamma in ((1, 0.01), (1, 0.003), (10, 0.003), (10, 0.01))],
        "boosted trees": [
            make_pipeline(
                Known(),
                HistGradientBoostingClassifier(
                    max_iter=n, max_leaf_nodes=leaves, learning_rate=0.06, l2_regularization=1.0, random_state=0
                ),
            )
            for n, leaves in ((80, 8), (80, 15), (40, 8))
        ],
    }
    return {name: FeatureClassifier(_once, own[:most], classes=classes) for name, own in trials.items()}


def features(window: np.ndarray) -> np.ndarray:
    """What stands at the depth, two samples beside it, its gradient, and mean, extremes and deviation of the window.

    window : (example, sample, log), NaN where missing
    returns : (example, 9 * log), NaN where nothing is known; feature augmentation as by Bestagini et al. (2017),
        doi:10.1190/segam2017-17729805.1
    """
    middle = window.shape[1] // 2
    near = min(1, middle)
    far = min(2, middle)
    at = window[:, middle]
    above, below = window[:, middle - near], window[:, middle + near]
    outer = window[:, middle - far], window[:, middle + far]
    known = np.isfinite(window)
    count = known.sum(1)
    mean = np.where(known, window, 0).sum(1) / count.clip(1)
    deviation = np.sqrt((np.where(known, window - mean[:, None], 0) ** 2).sum(1) / count.clip(1))
    low = np.where(known, window, np.inf).min(1)
    high = np.where(known, window, -np.inf).max(1)
    whole = [np.where(count > 0, each, np.nan) for each in (mean, deviation, low, high)]
    return np.concatenate([at, above, below, *outer, *whole], 1)


def _once(examples: Examples, training: bool) -> list[np.ndarray]:
    return [features(examples.rows["window"])]
