"""The digest of a stage changes when something that the stage reaches changes, and only then."""

import json
from collections.abc import Iterable
from pathlib import Path

import pytest
from conftest import ROOT

from geojax import code

GAPS = ("tasks.sst_gaps",)
STAGES = {
    "ingest_part": ("data.readers.netcdf",),
    "fit_scaling": (),
    "normalize_part": (),
    "gather_parts": (),
    "index_examples": GAPS,
    "train_model": (*GAPS, "models.gap_filler"),
    "predict": (*GAPS, "models.gap_filler"),
    "fit_baselines": GAPS,
    "evaluate_run": GAPS,
    "write_page": ("tasks.sst_gaps",),
}


def digests(among: Iterable[str] = STAGES) -> dict[str, str]:
    code.digest.cache_clear()  # rules ask in processes of their own
    return {stage: code.digest(stage, *STAGES[stage]) for stage in among}


def touched_by(path: Path, text: str = "\nEDITED = True\n", among: Iterable[str] = STAGES) -> set[str]:
    """Stages whose digest changes with this file; the file is put back."""
    before, content = digests(among), path.read_bytes() if path.exists() else None
    path.write_bytes((content or b"") + text.encode())
    after = digests(among)
    path.unlink() if content is None else path.write_bytes(content)
    return {stage for stage in among if before[stage] != after[stage]}


def test_digests_do_not_depend_on_where_the_library_lies(package, monkeypatch):
    here = digests()
    monkeypatch.setattr(code, "PACKAGE", Path(code.__file__).parent)

    assert digests() == here


def test_digests_are_the_same_whenever_asked(package):
    assert digests() == digests()


def test_a_stage_of_preparation_depends_on_its_own_module_and_the_store_alone(package):
    reaching = {
        str(path.relative_to(package)): touched_by(path, among=("ingest_part", "fit_scaling", "normalize_part"))
        for path in [
            *package.glob("*.py"),
            *package.glob("data/*.py"),
            *package.glob("data/readers/**/*.py"),
            *package.glob("store/*.py"),
        ]
    }

    def modules(stage):
        return {module for module, stages in reaching.items() if stage in stages}

    writing, reading = ("encoding", "shards", "staging"), ("arrays", "backend", "blocks", "chunks", "layouts", "plans")
    keeping = {f"store/{name}.py" for name in ("__init__", "manifests", *writing, *reading)}
    assert modules("normalize_part") == {*keeping, "data/scaling.py"}
    assert modules("fit_scaling") == {*keeping, "data/scaling.py", "data/moments.py", "data/gathered.py"}
    readers = {f"data/readers/{name}.py" for name in ("__init__", "netcdf", "fields/classic", "fields/grid")}
    asked = {"data/survey.py", "data/fills.py", "data/quality.py", "data/steadiness.py"}
    assert modules("ingest_part") >= {*keeping, *asked, *readers}
    assert not modules("ingest_part") & {"data/parts.py", "data/raw.py", "data/scaling.py", "workflow.py"}


@pytest.mark.parametrize("module", ["log", "errors", "messages"])
def test_what_only_talks_to_the_user_touches_no_stage(package, module):
    assert touched_by(package / f"{module}.py") == set()


@pytest.mark.parametrize(
    ("module", "stages"),
    [
        ("training/loop.py", {"train_model", "predict"}),
        ("scores/resampling.py", {"evaluate_run"}),
        ("scores/verdict.py", {"evaluate_run"}),
        ("data/splits.py", {"index_examples"}),
        ("data/audit/times.py", {"index_examples"}),
        ("tasks/seismic_phases.py", set()),  # another task
        ("models/cnn.py", set()),  # another model
        ("data/readers/pickled_stream.py", set()),  # another reader
        ("data/readers/fields/grid.py", {"ingest_part"}),
        ("data/readers/tables/cells.py", set()),  # of another family
        ("cli.py", set()),
        ("workflow/plan.py", set()),
    ],
)
def test_a_module_touches_the_stages_that_use_it(package, module, stages):
    assert touched_by(package / module) == stages


def test_what_every_task_is_made_from_touches_every_stage_of_its_runs_and_no_preparation(package):
    preparation = {"ingest_part", "fit_scaling", "normalize_part", "gather_parts"}

    assert touched_by(package / "task.py") == STAGES.keys() - preparation
    assert touched_by(package / "tasks" / "sst_gaps.py", "\nprint()\n") == STAGES.keys() - preparation


MEMBERS = {
    "settings_type": {"index_examples", "train_model", "predict", "fit_baselines", "evaluate_run", "write_page"},
    "examples": {"train_model", "predict", "fit_baselines", "evaluate_run", "write_page"},
    "expand": {"index_examples", "write_page"},
    "loss": {"train_model", "write_page"},
    "fit_beside": {"predict", "write_page"},
    "baselines": {"fit_baselines", "write_page"},
    "statistics": {"evaluate_run", "write_page"},
    "score": {"evaluate_run", "write_page"},
    "pictures": {"write_page"},
    "question": {"write_page"},
    "_used_by_loss": {"train_model", "write_page"},
    "_used_by_nothing": {"write_page"},
}


@pytest.mark.parametrize("member", MEMBERS)
def test_a_member_of_a_task_touches_the_stages_that_ask_for_it(package, member):
    task = package / "tasks" / "mine.py"
    names = [name for name in MEMBERS if not name.startswith("_")]
    members = "\n".join(f"    def {name}(self): return _used_by_{name}('{name}')" for name in names)
    helpers = "\n".join(f"def _used_by_{name}(x): return x" for name in [*names, "nothing"])
    text = f"from geojax.task import Task\n{helpers}\nclass Mine(Task):\n{members}\nTASK = Mine()\n"
    ran = ("index_examples", "train_model", "predict", "fit_baselines", "evaluate_run", "write_page")

    def found(content):
        task.write_text(content)
        code.digest.cache_clear()
        return {stage: code.digest(stage, "tasks.mine") for stage in ran}

    edited = text.replace(f"'{member}'", "'edited'") if member in names else _edit_helper(text, member)
    before, after = found(text), found(edited)

    assert edited != text
    assert {stage for stage in ran if before[stage] != after[stage]} == MEMBERS[member]


@pytest.mark.parametrize(
    ("task", "modules"),
    [
        ("seismic_denoising", ("seismology/denoised", "seismology/streams", "seismology/overlaps")),
        ("seismic_picking", ("seismology/continuous", "seismology/streams", "seismology/overlaps")),
        ("streamflow", ("rivers/discharge",)),
        ("storm_forecast", ("magnetism/outlook",)),
    ],
)
def test_how_a_model_is_applied_to_own_files_makes_nothing_of_the_run_anew(package, task, modules):
    ran = ("index_examples", "train_model", "predict", "fit_baselines", "evaluate_run")
    path = package / "tasks" / f"{task}.py"
    text = path.read_text()
    before, body = text.split("    def apply(")
    head, rest = body.split(") -> list[Path]:\n", 1)

    def found():
        code.digest.cache_clear()
        return {stage: code.digest(stage, f"tasks.{task}") for stage in ran}

    own = found()
    path.write_text(f"{before}    def apply({head}) -> list[Path]:\n        print()\n{rest}")
    for module in modules:
        with (package / "data" / f"{module}.py").open("a") as file:
            file.write("\nEDITED = True\n")

    assert found() == own


def _edit_helper(text, name):
    return text.replace(f"def {name}(x): return x", f"def {name}(x): return -x")


@pytest.mark.parametrize(
    ("module", "stages"),
    [
        ("baselines/gap_filling.py", {"fit_baselines", "write_page"}),
        ("scores/regression.py", {"evaluate_run", "write_page"}),
        ("models/gap_filler.py", {"train_model", "predict"}),
    ],
)
def test_what_one_member_of_a_task_reaches_touches_its_stages_and_the_report(package, module, stages):
    assert touched_by(package / module) - {"write_page"} == stages - {"write_page"}


@pytest.mark.parametrize("edit", ["\n# a remark\n", "\n\n\n"])
def test_remarks_and_empty_lines_touch_nothing(package, edit):
    assert touched_by(package / "store" / "__init__.py", edit) == set()


def test_a_docstring_touches_nothing(package):
    text = (package / "data" / "scaling.py").read_text()
    before = digests()
    (package / "data" / "scaling.py").write_text(
        text.replace('"""Centre and spread', '"""The centre and the spread', 1)
    )

    assert (package / "data" / "scaling.py").read_text() != text
    assert digests() == before


def test_the_store_touches_every_stage(package):
    assert touched_by(package / "store" / "__init__.py") == STAGES.keys()


def test_pictures_touch_the_report_alone(package):
    for path in (package / "report").rglob("*"):
        if path.is_file() and path.suffix in (".py", ".j2"):
            assert touched_by(path, among=("train_model", "evaluate_run")) == set(), path
    assert touched_by(package / "report" / "page.py") == {"write_page"}


def test_a_template_beside_the_code_touches_the_report(package):
    assert touched_by(package / "report" / "page.html.j2") == {"write_page"}


@pytest.mark.parametrize("name", [".store.py.swp", "store.py~", "#store.py#", "__pycache__/store.pyc", "store.pyc"])
def test_what_an_editor_or_python_leaves_beside_the_code_touches_nothing(package, name):
    (package / "__pycache__").mkdir()

    assert touched_by(package / name) == set()


def test_editing_one_stage_leaves_the_others(package):
    stages = package / "stages" / "preparation.py"
    stages.write_text(stages.read_text().replace('"scaling fitted on %d', '"scaling was fitted on %d'))
    after = digests()
    stages.write_text(stages.read_text().replace('"scaling was fitted on %d', '"scaling fitted on %d'))

    assert {stage for stage, digest in digests().items() if digest != after[stage]} == {"fit_scaling"}


def test_editing_a_helper_touches_the_stages_that_call_it(package):
    stages = package / "stages" / "prediction.py"
    before = digests()
    stages.write_text(stages.read_text().replace("first.get(name, 'test')", "first.get(name, 'tests')"))

    assert {stage for stage, digest in digests().items() if digest != before[stage]} == {"predict", "fit_baselines"}


def test_a_comment_among_the_stages_touches_nothing(package):
    assert touched_by(package / "stages" / "training.py", "\n# a comment\n") == set()


def test_a_module_that_a_stage_comes_to_import_is_reached_from_then_on(package):
    (package / "data" / "extra.py").write_text("SIZE = 1\n")
    assert touched_by(package / "data" / "extra.py") == set()

    scaling = package / "data" / "scaling.py"
    scaling.write_text("from geojax.data.extra import SIZE\n" + scaling.read_text())

    assert touched_by(package / "data" / "extra.py") == {"fit_scaling", "normalize_part"}


@pytest.mark.parametrize("line", ["import geojax.data.extra", "from geojax.data import extra",
                                  "def late():\n    from geojax.data.extra import SIZE"])  # fmt: skip
def test_every_way_of_importing_is_seen(package, line):
    (package / "data" / "extra.py").write_text("SIZE = 1\n")
    scaling = package / "data" / "scaling.py"
    scaling.write_text(scaling.read_text() + f"\n\n{line}\n")

    assert touched_by(package / "data" / "extra.py") == {"fit_scaling", "normalize_part"}


def test_an_unknown_stage_is_an_error():
    with pytest.raises(KeyError, match="fit_nothing"):
        code.digest("fit_nothing")


def test_every_stage_that_a_rule_runs_has_a_digest():
    for script in (ROOT / "scripts").glob("*.py"):
        assert len(code.digest(script.stem)) == 16


def test_a_digest_is_remembered_for_the_very_library_that_it_was_taken_of(package, tmp_path, monkeypatch):
    path, module, asked = tmp_path / "kept" / "code.json", package / "data" / "scaling.py", []
    taken = code.digest
    monkeypatch.setattr(code, "digest", lambda *key: asked.append(key) or taken(*key))
    before = module.read_text()
    taken.cache_clear()

    found = [code.Kept(path)("fit_scaling"), code.Kept(path)("fit_scaling")]
    module.write_text(before + "\nEDITED = True\n")
    taken.cache_clear()
    edited = [code.Kept(path)("fit_scaling"), code.Kept(path)("fit_scaling")]
    module.write_text(before)
    taken.cache_clear()

    assert asked == [("fit_scaling",)] * 2
    assert found == [code.Kept(path)("fit_scaling")] * 2
    assert edited[0] == edited[1] != found[0]


def test_what_is_edited_while_digests_are_taken_is_not_remembered(package, tmp_path):
    kept = code.Kept(tmp_path / "code.json")
    (package / "data" / "scaling.py").write_text("EDITED = True\n")

    kept("normalize_part")

    assert not (tmp_path / "code.json").exists()


@pytest.mark.parametrize("content", ["", "{", '{"library": "another", "digests": {"fit_scaling": "0"}}'])
def test_what_cannot_be_read_or_is_of_another_library_is_taken_anew(tmp_path, content):
    path = tmp_path / "code.json"
    path.write_text(content)

    assert code.Kept(path)("fit_scaling") == code.digest("fit_scaling")
    assert json.loads(path.read_text())["digests"] == {"fit_scaling": code.digest("fit_scaling")}
