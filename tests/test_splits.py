"""Every example stands in one split, and what leaks between splits is named."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geojax.data import splits
from geojax.errors import UserError

BY_TIME = {
    "by": "time",
    "train": ["1991-01-01", "1996-12-31"],
    "validation": ["1997-02-01", "1998-12-31"],
    "test": ["1999-02-01", None],
    "embargo_days": 31,
}
BY_GROUP = {"by": "group", "train": ["a", "b"], "validation": ["c"], "test": ["d"]}
REFERENCE = [str(year) for year in range(1991, 1997)]


@pytest.fixture
def months() -> pd.DataFrame:
    """One example a month, 1990 to 2001; each year is a part and a group."""
    time = pd.date_range("1990-01-15", "2001-12-31", freq="MS") + pd.Timedelta(days=14)
    year = time.year.astype(str)
    return pd.DataFrame({"part": year, "group": year, "time": time, "content": [str(t) for t in time]})


@pytest.fixture
def blocks() -> pd.DataFrame:
    """Three stations in each of four blocks."""
    rows = [{"part": block, "group": block, "station": f"{block}{i}"} for block in "abcd" for i in range(3)]
    return pd.DataFrame(rows).assign(time=pd.Timestamp("2016-07-11"), content=[str(i) for i in range(12)])


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


def test_a_clean_split_by_time_leaks_nothing(months):
    assert splits.audit(splits.assign(months, BY_TIME), BY_TIME, REFERENCE) == []


def test_a_clean_split_by_group_leaks_nothing(blocks):
    assert splits.audit(splits.assign(blocks, BY_GROUP), BY_GROUP, ["a", "b"]) == []


def test_a_group_in_two_splits_is_a_leak(months):
    index = splits.assign(months, BY_TIME)
    index.loc[(index["part"] == "1995") & (index["time"].dt.month == 6), "group"] = "1999"

    assert splits.audit(index, BY_TIME, REFERENCE) == ["group 1999 stands in test and train"]


def test_a_group_in_all_three_splits_is_one_leak_that_names_them(months):
    index = splits.assign(months, BY_TIME).assign(group="one well")

    assert splits.audit(index, BY_TIME, REFERENCE) == ["group one well stands in test and train and validation"]


@pytest.mark.parametrize(("days", "leaks"), [(47, 0), (48, 1), (60, 1)])
def test_examples_nearer_than_the_embargo_are_a_leak(months, days, leaks):
    index = splits.assign(months, BY_TIME)
    index = index[index["time"] != pd.Timestamp("1999-02-15")]  # 1998-12-15 to 1999-03-15 are 90 days
    index.loc[index["time"] == pd.Timestamp("1997-02-15"), "time"] = pd.Timestamp("1997-02-01")  # 48 after 1996-12-15

    found = splits.audit(index, BY_TIME | {"embargo_days": days}, REFERENCE)

    assert len(found) == leaks
    assert all(f"48 days lie between train and validation; more than {days} are required" in leak for leak in found)


def test_splits_whose_times_overlap_are_a_leak_even_without_embargo(months):
    index = splits.assign(months, BY_TIME)
    index.loc[index["time"] == pd.Timestamp("1995-06-15"), ["split", "group"]] = ["validation", "a year of its own"]

    found = splits.audit(index, BY_TIME | {"embargo_days": 0}, [])

    assert any("between train and validation" in leak for leak in found)


def test_a_reference_part_outside_training_is_a_leak(months):
    found = splits.audit(splits.assign(months, BY_TIME), BY_TIME, [*REFERENCE, "1999"])

    assert found == ["part 1999 is a reference of the scaling but not in the training split"]


def test_a_reference_part_that_no_split_takes_is_a_leak(months):
    found = splits.audit(splits.assign(months, BY_TIME), BY_TIME, ["1990", *REFERENCE])

    assert found == ["part 1990 is a reference of the scaling but not in the training split"]


def test_a_reference_part_that_is_only_partly_training_is_a_leak(blocks):
    index = splits.assign(blocks, BY_GROUP)
    index["part"] = ["p", "q"] * 6  # each part holds stations of every split

    leaks = splits.audit(index, BY_GROUP, ["p"])

    assert leaks == ["part p is a reference of the scaling but not in the training split"]


def test_the_same_content_in_two_splits_is_a_leak_that_names_its_parts(blocks):
    blocks.loc[10, "content"] = blocks.loc[1, "content"]  # one station under two codes

    leaks = splits.audit(splits.assign(blocks, BY_GROUP), BY_GROUP, [])

    assert leaks == ["the same content stands in test and train (parts a, d)"]


def test_the_same_content_twice_in_one_split_leaks_nothing(blocks):
    blocks.loc[4, "content"] = blocks.loc[1, "content"]

    assert splits.audit(splits.assign(blocks, BY_GROUP), BY_GROUP, []) == []


@pytest.mark.parametrize("empty", splits.SPLITS)
def test_a_split_without_examples_is_named(blocks, empty):
    index = splits.assign(blocks, BY_GROUP)

    assert splits.audit(index[index["split"] != empty], BY_GROUP, []) == [f"split {empty!r} has no examples"]


def test_every_leak_is_told_not_only_the_first(blocks):
    index = splits.assign(blocks, BY_GROUP)
    index.loc[0, ["group", "content"]] = ["d", index.loc[11, "content"]]

    assert len(splits.audit(index, BY_GROUP, ["a", "c"])) == 3


@given(st.data())
def test_exactly_the_groups_that_a_shuffled_split_tears_apart_are_named(data):
    count = data.draw(st.integers(3, 20))
    rows = pd.DataFrame({"group": data.draw(st.lists(st.sampled_from("abcde"), min_size=count, max_size=count))})
    rows["split"] = data.draw(st.lists(st.sampled_from(splits.SPLITS), min_size=count, max_size=count))
    rows = rows.assign(part="p", time=pd.Timestamp("2000-01-01"))

    named = {leak.split()[1] for leak in splits.audit(rows, BY_GROUP, []) if leak.startswith("group")}

    assert named == {g for g in "abcde" if len({s for h, s in zip(rows["group"], rows["split"], strict=True)
                                                if h == g}) > 1}  # fmt: skip
