"""Repair rebuilds what is damaged, that alone, to the same bytes, and nothing that follows runs again."""

import shutil
import subprocess
import sys

import pytest
import yaml
from conftest import ROOT
from test_dag import DATASET, RUN, jobs, snakemake, write_year

YEARS = range(1991, 1995)
TARGETS = [f"data/tiny/normalized/{year}.manifest.json" for year in YEARS] + ["results/tiny/index.manifest.json"]
SPLIT = {"by": "time", "train": ["1991-01-01", "1992-12-31"], "validation": ["1993-01-01", "1993-12-31"]}


def geojax(folder, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "geojax.cli", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def contents(folder) -> dict[str, bytes]:
    every = [p for kind in ("data", "results") for p in (folder / kind).rglob("*")]
    return {str(p.relative_to(folder)): p.read_bytes() for p in every if p.is_file()}


@pytest.fixture(scope="module")
def undamaged(tmp_path_factory):
    """Parts, scaling, normalized parts and index of four years."""
    tmp_path = tmp_path_factory.mktemp("archive")
    for name in ("raw", "config/datasets", "config/runs"):
        (tmp_path / name).mkdir(parents=True)
    for year in YEARS:
        write_year(tmp_path / "raw", year)
    scaling = DATASET["scaling"] | {"reference": ["1991-1992"]}
    content = DATASET | {"scaling": scaling, "split": SPLIT | {"test": ["1994-01-01", None]}}
    (tmp_path / "config/datasets/tiny.yaml").write_text(yaml.safe_dump(content))
    (tmp_path / "config/runs/tiny.yaml").write_text(yaml.safe_dump(RUN))
    done = snakemake(tmp_path, *TARGETS)
    assert done.returncode == 0, done.stderr
    return tmp_path


@pytest.fixture
def built(undamaged, tmp_path):
    subprocess.run(["cp", "-a", f"{undamaged}/.", str(tmp_path)], check=True)
    return tmp_path


def test_repair_rebuilds_what_is_damaged_and_the_next_run_has_nothing_to_do(built):
    before, data = contents(built), built / "data/tiny"
    chunk = data / "parts/1991.zarr/sst/c/0/0/0"
    chunk.write_bytes(chunk.read_bytes()[:-1] + b"!")
    (data / "parts/1992.manifest.json").unlink()
    shutil.rmtree(data / "normalized/1993.zarr")
    (data / "scaling.zarr/month").rename(data / "scaling.zarr/moon")
    (built / "results/tiny/index.parquet").write_bytes(b"PAR1")

    verified = geojax(built, "verify", "data", "results")
    repaired = geojax(built, "repair", "--cores", "2", "--snakefile", str(ROOT / "Snakefile"))
    again = snakemake(built, *TARGETS)

    assert verified.returncode == 1
    assert f"{chunk.relative_to(built)}: content differs" in verified.stdout
    assert repaired.returncode == 0, repaired.stderr
    assert jobs(repaired) == {
        "ingest_part": 2, "gather_parts": 2, "fit_scaling": 1, "normalize_part": 1, "index_examples": 1
    }  # fmt: skip
    assert repaired.stdout.endswith("5 manifests compared, 0 differences\n")
    assert jobs(again) == {}
    assert "Nothing to be done" in again.stdout + again.stderr
    assert contents(built) == before


def test_repair_tells_where_what_is_rebuilt_is_another_and_what_follows_it_then_runs(built):
    chunk = built / "data/tiny/parts/1994.zarr/sst/c/0/0/0"
    chunk.write_bytes(b"")
    shutil.copy(built / "raw/sst_1993.nc", built / "raw/sst_1994.nc")  # its raw file is another by now

    repaired = geojax(built, "repair", "--snakefile", str(ROOT / "Snakefile"), "data/tiny/parts")
    again = snakemake(built, *TARGETS[:-1])

    assert repaired.returncode == 0, repaired.stderr
    told = " ".join(repaired.stdout.split())
    assert "data/tiny/parts/1994.manifest.json: rebuilt with another content; the next snakemake reruns" in told
    assert jobs(again) == {"normalize_part": 1}
