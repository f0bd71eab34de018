"""A configuration is read as it stands, or refused in a sentence that says where and how to mend it."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from geojax.config import Dataset, Run, Training, load
from geojax.config.dataset import GroupSplit, TimeSplit
from geojax.errors import UserError
from geojax.messages import explain, known_keys

GROUPS = {"by": "group", "train": ["a", "b"], "validation": ["c"], "test": ["d"]}
ONES_OWN_FILES = {"kind": "files", "pattern": "/archive/sst_{part}.nc"}


def shipped(kind: str) -> list[Path]:
    return sorted((ROOT / "config" / kind).glob("*.yaml"))


def refusal(kind: type, content: Any, folder: Path) -> str:
    """What a user is told of this content."""
    path = folder / "mine.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    with pytest.raises(UserError) as caught:
        load(kind, path)
    told = str(caught.value)
    assert all(line.startswith(f"{path}: ") for line in told.splitlines())
    return told.replace(f"{path}: ", "")


@pytest.mark.parametrize("path", shipped("datasets"), ids=lambda path: path.stem)
def test_every_shipped_dataset_is_admitted(path):
    assert load(Dataset, path).card.licence


@pytest.mark.parametrize("path", shipped("runs"), ids=lambda path: path.stem)
def test_every_shipped_run_is_admitted_and_names_a_shipped_dataset(path):
    assert set(load(Run, path).datasets) <= {each.stem for each in shipped("datasets")}


def test_what_is_left_out_of_a_run_takes_the_stated_defaults(run, tmp_path):
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(run))

    read = load(Run, tmp_path / "mine.yaml")

    assert (read.examples, read.training.ensemble, read.training.steps) == ({}, 1, None)
    assert (read.evaluation.resamples, read.evaluation.seed) == (2000, 0)


def test_the_sizes_of_a_model_are_whatever_stands_beside_its_name(run, tmp_path):
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(run))

    assert load(Run, tmp_path / "mine.yaml").model.sizes == {"width": 4, "depth": 1}


def test_a_configuration_cannot_change_once_it_is_read(run):
    read = Run.model_validate(run)

    with pytest.raises(ValidationError, match="frozen"):
        read.training.epochs = 3


@pytest.mark.parametrize(
    ("place", "wrong", "right"),
    [
        ((), "scalling", "scaling"),
        (("card",), "license", "licence"),
        (("source",), "sha265", "sha256"),  # inside a union
        (("parts",), "frist", "first"),
        (("split",), "embargo", "embargo_days"),
        (("reader",), "option", "options"),
        (("reader", "variables", "sst"), "unit", "units"),  # below a key of the user's own
    ],
)
def test_an_unknown_key_of_a_dataset_is_refused_with_the_nearest_known(dataset, tmp_path, place, wrong, right):
    section = dataset
    for step in place:
        section = section[step]
    section[wrong] = 1

    told = refusal(Dataset, dataset, tmp_path)

    assert told == f"{''.join(f'{step}: ' for step in place)}no setting `{wrong}`. Did you mean {right}?"


def test_an_unknown_key_of_a_run_is_refused_with_the_nearest_known(run, tmp_path):
    run["training"]["learning_rte"] = 1e-3

    told = refusal(Run, run, tmp_path)

    assert told == "training: no setting `learning_rte`. Did you mean learning_rate?"


def test_a_key_unlike_any_known_is_answered_with_all_that_are_known(run, tmp_path):
    run["evaluation"] = {"zzz": 1}

    assert refusal(Run, run, tmp_path) == "evaluation: no setting `zzz`. Known: resamples, seed."


@pytest.mark.parametrize(
    ("section", "content", "key"),
    [("source", ONES_OWN_FILES, "archive"), ("parts", {"by": "file"}, "first")],
)
def test_a_key_that_only_the_other_kind_of_a_section_knows_is_not_suggested(dataset, tmp_path, section, content, key):
    dataset[section] = content | {key: 1}

    line = next(line for line in refusal(Dataset, dataset, tmp_path).splitlines() if "no setting" in line)

    assert line.startswith(f"{section}: no setting `{key}`. ")
    assert key not in line.split(". ", 1)[1]


def test_a_missing_key_is_named_with_its_place(dataset, run, tmp_path):
    del run["training"]["epochs"], dataset["source"]["archive"]

    assert refusal(Run, run, tmp_path) == "training: `epochs` is required and missing."
    assert refusal(Dataset, dataset, tmp_path) == "source: `archive` is required and missing."


def test_a_value_of_the_wrong_type_is_shown(run, tmp_path):
    run["training"]["epochs"] = "many"

    told = refusal(Run, run, tmp_path)

    assert told.startswith("training: `epochs`: ")
    assert "integer" in told
    assert "(came: 'many')" in told


def test_everything_wrong_is_told_at_once_each_on_its_line(run, tmp_path):
    run["training"] |= {"epochs": 0, "learning_rate": -1.0, "sede": 1}
    del run["title"]

    assert len(refusal(Run, run, tmp_path).splitlines()) == 4


@pytest.mark.parametrize("section", ["source", "parts", "split"])
def test_an_unknown_kind_of_a_section_is_answered_with_the_known_ones(dataset, tmp_path, section):
    known = {"source": ("package", "files"), "parts": ("year", "station", "file"), "split": ("time", "group")}
    dataset[section] = {{"source": "kind"}.get(section, "by"): "moon"}

    told = refusal(Dataset, dataset, tmp_path)

    assert told.startswith(f"`{section}`: ")
    assert all(f"'{kind}'" in told for kind in ("moon", *known[section]))


@pytest.mark.parametrize(
    "changes",
    [
        {"validation": ["1996-12-31", "1998-12-31"]},  # shares a day with train
        {"test": ["1998-06-01", None]},
        {"train": ["1996-12-31", "1991-01-01"]},
        {"validation": ["1985-01-01", "1986-12-31"]},
        {"test": ["1999-01-01", "1990-12-31"]},  # ends before it starts
    ],
)
def test_spans_of_time_that_overlap_or_run_backwards_are_refused(dataset, tmp_path, changes):
    dataset["split"] |= changes

    told = refusal(Dataset, dataset, tmp_path)

    assert told == "`split`: train, validation and test must follow one another without overlap."


@pytest.mark.parametrize(("train", "admitted"), [((1, 1), True), ((1, 2), True), ((2, 1), False), ((1, 3), False)])
def test_a_split_may_be_a_single_day_but_none_that_is_another_splits_too(train, admitted):
    days = {"train": train, "validation": (3, 3), "test": (4, 4)}
    split = {"by": "time"} | {name: [date(2024, 5, day) for day in own] for name, own in days.items()}

    if admitted:
        assert TimeSplit.model_validate(split).test == (date(2024, 5, 4), date(2024, 5, 4))
    else:
        with pytest.raises(ValidationError, match="must follow one another without overlap"):
            TimeSplit.model_validate(split)


@given(gap=st.integers(0, 60), embargo=st.integers(0, 60))
def test_an_embargo_is_met_exactly_when_that_many_days_lie_between_the_splits(gap, embargo):
    start = date(1997, 1, 1) + timedelta(days=gap)
    split = {
        "by": "time", "train": ["1991-01-01", "1996-12-31"], "validation": [start, date(1997, 12, 31)],
        "test": [date(1999, 1, 1), None], "embargo_days": embargo,
    }  # fmt: skip

    if gap >= embargo:
        assert TimeSplit.model_validate(split).embargo_days == embargo
    else:
        with pytest.raises(ValidationError, match=f"{gap} days lie between two splits, but embargo_days is {embargo}"):
            TimeSplit.model_validate(split)


@given(lists=st.tuples(*[st.lists(st.sampled_from("abcdefgh"), max_size=3) for _ in range(3)]))
def test_a_group_may_stand_in_one_split_only(lists):
    train, validation, test = lists
    every = [*train, *validation, *test]
    split = {"by": "group", "train": train, "validation": validation, "test": test}

    if len(set(every)) == len(every):
        GroupSplit.model_validate(split)
    else:
        twice = ", ".join(sorted({group for group in every if every.count(group) > 1}))
        with pytest.raises(ValidationError, match=f"{twice} must stand in one split only"):
            GroupSplit.model_validate(split)


def test_a_group_in_two_splits_is_named_to_the_user(dataset, tmp_path):
    dataset["split"] = GROUPS | {"test": ["d", "a"]}

    assert refusal(Dataset, dataset, tmp_path) == "`split`: a must stand in one split only."


@pytest.mark.parametrize("pattern", ["/archive/{part}/{part}.nc", "{part}{part}"])
def test_the_pattern_of_ones_own_files_names_the_part_exactly_once(dataset, tmp_path, pattern):
    dataset |= {"source": {"kind": "files", "pattern": pattern}, "parts": {"by": "file"}}

    told = refusal(Dataset, dataset, tmp_path)

    assert told.startswith("source: `pattern`: must hold {part} once")
    assert pattern in told


def test_years_in_the_wrong_order_are_refused(dataset, tmp_path):
    dataset["parts"] = {"by": "year", "first": 2000, "last": 1991}

    assert refusal(Dataset, dataset, tmp_path) == "`parts`: last (1991) must not lie before first (2000)."


def test_parts_by_file_and_a_package_do_not_go_together(dataset, tmp_path):
    dataset["parts"] = {"by": "file"}

    told = refusal(Dataset, dataset, tmp_path)

    assert told == "parts by file go with a source that holds {part}, and with no other."


def test_a_mean_for_each_month_needs_time_among_the_dimensions(dataset, tmp_path):
    dataset["scaling"]["over"] = ["lat"]

    told = refusal(Dataset, dataset, tmp_path)

    assert told == "`scaling`: center: month takes means over time, so `over` must hold time."


@pytest.mark.parametrize("name", ["a/b", "", "a b", "a\n"])
def test_a_name_that_could_not_be_a_file_name_is_refused(run, tmp_path, name):
    run["dataset"] = name

    assert refusal(Run, run, tmp_path).startswith("`dataset`: ")


@pytest.mark.parametrize("content", ["a: [1, 2", "a: b: c", "\tx: 1"])
def test_what_is_not_yaml_is_refused_in_one_line(tmp_path, content):
    told = refusal(Run, content, tmp_path)

    assert told.startswith("this is not valid YAML: ")
    assert "line 1" in told


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("task: a\ntitle: x\ntask: b\n", "line 3: `task` must stand once, but stands in line 1 too. Keep one of them."),
        ("model:\n  width: 4\n  # wider\n  width: 8\n", "line 4: model: `width` must stand once, but stands in line 2"),
        ("model: {width: 4, width: 8}\n", "line 1: model: `width` must stand once, but stands in line 1 too"),
        ("a:\n- {b: 1}\n- b: 2\n  1991: x\n  1991: y\n", "line 5: a: `1991` must stand once, but stands in line 4"),
        ("a: 1\n'a': 2\n", "line 2: `a` must stand once"),
    ],
)
def test_a_key_that_stands_twice_is_refused_with_its_lines_as_the_last_would_win_in_silence(tmp_path, content, told):
    assert refusal(Run, content, tmp_path).startswith(told)


def test_the_same_key_in_different_sections_and_one_that_overrides_a_merged_one_stand_once(run, tmp_path):
    text = yaml.safe_dump(run | {"model": {}, "training": {}})
    merged = "\nexamples: {<<: *shared, width: 8}\n"
    text = text.replace("model: {}\n", "model: &shared {name: gap_filler, width: 4}\n")
    text = text.replace("training: {}\n", "training: {epochs: 2, batch_size: 4, learning_rate: 0.1}" + merged)
    (tmp_path / "mine.yaml").write_text(text)

    assert load(Run, tmp_path / "mine.yaml").examples == {"name": "gap_filler", "width": 8}


def test_a_file_that_is_not_text_is_refused_by_name(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_bytes(b"\x89HDF\r\n\x1a\n\xff\xfe")

    with pytest.raises(UserError, match=r"mine\.yaml: this is not valid YAML"):
        load(Run, path)


@pytest.mark.parametrize(("content", "kind"), [("", "NoneType"), ("- a\n- b", "list"), ("word", "str")])
def test_a_file_that_holds_no_settings_is_refused(tmp_path, content, kind):
    assert refusal(Run, content, tmp_path) == f"must hold settings as `key: value`, but holds {kind}."


def test_a_missing_file_is_answered_with_those_beside_it(tmp_path):
    for name in ("hadisst", "okl"):
        (tmp_path / f"{name}.yaml").touch()

    with pytest.raises(UserError, match=r"hadist\.yaml: there is no such file\. Found beside it: hadisst, okl\."):
        load(Dataset, tmp_path / "hadist.yaml")


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_in_words_but_never_with_a_traceback(tmp_path, text):
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")

    with pytest.raises(UserError, match=r"mine\.yaml: "):
        load(Run, path)


def test_the_known_keys_below_a_union_are_those_of_all_its_kinds_until_one_is_chosen():
    assert known_keys(Dataset, ["parts", "station"]) == ["blocks", "by"]
    assert {"by", "blocks", "first"} <= set(known_keys(Dataset, ["parts"]))
    assert known_keys(Run, ["training"]) == sorted(Training.model_fields)


def test_the_section_that_a_problem_lies_within_stands_first():
    class Sizes(BaseModel):
        width: int

    with pytest.raises(ValidationError) as caught:
        Sizes.model_validate({"width": "wide"})

    assert explain("r.yaml", Sizes, caught.value, within="model").startswith("r.yaml: model: `width`: ")


@pytest.mark.parametrize("least", [1.0, 0.3, -1])
def test_near_duplicates_are_asked_for_by_a_correlation_below_one_or_not_at_all(least):
    assert GroupSplit.model_validate(GROUPS).near_duplicates == 0.995
    assert GroupSplit.model_validate(GROUPS | {"near_duplicates": None}).near_duplicates is None
    with pytest.raises(ValidationError):
        GroupSplit.model_validate(GROUPS | {"near_duplicates": least})
