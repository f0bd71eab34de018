"""Which parts a dataset has, and which raw data each of them takes."""

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geojax.config import Dataset
from geojax.data import gathered, parts, ranges, raw
from geojax.errors import UserError


def by_file(dataset, folder, pattern="sst_{part}.nc"):
    return dataset | {"source": {"kind": "files", "pattern": f"{folder}/{pattern}"}, "parts": {"by": "file"}}


@given(first=st.integers(0, 300), count=st.integers(1, 50), width=st.integers(1, 6))
def test_a_range_stands_for_every_number_in_it_at_the_width_of_its_start(first, count, width):
    start = str(first).zfill(width)

    found = ranges.expand([f"{start}-{first + count - 1}"])

    assert found == [f"{n:0{len(start)}d}" for n in range(first, first + count)]


def test_what_is_no_range_stands_for_itself_and_order_is_kept():
    assert ranges.expand(["b", "07-09", "1-a", "x-2", "a"]) == ["b", "07", "08", "09", "1-a", "x-2", "a"]


def test_the_reference_may_run_from_one_part_to_another_of_any_name(dataset):
    dataset["scaling"]["reference"] = ["2024-01-01 ... 2024-01-03"]
    source = {"kind": "fdsn", "base_url": "http://localhost", "network": "NL", "channel": "BH?"}
    content = with_parts(dataset, source, by="day", first="2024-01-01", last="2024-01-09")

    assert parts.reference(content) == ["2024-01-01", "2024-01-02", "2024-01-03"]


def test_a_range_that_runs_backwards_is_refused_rather_than_empty():
    with pytest.raises(UserError, match="2010-1991: a range must run upwards"):
        ranges.expand(["2010-1991"])


def test_parts_by_year_are_all_years_from_first_to_last(dataset):
    assert parts.names(Dataset.model_validate(dataset)) == [str(year) for year in range(1991, 2001)]


def test_parts_by_station_are_the_blocks_in_the_order_of_the_configuration(dataset):
    dataset["parts"] = {"by": "station", "blocks": {"west": ["1001-1003"], "east": ["2001"]}}

    assert parts.names(Dataset.model_validate(dataset)) == ["west", "east"]


def test_parts_by_file_are_what_stands_in_the_place_of_part(dataset, tmp_path):
    for name in ("sst_1992.nc", "sst_1991-b.nc", "sst_x.y.nc", "sst_1993.txt", "tos_1994.nc"):
        (tmp_path / name).touch()
    content = Dataset.model_validate(by_file(dataset, tmp_path))

    assert parts.names(content) == ["1991-b", "1992", "x.y"]
    assert raw.files(content)["x.y"] == [f"{tmp_path}/sst_x.y.nc"]


def test_the_part_may_stand_in_the_name_of_a_folder(tmp_path):
    for year in (1991, 1992):
        (tmp_path / str(year)).mkdir()
        (tmp_path / str(year) / "sst.nc").touch()
    assert sorted(raw.matching(f"{tmp_path}/{{part}}/sst.nc")) == ["1991", "1992"]


def test_characters_that_a_shell_would_expand_stand_for_themselves(tmp_path):
    folder = tmp_path / "archive [v1] *"
    folder.mkdir()
    (folder / "sst_1991.nc").touch()
    (tmp_path / "archive 1 x").mkdir()
    (tmp_path / "archive 1 x" / "sst_1992.nc").touch()

    assert list(raw.matching(f"{folder}/sst_{{part}}.nc")) == ["1991"]


def test_files_with_the_same_part_form_one_part_of_an_archive_in_sds(tmp_path):
    names = [f"2024/NL/{s}/BHZ.D/NL.{s}..BHZ.D.2024.{day}" for s in ("HGN", "D") for day in ("131", "132")]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()

    for pattern in ("*/NL/*/*.D/NL.*.BHZ.D.{part}", "**/NL.*..BHZ.D.{part}"):
        found = raw.matching(f"{tmp_path}/{pattern}")
        assert found == {
            f"2024.{day}": sorted(f"{tmp_path}/{name}" for name in names if name.endswith(day))
            for day in ("131", "132")
        }


def test_a_part_that_could_be_read_in_two_ways_is_refused_with_both(tmp_path):
    (tmp_path / "NL.HGN..BHZ.D.2024.131").touch()

    with pytest.raises(UserError, match=r"could be `131` or `HGN\.\.BHZ\.D\.2024\.131`\. Write more of the name"):
        raw.matching(f"{tmp_path}/*.{{part}}")


def test_a_new_file_is_a_new_part_and_leaves_the_others(dataset, tmp_path):
    (tmp_path / "sst_1991.nc").touch()
    content = Dataset.model_validate(by_file(dataset, tmp_path))
    before = parts.names(content)
    (tmp_path / "sst_1992.nc").touch()

    assert parts.names(content) == [*before, "1992"]


def test_a_pattern_that_no_file_matches_is_refused(dataset, tmp_path):
    with pytest.raises(UserError, match=r"sst_\{part\}\.nc: no file matches"):
        parts.names(Dataset.model_validate(by_file(dataset, tmp_path)))


def test_a_file_whose_part_could_not_name_a_store_is_refused(tmp_path):
    (tmp_path / "sst_a b.nc").touch()

    with pytest.raises(UserError, match=r"sst_a b\.nc: a part's name takes letters"):
        raw.matching(f"{tmp_path}/sst_{{part}}.nc")


def with_parts(dataset, source=None, **section):
    return Dataset.model_validate(dataset | {"parts": section} | ({"source": source} if source else {}))


def test_a_year_takes_that_year_a_block_its_stations_and_a_file_all(dataset, tmp_path):
    blocks = {"west": ["1001-1003", "A"], "east": ["2001"]}
    (tmp_path / "sst_1995.nc").touch()

    assert raw.selection(Dataset.model_validate(dataset), "1995") == {"span": ["1995-01-01", "1996-01-01"]}
    assert raw.selection(with_parts(dataset, by="station", blocks=blocks), "west") == {
        "stations": ["1001", "1002", "1003", "A"]
    }
    assert raw.selection(Dataset.model_validate(by_file(dataset, tmp_path)), "1995") == {}


@given(
    st.dates(min_value=date(1, 1, 1), max_value=date(9000, 1, 1)),
    st.integers(0, 1500),
    st.sampled_from(["year", "month", "day"]),
)
def test_periods_follow_one_another_without_gap_or_overlap_and_cover_first_to_last(start, days, by):
    width = {"year": 4, "month": 7, "day": 10}[by]
    end = start + timedelta(days=days)

    found = ranges.periods(by, start.isoformat()[:width], end.isoformat()[:width])
    spans = [ranges.span(by, period) for period in found]

    assert all(one[1] == other[0] for one, other in pairwise(spans))
    assert spans[0][0] <= start.isoformat()
    assert end.isoformat() < spans[-1][1]


def test_day_files_are_grouped_by_the_month_that_their_names_tell(dataset, tmp_path):
    for day in ("2023.365", "2024.001", "2024.031", "2024.032"):
        (tmp_path / f"NL.HGN..BHZ.D.{day}").touch()
    source = {"kind": "files", "pattern": f"{tmp_path}/*.D.{{part}}"}

    months = with_parts(dataset, source, by="month", date="%Y.%j")
    cut = with_parts(dataset, source, by="month", date="%Y.%j", first="2024-01", last="2024-01")

    assert {part: len(paths) for part, paths in raw.files(months).items()} == {"2023-12": 1, "2024-01": 2, "2024-02": 1}
    assert parts.names(cut) == ["2024-01"]
    assert raw.selection(months, "2024-01") == {}


def test_a_name_that_is_no_date_is_refused_with_what_was_required(dataset, tmp_path):
    (tmp_path / "NL.HGN..BHZ.D.2024.400").touch()
    content = with_parts(dataset, {"kind": "files", "pattern": f"{tmp_path}/*.D.{{part}}"}, by="month", date="%Y.%j")

    with pytest.raises(UserError, match=r"D\.2024\.400: `2024\.400` must be a date as `parts: date` says"):
        parts.names(content)


def test_one_growing_file_of_ones_own_is_cut_by_year(dataset, tmp_path):
    (tmp_path / "all.nc").touch()
    content = Dataset.model_validate(dataset | {"source": {"kind": "files", "pattern": f"{tmp_path}/all.nc"}})

    assert parts.names(content)[0] == "1991"
    assert raw.files(content) == {raw.WHOLE: [f"{tmp_path}/all.nc"]}
    assert raw.selection(content, "1991") == {"span": ["1991-01-01", "1992-01-01"]}


def test_what_is_ordered_for_a_lot_holds_nothing_of_the_other_lots(dataset):
    source = {"kind": "http", "url": "http://localhost/sst_{part}.nc", "sha256": {"a": "0" * 64, "b": "1" * 64}}
    dataset["scaling"]["reference"] = ["a"]
    before = with_parts(dataset, source, by="file")
    source["sha256"] = source["sha256"] | {"c": "2" * 64}
    after = with_parts(dataset, source, by="file")

    assert parts.names(after) == parts.lots(after) == ["a", "b", "c"]
    assert raw.order(before, "b") == raw.order(after, "b")
    assert raw.order(after, "b")["url"] == "http://localhost/sst_b.nc"
    assert raw.order(after, "b")["sha256"] == "1" * 64


def test_a_further_period_changes_no_order_and_no_selection_of_those_before(dataset):
    source = {"kind": "fdsn", "base_url": "http://localhost", "network": "NL", "channel": "BH?"}
    before = with_parts(dataset, source, by="day", first="2024-01-01", last="2024-01-02")
    after = with_parts(dataset, source, by="day", first="2024-01-01", last="2024-01-03")

    assert raw.order(before, "2024-01-02") == raw.order(after, "2024-01-02")
    assert raw.order(after, "2024-01-02")["span"] == ["2024-01-02", "2024-01-03"]
    span = {"span": ["2024-01-02", "2024-01-03"]}
    assert raw.selection(before, "2024-01-02") == raw.selection(after, "2024-01-02") == span


MONTHS = {"by": "month", "first": "2024-01", "last": "2024-03"}
SOURCES = [
    {"kind": "fdsn", "base_url": "http://localhost", "network": "NL", "channel": "BH?"},
    {"kind": "objects", "url": "s3://bucket/era.zarr"},
]


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source["kind"])
def test_the_order_of_a_period_changes_day_by_day_while_it_lasts_and_never_once_it_is_over(dataset, source):
    dataset["scaling"]["reference"] = ["2024-01"]
    content = with_parts(dataset, source, **MONTHS)
    days = [date(2024, 1, 1) + timedelta(days=n) for n in range(100)]

    orders = [raw.order(content, "2024-02", today) for today in days]

    begun, over = days.index(date(2024, 2, 1)), days.index(date(2024, 3, 1))
    assert [order["until"] for order in orders[:begun]] == [None] * begun  # none of it can exist
    assert [order["until"] for order in orders[begun:over]] == [f"2024-02-{n:02d}" for n in range(1, 30)]
    assert orders[over:] == [orders[over]] * (100 - over)
    assert "until" not in orders[over]  # so that what was fetched once it was over is ordered as ever
    assert orders[over] | {"until": "2024-02-07"} == orders[begun + 6]


def test_only_the_period_that_lasts_is_ordered_anew_on_another_day(dataset):
    dataset["scaling"]["reference"] = ["2024-01"]
    content = with_parts(dataset, SOURCES[0], **MONTHS)

    one, other = (
        {lot: raw.order(content, lot, today) for lot in parts.lots(content)}
        for today in (date(2024, 2, 7), date(2024, 2, 8))
    )

    assert [lot for lot in one if one[lot] != other[lot]] == ["2024-02"]


def test_a_lot_that_serves_all_periods_is_ordered_alike_on_every_day(dataset):
    dataset["parts"]["last"] = 2030
    content = Dataset.model_validate(dataset)

    assert raw.order(content, raw.WHOLE, date(1991, 1, 1)) == raw.order(content, raw.WHOLE, date(2040, 1, 1))
    assert "until" not in raw.order(content, raw.WHOLE)


def test_the_reference_is_what_its_ranges_stand_for(dataset):
    dataset["scaling"]["reference"] = ["1991-1993", "1995"]

    assert parts.reference(Dataset.model_validate(dataset)) == ["1991", "1992", "1993", "1995"]


def test_a_part_named_twice_weighs_once_in_the_reference(dataset):
    dataset["scaling"]["reference"] = ["1991-1993", "1992-1994", "1991"]

    assert parts.reference(Dataset.model_validate(dataset)) == ["1991", "1992", "1993", "1994"]


@pytest.mark.parametrize("name", ["2010-01", "2001-2010"])
def test_a_part_whose_own_name_looks_like_a_range_can_be_a_reference(dataset, tmp_path, name):
    (tmp_path / f"sst_{name}.nc").touch()
    dataset["scaling"]["reference"] = [name]

    assert parts.reference(Dataset.model_validate(by_file(dataset, tmp_path))) == [name]


def test_a_reference_that_is_no_part_is_refused_with_the_parts_there_are(dataset):
    dataset["scaling"]["reference"] = ["1989-1992"]

    with pytest.raises(UserError, match=r"reference: 1989, 1990 must be parts .* 1991 … 2000 \(10 in all\)"):
        parts.reference(Dataset.model_validate(dataset))


@given(st.from_regex(r"[A-Za-z0-9_.-]+", fullmatch=True).filter(lambda s: not s.endswith((".zarr", ".json"))))
def test_a_store_and_its_manifest_know_their_part(part):
    assert gathered.stem(f"data/d/parts/{part}.zarr") == gathered.stem(f"data/d/parts/{part}.manifest.json") == part


def test_each_region_is_a_part_that_takes_its_own_span(dataset):
    regions = {"west": {"lon": [0, 20]}, "east": {"lon": [20, 40], "lat": [-10, 10]}}
    dataset["scaling"]["reference"] = ["west"]
    content = with_parts(dataset, by="region", regions=regions)

    assert parts.names(content) == ["west", "east"]
    assert raw.selection(content, "east") == {"region": {"lon": [20, 40], "lat": [-10, 10]}}
    assert parts.lots(content) == [raw.WHOLE]


@pytest.mark.parametrize(
    ("spans", "told"), [({"lon": [20, 20]}, "lower to the higher"), ({"x": [0, 1]}, "not along x")]
)
def test_a_region_that_is_empty_or_along_another_axis_is_refused(dataset, spans, told):
    with pytest.raises(ValueError, match=told):
        with_parts(dataset, by="region", regions={"west": spans})
