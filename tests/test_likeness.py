"""Fingerprints find copies that are not equal bit by bit, and nothing else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import resample_poly
from scipy.stats import chi2

from geojax.data import likeness
from geojax.data.likeness import SIZE, fingerprint, spectrum

LEAST = 0.995


def found(prints, split, least=LEAST):
    return [pair[:2] for pair in likeness.pairs(list(prints), split, least)[0]]


def of_spectrum(values):
    return fingerprint(spectrum(values), demean=False)


@pytest.fixture
def records(rng) -> np.ndarray:
    """Records (station, channel, sample) of noise and a wave, each station's own, with nothing near the Nyquist."""
    noise = rng.normal(size=(40, 3, 1000))
    noise[:, :, 400:600] += 30 * np.exp(-np.arange(200) / 40) * rng.normal(size=(40, 3, 200))
    return resample_poly(noise, 2, 1, axis=-1)


@pytest.fixture
def climate(rng) -> np.ndarray:
    """Years of monthly fields (year, month, lat, lon): a strong climate that each year shares, and its own anomaly."""
    season = 10 * np.cos(2 * np.pi * np.arange(12) / 12)[:, None, None] * rng.normal(size=(10, 15))
    anomaly = np.cumsum(rng.normal(size=(30, 12, 10, 15)), 1) / 5
    return 20 + season + 5 * rng.normal(size=(10, 15)) + anomaly


COPIES = {
    "another gain and offset": lambda x, rng: 0.02 * x + 7,
    "noise 40 dB below": lambda x, rng: x + 0.01 * x.std() * rng.normal(size=x.shape),
    "half precision": lambda x, rng: x.astype("float16"),
    "integers": lambda x, rng: np.round(2000 * x / np.abs(x).max()).astype("int32"),
    "another sampling rate and back": lambda x, rng: resample_poly(resample_poly(x, 3, 2, axis=-1), 2, 3, axis=-1),
    "a gap of one sample": lambda x, rng: np.where(np.arange(x.shape[-1]) == 40, np.nan, x),
}


@pytest.mark.parametrize("copy", COPIES, ids=str)
@pytest.mark.parametrize("view", [fingerprint, of_spectrum])
def test_a_copy_under_another_name_is_found_and_nothing_else(records, rng, copy, view):
    records[33] = COPIES[copy](records[5], rng)
    split = ["train"] * 20 + ["validation"] * 10 + ["test"] * 10

    assert found(view(records), split) == [(5, 33)]
    assert found(view(records), ["train"] * 39 + ["test"]) == []  # both in one split


@pytest.mark.parametrize("samples", [1, 20, 50])
def test_a_record_cut_some_samples_later_is_found_by_its_spectrum_alone(records, samples):
    records[33] = np.roll(records[5], samples, -1)
    records[33, :, :samples] = records[32, :, :samples]
    split = ["train"] * 20 + ["test"] * 20

    assert found(of_spectrum(records), split) == [(5, 33)]
    assert found(fingerprint(records), split) == []


def test_a_record_at_another_sampling_rate_is_found_by_the_lower_end_of_its_spectrum(records):
    slower = resample_poly(records[5], 4, 5, axis=-1)

    prints = np.concatenate([of_spectrum(slower[None]), of_spectrum(records)])

    assert found(prints, ["test", *["train"] * 40]) == [(0, 6)]


def test_years_of_one_climate_are_no_copies_but_one_month_told_twice_is(climate):
    prints = [fingerprint(year) for year in climate]
    split = ["train"] * 20 + ["test"] * 10
    raw = np.stack([year.ravel() - year.mean() for year in climate])
    assert np.corrcoef(raw)[0, 20] > 0.99  # by the climate alone

    assert likeness.pairs(prints, split, LEAST)[0] == []

    climate[25, 6] = climate[3, 6] + 273.15
    (pair,) = likeness.pairs([fingerprint(year) for year in climate], split, LEAST)[0]
    assert (pair.one, pair.other, pair.piece_of_one, pair.piece_of_other) == (3, 25, 6, 6)
    assert pair.correlation > 0.9999


def test_a_year_that_is_not_over_is_compared_by_its_months(climate):
    short = climate[3, :5] * 1.8 + 32

    prints = [fingerprint(year) for year in (*climate, short)]

    assert [pair[:2] for pair in likeness.pairs(prints, ["train"] * 30 + ["test"], LEAST)[0]] == [(3, 30)]


def test_neighbours_that_record_one_event_alike_are_no_copies(rng):
    event = np.cumsum(rng.normal(size=2000))
    own = 0.15 * event.std() * rng.normal(size=(60, 2000))  # correlation 0.978

    assert found(fingerprint(event + own), ["train", "test"] * 30) == []


def test_constant_empty_and_infinite_examples_stand_apart(rng):
    values = rng.normal(size=(12, 50))
    values[0], values[6] = 3.7e5, 3.7e5  # dead channels
    values[1], values[7] = np.nan, np.nan
    values[2], values[8] = 0.1, 0.1
    values[3, 5:9] = np.inf

    pairs, compared, flat = likeness.pairs(list(fingerprint(values)), ["train"] * 6 + ["test"] * 6, LEAST)

    assert (pairs, compared, flat) == ([], 12, 6)
    assert not of_spectrum(np.full((2, 3, 50), 0.1)).any()


@pytest.mark.parametrize("shape", [(0, 5), (4, 0), (1, 1)])
def test_no_examples_and_no_values_are_no_copies(shape):
    prints = fingerprint(np.zeros(shape))

    assert prints.shape == (shape[0], SIZE)
    assert likeness.pairs(list(prints), ["train"] * shape[0], LEAST)[0] == []


@given(st.integers(0, 10**6), st.floats(-30, 30), st.floats(-1e6, 1e6))
def test_gain_and_offset_leave_no_trace_in_a_fingerprint(seed, power, offset):
    values = np.random.default_rng(seed).normal(size=(3, 70))

    assert fingerprint(values * 10**power) == pytest.approx(fingerprint(values), abs=1e-6)
    assert fingerprint(values + offset) == pytest.approx(fingerprint(values), abs=1e-6)


def test_numbers_near_the_largest_and_least_of_their_type_have_fingerprints(rng):
    values = rng.normal(size=(2, 70))

    for factor in (1e300, 1e-300):
        assert fingerprint(values * factor) == pytest.approx(fingerprint(values), abs=1e-6)


@pytest.mark.parametrize("correlation", [0.9, 0.98, 0.998])
def test_the_distance_of_fingerprints_is_off_by_chi_square_as_claimed(rng, correlation):
    one, other = rng.normal(size=(2, 3000, 400))
    both = correlation * one + np.sqrt(1 - correlation**2) * other
    squares = ((fingerprint(one) - fingerprint(both)) ** 2).sum(1)
    true = 2 * (1 - np.array([np.corrcoef(a, b)[0, 1] for a, b in zip(one, both, strict=True)]))

    ratio = SIZE * squares / true

    for share in (0.01, 0.5, 0.99):
        assert (ratio < chi2.ppf(share, SIZE)).mean() == pytest.approx(share, abs=0.03)


def test_a_pair_at_0_98_is_called_a_copy_and_one_at_0_998_is_missed_once_in_a_hundred_thousand():
    called = chi2.cdf(SIZE * (1 - LEAST) / (1 - 0.98), SIZE)
    missed = chi2.sf(SIZE * (1 - LEAST) / (1 - 0.998), SIZE)

    assert called < 1e-5
    assert missed < 1e-5


def test_each_example_is_told_with_its_nearest_copy_only(rng):
    values = np.repeat(rng.normal(size=(1, 90)), 6, 0) + 1e-4 * rng.normal(size=(6, 90))
    values = np.concatenate([values, rng.normal(size=(20, 90))])

    pairs = found(fingerprint(values), ["train"] * 4 + ["test"] * 2 + ["train"] * 20)

    assert [two for _, two in sorted(pairs, key=lambda pair: pair[1])] == [4, 5]
    assert all(one < 4 for one, _ in pairs)
