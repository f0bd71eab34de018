"""All that a manifest stands for is found and compared; what is broken goes to Snakemake by its target."""

import shutil

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from geojax import store, upkeep
from geojax.errors import UserError


@pytest.fixture
def data(tmp_path):
    """Two stores, a table, and a lot of raw files among which is a store of another's making."""
    for name in ("parts/1991", "parts/1992"):
        store.write(xr.Dataset({"x": ("t", np.arange(5.0))}), tmp_path / f"{name}.zarr")
    store.write_table(pd.DataFrame({"x": [1]}), tmp_path / "index.parquet")
    store.write_json({"digest": store.digest(tmp_path / "index.parquet")}, tmp_path / "index.manifest.json")
    lot = {"sst.nc": b"abc", "far.zarr/zarr.json": b"{}"}
    for name, content in lot.items():
        store.write_bytes(content, tmp_path / "raw" / name)
    digests = {name: store.digest(tmp_path / "raw" / name) for name in lot}
    store.write_json({"files": digests, "source": {}}, tmp_path / "raw.manifest.json")
    return tmp_path


def names(data, found):
    return [str(path.relative_to(data)).removesuffix(".manifest.json") for path in found]


def wrong(data):
    lines = [line for manifest in upkeep.manifests([data]) for line in upkeep.differences(manifest)]
    return [line.removeprefix(f"{data}/") for line in lines]


def test_stores_tables_and_raw_lots_are_found_and_what_lies_in_a_lot_is_left_to_it(data):
    assert names(data, upkeep.manifests([data])) == ["index", "parts/1991", "parts/1992", "raw"]
    assert wrong(data) == []


def test_a_store_without_manifest_and_a_manifest_without_store_are_found(data):
    (data / "parts/1991.manifest.json").unlink()
    shutil.rmtree(data / "parts/1992.zarr")

    assert names(data, upkeep.manifests([data])) == ["index", "parts/1991", "parts/1992", "raw"]
    first, second = wrong(data)
    assert first.startswith("parts/1991.manifest.json: must be JSON written by geojax")
    assert second == "parts/1992.zarr: missing"


def test_a_store_may_be_named_by_itself_or_its_manifest_even_when_it_is_gone(data):
    shutil.rmtree(data / "parts/1992.zarr")
    wanted = [data / "parts/1991.zarr", data / "parts/1992.zarr", data / "parts/1991.manifest.json"]

    assert names(data, upkeep.manifests(wanted)) == ["parts/1991", "parts/1992"]


def test_a_raw_file_that_differs_is_missing_or_too_many_is_named(data):
    (data / "raw/sst.nc").write_bytes(b"abd")
    (data / "raw/far.zarr/zarr.json").unlink()
    (data / "raw/.snakemake_timestamp").touch()
    (data / "raw/note").write_bytes(b"")

    assert wrong(data) == [
        "raw/far.zarr/zarr.json: missing",
        "raw/sst.nc: content differs",
        "raw/note: not in the manifest",
    ]


def test_a_table_that_differs_or_is_missing_is_named(data):
    (data / "index.parquet").write_bytes(b"PAR1")
    assert wrong(data) == ["index.parquet: content differs"]
    (data / "index.parquet").unlink()
    assert wrong(data) == ["index.parquet: missing"]


def test_where_there_is_nothing_to_compare_nothing_passes(tmp_path):
    with pytest.raises(UserError, match="must hold Zarr stores, but holds none"):
        upkeep.manifests([tmp_path, tmp_path / "gone"])


def test_what_lies_outside_the_folder_of_the_dag_cannot_be_rebuilt_from_here(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path / "parts")

    with pytest.raises(UserError, match=r"index\.manifest\.json: must lie below the folder that Snakemake runs in"):
        upkeep.repair([data / "index.manifest.json"], "1")


RULE = """
rule build:
    output:
        "parts/{name}.manifest.json",
        directory("parts/{name}.zarr"),
    shell:
        "ACTION"
"""


@pytest.fixture
def dag(data, monkeypatch):
    """A Snakefile with one rule that restores a store from a copy, or does what else it is told."""

    def set_up(action: str) -> None:
        shutil.copytree(data / "parts", data / "kept")
        (data / "Snakefile").write_text(RULE.replace("ACTION", action))
        shutil.rmtree(data / "parts/1992.zarr")
        monkeypatch.chdir(data)

    return set_up


RESTORE = "cp -r kept/{wildcards.name}.zarr parts/ && cp kept/{wildcards.name}.manifest.json parts/"


def test_a_store_rebuilt_the_same_keeps_the_time_of_its_manifest_and_others_are_not_touched(data, dag):
    dag(RESTORE)
    times = [(data / f"parts/{year}.manifest.json").stat().st_mtime_ns for year in (1991, 1992)]

    assert upkeep.repair([data / "parts/1992.manifest.json"], "1") == []

    assert wrong(data) == []
    assert times == [(data / f"parts/{year}.manifest.json").stat().st_mtime_ns for year in (1991, 1992)]


def test_a_store_rebuilt_otherwise_is_told(data, dag):
    dag(RESTORE + " && echo >> parts/{wildcards.name}.manifest.json")
    before = (data / "parts/1992.manifest.json").stat().st_mtime_ns

    assert upkeep.repair([data / "parts/1992.manifest.json"], "1") == [data / "parts/1992.manifest.json"]

    assert (data / "parts/1992.manifest.json").stat().st_mtime_ns > before


def test_a_rebuild_that_fails_ends_in_one_plain_message(data, dag):
    dag("false")

    with pytest.raises(
        UserError, match=r"snakemake could not rebuild all of parts/1992\.manifest\.json\. What it says"
    ):
        upkeep.repair([data / "parts/1992.manifest.json"], "1")
