"""Classical crater detection: templates that are compared at many scales, alone and before boosted trees.

Examples are those of geojax.data.imagery.circle_examples; predictions are tables of circles (example, n, 4) with the
score above a threshold that is tuned, with all else, by the F1 on the validation examples.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from geojax.baselines.templates import Templates, candidates, cut, learn, normal
from geojax.data.imagery import circle_examples, circles
from geojax.data.imagery.circle_examples import DOUBLES, MATCH
from geojax.task import Examples

UNSURE = 0.3  # overlap up to which a candidate tells nothing of a crater when training


class TemplateMatching:
    """Normalized cross-correlation with mean craters of the training pictures, at radii 15 % apart.

    The mean craters are the centres of k groups of training craters; all are lit as those are. What correlates best
    tends to be smaller than the crater, so radii are stretched as the training craters tell.
    source : Lewis (1995), Fast template matching, Vision Interface 95, 120-123
    """

    trials = ((1, 1.5), (1, 1.8), (1, 2.2), (1, 2.6), (2, 2.2))  # groups; reach in radii

    def __init__(self, most: int, trials: int | None = None) -> None:
        self.most, self.given = most, self.trials[:trials]

    def fit(self, train: Examples, validation: Examples) -> dict[str, Any]:
        found = []
        for groups, reach in self.given:
            templates = learn(train, groups, reach)
            stretch = self._stretch(templates, train)
            tables = self._tables(templates, stretch, validation)
            found.append((*circle_examples.tuned(validation, tables), groups, reach, stretch, templates))
        self.threshold, f1, groups, reach, self.stretch, self.templates = max(found, key=lambda own: own[1])
        return {
            "trials": [own[1] for own in found], "templates": groups, "reach_radii": reach,
            "stretch": round(self.stretch, 3), "threshold": round(self.threshold, 4), "validation_f1": f1,
        }  # fmt: skip

    def predict(self, examples: Examples) -> np.ndarray:
        return circle_examples.above(self._tables(self.templates, self.stretch, examples), self.threshold)

    def _tables(self, templates: Templates, stretch: float, examples: Examples) -> np.ndarray:
        pictures = circle_examples.brightness(examples)
        found = [candidates(templates, own, DOUBLES) * [1, 1, stretch, 1] for own in pictures]
        return circle_examples.tabled(examples, found, self.most)

    def _stretch(self, templates: Templates, train: Examples) -> float:
        """Median ratio of the radius of a training crater to that of the best candidate upon it."""
        ratios = []
        for own, true in zip(circle_examples.brightness(train), circle_examples.marked(train), strict=True):
            found = candidates(templates, own, DOUBLES)
            taken = circles.match(found[:, :3], true, UNSURE)
            ratios.append(true[taken[taken >= 0], 2] / found[taken >= 0, 2])
        every = np.concatenate(ratios)
        return float(np.median(every)) if len(every) else 1.0


class BoostedCandidates:
    """Places that templates propose, told apart by boosted trees on their texture.

    After Bandeira, Ding & Stepinski (2012), doi:10.1016/j.asr.2011.08.021, who propose by shape and boost texture
    features. Training craters also stand upside down and moved a little, as those of the network do.
    """

    trials = ((100, 8), (200, 8), (200, 16), (400, 4))  # trees; leaves of each
    shift, scale, copies = 0.12, 0.1, 6

    def __init__(self, most: int, trials: int | None = None) -> None:
        self.most, self.given = most, self.trials[:trials]

    def fit(self, train: Examples, validation: Examples) -> dict[str, Any]:
        self.templates = learn(train, 4, 1.5)
        inputs, label = self._training(train)
        proposed = [candidates(self.templates, own, MATCH) for own in circle_examples.brightness(validation)]
        seen = [features(own, each) for own, each in zip(circle_examples.brightness(validation), proposed, strict=True)]
        found = []
        for trees, leaves in self.given:
            classifier = HistGradientBoostingClassifier(
                max_iter=trees, max_leaf_nodes=leaves, learning_rate=0.06, l2_regularization=1.0, random_state=0
            ).fit(inputs, label)
            tables = circle_examples.tabled(validation, _scored(classifier, proposed, seen), self.most)
            found.append((*circle_examples.tuned(validation, tables), trees, leaves, classifier))
        self.threshold, f1, trees, leaves, self.classifier = max(found, key=lambda own: own[1])
        return {
            "trials": [own[1] for own in found], "trees": trees, "leaves": leaves,
            "threshold": round(self.threshold, 4), "validation_f1": f1,
        }  # fmt: skip

    def predict(self, examples: Examples) -> np.ndarray:
        pictures = circle_examples.brightness(examples)
        proposed = [candidates(self.templates, own, MATCH) for own in pictures]
        seen = [features(own, each) for own, each in zip(pictures, proposed, strict=True)]
        found = _scored(self.classifier, proposed, seen)
        return circle_examples.above(circle_examples.tabled(examples, found, self.most), self.threshold)

    def _training(self, train: Examples) -> tuple[np.ndarray, np.ndarray]:
        """Features and labels of candidates and of marked craters, each also upside down."""
        generator = np.random.default_rng(0)
        inputs, labels = [], []
        for own, true in zip(circle_examples.brightness(train), circle_examples.marked(train), strict=True):
            moved = np.repeat(true, self.copies, axis=0)
            moved[:, :2] += generator.normal(0, self.shift, (len(moved), 2)) * moved[:, 2:]
            moved[:, 2] *= np.exp(generator.normal(0, self.scale, len(moved)))
            near = np.concatenate([candidates(self.templates, own, 0.7)[:, :3], true, moved])
            share = circles.overlap(near, true).max(1, initial=0)
            clear = (share >= MATCH) | (share <= UNSURE)
            near, label = near[clear], share[clear] >= MATCH
            for flip in (False, True):
                inputs.append(features(own, near, flip))
                labels.append(label)
        return np.concatenate(inputs), np.concatenate(labels)


def features(picture: np.ndarray, around: np.ndarray, flip: bool = False) -> np.ndarray:
    """Texture of circles (n, 3): contrast-free brightness on 12 × 12 points, contrast, brightness, size, and rings.

    flip : upside down
    """
    chips = cut(picture, around, 12, 1.5)[:, :: -1 if flip else 1]
    flat = normal(chips).reshape(len(chips), -1)
    grid = np.linspace(-1.5, 1.5, 12)
    distance = np.hypot(grid[:, None], grid[None, :]).ravel()
    rings = [flat[:, (distance >= low) & (distance < low + 0.3)] for low in np.arange(0, 1.5, 0.3)]
    down, right = np.gradient(chips, axis=(1, 2))
    steep = np.hypot(down, right).reshape(len(chips), -1)
    along = [steep[:, (distance >= low) & (distance < low + 0.3)].mean(1) for low in np.arange(0, 1.5, 0.3)]
    plain = [chips.mean((1, 2)), chips.std((1, 2)), np.log(around[:, 2])]
    return np.column_stack([flat, *(own.mean(1) for own in rings), *(own.std(1) for own in rings), *along, *plain])


def _scored(classifier: Any, proposed: Sequence[np.ndarray], seen: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Proposed circles (n, 4) with the classifier's probability as their score."""
    found = []
    for own, inputs in zip(proposed, seen, strict=True):
        chance = classifier.predict_proba(inputs)[:, 1] if len(own) else np.empty(0)
        found.append(np.column_stack([own[:, :3], chance]))
    return found
