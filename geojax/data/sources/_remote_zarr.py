"""A piece of a remote Zarr store, of which only the chunks that it needs are read."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from zarr.storage import ObjectStore, WrapperStore

from geojax.errors import NothingThereError, UserError
from geojax.log import logger

METADATA = ("zarr.json", ".zarray", ".zattrs", ".zgroup", ".zmetadata")
ANY = (ValueError, RuntimeError, KeyError, TypeError)  # what damaged chunks and metadata raise, codec by codec


class Watched(WrapperStore):
    """A store that takes down which chunks were asked for and not there: Zarr reads those as fill values."""

    def __init__(self, store: Any) -> None:
        super().__init__(store)
        self.missing: list[str] = []

    async def get(self, key: str, prototype: Any, byte_range: Any = None) -> Any:
        found = await super().get(key, prototype, byte_range)
        if found is None and key.rsplit("/", 1)[-1] not in METADATA:
            self.missing.append(key)
        return found


def cut(remote: Any, target: Path, order: dict[str, Any]) -> None:
    """Write what `order` asks of a Zarr store (v2 or v3) to NetCDF-4, packed and named as it is in the store.

    order : url; variables, region: {coordinate: [low, high]}, span: [first day, day after the last], options
    raises UserError : no Zarr store, no such variable or coordinate, less of a region than asked, missing chunks
    raises NothingThereError : no time steps in the span
    """
    url, watched = order["url"], Watched(ObjectStore(remote, read_only=True))
    raw = _open(watched, url)
    if absent := [name for name in order["variables"] if name not in raw]:
        raise UserError(
            f"{url}: must hold `{absent[0]}`, but holds {', '.join(map(str, raw.data_vars))}. "
            "Correct `source: variables`."
        )
    piece = raw[order["variables"]] if order["variables"] else raw
    for name, (low, high) in order["region"].items():
        piece = piece.isel({name: _region(piece, url, name, low, high)})
    if "span" in order:
        piece = piece.isel(time=_span(piece, url, *order["span"]))
    try:
        piece.drop_encoding().to_netcdf(target, engine="netcdf4")
    except ANY as error:
        raise UserError(
            f"{url}: chunks of the store cannot be read ({type(error).__name__}: {error}). Tell those who keep it."
        ) from error
    _judge(watched.missing, url, order["options"]["missing_is_fill"])
    logger.info("%s: took %s", url, dict(piece.sizes))


def _open(watched: Any, url: str) -> xr.Dataset:
    """The store with nothing decoded: values stay packed, and fill values what they are."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            raw = xr.open_dataset(
                watched, engine="zarr", chunks=None, cache=False, mask_and_scale=False, decode_times=False
            )
        except (FileNotFoundError, *ANY) as error:
            raise UserError(
                f"{url}: must be a Zarr store, but cannot be opened ({error}). Correct `source: url`."
            ) from None
    if any("consolidated" in str(warning.message) for warning in said):
        logger.info("%s: its metadata are not consolidated, so it was listed", url)
    if not raw.data_vars:
        raise UserError(f"{url}: must hold variables, but holds none that can be found without a listing.")
    return raw


def _span(raw: xr.Dataset, url: str, first: str, end: str) -> Any:
    if "time" not in raw.indexes:
        raise UserError(
            f"{url}: must have a coordinate `time` to be cut by period; it has {', '.join(map(str, raw.dims))}."
        )
    try:
        times = xr.decode_cf(raw[["time"]].drop_encoding())["time"].values
    except ValueError as error:
        raise UserError(f"{url}: `time` must hold dates with CF units, but cannot be decoded ({error}).") from None
    if times.dtype.kind != "M":
        raise UserError(f"{url}: `time` must hold dates of the standard calendar, but starts with {times[0]!r}.")
    inside = (times >= np.datetime64(first)) & (times < np.datetime64(end))
    if not inside.any():
        raise NothingThereError(f"{url}: has no time steps from {first} until before {end}; it ends at {times.max()}.")
    return _indices(inside)


def _region(raw: xr.Dataset, url: str, name: str, low: float, high: float) -> Any:
    """Where a coordinate lies in a span, to which it must reach on both sides, give or take a step of the grid."""
    if name not in raw.indexes:
        raise UserError(f"{url}: must have a coordinate `{name}`, but has {', '.join(map(str, raw.indexes))}.")
    values = raw[name].values
    inside = (values >= low) & (values <= high)
    step = float(np.median(np.abs(np.diff(values)))) if values.size > 1 else 0.0
    if not inside.any() or low < values.min() - step or high > values.max() + step:
        raise UserError(
            f"{url}: `{name}` must reach from {low} to {high}, but runs from {values.min()} to {values.max()}. "
            "Give `source: region` as the store counts, as 0 … 360 for longitudes."
        )
    return _indices(inside)


def _indices(inside: np.ndarray) -> Any:
    """A slice where it can be: it is read with fewer steps."""
    found = np.flatnonzero(inside)
    whole = found[-1] - found[0] + 1 == len(found)
    return slice(int(found[0]), int(found[-1]) + 1) if whole else found


def _judge(missing: list[str], url: str, is_fill: bool) -> None:
    every = sorted(set(missing))
    if every and not is_fill:
        raise UserError(
            f"{url}: {len(every)} chunks must be there, but are not, first {every[0]}; they would be read as fill "
            "values. If the store leaves out chunks of fill values alone, say so by `options: {missing_is_fill: true}`."
        )
    if every:
        logger.warning("%s: %d chunks are not there and stand for fill values, as configured", url, len(every))
