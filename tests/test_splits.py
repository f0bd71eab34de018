"""Every example stands in the split that the configuration says."""

import numpy as np
import pandas as pd
import pytest
from conftest import BY_GROUP, BY_TIME
from hypothesis import given
from hypothesis import strategies as st

from geojax.data import audit, splits
from geojax.errors import UserError
from geojax.problem import rotated


def test_spans_of_time_hold_both_their_ends_and_an_open_end_takes_all_that_comes():
    days = ["1991-01-01", "1996-12-31 23:59:59", "1997-02-01", "1998-12-31", "1999-02-01", "2099-01-01"]
    index = pd.DataFrame({"time": pd.to_datetime(days, format="mixed")})

    found = splits.assign(index, BY_TIME)

    assert list(found["split"]) == ["train", "train", "validation", "validation", "test", "test"]


def test_what_lies_before_after_or_between_the_spans_is_left_out():
    days = ["1990-12-31 23:59:59", "1997-01-01", "1997-01-31 23:59:59", "1999-01-15", "2001-01-01"]
    index = pd.DataFrame({"time": pd.to_datetime(days, format="mixed")})

    assert len(splits.assign(index, BY_TIME | {"test": ["1999-02-01", "2000-12-31"]})) == 0


@given(st.lists(st.datetimes(pd.Timestamp("1985-01-01"), pd.Timestamp("2010-01-01")), min_size=1, max_size=30))
def test_a_row_is_kept_exactly_when_its_day_lies_in_a_span_and_with_its_own_values(moments):
    index = pd.DataFrame({"time": pd.to_datetime(moments).astype("datetime64[ns]"), "row": range(len(moments))})

    found = splits.assign(index, BY_TIME).set_index("row")["split"].to_dict()

    expected = {}
    for row, moment in enumerate(moments):
        for name in splits.SPLITS:
            first, last = BY_TIME[name]
            if first <= moment.date().isoformat() <= (last or "9999-12-31"):
                expected[row] = name
    assert found == expected


def test_whole_groups_go_to_their_split(blocks):
    found = splits.assign(blocks.sample(frac=1, random_state=0), BY_GROUP)

    assert found.groupby("group")["split"].unique().map(list).to_dict() == {
        "a": ["train"], "b": ["train"], "c": ["validation"], "d": ["test"],
    }  # fmt: skip
    assert len(found) == len(blocks)


def test_a_group_that_stands_in_no_split_is_refused_by_name(blocks):
    with pytest.raises(UserError, match="split: b, d must stand in train, validation or test, but stand in none"):
        splits.assign(blocks, BY_GROUP | {"train": ["a"], "test": ["e"]})


def by_fold(folds=None):
    return {"by": "fold", "folds": folds, "seed": 0}


def test_by_fold_every_row_is_tested_and_each_group_is_a_fold():
    index = pd.DataFrame({"group": list("bbacca")})

    found = splits.assign(index, by_fold())

    assert set(found["split"]) == {"test"}
    assert list(found["fold"]) == [1, 1, 0, 2, 2, 0]


@given(st.lists(st.integers(1, 30), min_size=3, max_size=12), st.integers(3, 5))
def test_whole_groups_are_dealt_to_folds_of_about_as_many_rows(sizes, count):
    groups = np.repeat([f"well {i}" for i in range(len(sizes))], sizes)
    if len(sizes) < count:
        with pytest.raises(UserError, match=f"there are {len(sizes)} groups"):
            splits.deal(groups, count, 0)
        return

    found = pd.DataFrame({"group": groups, "fold": splits.deal(groups, count, 0)})

    assert (found.groupby("group")["fold"].nunique() == 1).all()
    filled = found.groupby("fold").size()
    assert list(filled.index) == list(range(count))
    assert filled.max() - filled.min() <= max(sizes)


def test_while_a_fold_is_tested_the_next_one_validates():
    index = pd.DataFrame({"fold": [0, 1, 2, 2]})

    assert list(rotated(index, 1)) == ["train", "test", "validation", "validation"]
    assert list(rotated(index, 2)) == ["validation", "train", "test", "test"]


def test_folds_that_share_content_leak():
    index = pd.DataFrame({"part": list("abc"), "group": list("abc"), "time": pd.NaT, "content": ["x", "y", "x"]})

    checks = audit.examine(splits.assign(index, by_fold()), by_fold(), [])

    assert [leak for check in checks for leak in check.leaks] == [
        "the same content: part a in fold 1 and part c in fold 3"
    ]
