"""The audit names every planted leak, each in a line that says where it lies, and is silent on honest data."""

import numpy as np
import pandas as pd
import pytest
from conftest import BY_GROUP, BY_TIME
from hypothesis import given
from hypothesis import strategies as st

from geojax.data import audit, likeness, splits
from geojax.data.audit import times
from geojax.errors import UserError

REFERENCE = [str(year) for year in range(1991, 1997)]
EVENT = pd.Timestamp("2016-07-11 05:55:00")


def leaks(index, split, reference=(), raw=None) -> list[str]:
    return [leak for check in audit.examine(index, split, list(reference), raw) for leak in check.leaks]


@pytest.fixture
def months() -> pd.DataFrame:
    """One example a month, 1991 to 2001; each year is a part and a group."""
    time = pd.date_range("1990-01-15", "2001-12-31", freq="MS") + pd.Timedelta(days=14)
    year = time.year.astype(str)
    index = pd.DataFrame({"part": year, "group": year, "time": time, "content": [str(t) for t in time]})
    return splits.assign(index, BY_TIME)


@pytest.fixture
def blocks(blocks, rng) -> pd.DataFrame:
    """The stations of all blocks, whose records of one event have a wave in common."""
    values = np.sin(np.arange(500.0)) + rng.normal(size=(12, 500))
    index = blocks.assign(end=EVENT + pd.Timedelta(seconds=80))
    index = index.assign(content=[str(i) for i in range(12)], fingerprint=list(likeness.fingerprint(values)))
    return splits.assign(index, BY_GROUP)


@pytest.fixture
def windows(rng) -> pd.DataFrame:
    """Windows of 30 s, one after the other and half over the next, on one station for each of three blocks."""
    time = EVENT + pd.to_timedelta(15 * np.arange(40), unit="s")
    rows = [
        pd.DataFrame({"part": block, "position": range(40), "group": block, "station": "X" + block, "time": time})
        for block in "acd"
    ]
    index = pd.concat(rows, ignore_index=True).sample(frac=1, random_state=0, ignore_index=True)
    return splits.assign(index.assign(end=index["time"] + pd.Timedelta(seconds=30)), BY_GROUP)


def test_a_clean_split_by_time_leaks_nothing(months):
    assert leaks(months, BY_TIME, REFERENCE) == []


def test_a_clean_split_by_group_leaks_nothing(blocks):
    assert leaks(blocks, BY_GROUP, ["a", "b"]) == []


def test_windows_that_overlap_within_one_split_leak_nothing(windows):
    assert leaks(windows, BY_GROUP) == []


def test_a_group_in_two_splits_is_a_leak(months):
    months.loc[(months["part"] == "1995") & (months["time"].dt.month == 6), "group"] = "1999"

    assert leaks(months, BY_TIME, REFERENCE) == ["group 1999 stands in train and test (parts 1995, 1999)"]


def test_a_group_in_all_three_splits_is_one_leak_that_names_them(months):
    (leak,) = leaks(months.assign(group="one well"), BY_TIME, REFERENCE)

    assert leak == "group one well stands in train and validation and test (parts 1991, 1992, 1993, 1994 and 7 more)"


@pytest.mark.parametrize(("days", "count"), [(47, 0), (48, 1), (60, 1)])
def test_examples_nearer_than_the_embargo_are_a_leak(months, days, count):
    index = months[months["time"] != pd.Timestamp("1999-02-15")]  # 1998-12-15 to 1999-03-15 are 90 days
    index.loc[index["time"] == pd.Timestamp("1997-02-15"), "time"] = pd.Timestamp("1997-02-01")  # 48 after 1996-12-15

    found = leaks(index, BY_TIME | {"embargo_days": days}, REFERENCE)

    assert found == count * [
        f"48 days lie between train and validation; more than {days} are required: "
        "part 1996 ends 1996-12-15, part 1997 begins 1997-02-01"
    ]


def test_the_embargo_counts_from_the_end_of_an_example_not_from_its_start(months):
    index = months.assign(end=months["time"] + pd.Timedelta(days=30))  # 62 days lie between the starts

    assert leaks(index, BY_TIME | {"embargo_days": 31}, REFERENCE) == []
    assert leaks(index, BY_TIME | {"embargo_days": 32}, REFERENCE)[0].startswith("32 days lie between train and valid")


def test_an_example_that_reaches_into_the_next_split_is_a_leak(months):
    index = months.assign(end=months["time"])
    index.loc[index["time"] == pd.Timestamp("1996-12-15"), "end"] = pd.Timestamp("1997-03-01")

    assert leaks(index, BY_TIME, REFERENCE) == [
        "train and validation overlap in time: part 1996 ends 1997-03-01, part 1997 begins 1997-02-15"
    ]


def test_splits_whose_times_overlap_are_a_leak_even_without_embargo(months):
    months.loc[months["time"] == pd.Timestamp("1995-06-15"), ["split", "group"]] = ["validation", "a year of its own"]

    found = leaks(months, BY_TIME | {"embargo_days": 0})

    assert any("train and validation overlap in time" in leak for leak in found)


def test_a_window_of_the_same_station_in_another_split_is_a_leak_that_names_both(windows):
    windows.loc[(windows["part"] == "d") & (windows["position"] == 7), "station"] = "Xa"

    (leak,) = leaks(windows, BY_GROUP)

    assert leak.startswith("windows of station Xa overlap each other: part a position ")
    assert "part d position 7 at 2016-07-11 05:56:45 in test" in leak


def test_windows_that_only_touch_are_a_leak_within_the_embargo_alone(windows):
    moved = (windows["part"] == "d") & (windows["position"] == 0)
    windows.loc[moved, "station"] = "Xa"
    windows.loc[moved, "time"] = windows.loc[windows["part"] == "a", "end"].max()
    windows.loc[moved, "end"] = windows.loc[moved, "time"] + pd.Timedelta(seconds=30)

    assert leaks(windows, BY_GROUP) == []
    (leak,) = leaks(windows, BY_GROUP | {"embargo_days": 1})
    assert "windows of station Xa lie less than 1 days from each other" in leak


def test_one_moment_of_one_station_in_two_splits_is_a_leak_though_no_example_has_an_end(blocks):
    index = blocks.drop(columns=["end", "fingerprint"])
    index.loc[10, "station"] = "a1"  # one station in two blocks

    (leak,) = leaks(index, BY_GROUP)

    assert "part a position 1 at 2016-07-11 05:55:00 in train and part d position 1" in leak


def test_the_same_station_at_another_time_in_another_split_is_honest(blocks):
    later = pd.Timedelta(days=9)
    blocks.loc[10, ["station", "time", "end"]] = ["a1", blocks["time"][10] + later, blocks["end"][10] + later]

    assert leaks(blocks, BY_GROUP) == []


@given(st.data())
def test_exactly_the_traces_with_windows_of_two_splits_too_near_are_named(data):
    count = data.draw(st.integers(1, 25))
    draw = lambda values: data.draw(st.lists(values, min_size=count, max_size=count))  # noqa: E731
    start, length = np.array(draw(st.integers(0, 40))), np.array(draw(st.integers(0, 12)))
    kind, trace = draw(st.sampled_from(splits.SPLITS)), draw(st.sampled_from("abc"))
    days = data.draw(st.integers(0, 3))
    day = lambda n: pd.Timestamp("2000-01-01") + pd.to_timedelta(n, unit="D")  # noqa: E731
    index = pd.DataFrame({"part": "p", "time": day(start), "end": day(start + length), "split": kind, "trace": trace})
    expected = {
        trace[i]
        for i in range(count)
        for j in range(count)
        if trace[i] == trace[j] and kind[i] != kind[j] and start[i] <= start[j]
        and (start[j] < start[i] + length[i] + days or start[i] == start[j])
    }  # fmt: skip

    found = times.traces(index, {"by": "group", "embargo_days": days}).leaks

    assert {leak.split()[3] for leak in found} == expected


def test_a_million_windows_are_compared_in_seconds(rng):
    count = 1_000_000
    station = rng.integers(0, 500, count)
    time = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 86400 * 365, count), unit="s")
    index = pd.DataFrame({"part": "p", "station": station, "time": time, "split": np.array(splits.SPLITS)[station % 3]})
    begin = pd.Timestamp.now()

    found = times.traces(index.assign(end=time + pd.Timedelta(seconds=30)), {}).leaks

    assert found == []
    assert pd.Timestamp.now() - begin < pd.Timedelta(seconds=20)  # one on an idle core


def test_an_example_that_ends_before_it_begins_is_refused(blocks):
    blocks.loc[3, "end"] = EVENT - pd.Timedelta(seconds=1)

    with pytest.raises(UserError, match=r"part b position 0 .* must end after it begins, but ends at .* 05:54:59"):
        leaks(blocks, BY_GROUP)


@pytest.mark.parametrize("part", ["1990", "1999"])
def test_a_reference_part_outside_training_is_a_leak(months, part):
    found = leaks(months, BY_TIME, [*REFERENCE, part])

    assert found == [f"part {part} is a reference of the scaling but not in the training split"]


def test_a_reference_part_that_is_only_partly_training_is_a_leak(blocks):
    blocks["part"] = ["p", "q"] * 6  # each part holds stations of every split

    assert leaks(blocks, BY_GROUP, ["p"]) == ["part p is a reference of the scaling but not in the training split"]


def test_the_same_content_in_two_splits_is_a_leak_that_names_its_places(blocks):
    for column in ("content", "fingerprint"):  # one station under two codes
        blocks.at[10, column] = blocks.at[1, column]

    assert leaks(blocks, BY_GROUP) == [
        "the same content: part a position 1 at 2016-07-11 05:55:00 in train "
        "and part d position 1 at 2016-07-11 05:55:00 in test"
    ]


def test_the_same_content_twice_in_one_split_or_nowhere_known_leaks_nothing(blocks):
    blocks.loc[4, "content"] = blocks.loc[1, "content"]
    blocks.loc[[2, 11], "content"] = None

    assert leaks(blocks, BY_GROUP) == []


def test_a_copy_that_is_not_equal_is_a_leak_that_names_its_places_and_how_alike_they_are(blocks, rng):
    record = np.cumsum(rng.normal(size=500))
    noisy = 3.7 * record + 100 + 0.01 * 3.7 * record.std() * rng.normal(size=500)  # 40 dB
    for row, values in ((1, record), (10, noisy)):
        blocks.at[row, "fingerprint"] = likeness.fingerprint(values[None])[0]

    (leak,) = leaks(blocks, BY_GROUP)

    assert leak.startswith("nearly the same content, correlation 0.999")
    assert leak.endswith("part a position 1 at 2016-07-11 05:55:00 in train and "
                         "part d position 1 at 2016-07-11 05:55:00 in test")  # fmt: skip
    assert leaks(blocks, BY_GROUP | {"near_duplicates": None}) == []


def test_rows_that_a_task_repeats_count_once(blocks):
    repeated = pd.concat([blocks] * 5, ignore_index=True)

    (near,) = [check for check in audit.examine(repeated, BY_GROUP, []) if check.name == "near-duplicates"]

    assert near.passed == "no two examples of different splits correlate by 0.995 or more, by 12 fingerprints"


def test_one_raw_file_in_parts_of_two_splits_is_a_leak_that_names_both_files(blocks):
    raw = {"a": {"sst_1991.nc": "5f"}, "b": {"sst_1992.nc": "6e"}, "c": {"sst_1993.nc": "7d"}, "d": {"copy.nc": "6e"}}

    assert leaks(blocks, BY_GROUP, raw=raw) == [
        "the same raw file: part b position 0 at 2016-07-11 05:55:00 (sst_1992.nc) in train "
        "and part d position 0 at 2016-07-11 05:55:00 (copy.nc) in test"
    ]
    assert leaks(blocks, BY_GROUP, raw=raw | {"d": {"sst_1994.nc": "8c"}}) == []
    assert leaks(blocks, BY_GROUP, raw=raw | {"d": {}, "a": {"copy.nc": "6e"}}) == []  # both train


def test_a_part_whose_examples_fall_to_two_splits_is_no_copy_of_itself(months):
    assert leaks(months.assign(part="all"), BY_TIME, raw={"all": {"sst.nc": "5f"}}) == []


@pytest.mark.parametrize("empty", splits.SPLITS)
def test_a_split_without_examples_is_named(blocks, empty):
    assert leaks(blocks[blocks["split"] != empty], BY_GROUP) == [f"split {empty!r} has no examples"]


def test_every_leak_is_told_not_only_the_first(blocks):
    blocks.loc[0, ["group", "content"]] = ["d", blocks.loc[11, "content"]]

    assert len(leaks(blocks, BY_GROUP, ["a", "c"])) == 3


def test_the_message_lists_ten_leaks_of_every_kind_counts_the_rest_and_ends_with_what_helps(months):
    months["content"] = "the same"
    months.loc[::2, "group"] = [f"well {i % 40}" for i in range(len(months) // 2)]
    checks = audit.examine(months, BY_TIME, ["1999"])
    total = sum(len(check.leaks) for check in checks)

    with pytest.raises(UserError) as caught:
        audit.refuse(checks)

    first, *listed, more, last = str(caught.value).splitlines()
    assert first == "the split leaks:"
    assert (len(listed), more.strip()) == (10, f"… and {total - 10} more")
    assert total > 10
    assert any("reference of the scaling" in line for line in listed)
    assert any("the same content" in line for line in listed)
    helps = "mend `split`, mend `split` or `scaling: reference`, take one of the copies out of the raw files"
    assert last == f"What helps: {helps}."


def test_the_summary_tells_what_was_looked_at_and_what_was_not(months, blocks):
    months, blocks = (audit.summary(audit.examine(*each, [])) for each in ((months, BY_TIME), (blocks, BY_GROUP)))

    assert "more than 31 days lie between one split and the next" in months["passed"]
    assert months["not_looked_for"] == ["raw files told twice", "near-duplicates"]
    assert "no windows of one station in two splits overlap in time (12 of them)" in blocks["passed"]
    assert blocks["not_looked_for"] == ["raw files told twice"]


@given(st.data())
def test_exactly_the_groups_that_a_shuffled_split_tears_apart_are_named(data):
    count = data.draw(st.integers(3, 20))
    group = data.draw(st.lists(st.sampled_from("abcde"), min_size=count, max_size=count))
    kind = data.draw(st.lists(st.sampled_from(splits.SPLITS), min_size=count, max_size=count))
    rows = pd.DataFrame({"group": group, "split": kind, "part": "p", "time": pd.Timestamp("2000-01-01")})

    named = {leak.split()[1] for leak in leaks(rows, BY_GROUP) if leak.startswith("group")}

    of = {g: {s for h, s in zip(group, kind, strict=True) if h == g} for g in group}
    assert named == {g for g, several in of.items() if len(several) > 1}
