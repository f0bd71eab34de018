"""Waveforms, stations and events of an FDSN service come as it sends them: whole, told to be none, or not at all."""

import warnings

import numpy as np
import obspy
import pytest
from fdsn_server import MSEED, PACKAGE, TSINDEX, Fdsn, build_archive
from loopback import serve
from obspy import UTCDateTime
from obspy.clients.fdsn import Client
from obspy.clients.filesystem.sds import Client as Archive

from geojax import stages, store
from geojax.config import Dataset
from geojax.data import parts, raw, sources
from geojax.data.sources import _retry
from geojax.errors import NothingThereError, UserError

pytestmark = pytest.mark.usefixtures("loopback")
BALST = MSEED / "CH.BALST..LH_two_channels"
ANMO = TSINDEX / "IU/2018/001/IU.ANMO.10.BHZ.2018.001_first_minute.mseed"
END = UTCDateTime("2025-11-11") - 1e-6
ORIGIN = UTCDateTime("2018-01-01T00:00:10")


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """A real SDS archive: two channels of CH.BALST over two days, one minute of IU.ANMO."""
    root = tmp_path_factory.mktemp("sds")
    build_archive(root, BALST, ANMO)
    return root


@pytest.fixture
def service(archive, monkeypatch):
    """A service of that archive, fresh for each test, and its address."""
    monkeypatch.setattr(Client, "_Client__service_discovery_cache", {})  # ports are given out again
    catalog = obspy.read_events(PACKAGE / "io/quakeml/tests/data/quakeml_1.2_arrival.xml")
    catalog += obspy.read_events(PACKAGE / "io/quakeml/tests/data/iris_events.xml")
    for event in catalog:
        event.origins[0].time = ORIGIN  # into the minute that is in the archive
    catalog[0].magnitudes = catalog[1].copy().magnitudes
    catalog[1].magnitudes[0].mag = 4.5
    with warnings.catch_warnings(action="ignore"):
        inventory = obspy.read_inventory(PACKAGE / "core/tests/data/IU_ANMO_BH.xml")
    own = {"root": archive, "inventory": inventory, "catalog": catalog, "asked": [], "statuses": {}, "cuts": {}}
    fresh = type("Fresh", (Fdsn,), own)
    with serve(fresh) as address:
        fresh.address = address
        yield fresh


def order(service, day: str = "2018-01-01", network: str = "IU", **changes) -> dict:
    codes = {"network": network, "station": "*", "location": "*", "channel": "BHZ,LH?"}
    span = list(raw.span("day", day))
    own = {"kind": "fdsn", "base_url": service.address, "stations": True, "events": None, "part": day, "span": span}
    return own | codes | changes


def balst(service, day: str = "2025-11-10", **changes) -> dict:
    return order(service, day, "CH", stations=False, **changes)


def test_waveforms_come_with_the_bytes_that_were_sent_and_the_samples_of_the_archive(service, archive, tmp_path):
    digests = sources.fetch(balst(service), tmp_path / "lot")

    assert list(digests) == ["waveforms"]
    found = obspy.read(tmp_path / "lot/waveforms")
    first = UTCDateTime("2025-11-10")
    told = Archive(str(archive)).get_waveforms("CH", "BALST", "", "LH?", first, first + 86400 - 1e-6)
    assert {trace.id for trace in found} == {"CH.BALST..LHE", "CH.BALST..LHZ"}
    for trace in told:
        np.testing.assert_array_equal(found.select(id=trace.id)[0].data, trace.data)


def test_days_follow_one_another_without_a_sample_twice_or_none(service, tmp_path):
    pieces = obspy.Stream()
    for day in ("2025-11-10", "2025-11-11"):
        sources.fetch(balst(service, day), tmp_path / day)
        pieces += obspy.read(tmp_path / day / "waveforms")

    assert [asked["endtime"][:26] for _, asked in service.asked] == [
        "2025-11-10T23:59:59.999999",  # a service counts the last moment in
        "2025-11-11T23:59:59.999999",
    ]
    whole = obspy.read(BALST)
    assert sum(len(trace) for trace in pieces) == sum(len(trace) for trace in whole)
    for trace in whole:
        np.testing.assert_array_equal(pieces.copy().merge(-1).select(id=trace.id)[0].data, trace.data)


def test_stations_come_with_the_responses_of_the_day(service, tmp_path):
    sources.fetch(order(service), tmp_path / "lot")

    channels = [c for n in obspy.read_inventory(tmp_path / "lot/stations") for s in n for c in s]
    assert {c.code for c in channels} == {"BHZ"}
    assert {c.location_code for c in channels} == {"00", "10"}
    assert all(c.response.response_stages for c in channels)
    assert all(c.start_date < ORIGIN < c.end_date for c in channels)  # not those of epochs that had ended
    assert next(asked for kind, asked in service.asked if kind == "station")["level"] == "response"


@pytest.mark.parametrize("arrivals", [True, False])
def test_events_come_within_the_limits_and_with_arrivals_when_asked(service, tmp_path, arrivals):
    limits = {"minmagnitude": 9.0} | ({"includearrivals": True} if arrivals else {})

    sources.fetch(order(service, events=limits), tmp_path / "lot")

    catalog = obspy.read_events(tmp_path / "lot/events")
    expected = [event for event in service.catalog if event.magnitudes[0].mag >= 9]
    assert 0 < len(catalog) == len(expected) < len(service.catalog)
    assert sum(len(event.origins[0].arrivals) for event in catalog) == (2 if arrivals else 0)


def test_a_day_without_events_has_a_catalogue_of_none(service, tmp_path):
    digests = sources.fetch(order(service, events={"minmagnitude": 9.9}), tmp_path / "lot")

    assert len(obspy.read_events(tmp_path / "lot/events")) == 0
    assert digests["events"] == store.digest(tmp_path / "lot/events")


@pytest.mark.parametrize("status", [204, 404])
def test_no_data_is_an_answer_and_not_a_fault(service, tmp_path, status):
    service.statuses["dataselect"] = [status]

    with pytest.raises(NothingThereError, match=r"has no waveforms of IU\.\*\.\*\.BHZ,LH\? from 2018-01-01"):
        sources.fetch(order(service), tmp_path / "lot")

    assert len(service.asked) == 1
    assert list((tmp_path / "lot").iterdir()) == []


def test_a_day_outside_the_archive_is_recorded_as_nothing_and_the_part_says_so(service, tmp_path):
    lot, manifest = tmp_path / "raw/2018-01-02", tmp_path / "raw/2018-01-02.manifest.json"
    stages.fetch_raw(str(lot), str(manifest), order(service, "2018-01-02"))
    assert "has no waveforms" in store.read_json(manifest)["nothing"]
    assert lot.is_dir()

    with pytest.raises(UserError, match="has no waveforms"):
        ingest(manifest, tmp_path / "a.zarr", "fail")
    ingest(manifest, tmp_path / "b.zarr", "quarantine")
    assert "has no waveforms" in store.read_json(tmp_path / "b.manifest.json")["quarantined"]


def ingest(manifest, zarr, policy: str, admit: tuple[str, ...] = ()) -> None:
    reader = {"name": "waveforms", "variables": {"motion": {"units": "counts", "long_name": "ground motion"}}}
    stages.ingest_part([str(manifest)], str(zarr), "2025-11-10", {}, reader, {"policy": policy, "admit": list(admit)})


def test_a_fetched_day_becomes_a_part_with_the_samples_of_the_archive(service, tmp_path):
    manifest = tmp_path / "raw/2025-11-10.manifest.json"
    stages.fetch_raw(str(tmp_path / "raw/2025-11-10"), str(manifest), balst(service, channel="LHE"))
    ingest(manifest, tmp_path / "part.zarr", "fail")

    part = store.read(tmp_path / "part.zarr")
    expected = obspy.read(BALST).select(channel="LHE").trim(endtime=END, nearest_sample=False)[0]
    assert list(part["trace"].values) == ["CH.BALST..LHE"]
    np.testing.assert_array_equal(part["motion"].values[0], expected.data)
    assert UTCDateTime(str(part["start_time"].values[0])) == expected.stats.starttime
    assert store.read_json(tmp_path / "part.manifest.json")["raw"] == store.read_json(manifest)["files"]


def test_waveforms_without_stations_are_refused_rather_than_left_bare(service, tmp_path):
    with pytest.raises(UserError, match=r"has waveforms of CH.*, but no stations\. Set `stations: false`"):
        sources.fetch(order(service, "2025-11-10", "CH"), tmp_path / "lot")

    assert not (tmp_path / "lot").exists()


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_busy_service_is_asked_again_and_given_up_in_the_end(service, tmp_path, status):
    service.statuses["dataselect"] = [status] * 2
    sources.fetch(balst(service), tmp_path / "lot")
    assert len(service.asked) == 3

    service.statuses["dataselect"] = [status] * 20
    with pytest.raises(UserError, match=r"dataselect: CH\..* could not be fetched whole .* run again"):
        sources.fetch(balst(service), tmp_path / "other")
    assert len(service.asked) == 3 + _retry.TRIES


@pytest.mark.parametrize(
    ("status", "words"),
    [(413, "smaller parts"), (403, "refuses the data"), (401, "wants a login"), (400, "calls the request wrong")],
)
def test_a_refusal_is_told_at_once_with_what_to_do(service, tmp_path, status, words):
    service.statuses["dataselect"] = [status]

    with pytest.raises(UserError, match=rf"CH\..* from 2025-11-10 .*{words}"):
        sources.fetch(balst(service), tmp_path / "lot")

    assert len(service.asked) == 1


@pytest.mark.parametrize("length", [True, False])
@pytest.mark.parametrize("kind", ["dataselect", "station", "event"])
def test_an_answer_that_breaks_off_is_asked_for_again_and_never_kept(service, tmp_path, rng, kind, length):
    whole = order(service, events={"minmagnitude": 1})
    service.length = length
    sources.fetch(whole, tmp_path / "right")
    name = {"dataselect": "waveforms", "station": "stations", "event": "events"}[kind]
    size = (tmp_path / "right" / name).stat().st_size
    cuts = [int(cut) | 1 for cut in rng.integers(1, size - 20, 4)]  # odd, so never between two records

    service.cuts[kind] = list(cuts)
    sources.fetch(whole, tmp_path / "lot")
    assert not service.cuts[kind]
    if kind != "station":  # ObsPy writes the moment of making into StationXML
        assert (tmp_path / "lot" / name).read_bytes() == (tmp_path / "right" / name).read_bytes()

    service.cuts[kind] = [*cuts, cuts[0]]
    with pytest.raises(UserError, match=rf"{kind}: .* could not be fetched whole"):
        sources.fetch(whole, tmp_path / "never")
    assert not (tmp_path / "never").exists()


def test_a_page_for_a_browser_is_no_answer(service, tmp_path):
    service.dataselect = lambda *_: b"<html>Welcome to the maintenance of our data centre, back soon</html>"

    with pytest.raises(UserError, match="it must be miniSEED, but begins with b'<html>"):
        sources.fetch(balst(service), tmp_path / "lot")


@pytest.mark.filterwarnings("ignore:.*cannot deal with the following")
def test_a_limit_that_the_service_does_not_know_is_never_dropped_in_silence(service, tmp_path):
    service.unknown = "minmagnitude"

    with pytest.raises(UserError, match=r"event: .*minmagnitude.* Mend `source`"):
        sources.fetch(order(service, events={"minmagnitude": 5.0}), tmp_path / "lot")


def test_a_misspelt_limit_of_events_is_told(service, tmp_path):
    with pytest.raises(UserError, match=r"minmagnitud.*not supported.* Mend `source`"):
        sources.fetch(order(service, events={"minmagnitud": 5.0}), tmp_path / "lot")


def test_a_service_that_is_not_offered_is_told_with_those_that_are(service, tmp_path):
    service.services = ("dataselect", "station")

    with pytest.raises(UserError, match=r"must offer the service `event`, but offers dataselect, station"):
        sources.fetch(order(service, events={"minmagnitude": 5.0}), tmp_path / "lot")


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("http://127.0.0.1:99", "none answers there"),
        ("NOWHERE", "shortcut `NOWHERE` is unknown"),
        ("a b", "not a valid"),
    ],
)
def test_an_address_without_a_service_is_told_with_the_setting(service, tmp_path, address, words):
    with pytest.raises(UserError, match=rf"{words}.*") as caught:
        sources.fetch(order(service, base_url=address), tmp_path / "lot")

    assert "base_url" in str(caught.value)


def test_an_archive_in_sds_becomes_months_of_its_days(archive, dataset):
    dataset["source"] = {"kind": "files", "pattern": f"{archive}/*/CH/*/*.D/CH.*.D.{{part}}"}
    dataset["parts"] = {"by": "month", "date": "%Y.%j"}
    dataset["scaling"]["reference"] = ["2025-11"]
    section = Dataset.model_validate(dataset)

    days = [f"{archive}/2025/CH/BALST/{c}.D/CH.BALST..{c}.D.2025.{d}" for c in ("LHE", "LHZ") for d in (314, 315)]
    assert parts.names(section) == ["2025-11"]
    assert raw.files(section) == {"2025-11": days}
    assert raw.selection(section, "2025-11") == {}


def test_the_days_of_a_month_of_an_archive_are_read_as_one_part(archive, tmp_path):
    days = sorted(map(str, archive.glob("2025/CH/BALST/LHE.D/*")))
    reader = {"name": "waveforms", "variables": {"motion": {"units": "counts", "long_name": "ground motion"}}}

    stages.ingest_part(days, str(tmp_path / "2025-11.zarr"), "2025-11", {}, reader, {"policy": "fail", "admit": []})

    expected = obspy.read(BALST).select(channel="LHE")[0].data
    np.testing.assert_array_equal(store.read(tmp_path / "2025-11.zarr")["motion"].values[0], expected)
