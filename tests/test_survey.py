"""What any raw data are asked on the way in."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from geojax.data import findings, survey
from geojax.errors import UserError

FILES = {"file": "gauge.csv"}


def gauge(rng, days=400, **attrs):
    """A daily series that varies."""
    times = np.datetime64("2020-01-01", "ns") + np.arange(days) * np.timedelta64(1, "D")
    return xr.Dataset({"discharge": ("time", rng.gamma(2.0, 5.0, days))}, {"time": times}, attrs)


def kinds(content):
    return [finding.kind for finding in survey.inspect(content, "gauge.csv")]


def test_sound_data_have_no_fault(rng):
    facts = survey.judge(gauge(rng), FILES, [])

    assert facts == {"quality": [], "missing": {"discharge": 0.0}}


def test_missing_steps_are_counted_and_the_first_named(rng):
    content = gauge(rng).drop_isel(time=[100, 101, 300])

    (found,) = survey.inspect(content, "gauge.csv")

    assert (found.kind, found.count) == ("gap", 2)
    assert "3 steps of 86400 s are missing" in found.detail
    assert found.first.startswith("2020-04-09")


@given(first=st.integers(1, 300), width=st.integers(1, 50))
def test_a_gap_of_any_width_is_found(first, width):
    content = gauge(np.random.default_rng(0)).drop_isel(time=list(range(first, first + width)))

    (found,) = survey.inspect(content, "gauge.csv")

    assert f"{width} steps" in found.detail


def test_calendar_months_have_no_gap(rng):
    times = np.arange("1991-01", "2001-01", dtype="datetime64[M]").astype("datetime64[ns]")

    assert kinds(xr.Dataset({"sst": ("time", rng.normal(size=len(times)))}, {"time": times})) == []


def test_events_that_come_when_they_come_have_no_gap(rng):
    times = np.datetime64("2020-01-01", "ns") + np.cumsum(rng.exponential(1e15, 300)).astype("timedelta64[ns]")

    assert kinds(xr.Dataset({"magnitude": ("time", rng.normal(size=300))}, {"time": times})) == []


@pytest.mark.parametrize("order", [[1, 0, 2, 3], [0, 1, 1, 2]])
def test_times_out_of_order_or_told_twice_are_never_admitted(rng, order):
    with pytest.raises(UserError, match=r"gauge\.csv: time: unsorted: 1 times .* Sort the file by time"):
        survey.judge(gauge(rng).isel(time=order), FILES, ["all"])


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_what_is_infinite_is_never_admitted(rng, value):
    content = gauge(rng)
    content["discharge"][7] = value

    with pytest.raises(UserError, match="infinite: 1 values are infinite, first at time 2020-01-08"):
        survey.judge(content, FILES, ["all"])


@pytest.mark.parametrize("value", [-999.0, -9999.0, 99999.0, 1e20, 9.969209968386869e36])
@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_a_number_that_stands_for_none_is_named(rng, value, kind):
    content = gauge(rng).astype(kind)
    content["discharge"][[7, 9]] = value

    found = [finding for finding in survey.inspect(content, "gauge.csv") if finding.kind == "fill"]

    assert [finding.count for finding in found] == [2]


def test_a_height_of_9999_among_others_as_great_stands_for_itself(rng):
    content = xr.Dataset({"height": (("y", "x"), rng.uniform(8000, 9998, (50, 50)))})
    content["height"][3, 4] = 9999.0

    assert kinds(content) == []


def test_a_part_without_any_value_is_refused_unless_admitted(rng):
    content = gauge(rng) * np.nan

    with pytest.raises(UserError, match="empty: every value is missing"):
        survey.judge(content, FILES, [])
    assert survey.judge(content, FILES, ["empty"])["missing"] == {"discharge": 1.0}


def test_a_dead_stretch_of_a_series_is_refused_until_admitted_and_then_recorded(rng):
    content = gauge(rng)
    content["discharge"][50:200] = 3.0

    with pytest.raises(UserError, match=r"or write `quality: admit: \[flat\]` in the dataset's configuration"):
        survey.judge(content, FILES, [])
    assert [finding["kind"] for finding in survey.judge(content, FILES, ["flat"])["quality"]] == ["flat"]


def test_what_the_reader_found_is_judged_too(rng):
    found = findings.Finding("overlap", "a.mseed", "NL.HGN..BHZ", 1, "2020-01-01", "one second twice").plain()
    content = gauge(rng, quality=[found])

    with pytest.raises(UserError, match=r"a\.mseed: NL\.HGN\.\.BHZ: overlap: one second twice"):
        survey.judge(content, FILES, ["gap"])
    assert survey.judge(content, FILES, ["all"])["quality"] == [found]
    assert content.attrs["quality"] == [found]


def test_a_fault_that_the_reader_told_already_is_not_counted_again(rng):
    content = gauge(rng)
    content["discharge"][[7, 9]] = -9999.0
    found = findings.Finding("fill", "gauge.csv", "discharge", 2, "index (7,)", "2 values are -9999").plain()
    content.attrs["quality"] = [found]

    assert survey.judge(content, FILES, ["fill"])["quality"] == [found]


def test_the_share_that_is_missing_is_told(rng):
    content = gauge(rng)
    content["discharge"][:100] = np.nan

    assert survey.judge(content, FILES, ["all"])["missing"] == {"discharge": 0.25}


@pytest.mark.parametrize(("kind", "told"), [("gaps", "must be all or one of gap"), ("infinite", "unsorted never may")])
def test_a_kind_that_there_is_not_or_may_not_be_admitted_is_refused(rng, kind, told):
    with pytest.raises(UserError, match=f"quality: admit: '{kind}'.*{told}"):
        survey.judge(gauge(rng), FILES, [kind])
