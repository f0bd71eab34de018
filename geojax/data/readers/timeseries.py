"""Series at stations in NetCDF: gauges, wells, weather stations (CF discrete sampling geometries).

Each file holds one variable or more on time × station, in any order, and the stations' names in the variable whose
attribute `cf_role` is `timeseries_id`. Discharge of nested gauges, with the weather over the land between them:

    reader:
      name: timeseries
      variables: {discharge: {name: obs_q, units: m3 s-1, long_name: discharge}, precipitation: {…}}
      options:
        station: basin
        code: "(?:land_)?(.+)"
        utc_offset_hours: 1
        areas: {dill: 692.3, lahn: 1660.2, outlet: 1212.5}
        above: {outlet: [dill, lahn]}
        areal: [precipitation]
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from geojax.data.findings import Finding
from geojax.data.readers import _units, cf_attributes
from geojax.data.readers.fields import grid, numbers
from geojax.data.rivers import hydrology
from geojax.errors import UserError


def read(
    files: Mapping[str, Path],
    selection: Mapping[str, Any],
    variables: Mapping[str, Mapping[str, Any]],
    *,
    station: str = "station",
    code: str = "(.+)",
    utc_offset_hours: float = 0.0,
    areas: Mapping[str, float] | None = None,
    above: Mapping[str, Sequence[str]] | None = None,
    areal: Sequence[str] = (),
    coordinates: Mapping[str, Mapping[str, Any]] | None = None,
) -> xr.Dataset:
    """Read variables (time, station), float64, NaN where missing; stations in the order of their names.

    files : those of one part; each holds one variable or more, all of them the same times and stations
    selection : the days of the span, or the stations of the block
    station : name of the dimension of stations in what is returned
    code : regular expression whose group is the name of the station in what the file calls it
    utc_offset_hours : of the clock by which days are counted and shown; the files' times are taken as UTC
    areas : km2 of the land that drains to a station but to none above it; becomes the coordinate `area` of all that
        drains to it
    above : the next stations upstream of a station
    areal : variables that are means over the land of `areas`; they become means over all that drains to a station
    coordinates : further coordinates of stations, as latitude: {units: degrees_north, values: {name: 50.7}}
    raises UserError : a file cannot be read, lacks a variable, tells other units, other stations or times than the
        others, or values outside the valid range; an option names no station
    """
    expression = _expression(code)
    found: list[Finding] = []
    arrays: dict[str, xr.DataArray] = {}
    with ExitStack() as stack:
        for path in files.values():
            raw = stack.enter_context(_open(path))
            for name, wanted in variables.items():
                if (inside := wanted.get("name") or name) not in raw:
                    continue
                if name in arrays:
                    raise UserError(f"{path}: `{inside}` must stand in one file of a part, but stands in two.")
                array = _series(raw, inside, path, station, expression, utc_offset_hours)
                _units.check(array.attrs.get("units"), wanted["units"], path, inside, found)
                numbers.check_range(array.values, path, inside, wanted.get("valid_range"))
                array.attrs = cf_attributes(wanted)
                arrays[name] = array.sortby(station)
    if absent := [wanted.get("name") or name for name, wanted in variables.items() if name not in arrays]:
        shown = ", ".join(map(str, files.values()))
        raise UserError(f"{shown}: must hold a variable `{absent[0]}`, but none of them does. Correct `variables`.")
    content = _together(arrays, list(files.values()), station)
    content = _drained(content, station, areas, above or {}, areal)
    for name, own in (coordinates or {}).items():
        content = content.assign_coords({name: _coordinate(name, own, content[station])})
    content = _selected(content, selection, station, list(files.values()))
    content.attrs["quality"] = [finding.plain() for finding in found]
    return content


def _open(path: Path) -> xr.Dataset:
    try:
        return xr.open_dataset(path, engine="netcdf4", decode_timedelta=False)
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(f"{path}: must be a whole NetCDF file, but is not ({error}). Fetch it again.") from error


def _expression(code: str) -> re.Pattern[str]:
    with suppress(re.error):
        if (found := re.compile(code)).groups == 1:
            return found
    raise UserError(
        f"reader: options: code: must be a regular expression with one group, as 'land_(.+)', not {code!r}."
    )


def _series(
    raw: xr.Dataset, name: str, path: Path, station: str, code: re.Pattern[str], offset_hours: float
) -> xr.DataArray:
    """One variable (time, station) of a file."""
    names = next((own for own in raw.variables.values() if own.attrs.get("cf_role") == "timeseries_id"), None)
    array = raw[name]
    if names is None or names.ndim != 1 or set(array.dims) != {"time", *names.dims} or "time" not in raw.coords:
        raise UserError(
            f"{path}: `{name}` must lie on `time` and on the stations that a variable with `cf_role: timeseries_id` "
            f"names, but lies on {', '.join(map(str, array.dims))}. Read it as netcdf or table."
        )
    times = raw["time"].values
    if times.dtype.kind != "M":
        raise UserError(f"{path}: `time` must hold dates of the standard calendar, but starts with {times[:1]}.")
    (dim,) = names.dims
    labels = [own.decode().strip() if isinstance(own, bytes) else str(own).strip() for own in names.values]
    matches = [code.fullmatch(label) for label in labels]
    if strange := [label for label, match in zip(labels, matches, strict=True) if match is None]:
        raise UserError(f"{path}: `reader: options: code` must fit every station, but does not fit {strange[0]!r}.")
    codes = [match[1] for match in matches if match]
    if len(set(codes)) < len(codes):
        raise UserError(f"{path}: stations must have names of their own, but are {', '.join(codes)}. Mend `code`.")
    try:
        values = array.transpose("time", dim).values.astype("float64")
    except (OSError, RuntimeError) as error:
        raise UserError(f"{path}: must be readable to its end, but is not ({error}). Fetch it again.") from error
    clock = times.astype("datetime64[ns]") + np.timedelta64(round(3600 * offset_hours), "s")
    return xr.DataArray(values, {"time": clock, station: codes}, ("time", station), attrs=array.attrs)


def _together(arrays: Mapping[str, xr.DataArray], paths: Sequence[Path], station: str) -> xr.Dataset:
    first = next(iter(arrays.values()))
    for name, array in arrays.items():
        for axis in ("time", station):
            if not np.array_equal(first[axis].values, array[axis].values):
                raise UserError(
                    f"{', '.join(map(str, paths))}: `{name}` must have the same {axis} as `{next(iter(arrays))}`, "
                    f"{_ends(first[axis].values)}, but has {_ends(array[axis].values)}."
                )
    content = xr.Dataset(dict(arrays))
    content["time"].attrs = {"standard_name": "time"}
    content[station].attrs = {"long_name": station}
    return content


def _ends(axis: np.ndarray) -> str:
    return f"{len(axis)} from {axis[0]} to {axis[-1]}"


def _drained(
    content: xr.Dataset, station: str, areas: Mapping[str, float] | None, above: Mapping[str, Sequence[str]],
    areal: Sequence[str],
) -> xr.Dataset:  # fmt: skip
    """The area that drains to each station, and means over it."""
    if areas is None:
        if above or areal:
            raise UserError("reader: options: `above` and `areal` need `areas`, by which they are weighed.")
        return content
    codes = [str(code) for code in content[station].values]
    own = _by_station("areas", areas, codes)
    if strange := sorted(set(areal) - set(map(str, content.data_vars))):
        raise UserError(f"reader: options: areal: `{strange[0]}` must be one of {', '.join(map(str, content))}.")
    drains = hydrology.drained(codes, above)
    for name in areal:
        attributes = content[name].attrs
        mean = hydrology.upstream_mean(content[name].values, own, drains)
        content[name] = (("time", station), mean, attributes)
    kept = {"standard_name": "area", "long_name": "area that drains to the station", "units": "km2"}
    return content.assign_coords(area=(station, drains @ own, kept))


def _by_station(option: str, values: Mapping[str, Any], codes: Sequence[str]) -> np.ndarray:
    if set(values) != set(codes):
        raise UserError(
            f"reader: options: {option}: must name each station once, {', '.join(codes)}, but names "
            f"{', '.join(map(str, values)) or 'none'}."
        )
    return np.array([float(values[code]) for code in codes])


def _coordinate(name: str, own: Mapping[str, Any], stations: xr.DataArray) -> xr.Variable:
    if not isinstance(own, Mapping) or set(own) != {"units", "values"}:
        raise UserError(f"reader: options: coordinates: {name}: must hold units and values, but is {own!r}.")
    codes = [str(code) for code in stations.values]
    values = _by_station(f"coordinates: {name}", own["values"], codes)
    return xr.Variable(stations.dims, values, {"long_name": name.replace("_", " "), "units": own["units"]})


def _selected(content: xr.Dataset, selection: Mapping[str, Any], station: str, paths: Sequence[Path]) -> xr.Dataset:
    if "stations" in selection:
        wanted = sorted(selection["stations"])
        if absent := sorted(set(wanted) - set(map(str, content[station].values))):
            raise UserError(f"{paths[0]}: must hold station {absent[0]}, but does not. Correct `parts: blocks`.")
        return content.sel({station: wanted})
    inside = grid.within(content["time"].values, selection)
    if not inside.any():
        raise grid.nothing(paths, selection, content["time"].values)
    return content.isel(time=inside)
