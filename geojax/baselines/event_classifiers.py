"""Classifiers of events that know their neighbourhoods, with what each may choose on the validation examples."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from geojax.baselines import event_features
from geojax.baselines.classifiers import FeatureClassifier
from geojax.task import Examples


def tuned() -> dict[str, FeatureClassifier]:
    """Each on the event with summaries of its neighbours; trees also on every single neighbour, nearest neighbours
    also on the event alone, as in so many dimensions no one is near.
    """
    weights = (None, "balanced")
    neighbours = [make_pipeline(StandardScaler(), KNeighborsClassifier(k, weights="distance")) for k in (5, 10, 20, 40)]
    alone = [
        make_pipeline(FunctionTransformer(_leading, kw_args={"count": c}), trial)
        for c in (3, 4)
        for trial in neighbours
    ]
    linear = [
        make_pipeline(StandardScaler(), LogisticRegression(C=c, class_weight=w, max_iter=2000))
        for c in (0.01, 0.1, 1.0, 10.0)
        for w in weights
    ]
    forests = [
        RandomForestClassifier(150, min_samples_leaf=leaf, max_features=share, class_weight=w, random_state=0)
        for leaf in (1, 3, 8)
        for share in ("sqrt", 0.3)
        for w in (None, "balanced_subsample")
    ]
    boosted = [
        HistGradientBoostingClassifier(
            max_iter=n, learning_rate=rate, max_leaf_nodes=15, l2_regularization=1.0, class_weight=w, random_state=0
        )
        for n, rate in ((100, 0.1), (250, 0.05))
        for w in weights
    ]
    return {
        "nearest neighbours": FeatureClassifier(_of(event_features.summaries), [*alone, *neighbours]),
        "logistic regression": FeatureClassifier(_of(event_features.summaries), linear),
        "random forest": FeatureClassifier(_of(event_features.everything), forests),
        "boosted trees": FeatureClassifier(_of(event_features.everything), boosted),
    }


def _of(features: Callable[[Examples], np.ndarray]) -> Callable[[Examples, bool], list[np.ndarray]]:
    return lambda examples, training: [features(examples)]


def _leading(features: Any, count: int) -> np.ndarray:
    return np.asarray(features)[:, :count]
