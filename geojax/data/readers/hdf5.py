"""HDF5 files whose datasets run along time and share it, whatever wrote them: indices, sensors, model output.

    reader:
      name: hdf5
      variables: {rc: {name: RC, units: nT, long_name: RC index of the ring current}}
      options: {time: time, time_format: days since 2000-01-01, resolution: 1s}

A dataset inside groups is named by its path, as `station/field`. Datasets of more dimensions than time:
`dimensions: [time, depth]`, with `coordinates: {depth: {name: depth_m, units: m}}` where the file tells them.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import xarray as xr

from geojax.data.findings import Finding
from geojax.data.readers import _units, cf_attributes, only
from geojax.data.readers.tables import dates
from geojax.data.readers.tables.cells import Rows
from geojax.errors import UserError


def read(
    files: Mapping[str, Path],
    selection: Mapping[str, Any],
    variables: Mapping[str, Mapping[str, Any]],
    *,
    time: str = "time",
    time_format: str | None = None,
    resolution: str | None = None,
    dimensions: Sequence[str] = ("time",),
    coordinates: Mapping[str, Mapping[str, Any]] | None = None,
    missing: Sequence[float] = (),
) -> xr.Dataset:
    """Read numbers as the file has them (whole ones as float64), NaN where missing; only the times of the part.

    time : dataset of the times, numbers
    time_format : `days since 2000-01-01` and the like; else what the dataset's attribute `units` says
    resolution : to what times are rounded, as 1s, where the file keeps them as rounded decimals; none lies further
        off than a tenth of it
    dimensions : those of every variable, time first
    coordinates : of the other dimensions, described as variables are
    missing : numbers that stand for no value, beside the attribute `_FillValue`
    returns : variables on `dimensions`
    raises UserError : the file is damaged, lacks a dataset, has it in another shape or in other units, a time is none,
        stands before the one before it or is further off than rounding explains, a value lies outside its valid range,
        or no time belongs to the part
    """
    path = only(files, "hdf5")
    found: list[Finding] = []
    if list(dimensions[:1]) != ["time"]:
        raise UserError(f"reader: options: dimensions: must begin with time, but is {list(dimensions)}.")
    try:
        with h5py.File(path) as file:
            times, where = _times(path, _dataset(path, file, time), time_format, resolution, selection)
            content = {}
            for name, wanted in variables.items():
                inside = _dataset(path, file, wanted.get("name") or name)
                _check_shape(path, inside, len(dimensions), _dataset(path, file, time).shape[0])
                values = _values(path, inside, wanted, where, missing, found)
                _check_range(path, name, values, times, wanted.get("valid_range"))
                content[name] = (tuple(dimensions), values, cf_attributes(wanted))
            along = {}
            for name, wanted in (coordinates or {}).items():
                own = _values(path, _dataset(path, file, wanted.get("name") or name), wanted, slice(None), (), found)
                along[name] = (name, own, cf_attributes(wanted))
    except (OSError, RuntimeError, KeyError) as error:
        raise UserError(
            f"{path}: must be an HDF5 file that can be read to its end, but is not ({type(error).__name__}: {error}). "
            "Fetch it again."
        ) from error
    clock = {"time": ("time", times, {"standard_name": "time"})}
    return xr.Dataset(content, {**clock, **along}, {"quality": [finding.plain() for finding in found]})


def _dataset(path: Path, file: h5py.File, name: str) -> h5py.Dataset:
    inside = file.get(name)
    if not isinstance(inside, h5py.Dataset) or inside.dtype.kind not in "iuf":
        there: list[str] = []
        file.visititems(
            lambda own, item: there.append(own) if isinstance(item, h5py.Dataset) and item.dtype.kind in "iuf" else None
        )
        raise UserError(f"{path}: must hold numbers in a dataset `{name}`, but holds {', '.join(there) or 'none'}.")
    return inside


def _times(
    path: Path, inside: h5py.Dataset, form: str | None, resolution: str | None, selection: Mapping[str, Any]
) -> tuple[np.ndarray, slice]:
    """Times of the part, and where they stand in the file."""
    if inside.ndim != 1:
        raise UserError(f"{path}: `{inside.name}` must have one dimension, time, but has shape {inside.shape}.")
    form = form or _text(inside.attrs.get("units"))
    if not dates.SINCE.fullmatch(form or ""):
        raise UserError(
            f"{path}: `{inside.name}` must tell its times as `days since 2000-01-01`, but tells {form!r}. "
            "Give `reader: options: time_format`."
        )
    rows = Rows(path, "row", np.arange(inside.shape[0]), {inside.name: inside[...].astype("float64")})
    times = dates.times(rows, [inside.name], form, "UTC")
    if resolution:
        times = _rounded(path, times, resolution)
    if (late := np.diff(times) <= np.timedelta64(0)).any():
        row = int(late.argmax()) + 1
        raise UserError(
            f"{path}: row {row}: times must increase, but {dates.shown(times[row])} follows "
            f"{dates.shown(times[row - 1])}. Sort the file, with each time once."
        )
    taken = np.flatnonzero(dates.within(times, selection))
    if not taken.size:
        runs = f"{dates.shown(times[0])} to {dates.shown(times[-1])}" if times.size else "nowhere"
        raise UserError(
            f"{path}: must hold times from {selection['span'][0]} to {selection['span'][1]}, but runs from {runs}. "
            "Correct `parts`."
        )
    where = slice(int(taken[0]), int(taken[-1]) + 1)
    return times[where], where


def _rounded(path: Path, times: np.ndarray, resolution: str) -> np.ndarray:
    try:
        step = pd.Timedelta(resolution).to_timedelta64().astype("m8[ns]").astype("int64")
    except ValueError:
        raise UserError(
            f"reader: options: resolution: must be a length of time as 1s, but is {resolution!r}."
        ) from None
    ns = times.astype("int64")
    rounded = (ns + step // 2) // step * step
    if (off := np.abs(rounded - ns)).max(initial=0) > 0.1 * step:
        furthest = dates.shown(times[off.argmax()])
        raise UserError(
            f"{path}: times must lie within a tenth of {resolution} of the whole ones, but {furthest} does not. "
            "Correct `reader: options: resolution`."
        )
    return rounded.astype("datetime64[ns]")


def _check_shape(path: Path, inside: h5py.Dataset, dimensions: int, count: int) -> None:
    if inside.ndim != dimensions or inside.shape[0] != count:
        raise UserError(
            f"{path}: `{inside.name}` must have {dimensions} dimensions, the first of the {count} times, but has shape "
            f"{inside.shape}. Correct `reader: options: dimensions`, or make a dataset of its own."
        )


def _values(
    path: Path, inside: h5py.Dataset, wanted: Mapping[str, Any], where: slice, missing: Sequence[float],
    found: list[Finding],
) -> np.ndarray:  # fmt: skip
    _units.check(_text(inside.attrs.get("units")), wanted["units"], path, inside.name.lstrip("/"), found)
    values = inside[where]
    values = values.astype("float64") if values.dtype.kind in "iu" else values
    gone = [*np.ravel(inside.attrs.get("_FillValue", [])), *missing]
    return np.where(np.isin(values, gone), np.nan, values) if gone else values


def _text(value: Any) -> str | None:
    return value.decode() if isinstance(value, bytes) else None if value is None else str(value)


def _check_range(path: Path, name: str, values: np.ndarray, times: np.ndarray, valid: Sequence[float] | None) -> None:
    if valid and (outside := (values < valid[0]) | (values > valid[1])).any():
        at = int(outside.reshape(len(times), -1).any(1).argmax())
        raise UserError(
            f"{path}: `{name}` must lie in {valid[0]:g} … {valid[1]:g}, but {int(outside.sum())} values do not, first "
            f"at {dates.shown(times[at])}. If they stand for none, name them under `reader: options: missing`."
        )
