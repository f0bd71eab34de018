"""Noise is added and taken off as told: the transform, the mixtures, the scores and the classical methods."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from flax import nnx
from obspy.signal.trigger import aic_simple
from scipy.signal import ShortTimeFFT
from scipy.signal.windows import hann

from geojax import models
from geojax import task as tasks
from geojax.baselines import denoising as classical
from geojax.data.seismology import mixtures
from geojax.data.seismology.stft import STFT
from geojax.errors import UserError
from geojax.scores import denoising, resampling
from geojax.task import Examples
from geojax.training import augment
from geojax.training.objectives import log_error

RATE, SAMPLES, QUIET = 100.0, 512, 150
SETTINGS = SimpleNamespace(samples=SAMPLES, lead=(160, 220), thinned_hz=RATE)
HOPS = pytest.mark.parametrize(("frame", "hop"), [(64, 16), (64, 32), (32, 8), (48, 16)])


@HOPS
@pytest.mark.parametrize("samples", [512, 500, 45])
def test_the_transform_is_undone_exactly(rng, frame, hop, samples):
    stft, x = STFT(frame, hop), rng.normal(size=(2, 3, samples)).astype("float32")

    np.testing.assert_allclose(stft.inverse(stft.forward(x), samples), x, atol=2e-6)
    again = jax.jit(lambda x: stft.inverse(stft.forward(x), samples))(x)
    np.testing.assert_allclose(again, x, atol=2e-6)


@HOPS
def test_spectra_and_their_way_back_are_those_of_scipy(rng, frame, hop):
    stft, x = STFT(frame, hop), rng.normal(size=(3, 300)).astype("float32")
    oracle = ShortTimeFFT(hann(frame, sym=False), hop, RATE, scale_to=None, phase_shift=None)

    found = stft.forward(x)
    extra = -(frame // 2) % hop  # SciPy's frames have their middle at multiples of hop
    before = stft.lead + extra
    spectra = oracle.stft(np.pad(x.astype("float64"), ((0, 0), (before, frame))))
    first = (extra + frame // 2) // hop - oracle.p_min
    wanted = spectra[..., first : first + stft.frames(300)].swapaxes(1, 2)
    np.testing.assert_allclose(found[:, :, 0] + 1j * found[:, :, 1], wanted, atol=1e-4)
    np.testing.assert_allclose(stft.frequencies(RATE), oracle.f)

    masked = found * rng.uniform(size=(3, stft.frames(300), 1, stft.bins)).astype("float32")
    whole = np.zeros_like(spectra)
    whole[..., first : first + stft.frames(300)] = (masked[:, :, 0] + 1j * masked[:, :, 1]).swapaxes(1, 2)
    inverse = oracle.istft(whole, 0, 300 + before)[:, before:]
    np.testing.assert_allclose(stft.inverse(masked, 300), inverse, atol=1e-4)


@HOPS
def test_frames_inside_a_stretch_see_nothing_else(frame, hop):
    stft = STFT(frame, hop)

    def power(first, last):
        x = np.zeros(400, "float32")
        x[first:last] = 1
        return (stft.forward(x) ** 2).sum((1, 2)) > 0

    own = np.zeros(stft.frames(400), bool)
    own[stft.inside(100, 250)] = True
    outside = power(0, 100) | power(250, 400)
    assert (own <= ~outside).all()
    # A window's first sample is zero, so one frame on each side may touch the outside unseen.
    assert 0 <= (~outside & power(100, 250)).sum() - own.sum() <= 1


def test_frames_that_do_not_add_up_are_refused():
    with pytest.raises(UserError, match="frame is 64 and hop 24"):
        STFT(64, 24)


def block(p=(1500, 1600, 1700), length=4000) -> pd.DataFrame:
    rows = {"position": range(len(p)), "station": [str(1001 + i) for i in range(len(p))], "p": p, "length": length}
    return pd.DataFrame(rows).assign(group="a")


@pytest.fixture
def records(rng):
    """Waveforms (station, 3, sample): quiet noise, then an event a thousand times as large."""
    waveforms = rng.normal(size=(3, 3, 4000)).astype("float32") * np.array([1, 30, 500])[:, None, None] + 7
    for station, p in enumerate(block()["p"]):
        size = 1000 * np.exp(-np.arange(4000 - p) / 150)
        waveforms[station, :, p:] += (size * rng.normal(size=(3, 4000 - p)) * [1, 30, 500][station]).astype("float32")
    return waveforms


def test_noise_is_added_at_the_ratio_that_the_row_tells(records):
    rows = mixtures.draw(block(), (-10.0, 5.0), 2, 0, SETTINGS)

    noisy, clean = mixtures.mix(records, rows, SAMPLES)

    ratio = 10 * np.log10((clean**2).sum((1, 2)) / ((noisy - clean) ** 2).sum((1, 2)))
    np.testing.assert_allclose(ratio, rows["snr_db"], atol=0.01)
    np.testing.assert_allclose(noisy.std((1, 2)), 1, rtol=1e-4)
    assert len(rows) == 3 * 2 * 2


def test_windows_begin_quiet_and_no_station_lends_noise_to_itself(records):
    rows = mixtures.draw(block(), (0.0,), 20, 0, SETTINGS)

    assert (rows["donor"] != rows["position"]).all()
    assert (rows["start"] + rows["onset"] == rows["p"]).all()
    assert rows["onset"].between(*SETTINGS.lead).all()
    donor = block()["p"].to_numpy()[rows["donor"]]
    assert (rows["donor_start"] + SAMPLES <= donor - mixtures.MARGIN_S * RATE).all()


def test_windows_of_a_station_do_not_depend_on_the_order_of_the_others():
    one, other = (mixtures.draw(own, (0.0,), 3, 0, SETTINGS) for own in (block(), block().iloc[::-1]))

    starts = [own.sort_values(["station", "start"])["start"].tolist() for own in (one, other)]
    assert starts[0] == starts[1]


@pytest.mark.parametrize(("p", "length"), [((1500, 520), 4000), ((1500, 1600), 1800)])
def test_records_without_room_for_a_window_are_refused(p, length):
    with pytest.raises(UserError, match=r"station 100\d: a window of 512 samples of noise must fit before its onset"):
        mixtures.draw(block(p, length), (0.0,), 1, 0, SETTINGS)


def test_thinning_keeps_what_lies_below_the_new_limit_and_removes_what_lies_above():
    time = np.arange(2000) / 250
    low, high = (np.sin(2 * np.pi * f * time) for f in (20.0, 100.0))

    found = mixtures.thin((5 + low + high)[None], 2)[0]

    np.testing.assert_allclose(found[50:-50], low[::2][50:-50], atol=0.01)


def test_the_same_mixture_is_made_under_jit_as_at_rest(records):
    rows = mixtures.draw(block(), (-3.0,), 1, 0, SETTINGS)
    noisy, clean = mixtures.mix(records, rows, SAMPLES)

    row = rows.iloc[1]
    cut = [
        augment.cut(jnp.asarray(records), jnp.array(place), jnp.array(start), SAMPLES)
        for place, start in ((row["position"], row["start"]), (row["donor"], row["donor_start"]))
    ]
    again = augment.mixture(*cut, jnp.array(row["snr_db"]))

    np.testing.assert_allclose(again[0], noisy[1], atol=1e-4)
    np.testing.assert_allclose(again[1], clean[1], atol=1e-4)


def test_scores_of_known_departures(rng):
    clean = rng.normal(size=(4, 3, 1000))
    found = clean + 0.1 * rng.normal(size=clean.shape)

    np.testing.assert_allclose(denoising.snr_db(clean, found), 20, atol=0.3)
    np.testing.assert_allclose(denoising.snr_db(clean, 0.5 * clean), 20 * np.log10(2))
    np.testing.assert_allclose(denoising.snr_db(clean, 0 * clean), 0, atol=1e-9)
    np.testing.assert_allclose(denoising.correlation(clean, 3 * clean - 1), 1)
    assert (denoising.correlation(clean, 0 * clean) == 0).all()
    np.testing.assert_allclose(denoising.peak_error_db(clean, 0.1 * clean), 20)
    np.testing.assert_allclose(denoising.peak_error_db(clean, 0 * clean), denoising.SILENCE_DB)
    oracle = [np.corrcoef(c.ravel(), f.ravel())[0, 1] for c, f in zip(clean, found, strict=True)]
    assert float(log_error(jnp.asarray(found), jnp.asarray(clean))) == pytest.approx(
        -denoising.snr_db(clean, found).mean(), abs=1e-3
    )
    np.testing.assert_allclose(denoising.correlation(clean + 1, found), oracle, atol=1e-3)


def test_onsets_are_those_of_obspys_aic_where_nothing_is_silent(rng):
    traces = rng.normal(size=(5, 160))
    traces[:, 100:] *= 8

    found = denoising.aic_onset(traces)

    oracle = [2 + int(np.argmin(aic_simple(t)[2:-2])) for t in traces]
    assert np.abs(found - oracle).max() <= 1
    assert np.abs(found - 100).max() <= 3


def test_an_onset_that_comes_later_is_told_by_how_much_even_out_of_silence(rng):
    clean = np.zeros((2, 3, 800))
    clean[:, :, 300:] = rng.normal(size=(2, 3, 500))
    late = np.zeros_like(clean)
    late[:, :, 320:] = clean[:, :, 300:-20]

    shift = denoising.onset_shift(clean + 1e-4 * rng.normal(size=clean.shape), late, np.array([300, 300]), RATE)

    np.testing.assert_allclose(shift, 0.2, atol=0.02)


def test_means_over_stations_are_those_of_the_windows(rng):
    clean, noise = rng.normal(size=(2, 12, 3, 400))
    level = np.tile([-5.0, 5.0], 6)
    noisy = clean + noise * 10 ** (-level / 20)[:, None, None]
    onset, station = np.full(12, 150), np.repeat(list("abc"), 4)
    found = 0.8 * noisy

    sums = denoising.sums(clean, noisy, found, onset, RATE, station, level)
    means = denoising.means(sums.sum("group"))

    gain = denoising.snr_db(clean, found) - denoising.snr_db(clean, noisy)
    assert float(means["snr_gain"]) == pytest.approx(gain.mean())
    assert float(means["snr_gain_by_SNR"].sel(SNR="\N{MINUS SIGN}5 dB")) == pytest.approx(gain[level < 0].mean())
    assert float(denoising.means(denoising.sums(clean, noisy, noisy, onset, RATE, station, level).sum("group"))[
        "snr_gain"
    ]) == 0  # fmt: skip


def test_stations_are_resampled_within_their_blocks():
    statistics = xr.Dataset({"count": ("group", np.ones(3))}, {"group": ["x", "y", "z"]})
    index = pd.DataFrame({"station": ["z", "x", "y", "x"], "group": ["b", "a", "b", "a"]})

    assert resampling.within_blocks(statistics, index)["stratum"].values.tolist() == ["a", "b", "b"]


@pytest.fixture
def bursts(rng):
    """Decaying bursts at 10 Hz behind a quiet beginning, and white noise as loud as they are."""
    time = np.arange(SAMPLES) / RATE
    onset = rng.integers(160, 220, 24)
    clean = np.zeros((24, 3, SAMPLES))
    for i, start in enumerate(onset):
        after = time[: SAMPLES - start]
        phase = rng.uniform(0, 2 * np.pi, (3, 1))
        clean[i, :, start:] = np.exp(-after / 0.6) * np.sin(2 * np.pi * 10 * after + phase)
    noisy = clean + rng.normal(size=clean.shape) * clean.std((1, 2), keepdims=True)
    return Examples({"noisy": noisy.astype("float32"), "clean": clean.astype("float32"), "onset": onset})


BASELINES = {
    "band-pass": (classical.BandPass(RATE), 6.0),
    "low-rank spectrogram": (classical.LowRank(QUIET), 9.0),
    "thresholding": (classical.Thresholding(QUIET), 9.0),
    "Wiener filter": (classical.Wiener(QUIET), 9.0),
}


@pytest.mark.parametrize("name", BASELINES)
def test_a_classical_method_finds_bursts_of_one_frequency_in_white_noise(bursts, name):
    method, least = BASELINES[name]

    chosen = method.fit(bursts, bursts)

    ratio = denoising.snr_db(bursts.rows["clean"], method.predict(bursts)).mean()
    assert ratio > least
    assert chosen["validation_snr_db"] == pytest.approx(ratio, abs=1e-3)
    again = method.predict(bursts.take(np.array([3, 1])))
    np.testing.assert_allclose(again, method.predict(bursts)[[3, 1]], atol=1e-5)  # each window by itself


@pytest.mark.parametrize("name", ["low-rank spectrogram", "thresholding", "Wiener filter"])
def test_windows_turned_by_45_degrees_are_denoised_alike(bursts, name):
    method, _ = BASELINES[name]
    settings = {key: values[0] for key, values in method.grid.items()}
    noisy = bursts.rows["noisy"]

    turned = method.denoise(np.asarray(augment.turn(noisy, np.pi / 4)), **settings)

    back = augment.turn(turned, -np.pi / 4)
    np.testing.assert_allclose(back, method.denoise(noisy, **settings), atol=1e-4)


def test_a_band_pass_is_tuned_about_the_band_of_the_signal(bursts):
    chosen = classical.BandPass(RATE).fit(bursts, bursts)

    assert 4 <= chosen["low_hz"] <= 10
    assert 10 <= chosen["high_hz"] <= 20


def test_a_spectrogram_of_rank_one_is_cut_to_what_it_is(rng):
    frames, bins = np.zeros((1, 3, 40)), rng.uniform(1, 2, 9)
    frames[..., 20:] = rng.uniform(5, 50, (1, 3, 20))
    true = frames[..., None] * bins
    power = (true + np.sqrt(np.pi) / 2) ** 2
    before = np.ones((1, 3, 15, 9))
    settings = {"rank": 1, "over": 1.0, "exponent": 1.0, "noise_bins": 1}

    found = classical.LowRank(QUIET).gain(power, before, settings)

    np.testing.assert_allclose(found, np.maximum(1 - 1 / power, 0), atol=1e-6)


def test_a_search_goes_on_until_no_setting_alone_gets_better():
    clean = np.ones((1, 1, 4))
    grid = {"a": (0.0, 1.0, 2.0), "b": (0.0, 1.0, 2.0)}
    errors = {(0, 0): 5, (1, 0): 6, (2, 0): 7, (0, 1): 4, (1, 1): 3, (2, 1): 3.5, (0, 2): 6, (1, 2): 2, (2, 2): 1}

    best, ratio = classical.search(lambda s: clean * (1 + errors[s["a"], s["b"]] / 100), clean, grid)

    assert best == {"a": 2.0, "b": 2.0}  # from a = 0 by way of b = 1, a = 1, b = 2
    assert ratio == pytest.approx(40.0)


def test_a_new_denoiser_is_a_wiener_filter(bursts):
    stft, noisy = STFT(32, 8), bursts.rows["noisy"]
    model = models.load("mask_denoiser")(3, stft, QUIET, width=4, depth=1, rngs=nnx.Rngs(0))
    spectra = stft.forward(noisy)

    found = nnx.jit(lambda model, x: model.mask(x))(model, spectra)

    power = (spectra**2).sum(-2)
    settings = {"over": 2.0, "frames": 3, "bins": 5, "pooled": 0.25, "exponent": 1.0, "noise_bins": 3}
    wanted = classical.Wiener(QUIET).gain(power, power[..., stft.inside(0, QUIET), :], settings)
    np.testing.assert_allclose(found, np.maximum(wanted, 1 - 1 / 1.02), atol=1e-4)


def test_no_mask_sees_beyond_its_window_or_makes_anything_larger(rng):
    model = models.load("mask_denoiser")(3, STFT(32, 8), QUIET, width=4, depth=1, rngs=nnx.Rngs(0))
    model.unet.leave.kernel[...] = jnp.asarray(rng.normal(size=model.unet.leave.kernel.shape), "float32")
    x = jnp.asarray(rng.normal(size=(2, 3, SAMPLES)), "float32")

    run = nnx.jit(lambda model, x: (model.mask(model.stft.forward(x)), model(x)))
    mask, out = run(model, x)

    assert mask.shape == (2, 3, model.stft.frames(SAMPLES), model.stft.bins)
    assert ((mask > 0) & (mask < 1)).all()
    assert jnp.ptp(mask) > 0.1
    np.testing.assert_allclose(run(model, x.at[1].set(0.0))[1][0], out[0], atol=1e-5)


def test_another_rate_than_the_records_is_refused():
    task = tasks.configured("seismic_denoising", {})
    part = xr.Dataset(attrs={"sampling_rate_hz": 100.0, "part": "west"})

    with pytest.raises(UserError, match="rate_hz must be the records' own, 100 in part west, but is 250"):
        task.index(part)
