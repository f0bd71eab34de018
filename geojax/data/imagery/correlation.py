"""Normalized cross-correlation of a picture with patterns, at any scale."""

import numpy as np
from scipy.fft import irfft2, next_fast_len, rfft2
from scipy.ndimage import gaussian_filter, uniform_filter, zoom

RADIUS = 4.0  # pixels of a circle in a pattern
FLAT = 0.05  # deviation, in those of the picture, that is added to a window's: saturated ground has no pattern
BANDS = ((3.0, 4.2, 6.0), (8.5, 12.0), (17.0, 24.0, 34.0))  # radii in pixels: small, middle and large bowls


def bowl(reach: float = 1.75) -> np.ndarray:
    """A bowl lit from the left, of zero mean and unit norm: dark to bright across the disc, even around it.

    The brightness of a paraboloid under slanting light grows along with the light, as its slope does.
    reach : half the side, in radii
    """
    step = np.arange(-round(RADIUS * reach), round(RADIUS * reach) + 1) / RADIUS
    pattern = np.where(np.hypot(step[:, None], step) <= 1, step, 0.0)
    return pattern / np.linalg.norm(pattern)


def bowls(picture: np.ndarray) -> np.ndarray:
    """How much a picture looks like a bowl lit from the left about each pixel, by size: (row, column, band), float32.

    Each picture is taken in its own deviations.
    """
    rows, columns = picture.shape
    values = (picture - picture.mean()) / (picture.std() or 1.0)
    bands = []
    for radii in BANDS:
        best = np.full((rows, columns), -1.0, "float32")
        for radius in radii:
            found = at_radius(values, bowl()[None], radius)
            by = rows / found.shape[0], columns / found.shape[1]
            fine = zoom(found, by, order=1, mode="nearest", grid_mode=True)
            np.maximum(best, fine[:rows, :columns], out=best)
        bands.append(best)
    return np.stack(bands, -1)


def at_radius(picture: np.ndarray, patterns: np.ndarray, radius: float) -> np.ndarray:
    """Correlation with patterns of circles that have `radius` in the picture, which is scaled to theirs."""
    by = RADIUS / radius
    smooth = gaussian_filter(picture, 0.5 * (1 / by - 1), mode="nearest") if by < 1 else picture
    return correlate(zoom(smooth, by, order=1, mode="nearest", grid_mode=True), patterns)


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
