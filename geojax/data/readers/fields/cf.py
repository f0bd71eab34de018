"""Fields that follow the CF conventions, from whatever xarray opens: the times of the part, units, what is missing."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from geojax.data.findings import Finding
from geojax.data.readers import _units
from geojax.data.readers.fields import grid, numbers
from geojax.data.readers.fields.axes import arrange
from geojax.data.readers.fields.grid import DIMS, Piece
from geojax.errors import UserError

KEPT = ("standard_name", "long_name", "units", "positive")  # attributes of the vertical axis
BLOCK = 32 * 2**20  # bytes that are read at once

Trouble = Callable[[Path], AbstractContextManager[Any]]


def read(
    opened: Mapping[Path, xr.Dataset],
    selection: Mapping[str, Any],
    variables: Mapping[str, Mapping[str, Any]],
    trouble: Trouble,
    *,
    level: float | None,
    fill: Sequence[float],
    calendar: str,
) -> xr.Dataset:
    """Fields of all files, joined in time; of the values only what the selection holds is read.

    trouble : turns what reading a file raises into a UserError
    raises UserError : see geojax.data.readers.netcdf.read
    """
    if calendar not in ("standard", "noleap"):
        raise UserError(f"reader: options: calendar: must be standard or noleap, but is {calendar!r}.")
    paths, found, arrays = list(opened), [], {}
    inside = {name: wanted.get("name") or name for name, wanted in variables.items()}
    for path, raw in opened.items():
        if not any(own in raw for own in inside.values()):
            raise _absent(path, next(iter(inside.values())), [raw])
    for name, wanted in variables.items():
        pieces, times = [], []
        for path, raw in opened.items():
            if inside[name] not in raw:
                continue
            array = arrange(raw, raw[inside[name]], path, level)
            declared = _declared(raw.variables[inside[name]])
            _units.check(array.attrs.get("units"), wanted["units"], path, inside[name], found)
            array = _cut(array, selection.get("region", {}), path)
            if "time" in array.coords:
                times.append(_times(array["time"].values, path, calendar))
                taken = grid.within(times[-1], selection)
                if not taken.any():
                    continue
                array = array.isel(time=_positions(taken), missing_dims="ignore")
                pieces.append(_piece(array, times[-1][taken], declared, path, name, fill, trouble, found.append))
                continue
            if "span" in selection:
                raise UserError(f"{path}: must have a coordinate `time`, but has {', '.join(map(str, raw.coords))}.")
            pieces.append(_piece(array, None, declared, path, name, fill, trouble, found.append))
        if not (pieces or times):
            raise _absent(paths[0], inside[name], list(opened.values()))
        if not pieces:
            raise grid.nothing(paths, selection, np.concatenate(times))
        arrays[name] = grid.join(name, pieces, wanted, found.append)
    return grid.gather(arrays, paths, found)


def _absent(path: Path, name: str, every: Sequence[xr.Dataset]) -> UserError:
    there = dict.fromkeys(str(held) for raw in every for held in raw.data_vars)
    return UserError(f"{path}: must hold a variable `{name}`, but holds {', '.join(there) or 'none'}.")


def _times(values: np.ndarray, path: Path, calendar: str) -> np.ndarray:
    """Times as datetime64[ns], one or many.

    raises UserError : there are none, or they are no dates of the standard calendar
    """
    values = np.atleast_1d(values)
    if values.size == 0:
        raise UserError(f"{path}: must hold time steps, but holds none.")
    own = getattr(values[0], "calendar", None)
    if own in ("noleap", "365_day") and calendar == "noleap":
        values = np.array([moment.isoformat() for moment in values], "datetime64[ns]")
    if values.dtype.kind != "M":
        hint = " `reader: options: calendar: noleap` takes them as they are, each 29 February being absent."
        raise UserError(
            f"{path}: `time` must hold dates of the standard calendar, but starts with {values[0]!r}. Give it units "
            f"such as 'days since 1970-01-01', or convert the calendar.{hint if own in ('noleap', '365_day') else ''}"
        )
    if np.isnat(values).any():
        raise UserError(f"{path}: `time` must have a date at every step, but lacks {int(np.isnat(values).sum())}.")
    return values.astype("datetime64[ns]")


def _cut(array: xr.DataArray, region: Mapping[str, Sequence[float]], path: Path) -> xr.DataArray:
    """What lies in a region; its values are not read yet.

    raises UserError : nothing does
    """
    for axis, span in region.items():
        taken = grid.inside(array[axis].values, span)
        if not taken.any():
            raise UserError(
                f"{path}: must have points of {axis} from {span[0]:g} to before {span[1]:g}, but runs from "
                f"{array[axis].values.min():g} to {array[axis].values.max():g}. Mend `parts: regions`."
            )
        array = array.isel({axis: _positions(taken)})
    return array


def _positions(chosen: np.ndarray) -> slice | np.ndarray:
    """As a slice if the steps follow one another, which stores read faster."""
    places = np.flatnonzero(chosen)
    contiguous = len(places) and places[-1] - places[0] + 1 == len(places)
    return slice(int(places[0]), int(places[-1]) + 1) if contiguous else places


def _piece(
    array: xr.DataArray,
    times: np.ndarray | None,
    declared: tuple[float, float],
    path: Path,
    name: str,
    fill: Sequence[float],
    trouble: Trouble,
    report: Callable[[Finding], None],
) -> Piece:
    """times : those of the steps, which may be a single one that is no axis of the array

    declared : the least and the largest value that the file calls valid
    """
    held = [axis for axis in DIMS if axis in array.dims]
    axes = {axis: array[axis].values for axis in held}
    if times is not None:
        axes = {"time": times} | {axis: points for axis, points in axes.items() if axis != "time"}
        if not (apart := np.diff(times) > np.timedelta64(0)).all():
            raise UserError(
                f"{path}: times must increase without repeating, but do not at {times[apart.argmin() + 1]}; "
                "sort the file and remove double steps."
            )
    turned = [array.dims.index(axis) for axis in held]
    (low, high), steps = declared, len(times) if "time" in held and times is not None else 1
    size = max(1, int(BLOCK * steps / (array.size * array.dtype.itemsize)))

    def blocks() -> Iterator[tuple[Any, np.ndarray]]:
        outside = 0
        for begin in range(0, steps, size):
            where = slice(begin, begin + size)
            with trouble(path):  # turned in memory: xarray would read a turned array point by point
                values = array.isel(time=where, missing_dims="ignore").values.transpose(turned)
            absent = numbers.is_one_of(values, fill)
            if low > -np.inf or high < np.inf:
                beyond = ((values < low) | (values > high)) & ~absent
                outside += int(beyond.sum())
                absent |= beyond
            values = np.where(absent, np.nan, values) if absent.any() else values
            yield (where, values) if "time" in held else (..., values)
        if outside:
            words = f"{outside} values lie outside {low:g} … {high:g}, which the file declares valid, and are NaN"
            report(Finding("fill", str(path), name, outside, "its attributes", words))

    kept = {key: array["depth"].attrs[key] for key in KEPT if "depth" in axes and key in array["depth"].attrs}
    return Piece(path, axes, blocks, kept)


def _declared(variable: xr.Variable) -> tuple[float, float]:
    """The range outside which the file says that values are missing, unpacked, and wider by half a step.

    source : NetCDF Users Guide, appendix A, valid_range: in the type of the packed data if there is packing
    """
    attributes, packing = variable.attrs, variable.encoding
    try:
        both = np.asarray(attributes.get("valid_range", (np.nan, np.nan)), "float64").ravel()
        ends = np.array([attributes.get("valid_min", both[0]), attributes.get("valid_max", both[-1])], "float64")
        said = np.asarray(attributes.get("valid_range", attributes.get("valid_min", attributes.get("valid_max"))))
    except (TypeError, ValueError):  # no numbers: they declare nothing
        return -np.inf, np.inf
    scale, offset = packing.get("scale_factor", 1.0), packing.get("add_offset", 0.0)
    if ends[1] < ends[0]:  # unsigned numbers in signed bytes
        return -np.inf, np.inf
    packed = "scale_factor" in packing or "add_offset" in packing
    if packed and said.dtype.kind in "iu":
        ends = (ends if scale > 0 else ends[::-1]) * scale + offset
    step = abs(scale) if packed else 0.0
    slack = 0.5 * step + 1e-6 * np.abs(ends)
    low, high = ends - [slack[0], -slack[1]]
    return (-np.inf if np.isnan(low) else float(low)), (np.inf if np.isnan(high) else float(high))
