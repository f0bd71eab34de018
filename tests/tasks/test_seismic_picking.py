"""Arrivals are picked, scored and written as told: records, windows, classical pickers, continuous waveforms."""

import tracemalloc
from functools import partial
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import obspy
import pandas as pd
import pytest
import xarray as xr
from obspy.core.event import Catalog, Event, Pick, WaveformStreamID
from obspy.signal.trigger import classic_sta_lta

from geojax import task as tasks
from geojax.baselines import picking as classical
from geojax.data.readers import picked_events
from geojax.data.seismology import arrivals, continuous, regional_onsets, streams
from geojax.errors import UserError
from geojax.scores import picking
from geojax.task import Examples
from geojax.tasks.seismic_picking import SMOOTH, _bells, _fresh_window, _inputs

RATE, SAMPLES = 100.0, 600
SETTINGS = SimpleNamespace(samples=SAMPLES, rate_hz=RATE, rates_hz={})
FINDERS = dict.fromkeys("PS", partial(picking.peaks, threshold=0.3))
START = obspy.UTCDateTime("2020-01-01T00:00:00")
VARIABLES = {"waveform": {"units": "counts", "long_name": "ground motion"}}


@pytest.fixture
def windows(rng):
    """Quiet noise, then P on the vertical at one sample and S on the horizontals 120 samples later."""
    p = rng.integers(200, 350, 30)
    window = rng.normal(size=(30, 3, SAMPLES))
    decay = np.exp(-np.arange(SAMPLES) / 60)
    for i, onset in enumerate(p):
        window[i, 2, onset:] += 15 * (rng.normal(size=SAMPLES) * decay)[: SAMPLES - onset]
        window[i, :2, onset + 120 :] += 30 * (rng.normal(size=(2, SAMPLES)) * decay)[:, : SAMPLES - onset - 120]
    onsets = np.stack([p, p + 120], 1).astype("float32")
    rows = {"window": window.astype("float32"), "onsets": onsets, "judged": np.ones((30, 2), bool)}
    return Examples(rows | {"rate_hz": np.full(30, RATE, "float32")})


@pytest.mark.parametrize("picker", [classical.StaLta, classical.Aic, classical.BaerKradolfer])
def test_a_classical_picker_finds_planted_arrivals(windows, picker):
    method = picker((0.3, 0.3))

    told = method.fit(windows, windows)

    off, count = picking.every(method.predict(windows), windows.rows["onsets"], (0.3, 0.3), windows.rows["rate_hz"])
    assert told["P_validation_f1"] > 0.9
    assert told["S_validation_f1"] > 0.8
    assert (np.abs(off[:, 0]) <= 0.1).mean() > 0.9
    assert (count <= 1).all()
    hits, wanted = (np.abs(off[:, 0]) <= 0.1).sum(), len(off)
    assert told["P_validation_f1"] == pytest.approx(2 * hits / (count[:, 0].sum() + wanted), abs=1e-3)


def test_the_ratio_of_averages_is_that_of_obspy_a_short_average_later(rng):
    trace = rng.normal(size=(1, 500))

    found = classical.ratio(trace, 20, 100)

    oracle = classic_sta_lta(trace[0], 20, 100)  # its long average holds the short one
    share = found[0, 200] * 20 / (found[0, 200] * 20 + 100) * 120 / 20
    both = classic_sta_lta(trace[0], 20, 120)
    assert both[219] == pytest.approx(share)
    assert oracle.shape == found[0].shape


def test_scores_of_counted_picks():
    curves = np.zeros((3, 2, 400), "float32")
    curves[0, 0, 105], curves[0, 0, 300] = 0.9, 0.8  # a hit 50 ms late, and a false pick
    curves[1, 0, 140] = 0.9  # 0.4 s late
    curves[2, 1, 10] = 0.9  # S, on a record that nobody searched for S
    onsets = np.array([[100, np.nan], [100, 200], [np.nan, np.nan]])
    judged = np.array([[True, True], [True, True], [True, False]])

    off, count = picking.every(curves, onsets, (0.3, 0.3), np.full(3, RATE))
    found = picking.scores(
        picking.sums(off, count, onsets, judged, np.array(list("abc")), np.full(3, "d")).sum("group")
    )

    assert float(found["f1_by_phase"].sel(phase="P")) == pytest.approx(2 * 1 / (3 + 2))
    assert float(found["f1_within_half_a_second_by_phase"].sel(phase="P")) == pytest.approx(2 * 2 / (3 + 2))
    assert float(found["precision_by_phase"].sel(phase="P")) == pytest.approx(1 / 3)
    assert float(found["recall_by_phase"].sel(phase="P")) == pytest.approx(1 / 2)
    assert float(found["f1_by_phase"].sel(phase="S")) == 0
    assert float(found["mean_residual_in_s_by_phase"].sel(phase="P")) == pytest.approx(0.225)
    assert float(found["deviation_of_residuals_in_s_by_phase"].sel(phase="P")) == pytest.approx(0.175)
    assert float(found["f1"]) == pytest.approx(0.2)


def test_of_two_peaks_nearer_than_half_a_second_the_higher_is_the_pick():
    curve = np.zeros(400)
    curve[[0, 100, 130, 399]] = 0.5, 0.6, 0.9, 0.4

    at, height = picking.peaks(curve, 0.3)

    assert at.tolist() == [0, 130, 399]
    assert height.tolist() == [0.5, 0.9, 0.4]


def test_resampling_keeps_what_fits_and_its_time():
    time = np.arange(2000) / 250
    low, high = np.sin(2 * np.pi * 10 * time), np.sin(2 * np.pi * 90 * time)

    found = arrivals.resampled((3 + low + high)[None], 250.0, 100.0)[0]

    np.testing.assert_allclose(found[50:-50], np.sin(2 * np.pi * 10 * np.arange(800) / 100)[50:-50], atol=0.02)


def test_onsets_are_derived_where_the_model_has_them_but_for_a_common_delay(rng):
    expected = np.stack([rng.uniform(15, 25, 12), rng.uniform(30, 38, 12)], 1)
    true = expected + 0.3
    waveforms = rng.normal(size=(12, 3, 1200))
    for record, (p, s) in zip(waveforms, true, strict=True):
        record[2, int(p * 20) :] += (
            40 * rng.normal(size=1200 - int(p * 20)) * np.exp(-np.arange(1200 - int(p * 20)) / 60)
        )
        record[:2, int(s * 20) :] += 60 * rng.normal(size=(2, 1200 - int(s * 20)))
    waveforms[0] = rng.normal(size=(3, 1200))

    found = regional_onsets.derive(waveforms, 20.0, expected)

    assert np.nanmedian(np.abs(found - true)[1:]) < 0.15
    assert np.isfinite(found[1:, 0]).mean() > 0.8


def test_records_that_do_not_start_at_their_origin_are_refused(rng):
    expected = rng.uniform(10, 50, (40, 2))
    waveforms = rng.normal(size=(40, 3, 1200))

    with pytest.raises(UserError, match="of 40 records hold a P onset where the travel times"):
        regional_onsets.derive(waveforms, 20.0, expected)


def test_travel_times_are_those_of_the_tables():
    (times,) = regional_onsets.travel_times(np.array([[0.0, 0.0, 33.0]]), np.array([[0.0, 10.0]]))

    np.testing.assert_allclose(times, [143.0, 254.6], atol=4)  # iasp91 tables: 2 min 23 s, 4 min 15 s


def test_a_window_without_records_onsets_asks_for_none_and_a_bell_has_height_one():
    settings = tasks.configured("seismic_picking", {"samples": 512}).settings

    found = np.asarray(_bells(jnp.array([[100.0, 300.0], [jnp.nan, -1e4]]), settings))

    np.testing.assert_allclose(found.sum(-1), 1, atol=1e-5)
    assert found[0, 100, 1] == pytest.approx(1)
    assert found[0, 300, 2] == pytest.approx(1)
    np.testing.assert_allclose(found[1, :, 0], 1)


def test_onsets_move_with_the_window_that_is_cut_stretched_and_turned():
    settings = tasks.configured("seismic_picking", {"samples": 512, "stretch": 2.0}).settings
    waveforms = np.zeros((1, 3, 4000), "float32")
    waveforms[0, 2, 2000:], waveforms[0, 0, 2200:] = 1, 5
    shared = {"waveforms": jnp.asarray(waveforms), "lending": jnp.array([0]), "quiet": jnp.array([1000])}
    row = {"record": jnp.array(0), "length": jnp.array(4000), "p": jnp.array(2000.0), "s": jnp.array(2200.0)}

    make = jax.jit(lambda key: _fresh_window(settings, shared, key, row))
    every = [tuple(map(np.asarray, make(jax.random.key(seed)))) for seed in range(40)]

    seen = [(window, onsets) for window, onsets in every if onsets[0] > 0]
    assert 20 < len(seen) < 40
    depths = []
    for window, (p, _) in seen:
        depths.append(p)
        assert abs(np.abs(np.diff(window[2])).argmax() - p) <= 2
    assert np.ptp(depths) > 100
    speeds = [200 / (s - p) for _, (p, s) in seen if s > 0]
    assert min(speeds) < 0.9
    assert max(speeds) > 1.1


def test_the_network_sees_a_window_with_and_without_its_running_mean(rng):
    window = rng.normal(size=(2, 3, 700)).astype("float32") + 5 * np.sin(np.arange(700) / 200)

    found = np.asarray(_inputs(jnp.asarray(window, "float32")))

    assert found.shape == (2, 700, 6)
    np.testing.assert_allclose(found[..., :3], window.swapaxes(1, 2), atol=1e-5)
    oracle = pd.DataFrame(window[1].T).rolling(SMOOTH, min_periods=1, center=True).mean().to_numpy()
    fast = window[1].T - oracle
    np.testing.assert_allclose(found[1, :, 3:], fast / fast.std(), atol=1e-3)


def stream(code: str = "AAA", seconds: float = 60, p: float = 20.0, rate: float = RATE) -> obspy.Stream:
    """A record whose vertical is large for a second from `p` on, as its north is two seconds later."""
    traces = []
    for channel in ("HHN", "HHE", "HHZ"):
        data = 1e-3 * np.sin(np.arange(int(seconds * rate)))
        late = {"HHZ": 0, "HHN": 2}.get(channel)
        if late is not None:
            data[int((p + late) * rate) : int((p + late + 1) * rate)] += 1
        header = {"network": "XX", "station": code, "channel": channel, "sampling_rate": rate, "starttime": START}
        traces.append(obspy.Trace(data, header))
    return obspy.Stream(traces)


def rises(examples: Examples) -> np.ndarray:
    """Curves that are one where the vertical (P) and the north (S) jump by two deviations of the window."""
    window = examples.rows["window"]
    curves = np.diff(window[:, [2, 0]], axis=-1, prepend=window[:, [2, 0], :1])
    return (curves > 2).astype("float32")


def read_csv(path) -> pd.DataFrame:
    return pd.read_csv(path, parse_dates=["time"])


def test_planted_arrivals_are_picked_once_though_windows_overlap(tmp_path):
    (tmp_path / "in").mkdir()
    stream().write(str(tmp_path / "in" / "a.mseed"), format="MSEED")
    (tmp_path / "in" / "notes.txt").write_text("not waveforms")

    csv, xml = continuous.pick(rises, FINDERS, [tmp_path / "in"], tmp_path, SETTINGS)

    table = read_csv(csv)
    assert table["phase"].tolist() == ["P", "S"]
    assert table["station"].tolist() == ["XX.AAA..HH"] * 2
    seconds = [(t - pd.Timestamp(START.datetime, tz="UTC")).total_seconds() for t in table["time"]]
    np.testing.assert_allclose(seconds, [20, 22], atol=0.021)
    (event,) = obspy.read_events(str(xml))
    assert [(pick.phase_hint, pick.waveform_id.station_code) for pick in event.picks] == [("P", "AAA"), ("S", "AAA")]
    assert event.picks[0].time == obspy.UTCDateTime(str(table["time"][0].tz_localize(None)))


def test_a_gap_parts_a_record_and_is_not_picked(tmp_path):
    whole = stream()
    north, east, vertical = whole
    parts = [vertical.slice(START, START + 30), vertical.slice(START + 40, START + 60)]
    obspy.Stream([north, east, *parts]).write(str(tmp_path / "a.mseed"), format="MSEED")

    found = list(streams.stretches(streams.load([tmp_path / "a.mseed"])))

    assert [own.start - START for own in found] == [0, 40]
    assert [own.samples.shape[1] for own in found] == [3001, 2000]
    csv, _ = continuous.pick(rises, FINDERS, [tmp_path / "a.mseed"], tmp_path, SETTINGS)
    assert read_csv(csv)["phase"].tolist() == ["P", "S"]


def test_records_of_days_apart_take_no_more_memory_than_themselves():
    apart = stream()
    for trace in stream():
        trace.stats.starttime += 2 * 86400
        apart += trace

    tracemalloc.start()
    found = list(streams.stretches(apart))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert [own.start - START for own in found] == [0, 2 * 86400]
    assert peak < 20e6


def test_samples_told_twice_count_once_and_pieces_that_meet_are_joined():
    whole = stream()
    pieces = [trace.slice(START + a, START + b) for trace in whole for a, b in ((0, 29.99), (30, 45), (40, 60))]
    for trace in pieces:
        trace.data = trace.data + (1e-3 if trace.stats.starttime == START + 40 else 0)  # what is told again is another

    found = list(streams.stretches(obspy.Stream([trace.copy() for trace in pieces])))

    assert [own.start - START for own in found] == [0, 45.01]
    np.testing.assert_allclose(found[0].samples, np.stack([trace.data[:4501] for trace in whole]), atol=1e-6)
    assert found[1].samples.shape[1] == 6000 - 4501


def test_an_instrument_that_lacks_a_component_is_refused(tmp_path):
    stream()[1:].write(str(tmp_path / "a.mseed"), format="MSEED")

    with pytest.raises(UserError, match="must hold N, E and Z of one instrument"):
        continuous.pick(rises, FINDERS, [tmp_path / "a.mseed"], tmp_path, SETTINGS)


def test_curves_of_a_record_shorter_than_a_window_end_with_it():
    found = continuous.curves(rises, np.eye(3, 200, dtype="float32"), SAMPLES)

    assert found.shape == (2, 200)


def test_records_of_events_are_cut_with_their_picks_and_without_rejected_ones(tmp_path):
    stream().write(str(tmp_path / "a.mseed"), format="MSEED")
    made = [
        Pick(time=START + after, phase_hint=phase, waveform_id=WaveformStreamID("XX", "AAA"), evaluation_status=status)
        for phase, after, status in (("P", 19, "rejected"), ("P", 20, "reviewed"), ("Sg", 22, "reviewed"))
    ]
    Catalog([Event(picks=made)]).write(str(tmp_path / "a.xml"), format="QUAKEML")
    files = {path.name: path for path in (tmp_path / "a.mseed", tmp_path / "a.xml")}

    found = picked_events.read(files, {}, VARIABLES, before_s=5.0, after_s=10.0)

    assert found["p_onset"].values.tolist() == [500]
    assert found["s_onset"].values.tolist() == [700]
    assert np.abs(np.diff(found["waveform"].values[0, 2])).argmax() == 499
    own = arrivals.records(found.assign_attrs(part="mine"), {}, 50.0)
    assert own.onsets.tolist() == [[250, 350]]
    with pytest.raises(UserError, match="must hold waveforms about picks"):
        picked_events.read(files, {"stations": {"BBB"}}, VARIABLES)


def test_records_without_onsets_or_hypocentres_are_refused():
    waveform = (("trace", "channel", "sample"), np.zeros((1, 3, 100), "float32"))
    part = xr.Dataset({"waveform": waveform}, {"channel": list("ZNE")}, {"sampling_rate_hz": 100.0, "part": "a"})

    with pytest.raises(UserError, match="part a: must tell p_onset and s_onset, or hypocentres"):
        arrivals.records(part, {}, 100.0)
    with pytest.raises(UserError, match="must have N, E and Z, but N is missing"):
        arrivals.records(part.assign_coords(channel=list("ZXE")), {}, 100.0)


def test_windows_hold_the_onset_at_the_ratio_that_the_row_tells(rng):
    records = pd.DataFrame(
        {"unit": list("abc"), "station": list("abc"), "position": range(3), "p": [1500.0, 1600.0, 1700.0],
         "s": [1580.0, np.nan, 1800.0], "length": 4000, "rate_hz": RATE, "lends": True}
    )  # fmt: skip
    waveforms = rng.normal(size=(3, 3, 4000)).astype("float32") * 1e-3
    for row in records.itertuples():
        waveforms[row.position, :, int(row.p) :] += rng.normal(size=(3, 4000 - int(row.p)))
    settings = tasks.configured("seismic_picking", {"samples": 512, "evaluation_windows": 4}).settings

    rows = arrivals.draw(records, settings)
    found = arrivals.cut(waveforms, rows, 512)

    own = rows[rows["kind"] != "noise"]
    assert (own["p"] - own["start"]).between(100, 512).all()
    assert (rows["donor"] != rows["position"]).all()
    assert (rows.loc[rows["kind"] == "noise", "start"] + 512 < rows.loc[rows["kind"] == "noise", "p"]).all()
    for i, row in own[own["kind"] == "noisy"].iterrows():
        onset = int(row["p"] - row["start"])
        noise, after = found[i, :, : onset - 5].std(), found[i, :, onset : onset + arrivals.SPAN].std()
        ratio = 10 * np.log10((after**2 - noise**2) / noise**2)
        assert ratio == pytest.approx(row["snr_db"], abs=4)
