"""Features and a scikit-learn classifier whose settings are chosen on the validation examples."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, clone
from sklearn.metrics import f1_score
from sklearn.pipeline import Pipeline

from geojax.task import Examples


@dataclass
class FeatureClassifier:
    """The best of several classifiers on features of the examples.

    features : (examples, training) to one or more (example, feature); classes are averaged over what it returns
    trials : classifiers to choose from, by macro F1 on the validation examples
    label : row that holds integer labels
    classes : how many there are, where training may lack one; else those of training
    """

    features: Callable[[Examples, bool], list[np.ndarray]]
    trials: list[ClassifierMixin]
    label: str = "label"
    classes: int | None = None
    chosen: Any = field(default=None, init=False)

    def fit(self, train: Examples, validation: Examples) -> dict[str, Any]:
        (inputs,) = self.features(train, True)
        views = self.features(validation, False)
        scores = []
        fitted = []
        for trial in self.trials:
            fitted.append(clone(trial).fit(inputs, train.rows[self.label]))
            guess = self._probability(fitted[-1], views).argmax(1)
            scores.append(float(f1_score(validation.rows[self.label], guess, average="macro")))
        best = int(np.argmax(scores))
        self.chosen = fitted[best]
        return {
            "trials": scores,
            "chosen": _short(self.trials[best]),
            "validation_macro_f1": scores[best],
        }

    def predict(self, examples: Examples) -> np.ndarray:
        """Class probabilities (example, class)."""
        return self._probability(self.chosen, self.features(examples, False)).astype("float32")

    def _probability(self, classifier: Any, views: list[np.ndarray]) -> np.ndarray:
        """Mean over the views (example, class); a classifier without probabilities is sure of its guess."""
        count = self.classes or len(classifier.classes_)
        known = classifier.classes_ if self.classes else np.arange(count)
        found = np.zeros((len(views), len(views[0]), count))
        for own, view in zip(found, views, strict=True):
            if hasattr(classifier, "predict_proba"):
                own[:, known] = classifier.predict_proba(view)
            else:
                own[np.arange(len(view)), classifier.predict(view)] = 1
        return found.mean(0)


def _short(classifier: Any) -> str:
    """A classifier with its settings; of a pipeline the last step, which was tuned."""
    return " ".join(str(classifier[-1] if isinstance(classifier, Pipeline) else classifier).split())
