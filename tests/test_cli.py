"""The command says what there is, checks what is configured, and verifies what is stored."""

import json
import subprocess
import sys
from importlib.metadata import entry_points

import jsonschema
import numpy as np
import pytest
import xarray as xr
import yaml
from conftest import ROOT

from geojax import cli, models, store
from geojax.data import readers


@pytest.fixture
def geojax(monkeypatch, capsys):
    """Runs the command; returns its exit status and what it said, spaces and colours aside."""

    def run(*arguments: object) -> tuple[object, str]:
        monkeypatch.setenv("COLUMNS", "200")
        monkeypatch.setattr(sys, "argv", ["geojax", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return ended.value.code, " ".join((said.out + said.err).split())

    return run


@pytest.fixture
def stores(tmp_path):
    for name in ("1991", "1992"):
        store.write(xr.Dataset({"x": ("t", np.arange(5.0))}), tmp_path / "data" / f"{name}.zarr")
    return tmp_path / "data"


def test_help_names_every_command(geojax):
    status, said = geojax("--help")

    assert status == 0
    assert all(
        name in said for name in ("tasks", "models", "check", "readers", "verify", "repair", "tidy", "schema", "scores")
    )


def test_tasks_are_listed_with_their_question_and_models(geojax):
    status, said = geojax("tasks")

    assert status == 0
    assert "sst_gaps (gap_filler): What is the sea surface temperature" in said
    assert "seismic_phases (cnn, cnn2d): " in said


def test_the_shipped_configuration_passes_the_check(geojax):
    status, said = geojax("check", "--config", ROOT / "config")

    runs, datasets = (len(list((ROOT / "config" / kind).glob("*.yaml"))) for kind in ("runs", "datasets"))
    assert (status, said) == (0, f"{runs} runs and {datasets} datasets are in order.")


def test_a_misspelt_setting_fails_the_check_in_one_plain_message(geojax, configure, run):
    run["model"]["wdith"] = 8

    status, said = geojax("check", "--config", configure())

    assert str(status).endswith("model: no setting `wdith`. Did you mean width?")
    assert "Traceback" not in said


def test_untouched_stores_verify(geojax, stores):
    assert geojax("verify", stores) == (0, "2 manifests compared, 0 differences")


def test_one_store_may_be_verified_by_itself(geojax, stores):
    assert geojax("verify", stores / "1991.zarr") == (0, "1 manifests compared, 0 differences")


def test_a_store_tampered_with_fails_and_is_named(geojax, stores):
    chunk = stores / "1992.zarr" / "x" / "c" / "0"
    chunk.write_bytes(chunk.read_bytes()[:-1] + b"!")

    status, said = geojax("verify", stores)

    assert status == 1
    assert f"{chunk}: content differs" in said
    assert "2 manifests compared, 1 differences" in said
    assert "1991" not in said


def test_a_store_without_manifest_fails_and_is_named(geojax, stores):
    (stores / "1991.manifest.json").unlink()

    status, said = geojax("verify", stores)

    assert status == 1
    assert "1991.manifest.json: must be JSON written by geojax" in said
    assert "geojax repair rebuilds what differs" in said


def test_where_all_agrees_there_is_nothing_to_repair_and_snakemake_is_not_asked(geojax, stores, monkeypatch):
    monkeypatch.setattr(subprocess, "run", None)

    assert geojax("repair", stores) == (0, "2 manifests compared, 0 differences")


def test_what_cannot_be_rebuilt_fails_in_one_plain_message(geojax, stores, monkeypatch):
    monkeypatch.chdir(stores.parent)
    (stores / "1991.manifest.json").unlink()

    status, _ = geojax("repair", "data")

    assert "snakemake could not rebuild all of data/1991.manifest.json. What it says above tells why." in str(status)


@pytest.mark.parametrize("name", ["empty", "gone"])
def test_where_there_are_no_stores_nothing_passes_as_verified(geojax, tmp_path, name):
    (tmp_path / "empty").mkdir()

    status, _ = geojax("verify", tmp_path / name)

    assert "must hold Zarr stores, but holds none" in str(status)


def test_models_are_listed_and_told_with_sizes_that_a_run_may_set(geojax):
    _, listed = geojax("models")
    status, told = geojax("models", "lstm")

    assert all(f"{name}: " in listed for name in models.names())
    assert status == 0
    given = yaml.safe_load(" ".join(told[told.index("model: ") :].split()))["model"]
    assert given.pop("name") == "lstm"
    assert models.check_sizes("lstm", given)["hidden"] == 64
    status, said = geojax("models", "lstmm")
    assert "geojax has no model `lstmm`. It has: " in f"{status} {said}"


def test_readers_are_listed_by_what_they_take_and_told_with_their_options(geojax):
    _, listed = geojax("readers")
    status, told = geojax("readers", "netcdf")

    assert all(f"{name}: " in listed for name in readers.names())
    assert status == 0
    assert "raises UserError" in told


def test_an_unknown_reader_is_answered_with_those_there_are(geojax):
    status, said = geojax("readers", "netcfd")

    assert "geojax has no reader `netcfd`. It has: " in f"{status} {said}"


def test_what_no_configuration_makes_is_listed_and_only_on_demand_removed(geojax, configure, tmp_path, monkeypatch):
    configure()
    monkeypatch.chdir(tmp_path)
    for part in ("1991", "1890"):
        store.write(xr.Dataset({"x": ("a", [1.0])}), f"data/fields/parts/{part}.zarr")
    (tmp_path / "data/fields/raw/old").mkdir(parents=True)
    (tmp_path / "data/fields/raw/old/sst.nc").touch()
    store.write_json({"files": {}}, "data/fields/raw/old.manifest.json")

    assert geojax("tidy") == (0, "data/fields/parts/1890 data/fields/raw/old 2 left over; --remove removes them")
    assert store.differences("data/fields/parts/1890.zarr") == []

    assert geojax("tidy", "--remove") == (0, "data/fields/parts/1890 data/fields/raw/old 2 removed")
    assert sorted(p.name for p in tmp_path.glob("data/fields/*/*")) == ["1991.manifest.json", "1991.zarr"]
    assert geojax("tidy") == (0, "0 removed")


@pytest.fixture
def schemas(geojax, tmp_path):
    status, _ = geojax("schema", tmp_path)
    assert status == 0
    return {kind: json.loads((tmp_path / f"{kind}.schema.json").read_text()) for kind in ("dataset", "run")}


def shipped(kind):
    return {
        path: json.loads(json.dumps(yaml.safe_load(path.read_text()), default=str))
        for path in (ROOT / "config" / f"{kind}s").glob("*.yaml")
    }


@pytest.mark.parametrize("kind", ["dataset", "run"])
def test_schemas_admit_every_shipped_configuration(schemas, kind):
    admitted = jsonschema.Draft202012Validator(schemas[kind])
    for content in shipped(kind).values():
        admitted.validate(content)


OWN = ("files", "blocks", "variables", "options", "tiny", "player_rates", "kp", "regions")  # keys are the user's own


@pytest.mark.parametrize("kind", ["dataset", "run"])
def test_schemas_refuse_an_unknown_key_anywhere(schemas, kind):
    """Each mapping of each shipped configuration in turn gets a key that nothing knows."""

    def mappings(content):
        if isinstance(content, dict):
            yield content
            for name, inner in content.items():
                if name not in OWN:
                    yield from mappings(inner)

    schema = jsonschema.Draft202012Validator(schemas[kind])
    for content in shipped(kind).values():
        for section in mappings(content):
            section["no_such_key"] = 1
            assert not schema.is_valid(content)
            del section["no_such_key"]
        assert schema.is_valid(content)


def test_schemas_know_the_settings_of_the_task_and_the_sizes_of_the_model(schemas):
    run = next(content for path, content in shipped("run").items() if path.stem == "sst_gaps")

    for wrong in ({"examples": {"coverage": [0.5]}}, {"model": {"name": "gap_filler", "wdith": 3}},
                  {"model": {"name": "cnn"}}, {"task": "sst_gap"}):  # fmt: skip
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(run | wrong, schemas["run"])


@pytest.mark.parametrize("kind", ["dataset", "run"])
def test_the_shipped_schemas_are_those_that_the_command_writes(schemas, kind):
    assert json.loads((ROOT / "config" / f"{kind}.schema.json").read_text()) == schemas[kind]


def test_the_command_is_installed_under_its_name():
    (command,) = entry_points(group="console_scripts", name="geojax")

    assert command.load() is cli.main
