"""Spherical harmonic coefficients of the geomagnetic field: SHC text, as of IGRF and CHAOS.

    reader:
      name: shc
      variables: {gauss_coefficient: {units: nT, long_name: Schmidt semi-normalized Gauss coefficient}}

A line of five or seven whole numbers and years (least and greatest degree, number of epochs, spline order, steps
between knots, begin, end), the epochs, and a line for each coefficient: degree n, order m (negative for h), values.
"""

import calendar
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from geojax.data.findings import Finding
from geojax.data.readers import cf_attributes, only
from geojax.data.readers.tables.cells import NUMBER, WHOLE
from geojax.data.readers.tables.dates import within
from geojax.data.readers.tables.text import check_end, lines
from geojax.errors import UserError

Line = tuple[int, list[str]]  # its number, its words


def read(
    files: Mapping[str, Path], selection: Mapping[str, Any], variables: Mapping[str, Mapping[str, Any]]
) -> xr.Dataset:
    """Read one variable (time, coefficient), float64; the format tells no units, so those declared are taken.

    returns : with coordinates epoch (time,) in decimal years, n, m and kind (g or h) (coefficient,), in the file's
        order
    raises UserError : the file is cut, a coefficient is missing or stands twice, a cell is no number, no epoch belongs
        to the part
    """
    path = only(files, "shc")
    if len(variables) != 1:
        raise UserError(f"reader: variables: `shc` reads one variable, but {len(variables)} are named.")
    ((name, wanted),) = variables.items()
    every, ended = lines(path, "an SHC file")
    content = [(i, line.split("#")[0].split()) for i, line in enumerate(every, 1) if line.split("#")[0].strip()]
    found: list[Finding] = []
    least, greatest, count, order, step = _header(path, content)
    epochs = _values(path, content[1], 0, count, "epochs")
    if (np.diff(epochs) <= 0).any():
        raise UserError(f"{path}: line {content[1][0]}: epochs must increase, but do not. Fetch the file again.")
    degrees = _degrees(path, content[2:], least, greatest)
    values = np.array([_values(path, line, 2, count, "coefficients") for line in content[2:]])
    check_end(path, [every[i - 1] for i, _ in content[2:]], ended, found)
    times = np.array([_date(path, epoch) for epoch in epochs])
    taken = within(times, selection)
    if not taken.any():
        raise UserError(
            f"{path}: must hold epochs from {selection['span'][0]} to {selection['span'][1]}, "
            f"but has those from {epochs[0]} to {epochs[-1]}. Correct `parts`."
        )
    if (outside := _outside(values, wanted)).any():
        n, m = degrees[int(outside.any(1).argmax())]
        raise UserError(f"{path}: `{name}` must lie in {wanted['valid_range']}, but degree {n}, order {m} does not.")
    return xr.Dataset(
        {name: (("time", "coefficient"), values.T[taken], cf_attributes(wanted))},
        coords={
            "time": ("time", times[taken], {"standard_name": "time"}),
            "epoch": ("time", epochs[taken], {"units": "year", "long_name": "epoch in decimal years"}),
            "n": ("coefficient", degrees[:, 0], {"long_name": "degree"}),
            "m": ("coefficient", np.abs(degrees[:, 1]), {"long_name": "order"}),
            "kind": ("coefficient", np.where(degrees[:, 1] < 0, "h", "g"), {"long_name": "g (cosine) or h (sine)"}),
        },
        attrs={"spline_order": order, "spline_step": step, "quality": [finding.plain() for finding in found]},
    )


def _outside(values: np.ndarray, wanted: Mapping[str, Any]) -> np.ndarray:
    low, high = wanted.get("valid_range") or (-np.inf, np.inf)
    return (values < low) | (values > high)


def _header(path: Path, content: list[Line]) -> tuple[int, ...]:
    if len(content) < 2 or len(content[0][1]) not in (5, 7) or not all(map(WHOLE.fullmatch, content[0][1][:5])):
        raise UserError(
            f"{path}: must begin with degrees, count of epochs, spline order and steps (five whole numbers), "
            "and then the epochs, but does not. Is it an SHC file, and whole?"
        )
    least, greatest, count, order, step = map(int, content[0][1][:5])
    if not 0 <= least <= greatest or count < 1:
        raise UserError(
            f"{path}: line {content[0][0]}: degrees must ascend, and epochs be one or more. Fetch it again."
        )
    return least, greatest, count, order, step


def _values(path: Path, line: Line, skip: int, count: int, what: str) -> np.ndarray:
    number, words = line
    if len(words) != skip + count:
        raise UserError(
            f"{path}: line {number}: must hold {count} {what}, but holds {len(words) - skip}. Fetch the file again."
        )
    if wrong := [word for word in words[skip:] if not NUMBER.fullmatch(word)]:
        raise UserError(
            f"{path}: line {number}: {what} must be numbers, but one is {wrong[0]!r}. Fetch the file again."
        )
    return np.array(words[skip:], "float64")


def _degrees(path: Path, content: list[Line], least: int, greatest: int) -> np.ndarray:
    """Degree and signed order (coefficient, 2): every one that the header promises, once."""
    found = []
    for number, words in content:
        if len(words) < 2 or not (WHOLE.fullmatch(words[0]) and WHOLE.fullmatch(words[1])):
            raise UserError(f"{path}: line {number}: must begin with degree and order, but does not. Fetch it again.")
        found.append((int(words[0]), int(words[1])))
    promised = {(n, m) for n in range(least, greatest + 1) for m in range(-n, n + 1)}
    wrong = sorted(promised ^ set(found)) or sorted({pair for pair in found if found.count(pair) > 1})
    if wrong:
        raise UserError(
            f"{path}: must hold each coefficient of degrees {least} to {greatest} once, but degree {wrong[0][0]}, "
            f"order {wrong[0][1]} is missing, too many or double ({len(found)} of {len(promised)} lines came). "
            "Fetch it again."
        )
    return np.array(found)


def _date(path: Path, epoch: float) -> np.datetime64:
    """The time of a decimal year: its fraction is that of the year's own 365 or 366 days."""
    year = int(np.floor(epoch))
    if not 1678 <= year <= 2261:
        raise UserError(f"{path}: epochs must lie between 1678 and 2261, but one is {epoch}. Bring epochs from there.")
    seconds = round((epoch - year) * 86_400 * (365 + calendar.isleap(year)))
    return np.datetime64(f"{year}-01-01", "ns") + np.timedelta64(seconds, "s")
