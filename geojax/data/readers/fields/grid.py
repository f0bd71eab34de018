"""Fields on time, depth, lat and lon, put together from pieces that follow one another."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from geojax.data.findings import Finding
from geojax.data.readers import cf_attributes
from geojax.data.readers.fields import numbers
from geojax.errors import UserError

DIMS = ("time", "depth", "lat", "lon")
ATTRIBUTES = {
    "time": {"standard_name": "time"},
    "lat": {"standard_name": "latitude", "units": "degrees_north"},
    "lon": {"standard_name": "longitude", "units": "degrees_east"},
}


@dataclass(frozen=True)
class Piece:
    """What one file holds of a variable; its values are read when they are asked for.

    axes : the coordinates of each axis, in the order of DIMS; time as datetime64[ns], increasing
    blocks : where each block stands in (time, depth, lat, lon), those that there are, and its values, NaN for none
    """

    path: Path
    axes: dict[str, np.ndarray]
    blocks: Callable[[], Iterator[tuple[Any, np.ndarray]]]
    depth: dict[str, Any] = field(default_factory=dict)  # attributes of the vertical axis


def check_selection(selection: Mapping[str, Any], reader: str, timed: bool = True, cuts: bool = False) -> None:
    """Refuse a selection that has no meaning for fields.

    cuts : whether the reader can cut regions
    raises UserError : stations or anything else but a span is selected, or a span where the format knows no time
    """
    if strange := ", ".join(sorted(set(selection) - {"span"} - ({"region"} if cuts else set()))):
        raise UserError(f"parts: by: `{reader}` reads fields, which have no {strange} to choose by; take another `by`.")
    if "span" in selection and not timed:
        raise UserError(f"parts: by: `{reader}` knows no times, so its parts must be files; take `by: file`.")


def within(times: np.ndarray, selection: Mapping[str, Any]) -> np.ndarray:
    """Which of the times belong to the part: from the first instant of the span, up to but without its end."""
    first, end = (np.datetime64(moment, "ns") for moment in selection.get("span", ("NaT", "NaT")))
    return (times >= first) & (times < end) if "span" in selection else np.ones(times.shape, bool)


def inside(points: np.ndarray, span: Sequence[float]) -> np.ndarray:
    """Which points of an axis lie in a span, its upper end left out; within a millionth of a step they count as equal.

    Regions that touch so share no point, whatever rounding the file's coordinates have.
    """
    slack = 1e-6 * float(np.median(np.abs(np.diff(points)))) if len(points) > 1 else 0.0
    return (points >= span[0] - slack) & (points < span[1] - slack)


def nothing(files: Sequence[Path], selection: Mapping[str, Any], times: np.ndarray) -> UserError:
    """That no time step belongs to the part."""
    first, end = selection["span"]
    shown = ", ".join(str(path) for path in files[:3])
    return UserError(
        f"{shown}: must hold time steps from {first} to before {end}, but runs from {_day(times.min())} "
        f"to {_day(times.max())}. "
        "Correct the first and last of `parts`, or bring a longer file."
    )


def join(
    name: str, pieces: Sequence[Piece], wanted: Mapping[str, Any], report: Callable[[Finding], None]
) -> xr.DataArray:
    """One variable from pieces that follow one another in time.

    returns : (time, depth, lat, lon), those that there are, latitudes ascending; float32, or float64 where that
        does not hold every whole number; NaN for none
    raises UserError : grids differ, times overlap, or values lie outside the valid range
    """
    pieces = _in_order(name, pieces)
    axes = dict(pieces[0].axes)
    if "time" in axes:
        axes["time"] = np.concatenate([piece.axes["time"] for piece in pieces])
    order = np.argsort(axes["lat"], kind="stable")
    if (np.diff(axes["lat"]) < 0).all():
        order = slice(None, None, -1)  # a view, no copy
    axes["lat"] = axes["lat"][order]
    values = np.empty([len(axis) for axis in axes.values()], "float32")
    begin = 0
    for piece in pieces:
        end = begin + len(piece.axes.get("time", ()))
        own = slice(begin, end) if "time" in axes else ...
        for where, block in piece.blocks():
            if values.dtype == "float32" and not numbers.is_exact(block):
                values = values.astype("float64")
            with np.errstate(over="ignore"):  # becomes infinite, which is found below
                values[own][where] = block[..., order, :]
        numbers.check_range(values[own], piece.path, name, wanted.get("valid_range"))
        for finding in numbers.inspect(values[own], str(piece.path), name):
            report(finding)
        begin = end
    coords = {axis: (axis, points, ATTRIBUTES.get(axis, pieces[0].depth)) for axis, points in axes.items()}
    return xr.DataArray(values, coords, list(axes), name=name, attrs=cf_attributes(wanted))


def gather(arrays: Mapping[str, xr.DataArray], files: Sequence[Path], found: Sequence[Finding]) -> xr.Dataset:
    """All variables of a part, on the same axes.

    raises UserError : they are not, so that joining them would leave holes
    """
    (first, reference), *others = arrays.items()
    for name, array in others:
        for axis in DIMS:
            if (
                axis in array.dims
                and axis in reference.dims
                and not array.indexes[axis].equals(reference.indexes[axis])
            ):
                raise UserError(
                    f"{', '.join(map(str, files[:3]))}: `{first}` and `{name}` must lie on the same {axis}, but have "
                    f"{_ends(reference[axis].values)} and {_ends(array[axis].values)}. Bring the missing file, or read "
                    "them as datasets of their own."
                )
    return xr.Dataset(dict(arrays), attrs={"quality": [finding.plain() for finding in found]})


def _in_order(name: str, pieces: Sequence[Piece]) -> list[Piece]:
    first, *others = pieces
    for other in others:
        for axis in DIMS:
            one, two = first.axes.get(axis), other.axes.get(axis)
            same = one is two if one is None or two is None else axis == "time" or np.array_equal(one, two)
            if not same:
                raise UserError(
                    f"{other.path}: `{name}` must lie on the same {axis} as in {first.path}, {_ends(one)}, but has "
                    f"{_ends(two)}. Only files of one grid form a part."
                )
        if "time" not in first.axes:
            raise UserError(
                f"{other.path}: `{name}` must stand in one file of a part, as it has no time, but stands in "
                f"{first.path} too. Let `{{part}}` in `source: pattern` tell them apart."
            )
    ordered = sorted(pieces, key=lambda piece: piece.axes["time"][0]) if others else list(pieces)
    for earlier, later in pairwise(ordered):
        if later.axes["time"][0] <= earlier.axes["time"][-1]:
            raise UserError(
                f"{later.path}: times of `{name}` must follow those of {earlier.path}, which end at "
                f"{_day(earlier.axes['time'][-1])}, but start at {_day(later.axes['time'][0])}. "
                "Remove what is told twice."
            )
    return ordered


def _ends(axis: np.ndarray | None) -> str:
    if axis is None:
        return "none"
    first, last = (_day(end) if axis.dtype.kind == "M" else f"{end:g}" for end in (axis[0], axis[-1]))
    return f"{len(axis)} from {first} to {last}"


def _day(moment: np.datetime64) -> str:
    return str(moment.astype("datetime64[s]"))
