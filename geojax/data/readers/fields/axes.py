"""Which axis of a CF variable is time, depth, latitude or longitude."""

from collections.abc import Hashable
from pathlib import Path

import numpy as np
import xarray as xr

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


def arrange(raw: xr.Dataset, array: xr.DataArray, path: Path, level: float | None) -> xr.DataArray:
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
