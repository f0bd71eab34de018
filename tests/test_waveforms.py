"""Continuous waveforms are read to the sample and the nanosecond; every planted fault is found, none is mended."""

import json
import pickle
import time
import warnings
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import obspy
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from obspy import Stream, Trace, UTCDateTime

from geojax import stages, store
from geojax.data.findings import FATAL, REMEDIES, judge
from geojax.data.readers import waveforms
from geojax.data.readers.seismic import formats, miniseed
from geojax.errors import UserError

MOTION = {"ground_motion": {"units": "counts", "long_name": "ground motion"}}
START = UTCDateTime(2024, 5, 10, 0, 0, 0, 123456)
RATE = 100.0
BUNDLED = sorted(
    path
    for pattern in ("io/*/tests/data/**/*", "core/tests/data/**/*")
    for path in Path(obspy.__file__).parent.glob(pattern)
    if path.is_file()
)


def noise(samples: int = 6000, seed: int = 0) -> np.ndarray:
    """Counts of a quiet station with an event, which is neither a spike nor clipped."""
    generator = np.random.default_rng(seed)
    after = np.maximum(np.arange(samples) - samples // 2, 0)
    return np.round(generator.normal(scale=200, size=samples) * (1 + 50 * np.exp(-after / 300) * (after > 0))).astype(
        "i4"
    )


def trace(data: np.ndarray, offset: float = 0, **changes) -> Trace:
    """A trace that begins `offset` samples after START."""
    header = {"network": "NL", "station": "HGN", "location": "02", "channel": "BHZ", "sampling_rate": RATE}
    return Trace(data, header | {"starttime": START + offset / RATE} | changes)


def saved(tmp_path: Path, *traces: Trace, name: str = "day", form: str = "MSEED", **how) -> Path:
    path = tmp_path / f"{name}.{form.lower()}"
    how |= {"SEGY": {"data_encoding": 5}, "WAV": {"width": 2}}.get(form, {})
    with warnings.catch_warnings(action="ignore"):  # ObsPy tells that it makes SEG-Y headers
        Stream(list(traces)).write(str(path), form, **how)
    return path


def read(*paths: Path, selection=None, variables=MOTION, **options) -> xr.Dataset:
    return waveforms.read({path.name: path for path in paths}, selection or {}, variables, **options)


def told_of(path: Path, error: UserError) -> None:
    """A refusal names its file."""
    assert str(path) in str(error)


def judged(*paths: Path, admit=(), **options) -> xr.Dataset:
    """As the stage does it: what was found is judged by the policy."""
    part = read(*paths, **options)
    judge(part.attrs["quality"], admit)
    return part


def refusal(*paths: Path, **options) -> str:
    with pytest.raises(UserError) as caught:
        judged(*paths, **options)
    assert any(str(caught.value).startswith(f"{path}: ") for path in paths)
    return str(caught.value)


def found(*paths: Path, **options) -> dict[str, int]:
    """Kinds of faults and how many."""
    recorded = read(*paths, **options).attrs["quality"]
    json.dumps(recorded)
    counts = Counter[str]()
    for finding in recorded:
        counts[finding["kind"]] += finding["count"]
    return dict(counts)


# What is there is what comes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["MSEED", "SAC", "GSE2", "SLIST", "TSPAIR", "SEGY"])
def test_samples_come_as_they_were_written_and_without_findings(tmp_path, form):
    data = noise() if form not in ("SAC", "SEGY") else noise().astype("float32")

    part = read(saved(tmp_path, trace(data), form=form))

    np.testing.assert_array_equal(part["ground_motion"][0], data)
    assert part["ground_motion"].dims == ("trace", "time")
    assert part["ground_motion"].attrs == {"units": "counts", "long_name": "ground motion"}
    assert (part.attrs["quality"], part.attrs["sampling_rate_hz"]) == ([], RATE)


@pytest.mark.parametrize("rate", [100.0, 40.0, 1.0, 3.0, 6.625])
def test_a_day_comes_back_from_its_store_with_every_value_and_time_exact(tmp_path, rate):
    data = noise(int(3600 * rate))
    path = saved(tmp_path, trace(data, sampling_rate=rate), trace(data[::-1].copy(), channel="BHE", sampling_rate=rate))

    store.write(read(path), tmp_path / "part.zarr")
    part = store.read(tmp_path / "part.zarr")

    assert list(part["trace"].values) == ["NL.HGN.02.BHE", "NL.HGN.02.BHZ"]
    np.testing.assert_array_equal(part["ground_motion"], [data[::-1], data])
    exact = [START.ns + round(n * 10**9 / rate) for n in range(0, len(data), 1009)]
    np.testing.assert_array_equal(part["time"].values[::1009].astype("datetime64[ns]").astype("int64"), exact)
    assert set(part["start_time"].values.astype("datetime64[ns]").astype("int64")) == {START.ns}


def test_large_counts_are_kept_exactly(tmp_path):
    data = noise() + 2**30 + 1

    part = read(saved(tmp_path, trace(data)))

    assert part["ground_motion"].dtype == "float64"
    np.testing.assert_array_equal(part["ground_motion"][0], data)


def test_files_of_one_part_are_joined_by_seed_id(tmp_path):
    data = noise()
    paths = [
        saved(tmp_path, trace(data[:2500]), name="morning"),
        saved(tmp_path, trace(data[2500:], 2500), name="evening"),
        saved(tmp_path, trace(data, station="WIT"), name="other"),
    ]

    part = read(*paths)

    assert list(part["trace"].values) == ["NL.HGN.02.BHZ", "NL.WIT.02.BHZ"]
    np.testing.assert_array_equal(part["ground_motion"], [data, data])


def test_channels_are_chosen_by_wildcards_and_faults_of_others_do_not_matter(tmp_path):
    path = saved(tmp_path, trace(noise()), trace(np.zeros(600, "i4"), channel="LHZ", sampling_rate=10.0))

    assert list(read(path, channels=["*.BH?"])["trace"].values) == ["NL.HGN.02.BHZ"]
    assert "must hold samples of XX.*, but holds NL.HGN.02.BHZ, NL.HGN.02.LHZ." in refusal(path, channels=["XX.*"])


def test_a_block_of_stations_takes_its_own(tmp_path):
    path = saved(tmp_path, trace(noise()), trace(noise(), station="WIT"))

    assert list(read(path, selection={"stations": {"WIT"}})["trace"].values) == ["NL.WIT.02.BHZ"]


@pytest.mark.parametrize("rate", [100.0, 3.0, 6.625])
def test_spans_that_follow_one_another_share_out_every_sample_once(tmp_path, rate):
    data = np.arange(int(90 * rate), dtype="i4")
    path = saved(tmp_path, trace(data, sampling_rate=rate, starttime=UTCDateTime(2024, 5, 9, 23, 59, 30)))
    borders = ["2024-05-09", "2024-05-10", "2024-05-10T00:00:31", "2024-05-11"]

    spans = list(pairwise(borders))
    parts = [read(path, selection={"span": span}) for span in spans]

    np.testing.assert_array_equal(np.concatenate([part["ground_motion"][0] for part in parts]), data)
    for part, (first, end) in zip(parts, spans, strict=True):
        times = part["time"].values
        assert np.datetime64(first, "ns") <= times[0] <= times[-1] < np.datetime64(end, "ns")
    assert "samples of * from 2025 to before 2026, but holds NL.HGN.02.BHZ" in refusal(
        path, selection={"span": ("2025", "2026")}
    )


# Faults --------------------------------------------------------------------------------------------------------------


def with_change(at: slice, value) -> np.ndarray:
    data = noise()
    data[at] = value
    return data


FAULTS = {
    "gap": [trace(noise()[:2000]), trace(noise()[2500:], 2500)],
    "overlap": [trace(noise()[:3000]), trace(noise()[2900:], 2900)],
    "duplicate": [trace(noise()), trace(noise()[1000:2000], 1000)],
    "order": [trace(noise()[3000:], 3000), trace(noise()[:3000])],
    "misaligned": [trace(noise()), trace(noise()[:-1], 0.3, channel="BHE")],
    "flat": [trace(with_change(slice(1000, 1150), 7))],
    "clip": [trace(np.clip(noise(), -2500, 2500))],
    "spike": [trace(with_change(slice(700, 701), 100_000))],
    "fill": [trace(with_change(slice(700, 705), -(2**31)))],
    "not_finite": [trace(np.where(np.arange(6000) == 900, np.nan, noise()).astype("f4"))],
}
AND_ALSO = {"misaligned": {"gap"}, "order": set(), "fill": {"flat", "clip"}}


@pytest.mark.parametrize("kind", FAULTS)
def test_each_planted_fault_is_found_refused_by_name_and_admitted_only_if_asked(tmp_path, kind):
    path = saved(tmp_path, *FAULTS[kind], **({"encoding": "INT32"} if kind == "fill" else {}))

    assert kind in found(path)
    assert set(found(path)) - {kind} <= AND_ALSO.get(kind, set())
    told = refusal(path, admit=sorted(set(REMEDIES) - {kind}))
    assert ": NL.HGN.02.BH" in told
    assert f": {kind}: " in told
    assert f"`quality: admit: [{kind}]` in the dataset's configuration" in told
    assert {f["kind"] for f in judged(path, admit=sorted(REMEDIES)).attrs["quality"]} >= {kind}


def test_a_gap_is_nan_for_exactly_the_samples_that_are_missing(tmp_path):
    values = read(saved(tmp_path, *FAULTS["gap"]))["ground_motion"].values[0]

    np.testing.assert_array_equal(np.flatnonzero(np.isnan(values)), np.arange(2000, 2500))
    np.testing.assert_array_equal(values[2500:], noise()[2500:])


def test_a_finding_says_where_and_how_much(tmp_path):
    (finding,) = read(saved(tmp_path, *FAULTS["gap"])).attrs["quality"]

    assert finding == {
        "kind": "gap",
        "file": str(tmp_path / "day.mseed"),
        "trace": "NL.HGN.02.BHZ",
        "count": 1,
        "first": "2024-05-10T00:00:20.123456000Z",
        "detail": "500 samples are missing in 1 gaps",
    }


@pytest.mark.parametrize("files", [1, 2])
def test_contradictory_overlaps_are_never_admitted(tmp_path, files):
    first, second = trace(noise()), trace(noise(seed=1)[:100], 3000)
    paths = (
        [saved(tmp_path, first, second)]
        if files == 1
        else [saved(tmp_path, first, name="a"), saved(tmp_path, second, name="b")]
    )

    told = refusal(*paths)

    assert "contradiction: 100 samples are told again, with other values" in told
    assert "Keep the file of the source that you trust" in told
    with pytest.raises(
        UserError,
        match=r"'contradiction' must be all or one of .*; contradiction, .* never may",
    ):
        judge([], ["contradiction"])


def test_infinite_samples_are_never_admitted(tmp_path):
    data = noise().astype("float32")
    data[5] = np.inf

    assert "infinite: 1 samples are infinite" in refusal(saved(tmp_path, trace(data)))


def test_an_event_and_a_quiet_digitizer_are_no_faults(tmp_path, rng):
    quiet = rng.integers(-2, 3, 6000).astype("i4")

    assert found(saved(tmp_path, trace(noise()), trace(quiet, channel="BHE"))) == {}


def test_mixed_sampling_rates_are_refused_with_each(tmp_path):
    path = saved(tmp_path, trace(noise()), trace(noise(600), channel="LHZ", sampling_rate=10.0))

    told = refusal(path)

    assert "must share their sampling rate, but come as NL.HGN.02.LHZ 10 Hz, NL.HGN.02.BHZ 100 Hz" in told


def test_traces_years_apart_are_refused_rather_than_padded(tmp_path):
    path = saved(tmp_path, trace(noise()), trace(noise(), starttime=START + 1e8))

    assert "must lie near one another in time" in refusal(path)


# Files that are not what they should be ------------------------------------------------------------------------------


class Bomb:
    def __reduce__(self):
        return (Path.touch, (Path(self.where),))

    def __init__(self, where: Path) -> None:
        self.where = str(where)


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_a_pickle_is_refused_and_never_loaded(tmp_path, protocol):
    path = tmp_path / "day.mseed"
    path.write_bytes(pickle.dumps(["obspy.core.stream", Bomb(tmp_path / "touched")], protocol=protocol))

    assert "is in none" in refusal(path)
    assert not (tmp_path / "touched").exists()
    assert "PICKLE" not in formats.FORMATS + formats.POINTING


def test_a_pickled_stream_is_named_as_one(tmp_path):
    assert "It is a pickle" in refusal(saved(tmp_path, trace(noise()), form="PICKLE"))


@pytest.mark.parametrize("name", ["day[1].mseed", "day*.mseed", "http:", "día ?.mseed"])
def test_a_name_is_neither_a_pattern_nor_an_address(tmp_path, monkeypatch, name):
    saved(tmp_path, trace(noise(seed=1)), name="day1")
    saved(tmp_path, trace(noise())).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)

    np.testing.assert_array_equal(read(Path(name))["ground_motion"][0], noise())


def test_a_packed_file_is_refused(tmp_path):
    import gzip

    path = tmp_path / "day.mseed"
    path.write_bytes(gzip.compress(saved(tmp_path, trace(noise()), name="plain").read_bytes()))

    assert "must be a plain file, but is packed" in refusal(path)


def test_samples_that_a_sac_file_calls_velocity_are_no_counts(tmp_path):
    motion = trace(noise().astype("float32"))
    motion.stats.sac = {"idep": 7}

    assert "must be in 'counts', but the file says 'nm s-1'" in refusal(saved(tmp_path, motion, form="SAC"))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"variables": MOTION | {"other": MOTION["ground_motion"]}}, "reads one variable, but 2 are named"),
        ({"selection": {"year": 2024}}, "take `by: file`"),
    ],
)
def test_settings_that_mean_nothing_here_are_refused(tmp_path, options, told):
    path = saved(tmp_path, trace(noise()))

    with pytest.raises(UserError, match=told.replace("(", r"\(")):
        read(path, **options)


def test_values_outside_the_valid_range_are_refused(tmp_path):
    limited = {"ground_motion": MOTION["ground_motion"] | {"valid_range": (-100, 100)}}

    assert "must lie in -100 … 100" in refusal(saved(tmp_path, trace(noise())), variables=limited)


# Whatever ObsPy's own tests read -------------------------------------------------------------------------------------


def test_every_file_of_obspys_own_tests_is_read_or_refused_and_none_takes_long():
    counts, kinds, slow = Counter[str](), set(), []
    for path in BUNDLED:
        begin = time.process_time()
        try:
            part = read(path)
        except UserError as error:
            told_of(path, error)
            counts["refused"] += 1
        else:
            assert part["ground_motion"].size > 0
            counts["read"] += 1
            kinds.add(formats.format_of(path))
        if time.process_time() - begin > 3:
            slow.append(path.name)

    assert counts["read"] > 100, counts
    assert counts["refused"] > 100, counts
    assert len(kinds) >= 20
    assert slow == []


@pytest.mark.parametrize("form", ["MSEED", "SAC", "GSE2", "SLIST", "TSPAIR", "SEGY", "WAV"])
@given(share=st.floats(0.0, 1.0, exclude_max=True))
def test_a_file_cut_anywhere_gives_no_wrong_number_and_no_shorter_record(tmp_path, form, share):
    whole = tmp_path / f"whole.{form.lower()}"
    if not whole.exists():
        data = noise(3000) if form not in ("SAC", "SEGY") else noise(3000).astype("float32")
        if form == "WAV":
            data = np.clip(data, -30_000, 30_000).astype("int16")
        saved(tmp_path, trace(data), name="whole", form=form, **({"reclen": 512} if form == "MSEED" else {}))
    content = whole.read_bytes()
    cut = tmp_path / f"cut.{form.lower()}"
    cut.write_bytes(content[: int(share * len(content))])

    try:
        part = read(cut)
    except UserError as error:
        told_of(cut, error)
    else:
        values, all_of_them = (each["ground_motion"].values[0] for each in (part, read(whole)))
        np.testing.assert_array_equal(values, all_of_them[: len(values)])
        if len(values) < len(all_of_them):  # between two records no byte tells that more should follow
            assert form == "MSEED"
            assert cut.stat().st_size % 512 == 0


@given(at=st.floats(0.0, 1.0, exclude_max=True), byte=st.integers(0, 255))
def test_a_flipped_byte_never_crashes_the_reader(tmp_path, at, byte):
    whole = tmp_path / "whole.mseed"
    if not whole.exists():
        saved(tmp_path, trace(noise(3000)), name="whole", reclen=512)
    content = bytearray(whole.read_bytes())
    content[int(at * len(content))] = byte
    (tmp_path / "flipped.mseed").write_bytes(content)

    try:
        read(tmp_path / "flipped.mseed")
    except UserError as error:
        told_of(tmp_path / "flipped.mseed", error)


# The stage -----------------------------------------------------------------------------------------------------------


def test_a_part_of_several_files_keeps_their_digests_and_its_findings_in_the_manifest(tmp_path):
    paths = [
        saved(tmp_path, trace(noise()[:2000]), name="a"),
        saved(tmp_path, trace(noise()[2500:], 2500), name="b"),
    ]
    reader = {"name": "waveforms", "variables": MOTION, "options": {"flat": 100}}
    quality = {"policy": "fail", "admit": ["gap"]}

    stages.ingest_part(list(map(str, paths)), str(tmp_path / "p.zarr"), "2024.131", {}, reader, quality)

    manifest = store.read_json(tmp_path / "p.manifest.json")
    assert manifest["raw"] == {path.name: store.digest(path) for path in paths}
    assert [finding["kind"] for finding in manifest["quality"]] == ["gap"]
    assert store.read(tmp_path / "p.zarr").attrs["quality"] == manifest["quality"]
    assert not set(REMEDIES) & set(FATAL)


@pytest.mark.parametrize("harm", ["none", "cut", "flipped"])
def test_records_counted_at_once_promise_what_they_do_one_by_one(harm, rng, monkeypatch):
    """On all of ObsPy's own miniSEED files, whole, cut and with bits turned."""
    at_once = 0
    for path in sorted(Path(obspy.__file__).parent.glob("io/mseed/tests/data/*.mseed")):
        content = bytearray(path.read_bytes())
        if harm == "cut":
            del content[256 * rng.integers(len(content) // 256 + 1) :]
        for _ in range(2 * (harm == "flipped")):
            content[rng.integers(len(content))] ^= 1 << rng.integers(8)
        both = []
        for _ in range(2):
            try:
                both.append(miniseed.promised_samples(bytes(content)))
            except EOFError as error:
                both.append(str(error))
            at_once += miniseed._of_like_records(bytes(content)) is not None
            monkeypatch.setattr(miniseed, "_of_like_records", lambda content: None)
        assert both[0] == both[1]
        monkeypatch.undo()
    assert at_once
