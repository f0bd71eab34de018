"""Ground motion and places from StationXML: as ObsPy's own Stream.remove_response on its bundled files, or refused."""

from pathlib import Path

import numpy as np
import obspy
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from obspy import Stream, Trace, UTCDateTime

from geojax import store
from geojax.data.readers import waveforms
from geojax.errors import UserError

CORE = Path(obspy.__file__).parent / "core"
BAVARIA = CORE / "data/BW_RJOB.xml"  # EHZ, EHN, EHE from 2007 on, 200 Hz
MONGOLIA = CORE / "tests/data/IU_ULN_00_LH1.xml"
ALBUQUERQUE = CORE / "tests/data/IU_ANMO_BH.xml"  # 10.BHZ changes its gain on 2014-08-12
CHANGE = UTCDateTime(2014, 8, 12)
UNITS = {"DISP": "m", "VEL": "m s-1", "ACC": "m s-2"}


def saved(tmp_path: Path, stream: Stream, name: str = "day.mseed") -> Path:
    stream.write(str(tmp_path / name), "MSEED")
    return tmp_path / name


def read(path: Path, stations: Path, units: str = "m s-1", response=None, **options) -> xr.Dataset:
    if response is not None:
        options["response"] = response
    variables = {"ground_motion": {"units": units}}
    return waveforms.read({"day": path, "stations": stations}, {}, variables, inventory="stations", **options)


def refusal(*given, **options) -> str:
    with pytest.raises(UserError) as caught:
        read(*given, **options)
    return str(caught.value)


def kinds(part: xr.Dataset) -> list[tuple[str, str]]:
    return [(finding["kind"], finding["trace"]) for finding in part.attrs["quality"]]


def bavarian() -> Stream:
    stream = obspy.read()
    for trace in stream:
        del trace.stats.response
        trace.data = np.round(trace.data).astype("int32")
    return stream


def recorded(start: UTCDateTime, seconds: float = 60, code: str = "10.BHZ", seed: int = 0) -> Trace:
    """Noise on a channel of Albuquerque, 40 Hz."""
    location, channel = code.split(".")
    data = np.random.default_rng(seed).normal(scale=3000, size=int(seconds * 40)).astype("int32")
    header = {"network": "IU", "station": "ANMO", "location": location, "channel": channel, "sampling_rate": 40.0}
    return Trace(data, header | {"starttime": start})


def assert_alike(found: np.ndarray, expected: np.ndarray) -> None:
    """To the rounding of float32 at the largest value."""
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-7 * np.abs(expected).max())


# As ObsPy's own ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("output", UNITS)
@pytest.mark.parametrize(
    "band",
    [
        {},
        {"pre_filter": [0.5, 1.0, 30.0, 40.0]},
        {"water_level": 20},
        {"pre_filter": [1, 2, 20, 30], "water_level": None},
    ],
)
def test_motion_of_the_bavarian_example_is_that_of_obspy(tmp_path, output, band):
    stream = bavarian()

    part = read(saved(tmp_path, stream), BAVARIA, UNITS[output], {"output": output, **band})

    stream.remove_response(
        obspy.read_inventory(BAVARIA),
        output=output,
        pre_filt=band.get("pre_filter"),
        water_level=band.get("water_level", 60),
    )
    for trace in stream:
        assert_alike(part["ground_motion"].sel(trace=trace.id), trace.data)
    assert part["ground_motion"].dtype == "float32"
    assert part["ground_motion"].attrs["units"] == UNITS[output]
    assert f"response removed ({output})" in part["ground_motion"].attrs["processing"]


def test_motion_of_three_hours_in_mongolia_is_that_of_obspy():
    path = CORE / "tests/data/IU_ULN_00_LH1_2015-07-18T02.mseed"

    part = read(path, MONGOLIA, response={"output": "VEL", "pre_filter": [0.002, 0.005, 0.3, 0.45]})

    stream = obspy.read(path).remove_response(
        obspy.read_inventory(MONGOLIA), output="VEL", pre_filt=[0.002, 0.005, 0.3, 0.45]
    )
    assert_alike(part["ground_motion"].values[0], stream[0].data)


def test_a_steady_sine_comes_back_with_the_amplitude_it_had_on_the_ground(tmp_path):
    response = obspy.read_inventory(ALBUQUERQUE).get_response("IU.ANMO.10.BHZ", CHANGE + 60)
    gain = response.get_evalresp_response_for_frequencies([1.0], "VEL")[0]
    trace = recorded(CHANGE + 60, 600)
    motion = 1e-4 * np.sin(2 * np.pi * trace.times())  # m s-1, 1 Hz
    trace.data = np.round(1e-4 * np.abs(gain) * np.sin(2 * np.pi * trace.times() + np.angle(gain))).astype("int32")

    part = read(saved(tmp_path, Stream([trace])), ALBUQUERQUE, response={"output": "VEL"})

    middle = slice(4000, 20_000)
    np.testing.assert_allclose(part["ground_motion"].values[0][middle], motion[middle], atol=1e-6)


def test_each_stretch_between_gaps_is_deconvolved_alone(tmp_path):
    early, late = recorded(CHANGE + 60), recorded(CHANGE + 150, 45, seed=1)

    part = read(saved(tmp_path, Stream([early, late])), ALBUQUERQUE, response={"output": "VEL"})

    stretches = Stream([early, late]).remove_response(obspy.read_inventory(ALBUQUERQUE), output="VEL")
    values = part["ground_motion"].values[0]
    assert_alike(values[:2400], stretches[0].data)
    assert np.isnan(values[2400:3600]).all()
    assert_alike(values[3600:], stretches[1].data)
    assert kinds(part) == [("gap", "IU.ANMO.10.BHZ")]


def test_sensitivity_alone_divides_and_leaves_gaps(tmp_path):
    early, late = recorded(CHANGE + 60), recorded(CHANGE + 150, 45, seed=1)
    how = {"output": "VEL", "method": "sensitivity"}

    part = read(saved(tmp_path, Stream([early, late])), ALBUQUERQUE, response=how)

    values = part["ground_motion"].values[0]
    assert_alike(values[:2400], early.data / 1974680000.0)
    assert_alike(values[3600:], late.data / 1974680000.0)
    assert "divided by the instrument's sensitivity" in part["ground_motion"].attrs["processing"]


@pytest.mark.parametrize("day", [-86400, 86400])
def test_the_epoch_of_the_samples_decides_which_response_is_removed(tmp_path, day):
    trace = recorded(CHANGE + day)

    part = read(saved(tmp_path, Stream([trace])), ALBUQUERQUE, response={"output": "VEL"})

    assert_alike(
        part["ground_motion"].values[0], trace.remove_response(obspy.read_inventory(ALBUQUERQUE), output="VEL").data
    )
    assert np.abs(part["ground_motion"]).max() > (1e-7 if day < 0 else 1e-6)


# Refused or recorded -------------------------------------------------------------------------------------------------


def test_a_stretch_across_a_change_of_the_instrument_is_refused_by_name(tmp_path):
    told = refusal(saved(tmp_path, Stream([recorded(CHANGE - 30)])), ALBUQUERQUE, response={"output": "VEL"})

    assert told.startswith(f"{ALBUQUERQUE}: IU.ANMO.10.BHZ must have one response from 2014-08-11T23:59:30")
    assert "none, though it has some at other times" in told


def test_a_channel_without_response_is_refused_by_name(tmp_path):
    trace = recorded(CHANGE, code="10.LHZ")

    assert "IU.ANMO.10.LHZ must have one response" in refusal(
        saved(tmp_path, Stream([trace])), ALBUQUERQUE, response={"output": "VEL"}
    )


def test_two_inventories_that_contradict_each_other_are_refused(tmp_path):
    other = obspy.read_inventory(ALBUQUERQUE)
    for channel in other[0][0]:
        channel.response.instrument_sensitivity.value *= 2
    other.write(str(tmp_path / "other.xml"), "STATIONXML")
    path = saved(tmp_path, Stream([recorded(CHANGE + 60)]))
    files = {"day": path, "a.xml": ALBUQUERQUE, "b.xml": tmp_path / "other.xml"}
    how = {"inventory": "*.xml", "response": {"output": "VEL"}}

    with pytest.raises(UserError, match=r"IU.ANMO.10.BHZ must have one response .* but has 2 different ones"):
        waveforms.read(files, {}, {"ground_motion": {"units": "m s-1"}}, **how)

    files["b.xml"] = ALBUQUERQUE  # told twice alike is told once
    assert waveforms.read(files, {}, {"ground_motion": {"units": "m s-1"}}, **how).attrs["quality"] == []


@pytest.mark.parametrize("how", [{"output": "VEL"}, {"output": "VEL", "method": "sensitivity"}])
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("hydrophone_response_PA.xml", "3F.MRO01..HDH"),
        ("polynomial_response.xml", "NZ.CHIT.41.LTZ"),
    ],
)
def test_what_is_no_ground_motion_is_refused_by_name(tmp_path, name, told, how):
    channel = obspy.read_inventory(CORE / "tests/data" / name)[0][0][0]
    trace = recorded(channel.start_date + 86400)
    trace.id = told

    said = refusal(saved(tmp_path, Stream([trace])), CORE / "tests/data" / name, response=how)

    assert said.startswith(f"{CORE / 'tests/data' / name}: {told}: ")
    assert "response" in said or "sensitivity must be that of VEL, but is 2558.93 counts for 1 PA" in said


@pytest.mark.parametrize(
    ("options", "units", "told"),
    [
        ({"response": {"output": "VEL"}}, "m", "VEL comes in 'm s-1', but `reader: variables: units` declares 'm'"),
        ({"response": {"output": "speed"}}, "m", "output: must be DISP, VEL, ACC, but is 'speed'"),
        ({"response": {"output": "VEL", "prefilter": 1}}, "m s-1", "no setting `prefilter`"),
        ({"response": {"output": "VEL", "method": "guess"}}, "m s-1", "method: must be full or sensitivity"),
        ({"response": {"output": "VEL", "pre_filter": [1, 2, 4, 3]}}, "m s-1", "must be four rising frequencies"),
        ({"response": {"output": "VEL", "method": "sensitivity", "water_level": 9}}, "m s-1", "filters nothing"),
    ],
)
def test_settings_that_contradict_are_refused(tmp_path, options, units, told):
    assert told in refusal(saved(tmp_path, bavarian()), BAVARIA, units, **options)


def test_a_response_needs_an_inventory(tmp_path):
    with pytest.raises(UserError, match="response: needs `inventory`"):
        waveforms.read({"day": saved(tmp_path, bavarian())}, {}, {"v": {"units": "m s-1"}}, response={"output": "VEL"})


def test_an_inventory_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UserError, match="inventory: 'sites' must name files of the part, but its files are day"):
        waveforms.read({"day": saved(tmp_path, bavarian())}, {}, {"v": {"units": "counts"}}, inventory="sites")


def test_samples_that_a_file_calls_velocity_lose_no_response(tmp_path):
    trace = recorded(CHANGE + 60)
    trace.data = trace.data.astype("float32")
    trace.stats.sac = {"idep": 7}
    trace.write(str(tmp_path / "day.sac"), "SAC")

    assert "must be in 'counts', but the file says 'nm s-1'" in refusal(
        tmp_path / "day.sac", ALBUQUERQUE, response={"output": "VEL"}
    )


def test_stretches_shorter_than_the_longest_period_are_told(tmp_path):
    how = {"output": "VEL", "pre_filter": [0.005, 0.01, 15, 19]}

    part = read(saved(tmp_path, Stream([recorded(CHANGE + 60)])), ALBUQUERQUE, response=how)

    assert kinds(part) == [("short", "IU.ANMO.10.BHZ")]


# Places --------------------------------------------------------------------------------------------------------------


def test_places_come_with_the_traces_and_their_store(tmp_path):
    part = read(saved(tmp_path, Stream([recorded(CHANGE + 60)])), ALBUQUERQUE, "counts")

    store.write(part, tmp_path / "part.zarr")
    place = store.read(tmp_path / "part.zarr").sel(trace="IU.ANMO.10.BHZ")
    assert place["latitude"].attrs["units"] == "degrees_north"
    channel = obspy.read_inventory(ALBUQUERQUE).get_coordinates("IU.ANMO.10.BHZ", CHANGE + 60)
    assert [float(place[name]) for name in ("latitude", "longitude", "elevation_m")] == [
        channel["latitude"], channel["longitude"], channel["elevation"]
    ]  # fmt: skip
    assert part.attrs["quality"] == []


def test_a_missing_channel_has_no_place_and_is_told(tmp_path):
    stream = Stream([recorded(CHANGE + 60), recorded(CHANGE + 60, code="99.BHZ")])

    part = read(saved(tmp_path, stream), ALBUQUERQUE, "counts")

    assert kinds(part) == [("metadata", "IU.ANMO.99.BHZ")]
    np.testing.assert_array_equal(np.isnan(part["latitude"]), [False, True])


def test_a_sampling_rate_that_stationxml_tells_otherwise_is_told(tmp_path):
    part = read(saved(tmp_path, bavarian()), BAVARIA, "counts")

    assert kinds(part) == [("metadata", f"BW.RJOB..EH{c}") for c in "ENZ"]
    assert part.attrs["quality"][0]["detail"] == "StationXML tells 200 Hz, but the samples come at 100 Hz"


def test_a_file_of_stations_alone_gives_their_places(tmp_path):
    inventory = obspy.read_inventory(ALBUQUERQUE)
    inventory[0][0].channels = []
    inventory.write(str(tmp_path / "stations.xml"), "STATIONXML")

    part = read(saved(tmp_path, Stream([recorded(CHANGE + 60)])), tmp_path / "stations.xml", "counts")

    assert (float(part["latitude"][0]), part.attrs["quality"]) == (inventory[0][0].latitude, [])


@given(at=st.floats(0.0, 1.0, exclude_max=True))
def test_stationxml_cut_anywhere_is_refused(tmp_path, at):
    content = MONGOLIA.read_bytes().rstrip()
    (tmp_path / "cut.xml").write_bytes(content[: int(at * len(content))])
    path = CORE / "tests/data/IU_ULN_00_LH1_2015-07-18T02.mseed"

    assert refusal(path, tmp_path / "cut.xml").startswith(f"{tmp_path / 'cut.xml'}: must be FDSN StationXML")
