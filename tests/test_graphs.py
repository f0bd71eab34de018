"""Graphs from places: neighbours against every distance, times against the future, displacements against geometry."""

import numpy as np
import pytest

from geojax.data import graphs
from geojax.errors import UserError


def _nearest_of_all(points, count, radius=np.inf, time=None):
    """Every distance computed, every point sorted."""
    edges = []
    for receiver, place in enumerate(points):
        far = np.linalg.norm(points - place, axis=1).astype("float32")
        far[receiver] = np.inf
        if time is not None:
            far[time >= time[receiver]] = np.inf
        order = np.lexsort((np.arange(len(points)), far))[:count]
        edges += [(sender, receiver) for sender in order if np.isfinite(far[sender]) and far[sender] <= radius]
    return np.array(edges, "int32").reshape(-1, 2)


@pytest.mark.parametrize("size", [0, 1, 2, 5, 70, 300])
@pytest.mark.parametrize("count", [1, 7])
def test_nearest_neighbours_are_those_of_all_distances_sorted(size, count, rng):
    points = rng.normal(size=(size, 3))

    edges = graphs.nearest(points, count)

    assert edges.dtype == np.int32
    np.testing.assert_array_equal(edges, _nearest_of_all(points, count))


def test_on_a_grid_with_doubled_points_equally_far_neighbours_go_by_their_number():
    grid = np.stack(np.meshgrid(np.arange(12.0), np.arange(9.0), indexing="ij"), -1).reshape(-1, 2)
    points = np.concatenate([grid, grid, grid[:5], grid[:5]])

    for count in (1, 3, 6):
        np.testing.assert_array_equal(graphs.nearest(points, count), _nearest_of_all(points, count))


def test_no_neighbour_lies_beyond_the_radius(rng):
    points = rng.uniform(size=(200, 2))

    edges = graphs.nearest(points, 6, 0.08)

    np.testing.assert_array_equal(edges, _nearest_of_all(points, 6, 0.08))
    assert len(edges) < 6 * 200


@pytest.mark.parametrize("dated", [False, True])
def test_causal_neighbours_are_the_nearest_of_the_strictly_earlier(dated, rng):
    points = rng.normal(size=(400, 3))
    time = rng.integers(0, 60, 400)  # many at the same time
    given = np.datetime64("2020-01-01", "s") + time.astype("timedelta64[s]") if dated else time

    edges = graphs.nearest(points, 5, causal=given)

    np.testing.assert_array_equal(edges, _nearest_of_all(points, 5, time=time))
    assert (time[edges[:, 0]] < time[edges[:, 1]]).all()


def test_a_later_event_changes_no_edge_between_earlier_ones(rng):
    points, time = rng.normal(size=(300, 3)), np.sort(rng.uniform(size=300))

    whole, past = graphs.nearest(points, 6, causal=time), graphs.nearest(points[:200], 6, causal=time[:200])

    np.testing.assert_array_equal(whole[whole[:, 1] < 200], past)


def test_points_of_one_time_have_no_causal_edge(rng):
    points = rng.normal(size=(100, 2))

    assert graphs.nearest(points, 3, causal=np.zeros(100)).shape == (0, 2)
    assert graphs.within(points, 9.0, causal=np.zeros(100)).shape == (0, 2)


@pytest.mark.parametrize("causal", [False, True])
def test_edges_within_a_radius_are_those_of_all_distances(causal, rng):
    points, time = rng.uniform(size=(150, 3)), rng.integers(0, 40, 150)

    edges = graphs.within(points, 0.2, causal=time if causal else None)

    far = np.linalg.norm(points[:, None] - points, axis=-1)
    wanted = (far <= 0.2) & ~np.eye(150, dtype=bool)
    if causal:
        wanted &= time[:, None] < time
    assert {tuple(edge) for edge in edges} == set(zip(*np.nonzero(wanted), strict=True))
    assert (np.diff(edges[:, 1]) >= 0).all()
    same = np.diff(edges[:, 1]) == 0
    assert (np.diff(far[edges[:, 0], edges[:, 1]])[same] >= 0).all()


def test_a_radius_that_makes_too_many_edges_is_refused(monkeypatch, rng):
    monkeypatch.setattr(graphs, "MOST_EDGES", 100)

    with pytest.raises(UserError, match="380 edges, more than 100"):
        graphs.within(rng.uniform(size=(20, 2)), 9.0)


def test_cartesian_coordinates_agree_with_the_axes_of_the_ellipsoid():
    found = graphs.cartesian(
        np.array([0.0, 0.0, 90.0, 0.0]), np.array([0.0, 90.0, 0.0, 180.0]), np.array([0, 0, 0, 8.0])
    )

    expected = [[6378.137, 0, 0], [0, 6378.137, 0], [0, 0, 6356.752314245], [8 - 6378.137, 0, 0]]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_neighbours_are_found_across_the_date_line_and_the_pole():
    latitude, longitude = np.array([0.0, 0.0, 0.0, 89.9, 89.9]), np.array([179.9, -179.9, 170.0, 0.0, 180.0])

    edges = graphs.nearest(graphs.cartesian(latitude, longitude), 1)

    assert dict(edges[:, ::-1].tolist()) == {0: 1, 1: 0, 2: 0, 3: 4, 4: 3}


def test_displacements_are_east_north_up_of_the_receiver():
    latitude, longitude = np.array([45.0, 45.001, 45.0, 45.0]), np.array([10.0, 10.0, 10.001, 10.0])
    depth = np.array([0.0, 0.0, 0.0, 7.0])

    found = graphs.displacements(latitude, longitude, depth, np.array([[1, 0], [2, 0], [3, 0], [0, 3]]))

    # One degree at 45° N is 111.132 km of meridian and 78.847 km of parallel.
    expected = [[0, 0.111132, 0], [0.078847, 0, 0], [0, 0, -7], [0, 0, 7]]
    np.testing.assert_allclose(found[:, :3], expected, atol=3e-6)
    np.testing.assert_allclose(found[:, 3], np.linalg.norm(expected, axis=1), atol=3e-6)
    assert found.dtype == np.float32


@pytest.mark.parametrize("dated", [False, True])
def test_time_counts_as_the_way_that_is_gone_in_it(dated):
    seconds = np.array([5, 7, 4])
    time = np.datetime64("2020-01-01", "s") + seconds.astype("timedelta64[s]") if dated else seconds

    found = graphs.with_time(np.zeros((3, 2)), time, 3.0)

    np.testing.assert_allclose(found[:, 2] - found[2, 2], [3.0, 9.0, 0.0])
    assert graphs.with_time(np.zeros((0, 2)), np.zeros(0), 3.0).shape == (0, 3)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: graphs.nearest(np.array([[0.0, 1.0], [np.nan, 1.0]]), 1), "first point 1"),
        (lambda: graphs.nearest(np.zeros(4), 1), r"shape is \(4,\)"),
        (lambda: graphs.nearest(np.zeros((4, 2)), 0), "at least 1"),
        (lambda: graphs.nearest(np.zeros((4, 2)), 1, causal=np.zeros(3)), r"each of 4 points, but the shape is \(3,\)"),
        (lambda: graphs.within(np.zeros((2, 2)), 1, causal=np.array(["2020", "NaT"], "datetime64[s]")), "point 1"),
        (lambda: graphs.within(np.zeros((2, 2)), np.nan), "radius must be"),
        (lambda: graphs.cartesian(np.array([10.0, 170.0]), np.array([0.0, 0.0])), "that of point 1 is 170"),
        (lambda: graphs.cartesian(np.array([10.0]), np.array([np.inf])), "not, first point 0"),
    ],
)
def test_what_makes_no_graph_is_refused_with_the_reason(make, told):
    with pytest.raises(UserError, match=told):
        make()
