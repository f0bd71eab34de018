"""A number that by custom stands for none is told where it stands out, and is left where it may be a measurement."""

import statistics

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from geojax.data import fills, survey
from geojax.data.readers import las, netcdf, table

LIST = [-99, -999, -9999, -99999, -99.9, -999.9, -999.25, 999, 9999, 99999, 999999, 88888, 32767, -32768, 1e20, 1e30,
        2**31 - 1, -(2**31), -(2**31) + 1, -(2**63), 9.969209968386869e36, fills.LARGEST, -fills.LARGEST]  # fmt: skip
LAS = """~V
VERS. 2.0 :
WRAP. NO :
~W
STRT.m 1.0 :
STOP.m {count}.0 :
STEP.m 1.0 :
NULL. -1000 :
WELL. A :
~C
DEPT.m :
GR.gAPI :
~A
"""
FLOW = {"units": "m3 s-1", "long_name": "discharge", "name": "Q"}


def ordinary(rng, count=400):
    return rng.uniform(0, 50, count)


def held(values, value) -> list[tuple[int, int]]:
    """Count and first of what is found, of which every one must be `value`."""
    found = fills.find(values)
    assert all(fill.value == pytest.approx(value, rel=1e-6) for fill in found)
    return [(fill.number, fill.first) for fill in found]


@pytest.mark.parametrize("kind", ["float32", "float64"])
@pytest.mark.parametrize("value", LIST)
def test_a_customary_fill_far_from_all_others_is_found_once_or_often_however_it_is_rounded(rng, value, kind):
    once, often = ordinary(rng), ordinary(rng)
    once[7] = often[[30, 9, 200]] = value

    assert held(once.astype(kind), value) == [(1, 7)]
    assert held(often.astype(kind), value) == [(3, 9)]
    assert held(often.astype("float32").astype("float64"), value) == [(3, 9)]  # as a reader widens them
    assert held(often.astype(kind).reshape(20, 20), value) == [(3, 9)]


@pytest.mark.parametrize("kind", ["int16", "int32", "int64", "uint16"])
def test_a_fill_among_whole_numbers_is_found(rng, kind):
    values = rng.integers(0, 50, 300).astype(kind)
    values[[5, 6]] = 65535 if kind == "uint16" else -9999

    assert held(values, 65535 if kind == "uint16" else -9999) == [(2, 5)]


@pytest.mark.parametrize("value", LIST)
@given(data=st.data())
def test_a_value_that_is_a_customary_fill_by_chance_is_left_amid_similar_values(value, data):
    shares = data.draw(st.lists(st.floats(0.92, 0.97) | st.floats(1.03, 1.08), min_size=1, max_size=30))
    values = np.array([value * share for share in shares] + [value] * data.draw(st.integers(1, 3)))

    assert fills.find(values[np.random.default_rng(0).permutation(len(values))]) == []


def test_a_value_within_the_range_of_the_others_is_left_however_often_it_comes(rng):
    assert fills.find(np.concatenate([rng.uniform(-20_000, 20_000, 500), np.full(50, -9999.0)])) == []


def test_the_highest_of_many_that_thin_out_upwards_is_left(rng):
    rain = np.round(np.minimum(rng.gamma(0.4, 12.0, 20_000), 95.0), 1)
    rain[[17, 4000]] = 99.9  # the two wettest hours, 4.9 mm above the third

    assert fills.find(rain) == []


def test_one_that_lies_nearer_than_the_others_from_each_other_tells_itself_by_repeating(rng):
    celsius = rng.uniform(-60, 40, 1000)
    celsius[3] = -99.0
    assert fills.find(celsius) == []

    celsius[5] = -99.0
    assert held(celsius, -99) == [(2, 3)]


def test_a_short_number_alone_among_few_may_be_measured_and_a_long_one_not():
    assert fills.find(np.array([5.0, 10.0, 99.0])) == []  # depths of three earthquakes in km
    assert held(np.array([5.0, 10.0, 99.0, 99.0]), 99) == [(2, 2)]
    assert held(np.array([5.0, 10.0, -9999.0]), -9999) == [(1, 2)]


def test_several_kinds_of_fill_are_found_each_by_itself(rng):
    values = ordinary(rng)
    values[[1, 2]], values[[3, 4, 5]], values[6] = -999.0, -9999.0, 1e20

    assert [tuple(fill) for fill in fills.find(values)] == [(-9999.0, 3, 3), (-999.0, 2, 1), (1e20, 1, 6)]


def test_nan_is_no_value_and_values_that_are_all_one_fill_are_found():
    assert fills.find(np.full(9, np.nan)) == []
    assert fills.find(np.array([])) == []
    assert held(np.array([np.nan, -9999.0, -9999.0]), -9999) == [(2, 1)]
    assert held(np.array([np.nan, 1.0, np.nan, -9999.0, 2.0], "float32"), -9999) == [(1, 3)]


def test_the_infinite_hide_no_fill(rng):
    values = ordinary(rng)
    values[[4, 5]], values[6], values[7] = -9999.0, -np.inf, np.inf

    assert held(values, -9999) == [(2, 4)]


@given(st.lists(st.sampled_from([0.0, 1.5, 20.0, 60.0, 98.0, 300.0, 5000.0, -99.0, 99.0, 999.0, -9999.0, 1e20]),
                min_size=1, max_size=25))  # fmt: skip
def test_what_is_found_is_what_the_rule_says(values):
    ends = sorted(set(values))
    customary = {-99.0, 99.0, 999.0, -9999.0, 1e20}
    while ends and ends[0] in customary:
        ends.pop(0)
    while ends and ends[-1] in customary:
        ends.pop()
    others = sorted(v for v in values if ends and ends[0] <= v <= ends[-1])
    expected = []
    for value in sorted(set(values) & customary):
        if others and others[0] <= value <= others[-1]:
            continue
        count = values.count(value)
        if count == 1 and abs(value) < 100 and len(others) < 10:
            continue
        far = min(abs(value - other) for other in others) if others else np.inf
        steps = np.diff(sorted(set(others))).tolist()
        wide = far > (others[-1] - others[0] if others else 0)
        repeats = count > 1 and bool(steps) and far > 10 * statistics.median(steps)
        if far > abs(value) / 10 and (wide or repeats):
            expected.append((value, count, values.index(value)))

    assert [tuple(fill) for fill in fills.find(np.array(values))] == expected


def judged(content: xr.Dataset) -> list[tuple[str, int]]:
    """What stands in the manifest of the fills of a part, once the survey has looked too."""
    quality = survey.judge(content, {"file": "raw"}, ["all"])["quality"]
    return [(finding["trace"], finding["count"]) for finding in quality if finding["kind"] == "fill"]


def test_a_fill_is_found_alike_in_tables_logs_fields_and_series_and_told_once(tmp_path, rng):
    values = np.round(ordinary(rng), 3)
    values[[7, 9]] = -9999.0
    times = np.datetime64("2020-01-01", "ns") + np.arange(400) * np.timedelta64(1, "D")
    (tmp_path / "a.csv").write_text("t,Q\n" + "".join(f"{i},{v}\n" for i, v in enumerate(values)))
    (tmp_path / "a.las").write_text(LAS.format(count=400) + "".join(f"{i + 1}.0 {v}\n" for i, v in enumerate(values)))
    axes = {"time": times, "lat": [0.0, 1.0], "lon": [0.0, 1.0]}
    units = {"units": "m3 s-1"}
    field = np.broadcast_to(values[:, None, None], (400, 2, 2)).copy()
    field[:, 1:] = field[:, :, 1:] = 1.0
    xr.Dataset({"Q": (tuple(axes), field, units)}, axes).to_netcdf(
        tmp_path / "a.nc", encoding={"Q": {"_FillValue": None}}
    )

    rows = table.read({"a": tmp_path / "a.csv"}, {}, {"flow": FLOW}, rows="event")
    log = las.read({"a": tmp_path / "a.las"}, {}, {"flow": FLOW | {"name": "GR", "units": "gAPI"}})
    fields = netcdf.read({"a": tmp_path / "a.nc"}, {}, {"flow": FLOW})
    series = xr.Dataset({"flow": ("time", values)}, {"time": times})

    assert [judged(content) for content in (rows, log, fields, series)] == 4 * [[("flow", 2)]]
    assert (rows["flow"][[7, 9]] == -9999).all()  # found, and left


def test_a_fill_that_the_file_declares_is_missing_and_no_fault(tmp_path, rng):
    field = rng.uniform(0, 50, (12, 2, 2))
    field[3, 0, 0] = np.nan
    axes = {
        "time": np.arange("1991-01", "1992-01", dtype="M8[M]").astype("M8[ns]"),
        "lat": [0.0, 1.0],
        "lon": [0.0, 1.0],
    }
    content = xr.Dataset({"Q": (tuple(axes), field, {"units": "m3 s-1"})}, axes)
    content.to_netcdf(tmp_path / "a.nc", encoding={"Q": {"_FillValue": -9999.0}})

    found = netcdf.read({"a": tmp_path / "a.nc"}, {}, {"flow": FLOW})

    assert np.isnan(found["flow"][3, 0, 0])
    assert int(found["flow"].isnull().sum()) == 1
    assert judged(found) == []
