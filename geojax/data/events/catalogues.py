"""Catalogues of events: parts as one list, and what an event has near it among those before it."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from geojax.data import graph_examples, graphs
from geojax.errors import UserError

COLUMNS = ("longitude", "latitude", "depth", "magnitude")
LINKED = ("east", "north", "up", "distance", "lag", "recent")  # what an edge knows
NEAR_KM = 5.0  # displacements grow as they are below it, as their logarithms above it
SHORTEST_DAYS = 1e-3  # lags below it count as it
OWN = 6  # column of nodes that marks the centre; before it what an event knows of itself, behind it classes


class Catalogue(NamedTuple):
    """Events of several parts, those of one part next to each other.

    scaled, physical : (event, 4), as COLUMNS; degrees, degrees, km, magnitudes
    time : (event,), datetime64[ns]
    word : (event,), the class as the catalogue has it
    first : number of the first event of each part
    """

    scaled: np.ndarray
    physical: np.ndarray
    time: np.ndarray
    word: np.ndarray
    first: Mapping[str, int]

    def numbers(self, rows: pd.DataFrame) -> np.ndarray:
        """Which events the rows of an index stand for, by `part` and `position`."""
        return rows["part"].map(dict(self.first)).to_numpy("int64") + rows["position"].to_numpy("int64")


def gather(parts: Mapping[str, xr.Dataset], scaling: xr.Dataset, until: np.datetime64 | pd.Timestamp) -> Catalogue:
    """The events of all parts that begin no later than `until`.

    parts : normalized, COLUMNS and time (event,)
    raises UserError : an event lacks a place, a magnitude or a time
    """
    pieces, times, words, first, count = [], [], [], {}, 0
    for name, part in parts.items():
        time = part["time"].values.astype("datetime64[ns]")
        if not len(time) or time.min() > np.datetime64(pd.Timestamp(until), "ns"):
            continue
        own = np.stack([part[column].values for column in COLUMNS], -1)
        lacking = np.flatnonzero(~np.isfinite(own).all(1) | np.isnat(time))
        if lacking.size:
            raise UserError(
                f"part {name}: events must have {', '.join(COLUMNS)} and time, but {lacking.size} lack some, first "
                f"event {lacking[0]}. Take their rows out of the table."
            )
        pieces.append(own)
        times.append(time)
        words.append(part["class"].values.astype(str))
        first[name] = count
        count += len(own)
    scaled = np.concatenate(pieces)
    return Catalogue(scaled, unscaled(scaled, scaling), np.concatenate(times), np.concatenate(words), first)


def unscaled(scaled: np.ndarray, scaling: xr.Dataset) -> np.ndarray:
    """Physical values (event, 4), float64, of normalized COLUMNS."""
    spread, center = (np.array([float(scaling[f"{c}_{kind}"]) for c in COLUMNS]) for kind in ("spread", "center"))
    return scaled * spread + center


def hour_angle(time: np.ndarray) -> np.ndarray:
    """Sine and cosine (event, 2), float32, of the time of day, UTC: blasts keep working hours."""
    day = (time - time.astype("datetime64[D]")) / np.timedelta64(1, "D")
    return np.stack([np.sin(2 * np.pi * day), np.cos(2 * np.pi * day)], -1).astype("float32")


def neighbours(points: np.ndarray, time: np.ndarray, count: int, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers (centre, count) of the nearest strictly earlier events, near to far, and which of them there are.

    points : (event, dimension), km, with time as one of the dimensions or without
    """
    found = graph_examples.neighbourhoods(graphs.nearest(points, count, causal=time), len(points), (count,), centres)
    return found.members[:, 1:], found.mask[:, 1:]


def stars(
    catalogue: Catalogue,
    centres: np.ndarray,
    near: int,
    recent: int,
    *,
    speed_km_day: float,
    depth: bool,
    classes: Sequence[str],
    known_until: np.datetime64,
) -> dict[str, np.ndarray]:
    """A graph around each of some events: earlier ones near in space and time, and earlier ones of known class near it.

    near, recent : how many of known class, and of any; an event may stand among both
    speed_km_day : kilometres that count as much as a day among the recent ones
    depth : whether the depth of the centre is known; if not, it is zero, and all distances are epicentral
    known_until : until when classes are known
    returns : nodes (centre, 1 + recent + near, 7 + class) float32: COLUMNS, time of day, if it is the centre, which
        comes first, and the class, which only near ones tell; edge_features (centre, recent + near, 6), as LINKED:
        asinh of km / NEAR_KM, log10 of km + 1 and of days, 1 if recent; mask (centre, 1 + recent + near), False for
        padding, which is zero but for `recent`
    """
    longitude, latitude, deep, _ = catalogue.physical.T
    deep = deep if depth else np.zeros_like(deep)
    points = graphs.cartesian(latitude, longitude, deep)
    with_time = graphs.with_time(points, catalogue.time, speed_km_day / 86_400)
    told = (catalogue.word[:, None] == np.array(classes)) & (catalogue.time <= known_until)[:, None]
    # An event that tells no class comes after all that do: so it hears of them, and is heard by nobody.
    turn = np.where(told.any(1), catalogue.time, catalogue.time.max() + np.timedelta64(1, "D"))
    kinds = [
        neighbours(among, order, count, centres)
        for among, order, count in ((with_time, catalogue.time, recent), (points, turn, near))
        if count
    ]
    sender, known = (np.concatenate(each, 1) for each in zip(*kinds, strict=True))
    receiver = np.broadcast_to(centres[:, None], sender.shape)
    nodes = np.concatenate([catalogue.scaled, hour_angle(catalogue.time), np.zeros((len(points), 1)), told], 1)
    nodes = nodes[np.concatenate([centres[:, None], sender], 1)]
    nodes[:, 0, OWN] = 1
    nodes[:, : 1 + recent, OWN + 1 :] = 0
    if not depth:
        nodes[:, 0, COLUMNS.index("depth")] = 0
    kind = np.broadcast_to(np.arange(recent + near) < recent, sender.shape)[..., None]
    links = np.where(known[..., None], _links(catalogue, deep, sender, receiver, depth), 0)
    mask = np.concatenate([np.ones((len(centres), 1), bool), known], 1)
    return {
        "nodes": np.where(mask[..., None], nodes, 0).astype("float32"),
        "edge_features": np.concatenate([links, kind], -1).astype("float32"),
        "mask": mask,
    }


def _links(catalogue: Catalogue, deep: np.ndarray, sender: np.ndarray, receiver: np.ndarray, depth: bool) -> np.ndarray:
    """What edges (centre, neighbour) know, all but the last of LINKED."""
    longitude, latitude = catalogue.physical[:, :2].T
    moved = graphs.displacements(latitude, longitude, deep, np.stack([sender, receiver], -1).reshape(-1, 2))
    moved = moved.reshape(*sender.shape, 4)
    moved[..., 2] *= depth  # between epicentres it would tell of the earth's curvature alone
    days = (catalogue.time[receiver] - catalogue.time[sender]) / np.timedelta64(1, "D")
    lag = np.log10(np.maximum(days, SHORTEST_DAYS))[..., None]
    return np.concatenate([np.arcsinh(moved[..., :3] / NEAR_KM), np.log10(1 + moved[..., 3:]), lag], -1)


def surroundings(catalogue: Catalogue, centres: np.ndarray, count: int) -> dict[str, np.ndarray]:
    """Where some events lie among the earlier ones around them, (centre,) each; zero where there is none.

    height : asinh of km / NEAR_KM above the median depth of the `count` earlier events with the nearest epicentres
    spacing : log10 of km + 1, the mean hypocentral distance to the `count` nearest earlier events
    """
    longitude, latitude, deep, _ = catalogue.physical.T
    epicentres, hypocentres = (graphs.cartesian(latitude, longitude, depth) for depth in (0.0, deep))
    below, known = neighbours(epicentres, catalogue.time, count, centres)
    middle = _over_known(np.nanmedian, deep[below], known, deep[centres])
    around, known = neighbours(hypocentres, catalogue.time, count, centres)
    distance = np.linalg.norm(hypocentres[around] - hypocentres[centres][:, None], axis=-1)
    return {
        "height": np.arcsinh((middle - deep[centres]) / NEAR_KM).astype("float32"),
        "spacing": np.log10(1 + _over_known(np.nanmean, distance, known, 0.0)).astype("float32"),
    }


def _over_known(
    function: Callable[..., np.ndarray], values: np.ndarray, known: np.ndarray, otherwise: np.ndarray | float
) -> np.ndarray:
    """Of the known values (centre, neighbour) of each centre; `otherwise` where there is none."""
    some = known.any(1)
    padded = np.where(known, values, np.nan)
    padded[~some] = 0
    return np.where(some, function(padded, axis=1), otherwise)
