"""Where an update starts: from the last weights if they fit and have seen nothing that judges them."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from geojax import store
from geojax.errors import UserError
from geojax.training import updates
from geojax.training.weights import to_dataset


class Line(nnx.Module):
    def __init__(self, rngs, inputs=3):
        self.linear = nnx.Linear(inputs, 1, rngs=rngs)


def wanted(data="one", **changes):
    groups = {"train": ["1991", "1992"], "validation": ["1993"], "test": ["1994"]}
    facts = {"task": "t", "examples": {}, "model": {"width": 4}, "ensemble": 1, "scaling": "s"}
    return facts | {"data": data, "groups": groups} | changes


def weights(value):
    params = nnx.state(Line(nnx.Rngs(0)), nnx.Param)
    return to_dataset((nnx.State({"linear": {k: nnx.Param(jnp.full((1, *p[...].shape), value))
                                             for k, p in params["linear"].items()}}), nnx.State({})))  # fmt: skip


@pytest.fixture
def finished(tmp_path):
    kept = updates.Finished(tmp_path / "finished")
    kept.keep(weights(1.0), "a", updates.SCRATCH, wanted("one"))
    return kept


def test_the_first_training_of_a_run_begins_from_scratch(tmp_path):
    origin = updates.Finished(tmp_path).origin(wanted())

    assert (origin.key, origin.reason) == (None, "no training of this run has finished before")


def test_new_data_go_on_from_the_last_weights(finished):
    origin, start = finished.start(wanted("two"), Line)

    assert origin.key == "a"
    np.testing.assert_array_equal(start[0]["linear"]["kernel"][...], np.ones((1, 3, 1)))


def test_the_same_data_start_where_the_last_training_started_never_from_itself(finished):
    assert finished.origin(wanted("one")).key is None
    finished.keep(weights(2.0), "b", finished.origin(wanted("two")), wanted("two"))
    again = finished.origin(wanted("two"))
    assert again.key == "a"
    finished.keep(weights(2.0), "b", again, wanted("two"))  # as a rerun does

    assert finished.origin(wanted("two")).key == "a"
    assert finished.origin(wanted("three")).key == "b"


def test_lineage_tells_every_training_that_went_in_and_only_two_are_kept(finished):
    for key, data in (("b", "two"), ("c", "three")):
        finished.keep(weights(0.0), key, finished.origin(wanted(data)), wanted(data))
    told = store.read_json(finished.directory / "c.manifest.json")["lineage"]

    assert [(own["key"], own["data"]) for own in told] == [("a", "one"), ("b", "two"), ("c", "three")]
    assert sorted(path.name for path in finished.directory.glob("*.zarr")) == ["b.zarr", "c.zarr"]


@pytest.mark.parametrize(
    "changes", [{"model": {"width": 8}}, {"ensemble": 2}, {"scaling": "other"}, {"examples": {"samples": 4}}]
)
def test_weights_of_another_meaning_are_not_gone_on_from(finished, changes):
    origin = finished.origin(wanted("two", **changes))

    assert origin.key is None
    assert next(iter(changes)) in origin.reason


def test_weights_of_another_shape_are_not_gone_on_from(finished):
    origin, start = finished.start(wanted("two"), lambda rngs: Line(rngs, inputs=5))

    assert (origin.key, start) == (None, None)
    assert "linear.kernel must have shape" in origin.reason


@pytest.mark.parametrize(
    "groups",
    [
        {"train": ["1991"], "validation": ["1993"], "test": ["1992"]},  # was trained on
        {"train": ["1991"], "validation": ["1992"], "test": ["1994"]},  # was trained on, would choose the epoch
        {"train": ["1991", "1992"], "validation": ["1995"], "test": ["1993"]},  # chose the epoch
    ],
)
def test_weights_that_have_seen_what_is_held_out_now_are_not_gone_on_from(finished, groups):
    origin = finished.origin(wanted("two", groups=groups))

    assert origin.key is None
    assert "held out" in origin.reason


def test_what_an_ancestor_has_seen_stays_seen(finished):
    fewer = wanted("two", groups={"train": ["1991"], "validation": ["1993"], "test": ["1994"]})
    finished.keep(weights(0.0), "b", finished.origin(fewer), fewer)
    origin = finished.origin(wanted("three", groups={"train": ["1991"], "validation": ["1993"], "test": ["1992"]}))

    assert origin.key is None
    assert "1992" in origin.reason


def test_weights_before_an_update_that_are_gone_are_named(finished):
    with pytest.raises(UserError, match=r"x\.zarr: the weights before the update"):
        finished.read("x")
