"""Earthquake catalogues, and the cells of the Earth that their events are counted in.

Times are in days since 1970. Cells stand in bands of latitude and have nearly equal areas; all that lies in none of
them is one more cell, the last: elsewhere. So a forecast is of the whole Earth, whatever cells it has.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import xarray as xr
from scipy.spatial import cKDTree

from geojax.errors import UserError

KM = {"km": 1.0, "m": 0.001}  # how many a unit of depth is


class Catalogue(NamedTuple):
    """Events in order of time, each field (event,): days since 1970, degrees, degrees, km, magnitude."""

    time: np.ndarray
    lat: np.ndarray
    lon: np.ndarray
    depth: np.ndarray
    magnitude: np.ndarray

    @classmethod
    def gather(cls, parts: Iterable[xr.Dataset], least: float) -> "Catalogue":
        """Events of magnitude `least` and more of several parts; an event without a magnitude counts nowhere.

        raises UserError : depths are in neither km nor m, or a place or depth is missing
        """
        columns = []
        for part in parts:
            if (units := part["depth"].attrs.get("units")) not in KM:
                raise UserError(
                    f"part {part.attrs['part']}: depth must be in km or m, but its units are {units!r}. "
                    "Correct `reader` in the dataset's configuration."
                )
            depth = part["depth"] * KM[units]
            others = [own.values for own in (part["latitude"], part["longitude"], depth, part["magnitude"])]
            if lost := int((~np.isfinite(others[:3])).any(0).sum()):
                raise UserError(
                    f"part {part.attrs['part']}: every event must have latitude, longitude and depth, but {lost} lack "
                    "one. Leave them out of the raw file, or give a depth."
                )
            columns.append(np.stack([days(part["time"].values), *others]).astype("float64"))
        joined = np.concatenate(columns, 1)
        joined = joined[:, joined[-1] >= least]
        return cls(*joined[:, np.argsort(joined[0], kind="stable")])

    def before(self, day: float) -> "Catalogue":
        """Events before a day."""
        return Catalogue(*(column[self.time < day] for column in self))


class Cells(NamedTuple):
    """Centres and half widths (cell,) in degrees; `local` (number in all bands,) tells each cell's own number."""

    lat: np.ndarray
    lon: np.ndarray
    half_lat: float
    half_lon: np.ndarray
    local: np.ndarray

    @classmethod
    def around(cls, lat: np.ndarray, lon: np.ndarray, size: float) -> "Cells":
        """Cells of about size × size degrees at the equator that hold an event, and those that touch them."""
        centre, columns, starts = _bands(size)
        every_lat = np.repeat(centre, columns)
        every_lon = np.concatenate([-180 + 360 * (np.arange(n) + 0.5) / n for n in columns])
        held = np.unique(_number(lat, lon, size))
        points = positions(every_lat, every_lon)
        near = cKDTree(points).query_ball_point(points[held], 1.5 * np.radians(size))
        kept = np.unique(np.concatenate(near).astype(int))
        local = np.full(starts[-1], len(kept))
        local[kept] = np.arange(len(kept))
        half_lon = 180 / np.repeat(columns, columns)
        return cls(every_lat[kept], every_lon[kept], size / 2, half_lon[kept], local)

    @property
    def size(self) -> int:
        """How many there are, elsewhere included."""
        return len(self.lat) + 1

    @property
    def share(self) -> np.ndarray:
        """Share (cell,) of the Earth's surface, elsewhere included."""
        bands = np.sin(np.radians(self.lat + self.half_lat)) - np.sin(np.radians(self.lat - self.half_lat))
        own = bands * self.half_lon / 360
        return np.append(own, 1 - own.sum())

    def of(self, lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
        """The cell (event,) that holds each event."""
        return self.local[_number(lat, lon, 2 * self.half_lat)]


def days(times: np.ndarray) -> np.ndarray:
    """Days since 1970 of datetimes."""
    return times.astype("datetime64[ns]").astype("int64") / 86400e9


def positions(lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """Points (…, 3) on the unit sphere."""
    lat, lon = np.radians(lat), np.radians(lon)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], -1)


def _bands(size: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Latitudes of bands, cells in each, and the number of the first cell of each."""
    centre = -90 + size * (np.arange(round(180 / size)) + 0.5)
    columns = np.maximum(1, np.round(360 / size * np.cos(np.radians(centre)))).astype(int)
    return centre, columns, np.append(0, np.cumsum(columns))


def _number(lat: np.ndarray, lon: np.ndarray, size: float) -> np.ndarray:
    """Number of the cell of all bands that holds each event."""
    _, columns, starts = _bands(size)
    band = np.clip(np.floor((lat + 90) / size).astype(int), 0, len(columns) - 1)
    column = np.floor((lon + 180) % 360 / 360 * columns[band]).astype(int)
    return starts[band] + np.minimum(column, columns[band] - 1)
