"""Centre and spread come from the reference alone, exactly, in whatever order its parts come."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from geojax.data import scaling
from geojax.errors import UserError

MONTHLY = {"center": "month", "spread": "all", "over": ["time"]}


def section(center="month", spread="all", over=("time",)):
    return {"center": center, "spread": spread, "over": list(over)}


@pytest.fixture
def years(rng) -> list[xr.Dataset]:
    """Five years of monthly fields with a season, a cell of land and a cell that is observed now and then."""
    parts = []
    for year in range(1991, 1996):
        time = pd.date_range(f"{year}-01-16", periods=12, freq="30D")
        sst = 290 + 5 * np.cos(2 * np.pi * np.arange(12) / 12)[:, None, None] + rng.normal(size=(12, 3, 4))
        sst[:, 0, 0] = np.nan
        sst[rng.random(12) < 0.3, 1, 1] = np.nan
        coords = {"time": time, "lat": [-5.0, 0.0, 5.0], "lon": np.arange(4.0)}
        fields = {"sst": (("time", "lat", "lon"), sst.astype("float32"), {"units": "K", "standard_name": "sst"})}
        parts.append(xr.Dataset(fields | {"code": ("lat", [1, 2, 3])}, coords))
    return parts


def fitted(parts, how):
    return scaling.fit(scaling.merge([scaling.moments(part, how) for part in parts]), how)


def together(parts):
    return xr.concat([part["sst"] for part in parts], "time").astype("float64")


def test_the_centre_by_month_is_the_climatology_that_a_plain_groupby_gives(years):
    found = fitted(years, MONTHLY)

    expected = together(years).groupby("time.month").mean()
    np.testing.assert_allclose(found["sst_center"], expected.transpose("month", "lat", "lon"), rtol=1e-7)


def test_the_spread_over_all_is_the_deviation_of_the_anomalies(years):
    found = fitted(years, MONTHLY)

    anomalies = together(years).groupby("time.month") - together(years).groupby("time.month").mean()
    assert float(found["sst_spread"]) == pytest.approx(float(np.nanstd(anomalies)), rel=1e-6)


def test_the_spread_by_point_is_the_deviation_of_the_anomalies_of_each_place(years):
    found = fitted(years, section(spread="point"))

    anomalies = together(years).groupby("time.month") - together(years).groupby("time.month").mean()
    expected = anomalies.std("time")
    np.testing.assert_allclose(found["sst_spread"], expected, rtol=1e-6)
    assert np.isnan(found["sst_spread"][0, 0])  # land has no deviation, not one of zero


@pytest.mark.parametrize("spread", ["all", "point"])
def test_the_mean_centre_is_the_mean_over_the_named_dimensions(years, spread):
    found = fitted(years, section("mean", spread))

    every = together(years)
    np.testing.assert_allclose(found["sst_center"], every.mean("time"), rtol=1e-7)
    about = every - every.mean("time")
    expected = about.std("time") if spread == "point" else np.nanstd(about)
    np.testing.assert_allclose(found["sst_spread"], expected, rtol=1e-6)


def test_without_centre_the_spread_is_the_root_mean_square(years):
    found = fitted(years, section("none"))

    assert (found["sst_center"] == 0).all()
    assert float(found["sst_spread"]) == pytest.approx(float(np.sqrt((together(years) ** 2).mean())), rel=1e-6)


def test_without_spread_only_the_centre_is_taken_off(years):
    how = section("month", "none")

    normalized = scaling.apply(years[0], fitted(years, how))

    climatology = together(years).groupby("time.month").mean()
    expected = years[0]["sst"].astype("float64").groupby("time.month") - climatology
    np.testing.assert_allclose(normalized["sst"], expected.transpose("time", "lat", "lon"), atol=1e-4)


@given(order=st.permutations(range(6)), values=arrays.arrays("float64", (6, 3), elements=st.floats(-1e18, 1e18)))
@example(order=[3, 0, 1, 2, 4, 5], values=np.tile([[1.0], [1e-17], [-1.0], [1e32], [-1e32], [0.0]], 3))
def test_merging_moments_gives_the_same_bits_in_any_order(order, values):
    every = [xr.Dataset({"sst": ("place", part)}) for part in values]

    one, other = scaling.merge(every), scaling.merge([every[i] for i in order])

    assert one["sst"].values.tobytes() == other["sst"].values.tobytes()


def test_fitting_gives_the_same_bits_whatever_part_comes_first(years):
    xr.testing.assert_identical(fitted(years, MONTHLY), fitted(years[::-1], MONTHLY))


@given(st.lists(st.floats(-1e15, 1e15), min_size=2, max_size=12))
@example([1e15, 0.1, -1e15, 0.3])
def test_merged_sums_are_those_of_exact_arithmetic(values):
    merged = scaling.merge([xr.Dataset({"x": ((), value)}) for value in values])

    exact = sum(map(Fraction, values))
    assert abs(Fraction(float(merged["x"])) - exact) <= abs(exact) * Fraction(2) ** -50 + Fraction(2) ** -40


def test_moments_of_parts_merge_to_the_moments_of_the_whole(years):
    merged = scaling.merge([scaling.moments(part, MONTHLY) for part in years])

    whole = scaling.moments(together(years).to_dataset(name="sst"), MONTHLY)
    xr.testing.assert_allclose(merged, whole, rtol=1e-14)


def test_a_single_part_needs_no_merging(years):
    only = scaling.moments(years[0], MONTHLY)

    xr.testing.assert_identical(scaling.merge([only]), only)


def test_parts_on_different_grids_are_not_merged(years):
    shifted = years[1].assign_coords(lat=years[1]["lat"] + 1)

    with pytest.raises(ValueError, match="lat"):
        scaling.merge([scaling.moments(years[0], MONTHLY), scaling.moments(shifted, MONTHLY)])


@pytest.mark.parametrize("center", ["month", "mean"])
def test_the_normalized_reference_has_mean_zero_and_deviation_one(years, center):
    how = section(center)
    found = fitted(years, how)

    normalized = np.concatenate([scaling.apply(part, found)["sst"].values for part in years])

    assert np.nanmean(normalized, dtype="float64") == pytest.approx(0, abs=1e-5)
    assert np.nanstd(normalized, dtype="float64") == pytest.approx(1, abs=1e-5)


def test_drift_is_the_mean_and_deviation_in_spreads_of_the_reference(years):
    found = fitted(years, MONTHLY)
    warmer = years[0].assign(sst=years[0]["sst"] + 2 * float(found["sst_spread"]))

    before = scaling.drift(scaling.apply(years[0], found), found)["sst"]
    after = scaling.drift(scaling.apply(warmer, found), found)["sst"]

    assert after["mean"] - before["mean"] == pytest.approx(2, abs=1e-3)
    assert after["deviation"] == pytest.approx(before["deviation"], abs=1e-3)


def test_the_normalized_part_is_dimensionless_and_says_what_it_was(years):
    years[0]["sst"].attrs["long_name"] = "surface temperature"

    normalized = scaling.apply(years[0], fitted(years, MONTHLY))["sst"]

    assert normalized.dtype == "float32"
    assert normalized.dims == ("time", "lat", "lon")
    assert normalized.attrs == {
        "units": "1", "scaled_from": "sst", "original_units": "K", "long_name": "surface temperature",
    }  # fmt: skip


def test_variables_without_the_named_dimensions_stay_as_they_are(years):
    found = fitted(years, MONTHLY)

    xr.testing.assert_identical(scaling.apply(years[0], found)["code"], years[0]["code"])
    assert set(found.data_vars) == {"sst_center", "sst_spread"}


def test_missing_cells_stay_missing_and_no_others_become_so(years):
    normalized = scaling.apply(years[0], fitted(years, MONTHLY))["sst"]

    np.testing.assert_array_equal(np.isnan(normalized), np.isnan(years[0]["sst"]))


def test_scaling_undone_gives_the_part_back(years):
    found = fitted(years, section(spread="point"))

    normalized = scaling.apply(years[2], found)["sst"]

    month = found["sst_center"].sel(month=years[2]["time"].dt.month)
    np.testing.assert_allclose(normalized * found["sst_spread"] + month, years[2]["sst"], rtol=1e-5)


def test_a_calendar_month_that_the_reference_lacks_is_named(years):
    no_march = [part.isel(time=part["time"].dt.month != 3) for part in years]

    with pytest.raises(UserError, match=r"must cover every calendar month, but lack \[3\]"):
        fitted(no_march, MONTHLY)


def test_a_dimension_that_no_variable_has_is_refused_rather_than_nothing_scaled(years):
    with pytest.raises(UserError, match=r"scaling: over: no variable lies on tiem"):
        scaling.moments(years[0], section("mean", over=["tiem"]))


@pytest.mark.parametrize("spread", ["all", "point"])
def test_what_never_changes_is_refused_rather_than_divided_by_zero(years, spread):
    flat = [part.assign(sst=part["sst"] * 0 + 7) for part in years]

    with pytest.raises(UserError, match="sst: must vary in the reference parts"):
        fitted(flat, section("mean", spread))


def test_a_small_spread_about_a_large_mean_is_not_lost_to_rounding(rng):
    values = 101325 + 0.05 * rng.normal(size=(200, 6))
    parts = [xr.Dataset({"p": (("time", "x"), chunk)}) for chunk in np.split(values, 4)]

    found = fitted(parts, section("mean"))

    assert float(found["p_spread"]) == pytest.approx((values - values.mean(0)).std(), rel=1e-3)


def test_a_single_deviation_over_stations_and_samples_serves_all_components(rng):
    waveform = rng.normal(size=(4, 3, 50)) * np.array([1.0, 2.0, 5.0])[:, None]
    part = xr.Dataset({"waveform": (("station", "component", "sample"), waveform.astype("float32"))})

    found = fitted([part], section("none", "all", ("station", "sample")))

    assert float(found["waveform_spread"]) == pytest.approx(np.sqrt((waveform**2).mean()), rel=1e-6)
