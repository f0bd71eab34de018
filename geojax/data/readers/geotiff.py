"""GeoTIFF: one tile on pixel centres, in degrees or in the units of its projection."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import xarray as xr
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from geojax.data.findings import Finding
from geojax.data.readers import _units, cf_attributes, only
from geojax.data.readers.fields import grid, numbers
from geojax.errors import UserError

# What lies beside a file (.aux.xml, .tfw, .msk, .ovr) is not read: no digest would cover it.
ALONE = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "GDAL_PAM_ENABLED": "NO", "CPL_DEBUG": "OFF"}


def read(
    files: Mapping[str, Path],
    selection: Mapping[str, Any],
    variables: Mapping[str, Mapping[str, Any]],
    *,
    fill: Sequence[float] = (),
) -> xr.Dataset:
    """Read bands as variables: (lat, lon) where the coordinates are degrees, else (y, x), both ascending; NaN for none.

    files : one; a part is a tile, and tiles are never resampled or joined, so that each stays as it was published
    variables : the name in the file is a band's number or its description; without a name, the only band
    fill : values that stand for none, though the file does not say so
    returns : float32, or float64 where that does not hold every whole number; scale and offset applied; the
        reference system as attrs["crs_wkt"]
    raises UserError : the file cannot be read to its end, has no place on the ground or a turned one, lacks a band, or
        has other units or none, or values outside the valid range
    """
    grid.check_selection(selection, "geotiff", timed=False)
    path = only(files, "geotiff")
    if not path.is_file():
        raise UserError(f"{path}: the raw file must exist, but does not. Put it there, or mend `source`.")
    found: list[Finding] = []
    with _trouble(path), rasterio.Env(**ALONE), _open(path) as raw:
        dims, coords = _coordinates(raw, path)
        arrays = {
            name: xr.DataArray(_stored(raw, path, name, wanted, fill, found), coords, dims, attrs=cf_attributes(wanted))
            for name, wanted in variables.items()
        }
        attributes = {"crs_wkt": raw.crs.to_wkt(), "quality": [finding.plain() for finding in found]}
    return xr.Dataset(arrays, attrs=attributes)


def _open(path: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # refused below, in words of our own
        return rasterio.open(path, driver="GTiff")


@contextmanager
def _trouble(path: Path) -> Iterator[None]:
    try:
        yield
    except (RasterioError, OSError, ValueError) as error:
        raise UserError(
            f"{path}: must be a GeoTIFF that can be read to its end, but is not ({' '.join(str(error).split())}). "
            "It may be truncated: fetch it again."
        ) from error


def _coordinates(raw: Any, path: Path) -> tuple[tuple[str, str], dict[str, Any]]:
    """Centres of the pixels, rows turned so that both axes ascend."""
    step = raw.transform
    if raw.crs is None or step.is_identity:
        raise UserError(
            f"{path}: must say where it lies, but has no reference system or no place in it; files beside it are not "
            "read. Write them into it (gdal_translate -a_srs … -a_ullr …), or take `reader: name: image`."
        )
    if step.b or step.d or step.a <= 0 or step.e >= 0:
        raise UserError(
            f"{path}: rows must run from west to east and follow one another southwards, but its transform is "
            f"{tuple(step)[:6]}. Warp it to a grid along the axes first."
        )
    x, y = step.c + (np.arange(raw.width) + 0.5) * step.a, step.f + (np.arange(raw.height) + 0.5) * step.e
    if raw.crs.is_geographic:
        return ("lat", "lon"), {
            "lat": ("lat", y[::-1], grid.ATTRIBUTES["lat"]),
            "lon": ("lon", x, grid.ATTRIBUTES["lon"]),
        }
    try:
        units = raw.crs.linear_units
    except RasterioError:
        units = "unknown"
    named = {axis: {"standard_name": f"projection_{axis}_coordinate", "units": units} for axis in "yx"}
    return ("y", "x"), {"y": ("y", y[::-1], named["y"]), "x": ("x", x, named["x"])}


def _stored(
    raw: Any, path: Path, name: str, wanted: Mapping[str, Any], fill: Sequence[float], found: list[Finding],
) -> np.ndarray:  # fmt: skip
    band = _band(raw, path, name, wanted.get("name"))
    _units.check(raw.units[band - 1], wanted["units"], path, f"band {band}", found)
    stored = raw.read(band, masked=True)
    if stored.dtype.kind not in "iuf":
        raise UserError(f"{path}: band {band} must hold real numbers, but holds {stored.dtype}. Take its amplitude.")
    scale, offset = raw.scales[band - 1], raw.offsets[band - 1]
    absent = np.ma.getmaskarray(stored) | numbers.is_one_of(stored.data, fill)
    values = stored.data if (scale, offset) == (1.0, 0.0) else stored.data * scale + offset
    values = numbers.as_float(values, absent)[::-1]
    numbers.check_range(values, path, name, wanted.get("valid_range"))
    found += numbers.inspect(values, str(path), name)
    return values


def _band(raw: Any, path: Path, name: str, inside: str | None) -> int:
    described = {text: number for number, text in enumerate(raw.descriptions, 1) if text}
    if inside is None and raw.count == 1:
        return 1
    wanted = str(inside or name)
    if wanted in described and list(raw.descriptions).count(wanted) == 1:
        return described[wanted]
    if wanted.isdecimal() and 1 <= int(wanted) <= raw.count:
        return int(wanted)
    raise UserError(
        f"{path}: `{name}` must be one of its {raw.count} bands, but {wanted!r} is none. "
        f"Give `name` a number, or one of {', '.join(described) or 'its descriptions, of which it has none'}."
    )
