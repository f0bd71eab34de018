"""Scores of forecasts of rates: closed forms, planted cases, and pyCSEP, the software of the testing centres."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom, kstest, poisson

from geojax.scores import rates

ORACLE = Path(__file__).with_name("csep_oracle.py")
SIMULATIONS = 2000
CASES = ["true", "too many", "too few", "elsewhere"]


def made(kind):
    """Events of a forecast that is right, or is wrong in number or place."""
    rng = np.random.default_rng(20261121)
    origins = np.stack(np.meshgrid(np.arange(100.0, 120, 2), np.arange(-10.0, 6, 2)), -1).reshape(-1, 2)
    reference, own = rng.gamma(0.5, 1.2, (2, len(origins))) + 0.01
    truth = {"true": own, "too many": 0.7 * own, "too few": 1.3 * own, "elsewhere": rng.permutation(own)}
    counts = rng.poisson(truth[kind])
    return {"origins": origins, "counts": counts, "own": own, "reference": reference, "variance": 3 * own.sum()}


@pytest.fixture(scope="module")
def csep():
    cases = {kind: made(kind) for kind in CASES}
    told = json.dumps(cases, default=lambda own: own.tolist())
    done = subprocess.run([sys.executable, ORACLE], input=told, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(params=CASES)
def case(request, csep):
    """Counts, two forecasts (cell,), and what pyCSEP finds of them."""
    own = made(request.param)
    return own["counts"], own["own"], own["reference"], csep[request.param]


def test_chances_of_the_number_of_events_are_those_of_pycsep(case):
    counts, own, _, csep = case

    np.testing.assert_allclose(rates.number_test(counts, own), csep["number"], rtol=1e-9)
    np.testing.assert_allclose(rates.number_test(counts, own, 3 * own.sum()), csep["clustered_number"], rtol=1e-9)


def test_the_gain_and_its_interval_are_those_of_pycsep(case):
    counts, own, reference, csep = case

    gain, *ends = rates.paired_t_test(counts, own, reference)

    assert gain == pytest.approx(csep["gain"])
    np.testing.assert_allclose(ends, csep["gain_interval"])
    sums = rates.sums(counts[None], own[None], reference[None], np.array(["whole"])).sum("group")
    assert float(rates.information_gain(sums)) == pytest.approx(gain)


@pytest.mark.parametrize("name", ["spatial_test", "likelihood_test", "conditional_likelihood_test"])
def test_quantiles_of_the_likelihood_are_those_of_pycsep(case, name):
    counts, own, _, csep = case
    statistic, quantile = csep[name]

    found = rates.likelihood_test(counts, own, SIMULATIONS, spatial=name != "likelihood_test")

    scale = counts.sum() / own.sum() if name == "spatial_test" else 1.0
    assert float(rates.log_likelihood(counts, scale * own)) == pytest.approx(statistic)
    # Whichever quantile is taken for the true one, the other lies in its Monte Carlo interval.
    low, high = binom.ppf([5e-5, 1 - 5e-5], SIMULATIONS, (found + quantile) / 2) / SIMULATIONS
    assert low <= found <= high
    assert low <= quantile <= high


def test_log_likelihood_is_that_of_independent_poisson_counts(rng):
    forecast = rng.uniform(0.01, 4, (3, 7))
    counts = rng.poisson(forecast)

    np.testing.assert_allclose(rates.log_likelihood(counts, forecast), poisson.logpmf(counts, forecast).sum(1))


def test_the_reference_gains_nothing_and_twice_its_rate_by_the_closed_form():
    counts, reference = np.array([[2.0, 1.0], [0, 1]]), np.array([[1.0, 1.0], [0.5, 0.5]])
    group = np.array(["a", "b"])

    same, twice = (
        rates.information_gain(rates.sums(counts, own, reference, group).sum("group"))
        for own in (reference, 2 * reference)
    )

    assert float(same) == 0
    assert float(twice) == pytest.approx((4 * np.log(2) - 3) / 4)


def test_the_number_test_is_of_the_poisson_law_of_the_sum():
    low, high = rates.number_test(np.array([1, 2]), np.array([0.5, 1.5]))

    assert low == pytest.approx(1 - np.exp(-2) * (1 + 2 + 2))
    assert high == pytest.approx(np.exp(-2) * (1 + 2 + 2 + 8 / 6))


@pytest.mark.parametrize("spatial", [False, True])
def test_quantiles_of_a_true_forecast_are_spread_evenly(rng, spatial):
    forecast = rng.uniform(0.1, 3, 60)

    found = [rates.likelihood_test(rng.poisson(forecast), forecast, 200, seed, spatial) for seed in range(150)]

    assert kstest(found, "uniform").pvalue > 0.01


def test_the_spatial_test_refuses_a_forecast_of_other_places_and_heeds_no_number(rng):
    forecast = np.repeat([0.1, 2.0], 50)
    counts = rng.poisson(forecast)

    assert rates.likelihood_test(counts, forecast[::-1], spatial=True) < 0.01
    assert rates.likelihood_test(counts, forecast, spatial=True) == rates.likelihood_test(
        counts, 5 * forecast, spatial=True
    )


def test_the_number_test_is_of_the_poisson_law_unless_the_variance_is_greater(rng):
    counts, forecast = rng.poisson(3, 50), np.full(50, 3.0)

    same, close = (rates.number_test(counts, forecast, variance) for variance in (100.0, 150.0001))

    assert same == rates.number_test(counts, forecast)
    np.testing.assert_allclose(close, same, rtol=1e-3)


@pytest.mark.parametrize("growth", [0.0, 0.3])
def test_the_variance_of_spans_is_found_again_whether_a_catalogue_grows_or_not(rng, growth):
    length, spans = 30, 4000
    clusters = rng.poisson(2.0, length * spans)
    totals = 5 * clusters + growth * np.arange(length * spans) / length

    found = rates.span_variance(totals[7:], length)  # not a whole number of spans

    assert found == pytest.approx(25 * 2 * length, rel=0.1)


def test_two_spans_tell_no_variance():
    assert np.isnan(rates.span_variance(np.arange(89.0), 30))
