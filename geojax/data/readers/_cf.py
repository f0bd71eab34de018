"""Fields that follow the CF conventions, from whatever xarray opens: which axis is which, units, what is missing."""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from geojax.data.quality import Finding
from geojax.data.readers import _grid, _units
from geojax.data.readers._grid import DIMS, Piece
from geojax.errors import UserError

STANDARD = {
    "time": "time", "latitude": "lat", "longitude": "lon", "depth": "depth", "height": "depth", "altitude": "depth",
    "air_pressure": "depth", "sea_water_pressure": "depth", "model_level_number": "depth",
}  # fmt: skip
ALIASES = {
    "time": "time", "lat": "lat", "latitude": "lat", "nav_lat": "lat", "lon": "lon", "longitude": "lon",
    "nav_lon": "lon", "depth": "depth", "lev": "depth", "level": "depth", "plev": "depth", "pressure_level": "depth",
}  # fmt: skip
DEGREES = {"degrees_north": "lat", "degree_north": "lat", "degrees_east": "lon", "degree_east": "lon"}
KEPT = ("standard_name", "long_name", "units", "positive")  # attributes of the vertical axis
BLOCK = 128 * 2**20  # bytes that are read at once

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
    assume_units: bool,
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
            array = _axes(raw, raw[inside[name]], path, level)
            declared = _declared(raw.variables[inside[name]])
            shown = f"{path}: `{inside[name]}`"
            found += _units.assumed(
                _units.check(array.attrs.get("units"), wanted["units"], shown, assume_units), path, name
            )
            if "time" in array.coords:
                times.append(_times(array["time"].values, path, calendar))
                taken = _grid.within(times[-1], selection)
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
            raise _grid.nothing(paths, selection, np.concatenate(times))
        arrays[name] = _grid.join(name, pieces, wanted, found.append)
    return _grid.gather(arrays, paths, found)


def _absent(path: Path, name: str, every: Sequence[xr.Dataset]) -> UserError:
    there = dict.fromkeys(str(held) for raw in every for held in raw.data_vars)
    return UserError(f"{path}: must hold a variable `{name}`, but holds {', '.join(there) or 'none'}.")


def _axes(raw: xr.Dataset, array: xr.DataArray, path: Path, level: float | None) -> xr.DataArray:
    """The variable with its axes named time, depth, lat and lon, in its own order; a single time may be no axis."""
    if array.dtype.kind not in "iuf":
        raise UserError(f"{path}: `{array.name}` must be numbers, but is {array.dtype}. Name another variable.")
    known: dict[str, tuple[str, xr.Variable]] = {}
    strange = []
    for dim in map(str, array.dims):
        own = sorted((n for n, c in raw.variables.items() if c.dims == (dim,)), key=lambda n: n != dim)
        axes = {axis: raw.variables[n] for n in reversed(own) if (axis := axis_of(str(n), raw.variables[n]))}
        if len(axes) == 1 and not known.keys() & axes:
            ((axis, coordinate),) = axes.items()
            known[axis] = dim, coordinate
        else:
            strange.append(dim)
    scalars = [] if "time" in known else _scalar_times(raw)
    if len(scalars) > 1:
        raise UserError(f"{path}: must have one time, but has {', '.join(scalars)}. Keep the valid time alone.")
    if missing := {"lat", "lon"} - set(known):
        raise UserError(
            f"{path}: `{array.name}` must lie on time, lat and lon, but has no {', '.join(sorted(missing))} of one "
            f"dimension; it lies on {', '.join(map(str, array.dims))}. {_remedy(raw, array.dims)}"
        )
    if bare := [dim for dim in strange if dim not in raw.variables]:
        raise UserError(
            f"{path}: `{array.name}` must have coordinates on each axis, but has none on {', '.join(bare)}. "
            "Give it its coordinates, or cut the file to one of each."
        )
    if strange:
        raise UserError(
            f"{path}: `{array.name}` must lie on time, depth, lat and lon alone, but also lies on "
            f"{', '.join(strange)}. Cut the file to one of each."
        )
    array = array.drop_vars(list(array.coords)).rename({dim: axis for axis, (dim, _) in known.items() if dim != axis})
    array = array.assign_coords({axis: (axis, held.values, held.attrs) for axis, (_, held) in known.items()})
    if scalars:
        array = array.assign_coords(time=raw.variables[scalars[0]].values)
    for axis in set(known) - {"time"}:
        points = array[axis].values
        if points.dtype.kind not in "iuf" or not np.isfinite(points).all() or len(np.unique(points)) < len(points):
            raise UserError(f"{path}: `{axis}` must have a value of its own at every point, but repeats or lacks some.")
    if level is not None and "depth" in known:
        array = array.isel(depth=_level(array["depth"].values, level, path), drop=True)
    elif level is not None:
        raise UserError(f"{path}: `{array.name}` has no levels; take `level` out of `reader: options`.")
    return array


def axis_of(name: str, coordinate: xr.Variable) -> str | None:
    """Which axis a coordinate is, by standard name, units, the attributes axis and positive, or its usual name."""
    attributes = coordinate.attrs
    if (standard := attributes.get("standard_name")) in STANDARD:
        return STANDARD[standard]
    if attributes.get("axis") == "Z" or "positive" in attributes:
        return "depth"
    if standard:
        return None
    return DEGREES.get(str(attributes.get("units"))) or ALIASES.get(name.lower())


def _scalar_times(raw: xr.Dataset) -> list[str]:
    return [str(n) for n, c in raw.variables.items() if not c.dims and axis_of(str(n), c) == "time"]


def _remedy(raw: xr.Dataset, dims: tuple[Hashable, ...]) -> str:
    flat = {str(n): c for n, c in raw.variables.items() if c.ndim == 2 and set(c.dims) <= set(dims)}
    curved = [name for name, coordinate in flat.items() if axis_of(name, coordinate) in ("lat", "lon")]
    if len(curved) >= 2:
        return f"Its grid is curvilinear ({', '.join(curved[:2])} of two dimensions): bring it on a regular grid."
    return "Give the axes their coordinates."


def _level(levels: np.ndarray, level: float, path: Path) -> int:
    near = np.flatnonzero(np.isclose(levels, level, rtol=1e-6, atol=0))
    if len(near) != 1:
        there = ", ".join(f"{value:g}" for value in levels[:20])
        raise UserError(f"{path}: must have the level {level:g}, but has {there}. Correct `reader: options: level`.")
    return int(near[0])


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
            absent = _grid.is_one_of(values, fill)
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
