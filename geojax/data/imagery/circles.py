"""Circles on pictures: overlap, doubles, matching, and square tiles that cover a picture.

A circle is row, column and radius in pixels; sets of them are arrays (circle, 3).
"""

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import gaussian_filter, maximum_filter
from scipy.spatial import KDTree

from geojax.data.imagery.correlation import bowls

COLUMNS = ("row", "column", "radius", "margin")


def overlap(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Area that two circles share over the area that they cover together: (n, 3), (m, 3) to (n, m)."""
    r, s = one[:, None, 2], other[None, :, 2]
    apart = np.hypot(one[:, None, 0] - other[None, :, 0], one[:, None, 1] - other[None, :, 1])
    distance = np.clip(apart, 1e-9, None)
    angle = np.arccos(np.clip((distance**2 + r**2 - s**2) / (2 * distance * r), -1, 1))
    angle_s = np.arccos(np.clip((distance**2 + s**2 - r**2) / (2 * distance * s), -1, 1))
    lens = r**2 * (angle - np.sin(2 * angle) / 2) + s**2 * (angle_s - np.sin(2 * angle_s) / 2)
    shared = np.where(apart >= r + s, 0, np.where(apart <= np.abs(r - s), np.pi * np.minimum(r, s) ** 2, lens))
    return shared / (np.pi * (r**2 + s**2) - shared)


def suppress(circles: np.ndarray, score: np.ndarray, most: float) -> np.ndarray:
    """Numbers of the circles, best first, that overlap with no better one by more than `most`.

    Whether a circle stays depends on better ones alone, so that any threshold may follow.
    """
    order = np.argsort(-score, kind="stable")
    own = circles[order]
    tree, alive = KDTree(own[:, :2]) if len(own) else None, np.ones(len(own), bool)
    for i, circle in enumerate(own):
        if not alive[i] or tree is None:
            continue
        # Areas alone keep the overlap low where radii differ much, so that no larger circle needs to be looked at.
        reach = circle[2] * (1 + 1 / np.sqrt(most))
        near = np.array(tree.query_ball_point(circle[:2], reach), int)
        near = near[(near > i) & alive[near]]
        alive[near[overlap(own[i : i + 1], own[near])[0] > most]] = False
    return order[alive]


def match(found: np.ndarray, true: np.ndarray, least: float) -> np.ndarray:
    """For each found circle, best first, the number of the true one that it takes; -1 for none.

    It takes the one that it overlaps with most, by `least` or more, of those that no better one has taken: a first
    part of the list gives the first part of the answer.
    """
    taken = np.full(len(found), -1)
    if not len(found) or not len(true):
        return taken
    share = overlap(found, true)
    for i in range(len(found)):
        j = int(share[i].argmax())
        if share[i, j] >= least:
            taken[i] = j
            share[:, j] = -1
    return taken


def threshold(score: np.ndarray, hit: np.ndarray, count: int) -> tuple[float, float]:
    """The threshold of best F1, halfway to the next score below, and that F1.

    score, hit : (found,), best first, and whether it is a true one; count : of true ones
    """
    if not len(score):
        return 0.0, 0.0
    f1 = 2 * np.cumsum(hit) / (np.arange(1, len(score) + 1) + count)
    best = int(f1.argmax())
    below = score[best + 1] if best + 1 < len(score) else score[best]
    return float(score[best] + below) / 2, float(f1[best])


def origins(shape: Sequence[int], inner: int) -> np.ndarray:
    """Row and column of the first pixel of each inner square that covers a picture: (tile, 2)."""
    rows, columns = (np.arange(0, size, inner) for size in shape)
    return np.stack(np.meshgrid(rows, columns, indexing="ij"), -1).reshape(-1, 2)


def padded(picture: np.ndarray, inner: int, margin: int) -> np.ndarray:
    """A picture (row, column, …) with a margin on all sides and whole inner squares, its border repeated."""
    sides = [(margin, margin + -size % inner) for size in picture.shape[:2]]
    return np.pad(picture, [*sides, *((0, 0),) * (picture.ndim - 2)], mode="edge")


def views(picture: np.ndarray, span: float) -> np.ndarray:
    """What a network sees of a picture (row, column): (row, column, 5), float32.

    First its brightness in deviations of the picture, then in deviations of the surroundings, a Gaussian of `span`
    pixels, so that shade and glare hide no relief; and how much it looks like a bowl lit from the left, by size.
    """
    values = picture.astype("float32")
    spread = float(values.std()) or 1.0
    mean = gaussian_filter(values, span, mode="nearest")
    variance = gaussian_filter((values - mean) ** 2, span, mode="nearest")
    local = (values - mean) / np.sqrt(variance + (0.05 * spread) ** 2)
    own = np.stack([(values - values.mean()) / spread, local], -1)
    return np.concatenate([own, bowls(values)], -1).astype("float32")


def peaks(heat: np.ndarray, least: float) -> tuple[np.ndarray, ...]:
    """Indices of the local maxima, over 3 × 3 pixels, of maps (example, row, column) from `least` on."""
    return np.nonzero((heat == maximum_filter(heat, (1, 3, 3))) & (heat >= least))


def listed(example: np.ndarray, found: np.ndarray, count: int, most: int) -> np.ndarray:
    """Circles with their scores (found, 4) as a list of fixed length for each example: (example, most, 4).

    example : (found,), which of `count` examples each belongs to. The best come first; empty places are zero circles
    of score -1, and what is beyond `most` is left out.
    """
    table = np.zeros((count, most, 4), "float32")
    table[..., 3] = -1
    order = np.lexsort((-found[:, 3], example))
    own = example[order]
    place = np.arange(len(own)) - np.searchsorted(own, own)
    kept = place < most
    table[own[kept], place[kept]] = found[order][kept]
    return table


def merged(tables: np.ndarray, origin: np.ndarray, shape: Sequence[int], most: float) -> np.ndarray:
    """Circles of a picture (found, 4), best first and each once, from those of its tiles.

    tables : (tile, n, 4) as `listed`, in pixels from the tile's origin (tile, 2); shape : of the picture
    most : overlap from which on two are one
    """
    found = tables.reshape(-1, 4).astype("float64")
    found[:, :2] += np.repeat(origin, tables.shape[1], axis=0)
    inside = ((found[:, :2] >= -0.5) & (found[:, :2] < np.array(shape) - 0.5)).all(1)
    found = found[inside & (found[:, 2] > 0)]
    return found[suppress(found[:, :3], found[:, 3], most)]
