"""A window is what its label says, and the noise added to it is as loud as its row says."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geojax.data.seismology import windows
from geojax.errors import UserError

RATE, SAMPLES = 250.0, 1004
MARGIN, SPAN = int(windows.MARGIN_S * RATE), int(windows.SPAN_S * RATE)
SETTINGS = SimpleNamespace(samples=SAMPLES, snr_db=(-8.0, 10.0))


def block(p, delay) -> pd.DataFrame:
    """Stations of one block by P and S - P in samples."""
    p, delay = np.atleast_1d(p), np.atleast_1d(delay)
    count = len(p)
    station = [str(1001 + i) for i in range(count)]
    return pd.DataFrame({"position": range(count), "station": station, "p": p, "s": p + delay, "rate_hz": RATE})


stations = st.lists(st.tuples(st.integers(2500, 6000), st.integers(80, 800)), min_size=2, max_size=5).map(
    lambda pairs: block(*map(np.array, zip(*pairs, strict=True)))
)


@given(stations=stations, repeats=st.integers(1, 6), seed=st.integers(0, 1000))
def test_every_window_lies_inside_the_range_of_its_class(stations, repeats, seed):
    drawn = windows.draw(stations, repeats, seed, SETTINGS)

    end = drawn["start"] + SAMPLES
    of = {name: drawn["label"] == label for label, name in enumerate(windows.CLASSES)}
    assert (end <= drawn["p"] - MARGIN)[of["noise"]].all()
    assert ((drawn["start"] + MARGIN < drawn["p"]) & (drawn["p"] + SPAN <= end))[of["P"]].all()
    assert ((drawn["start"] + MARGIN < drawn["s"]) & (drawn["s"] + SPAN <= end))[of["S"]].all()
    assert ((drawn["s"] + MARGIN <= drawn["start"]) & (drawn["start"] < drawn["s"] + 8 * RATE))[of["coda"]].all()


@given(stations=stations, seed=st.integers(0, 1000))
def test_a_window_of_s_holds_no_onset_of_p(stations, seed):
    drawn = windows.draw(stations, 6, seed, SETTINGS)

    own = drawn[drawn["label"] == windows.CLASSES.index("S")]
    assert (own["p"] + MARGIN <= own["start"]).all()


@given(stations=stations, seed=st.integers(0, 1000))
def test_onsets_of_p_and_s_lie_equally_deep_so_that_position_tells_nothing(stations, seed):
    for station in stations.itertuples():
        (p_low, p_high), (s_low, s_high) = (
            windows.start_range(name, station.p, station.s, SAMPLES, RATE) for name in "PS"
        )
        assert (station.p - p_low, station.p - p_high) == (station.s - s_low, station.s - s_high)
    drawn = windows.draw(stations, 3, seed, SETTINGS)
    first = drawn[drawn["label"].isin([1, 2])]
    assert (first["start"] + first["onset"] == first["p"].where(first["label"] == 1, first["s"])).all()


@given(stations=stations, repeats=st.integers(1, 6))
def test_every_station_gives_as_many_windows_of_each_class(stations, repeats):
    drawn = windows.draw(stations, repeats, 0, SETTINGS)

    counts = drawn.groupby(["station", "label"]).size()
    assert len(counts) == len(stations) * len(windows.CLASSES)
    assert (counts == repeats).all()


@given(stations=stations, seed=st.integers(0, 1000))
def test_noise_is_lent_by_another_station_from_before_its_own_onset(stations, seed):
    drawn = windows.draw(stations, 3, seed, SETTINGS)

    assert (drawn["donor"] != drawn["position"]).all()
    of_donor = stations.set_index("position")["p"].loc[drawn["donor"]].to_numpy()
    assert ((drawn["donor_start"] >= 0) & (drawn["donor_start"] + SAMPLES <= of_donor - MARGIN)).all()
    assert drawn["snr_db"].between(*SETTINGS.snr_db).all()


@given(p=st.integers(8000, 12000), repeats=st.integers(2, 6), seed=st.integers(0, 1000))
def test_noise_windows_of_a_station_share_no_sample(p, repeats, seed):
    drawn = windows.draw(block([p, p + 100], [200, 200]), repeats, seed, SETTINGS)

    for _, own in drawn[drawn["label"] == 0].groupby("station"):
        starts = np.sort(own["start"])
        assert (np.diff(starts) >= SAMPLES).all()


def test_windows_of_a_station_do_not_depend_on_the_order_of_its_block():
    stations = block([3000, 4000, 5000], [200, 300, 400])
    keys = ["station", "label", "start"]

    one = windows.draw(stations, 3, 0, SETTINGS).sort_values(keys, ignore_index=True)
    other = windows.draw(stations[::-1], 3, 0, SETTINGS).sort_values(keys, ignore_index=True)

    pd.testing.assert_frame_equal(one[[*keys, "onset", "snr_db"]], other[[*keys, "onset", "snr_db"]])


def test_another_seed_draws_other_windows():
    one, other = (windows.draw(block([3000, 4000], [200, 300]), 3, seed, SETTINGS) for seed in (0, 1))

    assert (one["start"] != other["start"]).any()


@pytest.mark.parametrize(
    ("p", "delay", "name"),
    [
        (SAMPLES + MARGIN, 200, "noise"),  # too little before P for a window of noise
        (3000, 2 * MARGIN, "P"),  # S so close behind P that the margins meet
        (3000, SAMPLES + 100, "P"),  # S - P longer than a window
    ],
)
def test_a_station_whose_onsets_leave_no_room_for_a_class_is_refused(p, delay, name):
    with pytest.raises(UserError, match=rf"station 1001: no {name} window of 1004 samples fits"):
        windows.draw(block([p, 5000], [delay, 300]), 2, 0, SETTINGS)


def test_a_block_of_one_station_is_refused_as_nobody_can_lend_it_noise():
    with pytest.raises(UserError, match="station 1001: must share its block with another"):
        windows.draw(block(3000, 200), 2, 0, SETTINGS)


@pytest.fixture
def records(rng):
    """Waveforms (station, 3, sample) of three stations, of very different loudness, and windows of them."""
    stations = block([4000, 4100, 4200], [250, 300, 350])
    size = np.array([1.0, 30.0, 1000.0])[:, None, None]
    waveforms = rng.normal(size=(3, 3, 8000)) * size + 50 * size
    for station in stations.itertuples():
        waveforms[station.position, :, station.p :] *= 20
        waveforms[station.position, :, station.s :] *= 2
    return waveforms.astype("float32"), windows.draw(stations, 4, 0, SETTINGS)


def demeaned(cut):
    return cut.astype("float64") - cut.mean(1, keepdims=True, dtype="float64")


def test_the_added_noise_has_the_asked_ratio(records):
    waveforms, rows = records

    found = windows.cut(waveforms, rows, SAMPLES)

    for window, row in zip(found, rows.itertuples(), strict=True):
        signal = demeaned(waveforms[row.position, :, row.start : row.start + SAMPLES])
        noise = demeaned(waveforms[row.donor, :, row.donor_start : row.donor_start + SAMPLES])
        # How much of each is in the window, by least squares: one factor for all components.
        parts = np.stack([signal.ravel(), noise.ravel()], 1)
        (of_signal, of_noise), residual, *_ = np.linalg.lstsq(parts, window.ravel().astype("float64"))
        assert residual[0] < 1e-6 * window.size
        level = signal[:, row.onset : row.onset + SPAN].std()
        ratio = 20 * np.log10(level * of_signal / (noise.std() * of_noise))
        assert ratio == pytest.approx(row.snr_db, abs=0.01)


def test_windows_have_a_deviation_of_one_whatever_the_station(records):
    found = windows.cut(*records, SAMPLES)

    assert found.dtype == "float32"
    np.testing.assert_allclose(found.std((1, 2)), 1, rtol=1e-4)
    np.testing.assert_allclose(found.mean(2), 0, atol=1e-4)


def test_a_window_does_not_depend_on_the_other_rows(records):
    waveforms, rows = records

    every = windows.cut(waveforms, rows, SAMPLES)

    np.testing.assert_array_equal(windows.cut(waveforms, rows.iloc[[5, 2]], SAMPLES), every[[5, 2]])


def test_a_window_beyond_the_end_of_the_record_is_refused(records):
    waveforms, rows = records

    with pytest.raises(UserError, match=r"station 100\d: its record of 4500 samples ends before"):
        windows.cut(waveforms[..., :4500], rows, SAMPLES)
