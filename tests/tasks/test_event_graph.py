"""Graphs of events: only the past is told, a hidden depth stays hidden, and neighbours are used where they matter."""

import jax
import numpy as np
import pandas as pd
import pytest
from catalogue import SCALING, part, planes, split
from flax import nnx

from geojax.baselines import event_features
from geojax.data import graphs
from geojax.data.events import catalogues
from geojax.errors import UserError
from geojax.task import Examples, configured, load

UNTIL = "2007-02-14"  # the last day of training
KNOWN = {"speed_km_day": 1.0, "classes": ("ID",), "known_until": np.datetime64("2007-02-14")}


@pytest.fixture
def parts(rng):
    values, time, words = planes(rng)
    months = time.astype("datetime64[M]").astype(str)
    return {month: part(month, *(x[months == month] for x in (values, time, words))) for month in np.unique(months)}


def _task(**given):
    return configured(
        "event_graph", {"classes": ("UP", "P1", "P3"), "known_until": UNTIL, "near": 8, "recent": 8} | given
    )


def _examples(parts, task, name="test"):
    rows = split(parts, task, ["2007-02-15", "2007-03-01"])
    own = rows[rows["split"] == name].reset_index(drop=True)
    return own, task.examples(own, parts, SCALING)


@pytest.mark.parametrize("own_depth", [True, False])
def test_whatever_happens_later_leaves_an_event_and_its_neighbours_as_they_were(parts, own_depth, rng):
    task = _task(own_depth=own_depth)
    _, before = _examples(parts, task, "validation")
    march = parts["2007-03"]

    moved = march.assign(longitude=march["longitude"] + 1, depth=march["depth"] * 0)
    _, after = _examples(parts | {"2007-03": moved}, task, "validation")

    for name in before.rows:
        np.testing.assert_array_equal(before.rows[name], after.rows[name])


def test_neighbours_are_the_nearest_of_all_earlier_events_by_every_distance(parts):
    rows, examples = _examples(parts, _task(near=5, recent=0))
    events = catalogues.gather(parts, SCALING, rows["time"].max())
    longitude, latitude, depth, _ = events.physical.T
    points = graphs.cartesian(latitude, longitude, depth)
    for number in (0, len(rows) // 2, len(rows) - 1):
        own = events.numbers(rows)[number]
        far = np.linalg.norm(points - points[own], axis=1)
        far[(events.time >= events.time[own]) | (events.time > np.datetime64("2007-02-15"))] = np.inf

        told = 10 ** examples.rows["edge_features"][number][:, catalogues.LINKED.index("distance")] - 1

        np.testing.assert_allclose(told, np.sort(far)[:5], rtol=1e-3, atol=1e-3)


def test_a_hidden_depth_changes_nothing_that_a_method_is_given(parts):
    task = _task(own_depth=False)
    rows, before = _examples(parts, task)
    last = rows["part"].iloc[-1]
    depth = parts[last]["depth"].copy()
    depth[-1] = 3.0  # that of the last event of all, which is nobody's neighbour

    _, after = _examples(parts | {last: parts[last].assign(depth=depth)}, task)

    for name in before.rows:
        np.testing.assert_array_equal(before.rows[name], after.rows[name])


def test_recent_neighbours_tell_an_aftershock_from_what_the_place_has_had_before(rng):
    """A place with deep events of old, and a shallow one an hour ago: the recent one comes first, without a class."""
    time = np.array(["2007-01-01", "2007-01-02", "2007-01-03", "2007-02-01T00", "2007-02-01T01"], "datetime64[ns]")
    values = np.array([[-70, -21, 80, 2.0]] * 3 + [[-70.1, -21, 10, 4.0], [-70, -21, 10, 2.0]])
    events = catalogues.gather({"a": part("a", values, time, ["ID"] * 5)}, SCALING, time.max())

    found = catalogues.stars(events, np.array([4]), near=3, recent=1, depth=False, **KNOWN)

    depth = found["nodes"][0, :, 2] * 30 + 60
    np.testing.assert_allclose(depth, [60, 10, 80, 80, 80], atol=1e-3)  # its own is hidden, so the mean; then recent
    np.testing.assert_array_equal(found["nodes"][0, :, 7:], [[0], [0], [1], [1], [1]])
    np.testing.assert_allclose(found["edge_features"][0, 0, 4], np.log10(1 / 24), rtol=1e-5)


def test_an_event_without_any_before_it_has_padding_alone_and_finite_features(parts):
    first = next(iter(parts.values()))
    events = catalogues.gather(parts, SCALING, first["time"].values.max())

    rows = catalogues.stars(events, np.array([0, 1]), 4, 4, depth=True, **KNOWN | {"classes": ("UP", "P1", "P3")})

    assert not rows["mask"][0, 1:].any()
    assert rows["mask"][1, 1:].sum() == 2  # the first event, as near and as recent one
    features = event_features.summaries(Examples(rows))
    assert np.isfinite(features).all()


def test_summaries_of_neighbours_are_those_that_numpy_tells(parts):
    _, examples = _examples(parts, _task(near=6, recent=3))

    found = event_features.summaries(examples)

    depth = examples.rows["nodes"][:, 4:, 2].astype("float64")  # of the near ones
    quartiles = found[:, -len(event_features.QUARTILES) :]
    np.testing.assert_allclose(quartiles, np.quantile(depth, event_features.QUARTILES, axis=1).T, rtol=1e-5)
    np.testing.assert_array_equal(found[:, :6], examples.rows["nodes"][:, 0, :6])


def test_no_class_after_training_is_told_and_never_that_of_the_event_itself(parts):
    for name in ("train", "test"):
        _, examples = _examples(parts, _task(), name)
        told = examples.rows["nodes"][..., catalogues.OWN + 1 :].sum(-1)

        assert (told[:, :9] == 0).all()  # the event and its recent neighbours
        np.testing.assert_array_equal(told[:, 9:] == 1, examples.rows["mask"][:, 9:])
    words = {month: own.assign_coords({"class": own["class"].where(own["time"] < np.datetime64("2007-02-15"), "UP")})
             for month, own in parts.items()}  # fmt: skip
    _, other = _examples(words, _task())
    np.testing.assert_array_equal(other.rows["nodes"], examples.rows["nodes"])


def test_events_asked_for_before_the_last_day_of_known_classes_are_refused(parts):
    with pytest.raises(UserError, match=r"known_until: must lie before all events .* last day of the training split"):
        _examples(parts, _task(known_until="2007-03-05"))


def test_a_class_that_the_run_does_not_know_is_refused_by_its_name(parts):
    with pytest.raises(UserError, match=r"classes must be UP, P1, but `P3` is another\. Name it in `examples`"):
        _task(classes=("UP", "P1")).index(parts["2007-01"])


def test_events_of_no_class_are_neighbours_but_not_examples(parts):
    task = _task(classes=("UP", "P1"), unclassified=("P3",), near=1, recent=8)

    rows, examples = _examples(parts, task)

    assert set(rows["label"]) == {0, 1}
    depth = examples.rows["nodes"][:, 1:9, 2] * 30 + 60
    assert depth.max() > 84  # below P1 at its eastern end there is only P3


def test_an_event_that_lacks_its_magnitude_is_refused_by_part_and_number(parts):
    broken = parts["2007-02"].copy(deep=True)
    broken["magnitude"][7] = np.nan

    with pytest.raises(UserError, match=r"part 2007-02: events must have .* 1 lack some, first event 7"):
        _examples(parts | {"2007-02": broken}, _task())


def test_weeks_are_groups_from_monday_to_sunday(parts):
    rows = _task().index(parts["2007-01"])

    starts = pd.to_datetime(rows["group"])
    assert (starts.dt.dayofweek == 0).all()
    assert (starts <= rows["time"]).all()
    assert (rows["time"] < starts + pd.Timedelta(days=7)).all()


@pytest.mark.parametrize("name", load("event_graph").models)
def test_a_model_hears_of_its_neighbours_and_padding_says_nothing(name, parts):
    task = _task(near=4, recent=2)
    _, examples = _examples(parts, task)
    net = task.model(name, {"width": 8, "layers": 2}, examples, nnx.Rngs(0))
    some = examples.take(np.arange(20))
    predicted = task.predict(net, some)

    thin = some.rows["mask"].copy()
    thin[:, 1:] = False
    noise = jax.random.normal(jax.random.key(0), some.rows["edge_features"].shape)
    alone = [task.predict(net, type(some)(some.rows | {"mask": thin, "edge_features": e})) for e in (noise, 2 * noise)]

    np.testing.assert_allclose(predicted.sum(1), 1, rtol=1e-5)
    assert not np.allclose(predicted, alone[0], atol=1e-4)
    np.testing.assert_array_equal(alone[0], alone[1])


def test_thinning_takes_events_evenly_from_each_split(parts):
    rows = split(parts, _task(), ["2007-02-15", "2007-03-01"])

    few = _task(most=50).expand(rows)

    assert few.groupby("split").size().between(25, 50).all()
    whole = rows[rows["split"] == "train"]["time"]
    own = few[few["split"] == "train"]["time"]
    assert own.iloc[0] == whole.iloc[0]
    assert abs(own.median() - whole.median()) < pd.Timedelta(days=3)
    assert _task().expand(rows) is rows
