"""Cloud-like gaps: thresholds of smooth random fields, so that any share of the cells can be hidden."""

import numpy as np
from scipy.ndimage import gaussian_filter

SCALES = (1.0, 2.0, 4.0)  # standard deviation of the smoother, in cells


def draw(generator: np.random.Generator, ocean: np.ndarray, coverage: float) -> np.ndarray:
    """A gap (cell,), True where hidden: the `coverage` lowest share of a smoothed white noise.

    ocean : (lat, lon), which cells there are
    The noise is smoothed on a padded grid, so that borders are like the middle.
    """
    scale = generator.choice(SCALES)
    pad = int(np.ceil(3 * max(SCALES)))
    noise = gaussian_filter(generator.standard_normal([n + 2 * pad for n in ocean.shape]), scale)
    values = noise[pad:-pad, pad:-pad][ocean]
    return values.argsort().argsort() < round(coverage * values.size)
