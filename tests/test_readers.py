"""Raw files are read as what they are, or refused by name; never is a wrong number read in silence."""

import json
import logging
import pickle
from pathlib import Path

import netCDF4
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import example, given, settings
from hypothesis import strategies as st
from obspy import Stream, Trace, UTCDateTime

from geojax.data import onsets, readers
from geojax.data.readers import _classic, netcdf, pickled_stream
from geojax.errors import UserError

# NetCDF ---------------------------------------------------------------------------------------------------------------

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


def read(path: Path, variables=SST, **selection) -> xr.Dataset:
    return netcdf.read({"sst.nc": path}, selection, variables)


def refusal(path: Path, variables=SST, **selection) -> str:
    with pytest.raises(UserError) as caught:
        read(path, variables, **selection)
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value).removeprefix(f"{path}: ")


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("year", [1991, 1992])
def test_a_part_is_its_own_year_and_nothing_else(tmp_path, kind, year):
    found = read(saved(tmp_path, fields(), format=kind), year=year)

    expected = fields()["sst"].sel(time=str(year)).sortby("lat")
    np.testing.assert_array_equal(found["sst"], expected)
    assert (found["time"].dt.year == year).all()


def test_several_files_of_one_part_are_refused_as_one_field(tmp_path):
    path = saved(tmp_path, fields())

    with pytest.raises(UserError, match=r"a part must have one file to be read as netcdf, but has 2 \(.*sst\.nc"):
        netcdf.read({"a": path, "b": path}, {}, SST)


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


def test_a_reader_is_found_by_its_name_and_an_unknown_one_refused():
    assert readers.load("netcdf") is netcdf.read
    with pytest.raises(UserError, match=r"no reader `tape`\. It has: .*netcdf, pickled_stream, .*waveforms"):
        readers.load("tape")


def test_only_the_options_that_a_reader_takes_are_admitted():
    readers.check_options("pickled_stream", {"p_correction": [0.1, 0.0]})
    readers.check_options("netcdf", {})
    with pytest.raises(UserError, match=r"d\.yaml: reader: options: no setting `x`\. Reader `netcdf` knows: none\."):
        readers.check_options("netcdf", {"x": 1}, "d.yaml")


# One event on many stations -------------------------------------------------------------------------------------------

RATE, ORIGIN_S, DEPTH_KM, VP, VS = 250.0, 4.0, 3.0, 5.0, 2.5
START = UTCDateTime(2016, 7, 11, 5, 55, 12)
COUNTS = {"waveform": {"units": "counts", "standard_name": "ground_motion_counts"}}
PLACES = {"1001": 0.02, "1002": 0.03, "1003": 0.04, "2001": 0.05}  # degrees north of the epicentre


def arrivals(code: str) -> tuple[float, float]:
    """P and S in s after the origin: straight rays in a half space."""
    ray = np.hypot(PLACES[code] * 111.0, DEPTH_KM)
    return ray / VP, ray / VS


def record(code: str, late: float = 0.0) -> np.ndarray:
    """(3, sample), N E Z: noise, then P on the vertical and S on the horizontals."""
    generator = np.random.default_rng(int(code))
    time = np.arange(int(20 * RATE)) / RATE - ORIGIN_S
    motion = generator.normal(size=(3, len(time)))
    p, s = arrivals(code)
    for component, onset, size in ((2, p + late, 200), (0, s + late, 400), (1, s + late, 400)):
        after = np.maximum(time - onset, 0)
        motion[component] += size * np.exp(-2 * after) * np.sin(2 * np.pi * 12 * after)
    return motion


def event_files(tmp_path: Path, stream: Stream | None = None, places=PLACES) -> dict[str, Path]:
    """The four files of an event, as a package would hold them."""
    if stream is None:
        stream = Stream([trace for code in places for trace in traces(code)])
    texts = {
        "stations": "<FDSNStationXML xmlns='http://www.fdsn.org/xml/station/1'><Network code='YW'>"
        + "".join(
            f"<Station code='{code}'><Latitude>{36.6 + north}</Latitude><Longitude>-97.7</Longitude>"
            f"<Elevation>300.5</Elevation></Station>"
            for code, north in places.items()
        )
        + "</Network></FDSNStationXML>",
        "event": json.dumps({"evt0": "2016-07-11T05:55:16", "evla": 36.6, "evlo": -97.7, "evdp": DEPTH_KM, "mag": 2.5}),
        "velocities": f"half - P\nhalf - S\n 0.0 {VP} {VS} 2.5\n 10.0 {VP} {VS} 2.5\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "waveforms").write_bytes(pickle.dumps(stream, protocol=4))
    return {name: tmp_path / name for name in (*texts, "waveforms")}


def traces(code: str, motion: np.ndarray | None = None, **changes) -> list[Trace]:
    motion = record(code) if motion is None else motion
    header = {"network": "YW", "station": code, "sampling_rate": RATE, "starttime": START} | changes
    return [
        Trace(row.astype("float32"), header | {"channel": channel})
        for channel, row in zip(("DP1", "DP2", "DPZ"), motion, strict=True)
    ]


def read_event(files: dict[str, Path], stations=PLACES, **options) -> xr.Dataset:
    return pickled_stream.read(files, {"stations": set(stations)}, COUNTS, **options)


def test_waveforms_are_those_of_the_stream_in_the_order_north_east_vertical(tmp_path):
    stream = Stream([trace for code in PLACES for trace in reversed(traces(code))])  # vertical first

    found = read_event(event_files(tmp_path, stream))

    assert list(found["component"]) == ["N", "E", "Z"]
    assert found["waveform"].dtype == "float32"
    for code in PLACES:
        np.testing.assert_array_equal(found["waveform"].sel(station=code), record(code).astype("float32"))


def test_a_part_holds_its_own_stations_only(tmp_path):
    assert list(read_event(event_files(tmp_path), ["1002", "2001", "9999"])["station"]) == ["1002", "2001"]


def test_places_distances_and_the_event_are_told(tmp_path):
    found = read_event(event_files(tmp_path))

    np.testing.assert_allclose(found["lat"], [36.6 + north for north in PLACES.values()])
    np.testing.assert_allclose(found["distance"], [111.0 * north for north in PLACES.values()], rtol=1e-6)
    assert float(found["elevation"][0]) == 300.5
    assert (found.attrs["sampling_rate_hz"], found.attrs["origin_s"]) == (RATE, ORIGIN_S)


def test_derived_onsets_lie_within_a_few_samples_of_where_the_waves_were_put(tmp_path):
    found = read_event(event_files(tmp_path))

    for name, wave in (("p", 0), ("s", 1)):
        true = [(ORIGIN_S + arrivals(code)[wave]) * RATE for code in PLACES]
        assert found[f"{name}_picked"].all()
        assert np.abs(found[f"{name}_onset"] - true).max() <= 5


def test_an_onset_far_from_the_prediction_is_not_believed(tmp_path):
    stream = Stream([trace for code in PLACES for trace in traces(code, record(code, late=0.13))])

    found = read_event(event_files(tmp_path, stream))

    assert not found["p_picked"].any()
    predicted = [round((ORIGIN_S + arrivals(code)[0]) * RATE) for code in PLACES]
    assert np.abs(found["p_onset"] - predicted).max() <= 1


def test_corrections_move_the_prediction_by_delay_and_slowness(tmp_path):
    stream = Stream([trace for code in PLACES for trace in traces(code, record(code, late=0.13))])

    found = read_event(event_files(tmp_path, stream), p_correction=(0.13, 0.0), s_correction=(0.13, 0.0))

    assert found["p_picked"].all()
    assert found["s_picked"].all()


def test_an_onset_does_not_depend_on_which_stations_share_its_part(tmp_path):
    files = event_files(tmp_path)

    together, alone = read_event(files), read_event(files, ["1003"])

    xr.testing.assert_identical(together.sel(station=["1003"]), alone)


@pytest.fixture
def told(caplog, monkeypatch):
    """What the reader says in the log."""
    monkeypatch.setattr(logging.getLogger("geojax"), "propagate", True)
    caplog.set_level(logging.INFO, "geojax")
    return caplog


def test_a_station_that_repeats_another_is_left_out_and_told(tmp_path, told):
    stream = Stream([trace for code in PLACES for trace in traces(code, record("1001" if code == "1003" else code))])

    assert list(read_event(event_files(tmp_path, stream))["station"]) == ["1001", "1002", "2001"]
    assert "station 1003 left out: its samples repeat those of 1001" in told.text


@pytest.mark.parametrize("value", [0.0, np.nan], ids=["flat", "not a number"])
@pytest.mark.parametrize("component", [0, 1, 2])
def test_a_station_with_a_dead_component_is_left_out_and_told(tmp_path, told, component, value):
    broken = record("1002")
    broken[component] = value
    stream = Stream([trace for code in PLACES for trace in traces(code, broken if code == "1002" else None)])

    assert list(read_event(event_files(tmp_path, stream))["station"]) == ["1001", "1003", "2001"]
    assert "station 1002 left out: a component is dead" in told.text


def test_a_station_with_a_hole_in_its_record_is_left_out(tmp_path):
    broken = record("1002")
    broken[1, 700:710] = np.nan
    stream = Stream([trace for code in PLACES for trace in traces(code, broken if code == "1002" else None)])

    assert "1002" not in read_event(event_files(tmp_path, stream))["station"]


def test_a_station_without_all_three_components_is_left_out(tmp_path):
    stream = Stream([trace for code in PLACES for trace in traces(code)][1:])

    assert list(read_event(event_files(tmp_path, stream))["station"]) == ["1002", "1003", "2001"]


def event_refusal(files: dict[str, Path], named: str, stations=PLACES) -> str:
    with pytest.raises(UserError) as caught:
        read_event(files, stations)
    assert str(caught.value).startswith(f"{files.get(named, named)}: ")
    return str(caught.value)


def test_a_part_without_stations_in_the_file_is_refused(tmp_path):
    assert "must hold stations of the part" in event_refusal(event_files(tmp_path), "waveforms", ["9999"])


@pytest.mark.parametrize("changes", [{"sampling_rate": 100.0}, {"starttime": START + 0.5}])
def test_records_of_different_rate_or_start_are_refused(tmp_path, changes):
    stream = Stream([t for code in PLACES for t in traces(code, **(changes if code == "1002" else {}))])

    assert "must share" in event_refusal(event_files(tmp_path, stream), "waveforms")


def test_starts_that_differ_by_less_than_a_sample_are_admitted(tmp_path):
    stream = Stream([t for code in PLACES for t in traces(code, starttime=START + 0.001 * (code == "1002"))])

    assert read_event(event_files(tmp_path, stream)).sizes["station"] == 4


def test_records_of_different_length_are_refused(tmp_path):
    stream = Stream([t for code in PLACES for t in traces(code, record(code)[:, : -1 if code == "1002" else None])])

    assert "must share" in event_refusal(event_files(tmp_path, stream), "waveforms")


def test_a_station_without_coordinates_is_refused_by_its_code(tmp_path):
    files = event_files(tmp_path)
    files["stations"].write_text(files["stations"].read_text().replace("code='1003'", "code='1004'"))

    assert "must hold the coordinates of 1003" in event_refusal(files, "stations")


def test_records_that_do_not_hold_the_event_are_refused(tmp_path):
    files = event_files(tmp_path)
    for moment in ("2016-07-11T05:55:30", "2016-07-11T05:54:00"):  # S after the end, P before the start
        event = json.loads(files["event"].read_text()) | {"evt0": moment}
        files["event"].write_text(json.dumps(event))
        assert "must hold P and S of the event" in event_refusal(files, "waveforms")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("waveforms", b"not a pickle"),
        ("stations", b"<FDSNStationXML><Station"),
        ("stations", b"<FDSNStationXML xmlns='http://www.fdsn.org/xml/station/1'><Station code='1001'>"
                     b"<Latitude>north</Latitude></Station></FDSNStationXML>"),
        ("event", b"{"),
        ("event", b"[]"),
        ("event", b'{"evt0": "2016-07-11T05:55:16"}'),
        ("event", b'{"evt0": "yesterday", "evla": 36.6, "evlo": -97.7, "evdp": 3.0, "mag": 2.5}'),
        ("velocities", b"half - P\nhalf - S\n 0.0 fast slow\n"),
        ("velocities", b""),
    ],
)  # fmt: skip
def test_a_file_that_is_not_what_it_should_be_is_refused_by_name(tmp_path, name, content):
    files = event_files(tmp_path)
    files[name].write_bytes(content)

    event_refusal(files, name)


@pytest.mark.parametrize("name", ["waveforms", "stations", "event", "velocities"])
def test_a_file_that_is_gone_or_was_never_named_is_refused(tmp_path, name):
    files = event_files(tmp_path)
    files[name].unlink()
    event_refusal(files, name)

    del files[name]
    with pytest.raises(UserError, match=f"`source: files` must name waveforms, .* but lacks {name}"):
        read_event(files)


def test_samples_that_are_no_counts_are_refused_where_counts_are_asked_for(tmp_path):
    stream = Stream([t for code in PLACES for t in traces(code, processing=["ObsPy: remove_response(output='VEL')"])])

    assert "must be in 'counts'" in event_refusal(event_files(tmp_path, stream), "waveforms")


# Onsets ---------------------------------------------------------------------------------------------------------------


@given(
    distance=st.lists(st.floats(0, 50), min_size=1, max_size=5),
    layers=st.lists(st.floats(0.1, 10), min_size=1, max_size=4),
    speed=st.floats(1, 8),
)
def test_the_direct_ray_through_a_half_space_is_straight(distance, layers, speed):
    thickness = np.array(layers)

    found = onsets.direct_time(np.array(distance), thickness, np.full(len(layers), speed))

    np.testing.assert_allclose(found, np.hypot(distance, thickness.sum()) / speed, rtol=1e-6)


def test_the_direct_ray_through_two_layers_is_the_fastest_path(rng):
    thickness, speed, distance = np.array([1.0, 3.0]), np.array([2.0, 5.0]), 4.0
    crossing = np.linspace(0, distance, 100_001)  # Fermat: try every point of the interface
    times = np.hypot(crossing, thickness[0]) / speed[0] + np.hypot(distance - crossing, thickness[1]) / speed[1]

    assert onsets.direct_time(np.array([distance]), thickness, speed)[0] == pytest.approx(times.min(), abs=1e-8)


def test_layers_end_at_the_source():
    model = np.array([[0, 2.0, 1.0], [1, 2.0, 1.0], [1, 4.0, 2.0], [5, 4.0, 2.0]])

    thickness, speed = onsets.layers_above(model, 3.0, "P")

    assert (thickness.tolist(), speed.tolist()) == ([1.0, 2.0], [2.0, 4.0])
    assert onsets.layers_above(model, 3.0, "S")[1].tolist() == [1.0, 2.0]


def test_epicentral_distance_agrees_with_the_geodesic():
    from obspy.geodetics import gps2dist_azimuth

    lat, lon = np.array([36.65, 36.6, 36.57]), np.array([-97.7, -97.75, -97.66])

    found = onsets.epicentral_distance(lat, lon, 36.617, -97.6889)

    true = [gps2dist_azimuth(36.617, -97.6889, a, b)[0] / 1000 for a, b in zip(lat, lon, strict=True)]
    np.testing.assert_allclose(found, true, rtol=3e-3)


@given(onset=st.floats(5.0, 6.0), seed=st.integers(0, 100), off=st.floats(-0.08, 0.08))
def test_a_clear_onset_is_picked_within_a_few_samples(onset, seed, off):
    time = np.arange(2500) / RATE
    after = np.maximum(time - onset, 0)
    trace = np.random.default_rng(seed).normal(size=time.size) + 100 * np.exp(-3 * after) * np.sin(80 * after)

    found = onsets.pick_onset(trace, RATE, onset + off, half_width=0.15, sta=0.06, lta=1.0)

    assert abs(found - onset) <= 4 / RATE
