"""Pictures from anywhere, the first row on top, and where on a map their pixels lie."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import rasterio
import xarray as xr
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from geojax.data.readers import geotiff, image
from geojax.errors import UserError


def opened(path: Path, name: str) -> xr.Dataset:
    """One grey picture as variable `name` (y, x) or (lat, lon), rows from the top; the mean where it has no value.

    A GeoTIFF has the coordinates of its map; any other picture counts its pixels.
    raises UserError : the file is no grey picture, or has no values at all
    """
    variables = {name: {"units": "1", "long_name": "brightness"}}
    if _has_place(path):
        part = geotiff.read({path.name: path}, {}, variables)
        part = part.isel({part[name].dims[0]: slice(None, None, -1)})  # the reader turns them, so that y ascends
    else:
        part = image.read({path.name: path}, {}, variables)
    values = part[name]
    if values.ndim != 2:
        raise UserError(f"{path}: must be grey, but is in colour. Take one of its bands.")
    if not np.isfinite(values).any():
        raise UserError(f"{path}: must hold values, but is empty. Take another file.")
    return part.assign({name: values.fillna(values.mean())})


def located(part: xr.Dataset, circles: np.ndarray) -> pd.DataFrame:
    """Circles (n, 4) as a table: row, column and diameter in pixels, score above the threshold, and place on the map.

    part : as from `opened`; with a reference system the table has its coordinates, and the diameter in its units
        where these are no degrees
    """
    row, column, radius, score = circles.T
    table = pd.DataFrame({"row": row, "column": column, "diameter": 2 * radius, "score": score})
    if "crs_wkt" not in part.attrs:
        return table
    y, x = next(iter(part.data_vars.values())).dims
    for axis, place in ((x, column), (y, row)):
        values = part[axis].values
        table[str(axis)] = values[0] + place * (values[-1] - values[0]) / max(len(values) - 1, 1)
    if y == "y":
        steps = [abs(part[axis].values[-1] - part[axis].values[0]) / (part.sizes[axis] - 1) for axis in (x, y)]
        table[f"diameter_{part[x].attrs.get('units', 'map')}"] = 2 * radius * float(np.mean(steps))
    return table


def _has_place(path: Path) -> bool:
    """Whether it is a GeoTIFF that says where it lies."""
    if path.suffix.lower() not in (".tif", ".tiff"):
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        try:
            with rasterio.Env(**geotiff.ALONE), rasterio.open(path, driver="GTiff") as raw:
                return raw.crs is not None and not raw.transform.is_identity
        except (RasterioError, OSError):
            return False  # the reader of pictures says what is wrong with it
