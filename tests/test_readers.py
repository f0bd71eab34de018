"""Raw files are read as what they are, or refused by name; never is a wrong number read in silence."""

import json
import logging
import pickle
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from obspy import Stream, Trace, UTCDateTime

from geojax.data import readers
from geojax.data.readers import netcdf, pickled_stream
from geojax.data.seismology import onsets
from geojax.errors import UserError


def test_a_reader_is_found_by_its_name_and_an_unknown_one_refused():
    assert readers.load("netcdf") is netcdf.read
    with pytest.raises(UserError, match=rf"no reader `grid`\. It has: {', '.join(readers.names())}\."):
        readers.load("grid")


def test_only_the_options_that_a_reader_takes_are_admitted():
    readers.check_options("pickled_stream", {"p_correction": [0.1, 0.0]})
    readers.check_options("netcdf", {"level": 10.0})
    with pytest.raises(UserError, match=r"d\.yaml: reader: options: no setting `x`\. Reader `netcdf` knows: level, "):
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
    assert "1003: duplicate: its samples repeat those of 1001, so the station is left out" in told.text


@pytest.mark.parametrize("value", [0.0, np.nan], ids=["flat", "not a number"])
@pytest.mark.parametrize("component", [0, 1, 2])
def test_a_station_with_a_dead_component_is_left_out_and_told(tmp_path, told, component, value):
    broken = record("1002")
    broken[component] = value
    stream = Stream([trace for code in PLACES for trace in traces(code, broken if code == "1002" else None)])

    assert list(read_event(event_files(tmp_path, stream))["station"]) == ["1001", "1003", "2001"]
    assert "1002: flat: a component is dead" in told.text


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
