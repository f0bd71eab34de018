"""Numbers that by custom stand for none, where nobody declared them: told as a fault, never replaced in silence."""

import math
from typing import NamedTuple

import numpy as np

from geojax.data.findings import Finding

LARGEST = float(np.finfo("float32").max)
NEVER = (-(2.0**31), 2.0**31 - 1, 1e20, 1e30, 1e35, 9.969209968386869e36)  # no instrument counts as far
NINES = (99, 999, 9999, 99999, 999999, 99.9, 999.9, 9999.9, 99999.9, 99.99, 999.99, 9999.99, 999.25, 88888)
BOUNDS = (32767.0, -32768.0, 65535.0, -(2.0**31) + 1, 2.0**32 - 1, -(2.0**63), LARGEST)  # of number types, and next
CUSTOMARY = tuple(
    dict.fromkeys(float(sign * value) for value in (*NINES, *NEVER, *BOUNDS, 32767.0) for sign in (1, -1))
)
ROUNDED = 1e-7  # relative: what float32, or a scale factor, may have made of a value
APART = 0.1  # of its own size: a value nearer to the others is one of them
STEPS = 10.0  # times the median distance of neighbouring values, for one that repeats
SHORT, FEW = 100.0, 10  # a number below that is measured often: alone among fewer values it tells nothing


class Fill(NamedTuple):
    """A customary fill value, how often it stands there, and where first in the flattened values."""

    value: float
    number: int
    first: int


def extremes(values: np.ndarray) -> tuple[float, float]:
    """The least and the greatest value, NaN being none; both NaN if there is no other."""
    with np.errstate(invalid="ignore"):
        return float(np.fmin.reduce(values, axis=None)), float(np.fmax.reduce(values, axis=None))


def find(values: np.ndarray, ends: tuple[float, float] | None = None) -> list[Fill]:
    """Customary fill values that stand out from all other values.

    One stands out if it lies outside the range of all others, further from it than a tenth of its own size, and
    either further than that range is wide or, where it repeats, than ten times the median distance of neighbouring
    values. Alone among fewer than ten others, a number below 100 does not.

    values : of any shape, numbers; NaN is no value, and the infinite are left aside
    ends : their extremes, where they are known
    returns : from the least
    """
    if not values.size or not any(map(_may_be, ends or extremes(values))):
        return []
    rest = values[np.isfinite(values)] if values.dtype.kind == "f" else values.ravel()
    outermost: list[tuple[np.generic, int]] = []
    # What lies outside of all others lies at an end, once those further out are taken away.
    while rest.size and (outer := next((end for end in (rest.min(), rest.max()) if is_customary(float(end))), None)):
        others = rest[rest != outer]
        outermost.append((outer, len(rest) - len(others)))
        rest = others
    found = [
        Fill(float(value), count, _first(values, value)) for value, count in outermost if _is_out(value, count, rest)
    ]
    return sorted(found)


def is_customary(value: float) -> bool:
    """Whether a number, as far as float32 tells, is one of those that by custom stand for none."""
    return any(math.isclose(value, known, rel_tol=ROUNDED) for known in CUSTOMARY)


def finding(fill: Fill, file: str, trace: str, first: str, own: str = "") -> Finding:
    """A fill as a fault of a file.

    own : what its format lets say about it
    """
    words = f"{fill.number} values are {fill.value:g}, far from all others, which by custom stands for none{own}"
    return Finding("fill", file, trace, fill.number, first, words)


def _may_be(end: float) -> bool:
    return math.isinf(end) or is_customary(end)


def _first(values: np.ndarray, value: np.generic) -> int:
    return int((values == value).argmax())


def _is_out(value: np.generic, count: int, others: np.ndarray) -> bool:
    own = float(value)
    if count == 1 and abs(own) < SHORT and others.size < FEW:
        return False
    if not others.size:
        return True
    low, high = float(others.min()), float(others.max())
    distance = max(low - own, own - high)
    if distance <= APART * abs(own):
        return False
    return distance > high - low or (count > 1 and distance > STEPS * _step(others))


def _step(values: np.ndarray) -> float:
    """Median distance of neighbouring values; infinite where there is but one."""
    distinct = np.unique(values).astype("float64")
    return float(np.median(np.diff(distinct))) if distinct.size > 1 else math.inf
