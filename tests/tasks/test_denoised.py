"""Continuous records are denoised window by window, and come out with the ids, times and gaps they came with."""

from types import SimpleNamespace

import numpy as np
import obspy
import pytest

from geojax.data.seismology import denoised, streams
from geojax.errors import UserError
from geojax.report import records
from geojax.task import Examples

RATE, QUIET, FRAME, SAMPLES = 100.0, 120, 24, 400
SETTINGS = SimpleNamespace(samples=SAMPLES, thinned_hz=RATE, quiet=QUIET, frame=FRAME)
START = obspy.UTCDateTime("2020-01-01T00:00:00.123400")


def same(examples: Examples) -> np.ndarray:
    return examples.rows["noisy"]


def undrawn(stretch, found, path) -> None:
    path.write_bytes(b"")


def stream(rng, seconds: float = 60, rate: float = RATE, channels: str = "NEZ") -> obspy.Stream:
    """Noise in counts about an offset."""
    traces = []
    for end in channels:
        data = np.rint(12345 + 300 * rng.normal(size=int(seconds * rate))).astype("int32")
        header = {"network": "XX", "station": "AAA", "location": "00", "channel": f"HH{end}", "sampling_rate": rate}
        traces.append(obspy.Trace(data, header | {"starttime": START}))
    return obspy.Stream(traces)


def run(predict, raw: obspy.Stream, folder, settings=SETTINGS) -> obspy.Stream:
    raw.write(str(folder / "raw.mseed"), format="MSEED")
    path, _ = denoised.denoise(predict, undrawn, [folder / "raw.mseed"], folder, settings)
    return obspy.read(str(path)).sort(["channel", "starttime"])


@pytest.mark.parametrize("seconds", [5, 33.33, 60])
def test_a_model_that_gives_back_its_windows_gives_back_the_very_file(rng, tmp_path, seconds):
    raw = stream(rng, seconds).sort(["channel"])

    found = run(same, raw, tmp_path)

    assert [trace.id for trace in found] == [trace.id for trace in raw]
    for came, went in zip(raw, found, strict=True):
        assert (went.stats.starttime, went.stats.npts) == (came.stats.starttime, came.stats.npts)
        assert went.stats.sampling_rate == came.stats.sampling_rate
        np.testing.assert_allclose(went.data, came.data, atol=12345 * 1e-6)


def test_a_gap_stays_a_gap_and_so_do_samples_that_are_no_numbers(rng, tmp_path):
    north, east, vertical = stream(rng, 40)
    for trace in (north, east, vertical):
        trace.data = trace.data.astype("float32")
    vertical.data[2500:2503] = np.nan
    pieces = [piece for trace in (north, east, vertical)
              for piece in (trace.slice(START, START + 9.99), trace.slice(START + 12, START + 40))]  # fmt: skip

    found = run(same, obspy.Stream(pieces), tmp_path)

    for channel in ("HHE", "HHN", "HHZ"):
        own = found.select(channel=channel)
        assert [round((t.stats.starttime - START) * RATE) for t in own] == [0, 1200, 2503]
        assert [t.stats.npts for t in own] == [1000, 1300, 1497]
    np.testing.assert_allclose(found.select(channel="HHZ")[1].data, vertical.data[1200:2500], rtol=1e-5)


def test_a_record_at_a_higher_rate_comes_back_at_it_with_what_the_windows_can_hold(rng, tmp_path):
    raw = stream(rng, 30, 250.0)
    time = np.arange(raw[0].stats.npts) / 250
    low, high = 4000 * np.sin(2 * np.pi * 9 * time), 4000 * np.sin(2 * np.pi * 90 * time)
    for trace in raw:
        trace.data = np.rint(100 + low + high).astype("int32")

    found = run(same, raw, tmp_path)

    for trace in found:
        assert (trace.stats.sampling_rate, trace.stats.npts) == (250.0, 7500)
        assert trace.stats.starttime == START
        np.testing.assert_allclose(trace.data[100:-100], (100 + low)[100:-100], atol=0.01 * 4000)


def test_where_windows_meet_no_seam_is_seen(rng):
    record, gains = rng.normal(size=(3, 4000)), iter(rng.uniform(0, 1, 1000))

    def louder_or_not(examples):
        return np.stack([window * next(gains) for window in examples.rows["noisy"]])

    sine = np.sin(np.arange(4000) / 3) + 1e-3 * record
    found = denoised.windowed(louder_or_not, sine, SAMPLES, QUIET, FRAME, RATE)

    gain = (found / sine)[:, np.abs(sine[0]) > 0.7]
    assert np.ptp(gain) > 0.5
    assert np.abs(np.diff(gain, axis=1)).max() < 0.1


def test_what_a_model_says_depends_on_no_place_in_windows_not_even_at_the_ends_of_a_record():
    asked = SAMPLES - QUIET - FRAME
    record = np.tile(np.sin(np.arange(30 * (asked // 2))), (3, 1))
    rise = np.concatenate([np.zeros(SAMPLES - asked), np.linspace(0, 1, asked)])  # the later in a window, the louder

    found = denoised.windowed(lambda examples: examples.rows["noisy"] * rise, record, SAMPLES, QUIET, FRAME, RATE)

    np.testing.assert_allclose(found, 0.5 * record, atol=0.02)


def test_every_window_begins_with_noise_even_within_an_event(rng):
    record = rng.normal(size=(3, 6000))
    record[:, 2000:3500] *= 100
    seen = []

    def look(examples):
        seen.append(examples.rows["noisy"])
        return examples.rows["noisy"]

    denoised.windowed(look, record, SAMPLES, QUIET, FRAME, RATE)

    every = np.concatenate(seen)
    begin, rest = every[..., :QUIET].std((1, 2)), every[..., QUIET + FRAME :].std((1, 2))
    assert (rest > 50 * begin).sum() >= 9  # windows that lie within the event, and yet begin with noise
    assert (begin < 1.3 * rest).all()
    np.testing.assert_allclose(every.std((1, 2)), 1, atol=1e-3)
    np.testing.assert_allclose(every.mean(2), 0, atol=1e-4)


def test_noise_is_no_quieter_than_a_quarter_of_what_is_near():
    record = np.repeat(np.arange(1.0, 9.0), 100) * np.resize([1, -1], 800)

    found = denoised.quietest(record[None], 100, np.array([0, 400, 700]), 250)

    assert found.tolist() == [50, 250, 500]  # one of 6 is quieter, two of 11, one of 6


def test_what_cannot_be_denoised_is_told_by_name_and_the_rest_is_written(rng, tmp_path, caplog):
    whole, slow, alone = stream(rng, 30), stream(rng, 30, 50.0), stream(rng, 30, channels="Z")
    for trace in slow:
        trace.stats.station = "SLOW"
    alone[0].stats.station = "ALONE"
    raw = obspy.Stream([*whole[:2], whole[2].slice(START, START + 10), whole[2].slice(START + 20, START + 22)])

    found = run(same, raw + slow + alone, tmp_path)

    assert {trace.stats.station for trace in found} == {"AAA"}
    assert [trace.stats.npts for trace in found] == [1001] * 3
    said = caplog.text
    assert "XX.ALONE.00.HH: left out, as it has Z alone" in said
    assert f"XX.SLOW.00.HH from {START} to {START + 29.98}: left out, as it must have at least 100 samples" in said
    assert f"XX.AAA.00.HH from {START + 20} to {START + 22}: left out, as it must be at least 4.0 s long" in said
    assert f"XX.AAA.00.HHN from {START + 10.01} to {START + 19.99}: left out, as not all three are there" in said
    assert f"XX.AAA.00.HHE from {START + 22.01} to {START + 29.99}: left out" in said


def test_records_of_which_nothing_can_be_denoised_are_refused(rng, tmp_path):
    with pytest.raises(UserError, match=r"raw.mseed: must hold N, E and Z .* at least 4.0 s long, at 100 samples"):
        run(same, stream(rng, 30, channels="NZ"), tmp_path)


def test_a_dead_channel_stays_as_it_is(rng, tmp_path):
    raw = stream(rng, 10)
    for trace in raw:
        trace.data[:] = 7

    assert all((trace.data == 7).all() for trace in run(same, raw, tmp_path))


def test_the_picture_shows_the_minute_of_the_fastest_motion(rng, tmp_path):
    raw = stream(rng, 300)
    (stretch,) = streams.stretches(raw)
    after = np.zeros_like(stretch.samples)
    after[2, 20_000] = 1

    records.before_and_after(stretch, after, tmp_path / "shown.png")

    assert (tmp_path / "shown.png").stat().st_size > 20_000
