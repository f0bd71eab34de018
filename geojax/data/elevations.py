"""Elevations from anywhere: a GeoTIFF or NetCDF file on a grid of degrees, and its tiles."""

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from geojax.data import findings, relief
from geojax.data.readers import geotiff, netcdf
from geojax.errors import UserError

RANGE = (-11100, 9000)  # metres, from the deepest trench to the highest summit
GRIDS = {b"II": geotiff, b"MM": geotiff, b"CD": netcdf, b"\x89H": netcdf}  # by their first two bytes


def opened(path: Path, name: str) -> xr.Dataset:
    """Elevations in metres as variable `name` (lat, lon), both ascending.

    A NetCDF file may call its only field what it likes; units that a file does not tell are taken to be metres.
    raises UserError : the file is neither, cannot be read to its end, is not on degrees, or lacks elevations somewhere
    """
    try:
        reader = GRIDS[path.read_bytes()[:2]]
    except (OSError, KeyError):
        raise UserError(
            f"{path}: must be a GeoTIFF or NetCDF file of elevations, but is neither. Convert it."
        ) from None
    wanted = {"units": "m", "long_name": "elevation", "valid_range": RANGE}
    if reader is netcdf:
        wanted["name"] = _field(path, name)
    part = reader.read({path.name: path}, {}, {name: wanted})
    findings.judge(part.attrs["quality"], ["metadata"])
    if part[name].dims != ("lat", "lon"):
        dims = ", ".join(map(str, part[name].dims))
        raise UserError(
            f"{path}: elevations must lie on lat and lon, in degrees, but lie on {dims}. Bring them to such a grid, "
            "for instance by gdalwarp -t_srs EPSG:4326."
        )
    if absent := int(part[name].isnull().sum()):
        raise UserError(f"{path}: must have an elevation in each cell, but has none in {absent}. Fill or cut them off.")
    return part


def tiles(path: Path, name: str, size: int, degrees: float) -> tuple[pd.DataFrame, np.ndarray]:
    """Windows of a file side by side, as `relief.windows` has them, and their tiles (tile, size, size) in metres.

    What is left over at the eastern and northern edges is in none.
    degrees : between two rows, which the file must have, too
    raises UserError : as in `opened`; the grid is uneven, of another spacing, or too small for a tile
    """
    part = opened(path, name)
    try:
        found = relief.spacing(part)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    if abs(found - degrees) > 0.01 * degrees:
        raise UserError(
            f"{path}: cells must be {degrees:g} degrees apart, as those that the model has learned from, but are "
            f"{found:g}. Average or interpolate them to that, for instance by gdalwarp -tr {degrees:g} {degrees:g}."
        )
    rows = relief.windows(part, size, size)
    if rows.empty:
        raise UserError(
            f"{path}: must hold a tile of {size} × {size} cells as wide as high on the ground, but has "
            f"{part.sizes['lat']} × {part.sizes['lon']} cells; off the equator a tile takes more columns. Bring more."
        )
    return rows, relief.cut(part[name].values, rows, size)


def _field(path: Path, name: str) -> str:
    """What the file calls its elevations: as asked for, or whatever its only field is called."""
    try:
        with xr.open_dataset(path, engine="netcdf4", decode_cf=False) as raw:
            fields = [str(own) for own, array in raw.data_vars.items() if array.ndim >= 2]
    except (OSError, ValueError, RuntimeError):
        return name  # the reader says what is wrong with the file
    return fields[0] if name not in fields and len(fields) == 1 else name
