"""Tables become datasets to the last digit and the nanosecond, or are refused by line and column."""

import gzip
import io
import sqlite3
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from geojax import stages, store
from geojax.data.readers import table
from geojax.errors import UserError

FLOW = {"q": {"units": "m3 s-1", "long_name": "discharge"}}
DAYS = "time,q\n2020-01-01,1.5\n2020-01-02,2.5\n2020-01-03,4.0\n"
NETWORK = "time,station,q,area\n2020-01-02,B,4,20\n2020-01-01,A,1,10\n2020-01-01,B,2,20\n2020-01-02,A,3,10\n"
WELLS = "Well Name,Depth,GR,facies\nALPHA,10.5,80,3\nALPHA,11.0,90,3\nBETA,10.5,70,1\n"
SAMPLES = {
    "rows": "sample",
    "index": ["well", "depth"],
    "text": {"well": "Well Name"},
    "coordinates": {"depth": {"name": "Depth", "units": "ft"}},
}
GAMMA = {"gamma": {"name": "GR", "units": "gAPI", "long_name": "gamma radiation"}}


def saved(tmp_path: Path, content: str | bytes, name: str = "flow.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(*paths: Path, variables=FLOW, selection=None, **options) -> xr.Dataset:
    return table.read({path.name: path for path in paths}, selection or {}, variables, **options)


def refusal(*paths: Path, **options) -> str:
    with pytest.raises(UserError) as caught:
        read(*paths, **options)
    return str(caught.value)


def kinds(found: xr.Dataset) -> list[str]:
    return [finding["kind"] for finding in found.attrs["quality"]]


# Text -----------------------------------------------------------------------------------------------------------------


def test_a_gauge_lies_on_time_with_declared_units(tmp_path):
    found = read(saved(tmp_path, DAYS))

    assert found["q"].dims == ("time",)
    assert found["q"].attrs == {"units": "m3 s-1", "long_name": "discharge"}
    assert found["q"].values.tolist() == [1.5, 2.5, 4.0]
    assert found["time"].dtype == "datetime64[ns]"
    assert found.attrs["quality"] == []


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_every_float_comes_back_bit_for_bit(tmp_path, values):
    lines = "".join(f"{i},{value!r}\n" for i, value in enumerate(values))

    found = read(saved(tmp_path, "n,q\n" + lines), rows="event")

    np.testing.assert_array_equal(found["q"], values)


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=20))
def test_whole_numbers_of_64_bits_stay_exact_where_declared_and_are_never_rounded_elsewhere(tmp_path, values):
    path = saved(tmp_path, "n,q\n" + "".join(f"{i},{value}\n" for i, value in enumerate(values)))

    assert read(path, rows="event", integers=["q"])["q"].values.tolist() == values
    if all(int(float(value)) == value for value in values):
        assert [int(value) for value in read(path, rows="event")["q"].values] == values
    else:
        assert "float64 holds exactly" in refusal(path, rows="event")


def test_a_text_table_agrees_with_pandas(tmp_path, rng):
    frame = pd.DataFrame({"time": pd.date_range("2001", periods=500, freq="h"), "q": rng.normal(size=500) * 1e3})
    frame.loc[7:11, "q"] = np.nan
    path = tmp_path / "flow.csv"
    frame.to_csv(path, index=False)

    found = read(path)

    oracle = pd.read_csv(path, parse_dates=["time"], float_precision="round_trip")
    np.testing.assert_array_equal(found["q"], oracle["q"])
    np.testing.assert_array_equal(found["time"], oracle["time"].to_numpy("datetime64[ns]"))


@pytest.mark.parametrize(
    ("content", "options"),
    [
        (DAYS.replace(",", ";").replace(".", ","), {"delimiter": ";", "decimal": ","}),
        (DAYS.replace(",", "\t"), {"delimiter": "\t"}),
        (DAYS.replace(",", "   "), {"delimiter": "whitespace"}),
        ("# of a gauge\n" + DAYS.replace("\n", "\n# more\n", 1), {"comment": "#"}),
        ("of a gauge\n\n" + DAYS, {"skiprows": 2}),
        (DAYS.partition("\n")[2], {"columns": ["time", "q"]}),
        (DAYS.replace("\n", "\r\n"), {}),
        ("\ufeff" + DAYS, {}),
        (DAYS.encode("utf-16"), {"encoding": "utf-16"}),
        (gzip.compress(DAYS.encode()), {}),
        (DAYS + "\n\n", {}),
        (DAYS.replace("2.5", '"2.5"'), {}),
    ],
    ids=[
        "semicolon",
        "tab",
        "blanks",
        "comments",
        "preface",
        "headless",
        "crlf",
        "bom",
        "utf16",
        "gzip",
        "end",
        "quoted",
    ],
)
def test_each_way_of_writing_a_table_gives_the_same(tmp_path, content, options):
    xr.testing.assert_identical(read(saved(tmp_path, content), **options), read(saved(tmp_path, DAYS, "plain.csv")))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("2.5", "2.5x", "line 3: `q` must be a number, but is '2.5x'"),
        ("2.5", "1_0", "line 3: `q` must be a number, but is '1_0'"),
        ("2.5", "0x10", "line 3: `q` must be a number"),
        ("2.5", "inf", "line 3: `q` must be a number"),
        ("2.5", "1e999", "line 3: `q` must be a finite number"),
        ("2.5", "٣", "line 3: `q` must be a number"),
        (",2.5", "", "line 3: must have 2 cells (time, q), but has 1"),
        (",2.5", ",2.5,7", "line 3: must have 2 cells (time, q), but has 3"),
        ("time,q", "time,Q", "must have one column `q`, but has none; it has time, Q"),
        ("time,q", "q,q", "must have one column `time`, but has none"),
        ("2020-01-02", "2020-01-01", "flow.csv: line 2; so do 1 rows"),
        ("2020-01-02", "2020-13-02", "line 3: `time` must be a time as"),
        ("2020-01-02", "02.01.2020", "line 3: `time` must be a time as"),
        ("2020-01-02", "", "line 3: `time` must be a time as"),
        ("2020-01-02", "1107-02-12", "line 3: `time` must be a time between 1678 and 2261"),
        ("2020-01-02", "2262-04-12", "line 3: `time` must be a time between 1678 and 2261"),
        ("2.5", "2\0", "line 3: must be text, but holds a zero byte"),
        ("2.5", '"2.5', "must be a whole text table"),
    ],
)
def test_a_fault_is_refused_by_line_and_column(tmp_path, old, new, told):
    path = saved(tmp_path, DAYS.replace(old, new))

    message = refusal(path)

    assert str(path) in message
    assert told in message


def test_a_time_told_twice_names_both_lines(tmp_path):
    message = refusal(saved(tmp_path, DAYS + "2020-01-01,9\n"))

    assert "line 5: time 2020-01-01T00:00:00.000000000 must stand in one row, but already stands in" in message
    assert "line 2" in message


def test_text_of_another_encoding_is_refused(tmp_path):
    assert "UnicodeDecodeError" in refusal(saved(tmp_path, DAYS.replace("q", "Abfluß").encode("latin-1")))


def test_a_last_line_without_end_is_told(tmp_path):
    assert kinds(read(saved(tmp_path, DAYS[:-1]))) == ["unproven"]


def test_rows_keep_the_order_of_the_file(tmp_path):
    found = read(saved(tmp_path, "time,q\n2020-01-03,1\n2020-01-01,2\n"))

    assert found["q"].values.tolist() == [1, 2]
    assert found["time"].dt.day.values.tolist() == [3, 1]


# Missing --------------------------------------------------------------------------------------------------------------


def test_declared_values_empty_cells_and_nan_are_missing(tmp_path):
    path = saved(tmp_path, "n,q\n" + "".join(f"{i},{c}\n" for i, c in enumerate(["", "nan", "-999.00", "NA", "5"])))

    found = read(path, rows="event", missing=[-999, "NA"])

    np.testing.assert_array_equal(found["q"], [np.nan] * 4 + [5])
    assert kinds(found) == []


def test_missing_values_may_be_those_of_one_variable(tmp_path):
    path = saved(tmp_path, "p,q\n-1,-1\n3,4\n")
    variables = FLOW | {"p": {"units": "1", "long_name": "other"}}

    found = read(path, variables=variables, rows="event", missing={"q": [-1]})

    np.testing.assert_array_equal(found["q"], [np.nan, 4])
    np.testing.assert_array_equal(found["p"], [-1, 3])


@pytest.mark.parametrize("value", [-999, -9999, 9999, 99999, 1e20, -999.25, 1e30, -99.9])
def test_an_undeclared_fill_value_that_repeats_is_found_and_left(tmp_path, value, rng):
    values = [*rng.uniform(0, 50, 100), value, value]
    path = saved(tmp_path, "n,q\n" + "".join(f"{i},{v!r}\n" for i, v in enumerate(map(float, values))))

    found = read(path, rows="event")

    (finding,) = found.attrs["quality"]
    assert (finding["kind"], finding["count"], finding["first"]) == ("fill", 2, "line 102")
    np.testing.assert_array_equal(found["q"], values)


@pytest.mark.parametrize("values", [[*range(900, 1100)] * 2, [3.0, 4.0, 99.0], [99.0, 99.9, 99.9, 99.8, 99.7]])
def test_a_value_inside_the_range_or_short_and_alone_among_few_is_no_fill(tmp_path, values):
    path = saved(tmp_path, "n,q\n" + "".join(f"{i},{v}\n" for i, v in enumerate(values)))

    assert kinds(read(path, rows="event")) == []


def test_a_value_outside_its_valid_range_is_refused_by_line(tmp_path):
    variables = {"q": FLOW["q"] | {"valid_range": (0, 3)}}

    assert "line 4: `q` must be in 0 … 3, but is '4.0'" in refusal(saved(tmp_path, DAYS), variables=variables)


# Times ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "options", "utc"),
    [
        ("2020-07-01 12:00:00.123456789", {}, "2020-07-01T12:00:00.123456789"),
        ("2020-07-01T12:00:00+02:00", {}, "2020-07-01T10:00:00"),
        ("2020-07-01 12:00:00", {"timezone": "Europe/Vienna"}, "2020-07-01T10:00:00"),
        ("2020-07-01T12:00:00Z", {"timezone": "Europe/Vienna"}, "2020-07-01T12:00:00"),
        ("01.07.2020 12:00", {"time_format": "%d.%m.%Y %H:%M"}, "2020-07-01T12:00:00"),
        ("1593604800.25", {"time_format": "seconds since 1970-01-01"}, "2020-07-01T12:00:00.25"),
        ("183.5", {"time_format": "days since 2019-12-31"}, "2020-07-01T12:00:00"),
    ],
)
def test_times_are_utc_to_the_nanosecond(tmp_path, written, options, utc):
    found = read(saved(tmp_path, f"time,q\n{written},1\n"), **options)

    assert found["time"].values[0] == np.datetime64(utc, "ns")


@pytest.mark.parametrize("written", ["2020-10-25 02:30:00", "2020-03-29 02:30:00"])
def test_a_local_time_that_is_two_or_none_is_refused(tmp_path, written):
    path = saved(tmp_path, f"time,q\n2020-01-01,0\n{written},1\n")

    assert "line 3: `time` must be one time of Europe/Vienna" in refusal(path, timezone="Europe/Vienna")


def test_a_time_may_stand_in_several_columns(tmp_path):
    path = saved(tmp_path, "year,month,day,q\n1999,2,3,1\n")

    found = read(path, time=["year", "month", "day"], time_format="%Y %m %d")

    assert found["time"].values[0] == np.datetime64("1999-02-03")


def test_values_without_times_take_them_from_their_count(tmp_path):
    path = saved(tmp_path, "Timegrid\n1\n2\n3\n")
    grid = {"start": "2020-01-01T00:00+01:00", "step": "1D", "end": "2020-01-04T00:00+01:00"}

    found = read(path, columns=["q"], skiprows=1, time=grid)

    assert found["time"].values[0] == np.datetime64("2019-12-31T23:00")
    assert found["q"].values.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("content", "told"), [("1\n2\n", "must have 3 rows"), ("1\n\n3\n", "line 2: must have 1 cells")]
)
def test_values_without_times_are_refused_where_one_is_missing(tmp_path, content, told):
    grid = {"start": "2020-01-01", "step": "1D", "end": "2020-01-04"}

    assert told in refusal(saved(tmp_path, content), columns=["q"], time=grid)


def test_a_part_is_its_span_and_nothing_else(tmp_path):
    found = read(saved(tmp_path, DAYS), selection={"span": ("2020-01-02", "2020-01-03")})

    assert found["q"].values.tolist() == [2.5]


def test_a_part_without_rows_is_answered_with_the_span_there_is(tmp_path):
    message = refusal(saved(tmp_path, DAYS), selection={"span": ("2021-01-01", "2022-01-01")})

    assert "must hold rows of 2021-01-01 to 2022-01-01, but its times run from 2020-01-01Z to 2020-01-03Z" in message


# Keys -----------------------------------------------------------------------------------------------------------------


def test_a_network_lies_on_time_and_station(tmp_path):
    area = {"area": {"units": "km2"}}

    found = read(saved(tmp_path, NETWORK), index=["time", "station"], coordinates=area)

    assert found["q"].dims == ("time", "station")
    assert found["q"].values.tolist() == [[1, 2], [3, 4]]
    assert found["station"].values.tolist() == ["A", "B"]
    assert found["area"].dims == ("station",)
    assert found["area"].values.tolist() == [10, 20]
    assert kinds(found) == []


def test_cells_of_a_network_without_a_row_are_missing_and_told(tmp_path):
    found = read(saved(tmp_path, NETWORK.replace("2020-01-01,A,1,10\n", "")), index=["time", "station"])

    np.testing.assert_array_equal(found["q"], [[np.nan, 2], [3, 4]])
    (finding,) = found.attrs["quality"]
    assert (finding["kind"], finding["count"]) == ("gap", 1)
    assert finding["first"].endswith("A")


def test_a_block_of_stations_is_itself_and_nothing_else(tmp_path):
    found = read(saved(tmp_path, NETWORK), index=["time", "station"], selection={"stations": {"B"}})

    assert found["station"].values.tolist() == ["B"]
    assert found["q"].values.tolist() == [[2], [4]]


def test_stations_may_be_told_by_the_names_of_files(tmp_path):
    paths = [saved(tmp_path, DAYS, f"gauge_{name}_obs.csv") for name in ("x", "y")]

    found = read(*paths, index=["time", "station"], from_name={"station": "gauge_(.*)_obs"})

    assert dict(found.sizes) == {"time": 3, "station": 2}
    np.testing.assert_array_equal(found["q"].sel(station="x"), found["q"].sel(station="y"))


def test_a_grid_that_would_stand_almost_empty_is_refused(tmp_path):
    lines = "".join(f"2020-01-01T00:00:00.{i:06d},S{i},1\n" for i in range(3000))

    assert "rows: sample" in refusal(saved(tmp_path, "time,station,q\n" + lines), index=["time", "station"])


def test_wells_keep_their_rows_on_one_dimension(tmp_path):
    facies = {"facies": {"units": "1", "long_name": "facies"}}

    found = read(saved(tmp_path, WELLS), variables=GAMMA | facies, integers=["facies"], **SAMPLES)

    assert found["gamma"].dims == ("sample",)
    assert found["well"].values.tolist() == ["ALPHA", "ALPHA", "BETA"]
    assert found["depth"].attrs["units"] == "ft"
    assert found["facies"].dtype == "int64"


def test_a_depth_told_twice_in_a_well_is_refused(tmp_path):
    path = saved(tmp_path, WELLS.replace("11.0", "10.50"))

    assert "line 3: well ALPHA, depth 10.5 must stand in one row" in refusal(path, variables=GAMMA, **SAMPLES)


def test_a_key_without_value_is_refused(tmp_path):
    path = saved(tmp_path, WELLS.replace("BETA", ""))

    assert "line 4: `well` must have a value" in refusal(path, variables=GAMMA, **SAMPLES)


def test_events_at_the_same_time_are_two_events(tmp_path):
    path = saved(tmp_path, "time,type,q\n2020-01-01,blast,1\n2020-01-01,earthquake,2\n")

    found = read(path, rows="event", time="time", text={"event_type": "type"})

    assert found["q"].dims == ("event",)
    assert found["event_type"].values.tolist() == ["blast", "earthquake"]


def test_files_of_one_part_follow_one_another(tmp_path):
    second = saved(tmp_path, DAYS.replace("2020", "2021"), "second.csv")

    assert read(saved(tmp_path, DAYS), second)["q"].values.tolist() == [1.5, 2.5, 4.0] * 2


def test_a_key_in_two_files_is_refused_with_both(tmp_path):
    first, second = saved(tmp_path, DAYS), saved(tmp_path, DAYS, "second.csv")

    message = refusal(first, second)

    assert f"{second}: line 2" in message
    assert f"{first}: line 2" in message


@pytest.mark.parametrize(
    "options",
    [
        {"integers": ["p"]},
        {"index": ["q"]},
        {"rows": "q"},
        {"index": []},
        {"coordinates": {"p": {"unit": "m"}}},
        {"from_name": {"station": "flow"}},
        {"from_name": {"station": "("}},
        {"format": "xls"},
        {"timezone": "Europe/Nowhere"},
        {"time": {"start": "2020-01-01"}},
        {"encoding": "utf-5"},
        {"delimiter": ";;"},
        {"missing": {"p": [1]}},
    ],
    ids=str,
)
def test_an_option_that_contradicts_is_refused_in_words(tmp_path, options):
    message = refusal(saved(tmp_path, DAYS), **options)

    assert "reader: " in message
    assert "options" in message


# Parquet --------------------------------------------------------------------------------------------------------------


def test_parquet_and_text_give_the_same(tmp_path):
    frame = pd.read_csv(io.StringIO(DAYS), parse_dates=["time"])
    frame.to_parquet(tmp_path / "flow.parquet")

    xr.testing.assert_identical(read(tmp_path / "flow.parquet"), read(saved(tmp_path, DAYS)))


def test_parquet_keeps_float32_whole_numbers_and_nulls(tmp_path):
    frame = pd.DataFrame(
        {
            "single": np.array([0.1, np.nan, 3], "float32"),
            "whole": pd.array([2**53 + 1, 2, 3], dtype="Int64"),
            "holes": pd.array([1, None, 3], dtype="Int64"),
            "kind": pd.Categorical(["a", "b", "a"]),
        }
    )
    frame.to_parquet(tmp_path / "x.parquet")
    variables = {name: {"units": "1", "long_name": name} for name in ("single", "whole", "holes")}

    found = read(tmp_path / "x.parquet", variables=variables, rows="sample", integers=["whole"], text=["kind"])

    assert found["single"].dtype == "float32"
    np.testing.assert_array_equal(found["single"], frame["single"])
    assert found["whole"].values.tolist() == [2**53 + 1, 2, 3]
    np.testing.assert_array_equal(found["holes"], [1, np.nan, 3])
    assert found["kind"].values.tolist() == ["a", "b", "a"]
    assert "float64 holds exactly" in refusal(
        tmp_path / "x.parquet", variables={"whole": variables["whole"]}, rows="sample"
    )


def test_parquet_with_other_units_in_its_schema_is_refused(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([pa.field("q", pa.float64(), metadata={"units": "ft3 s-1"})])
    pq.write_table(pa.table({"q": [1.0]}, schema=schema), tmp_path / "q.parquet")

    assert "must be in 'm3 s-1', but the file says 'ft3 s-1'" in refusal(tmp_path / "q.parquet", rows="event")


def test_words_in_a_column_of_numbers_of_parquet_are_refused_by_row(tmp_path):
    pd.DataFrame({"q": ["1", "two"]}).to_parquet(tmp_path / "q.parquet")

    assert "row 2: `q` must be a number, but is 'two'" in refusal(tmp_path / "q.parquet", rows="event")


# SQLite ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def database(tmp_path) -> Path:
    path = tmp_path / "events.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE event (time datetime, q float)")
        rows = [(f"2020-01-{day:02d} 00:00:00", float(day)) for day in range(1, 29)]
        connection.executemany("INSERT INTO event VALUES (?, ?)", rows)
    connection.close()
    return path


def test_a_table_of_a_database_is_read(database):
    assert read(database, table="event")["q"].values.tolist() == list(range(1, 29))


def test_a_query_may_choose_and_order(database):
    found = read(database, query="SELECT time, q FROM event WHERE q > 26 ORDER BY q DESC")

    assert found["q"].values.tolist() == [28, 27]


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM event",
        "DROP TABLE event",
        "CREATE TABLE other (x)",
        "ATTACH DATABASE '{other}' AS other",
        "SELECT 1; DELETE FROM event",
        "PRAGMA journal_mode = WAL",
        "VACUUM INTO '{other}'",
    ],
)
def test_a_query_that_does_more_than_read_is_refused_and_changes_nothing(database, tmp_path, query):
    before = database.read_bytes()

    assert "answers `table` or `query` by reading" in refusal(database, query=query.format(other=tmp_path / "other.db"))

    assert database.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["events.db"]


def test_words_in_a_column_of_numbers_of_a_database_are_refused_by_row(database):
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE event SET q = 'two' WHERE q = 2")
    connection.close()

    assert "row 2: `q` must be a number, but is 'two'" in refusal(database, table="event")


def test_a_database_without_the_table_answers_with_those_there_are(database):
    assert "There are: event" in refusal(database)
    assert "no such table: quake" in refusal(database, table="quake")


def test_a_database_with_changes_beside_it_is_refused(database):
    database.with_name("events.db-wal").write_bytes(b"changes")

    assert "events.db-wal holds changes" in refusal(database, table="event")


# Cut files ------------------------------------------------------------------------------------------------------------


def hundred_days() -> pd.DataFrame:
    values = np.random.default_rng(0).normal(size=100)
    return pd.DataFrame({"time": pd.date_range("2020-01-01", periods=100), "q": values})


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "parquet", "db"])
def test_a_file_cut_anywhere_is_refused_or_told_or_its_rows_are_a_prefix(tmp_path, ending, rng):
    path = tmp_path / f"flow.{ending}"
    options = {"table": "event"} if ending == "db" else {}
    if ending == "db":
        with sqlite3.connect(path) as connection:
            hundred_days().to_sql("event", connection, index=False)
        connection.close()
    elif ending == "parquet":
        hundred_days().to_parquet(path)
    else:
        hundred_days().to_csv(path, index=False)
    whole, content = read(path, **options), path.read_bytes()
    for size in rng.integers(0, len(content), 60):
        path.write_bytes(content[:size])
        try:
            found = read(path, **options)
        except UserError:
            continue
        assert ending == "csv", f"cut to {size} bytes, it was read"
        if content[size - 1 : size] == b"\n":
            xr.testing.assert_equal(found, whole.isel(time=slice(found.sizes["time"])))  # no text tells that more came
        else:
            assert kinds(found) == ["unproven"]


def test_a_part_of_wells_is_stored_and_comes_back(tmp_path):
    variables = {name: wanted for name, wanted in GAMMA.items()}
    reader = {"name": "table", "variables": variables, "options": SAMPLES}
    quality = {"policy": "fail", "admit": ["all"]}

    stages.ingest_part(str(saved(tmp_path, WELLS)), str(tmp_path / "p.zarr"), "p", {}, reader, quality)

    stored = store.read(tmp_path / "p.zarr")
    assert stored["well"].values.tolist() == ["ALPHA", "ALPHA", "BETA"]
    assert stored["gamma"].values.tolist() == [80, 90, 70]
