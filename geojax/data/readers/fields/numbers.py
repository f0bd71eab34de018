"""The values of a field or picture: what stands for none, what float32 holds, what is out of range."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from geojax.data import fills
from geojax.data.findings import Finding
from geojax.errors import UserError


def inspect(values: np.ndarray, file: str, name: str) -> list[Finding]:
    """What is wrong with the values of a field, NaN for none: none at all, infinite, or fill values undeclared."""
    ends = low, high = fills.extremes(values)
    if np.isnan(low):
        return [Finding("empty", file, name, 1, "the first value", "no value at all")]
    findings = []
    for extreme in {end: None for end in (low, high) if np.isinf(end)}:
        there = values == extreme
        words = f"{int(there.sum())} values are {extreme:g}"
        findings.append(Finding("infinite", file, name, int(there.sum()), _place(values, int(there.argmax())), words))
    option = "; `reader: options: fill` may say so"
    return findings + [
        fills.finding(fill, file, name, _place(values, fill.first), option) for fill in fills.find(values, ends)
    ]


def _place(values: np.ndarray, flat: int) -> str:
    return f"index {tuple(int(i) for i in np.unravel_index(flat, values.shape))}"


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
