"""NetCDF fields are read as they are, joined in time, or refused by name; never a wrong number in silence."""

from pathlib import Path

import netCDF4
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import example, given, settings
from hypothesis import strategies as st

from geojax.data.readers import _classic, netcdf
from geojax.errors import UserError

SST = {"sst": {"units": "degree_Celsius", "standard_name": "sea_surface_temperature", "valid_range": (-2, 40)}}
FORMATS = ["NETCDF4", "NETCDF4_CLASSIC", "NETCDF3_CLASSIC", "NETCDF3_64BIT_OFFSET", "NETCDF3_64BIT_DATA"]


def fields() -> xr.Dataset:
    """Two years of monthly fields as archives hold them: from north to south, one cell of land."""
    values = np.random.default_rng(0).uniform(1, 30, (24, 4, 5)).astype("float32")
    values[:, 1, 2] = np.nan
    return xr.Dataset(
        {"sst": (("time", "lat", "lon"), values, {"units": "degree_Celsius", "long_name": "SST"})},
        coords={
            "time": pd.date_range("1991-01-01", periods=24, freq="MS").astype("datetime64[ns]"),
            "lat": ("lat", [7.5, 2.5, -2.5, -7.5], {"units": "degrees_north"}),
            "lon": ("lon", 20 + 5.0 * np.arange(5), {"units": "degrees_east"}),
        },
    )


def saved(tmp_path: Path, content: xr.Dataset, **how) -> Path:
    content.to_netcdf(tmp_path / "sst.nc", engine="netcdf4", **how)
    return tmp_path / "sst.nc"


def span(year: int) -> dict[str, tuple[str, str]]:
    return {"span": (f"{year}-01-01", f"{year + 1}-01-01")}


def read(path: Path, variables=SST, year: int | None = None, **options) -> xr.Dataset:
    return netcdf.read({"sst.nc": path}, span(year) if year else {}, variables, **options)


def kinds(found: xr.Dataset) -> list[str]:
    return [finding["kind"] for finding in found.attrs["quality"]]


def refusal(path: Path, variables=SST, year: int | None = None, **options) -> str:
    with pytest.raises(UserError) as caught:
        read(path, variables, year, **options)
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value).removeprefix(f"{path}: ")


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("year", [1991, 1992])
def test_a_part_is_its_own_year_and_nothing_else(tmp_path, kind, year):
    found = read(saved(tmp_path, fields(), format=kind), year=year)

    expected = fields()["sst"].sel(time=str(year)).sortby("lat")
    np.testing.assert_array_equal(found["sst"], expected)
    assert (found["time"].dt.year == year).all()


def test_without_a_year_the_whole_file_is_read(tmp_path):
    assert read(saved(tmp_path, fields())).sizes["time"] == 24


def test_fields_come_as_float32_on_time_lat_lon_with_latitudes_ascending(tmp_path):
    turned = fields().transpose("lon", "time", "lat").astype("float64")

    found = read(saved(tmp_path, turned), year=1991)["sst"]

    assert (found.dtype, found.dims) == ("float32", ("time", "lat", "lon"))
    assert list(found["lat"]) == [-7.5, -2.5, 2.5, 7.5]
    np.testing.assert_array_equal(found, fields()["sst"].sel(time="1991").sortby("lat"))


def test_attributes_are_those_of_cf_and_of_the_configuration(tmp_path):
    found = read(saved(tmp_path, fields()), year=1991)

    assert found["sst"].attrs == {"units": "degree_Celsius", "standard_name": "sea_surface_temperature"}
    assert found["lat"].attrs == {"standard_name": "latitude", "units": "degrees_north"}


def test_packed_integers_and_fill_values_are_unpacked(tmp_path):
    packing = {"dtype": "int16", "scale_factor": 0.01, "add_offset": 20.0, "_FillValue": -999}

    found = read(saved(tmp_path, fields(), encoding={"sst": packing}), year=1991)["sst"]

    expected = fields()["sst"].sel(time="1991").sortby("lat")
    np.testing.assert_allclose(found, expected, atol=0.006)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))


@pytest.mark.parametrize(
    "names", [{"lat": "latitude", "lon": "longitude"}, {"lat": "LAT", "lon": "LON", "time": "TIME"}]
)
def test_axes_are_known_by_their_usual_names(tmp_path, names):
    found = read(saved(tmp_path, fields().rename(names)), year=1991)

    assert found["sst"].dims == ("time", "lat", "lon")


def test_axes_are_known_by_their_standard_names(tmp_path):
    named = fields().rename(lat="y", lon="x", time="t")
    for axis, standard in (("y", "latitude"), ("x", "longitude"), ("t", "time")):
        named[axis].attrs["standard_name"] = standard

    assert read(saved(tmp_path, named), year=1991)["sst"].dims == ("time", "lat", "lon")


def test_a_variable_may_bear_another_name_in_the_file(tmp_path):
    wanted = {"sst": SST["sst"] | {"name": "tos"}}

    found = read(saved(tmp_path, fields().rename(sst="tos")), wanted, year=1991)

    assert list(found.data_vars) == ["sst"]


def test_a_variable_in_other_units_is_refused_with_both(tmp_path):
    kelvin = fields()
    kelvin["sst"].attrs["units"] = "K"

    assert refusal(saved(tmp_path, kelvin), year=1991).startswith(
        "`sst` must be in 'degree_Celsius', but its units are 'K'."
    )


def test_a_missing_variable_is_answered_with_those_there_are(tmp_path):
    told = refusal(saved(tmp_path, fields().rename(sst="tos")), year=1991)

    assert told == "must hold a variable `sst`, but holds tos."


@pytest.mark.parametrize("axis", ["lat", "lon"])
def test_a_field_that_lacks_an_axis_is_refused(tmp_path, axis):
    told = refusal(saved(tmp_path, fields().isel({axis: 0})), year=1991)

    assert told.startswith("`sst` must lie on time, lat and lon")
    assert axis in told.split("but")[1]


@pytest.mark.parametrize("axis", ["lat", "lon"])
def test_an_axis_without_coordinates_is_refused_rather_than_counted(tmp_path, axis):
    told = refusal(saved(tmp_path, fields().drop_vars(axis)), year=1991)

    assert told.startswith("`sst` must lie on time, lat and lon")
    assert axis in told.split("but")[1]


def test_a_field_with_one_axis_too_many_is_refused(tmp_path):
    deep = fields().expand_dims(depth=[0.0, 10.0])

    assert "depth" in refusal(saved(tmp_path, deep), year=1991)
    assert "truncated" not in refusal(saved(tmp_path, deep), year=1991)


@pytest.mark.parametrize("lat", [[1.0, 1.0, 2.0, 3.0], [np.nan, 1.0, 2.0, 3.0]])
def test_coordinates_that_repeat_or_are_missing_are_refused(tmp_path, lat):
    told = refusal(saved(tmp_path, fields().assign_coords(lat=lat)), year=1991)

    assert told.startswith("`lat` must have a value of its own at every point")


def test_a_file_without_times_is_refused(tmp_path):
    assert refusal(saved(tmp_path, fields().isel(time=0, drop=True)), year=1991).startswith(
        "must have a coordinate `time`"
    )


@pytest.mark.parametrize("years", [{"year": 1991}, {}])
def test_a_file_without_time_steps_is_refused(tmp_path, years):
    path = saved(tmp_path, fields().isel(time=slice(0, 0)), unlimited_dims=["time"])

    assert refusal(path, **years) == "must hold time steps, but holds none."


def test_times_that_are_no_dates_are_refused(tmp_path):
    counted = fields().assign_coords(time=np.arange(24))

    assert refusal(saved(tmp_path, counted), year=1991).startswith("`time` must hold dates of the standard calendar")


def test_times_of_another_calendar_are_refused(tmp_path):
    time = xr.date_range("1991-01-01", periods=24, freq="MS", calendar="noleap", use_cftime=True)

    told = refusal(saved(tmp_path, fields().assign_coords(time=time)), year=1991)

    assert told.startswith("`time` must hold dates of the standard calendar")


def test_a_year_that_the_file_lacks_is_refused_with_those_it_has(tmp_path):
    told = refusal(saved(tmp_path, fields()), year=1993)

    assert told.startswith("must hold time steps of 1993, but runs from 1991 to 1992.")


@pytest.mark.parametrize("order", [[0, 1, 1, *range(2, 23)], [1, 0, *range(2, 24)]])
def test_times_that_repeat_or_run_backwards_are_refused(tmp_path, order):
    told = refusal(saved(tmp_path, fields().isel(time=order)), year=1991)

    assert told.startswith("times must increase without repeating")


@pytest.mark.parametrize("value", [-2.1, 40.1, -9999.0, 1e20, np.inf])
def test_a_value_outside_the_valid_range_is_refused_and_counted(tmp_path, value):
    content = fields()
    content["sst"][3, 0, 0] = content["sst"][15, 0, 0] = value  # one in each year

    told = refusal(saved(tmp_path, content), year=1991)

    assert told.startswith("`sst` must lie in -2 … 40, but 1 values do not")


def test_a_file_that_does_not_exist_or_is_no_netcdf_is_refused_by_name(tmp_path):
    (tmp_path / "page.nc").write_text("<html>not found</html>")

    assert refusal(tmp_path / "gone.nc", year=1991).startswith("must be a NetCDF file")
    assert refusal(tmp_path / "page.nc", year=1991).startswith("must be a NetCDF file")


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> dict[tuple[str, bool], bytes]:
    folder = tmp_path_factory.mktemp("whole")
    return {
        (kind, record): saved(folder, fields(), format=kind, unlimited_dims=["time"] if record else []).read_bytes()
        for kind in FORMATS
        for record in (False, True)
    }


@pytest.mark.parametrize("record", [False, True], ids=["fixed", "record"])
@pytest.mark.parametrize("kind", FORMATS)
@settings(max_examples=25)
@given(share=st.floats(0, 1, exclude_max=True))
@example(share=0.0)
@example(share=0.9)
@example(share=0.9999)
def test_a_file_cut_short_anywhere_is_refused_or_read_as_if_whole(tmp_path, whole, kind, record, share):
    content = whole[kind, record]
    path = tmp_path / "sst.nc"
    path.write_bytes(content[: int(share * len(content))])

    try:
        found = read(path, year=1992)
    except UserError:
        return
    np.testing.assert_array_equal(found["sst"], fields()["sst"].sel(time="1992").sortby("lat"))  # lost only padding


@pytest.mark.parametrize("kind", FORMATS[2:])
def test_a_classic_file_that_lost_a_single_number_is_refused(tmp_path, whole, kind):
    for record in (False, True):
        (tmp_path / "sst.nc").write_bytes(whole[kind, record][:-4])
        with pytest.raises(UserError, match="truncated"):
            read(tmp_path / "sst.nc", year=1992)


@pytest.mark.parametrize("kind", FORMATS[2:])
def test_records_that_are_padded_are_counted_with_their_padding(tmp_path, kind):
    packing = {"sst": {"dtype": "int16", "scale_factor": 0.01, "_FillValue": -999}}
    odd = fields().isel(lat=slice(3))  # 15 numbers of two bytes a record
    path = saved(tmp_path, odd, format=kind, unlimited_dims=["time"], encoding=packing)
    assert read(path).sizes["time"] == 24

    path.write_bytes(path.read_bytes()[:-4])

    assert "truncated" in refusal(path)


@pytest.mark.parametrize("kind", FORMATS[2:])
def test_records_of_a_single_variable_have_no_padding(tmp_path, kind):
    path = tmp_path / "one.nc"
    with netCDF4.Dataset(path, "w", format=kind) as file:
        file.createDimension("time", None)
        file.createDimension("x", 3)
        file.createVariable("count", "i2", ("time", "x"))[:] = np.arange(15).reshape(5, 3)

    _classic.check_length(path)  # whole
    path.write_bytes(path.read_bytes().rstrip(b"\0")[:-1])
    with pytest.raises(EOFError, match="must have"):
        _classic.check_length(path)
