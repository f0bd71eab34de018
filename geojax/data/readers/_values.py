"""The values of a field or picture: what stands for none, what float32 holds, what is out of range."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from geojax.data.findings import Finding
from geojax.data.quality import FILLS
from geojax.errors import UserError

LARGEST = float(np.finfo("float32").max)
ALWAYS = np.array([*FILLS, LARGEST, -LARGEST, -(2.0**63)], "float32")  # stand for none wherever they appear
ALONE = np.array(
    [-99, -999, -9999, -99999, -999.9, -9999.9, -32767, -32768, 999, 9999, 99999, 32767, 65535], "float32"
)  # do so where no other value is near them


def inspect(values: np.ndarray, file: str, name: str) -> list[Finding]:
    """What is wrong with the values of a field, NaN for none: none at all, infinite, or fill values undeclared."""
    low, high = np.fmin.reduce(values, axis=None), np.fmax.reduce(values, axis=None)
    if np.isnan(low):
        return [Finding("empty", file, name, 1, "the first value", "no value at all")]
    found = []
    for extreme in dict.fromkeys((low, high)):
        if np.isinf(extreme):
            found.append(("infinite", extreme, f"values are {extreme:g}"))
        elif np.float32(extreme) in ALWAYS or (np.float32(extreme) in ALONE and _is_alone(values, extreme, low, high)):
            found.append(
                ("fill", extreme, f"values are {extreme:g}, which stands for none; `reader: options: fill` may say so")
            )
    findings = []
    for kind, extreme, words in found:
        there = values == extreme
        first = tuple(int(i) for i in np.unravel_index(int(there.argmax()), there.shape))
        findings.append(Finding(kind, file, name, int(there.sum()), f"index {first}", f"{int(there.sum())} {words}"))
    return findings


def is_one_of(values: np.ndarray, fill: Sequence[float]) -> np.ndarray:
    """Where a value is a fill value, as far as float32 can tell."""
    found = np.zeros(values.shape, bool)
    for value in fill:
        found |= np.abs(values - value) <= 1e-6 * abs(value)
    return found


def as_float(values: np.ndarray, absent: np.ndarray) -> np.ndarray:
    """float32, or float64 where that does not hold every whole number; NaN where absent."""
    with np.errstate(over="ignore"):  # becomes infinite, which `inspect` finds
        floats = values.astype("float32" if is_exact(values) else "float64")
    floats[absent] = np.nan
    return floats


def is_exact(block: np.ndarray) -> bool:
    """Whether float32 holds every whole number of the block; of fractions it is taken to hold enough."""
    if block.dtype.kind not in "iu" or block.dtype.itemsize <= 2:
        return True
    return bool((np.abs(block.astype("float64")) <= 2**24).all() or (block.astype("float32") == block).all())


def check_range(values: np.ndarray, path: Path, name: str, valid: Sequence[float] | None) -> None:
    """Refuse values outside the valid range; NaN is none.

    raises UserError : it counts them
    """
    if valid and (outside := int(((values < valid[0]) | (values > valid[1])).sum())):
        low, high = float(np.fmin.reduce(values, axis=None)), float(np.fmax.reduce(values, axis=None))
        raise UserError(
            f"{path}: `{name}` must lie in {valid[0]} … {valid[1]}, but {outside} values do not "
            f"(smallest {low}, largest {high}). Is a fill value undeclared?"
        )


def _is_alone(values: np.ndarray, extreme: Any, low: Any, high: Any) -> bool:
    """Whether all other values lie closer together than the nearest of them to the extreme."""
    others = values != extreme
    rest = [
        np.fmin.reduce(values, axis=None, where=others, initial=np.inf),
        np.fmax.reduce(values, axis=None, where=others, initial=-np.inf),
    ]
    distance = rest[0] - low if extreme == low else high - rest[1]
    return bool(distance > rest[1] - rest[0])  # with no others: inf > -inf
