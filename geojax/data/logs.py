"""Well logs: windows around a depth, and moments that leave out what is missing."""

import numpy as np


def windows(values: np.ndarray, centre: np.ndarray, reach: int) -> np.ndarray:
    """Samples from `reach` above to `reach` below each centre; beyond an end of the well its last sample goes on.

    values : (sample, log), in the order of depth
    centre : rows of `values` (example,)
    returns : (example, 2 * reach + 1, log)
    """
    rows = centre[:, None] + np.arange(-reach, reach + 1)
    return values[rows.clip(0, len(values) - 1)]


def moments(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation (log,) of what is known of `values` (sample, log); 0 and 1 where nothing is.

    A log that does not vary has deviation 1.
    """
    known = np.isfinite(values)
    count = known.sum(0).clip(1)
    mean = np.where(known, values, 0).sum(0) / count
    spread = np.sqrt((np.where(known, values - mean, 0) ** 2).sum(0) / count)
    return mean.astype("float32"), np.where(spread > 0, spread, 1).astype("float32")
