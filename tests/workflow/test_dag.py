"""The whole DAG on a tiny archive of yearly files: from nothing, with nothing to do, and with a new year."""

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import conftest
import numpy as np
import pytest
import xarray as xr
import yaml

from geojax import store

DATASET = conftest.DATASET | {"source": {"kind": "files", "pattern": "raw/sst_{part}.nc"}, "parts": {"by": "file"}}
RUN = conftest.RUN | {
    "dataset": "tiny",
    "title": "tiny",
    "examples": {"training_gaps": 4, "evaluation_gaps": 2, "folds": 3, "coverages": [0.25, 0.75]},
    "training": conftest.RUN["training"] | {"steps": 4},
    "evaluation": {"resamples": 100},
}


def write_year(directory: Path, year: int) -> None:
    """A year of monthly fields: a season, a few random patterns, noise; one cell of land."""
    patterns = np.random.default_rng(0).normal(size=(3, 6, 8))
    generator = np.random.default_rng(year)
    months = np.arange(12)
    season = 3 * np.cos(2 * np.pi * months / 12)[:, None, None]
    fields = 20 + season + np.einsum("mk,kij->mij", generator.normal(size=(12, 3)), patterns)
    fields += 0.5 * generator.normal(size=fields.shape)
    fields[:, 0, 0] = np.nan
    times = np.array([f"{year}-{m + 1:02d}-16" for m in months], "datetime64[ns]")
    coords = {"time": times, "lat": np.linspace(-12.5, 12.5, 6), "lon": np.linspace(180, 215, 8)}
    array = xr.DataArray(fields, coords, ("time", "lat", "lon"), attrs={"units": "degree_Celsius"})
    array.to_dataset(name="sst").to_netcdf(directory / f"sst_{year}.nc")


def snakemake(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(conftest.ROOT / "Snakefile"), "--cores", "2"]
    return subprocess.run(
        [*command, *arguments], cwd=directory, capture_output=True, text=True, env=os.environ | {"COLUMNS": "200"}
    )


def jobs(done: subprocess.CompletedProcess[str]) -> Counter[str]:
    return Counter(re.findall(r"Finished jobid: \d+ \(Rule: (\w+)\)", done.stdout + done.stderr))


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("archive")
    for folder in ("raw", "config/datasets", "config/runs"):
        (directory / folder).mkdir(parents=True)
    for year in range(1991, 2001):
        write_year(directory / "raw", year)
    (directory / "config/datasets/tiny.yaml").write_text(yaml.safe_dump(DATASET))
    (directory / "config/runs/tiny.yaml").write_text(yaml.safe_dump(RUN))
    return directory


@pytest.fixture(scope="module")
def first(archive: Path) -> subprocess.CompletedProcess[str]:
    return snakemake(archive)


def test_the_whole_dag_runs_and_ends_with_scores_and_a_report(archive, first):
    assert first.returncode == 0, first.stderr
    assert jobs(first) == {"ingest_part": 10, "normalize_part": 10, "gather_parts": 3, "all": 1} | dict.fromkeys(
        (
            "fit_scaling",
            "index_examples",
            "train_model",
            "predict",
            "fit_baselines",
            "evaluate_run",
            "write_page",
            "write_report",
        ),
        1,
    )
    assert "optimal interpolation" in first.stdout
    assert str(archive / "report" / "index.html") in first.stdout
    assert 0 < store.read_json(archive / "results/tiny/scores.json")["model"]["value"] < 5


def test_every_store_agrees_with_its_manifest(archive, first):
    stores = sorted(archive.rglob("*.zarr"))

    assert len(stores) == 10 + 1 + 10 + 3 + 1  # the last are the finished weights that a warm start begins from
    assert [line for path in stores for line in store.differences(path)] == []


def test_predictions_say_which_model_made_them_of_which_data_and_hold_nothing_else(archive, first):
    results = archive / "results/tiny"
    weights, index = (store.read_json(results / f"{kind}.manifest.json")["digest"] for kind in ("model", "index"))

    model, baselines = (store.read(results / f"{kind}.zarr") for kind in ("predictions", "baselines"))

    assert model.attrs["source"] == f"made by geojax, run tiny: model gap_filler, weights {weights}"
    assert model.attrs["trained_on"] == f"training examples of tiny, as index {index} lists them"
    assert set(model) == {"validation", "test"}
    assert baselines.attrs["source"] == "made by geojax, run tiny: baselines, each a variable"
    assert baselines.attrs["trained_on"] == model.attrs["trained_on"]


def test_a_second_run_has_nothing_to_do(archive, first):
    again = snakemake(archive)

    assert again.returncode == 0, again.stderr
    assert jobs(again) == {}
    assert "Nothing to be done" in again.stdout + again.stderr


def test_a_further_year_is_ingested_and_normalized_alone_and_training_and_what_follows_run(archive, first):
    before = {path: store.digest(path) for path in archive.rglob("data/**/*.manifest.json")}
    write_year(archive / "raw", 2001)

    done = snakemake(archive)

    assert done.returncode == 0, done.stderr
    assert jobs(done) == {"gather_parts": 2} | dict.fromkeys(
        ("ingest_part", "normalize_part", "index_examples", "train_model", "predict", "fit_baselines",
         "evaluate_run", "write_page", "write_report", "all"), 1,
    )  # fmt: skip
    assert before == {path: store.digest(path) for path in before}


@pytest.mark.parametrize(
    ("section", "change", "rules"),
    [
        ("evaluation", {"resamples": 120}, {"evaluate_run", "write_page", "write_report"}),
        ("training", {"epochs": 1}, {"train_model", "predict", "evaluate_run", "write_page", "write_report"}),
    ],
)
def test_an_edited_section_reruns_only_the_rules_that_receive_it(archive, first, section, change, rules):
    path = archive / "config/runs/tiny.yaml"
    path.write_text(yaml.safe_dump(RUN | {section: RUN[section] | change}))

    done = snakemake(archive, "--dry-run")

    path.write_text(yaml.safe_dump(RUN))
    planned = set(re.findall(r"^(?:local)?rule (\w+):", done.stdout, re.MULTILINE)) - {"all"}
    assert planned == rules


@pytest.fixture
def copy(archive, first, tmp_path):
    subprocess.run(["cp", "-a", f"{archive}/.", str(tmp_path)], check=True)
    return tmp_path


def test_a_truncated_raw_file_ends_with_one_plain_message_and_nothing_half_written(copy):
    path = copy / "raw" / "sst_2003.nc"
    write_year(copy / "raw", 2003)
    path.write_bytes(path.read_bytes()[:3000])

    done = snakemake(copy)

    assert done.returncode != 0
    assert re.search(r"sst_2003\.nc: must be a NetCDF file that can be read to its end", done.stderr)
    assert not list(copy.rglob("*2003*.zarr")) + list(copy.rglob("*2003*manifest*"))
    assert store.differences(copy / "data/tiny/parts/1991.zarr") == []


def test_a_broken_file_is_set_aside_the_rest_goes_on_and_the_report_lists_it_until_it_is_mended(copy):
    before = store.read_json(copy / "results/tiny/index.manifest.json")["groups"]
    path = copy / "raw" / "sst_1999.nc"
    path.write_bytes(path.read_bytes()[:3000])
    (copy / "config/datasets/tiny.yaml").write_text(yaml.safe_dump(DATASET | {"quality": {"policy": "quarantine"}}))

    done = snakemake(copy)

    assert done.returncode == 0, done.stderr
    assert "sst_1999.nc: must be a NetCDF file" in store.set_aside(copy / "data/tiny/parts/1999.zarr")
    assert "sst_1999.nc: must be a NetCDF file" in store.set_aside(copy / "data/tiny/normalized/1999.zarr")
    after = store.read_json(copy / "results/tiny/index.manifest.json")["groups"]
    assert set(before) - set(after) == {"1999"}
    page = (copy / "report/runs/tiny.html").read_text()
    assert "1 part is set aside and in no result" in page
    assert "sst_1999.nc: must be a NetCDF file" in page
    assert "part 1999 is set aside" in done.stdout + done.stderr

    write_year(copy / "raw", 1999)
    again = snakemake(copy)

    assert again.returncode == 0, again.stderr
    assert {name: jobs(again)[name] for name in ("ingest_part", "normalize_part", "fit_scaling", "train_model")} == {
        "ingest_part": 1, "normalize_part": 1, "fit_scaling": 0, "train_model": 1
    }  # fmt: skip
    assert "no fault was found" in (copy / "report/runs/tiny.html").read_text()


def test_a_misspelt_setting_ends_before_any_job(copy):
    run = RUN | {"training": RUN["training"] | {"learning_rte": 0.1}}
    (copy / "config/runs/tiny.yaml").write_text(yaml.safe_dump(run))

    done = snakemake(copy)

    assert done.returncode != 0
    assert "config/runs/tiny.yaml: training: no setting `learning_rte`. Did you mean learning_rate?" in done.stderr
    assert jobs(done) == {}


def test_a_killed_training_goes_on_and_ends_with_the_same_weights(copy):
    digest = store.read_json(copy / "results/tiny/model.manifest.json")["digest"]
    subprocess.run(["rm", "-r", str(copy / "results/tiny/model.zarr"), str(copy / "results/tiny/checkpoints")])
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(conftest.ROOT / "Snakefile"), "--cores", "2"]
    target = "results/tiny/model.manifest.json"
    running = subprocess.Popen([*command, "--forcerun", "train_model", "--", target], cwd=copy, start_new_session=True)
    time.sleep(9)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()

    subprocess.run([*command, "--unlock"], cwd=copy, check=True, capture_output=True)
    done = snakemake(copy, "--rerun-incomplete", "--forcerun", "train_model", "--", target)

    assert done.returncode == 0, done.stderr
    assert store.read_json(copy / "results/tiny/model.manifest.json")["digest"] == digest
