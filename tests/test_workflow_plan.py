"""What the rules ask of the configuration: names checked, files named, digests that follow what is used."""

import datetime
import inspect
import json
import subprocess
import sys

import pytest
import yaml
from conftest import ROOT

from geojax import code, workflow
from geojax.data import readers
from geojax.errors import UserError


class Wildcards(dict):
    """As Snakemake hands them over: by attribute and by `get`."""

    __getattr__ = dict.__getitem__


def refusal(configure, inside: bool = False) -> str:
    """What a user is told of the configuration, without the folder it lies in."""
    folder = configure()
    plan = workflow.read(folder) if inside else None  # else refused before any task, model or reader is imported
    with pytest.raises(UserError) as caught:
        workflow.check_inside(plan, folder) if plan else workflow.read(folder)
    return str(caught.value).replace(f"{folder}/", "")


def test_the_shipped_configuration_is_in_order_to_the_last_setting():
    plan = workflow.read(ROOT / "config")

    workflow.check_inside(plan, ROOT / "config")

    assert set(plan.runs) == {path.stem for path in (ROOT / "config" / "runs").glob("*.yaml")}
    assert set(plan.datasets) == {name for run in plan.runs.values() for name in run.datasets}


def test_planning_imports_nothing_heavy():
    heavy = ("jax", "flax", "xarray", "zarr", "pandas", "matplotlib", "obspy", "sklearn", "scipy", "numpy")
    script = f"import sys; from geojax import ending, workflow; print([m for m in {heavy!r} if m in sys.modules])"

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("kind", ["task", "model"])
def test_an_unknown_task_or_model_is_answered_with_those_there_are(configure, run, kind):
    if kind == "task":
        run["task"] = "sst_gap"
    else:
        run["model"]["name"] = "unett"

    told = refusal(configure)

    assert told.startswith(f"runs/gaps.yaml: {kind}: there is no `{'sst_gap' if kind == 'task' else 'unett'}`.")
    assert {"task": "seismic_phases, seismic_picking, sst_gaps", "model": "cnn, cnn2d, "}[kind] in told


def test_what_merely_lies_among_the_models_is_no_model(configure, run):
    run["model"]["name"] = "layers"  # a module of geojax.models, but it ends in no MODEL

    assert "there is no `layers`" in refusal(configure)


def test_an_unknown_reader_is_answered_with_those_there_are(configure, dataset):
    dataset["reader"]["name"] = "grid"

    told = refusal(configure)

    there = ", ".join(readers.names())
    assert told == f"datasets/fields.yaml: reader: name: there is no `grid`. There are: {there}."


def test_an_unknown_dataset_is_answered_with_those_there_are(configure, run):
    run["dataset"] = "feilds"

    assert refusal(configure) == "datasets/feilds.yaml: there is no such file. Found beside it: fields."


def test_a_reference_that_names_an_absent_part_is_refused(configure, dataset):
    dataset["scaling"]["reference"] = ["1989-1996"]

    told = refusal(configure)

    assert told.startswith("datasets/fields.yaml: scaling: reference: 1989, 1990 must be parts of the dataset")
    assert "1991 … 2000 (10 in all)" in told


def test_a_dataset_that_no_run_uses_is_not_read(configure):
    folder = configure()
    (folder / "datasets" / "broken.yaml").write_text("not: [a dataset")

    assert set(workflow.read(folder).datasets) == {"fields"}


def test_only_the_runs_asked_for_are_read(configure):
    folder = configure()
    (folder / "runs" / "broken.yaml").write_text("not: [a run")
    text = (folder / "runs" / "gaps.yaml").read_text()
    (folder / "runs" / "other.yaml").write_text(text)

    assert set(workflow.read(folder, only="gaps").runs) == {"gaps"}
    assert set(workflow.read(folder, only="other, gaps").runs) == {"gaps", "other"}
    with pytest.raises(UserError, match=r"runs=gap: there is no .*/runs/gap\.yaml\. Runs: broken, gaps, other\."):
        workflow.read(folder, only="gap")


def test_a_folder_without_runs_is_refused(tmp_path):
    with pytest.raises(UserError, match="must hold at least one run"):
        workflow.read(tmp_path)


def test_an_unknown_setting_of_the_task_is_refused_with_the_nearest_known(configure, run):
    run["examples"] = {"coverage": [0.5]}

    told = refusal(configure, inside=True)

    assert told == "runs/gaps.yaml: examples: no setting `coverage`. Did you mean coverages?"


def test_an_unknown_size_of_the_model_is_refused_with_the_nearest_known(configure, run):
    run["model"]["wdith"] = 8

    told = refusal(configure, inside=True)

    assert told == "runs/gaps.yaml: model: no setting `wdith`. Did you mean width?"


def test_a_size_of_the_wrong_type_is_refused(configure, run):
    run["model"]["width"] = "broad"

    told = refusal(configure, inside=True)

    assert told.startswith("runs/gaps.yaml: model: `width`: ")
    assert "(came: 'broad')" in told


def test_a_model_that_the_task_does_not_take_is_refused(configure, run):
    run["model"] = {"name": "cnn"}

    assert refusal(configure, True) == "runs/gaps.yaml: model: name: sst_gaps takes gap_filler, not cnn."


def generating(run):
    return run | {"task": "terrain_gan", "model": {"name": "relief_gan"}}


def test_several_models_whose_predictions_have_no_mean_are_refused(configure, run):
    run |= generating(run) | {"training": run["training"] | {"ensemble": 2}}

    assert refusal(configure, inside=True) == (
        "runs/gaps.yaml: training: ensemble: must be 1, as the mean of what several models of terrain_gan predict is "
        "no prediction, but is 2. Leave it out."
    )


def test_several_models_whose_predictions_have_a_mean_are_admitted(configure, run):
    run["training"]["ensemble"] = 2
    folder = configure()

    workflow.check_inside(workflow.read(folder), folder)


def test_what_is_kept_with_one_model_is_refused_where_each_fold_has_its_own(configure, dataset, run):
    run |= generating(run)
    dataset["split"] = {"by": "fold"}
    dataset["scaling"] = {"center": "none", "spread": "none"}

    told = refusal(configure, inside=True)

    assert told.startswith("runs/gaps.yaml: dataset: must be split by group or by time, as terrain_gan keeps something")
    assert "fields is split by fold" in told


def test_an_option_that_the_reader_does_not_take_is_refused(configure, dataset):
    dataset["reader"]["options"] = {"engine": "h5"}

    told = refusal(configure, inside=True)

    assert told.startswith("datasets/fields.yaml: reader: options: no setting `engine`.")


def test_what_was_checked_is_not_checked_again_until_it_changes(configure, run, tmp_path, monkeypatch):
    checked = []
    monkeypatch.setattr(workflow.reading, "check_inside", lambda plan: checked.append(plan))

    for width in (4, 4, 8, 4):
        run["model"]["width"] = width
        workflow.check_once(workflow.read(configure()), tmp_path / "kept")

    assert [plan.runs["gaps"].model.sizes["width"] for plan in checked] == [4, 8]


@pytest.mark.parametrize("module", ["tasks/sst_gaps.py", "models/gap_filler.py", "data/readers/netcdf.py"])
def test_what_was_checked_is_checked_again_when_that_which_knows_the_settings_changes(
    configure, tmp_path, monkeypatch, package, module
):
    checked = []
    monkeypatch.setattr(workflow.reading, "check_inside", checked.append)
    plan = workflow.read(configure())
    workflow.check_once(plan, tmp_path / "kept")

    (package / module).write_text((package / module).read_text() + "\nEDITED = True\n")
    code.digest.cache_clear()  # rules ask in processes of their own
    workflow.check_once(workflow.read(configure()), tmp_path / "kept")

    assert len(checked) == 2


def test_what_was_refused_is_checked_again(configure, run, tmp_path):
    run["model"]["wdith"] = 4
    plan = workflow.read(configure())

    for _ in range(2):
        with pytest.raises(UserError, match="wdith"):
            workflow.check_once(plan, tmp_path / "kept")


def test_a_part_of_a_package_comes_from_what_was_fetched(configure):
    plan = workflow.read(configure())

    assert plan.raw_of_part(Wildcards(dataset="fields", part="1995")) == ["data/fields/raw/whole.manifest.json"]


def test_a_part_of_ones_own_files_comes_from_its_file(configure, dataset, tmp_path):
    for year in range(1991, 2001):
        (tmp_path / f"sst_{year}.nc").touch()
    dataset |= {"source": {"kind": "files", "pattern": f"{tmp_path}/sst_{{part}}.nc"}, "parts": {"by": "file"}}
    plan = workflow.read(configure())

    assert plan.part_names["fields"] == [str(year) for year in range(1991, 2001)]
    assert plan.raw_of_part(Wildcards(dataset="fields", part="1995")) == [f"{tmp_path}/sst_1995.nc"]


def test_a_run_depends_on_every_part_and_the_scaling_on_the_reference_only(configure):
    plan = workflow.read(configure())

    def manifests(kind, last):
        return [f"data/fields/{kind}/{year}.manifest.json" for year in range(1991, last + 1)]

    def gathered(kind):
        return plan.gathered(Wildcards(dataset="fields", kind=kind))

    assert plan.parts_of_run(Wildcards(run="gaps")) == ["data/fields/parts.json"]
    assert plan.normalized_of_run(Wildcards(run="gaps")) == ["data/fields/normalized.json"]
    assert gathered("parts") == manifests("parts", 2000)
    assert gathered("normalized") == manifests("normalized", 2000)
    assert gathered("reference") == manifests("parts", 1996)
    assert plan.splits_of_run(Wildcards(run="gaps"))["fields"]["reference"] == list(map(str, range(1991, 1997)))
    assert plan.scaling_of_run(Wildcards(run="gaps")) == ["data/fields/scaling.manifest.json"]


def test_a_rule_sees_its_own_section_only(configure, dataset, run):
    plan = workflow.read(configure())

    assert plan.run_section("training.batch_size")(Wildcards(run="gaps")) == 4
    assert plan.run_section("model")(Wildcards(run="gaps")) == run["model"]
    assert plan.dataset_section("scaling")(Wildcards(dataset="fields")) == dataset["scaling"]


def test_editing_one_section_leaves_all_others_as_they_were(configure, run):
    names = ("task", "examples", "model", "training", "evaluation")
    before = workflow.read(configure())
    run["training"]["learning_rate"] = 0.1
    after = workflow.read(configure())

    of = Wildcards(run="gaps")

    assert [n for n in names if before.run_section(n)(of) != after.run_section(n)(of)] == ["training"]


def test_sections_are_what_json_can_hold(configure):
    plan = workflow.read(configure())

    told = plan.configuration_of_run(Wildcards(run="gaps"))

    assert json.loads(json.dumps(told)) == told


def test_the_code_of_a_job_is_that_of_its_own_task_model_and_reader(configure):
    plan = workflow.read(configure())
    run, part = Wildcards(run="gaps"), Wildcards(dataset="fields", part="1991")

    assert plan.code("train_model")(run) == code.digest("train_model", "tasks.sst_gaps", "models.gap_filler")
    assert plan.code("ingest_part")(part) == code.digest("ingest_part", "data.readers.netcdf")
    assert plan.code("fit_scaling")(part) == code.digest("fit_scaling")
    assert plan.code("gather_parts")(part) == code.digest("gather_parts")
    assert plan.code("write_page")(run) == code.digest("write_page", "tasks.sst_gaps")
    assert plan.code("write_report")(Wildcards(selection="index")) == code.digest("write_report")


def test_a_plan_that_remembers_digests_tells_the_same(configure, tmp_path):
    part = Wildcards(dataset="fields", part="1991")

    for _ in range(2):
        plan = workflow.read(configure(), kept=tmp_path / "kept")
        assert plan.code("ingest_part")(part) == code.digest("ingest_part", "data.readers.netcdf")


def test_what_is_asked_together_is_what_each_tells(configure, dataset):
    plan = workflow.read(configure())
    ask = workflow.together(scaling=plan.dataset_section("scaling"), raw=plan.raw_of_part)

    found = ask(Wildcards(dataset="fields", part="1995"))

    assert found == {"scaling": dataset["scaling"], "raw": ["data/fields/raw/whole.manifest.json"]}
    assert list(inspect.signature(ask).parameters) == ["wildcards"]  # Snakemake hands over what this names


def add(configure, name, **changes):
    """Write another run like `gaps` beside it."""
    directory = configure()
    path = directory / "runs" / f"{name}.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load((directory / "runs/gaps.yaml").read_text()) | changes))
    return directory


def test_a_plain_run_makes_what_is_quick_and_what_is_named_is_made_anyway(configure):
    directory = add(configure, "slow", quick=False)

    index, every = Wildcards(selection="index"), Wildcards(selection="all_tasks")
    plain, named = workflow.read(directory), workflow.read(directory, only="slow")

    assert plain.scores_of_report(index) == ["results/gaps/scores.json"]
    assert plain.pages_of_report(every) == ["report/runs/gaps.html", "report/runs/slow.html"]
    assert named.scores_of_report(index) == ["results/slow/scores.json"]


def test_the_run_that_is_compared_with_comes_along_but_is_not_reported(configure):
    plan = workflow.read(add(configure, "wide", against="gaps", model={"name": "gap_filler", "width": 8}), only="wide")

    assert set(plan.runs) == {"gaps", "wide"}
    assert plan.wanted == ["wide"]
    assert plan.rival_of_run(Wildcards(run="wide"))[0] == "results/gaps/predictions.manifest.json"
    assert plan.rival_of_run(Wildcards(run="gaps")) == []
    assert plan.baselines_of_run(Wildcards(run="wide")) == "results/gaps/baselines.manifest.json"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"against": "gasp"}, "against: must be another run, but is `gasp`"),
        ({"against": "other"}, "against: must be another run, but is `other`"),
        ({"against": "gaps", "examples": {"training_gaps": 5}}, "`examples` differs from that of"),
    ],
)
def test_what_cannot_be_compared_in_pairs_is_refused(configure, changes, told):
    with pytest.raises(UserError, match=told):
        workflow.read(add(configure, "other", **changes))


def test_datasets_of_one_run_must_not_be_scaled_each_by_its_own_statistics(configure, run):
    run["dataset"] = ["fields", "others"]
    directory = configure()
    (directory / "datasets/others.yaml").write_text((directory / "datasets/fields.yaml").read_text())

    with pytest.raises(UserError, match="fields is scaled by statistics of its own"):
        workflow.read(directory)


def test_a_tiny_run_differs_in_what_its_section_says(configure, run):
    run["tiny"] = {"examples": {"training_gaps": 1}, "training": {"epochs": 1}}

    plain = workflow.read(configure(), tiny="false").runs["gaps"]
    tiny = workflow.read(configure(), tiny="True").runs["gaps.tiny"]

    assert plain.training.epochs == run["training"]["epochs"]
    assert (tiny.training.epochs, tiny.training.steps, tiny.evaluation.resamples) == (1, 2, 100)
    assert tiny.training.batch_size == run["training"]["batch_size"]
    assert tiny.examples == run.get("examples", {}) | {"training_gaps": 1}


def test_trials_have_names_of_their_own_and_leave_the_results_of_the_runs_alone(configure):
    directory = add(configure, "wide", against="gaps", model={"name": "gap_filler", "width": 8}, quick=False)

    plain, tiny, one = (workflow.read(directory, only, tiny=said)
                        for only, said in ((None, False), (None, True), ("wide", True)))  # fmt: skip

    assert set(tiny.runs) == {"gaps.tiny", "wide.tiny"}
    assert tiny.datasets == plain.datasets
    assert (plain.front(), tiny.front("all_tasks")) == ("report/index.html", "report/all_tasks.tiny.html")
    every = tiny.pages_of_report(Wildcards(selection="all_tasks.tiny"))
    assert every == ["report/runs/gaps.tiny.html", "report/runs/wide.tiny.html"]
    assert tiny.pages_of_report(Wildcards(selection="index.tiny")) == every[:1]
    assert tiny.baselines_of_run(Wildcards(run="wide.tiny")) == "results/gaps.tiny/baselines.manifest.json"
    assert one.wanted == ["wide.tiny"]


def test_a_wrong_setting_of_the_tiny_run_is_told_with_its_place(configure, run):
    run["tiny"] = {"training": {"epohcs": 1}}

    with pytest.raises(UserError, match=r"gaps.yaml: tiny: training: no setting `epohcs`. Did you mean epochs"):
        workflow.read(configure(), tiny=True)


def test_tiny_is_true_or_false(configure):
    with pytest.raises(UserError, match="tiny must be true or false, but is 'ture'"):
        workflow.read(configure(), tiny="ture")


def test_a_date_among_the_settings_of_a_task_is_handed_on_as_a_word(configure, run):
    run["examples"] = {"known_until": datetime.date(2008, 1, 31)}

    plan = workflow.read(configure())

    assert plan.run_section("examples")(Wildcards(run="gaps"))["known_until"] == "2008-01-31"
