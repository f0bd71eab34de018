"""NetCDF fields are read as they are, joined in time, or refused by name; never a wrong number in silence."""

from pathlib import Path

import netCDF4
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import example, given, settings
from hypothesis import strategies as st

from geojax.data.readers import _units, netcdf
from geojax.data.readers.fields import cf, classic
from geojax.errors import UserError

SST = {"sst": {"units": "degree_Celsius", "standard_name": "sea_surface_temperature", "valid_range": (-2, 40)}}
ANY = {"sst": {"units": "degree_Celsius"}}
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


@pytest.mark.parametrize("named", [True, False], ids=["with coordinates", "without"])
def test_a_field_with_one_axis_too_many_is_refused(tmp_path, named):
    many = fields().expand_dims(member=[0, 1]) if named else fields().expand_dims(member=2)

    assert "member" in refusal(saved(tmp_path, many), year=1991)
    assert "truncated" not in refusal(saved(tmp_path, many), year=1991)


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

    assert told.startswith(
        "must hold time steps from 1993-01-01 to before 1994-01-01, "
        "but runs from 1991-01-01T00:00:00 to 1992-12-01T00:00:00."
    )


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

    classic.check_length(path)  # whole
    path.write_bytes(path.read_bytes().rstrip(b"\0")[:-1])
    with pytest.raises(EOFError, match="must have"):
        classic.check_length(path)


# Several files of one part --------------------------------------------------------------------------------------------


def joined(tmp_path: Path, pieces: dict[str, xr.Dataset], variables=SST, selection=None, **options) -> xr.Dataset:
    for name, piece in pieces.items():
        piece.to_netcdf(tmp_path / name, engine="netcdf4")
    return netcdf.read({name: tmp_path / name for name in pieces}, selection or {}, variables, **options)


@pytest.mark.parametrize("names", ["abc", "cab"], ids=["in order", "in another order than their names"])
def test_files_that_follow_one_another_are_read_as_one(tmp_path, names):
    pieces = dict(zip(names, (fields().isel(time=slice(i, i + 8)) for i in (0, 8, 16)), strict=True))

    found = joined(tmp_path, dict(sorted(pieces.items())))

    xr.testing.assert_equal(found["sst"], read(saved(tmp_path, fields()))["sst"])


def test_a_step_that_is_a_scalar_is_a_step(tmp_path):
    pieces = {f"{i:02}.nc": fields().isel(time=i) for i in range(24)}

    found = joined(tmp_path, pieces, selection=span(1992))

    np.testing.assert_array_equal(found["sst"], fields()["sst"].sel(time="1992").sortby("lat"))
    assert found["sst"].dims == ("time", "lat", "lon")


def test_files_of_one_variable_each_are_merged(tmp_path):
    ice = fields().rename(sst="ice")
    ice["ice"].attrs["units"] = "1"

    found = joined(tmp_path, {"a": fields(), "b": ice}, SST | {"ice": {"units": "1"}})

    np.testing.assert_array_equal(found["sst"], found["ice"])
    assert list(found.data_vars) == ["sst", "ice"]


def test_variables_at_different_times_are_refused_rather_than_filled_up(tmp_path):
    ice = fields().rename(sst="ice").isel(time=slice(23))

    with pytest.raises(UserError, match=r"`sst` and `ice` must lie on the same time, but have 24 from .* and 23 from"):
        joined(tmp_path, {"a": fields(), "b": ice}, SST | {"ice": {"units": "degree_Celsius"}})


@pytest.mark.parametrize("begin", [0, 11], ids=["the same file twice", "one step twice"])
def test_times_told_by_two_files_are_refused_with_both_names(tmp_path, begin):
    pieces = {"a": fields().isel(time=slice(12)), "b": fields().isel(time=slice(begin, 24 if begin else 12))}

    with pytest.raises(UserError, match=r"b: times of `sst` must follow those of .*a, which end at 1991-12-01"):
        joined(tmp_path, pieces)


def test_files_of_different_grids_are_refused_with_both_names(tmp_path):
    pieces = {"a": fields().isel(time=slice(12)), "b": fields().isel(time=slice(12, 24), lon=slice(4))}

    with pytest.raises(UserError, match=r"b: `sst` must lie on the same lon as in .*a, 5 from 20 to 40, but has 4"):
        joined(tmp_path, pieces)


def test_a_file_without_any_of_the_variables_is_refused_rather_than_left_out(tmp_path):
    with pytest.raises(UserError, match=r"b: must hold a variable `sst`, but holds tos\."):
        joined(tmp_path, {"a": fields(), "b": fields().rename(sst="tos")})


def test_a_span_takes_its_first_instant_and_leaves_its_end(tmp_path):
    path = saved(tmp_path, fields())

    found = netcdf.read({"file": path}, {"span": ("1991-03-01", "1991-05-01")}, SST)

    assert [str(t)[:10] for t in found["time"].values] == ["1991-03-01", "1991-04-01"]


@pytest.mark.parametrize("selection", [{"stations": {"1001"}}, {"year": 1991}])
def test_what_a_field_cannot_be_selected_by_is_refused_rather_than_passed_over(tmp_path, selection):
    with pytest.raises(UserError, match=f"which have no {next(iter(selection))} to choose by"):
        netcdf.read({"file": saved(tmp_path, fields())}, selection, SST)


def test_of_the_values_only_the_selection_is_read(tmp_path, monkeypatch):
    asked = []
    path, wrapper = saved(tmp_path, fields()), xr.backends.netCDF4_.NetCDF4ArrayWrapper
    reads = wrapper._getitem

    def watched(self, key):
        values = reads(self, key)
        asked.extend([values.shape] if self.variable_name == "sst" else [])
        return values

    monkeypatch.setattr(wrapper, "_getitem", watched)
    monkeypatch.setattr(cf, "BLOCK", 3 * 4 * 5 * 4)  # bytes of three steps
    read(path, year=1992)

    assert asked == [(3, 4, 5)] * 4


# Axes -----------------------------------------------------------------------------------------------------------------


def deep() -> xr.Dataset:
    levels = xr.DataArray([0.5, 10.0, 100.0], dims="lev", attrs={"units": "m", "positive": "down"})
    return (
        (fields() + levels)
        .assign_coords(lev=levels)
        .assign(sst=lambda d: d["sst"].assign_attrs(units="degree_Celsius"))
    )


def test_levels_become_depth_with_the_attributes_of_the_file(tmp_path):
    found = read(saved(tmp_path, deep()), ANY)

    assert found["sst"].dims == ("time", "depth", "lat", "lon")
    assert found["depth"].attrs == {"units": "m", "positive": "down"}
    np.testing.assert_array_equal(found["sst"].isel(depth=1), (fields()["sst"] + 10).astype("float32").sortby("lat"))


def test_one_level_is_chosen_by_its_value(tmp_path):
    found = read(saved(tmp_path, deep()), ANY, level=100, year=1991)

    assert found["sst"].dims == ("time", "lat", "lon")
    np.testing.assert_array_equal(found["sst"], (fields()["sst"] + 100).sel(time="1991").sortby("lat"))


def test_a_level_that_is_not_there_is_answered_with_those_there_are(tmp_path):
    assert refusal(saved(tmp_path, deep()), level=20).startswith("must have the level 20, but has 0.5, 10, 100.")
    assert refusal(saved(tmp_path, fields()), level=20).startswith("`sst` has no levels")


def test_a_field_without_time_is_a_field_on_lat_and_lon(tmp_path):
    found = read(saved(tmp_path, fields().isel(time=3, drop=True)))

    assert found["sst"].dims == ("lat", "lon")
    np.testing.assert_array_equal(found["sst"], fields()["sst"][3].sortby("lat"))


def test_a_curvilinear_grid_is_refused_as_one(tmp_path):
    lat, lon = np.meshgrid(np.arange(4.0), np.arange(5.0), indexing="ij")
    curved = (
        fields()
        .drop_vars(["lat", "lon"])
        .rename(lat="y", lon="x")
        .assign_coords(nav_lat=(("y", "x"), lat), nav_lon=(("y", "x"), lon))
    )

    assert "Its grid is curvilinear (nav_lat, nav_lon" in refusal(saved(tmp_path, curved))


def test_years_without_leap_day_are_taken_as_they_are_if_that_is_said(tmp_path):
    time = xr.date_range("1991-02-27", periods=24, freq="D", calendar="noleap", use_cftime=True)
    path = saved(tmp_path, fields().assign_coords(time=time))

    assert "calendar: noleap" in refusal(path)
    assert str(read(path, calendar="noleap")["time"].values[2])[:10] == "1991-03-01"
    with pytest.raises(UserError, match="must be standard or noleap, but is 'julian'"):
        read(path, calendar="julian")


def test_a_calendar_whose_days_no_other_has_is_refused_whatever_is_said(tmp_path):
    time = xr.date_range("1991-02-28", periods=24, freq="D", calendar="360_day", use_cftime=True)

    assert "standard calendar" in refusal(saved(tmp_path, fields().assign_coords(time=time)), calendar="noleap")


def test_a_period_in_seconds_stays_a_number(tmp_path):
    waves = fields()
    waves["sst"].attrs["units"] = "s"

    assert read(saved(tmp_path, waves), {"sst": {"units": "s"}})["sst"].dtype == "float32"


# Units and what is missing --------------------------------------------------------------------------------------------


def test_units_that_are_not_told_are_taken_on_trust_and_put_on_record(tmp_path):
    bare = fields()
    del bare["sst"].attrs["units"]
    path = saved(tmp_path, bare)

    (finding,) = read(path).attrs["quality"]
    assert (finding["kind"], finding["trace"]) == ("metadata", "sst")
    assert finding["detail"].startswith("the file tells no units; those of the configuration, degree_Celsius, are")


@pytest.mark.parametrize(
    ("one", "other", "are"),
    [
        ("m s-1", "m/s", True), ("m s-1", "m s**-1", True), ("m s-1", "m.s-1", True),
        ("m s-1", "meters second^-1", True),
        ("kg m-2 s-1", "kg m**-2 s**-1", True), ("degC", "degree_Celsius", True),
        ("(0 - 1)", "1", True),
        ("m2 s-2", "m**2 s**-2", True), ("J kg-1 K-1", "J/kg/K", True), ("kelvin", "K", True),
        ("K", "degree_Celsius", False), ("m s-1", "m s", False), ("m", "mm", False), ("1", "%", False),
        ("hPa", "Pa", False), ("m s-1", "m s-2", False), ("0.1 K", "K", False), ("m/s", "s/m", False),
    ],
)  # fmt: skip
def test_units_are_the_same_if_only_their_spelling_differs(one, other, are):
    assert _units.same(one, other) is are
    assert _units.same(other, one) is are


@pytest.mark.parametrize("value", [1e20, 9.969209968386869e36, -9999.0, -32768.0, 3.4028235e38])
def test_a_fill_value_that_is_not_declared_is_found_and_kept(tmp_path, value):
    holed = fields()
    holed["sst"][3:5, 0, 0] = value

    found = read(saved(tmp_path, holed), ANY)

    (finding,) = found.attrs["quality"]
    assert (finding["kind"], finding["count"], finding["first"]) == ("fill", 2, "index (3, 3, 0)")
    assert found["sst"][3, 3, 0] == np.float32(value)


def test_a_fill_value_that_the_configuration_declares_is_missing(tmp_path):
    holed = fields()
    holed["sst"][3, 0, 0] = -999.9

    found = read(saved(tmp_path, holed), fill=[-999.9])

    assert np.isnan(found["sst"][3, 3, 0])
    assert kinds(found) == []


def test_a_depth_of_9999_m_among_others_is_no_fill_value(tmp_path):
    sea = fields()
    sea["sst"][:] = np.linspace(-10898, 8271, sea["sst"].size).reshape(sea["sst"].shape)
    sea["sst"][0, 0, 0] = -9999.0

    assert kinds(read(saved(tmp_path, sea), ANY)) == []


@pytest.mark.parametrize("packing", [{}, {"dtype": "int16", "scale_factor": 0.01, "_FillValue": -32768}])
def test_values_outside_the_range_that_the_file_declares_are_missing_and_counted(tmp_path, packing):
    ranged = fields()
    ranged["sst"][3, 0, 0], ranged["sst"][4, 0, 0] = 50.0, 40.0
    ranged["sst"].attrs["valid_max"] = np.int16(4000) if packing else np.float32(40)

    found = read(saved(tmp_path, ranged, encoding={"sst": packing}))

    (finding,) = found.attrs["quality"]
    assert (finding["kind"], finding["count"]) == ("fill", 1)
    assert np.isnan(found["sst"][3, 3, 0])
    assert found["sst"][4, 3, 0] == np.float32(40)


def test_infinite_values_and_a_field_without_any_are_found(tmp_path):
    endless, empty = fields(), fields()
    endless["sst"][0, 0, 0] = -np.inf
    empty["sst"][:] = np.nan

    assert kinds(read(saved(tmp_path, endless), ANY)) == ["infinite"]
    assert kinds(read(saved(tmp_path, empty))) == ["empty"]


def test_whole_numbers_that_float32_does_not_hold_are_kept_exactly(tmp_path):
    counts = fields().fillna(0).astype("int32")
    counts["sst"][5, 0, 0] = 2**24 + 1

    found = read(saved(tmp_path, counts), ANY)["sst"]

    assert (found.dtype, int(found[5, 3, 0])) == ("float64", 2**24 + 1)
    np.testing.assert_array_equal(found, counts["sst"].sortby("lat"))
