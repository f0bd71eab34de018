"""GRIB messages are read at their valid time and place, or refused by name. Oracle: GDAL's own decoder."""

import warnings
from pathlib import Path

import eccodes
import numpy as np
import pytest
import rasterio
from hypothesis import example, given, settings
from hypothesis import strategies as st

from geojax.data.readers import grib
from geojax.errors import UserError

T = {"t": {"units": "K", "standard_name": "air_temperature"}}
SHAPE = (31, 16)  # of ecCodes' regular samples: 60 N to 0, 0 to 30 E


def field(seed: float, shape=SHAPE) -> np.ndarray:
    """(lat from north to south, lon), K."""
    return 250 + np.random.default_rng(int(seed)).uniform(0, 50, shape)


def message(values: np.ndarray | None = None, sample: str = "regular_ll_pl_grib2", **keys) -> bytes:
    handle = eccodes.codes_grib_new_from_samples(sample)
    for key, value in ({"bitsPerValue": 16, "dataDate": 20240301} | keys).items():
        eccodes.codes_set(handle, key, value)
    if values is not None:
        eccodes.codes_set(handle, "missingValue", -1.0)
        eccodes.codes_set_values(handle, np.where(np.isnan(values), -1.0, values).ravel())
    try:
        return eccodes.codes_get_message(handle)
    finally:
        eccodes.codes_release(handle)


def read(tmp_path: Path, content: bytes, variables=T, selection=None, **options):
    (tmp_path / "t.grib").write_bytes(content)
    return grib.read({"file": tmp_path / "t.grib"}, selection or {}, variables, **options)


def refusal(tmp_path: Path, *content, **options) -> str:
    with pytest.raises(UserError) as caught:
        read(tmp_path, *content, **options)
    assert str(tmp_path / "t.grib") in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("sample", ["regular_ll_pl_grib1", "regular_ll_pl_grib2"])
def test_a_field_comes_back_as_it_was_written_with_latitudes_ascending(tmp_path, sample):
    found = read(tmp_path, message(field(0), sample, shortName="t", level=850))

    assert (found["t"].dims, found["t"].dtype) == (("time", "lat", "lon"), "float32")
    np.testing.assert_allclose(found["t"][0], field(0)[::-1], atol=50 / 2**16)  # 16 bits for 50 K
    np.testing.assert_array_equal(found["lat"], np.arange(0, 61, 2))
    np.testing.assert_array_equal(found["lon"], np.arange(0, 31, 2))
    assert found["time"].values == np.datetime64("2024-03-01T12:00")


SCANS = {0: (60, 0, 0, 30), 64: (0, 60, 0, 30), 128: (60, 0, 30, 0), 192: (0, 60, 30, 0), 32: (60, 0, 0, 30)}


@pytest.mark.parametrize("scan", SCANS)
def test_however_a_grid_is_scanned_each_value_lies_where_gdal_puts_it(tmp_path, scan):
    names = ("latitudeOfFirst", "latitudeOfLast", "longitudeOfFirst", "longitudeOfLast")
    keys = {f"{n}GridPointInDegrees": float(value) for n, value in zip(names, SCANS[scan], strict=True)}
    found = read(tmp_path, message(field(1), scanningMode=scan, **keys))["t"][0].sortby("lon")

    with warnings.catch_warnings(action="ignore"), rasterio.open(tmp_path / "t.grib") as other:
        north_up = other.read(1) + 273.15  # GDAL gives degree Celsius
    np.testing.assert_allclose(found, north_up[::-1], atol=1e-3)


def test_a_full_gaussian_grid_lies_on_the_roots_of_a_legendre_polynomial(tmp_path):
    found = read(tmp_path, message(field(2, (64, 128)), "regular_gg_pl_grib2"))

    roots, _ = np.polynomial.legendre.leggauss(64)
    np.testing.assert_allclose(found["lat"], np.degrees(np.arcsin(roots)), atol=1e-6)
    np.testing.assert_allclose(found["t"][0], field(2, (64, 128))[::-1], atol=50 / 2**16)


@pytest.mark.parametrize("sample", ["reduced_gg_pl_160_grib2", "polar_stereographic_pl_grib2", "sh_ml_grib1"])
def test_other_grids_are_refused_by_their_kind(tmp_path, sample):
    told = refusal(tmp_path, message(sample=sample, dataDate=20240301, bitsPerValue=0))

    assert "must lie on regular_ll or regular_gg, but lies on" in told


def test_where_the_bitmap_has_no_value_there_is_none(tmp_path):
    holed = field(3)
    holed[4, 5] = np.nan
    holed[0, 0] = 9999.0  # ecCodes' own mark of a missing value is a value here

    found = read(tmp_path, message(holed, bitmapPresent=1, bitsPerValue=24))["t"][0]

    np.testing.assert_allclose(found, holed[::-1], atol=1e-3)
    assert int(found.isnull().sum()) == 1


def test_time_is_the_valid_time_whatever_the_order_of_messages(tmp_path):
    content = b"".join(message(field(hour), forecastTime=hour) for hour in (18, 0, 6))

    found = read(tmp_path, content)

    hours = (found["time"].values - np.datetime64("2024-03-01T12:00")) / np.timedelta64(1, "h")
    assert list(hours) == [0, 6, 18]
    np.testing.assert_allclose(found["t"][2], field(18)[::-1], atol=1e-3)


def test_only_the_span_of_the_part_is_read(tmp_path):
    content = b"".join(message(field(day), dataDate=20240300 + day) for day in (1, 2, 3))

    found = read(tmp_path, content, selection={"span": ("2024-03-02", "2024-03-03")})

    np.testing.assert_allclose(found["t"], field(2)[None, ::-1], atol=1e-3)
    told = refusal(tmp_path, content, selection={"span": ("2023-03-02", "2023-03-03")})
    assert "must hold time steps from 2023-03-02 to before 2023-03-03, but runs from 2024-03-01T12:00:00" in told


def test_levels_of_a_variable_become_depth_and_one_is_chosen_by_name_or_key(tmp_path):
    content = b"".join(message(field(level), level=level) for level in (500, 850))

    found = read(tmp_path, content)
    assert found["t"].dims == ("time", "depth", "lat", "lon")
    assert (list(found["depth"]), found["depth"].attrs["units"]) == ([500, 850], "hPa")
    named = read(tmp_path, content, {"t": T["t"] | {"name": "130@850"}})
    for one in (named, read(tmp_path, content, where={"level": 850})):
        np.testing.assert_allclose(one["t"], field(850)[None, ::-1], atol=1e-3)


def test_a_level_that_one_time_lacks_is_refused_rather_than_left_empty(tmp_path):
    content = message(level=500) + message(level=850) + message(level=500, forecastTime=6)

    assert "but lacks 1, first 850 at 2024-03-01T18:00:00" in refusal(tmp_path, content)


def test_fields_of_one_time_and_level_are_refused_with_what_tells_them_apart(tmp_path):
    members = b"".join(
        message(field(n), productDefinitionTemplateNumber=1, numberOfForecastsInEnsemble=2, number=n) for n in (0, 1)
    )

    told = refusal(tmp_path, members)
    assert "message 2 (dataDate 20240301, stepRange 0, number 1): must be the only field" in told
    assert "message 1 (dataDate 20240301, stepRange 0, number 0) is one too" in told
    np.testing.assert_allclose(read(tmp_path, members, where={"number": 1})["t"][0], field(1)[::-1], atol=1e-3)


def test_one_message_with_several_fields_gives_them_all(tmp_path):
    several = eccodes.codes_grib_multi_new()
    for level, section in ((500, 0), (850, 4)):
        handle = eccodes.codes_new_from_message(message(field(level), level=level))
        eccodes.codes_grib_multi_append(handle, section, several)
    with (tmp_path / "several").open("wb") as file:
        eccodes.codes_grib_multi_write(several, file)

    found = read(tmp_path, (tmp_path / "several").read_bytes())

    np.testing.assert_allclose(found["t"][0], [field(500)[::-1], field(850)[::-1]], atol=1e-3)


def test_units_are_compared_in_any_spelling_and_others_refused(tmp_path):
    wind = message(field(0), parameterCategory=2, parameterNumber=2)  # u, which ecCodes gives in m s**-1

    assert read(tmp_path, wind, {"u": {"units": "m s-1"}})["u"].attrs["units"] == "m s-1"
    assert "must be in 'degree_Celsius', but its units are 'K'" in refusal(
        tmp_path, message(), {"t": {"units": "degree_Celsius"}}
    )
    unknown = message(field(0), parameterCategory=2, parameterNumber=200)
    found = read(tmp_path, unknown, {"w": {"units": "m", "name": "unknown"}})
    assert [finding["kind"] for finding in found.attrs["quality"]] == ["metadata"]


def test_a_variable_or_key_that_is_not_there_is_answered_with_what_is(tmp_path):
    assert "must hold `u`, but holds t@1000." in refusal(tmp_path, message(), {"u": {"units": "m s-1"}})
    assert "must hold messages with {'number': 7}" in refusal(tmp_path, message(), where={"number": 7})


def test_several_files_are_one_collection_and_a_field_in_two_of_them_is_refused(tmp_path):
    paths = {name: tmp_path / name for name in "ba"}
    for day, path in enumerate(paths.values(), 1):
        path.write_bytes(message(field(day), dataDate=20240300 + day))
    np.testing.assert_allclose(grib.read(paths, {}, T)["t"], [field(1)[::-1], field(2)[::-1]], atol=1e-3)

    paths["a"].write_bytes(paths["b"].read_bytes())
    with pytest.raises(UserError, match=r"/a: message 1 .* must be the only field .*/b: message 1"):
        grib.read(paths, {}, T)


@settings(max_examples=40)
@given(share=st.floats(0, 1, exclude_max=True))
@example(share=0.0)
@example(share=0.9999)
def test_a_file_cut_inside_a_message_is_refused(tmp_path, share):
    content = b"".join(message(field(day), dataDate=20240300 + day) for day in (1, 2))
    cut = int(share * len(content))
    if cut == len(content) // 2:  # between two messages: nothing in the format tells it
        cut += 1

    refusal(tmp_path, content[:cut])


@pytest.mark.parametrize("at", [0, 1])
def test_a_message_whose_first_byte_is_lost_is_missed(tmp_path, at):
    first, second = message(field(1)), message(field(2), dataDate=20240302)
    damaged = b"X" + first[1:] + second if at == 0 else first + b"X" + second[1:]

    assert "must hold GRIB messages one after another" in refusal(tmp_path, damaged)
    assert read(tmp_path, first + b"\0" * 100 + second).sizes["time"] == 2  # padding is no damage


def test_a_file_that_is_no_grib_or_absent_is_refused_by_name(tmp_path):
    assert "has no message" in refusal(tmp_path, b"<html>not found</html>")
    with pytest.raises(UserError, match=r"gone\.grib: must be a GRIB file"):
        grib.read({"file": tmp_path / "gone.grib"}, {}, T)
