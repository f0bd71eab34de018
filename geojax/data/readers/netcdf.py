"""NetCDF 3 and 4 with CF conventions."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from geojax.data.readers import cf_attributes, only
from geojax.data.readers._classic import check_length
from geojax.errors import UserError

AXES = {
    "time": ("time", {"standard_name": "time"}),
    "latitude": ("lat", {"standard_name": "latitude", "units": "degrees_north"}),
    "longitude": ("lon", {"standard_name": "longitude", "units": "degrees_east"}),
}
ALIASES = {"lat": "latitude", "lon": "longitude", "nav_lat": "latitude", "nav_lon": "longitude"}


def read(
    files: Mapping[str, Path], selection: Mapping[str, Any], variables: Mapping[str, Mapping[str, Any]]
) -> xr.Dataset:
    """Read fields (time, lat, lon), float32, latitudes ascending; fill values become NaN.

    raises UserError : the file cannot be read, lacks a variable or an axis, has other units, holds
        values outside the valid range, or has no time step of the part
    """
    path = only(files, "netcdf")
    try:
        with xr.open_dataset(path, engine="netcdf4") as raw:
            check_length(path)
            taken = _select(raw, path, selection)
            fields = {name: _field(taken, path, name, wanted) for name, wanted in variables.items()}
            return xr.Dataset(fields).sortby("lat").load()
    except (OSError, EOFError, RuntimeError, ValueError) as error:
        raise UserError(
            f"{path}: must be a NetCDF file that can be read to its end, but is not ({error}). "
            "It may be truncated: fetch it again."
        ) from error


def _select(raw: xr.Dataset, path: Path, selection: Mapping[str, Any]) -> xr.Dataset:
    renamed = raw.rename({old: new for old, new in _axes(raw).items() if old != new})
    if "time" not in renamed.coords:
        raise UserError(f"{path}: must have a coordinate `time`, but has {', '.join(map(str, raw.coords))}.")
    if renamed["time"].size == 0:
        raise UserError(f"{path}: must hold time steps, but holds none.")
    if renamed["time"].dtype.kind != "M":
        raise UserError(
            f"{path}: `time` must hold dates of the standard calendar, but starts with {renamed['time'].values[0]!r}. "
            "Give it units such as 'days since 1970-01-01', or convert the calendar."
        )
    times, (first, end) = renamed["time"].values, selection.get("span", (None, None))
    chosen = renamed
    if first is not None:
        chosen = renamed.isel(time=np.flatnonzero((times >= np.datetime64(first)) & (times < np.datetime64(end))))
    if chosen.sizes["time"] == 0:
        raise UserError(
            f"{path}: must hold time steps from {first} until before {end}, but runs from {times.min()} to "
            f"{times.max()}. "
            "Correct `parts: first` and `last`, or bring a longer file."
        )
    if not chosen.indexes["time"].is_monotonic_increasing or chosen.indexes["time"].has_duplicates:
        raise UserError(f"{path}: times must increase without repeating; sort the file and remove double steps.")
    return chosen


def _axes(raw: xr.Dataset) -> dict[str, str]:
    found = {}
    for name, coordinate in raw.coords.items():
        standard = coordinate.attrs.get("standard_name", ALIASES.get(str(name).lower(), str(name).lower()))
        if standard in AXES:
            found[str(name)] = AXES[standard][0]
    return found


def _field(raw: xr.Dataset, path: Path, name: str, wanted: Mapping[str, Any]) -> xr.DataArray:
    inside = wanted.get("name") or name
    if inside not in raw:
        raise UserError(f"{path}: must hold a variable `{inside}`, but holds {', '.join(map(str, raw.data_vars))}.")
    array = raw[inside]
    axes = {"time", "lat", "lon"}
    if missing := axes - (set(array.dims) & set(array.coords)):
        raise UserError(f"{path}: `{inside}` must lie on time, lat and lon, but has no {', '.join(sorted(missing))}.")
    if extra := set(map(str, array.dims)) - axes:
        raise UserError(
            f"{path}: `{inside}` must lie on time, lat and lon alone, but also lies on {', '.join(sorted(extra))}. "
            "Cut the file to one level."
        )
    for axis in ("lat", "lon"):
        if array.indexes[axis].has_duplicates or array.indexes[axis].hasnans:
            raise UserError(f"{path}: `{axis}` must have a value of its own at every point, but repeats or lacks some.")
    units = array.attrs.get("units", wanted["units"])
    if units != wanted["units"]:
        raise UserError(
            f"{path}: `{inside}` must be in {wanted['units']!r}, but its units are {units!r}. "
            "Correct `reader: variables: units`, or the attribute in the file."
        )
    array = array.transpose("time", "lat", "lon").astype("float32")
    if wanted.get("valid_range"):
        _check_range(array, path, inside, *wanted["valid_range"])
    array.attrs = cf_attributes(wanted)
    for axis, attributes in AXES.values():
        array[axis].attrs = attributes
    return array.rename(name)


def _check_range(array: xr.DataArray, path: Path, name: str, low: float, high: float) -> None:
    outside = int(((array < low) | (array > high)).sum())
    if outside:
        raise UserError(
            f"{path}: `{name}` must lie in {low} … {high}, but {outside} values do not "
            f"(smallest {float(array.min())}, largest {float(array.max())}). Is a fill value undeclared?"
        )
