"""A run whose weights go on when the data grow, and a run that holds few examples at once."""

import numpy as np
import pandas as pd
import pytest
import yaml
from test_dag import DATASET, RUN, jobs, snakemake, write_year

from geojax import store
from geojax.task import BEFORE

SPLIT = DATASET["split"] | {"train": ["1990-01-01", "1996-12-31"]}
WARM = RUN | {"training": RUN["training"] | {"update": "warm"}}


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    directory = tmp_path_factory.mktemp("updated")
    for folder in ("raw", "config/datasets", "config/runs"):
        (directory / folder).mkdir(parents=True)
    for year in range(1991, 2001):
        write_year(directory / "raw", year)
    (directory / "config/datasets/tiny.yaml").write_text(yaml.safe_dump(DATASET | {"split": SPLIT}))
    (directory / "config/runs/tiny.yaml").write_text(yaml.safe_dump(WARM))
    done = snakemake(directory)
    assert done.returncode == 0, done.stderr
    return directory


@pytest.fixture(scope="module")
def updated(archive):
    before = store.read_json(archive / "results/tiny/scores.json")
    write_year(archive / "raw", 1990)
    done = snakemake(archive)
    assert done.returncode == 0, done.stderr
    return before, done


def test_a_year_more_to_train_on_shows_the_scores_before_and_after(archive, updated):
    before, _ = updated
    found = store.read_json(archive / "results/tiny/scores.json")

    assert before["others"] == {}
    # The test years are as they were, so the old model scores as it did.
    assert found["others"][BEFORE]["value"] == pytest.approx(before["model"]["value"], rel=1e-6)
    assert found["model"]["value"] != before["model"]["value"]
    assert {"difference", "difference_low", "difference_high"} <= set(found["others"][BEFORE])
    assert found["best_baseline"] != BEFORE
    assert BEFORE in (archive / "report/runs/tiny.html").read_text()


def test_manifest_and_history_tell_what_the_weights_came_from(archive, updated):
    told = store.read_json(archive / "results/tiny/model.manifest.json")
    history = pd.read_parquet(archive / "results/tiny/history.parquet")

    assert [own["training_groups"] for own in told["lineage"]] == [6, 7]
    assert told["start"] == told["lineage"][0]["key"]
    assert set(history["start"]) == {told["start"]}
    assert set(history["data"]) == {told["lineage"][1]["data"]}


def test_training_again_on_the_same_data_gives_the_same_weights(archive, updated):
    before = store.read_json(archive / "results/tiny/model.manifest.json")

    done = snakemake(archive, "--forcerun", "train_model", "--until", "train_model")

    assert done.returncode == 0, done.stderr
    assert jobs(done)["train_model"] == 1
    assert store.read_json(archive / "results/tiny/model.manifest.json") == before


def test_a_run_in_pools_scores_its_predictions_as_a_run_on_the_whole(archive, updated):
    training = RUN["training"] | {"resident": 10}
    (archive / "config/runs/pools.yaml").write_text(yaml.safe_dump(RUN | {"training": training}))

    done = snakemake(archive, "--config", "runs=pools")

    assert done.returncode == 0, done.stderr
    pools, whole = (store.read_json(archive / f"results/{run}/scores.json") for run in ("pools", "tiny"))
    assert pools["sampled"] == {"train": [10, 28]}  # all eight validation examples may be held
    assert pools["model"]["value"] < pools["baselines"]["climatology"]["value"]
    # No climatology depends on what is held at once: its score is the whole's, summed by blocks.
    for key in ("value", "low", "high"):
        assert pools["baselines"]["climatology"][key] == pytest.approx(whole["baselines"]["climatology"][key])
    assert np.isfinite(store.read(archive / "results/pools/predictions.zarr")["test"]).all()
    assert "fixed sample of 10 of 28 train examples" in (archive / "report/runs/pools.html").read_text()
