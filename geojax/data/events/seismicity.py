"""Smoothed seismicity, and what earlier events trigger, on cells. Lengths are in km, times in days since 1970."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array
from scipy.spatial import cKDTree

from geojax.data.events.cells import Catalogue, Cells, positions

EARTH_KM = 6371.0
DEGREE_KM = np.pi * EARTH_KM / 180
REACH_KM = 1000.0  # beyond it what a kernel spreads counts as elsewhere
OFFSET_DAYS = 0.05  # c of the Omori-Utsu law
CLUSTER_KM, CLUSTER_DAYS = 100.0, 30.0
FRACTION = 0.25  # width of a kernel over the distance to a neighbour; half of the kernel lies within 1.7 widths


class Pairs(NamedTuple):
    """Events and the cells near them: numbers (pair,), and the cell's edges about the event in km."""

    event: np.ndarray
    cell: np.ndarray
    west: np.ndarray
    east: np.ndarray
    south: np.ndarray
    north: np.ndarray
    events: int
    cells: int

    @classmethod
    def of(cls, catalogue: Catalogue, cells: Cells, reach: float = REACH_KM) -> "Pairs":
        """All pairs that lie within `reach`; a cell is a rectangle on a plane about the event."""
        tree = cKDTree(positions(cells.lat, cells.lon))
        near = tree.query_ball_point(positions(catalogue.lat, catalogue.lon), 2 * np.sin(reach / EARTH_KM / 2))
        event = np.repeat(np.arange(len(near)), [len(own) for own in near])
        cell = np.concatenate([np.asarray(own, int) for own in near])
        across = DEGREE_KM * np.cos(np.radians((cells.lat[cell] + catalogue.lat[event]) / 2))
        x = across * ((cells.lon[cell] - catalogue.lon[event] + 180) % 360 - 180)
        y = DEGREE_KM * (cells.lat[cell] - catalogue.lat[event])
        half_x = DEGREE_KM * np.cos(np.radians(cells.lat[cell])) * cells.half_lon[cell]
        half_y = DEGREE_KM * cells.half_lat
        return cls(event, cell, x - half_x, x + half_x, y - half_y, y + half_y, len(catalogue.time), cells.size)

    def first(self, events: int) -> "Pairs":
        """Those of the first so many events."""
        end = np.searchsorted(self.event, events)
        return self._replace(events=events, **{name: getattr(self, name)[:end] for name in self._fields[:6]})

    def shares(self, width: np.ndarray) -> csr_array:
        """Share (cell, event) of each event's kernel that falls into each cell; of an event they add up to one.

        The kernel is w / 2π (r² + w²)^(-3/2), whose integral over a rectangle has a closed form: the solid angle
        under which it is seen from w above. source : power law of Helmstetter et al. (2007), doi:10.1785/gssrl.78.1.78

        width : w of each event (event,) in km
        """
        w = width[self.event]
        corners = ((self.east, self.north, 1), (self.west, self.north, -1), (self.east, self.south, -1),
                   (self.west, self.south, 1))  # fmt: skip
        inside = sum(sign * np.arctan(x * y / (w * np.sqrt(x**2 + y**2 + w**2))) for x, y, sign in corners)
        inside = inside / (2 * np.pi)
        total = np.bincount(self.event, inside, self.events)
        inside /= np.maximum(total, 1.0)[self.event]  # the plane is not the sphere
        rest = np.maximum(1 - total, 0)
        row = np.append(self.cell, np.full(self.events, self.cells - 1))
        column = np.append(self.event, np.arange(self.events))
        return csr_array((np.append(inside, rest), (row, column)), (self.cells, self.events))


def counts(catalogue: Catalogue, cells: Cells, edges: np.ndarray) -> np.ndarray:
    """Events (month, cell) between consecutive `edges` in days."""
    month = np.searchsorted(edges, catalogue.time, "right") - 1
    inside = (month >= 0) & (month < len(edges) - 1)
    found = np.zeros((len(edges) - 1, cells.size), "float32")
    np.add.at(found, (month[inside], cells.of(catalogue.lat, catalogue.lon)[inside]), 1)
    return found


def neighbour_distance(catalogue: Catalogue, known: int, number: int) -> np.ndarray:
    """Distance (event,) in km to the neighbour of that number among the first `known` events."""
    points = positions(catalogue.lat, catalogue.lon)
    rank = np.minimum(number + (np.arange(len(points)) < known), known)  # an event is no neighbour of itself
    chord = cKDTree(points[:known]).query(points, number + 1)[0]
    chord = np.where(np.isfinite(chord), chord, 2.0)[np.arange(len(points)), rank - 1]
    return 2 * EARTH_KM * np.arcsin(np.minimum(chord / 2, 1))


def thinning(catalogue: Catalogue) -> np.ndarray:
    """Weights (event,) under which a cluster counts little more than its first event: 1 over the events up to then."""
    points = positions(catalogue.lat, catalogue.lon) * EARTH_KM
    pairs = cKDTree(points).query_pairs(CLUSTER_KM, output_type="ndarray")
    earlier, later = pairs.min(1), pairs.max(1)  # events stand in order of time
    close = catalogue.time[later] - catalogue.time[earlier] < CLUSTER_DAYS
    return 1 / (1 + np.bincount(later[close], minlength=len(points)))


def smoothed(
    catalogue: Catalogue, pairs: Pairs, edges: np.ndarray, neighbours: int, thinned: bool, least: float = 3.0
) -> np.ndarray:
    """Adaptively smoothed seismicity at the start of each month: the share (month, cell) of events in each cell.

    edges : starts of months in days; kernels are as of the first, and events join as they come
    neighbours : the width of an event's kernel is a quarter of its distance to the neighbour of that number
    thinned : clusters count little more than their first event
    least : smallest width in km
    source : Helmstetter et al. (2007), doi:10.1785/gssrl.78.1.78
    """
    before = np.searchsorted(catalogue.time, edges)
    own = catalogue.before(edges[-1])
    weight = thinning(own) if thinned else np.ones(before[-1])
    width = np.maximum(FRACTION * neighbour_distance(own, int(before[0]), neighbours), least)
    shares = pairs.first(before[-1]).shares(width)
    summed = shares[:, : before[0]] @ weight[: before[0]]
    found = [summed := summed + shares[:, a:b] @ weight[a:b] for a, b in pairwise(np.append(before[0], before))]
    return np.stack(found) / np.cumsum(weight)[before - 1][:, None]


def triggered(
    catalogue: Catalogue, pairs: Pairs, edges: np.ndarray, least: float, *, alpha: float, p: float, width: float
) -> np.ndarray:
    """What earlier events add to a month (month, cell) per unit productivity, by the law of Omori and Utsu.

    An event of magnitude M adds 10^(alpha (M - least)) times the integral of (t + c)^-p over the month, spread by a
    kernel of width × 10^(0.4 (M - least)) km; one within the month adds nothing to it.

    edges : (month + 1,) in days
    source : Ogata (1998), doi:10.1023/A:1003403601725, without aftershocks of what is yet to come
    """
    excess = catalogue.magnitude - least
    shares = pairs.shares(width * 10 ** (0.4 * excess))
    shares.data *= (10 ** (alpha * excess))[shares.indices]
    since = np.maximum(edges[None] - catalogue.time[:, None], 0) + OFFSET_DAYS
    primitive = np.log(since) if abs(p - 1) < 1e-6 else since ** (1 - p) / (1 - p)
    growth = np.diff(primitive, axis=1)
    growth[edges[None, :-1] <= catalogue.time[:, None]] = 0
    return (shares @ growth).T.astype("float32")
