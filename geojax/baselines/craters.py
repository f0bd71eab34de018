"""Classical crater detection: templates that are compared at many scales, alone and before boosted trees.

Examples are those of `geojax.data.circle_examples`; predictions are tables of circles (example, n, 4) with the score
above a threshold that is tuned, with all else, by the F1 on the validation examples.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.fft import irfft2, next_fast_len, rfft2
from scipy.ndimage import gaussian_filter, map_coordinates, maximum_filter, uniform_filter, zoom
from sklearn.cluster import KMeans
from sklearn.ensemble import HistGradientBoostingClassifier

from geojax.data import circle_examples, circles
from geojax.data.circle_examples import DOUBLES, MATCH
from geojax.task import Examples

RADIUS = 4.0  # pixels of a crater in a template
SMALLEST = 3.0  # radius in pixels that is looked for; below it a template would be larger than what it shows
STEP = 1.15  # from one radius to the next
FLAT = 0.05  # deviation, in those of the picture, that is added to a window's: saturated ground has no pattern
FAINT = 0.4  # correlation from which on a place may be a crater
UNSURE = 0.3  # overlap up to which a candidate counts as none for training


class Templates(NamedTuple):
    """Mean craters (template, side, side) of zero mean and unit norm, and the radii that they are compared at."""

    patterns: np.ndarray
    radii: np.ndarray


class TemplateMatching:
    """Normalized cross-correlation with mean craters of the training pictures, at radii 15 % apart.

    The mean craters are the centres of k groups of training craters; all are lit as those are.
    source : Lewis (1995), Fast template matching, Vision Interface 95, 120-123
    """

    trials = ((1, 1.5), (1, 1.8), (1, 2.2), (1, 2.6), (2, 2.2))  # groups; reach in radii

    def __init__(self, most: int, trials: int | None = None) -> None:
        self.most, self.given = most, self.trials[:trials]

    def fit(self, train: Examples, validation: Examples) -> dict[str, Any]:
        found = []
        for groups, reach in self.given:
            templates = learn(train, groups, reach)
            tables = self._tables(templates, validation)
            found.append((*circle_examples.tuned(validation, tables), groups, reach, templates))
        self.threshold, f1, groups, reach, self.templates = max(found, key=lambda own: own[1])
        return {
            "trials": [own[1] for own in found], "templates": groups, "reach_radii": reach,
            "threshold": round(self.threshold, 4), "validation_f1": f1,
        }  # fmt: skip

    def predict(self, examples: Examples) -> np.ndarray:
        return circle_examples.above(self._tables(self.templates, examples), self.threshold)

    def _tables(self, templates: Templates, examples: Examples) -> np.ndarray:
        found = [candidates(templates, own, DOUBLES) for own in circle_examples.brightness(examples)]
        return circle_examples.tabled(examples, found, self.most)


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


def learn(train: Examples, groups: int, reach: float) -> Templates:
    """Templates from the training craters: centres of groups of their normalized pictures.

    reach : half the side of a template, in radii
    """
    side = 2 * round(RADIUS * reach) + 1
    chips, radii = [], []
    for own, true in zip(circle_examples.brightness(train), circle_examples.marked(train), strict=True):
        chips.append(cut(own, true, side, (side // 2) / RADIUS))
        radii.append(true[:, 2])
    every, sizes = _normal(np.concatenate(chips)), np.concatenate(radii)
    centres = KMeans(min(groups, len(every)), n_init=4, random_state=0).fit(every).cluster_centers_
    ladder = np.exp(np.arange(np.log(max(SMALLEST, sizes.min())), np.log(sizes.max() * STEP), np.log(STEP)))
    return Templates(_normal(centres).reshape(-1, side, side), ladder)


def candidates(templates: Templates, picture: np.ndarray, doubles: float) -> np.ndarray:
    """Circles (n, 4) with their greatest correlation with a template, best first, none doubled."""
    found = np.concatenate([own for radius in templates.radii for own in _at(templates.patterns, picture, radius)])
    return found[circles.suppress(found[:, :3], found[:, 3], doubles)]


def cut(picture: np.ndarray, around: np.ndarray, side: int, reach: float) -> np.ndarray:
    """Pictures (n, side, side) of circles (n, 3), each to `reach` radii from its centre, smoothed to its scale."""
    grid = np.linspace(-reach, reach, side)
    chips = np.empty((len(around), side, side), "float32")
    coarse = np.round(2 * np.log2(np.maximum(around[:, 2] * (grid[1] - grid[0]), 1))).astype(int)
    for level in np.unique(coarse):
        smooth = gaussian_filter(picture, 0.5 * (2 ** (level / 2) - 1), mode="nearest") if level else picture
        own = around[coarse == level]
        rows = own[:, 0, None, None] + own[:, 2, None, None] * grid[:, None]
        columns = own[:, 1, None, None] + own[:, 2, None, None] * grid[None, :]
        place = np.broadcast_arrays(rows, columns)
        chips[coarse == level] = map_coordinates(smooth, place, order=1, mode="nearest")
    return chips


def features(picture: np.ndarray, around: np.ndarray, flip: bool = False) -> np.ndarray:
    """Texture of circles (n, 3): contrast-free brightness on 12 × 12 points, contrast, brightness, size, and rings.

    flip : upside down
    """
    chips = cut(picture, around, 12, 1.5)[:, :: -1 if flip else 1]
    flat = _normal(chips).reshape(len(chips), -1)
    grid = np.linspace(-1.5, 1.5, 12)
    distance = np.hypot(grid[:, None], grid[None, :]).ravel()
    rings = [flat[:, (distance >= low) & (distance < low + 0.3)] for low in np.arange(0, 1.5, 0.3)]
    down, right = np.gradient(chips, axis=(1, 2))
    steep = np.hypot(down, right).reshape(len(chips), -1)
    along = [steep[:, (distance >= low) & (distance < low + 0.3)].mean(1) for low in np.arange(0, 1.5, 0.3)]
    plain = [chips.mean((1, 2)), chips.std((1, 2)), np.log(around[:, 2])]
    return np.column_stack([flat, *(own.mean(1) for own in rings), *(own.std(1) for own in rings), *along, *plain])


def _at(patterns: np.ndarray, picture: np.ndarray, radius: float) -> Iterator[np.ndarray]:
    """Local maxima of the correlation at one radius, as circles (n, 4)."""
    by = RADIUS / radius
    smooth = gaussian_filter(picture, 0.5 * (1 / by - 1), mode="nearest") if by < 1 else picture
    scaled = zoom(smooth, by, order=1, mode="nearest", grid_mode=True)
    best = correlate(scaled, patterns)
    row, column = np.nonzero((best == maximum_filter(best, 3)) & (best >= FAINT))
    step = np.array(picture.shape) / scaled.shape
    place = (np.stack([row, column], 1) + 0.5) * step - 0.5
    yield np.column_stack([place, np.full(len(row), radius), best[row, column]])


def correlate(picture: np.ndarray, patterns: np.ndarray) -> np.ndarray:
    """Greatest normalized cross-correlation (row, column) of patterns (n, side, side) of zero mean and unit norm."""
    side = patterns.shape[1]
    half = side // 2
    wide = np.pad(picture.astype("float32"), half, mode="edge")
    mean = uniform_filter(wide.astype("float64"), side)
    variance = np.maximum(uniform_filter(wide.astype("float64") ** 2, side) - mean**2, 0)
    norm = side * np.sqrt(variance + FLAT**2)[half:-half, half:-half]
    shape = [next_fast_len(size, True) for size in wide.shape]
    seen = rfft2(wide, shape)
    best = np.full(picture.shape, -np.inf, "float32")
    for pattern in patterns:
        found = irfft2(seen * np.conj(rfft2(pattern.astype("float32"), shape)), shape)
        np.maximum(best, found[: picture.shape[0], : picture.shape[1]] / norm, out=best)
    return best


def _normal(chips: np.ndarray) -> np.ndarray:
    """(n, pixel) of zero mean and unit norm."""
    flat = chips.reshape(len(chips), -1)
    flat = flat - flat.mean(1, keepdims=True)
    return flat / (np.linalg.norm(flat, axis=1, keepdims=True) + 1e-6)


def _scored(classifier: Any, proposed: Sequence[np.ndarray], seen: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Proposed circles (n, 4) with the classifier's probability as their score."""
    found = []
    for own, inputs in zip(proposed, seen, strict=True):
        chance = classifier.predict_proba(inputs)[:, 1] if len(own) else np.empty(0)
        found.append(np.column_stack([own[:, :3], chance]))
    return found
