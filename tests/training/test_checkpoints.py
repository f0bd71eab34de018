"""Checkpoints belong to one data and configuration, and say so."""

import logging

import jax.numpy as jnp
import pytest

from geojax.training.checkpoints import Checkpoints, differences


@pytest.fixture
def said(caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("geojax"), "propagate", True)
    caplog.set_level(logging.INFO, "geojax")
    return caplog


def kept(directory, key, facts, value):
    marks = Checkpoints(directory, key, 0.0, facts)
    marks.save(1, {"weight": jnp.full(3, value)}, [{"epoch": 0}])
    marks.manager.wait_until_finished()
    marks.manager.close()


def test_a_checkpoint_of_another_configuration_is_refused_with_the_difference(tmp_path, said):
    kept(tmp_path, "one", {"training": {"learning_rate": 0.1, "seed": 0}, "model": {"width": 4}}, 1.0)

    other = Checkpoints(tmp_path, "two", 0.0, {"training": {"learning_rate": 0.2, "seed": 0}, "model": {"width": 8}})

    assert other.restore({"weight": jnp.zeros(3)}) is None
    assert "model.width: 4, now 8; training.learning_rate: 0.1, now 0.2" in said.text
    assert "seed" not in said.text


def test_a_setting_changed_back_finds_its_checkpoint_again(tmp_path):
    kept(tmp_path, "one", {"seed": 0}, 1.0)
    kept(tmp_path, "two", {"seed": 1}, 2.0)  # killed, too

    found = Checkpoints(tmp_path, "one", 0.0, {"seed": 0}).restore({"weight": jnp.zeros(3)})

    assert found is not None
    assert (found[1]["weight"] == 1.0).all()


def test_a_finished_training_leaves_no_checkpoint_but_its_own(tmp_path):
    kept(tmp_path, "one", {"seed": 0}, 1.0)
    marks = Checkpoints(tmp_path, "two", 0.0, {"seed": 1})
    marks.save(1, {"weight": jnp.ones(3)}, [])
    marks.close()

    assert sorted(path.name for path in tmp_path.iterdir()) == ["two", "two.json"]


def test_a_checkpoint_holds_the_history_as_it_was_when_it_was_saved(tmp_path):
    for attempt in range(20):
        marks = Checkpoints(tmp_path / str(attempt), "key", 0.0)
        history = [{"epoch": number} for number in range(500)]
        marks.save(500, {"weight": jnp.ones(3)}, history)
        history.append({"epoch": 500})  # as the next epoch does, while the checkpoint is being written
        marks.manager.wait_until_finished()

        found = marks.restore({"weight": jnp.zeros(3)})
        marks.close()
        assert found is not None
        assert len(found[2]) == found[0] == 500


def test_differences_name_what_was_added_and_removed():
    assert differences({"a": {"x": 1}, "b": 2}, {"a": {"y": 3}}) == [
        "a.x: 1, now None",
        "a.y: None, now 3",
        "b: 2, now None",
    ]
