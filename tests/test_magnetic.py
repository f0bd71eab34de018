"""Magnetic observatories and field models are read to the last digit; what contradicts itself is refused by name."""

from pathlib import Path
from typing import Any

import cdflib
import numpy as np
import pytest
import xarray as xr
from cdflib.cdfwrite import CDF
from cdflib.epochs import CDFepoch

from geojax.data.readers import iaga2002, intermagnet_cdf, shc
from geojax.errors import UserError

FIELD = {
    "north": {"name": "X", "units": "nT", "long_name": "northward field"},
    "total": {"name": "F", "units": "nT", "long_name": "total field"},
}


def refusal(reader: Any, *paths: Path, variables: Any, selection=None) -> str:
    with pytest.raises(UserError) as caught:
        reader.read({path.name: path for path in paths}, selection or {}, variables)
    return str(caught.value)


def told(found: xr.Dataset) -> list[tuple[str, int]]:
    return [(finding["kind"], finding["count"]) for finding in found.attrs["quality"]]


# IAGA-2002 ------------------------------------------------------------------------------------------------------------

LABELS = {
    "Format": "IAGA-2002",
    "Source of Data": "Made for a test",
    "Station Name": "Niemegk",
    "IAGA Code": "NGK",
    "Geodetic Latitude": "52.072",
    "Geodetic Longitude": "12.675",
    "Elevation": "78",
    "Reported": "XYZF",
    "Sensor Orientation": "XYZ",
    "Digital Sampling": "1 s",
    "Data Interval Type": "1-hour",
    "Data Type": "definitive",
}


def day(date: str = "2024-05-10", changes: dict[int, str] | None = None, **labels: str) -> str:
    """A day of hourly values as the format lays it out: X is 18000 + hour, F is 49000 + hour."""
    header = {label: labels.get(label.replace(" ", "_"), value) for label, value in LABELS.items()}
    text = "".join(f" {label:<23}{value:<45}|\n" for label, value in header.items())
    text += " # a remark" + " " * 58 + "|\n"
    columns = [header["IAGA Code"] + letter for letter in header["Reported"]]
    text += f"{'DATE       TIME         DOY':<30}" + "".join(f"{column:<10}" for column in columns) + "|\n"
    number = (np.datetime64(date) - np.datetime64(date, "Y").astype("M8[D]")).astype(int) + 1
    for hour in range(24):
        values = (changes or {}).get(hour) or f"{18000 + hour:10.2f}{1000:10.2f}{45000:10.2f}{49000 + hour:10.2f}"
        text += f"{date} {hour:02d}:00:00.000 {number:03d}   {values}\n"
    return text


def written(tmp_path: Path, text: str, name: str = "ngk.hor") -> Path:
    (tmp_path / name).write_text(text)
    return tmp_path / name


def observed(*paths: Path, variables=FIELD, **selection) -> xr.Dataset:
    return iaga2002.read({path.name: path for path in paths}, selection, variables)


def test_a_day_of_an_observatory_lies_on_time_in_utc(tmp_path):
    found = observed(written(tmp_path, day()))

    np.testing.assert_array_equal(found["north"], 18000 + np.arange(24))
    np.testing.assert_array_equal(found["total"], 49000 + np.arange(24))
    np.testing.assert_array_equal(
        found["time"], np.datetime64("2024-05-10", "ns") + np.arange(24) * np.timedelta64(1, "h")
    )
    assert found["station"].item() == "NGK"
    assert (found["lat"].item(), found["lon"].item()) == (52.072, 12.675)
    assert told(found) == []


def test_days_are_joined_in_the_order_of_time_whatever_their_names(tmp_path):
    later, earlier = written(tmp_path, day("2024-05-11"), "a"), written(tmp_path, day("2024-05-10"), "b")

    found = observed(later, earlier)

    assert found.sizes["time"] == 48
    assert found.indexes["time"].is_monotonic_increasing
    assert told(found) == []


def test_missing_and_unrecorded_values_are_gaps_and_counted(tmp_path):
    lost = f"{99999:10.2f}{1000:10.2f}{45000:10.2f}{88888:10.2f}"

    found = observed(written(tmp_path, day(changes={3: lost, 4: lost})))

    assert np.flatnonzero(np.isnan(found["north"])).tolist() == [3, 4]
    assert told(found) == [("gap", 2), ("gap", 2)]
    assert found.attrs["quality"][0]["first"] == "2024-05-10T03:00Z"


def test_a_component_never_recorded_is_refused(tmp_path):
    lost = f"{18000:10.2f}{1000:10.2f}{45000:10.2f}{88888:10.2f}"

    message = refusal(iaga2002, written(tmp_path, day(changes=dict.fromkeys(range(24), lost))), variables=FIELD)

    assert "`F` must be recorded, but is 88888 throughout" in message


def test_declination_is_in_minutes_of_arc(tmp_path):
    path = written(tmp_path, day(Reported="HDZF"))

    found = observed(path, variables={"d": {"name": "D", "units": "arc_minute", "long_name": "declination"}})

    assert found["d"].attrs["units"] == "arc_minute"
    wrong = {"d": {"name": "D", "units": "degree", "long_name": "declination"}}
    assert "`D` must be in 'degree', but its units are 'arc_minute'" in refusal(iaga2002, path, variables=wrong)


def test_a_part_is_its_span_and_its_station(tmp_path):
    paths = [written(tmp_path, day(f"2024-05-1{i}"), f"{i}") for i in range(3)]

    found = observed(*paths, span=("2024-05-11", "2024-05-12"), stations={"NGK"})

    assert set(found["time"].dt.day.values) == {11}
    assert "must hold a station of the part" in refusal(
        iaga2002, *paths, variables=FIELD, selection={"stations": {"WIC"}}
    )
    assert "must hold times from 2025-01-01" in refusal(
        iaga2002, *paths, variables=FIELD, selection={"span": ("2025-01-01", "2026-01-01")}
    )


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ({"IAGA_Code": "WNG"}, "iaga_code must be 'NGK'"),
        ({"Reported": "XYZG"}, "must report `F`, but reports XYZG"),
        ({"Data_Interval_Type": "1-minute"}, "interval must be '1-hour'"),
        ({"Data_Type": "variation"}, "data_type must be 'definitive'"),
    ],
)
def test_days_that_contradict_one_another_are_refused(tmp_path, labels, words):
    paths = [written(tmp_path, day(), "a"), written(tmp_path, day("2024-05-11", **labels), "b")]

    assert words in refusal(iaga2002, *paths, variables=FIELD)


def test_an_observatory_that_moves_is_told(tmp_path):
    moved = written(tmp_path, day("2024-05-11", Geodetic_Latitude="52.073"), "b")

    assert told(observed(written(tmp_path, day(), "a"), moved)) == [("warning", 1)]


def test_a_time_in_two_files_is_refused_with_both(tmp_path):
    paths = [written(tmp_path, day(), "a"), written(tmp_path, day(), "b")]

    message = refusal(iaga2002, *paths, variables=FIELD)

    assert f"{paths[0]} and {paths[1]}: each time must stand there once, but 2024-05-10Z stands twice" in message


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("  18003.00", "  18oo3.00", "line 18: `X` must be a number, but is '18oo3.00'"),
        ("  18003.00", "", "line 18: must have 7 columns, but has 6"),
        ("03:00:00.000 131", "03:00:00.000 132", "line 18: must begin with a date, a time and the day of that year"),
        ("03:00:00.000", "03:00:60.000", "dates must be as"),
        ("NGKX", "WICX", "columns must be those that the header reports, NGKX NGKY NGKZ NGKF, but are WICX"),
        ("IAGA-2002", "IMFV-1.22", "must be an IAGA-2002 file"),
        ("DATE ", "DATA ", "must be an IAGA-2002 file"),
        ("52.072", "north ", "'Geodetic Latitude' must be a number"),
        ("Reported", "Replaced", "the header must tell 'Reported'"),
    ],
)
def test_a_crooked_day_is_refused_in_words(tmp_path, old, new, words):
    assert old in day()

    path = written(tmp_path, day().replace(old, new, 1))

    assert f"{path}: " in refusal(iaga2002, path, variables=FIELD)
    assert words in refusal(iaga2002, path, variables=FIELD)


def test_a_day_cut_anywhere_is_refused_or_told(tmp_path, rng):
    text = day()
    whole = observed(written(tmp_path, text))
    for size in rng.integers(0, len(text) - 1, 80):
        try:
            found = observed(written(tmp_path, text[:size]))
        except UserError:
            continue
        assert "unproven" in dict(told(found))
        last = 0 if text[size - 1] == "\n" else 1
        rows = found.sizes["time"] - last
        np.testing.assert_array_equal(found["north"][:rows], whole["north"][:rows])


# INTERMAGNET CDF ------------------------------------------------------------------------------------------------------

CDF_FIELD = {"h": {"name": "GeomagneticFieldH", "units": "nT", "long_name": "horizontal field"}}
ABOUT = {
    "FormatDescription": "INTERMAGNET CDF Format",
    "FormatVersion": "1.2",
    "IagaCode": "CLF",
    "ElementsRecorded": "HDZS",
    "PublicationLevel": "4",
    "Latitude": 48.025,
    "Longitude": 2.26,
    "Elevation": 145.0,
}


def imagcdf(
    path: Path, values: Any, start: str = "2016-12-31T00:00:00", step_s: int = 60, times: Any = None,
    about: dict[str, Any] | None = None, own: dict[str, Any] | None = None, packed: int = 0,
) -> Path:  # fmt: skip
    """A file as INTERMAGNET lays it out: values of H, with times of their own."""
    if times is None:
        stamps = np.datetime64(start) + np.arange(len(values)) * np.timedelta64(step_s, "s")
        times = CDFepoch.parse([f"{stamp}.000000000" for stamp in stamps.astype(str)])
    path.unlink(missing_ok=True)
    file = CDF(path, cdf_spec={"Compressed": packed})
    file.write_globalattrs(
        {
            name: {0: [value, "CDF_DOUBLE"] if isinstance(value, float) else value}
            for name, value in (ABOUT | (about or {})).items()
        }
    )
    spec = {"Num_Elements": 1, "Rec_Vary": True, "Dim_Sizes": [], "Compress": 0}
    attributes = {
        "FIELDNAM": "Geomagnetic Field Element H",
        "DEPEND_0": "GeomagneticVectorTimes",
        "UNITS": "nT",
        "FILLVAL": [99999.0, "CDF_DOUBLE"],
        "VALIDMIN": [-79999.0, "CDF_DOUBLE"],
        "VALIDMAX": [79999.0, "CDF_DOUBLE"],
    }
    file.write_var(
        spec | {"Variable": "GeomagneticFieldH", "Data_Type": CDF.CDF_DOUBLE},
        var_attrs=attributes | (own or {}),
        var_data=np.array(values, "float64"),
    )
    file.write_var(
        spec | {"Variable": "GeomagneticVectorTimes", "Data_Type": CDF.CDF_TIME_TT2000},
        var_data=np.array(times, "int64"),
    )
    file.close()
    return path


def recorded(*paths: Path, variables=CDF_FIELD, **selection) -> xr.Dataset:
    return intermagnet_cdf.read({path.name: path for path in paths}, selection, variables)


@pytest.mark.parametrize("packed", [0, 6])
def test_values_and_times_of_a_cdf_file_are_those_written(tmp_path, packed):
    values = 21000 + np.arange(1440) / 10

    found = recorded(imagcdf(tmp_path / "clf.cdf", values, packed=packed))

    np.testing.assert_array_equal(found["h"], values)
    np.testing.assert_array_equal(
        found["time"], np.datetime64("2016-12-31", "ns") + np.arange(1440) * np.timedelta64(60, "s")
    )
    assert (found["station"].item(), found["lat"].item(), found["elevation"].item()) == ("CLF", 48.025, 145.0)
    assert told(found) == []


def test_days_on_either_side_of_a_leap_second_are_joined_on_utc(tmp_path):
    first = imagcdf(tmp_path / "b.cdf", np.arange(1440.0), "2016-12-31T00:00:00")
    second = imagcdf(tmp_path / "a.cdf", np.arange(1440.0), "2017-01-01T00:00:00")

    found = recorded(second, first)

    np.testing.assert_array_equal(np.diff(found["time"]), np.timedelta64(60, "s"))


def test_one_file_across_a_leap_second_is_on_utc(tmp_path):
    found = recorded(imagcdf(tmp_path / "clf.cdf", np.arange(2880.0)))

    np.testing.assert_array_equal(np.diff(found["time"]), np.timedelta64(60, "s"))


def test_a_leap_second_itself_is_refused(tmp_path):
    times = CDFepoch.parse([f"2016-12-31T23:59:{second}.000000000" for second in (58, 59, 60)])

    path = imagcdf(tmp_path / "clf.cdf", [1.0, 2.0, 3.0], times=times)

    assert "holds a leap second" in refusal(intermagnet_cdf, path, variables=CDF_FIELD)


def test_fill_values_of_a_cdf_file_are_gaps_and_counted(tmp_path):
    found = recorded(imagcdf(tmp_path / "clf.cdf", [1.0, 99999.0, 3.0, np.nan]))

    np.testing.assert_array_equal(found["h"], [1, np.nan, 3, np.nan])
    assert told(found) == [("gap", 2)]


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"own": {"UNITS": "pT"}}, "`GeomagneticFieldH` must be in 'nT', but its units are 'pT'"),
        ({"own": {"VALIDMAX": [2.0, "CDF_DOUBLE"]}}, "must lie in -79999 … 2, as the file says"),
        ({"own": {"DEPEND_0": "Epoch"}}, "must name its times, of type TT2000, in DEPEND_0"),
        ({"about": {"FormatDescription": "MagPyCDF"}}, "must be an INTERMAGNET CDF file"),
        ({"about": {"Latitude": "north"}}, "must tell its Latitude as a number"),
        ({"times": [0, 1]}, "must hold 2 numbers"),
        ({"times": [0, 1, -(2**63)]}, "one is a fill value"),
        ({"times": [0, 10**9, 0]}, "stands twice"),
    ],
)
def test_a_crooked_cdf_file_is_refused_in_words(tmp_path, how, words):
    path = imagcdf(tmp_path / "clf.cdf", [1.0, 2.0, 3.0], **how)

    assert words in refusal(intermagnet_cdf, path, variables=CDF_FIELD)


def test_stations_of_two_codes_are_never_joined(tmp_path):
    paths = [
        imagcdf(tmp_path / "a.cdf", [1.0, 2.0]),
        imagcdf(tmp_path / "b.cdf", [1.0, 2.0], "2017-01-01T00:00:00", about={"IagaCode": "NGK"}),
    ]

    assert "iaga_code must be 'CLF'" in refusal(intermagnet_cdf, *paths, variables=CDF_FIELD)
    assert recorded(*paths, stations={"NGK"})["station"].item() == "NGK"


@pytest.mark.parametrize("packed", [0, 6])
def test_a_cdf_file_cut_anywhere_is_refused(tmp_path, packed, rng):
    path = imagcdf(tmp_path / "clf.cdf", np.arange(200.0), packed=packed)
    assert cdflib.CDF(path).varget("GeomagneticFieldH").size == 200
    content = path.read_bytes()
    for size in rng.integers(0, len(content) - 1, 60):
        path.write_bytes(content[:size])
        assert f"{path}: must be" in refusal(intermagnet_cdf, path, variables=CDF_FIELD)


# SHC ------------------------------------------------------------------------------------------------------------------

GAUSS = {"gauss": {"units": "nT", "long_name": "Gauss coefficient"}}
# Degree 1 of IGRF-13 (Alken et al., 2021, doi:10.1186/s40623-020-01288-x), and of degree 2 the first two.
IGRF = """# of degree 1 and part of 2
1  1  3  2  1  2010.0  2020.0
          2010.0    2015.0    2020.0
1   0  -29496.57 -29441.46  -29404.8
1   1   -1586.42  -1501.77   -1450.9
1  -1    4944.26   4795.99    4652.5
"""


def model(path: Path, **selection) -> xr.Dataset:
    return shc.read({path.name: path}, selection, GAUSS)


def test_coefficients_of_a_field_model_bear_degree_order_and_kind(tmp_path):
    found = model(written(tmp_path, IGRF, "igrf.shc"))

    assert found["gauss"].dims == ("time", "coefficient")
    assert found["gauss"].sel(time="2020-01-01").values.tolist() == [-29404.8, -1450.9, 4652.5]
    assert found["n"].values.tolist() == [1, 1, 1]
    assert found["m"].values.tolist() == [0, 1, 1]
    assert found["kind"].values.tolist() == ["g", "g", "h"]
    assert found["epoch"].values.tolist() == [2010, 2015, 2020]
    assert (found.attrs["spline_order"], found.attrs["spline_step"]) == (2, 1)


def test_the_dipole_of_igrf_has_its_known_moment(tmp_path):
    gauss = model(written(tmp_path, IGRF, "igrf.shc"))["gauss"].sel(time="2020-01-01")

    strength_t = 1e-9 * np.sqrt((gauss**2).sum("coefficient"))

    # 4 pi a^3 / mu_0 times the strength on the reference sphere
    assert 1e7 * 6371.2e3**3 * strength_t.item() == pytest.approx(7.71e22, rel=1e-3)


def test_decimal_years_are_times_of_their_own_year(tmp_path):
    text = IGRF.replace(" 2015.0", "2016.25")

    found = model(written(tmp_path, text, "x.shc"))

    assert found["time"].values[1] == np.datetime64("2016-01-01") + np.timedelta64(366 * 6, "h")
    assert found["epoch"].values[1] == 2016.25


def test_epochs_of_a_part_are_those_of_its_span(tmp_path):
    assert model(written(tmp_path, IGRF), span=("2015-01-01", "2016-01-01"))["epoch"].values.tolist() == [2015]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("1  -1    4944.26   4795.99    4652.5\n", "", "degree 1, order -1 is missing"),
        ("1  -1 ", "1   1 ", "degree 1, order -1 is missing"),
        ("    4652.5", "", "line 6: must hold 3 coefficients, but holds 2"),
        ("4652.5", "4652,5", "line 6: coefficients must be numbers, but one is '4652,5'"),
        ("    2020.0\n1 ", "\n1 ", "line 3: must hold 3 epochs, but holds 2"),
        ("    2015.0", "    2025.0", "epochs must increase"),
        ("1  1  3", "1  1", "must begin with degrees"),
    ],
)
def test_a_crooked_model_is_refused_in_words(tmp_path, old, new, words):
    assert old in IGRF

    assert words in refusal(shc, written(tmp_path, IGRF.replace(old, new, 1)), variables=GAUSS)


def test_a_model_cut_anywhere_is_refused_or_told(tmp_path):
    for size in range(len(IGRF) - 1):
        try:
            found = model(written(tmp_path, IGRF[:size]))
        except UserError:
            continue
        assert told(found) == [("unproven", 1)]
