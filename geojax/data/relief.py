"""Square tiles of relief, cut from a grid of elevations in degrees to cells of one size on the ground.

A cell of the grid is as wide as the cosine of its latitude says. A tile takes so many more columns, by the latitude of
its middle, and averages them to as many as it has rows: away from the equator it spans more degrees, not fewer
kilometres. Where columns are averaged, mass is kept: what a cell of the tile holds is the mean over its own ground.
"""

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from geojax.errors import UserError

DEGREE_KM = 111.195  # of latitude, on a sphere of 6371 km


def spacing(part: xr.Dataset) -> float:
    """Degrees between two rows of a grid.

    raises UserError : it has no lat and lon, or their spacing differs or varies
    """
    if absent := [axis for axis in ("lat", "lon") if axis not in part.dims]:
        raise UserError(f"terrain: elevations must lie on lat and lon, but have no {absent[0]}. Mend `reader`.")
    steps = np.concatenate([np.diff(part[axis].values) for axis in ("lat", "lon")])
    if not steps.size or np.ptp(steps) > 0.01 * np.abs(steps).min():
        low, high = (steps.min(), steps.max()) if steps.size else (np.nan, np.nan)
        raise UserError(
            f"terrain: lat and lon must ascend in equal steps, but their steps run from {low:g} to {high:g} degrees. "
            "Bring a regular grid."
        )
    return float(np.median(steps))


def windows(part: xr.Dataset, size: int, step: int) -> pd.DataFrame:
    """Where tiles of `size` rows lie in a grid, each `step` rows on from the one before.

    returns : columns top (row of the grid), left and wide (in columns of the grid, of which one of the tile takes
        more than one), lat and lon of the middle in degrees, and i and j, which tile it is along and across
    """
    degrees, rows = spacing(part), []
    for i, top in enumerate(range(0, part.sizes["lat"] - size + 1, step)):
        lat = float(part["lat"][top]) + degrees * (size - 1) / 2
        wide = 1 / np.cos(np.radians(lat))
        room = (part.sizes["lon"] - size * wide) / (step * wide)
        for j in range(int(np.floor(room + 1e-9)) + 1):
            left = j * step * wide
            lon = float(part["lon"][0]) + degrees * (left + (size * wide - 1) / 2)
            rows.append({"top": top, "left": left, "wide": size * wide, "lat": lat, "lon": lon, "i": i, "j": j})
    return pd.DataFrame(rows, columns=["top", "left", "wide", "lat", "lon", "i", "j"])


def cut(elevation: np.ndarray, rows: Any, size: int) -> np.ndarray:
    """Tiles (tile, size, size), float32, of elevations (lat, lon), each about its own mean.

    rows : as from `windows`
    """
    tiles = np.empty((len(rows), size, size), "float32")
    for place, row in enumerate(rows.itertuples()):
        first, last = int(row.left), min(int(np.ceil(row.left + row.wide - 1e-9)), elevation.shape[1])
        edges = row.left - first + np.linspace(0, row.wide, size + 1)
        tile = elevation[row.top : row.top + size, first:last] @ shares(edges, last - first)
        tiles[place] = tile - tile.mean()
    return tiles


def shares(edges: np.ndarray, count: int) -> np.ndarray:
    """Weights (cell, interval) with which cells of unit width are averaged over the intervals between `edges`."""
    cells = np.arange(count)[:, None]
    overlap = np.minimum(edges[1:], cells + 1) - np.maximum(edges[:-1], cells)
    overlap = np.clip(overlap, 0, None)
    return overlap / overlap.sum(0)


def turned(tiles: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Tiles (tile, size, size), each turned and reflected at random."""
    quarter, mirrored = generator.integers(4, size=len(tiles)), generator.integers(2, size=len(tiles))
    views = [np.rot90(tile.T if m else tile, q) for tile, q, m in zip(tiles, quarter, mirrored, strict=True)]
    return np.stack(views) if views else tiles
