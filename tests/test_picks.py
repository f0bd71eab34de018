"""Picks and catalogues of QuakeML: what the file tells, for the stations and hours of a part; doubts are told."""

from pathlib import Path

import numpy as np
import obspy
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from obspy import Stream, Trace, UTCDateTime
from obspy.core.event import Arrival, Catalog, Event, Magnitude, Origin, Pick, QuantityError, WaveformStreamID

from geojax import store
from geojax.data.readers import quakeml, waveforms
from geojax.errors import UserError

START = UTCDateTime(2024, 5, 10, 12)
TESTED = Path(obspy.__file__).parent.glob("**/tests/data/**/*xml")
DEPTH = {"depth": {"units": "m"}, "magnitude": {"units": "1"}}


def pick(after: float, seed: str = "NL.HGN.02.BHZ", phase: str | None = "P", **more) -> Pick:
    return Pick(time=START + after, waveform_id=WaveformStreamID(seed_string=seed), phase_hint=phase, **more)


def origin(after: float = 0, **more) -> Origin:
    return Origin(time=START + after, latitude=50.5, longitude=6.0, depth=12_000.0, **more)


def saved(tmp_path: Path, *events: Event, name: str = "events.xml") -> Path:
    Catalog(list(events)).write(str(tmp_path / name), "QUAKEML")
    return tmp_path / name


def read(tmp_path: Path, *events: Event, selection=None, **picks) -> xr.Dataset:
    """A minute of two stations with the picks of the events."""
    header = {"network": "NL", "location": "02", "channel": "BHZ", "sampling_rate": 100.0, "starttime": START}
    noise = np.random.default_rng(0).normal(scale=200, size=6000).astype("int32")
    Stream([Trace(noise, header | {"station": s}) for s in ("HGN", "WIT")]).write(str(tmp_path / "day.mseed"), "MSEED")
    files = {"day": tmp_path / "day.mseed", "events": saved(tmp_path, *events)}
    options = {"picks": {"catalog": "events", **picks}}
    return waveforms.read(files, selection or {}, {"ground_motion": {"units": "counts"}}, **options)


def catalogue(*paths: Path, selection=None, variables=DEPTH) -> xr.Dataset:
    return quakeml.read({path.name: path for path in paths}, selection or {}, variables)


def told_of(path: Path, error: UserError) -> None:
    """A refusal names its file."""
    assert str(path) in str(error)


def kinds(part: xr.Dataset) -> list[str]:
    return [finding["kind"] for finding in part.attrs["quality"]]


# Picks ---------------------------------------------------------------------------------------------------------------


def test_picks_come_as_they_were_written_and_back_from_the_store(tmp_path):
    first = pick(10.123456, evaluation_mode="manual", evaluation_status="reviewed", time_errors=QuantityError(0.02))
    event = Event(picks=[pick(14.5, "NL.WIT.02.BHN", "S", evaluation_mode="automatic"), first])

    store.write(read(tmp_path, event), tmp_path / "part.zarr")
    part = store.read(tmp_path / "part.zarr")

    times = part["pick_time"].values.astype("datetime64[ns]").astype("int64")
    assert list(times) == [(START + 14.5).ns, (START + 10.123456).ns]  # in the order of the file
    assert list(part["pick_trace"].values) == ["NL.WIT.02.BHN", "NL.HGN.02.BHZ"]
    assert list(part["pick_phase"].values) == ["S", "P"]
    assert list(part["pick_mode"].values) == ["automatic", "manual"]
    assert list(part["pick_status"].values) == ["", "reviewed"]
    np.testing.assert_array_equal(part["pick_uncertainty_s"], [np.nan, 0.02])
    assert set(part["event_id"].values) == {str(event.resource_id)}
    assert part.attrs["quality"] == []


def test_a_part_without_picks_has_none_and_can_be_stored(tmp_path):
    store.write(read(tmp_path, Event(picks=[pick(-1), pick(60), pick(5, "NL.DBN..BHZ")])), tmp_path / "part.zarr")

    assert store.read(tmp_path / "part.zarr").sizes["pick"] == 0


def test_picks_of_other_stations_networks_and_hours_do_not_belong_to_the_part(tmp_path):
    outside = [pick(-0.01), pick(59.991), pick(5, "NL.DBN.02.BHZ"), pick(5, "GR.HGN.02.BHZ")]
    event = Event(picks=[*outside, pick(0), pick(59.99, "NL.WIT.02.BHZ"), pick(7, ".WIT..", "S")])

    part = read(tmp_path, event)

    assert list(part["pick_trace"].values) == ["NL.HGN.02.BHZ", "NL.WIT.02.BHZ", ".WIT.."]


def test_a_block_of_stations_takes_its_own_picks(tmp_path):
    part = read(tmp_path, Event(picks=[pick(3), pick(4, "NL.WIT.02.BHZ")]), selection={"stations": {"WIT"}})

    assert list(part["pick_trace"].values) == ["NL.WIT.02.BHZ"]


def test_a_span_takes_its_own_samples_and_picks(tmp_path):
    span = {"span": ("2024-05-10T12:00:10", "2024-05-10T12:00:20")}

    parts = [pick(9.999), pick(10, phase="S"), pick(19.98, "NL.WIT.02.BHZ"), pick(20)]
    part = read(tmp_path, Event(picks=parts), selection=span)

    assert part["time"].values[[0, -1]].astype("datetime64[ms]").astype(str).tolist() == [
        "2024-05-10T12:00:10.000", "2024-05-10T12:00:19.990"
    ]  # fmt: skip
    assert part.sizes["time"] == 1000
    assert list(part["pick_phase"].values) == ["S", "P"]


def test_rejected_picks_are_told_unless_they_are_left_out_which_is_counted(tmp_path):
    event = Event(picks=[pick(9, evaluation_status="rejected"), pick(10, evaluation_status="reviewed")])

    kept, left = read(tmp_path, event), read(tmp_path, event, without=["rejected"])

    assert (kinds(kept), kept.sizes["pick"], kept["pick_time"].attrs["left_out"]) == (["rejected"], 2, 0)
    assert (kinds(left), left.sizes["pick"], left["pick_time"].attrs["left_out"]) == ([], 1, 1)


def test_a_phase_comes_from_the_arrival_where_the_pick_has_none(tmp_path):
    named, unnamed = pick(10, phase=None), pick(20, phase=None)
    arrivals = [Arrival(pick_id=named.resource_id, phase="Pn")]

    part = read(tmp_path, Event(picks=[named, unnamed], origins=[origin(arrivals=arrivals)]))

    assert list(part["pick_phase"].values) == ["Pn", ""]
    assert kinds(part) == ["metadata"]


def test_two_picks_of_one_phase_of_one_event_are_told(tmp_path):
    part = read(tmp_path, Event(picks=[pick(10), pick(10.4), pick(15, phase="S")]))

    assert kinds(part) == ["ambiguous"]
    assert part.attrs["quality"][0]["detail"] == "2 P picks of one event"


@pytest.mark.parametrize(
    ("picks", "told"),
    [
        ({"catalog": "other"}, "catalog: 'other' must name files of the part"),
        ({"drop": ["rejected"]}, "no setting `drop`"),
        ({"without": ["bad"]}, "without: 'bad' must be one of preliminary"),
    ],
)
def test_settings_of_picks_that_mean_nothing_are_refused(tmp_path, picks, told):
    with pytest.raises(UserError, match=told):
        read(tmp_path, Event(picks=[pick(1)]), **picks)


# Catalogues ----------------------------------------------------------------------------------------------------------


def test_a_catalogue_gives_the_preferred_origin_and_magnitude_of_each_event(tmp_path):
    origins, magnitudes = [origin(5), origin(6)], [Magnitude(mag=3.1, magnitude_type="ML"), Magnitude(mag=2.9)]
    event = Event(origins=origins, magnitudes=magnitudes, event_type="quarry blast")
    event.preferred_origin_id, event.preferred_magnitude_id = origins[1].resource_id, magnitudes[0].resource_id

    store.write(catalogue(saved(tmp_path, event)), tmp_path / "part.zarr")
    part = store.read(tmp_path / "part.zarr").isel(event=0)

    assert part["time"].values.astype("datetime64[ns]").astype("int64") == (START + 6).ns
    assert [float(part[name]) for name in ("latitude", "longitude", "depth", "magnitude")] == [50.5, 6.0, 12_000.0, 3.1]
    assert (str(part["magnitude_type"].values), str(part["event_type"].values)) == ("ML", "quarry blast")
    assert part["depth"].attrs["units"] == "m"
    assert part.attrs["quality"] == []


def test_doubts_of_a_catalogue_are_told(tmp_path):
    events = [Event(origins=[origin(), origin(1)], magnitudes=[Magnitude(mag=1)]), Event(), Event(origins=[origin(2)])]

    part = catalogue(saved(tmp_path, *events))

    assert kinds(part) == ["ambiguous", "empty", "not_finite"]
    np.testing.assert_array_equal(part["magnitude"], [1, np.nan])


def test_the_same_events_in_two_files_are_told(tmp_path):
    event = Event(origins=[origin()], magnitudes=[Magnitude(mag=1)])

    part = catalogue(saved(tmp_path, event), saved(tmp_path, event, name="copy.xml"))

    assert kinds(part) == ["duplicate"]


def test_a_span_takes_the_events_of_its_time_and_an_empty_one_is_refused(tmp_path):
    events = [Event(origins=[origin(s)], magnitudes=[Magnitude(mag=s)]) for s in (0, 10, 20)]
    path = saved(tmp_path, *events)

    part = catalogue(path, selection={"span": ("2024-05-10T12:00:10", "2024-05-10T12:00:20")})

    assert list(part["magnitude"].values) == [10]
    with pytest.raises(UserError, match="must hold events with an origin from 2020 to before 2021, but holds none"):
        catalogue(path, selection={"span": ("2020", "2021")})


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"depth": {"units": "km"}}, "depth must be in 'm', as QuakeML gives it, but is declared in 'km'"),
        ({"size": {"units": "1"}}, "reads depth, .* but size is to be 'size'"),
        ({"depth": {"units": "m", "valid_range": (0, 100)}}, "`depth` must lie in 0 … 100, but 1 events do not"),
    ],
)
def test_variables_that_are_not_in_a_catalogue_as_declared_are_refused(tmp_path, variables, told):
    with pytest.raises(UserError, match=told):
        catalogue(saved(tmp_path, Event(origins=[origin()])), variables=variables)


def test_every_xml_file_of_obspys_own_tests_is_read_or_refused():
    read_ones = 0
    for path in sorted(TESTED):
        try:
            part = catalogue(path)
        except UserError as error:
            told_of(path, error)
        else:
            read_ones += 1
            assert part["depth"].size == part["time"].size > 0
    assert read_ones >= 20


@given(at=st.floats(0.0, 1.0, exclude_max=True))
def test_quakeml_cut_anywhere_is_refused(tmp_path, at):
    whole = tmp_path / "events.xml"
    if not whole.exists():
        saved(tmp_path, Event(picks=[pick(10)], origins=[origin()]))
    content = whole.read_bytes().rstrip()
    (tmp_path / "cut.xml").write_bytes(content[: int(at * len(content))])

    with pytest.raises(UserError, match=r"cut\.xml: must be QuakeML that can be read to its end"):
        catalogue(tmp_path / "cut.xml")
