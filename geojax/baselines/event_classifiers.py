"""Classifiers of events that know their neighbourhoods, with what each may choose on the validation examples."""

from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from geojax.baselines import event_features
from geojax.baselines.classifiers import FeatureClassifier
from geojax.data.events.catalogues import OWN
from geojax.task import Examples


def tuned() -> dict[str, FeatureClassifier]:
    """Each may choose between the event alone and the event with summaries of its neighbours."""
    weights = (None, "balanced")
    place, alone = (FunctionTransformer(_leading, kw_args={"count": count}) for count in (3, OWN))
    neighbours = [
        make_pipeline(first, StandardScaler(), KNeighborsClassifier(k, weights="distance"))
        for first in (place, None)
        for k in (1, 2, 3, 5, 8, 13, 20)
    ]
    linear = [
        make_pipeline(StandardScaler(), LogisticRegression(C=c, class_weight=w, max_iter=2000))
        for c in (0.1, 1.0, 10.0)
        for w in weights
    ]
    forests = [
        make_pipeline(first, RandomForestClassifier(80, min_samples_leaf=leaf, class_weight=w, random_state=0))
        for first in (alone, None)
        for leaf in (1, 3)
        for w in (None, "balanced_subsample")
    ]
    boosted = [
        make_pipeline(
            first,
            HistGradientBoostingClassifier(
                max_iter=n, max_leaf_nodes=15, l2_regularization=1.0, class_weight="balanced", random_state=0
            ),
        )
        for first in (alone, None)
        for n in (60, 150)
    ]
    trials: dict[str, list[Any]] = {
        "nearest neighbours": neighbours,
        "logistic regression": linear,
        "random forest": forests,
        "boosted trees": boosted,
    }
    return {name: FeatureClassifier(_features, own) for name, own in trials.items()}


def _features(examples: Examples, training: bool) -> list[np.ndarray]:
    return [event_features.summaries(examples)]


def _leading(features: Any, count: int) -> np.ndarray:
    return np.asarray(features)[:, :count]
