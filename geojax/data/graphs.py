"""Graphs of places: which of them are neighbours, and how one lies from the other.

Edges are (edge, 2) int32, sender and receiver, sorted by receiver; senders of one receiver run from near to far, and
equally far ones (as float32) by their number, so that the same points give the same edges.
"""

import numpy as np

from geojax.errors import UserError

SEMI_MAJOR_KM, FLATTENING = 6378.137, 1 / 298.257223563  # WGS 84
BLOCK = 64  # points whose distances are all computed rather than searched
MOST_EDGES = 2**27  # 1 GiB of them


def cartesian(latitude: np.ndarray, longitude: np.ndarray, depth_km: np.ndarray | float = 0.0) -> np.ndarray:
    """Earth-centred coordinates (point, 3), km, of geodetic ones on WGS 84.

    latitude, longitude : (point,), degrees; depth_km : below the ellipsoid, negative above
    raises UserError : one is no number, or a latitude lies beyond a pole
    source : EPSG Guidance Note 7-2, method 9602
    """
    given = (np.asarray(each, "float64") for each in (latitude, longitude, depth_km))
    latitude, longitude, depth = np.broadcast_arrays(*given)
    _check_numbers(np.stack([latitude, longitude, depth], -1).reshape(-1, 3))
    if latitude.size and abs(latitude).max() > 90:
        worst = int(abs(latitude).argmax())
        raise UserError(
            f"graph: latitudes must lie within 90 degrees, but that of point {worst} is {latitude.flat[worst]:g}. "
            "Are latitude and longitude exchanged?"
        )
    north, east = np.radians(latitude), np.radians(longitude)
    squared = FLATTENING * (2 - FLATTENING)
    radius = SEMI_MAJOR_KM / np.sqrt(1 - squared * np.sin(north) ** 2)
    flat = (radius - depth) * np.cos(north)
    height = (radius * (1 - squared) - depth) * np.sin(north)
    return np.stack([flat * np.cos(east), flat * np.sin(east), height], -1)


def with_time(points: np.ndarray, time: np.ndarray, speed_km_s: float) -> np.ndarray:
    """Points (point, dimension), km, with time as one more dimension: seconds × speed.

    time : (point,), datetime64 or seconds
    """
    instants = _instants(time, len(points))
    unit = 1e-9 if instants.dtype.kind == "i" else 1.0
    return np.column_stack([points, (instants - instants[:1]) * unit * speed_km_s])


def nearest(points: np.ndarray, count: int, radius: float = np.inf, *, causal: np.ndarray | None = None) -> np.ndarray:
    """Edges to each point from its `count` nearest others, fewer where there are no more.

    points : (point, dimension), such as km of `cartesian`
    radius : how far a neighbour may lie, in the units of the points
    causal : (point,) times, datetime64 or numbers; an edge then runs only from a strictly earlier point to a later
        one, and the nearest are those among the earlier
    returns : (edge, 2) int32
    raises UserError : a coordinate or time is no number, or `count` is below one
    """
    points = _check_points(points)
    if count < 1:
        raise UserError(f"graph: a point must have at least 1 neighbour, but {count} were asked for.")
    everything = np.arange(len(points))
    if causal is None:
        far, who = _search(points, everything, everything, count)
    else:
        far, who = _among_earlier(points, _instants(causal, len(points)), count)
    receiver, rank = np.nonzero(np.isfinite(far) & (far <= radius))
    return np.stack([who[receiver, rank], receiver], -1).astype("int32")


def within(points: np.ndarray, radius: float, *, causal: np.ndarray | None = None) -> np.ndarray:
    """Edges both ways between points no farther apart than `radius`; with `causal` times, to the later one alone.

    Arguments and result as of `nearest`.
    raises UserError : a coordinate, time or the radius is no number, or there are more than 2**27 edges
    """
    from scipy.spatial import cKDTree

    points = _check_points(points)
    if not 0 <= radius < np.inf:
        raise UserError(f"graph: the radius must be a distance, but is {radius:g}.")
    if not len(points):
        return np.empty((0, 2), "int32")
    tree = cKDTree(points)
    if (edges := int(tree.count_neighbors(tree, radius)) - len(points)) > MOST_EDGES:
        raise UserError(f"graph: a radius of {radius:g} makes {edges:,} edges, more than {MOST_EDGES:,}. Shorten it.")
    one, other = tree.query_pairs(radius, output_type="ndarray").T
    sender, receiver = np.concatenate([one, other]), np.concatenate([other, one])
    if causal is not None:
        instants = _instants(causal, len(points))
        earlier = instants[sender] < instants[receiver]
        sender, receiver = sender[earlier], receiver[earlier]
    far = np.linalg.norm(points[sender] - points[receiver], axis=1).astype("float32")
    order = np.lexsort((sender, far, receiver))
    return np.stack([sender, receiver], -1)[order].astype("int32")


def displacements(
    latitude: np.ndarray, longitude: np.ndarray, depth_km: np.ndarray | float, edges: np.ndarray
) -> np.ndarray:
    """Features (edge, 4) float32, km: how far the sender lies east, north and up of the receiver, and the distance.

    East, north and up are those of the receiver's place; all else as of `cartesian`.
    """
    points = cartesian(latitude, longitude, depth_km)
    sender, receiver = np.asarray(edges).reshape(-1, 2).T
    north, east = np.radians(np.asarray(latitude, "float64")), np.radians(np.asarray(longitude, "float64"))
    sin_n, cos_n, sin_e, cos_e = (f(angle)[receiver] for angle in (north, east) for f in (np.sin, np.cos))
    x, y, z = (points[sender] - points[receiver]).T
    outward = cos_e * x + sin_e * y
    local = [cos_e * y - sin_e * x, cos_n * z - sin_n * outward, sin_n * z + cos_n * outward]
    return np.stack([*local, np.sqrt(x**2 + y**2 + z**2)], -1).astype("float32")


def _search(points: np.ndarray, asked: np.ndarray, there: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Distances and numbers (asked, count) of the nearest of the points `there` but the asked one; inf where none."""
    from scipy.spatial import cKDTree

    far = np.full((len(asked), count), np.inf, "float32")
    who = np.zeros((len(asked), count), "int64")
    tree, wanted, unsettled = cKDTree(points[there]), min(count + 2, len(there)), np.arange(len(asked))
    while unsettled.size and wanted:
        own = asked[unsettled]
        distance, places = tree.query(points[own], range(1, wanted + 1))
        distance = np.where(there[places] == own[:, None], np.inf, distance.astype("float32"))
        farthest = np.where(np.isfinite(distance), distance, -np.inf).max(1)
        distance, found = _first(distance, there[places], count)
        far[unsettled, : distance.shape[1]], who[unsettled, : distance.shape[1]] = distance, found
        # Equally far ones, of lower numbers, may lie beyond those that were asked for.
        settled = (distance[:, -1] < farthest) | (wanted == len(there))
        unsettled, wanted = unsettled[~settled], min(2 * wanted, len(there))
    return far, who


def _first(distance: np.ndarray, number: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The `count` nearest of each row, near to far, then by number."""
    order = np.lexsort((number, distance), axis=-1)[:, :count]
    return np.take_along_axis(distance, order, -1), np.take_along_axis(number, order, -1)


def _among_earlier(points: np.ndarray, instants: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """As `_search` of all points, each among those strictly earlier than itself.

    The later half of a stretch of time looks into the earlier half, and each half does so within itself.
    """
    far = np.full((len(points), count), np.inf, "float32")
    who = np.zeros((len(points), count), "int64")

    def offer(asked: np.ndarray, distance: np.ndarray, number: np.ndarray) -> None:
        both = np.hstack([far[asked], distance]), np.hstack([who[asked], number])
        far[asked], who[asked] = _first(*both, count)

    order = np.argsort(instants, kind="stable")
    ordered = instants[order]
    stretches = [(0, len(points))]
    while stretches:
        start, end = stretches.pop()
        own = order[start:end]
        if end - start <= BLOCK:
            distance = np.linalg.norm(points[own][:, None] - points[own], axis=-1).astype("float32")
            earlier = instants[own] < instants[own][:, None]
            offer(own, np.where(earlier, distance, np.inf), np.broadcast_to(own, distance.shape))
        elif ordered[start] < ordered[end - 1]:
            middle = start + int(np.searchsorted(ordered[start:end], ordered[(start + end) // 2]))
            if middle == start:
                middle += int(np.searchsorted(ordered[start:end], ordered[start], "right"))
            stretches += [(start, middle), (middle, end)]
            offer(order[middle:end], *_search(points, order[middle:end], order[start:middle], count))
    return far, who


def _instants(time: np.ndarray, points: int) -> np.ndarray:
    """Times (point,) as numbers in their order: nanoseconds as integers of datetime64, others as they are."""
    time = np.asarray(time)
    if time.shape != (points,):
        raise UserError(f"graph: there must be one time for each of {points} points, but the shape is {time.shape}.")
    dated = time.dtype.kind == "M"
    bad = np.flatnonzero(np.isnat(time) if dated else ~np.isfinite(time.astype("float64")))
    if bad.size:
        raise UserError(
            f"graph: times must be known, but those of {bad.size} points are not, first that of point {bad[0]}. "
            "Leave such points out."
        )
    return time.astype("datetime64[ns]").astype("int64") if dated else time.astype("float64")


def _check_points(points: np.ndarray) -> np.ndarray:
    points = np.asarray(points, "float64")
    if points.ndim != 2:
        raise UserError(f"graph: points must be an array (point, dimension), but its shape is {points.shape}.")
    _check_numbers(points)
    return points


def _check_numbers(points: np.ndarray) -> None:
    bad = np.flatnonzero(~np.isfinite(points).all(1))
    if bad.size:
        raise UserError(
            f"graph: coordinates must be finite, but those of {bad.size} points are not, first point {bad[0]}: "
            f"{points[bad[0]]}. Leave such points out."
        )
