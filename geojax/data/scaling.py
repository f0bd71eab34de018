"""Centre and spread of each variable, fitted on reference parts, from moments that merge."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import xarray as xr

from geojax.errors import UserError

BLOCK = 2**20  # values that are taken to float64 at once


def moments(part: xr.Dataset, section: dict[str, Any]) -> xr.Dataset:
    """Count, sum and sum of squares of each scaled variable, float64, over the dimensions `over`.

    section : the dataset's section `scaling`; with `center: month` each calendar month stands by itself
    raises UserError : no variable has these dimensions
    """
    scaled = part[[name for name in part.data_vars if set(section["over"]) <= set(part[name].dims)]]
    if not scaled.data_vars:
        raise UserError(
            f"scaling: over: no variable lies on {', '.join(section['over'])}; the dimensions are "
            f"{', '.join(map(str, part.dims))}. Correct `scaling: over`."
        )
    if section["center"] == "month":
        months = [_sums(scaled.isel(time=scaled["time"].dt.month.values == m), section["over"]) for m in range(1, 13)]
        return xr.concat(months, xr.DataArray(np.arange(1, 13), dims="month", name="month"))
    return _sums(scaled, section["over"])


def _sums(part: xr.Dataset, over: list[str]) -> xr.Dataset:
    """Sums over `over` in float64, block by block along the longest of its dimensions, to hold one block at a time."""
    part = part.load()
    longest = max(over, key=lambda dim: part.sizes[dim])
    count = max(1, part.sizes[longest])
    values = max(array.size for array in part.data_vars.values())
    step = max(1, count * BLOCK // max(values, 1))
    blocks = (part.isel({longest: slice(first, first + step)}) for first in range(0, count, step))
    total, *others = (_sums_of_block(block.astype("float64"), over) for block in blocks)
    for other in others:
        total = total + other
    return total


def _sums_of_block(part: xr.Dataset, over: list[str]) -> xr.Dataset:
    return xr.concat(
        [part.notnull().sum(over).astype("float64"), part.sum(over), (part**2).sum(over)],
        xr.DataArray(["count", "sum", "square"], dims="moment", name="moment"),
    )


def merge(parts: Iterable[xr.Dataset]) -> xr.Dataset:
    """Moments of all parts together, the same to the last bit in whatever order they come."""
    every = list(parts)
    if not every:
        return xr.Dataset()  # nothing is scaled
    return xr.apply_ufunc(_exact_sum, *every, join="exact", keep_attrs=True) if len(every) > 1 else every[0]


def _exact_sum(*arrays: np.ndarray) -> np.ndarray:
    """Sum in double-double arithmetic over values sorted by size, so that order cannot matter."""
    stacked = np.sort(np.stack(arrays), axis=0)
    total, rest = np.zeros(stacked.shape[1:]), np.zeros(stacked.shape[1:])
    for value in stacked:
        together = total + value
        virtual = together - total
        rest += (total - (together - virtual)) + (value - virtual)
        total = together
    return total + rest


def fit(merged: xr.Dataset, section: dict[str, Any]) -> xr.Dataset:
    """Centre `{variable}_center` and spread `{variable}_spread` from merged moments.

    raises UserError : a calendar month has no value in the reference parts, or nothing varies in them
    """
    fitted = {}
    for name, moment in merged.data_vars.items():
        count, total, square = (moment.sel(moment=m, drop=True) for m in ("count", "sum", "square"))
        if section["center"] == "month" and (empty := [int(m) for m in count.month if not count.sel(month=m).any()]):
            raise UserError(f"scaling: the reference parts must cover every calendar month, but lack {empty}.")
        known = count.where(count > 0)
        mean = total / known
        center = xr.zeros_like(mean) if section["center"] == "none" else mean
        fitted[f"{name}_center"] = center
        spread = _spread(count, square, mean, center, section["spread"])
        if not (spread > 0).any():
            raise UserError(f"scaling: {name}: must vary in the reference parts, but is constant or missing in all.")
        fitted[f"{name}_spread"] = spread
    return xr.Dataset(fitted).astype("float32")


def _spread(
    count: xr.DataArray, square: xr.DataArray, mean: xr.DataArray, center: xr.DataArray, kind: str
) -> xr.DataArray:
    if kind == "none":
        return xr.ones_like(mean.isel(month=0, drop=True) if "month" in mean.dims else mean)
    # Sum of squares about the centre; never below zero by rounding.
    about = (square - 2 * center * mean * count + center**2 * count).fillna(0).clip(min=0)
    along = list(about.dims) if kind == "all" else [d for d in ("month",) if d in about.dims]
    total = count.sum(along)
    return xr.ufuncs.sqrt(about.sum(along) / total.where(total > 0))


def apply(part: xr.Dataset, fitted: xr.Dataset) -> xr.Dataset:
    """The part with each scaled variable as (value - centre) / spread, float32, dimensionless."""
    scaled = part.copy()
    for name in part.data_vars:
        if f"{name}_center" not in fitted:
            continue
        center = fitted[f"{name}_center"]
        if "month" in center.dims:
            center = center.sel(month=part["time"].dt.month).drop_vars("month")
        values = (part[name] - center).transpose(*part[name].dims)
        values /= fitted[f"{name}_spread"]  # in place: a part may be large
        values = values.astype("float32", copy=False)
        attributes = {key: value for key, value in part[name].attrs.items() if key not in ("units", "standard_name")}
        source = {"units": "1", "scaled_from": str(name), "original_units": part[name].attrs.get("units", "1")}
        values.attrs = attributes | source
        scaled[name] = values
    return scaled


def drift(part: xr.Dataset, fitted: xr.Dataset) -> dict[str, dict[str, float]]:
    """Mean and deviation of the normalized variables, in spreads of the reference: 0 and 1 mean no drift."""
    names = [str(n)[: -len("_center")] for n in fitted.data_vars if str(n).endswith("_center")]
    found = {}
    for name in (n for n in names if n in part):
        count, total, square = (float(v) for v in _sums(part[[name]], list(map(str, part[name].dims)))[name])
        mean = total / count if count else np.nan
        found[name] = {"mean": mean, "deviation": np.sqrt(max(square / count - mean**2, 0.0)) if count else np.nan}
    return found
