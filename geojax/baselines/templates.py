"""Mean craters, and where on a picture they match at many scales."""

from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates, maximum_filter
from sklearn.cluster import KMeans

from geojax.data.imagery import circle_examples, circles
from geojax.data.imagery.correlation import RADIUS, at_radius
from geojax.task import Examples

SMALLEST = 3.0  # radius in pixels that is looked for; below it a template would be larger than what it shows
STEP = 1.15  # from one radius to the next
FAINT = 0.4  # correlation from which on a place may be a crater


class Templates(NamedTuple):
    """Mean craters (template, side, side) of zero mean and unit norm, and the radii that they are compared at."""

    patterns: np.ndarray
    radii: np.ndarray


def learn(train: Examples, groups: int, reach: float) -> Templates:
    """Templates from the training craters: centres of groups of their normalized pictures.

    reach : half the side of a template, in radii
    """
    side = 2 * round(RADIUS * reach) + 1
    chips, radii = [], []
    for own, true in zip(circle_examples.brightness(train), circle_examples.marked(train), strict=True):
        chips.append(cut(own, true, side, (side // 2) / RADIUS))
        radii.append(true[:, 2])
    every, sizes = normal(np.concatenate(chips)), np.concatenate(radii)
    centres = KMeans(min(groups, len(every)), n_init=4, random_state=0).fit(every).cluster_centers_
    ladder = np.exp(np.arange(np.log(max(SMALLEST, sizes.min())), np.log(sizes.max() * STEP), np.log(STEP)))
    return Templates(normal(centres).reshape(-1, side, side), ladder)


def candidates(templates: Templates, picture: np.ndarray, doubles: float) -> np.ndarray:
    """Circles (n, 4) with their greatest correlation with a template, best first, none doubled."""
    found = np.concatenate([_at(templates.patterns, picture, radius) for radius in templates.radii])
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


def _at(patterns: np.ndarray, picture: np.ndarray, radius: float) -> np.ndarray:
    """Local maxima of the correlation at one radius, as circles (n, 4)."""
    best = at_radius(picture, patterns, radius)
    row, column = np.nonzero((best == maximum_filter(best, 3)) & (best >= FAINT))
    step = np.array(picture.shape) / best.shape
    place = (np.stack([row, column], 1) + 0.5) * step - 0.5
    return np.column_stack([place, np.full(len(row), radius), best[row, column]])


def normal(chips: np.ndarray) -> np.ndarray:
    """(n, pixel) of zero mean and unit norm."""
    flat = chips.reshape(len(chips), -1)
    flat = flat - flat.mean(1, keepdims=True)
    return flat / (np.linalg.norm(flat, axis=1, keepdims=True) + 1e-6)
