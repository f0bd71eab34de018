"""Values that by custom stand for none, found in a column where nobody declared them."""

import numpy as np

from geojax.data.quality import FILLS

WRITTEN = (99, 999, 9999, 99999, 999999, 88888, 32767, 99.9, 999.9, 9999.9, 99999.9, 99.99, 999.99, 9999.99, 999.25)
CUSTOM = (*(float(sign * value) for value in (*WRITTEN, 1e20, 1e30) for sign in (1, -1)), -32768.0, *FILLS)
TWICE = 2  # one such value alone may be a measurement
APART = 10.0  # times the median distance of neighbouring values: closer than that, it is the end of their range


def fills(values: np.ndarray) -> list[tuple[float, int, int]]:
    """Customary fill values that repeat, and stand outside the range of all others.

    values : any shape, NaN where there is none
    returns : value, how often, index of the first in the flattened values
    """
    flat = values.ravel()
    known = [value for value in CUSTOM if flat.dtype.kind == "f" or (value.is_integer() and abs(value) < 2**63)]
    suspects = np.isin(flat, np.array(known, "float64").astype(flat.dtype))
    if not suspects.any():
        return []
    others = np.unique(flat[~suspects & np.isfinite(flat)])
    found = []
    for value in np.unique(flat[suspects]):
        there = flat == value
        if there.sum() >= TWICE and _is_outside(float(value), others):
            found.append((float(value), int(there.sum()), int(there.argmax())))
    return found


def _is_outside(value: float, others: np.ndarray) -> bool:
    if not others.size:
        return True
    spacing = float(np.median(np.diff(others))) if others.size > 1 else 0.0
    beyond = max(float(others[0]) - value, value - float(others[-1]))
    return beyond > APART * spacing
