"""A trained model is applied to one's own files, or it is said plainly why not."""

from pathlib import Path

import pytest

from geojax import application, workflow
from geojax.errors import UserError


@pytest.fixture
def plan(configure):
    return workflow.read(configure())


def test_a_file_that_is_not_there_is_named(plan, tmp_path):
    with pytest.raises(UserError, match=r"nowhere.mseed: must be a file or a folder, but there is none"):
        application.apply("gaps", plan.runs["gaps"], plan.datasets, [Path("nowhere.mseed")], tmp_path)


def test_a_run_that_was_not_trained_says_how_to_train_it(plan, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    with pytest.raises(UserError, match=r"no trained model yet\. Run: snakemake --cores all --config runs=gaps"):
        application.apply("gaps", plan.runs["gaps"], plan.datasets, [tmp_path], tmp_path / "found")
