"""Scores of forecasts of rates: closed forms, planted cases, and pyCSEP, the software of the testing centres."""

import warnings
from typing import NamedTuple

import numpy as np
import pytest
from scipy.stats import binom, kstest, poisson

from geojax.scores import rates

with warnings.catch_warnings():
    warnings.filterwarnings(
        "ignore", "The (LONGITUDE|LATITUDE)_FORMATTER module-level", DeprecationWarning, "csep.plots"
    )
    from csep.core import binomial_evaluations, poisson_evaluations
    from csep.core.catalogs import CSEPCatalog
    from csep.core.forecasts import GriddedForecast
    from csep.core.regions import CartesianGrid2D

SIMULATIONS = 2000
MAGNITUDES = np.array([5.5])  # one class, open above


class Case(NamedTuple):
    """Counts and two forecasts (cell,), and the same as pyCSEP holds them."""

    counts: np.ndarray
    own: np.ndarray
    reference: np.ndarray
    catalogue: CSEPCatalog
    forecast: GriddedForecast
    benchmark: GriddedForecast


@pytest.fixture(params=["true", "too many", "too few", "elsewhere"])
def case(request, rng):
    """Events of a forecast that is right, or is wrong in number or place."""
    origins = np.stack(np.meshgrid(np.arange(100.0, 120, 2), np.arange(-10.0, 6, 2)), -1).reshape(-1, 2)
    reference, own = rng.gamma(0.5, 1.2, (2, len(origins))) + 0.01
    truth = {"true": own, "too many": 0.7 * own, "too few": 1.3 * own, "elsewhere": rng.permutation(own)}
    counts = rng.poisson(truth[request.param])
    held = origins[np.repeat(np.arange(len(origins)), counts)] + 1.0  # centres of cells
    events = [(str(number), 0, lat, lon, 10.0, 6.0) for number, (lon, lat) in enumerate(held)]
    region = CartesianGrid2D.from_origins(origins, dh=2.0, magnitudes=MAGNITUDES)
    catalogue = CSEPCatalog(data=events, region=region)
    np.testing.assert_array_equal(catalogue.spatial_counts(), counts)
    return Case(counts, own, reference, catalogue, *(
        GriddedForecast(data=each[:, None], region=region, magnitudes=MAGNITUDES) for each in (own, reference)
    ))  # fmt: skip


def test_chances_of_the_number_of_events_are_those_of_pycsep(case):
    independent = poisson_evaluations.number_test(case.forecast, case.catalogue)
    variance = 3 * case.own.sum()
    clustered = binomial_evaluations.negative_binomial_number_test(case.forecast, case.catalogue, variance)

    np.testing.assert_allclose(rates.number_test(case.counts, case.own), independent.quantile, rtol=1e-9)
    np.testing.assert_allclose(rates.number_test(case.counts, case.own, variance), clustered.quantile, rtol=1e-9)


def test_the_gain_and_its_interval_are_those_of_pycsep(case):
    expected = poisson_evaluations.paired_t_test(case.forecast, case.benchmark, case.catalogue)

    gain, *ends = rates.paired_t_test(case.counts, case.own, case.reference)

    assert gain == pytest.approx(expected.observed_statistic)
    np.testing.assert_allclose(ends, expected.test_distribution)
    sums = rates.sums(case.counts[None], case.own[None], case.reference[None], np.array(["whole"])).sum("group")
    assert float(rates.information_gain(sums)) == pytest.approx(gain)


@pytest.mark.parametrize("name", ["spatial_test", "likelihood_test", "conditional_likelihood_test"])
def test_quantiles_of_the_likelihood_are_those_of_pycsep(case, name):
    expected = getattr(poisson_evaluations, name)(case.forecast, case.catalogue, SIMULATIONS, seed=1)

    found = rates.likelihood_test(case.counts, case.own, SIMULATIONS, spatial=name != "likelihood_test")

    scale = case.counts.sum() / case.own.sum() if name == "spatial_test" else 1.0
    assert float(rates.log_likelihood(case.counts, scale * case.own)) == pytest.approx(expected.observed_statistic)
    # Whichever quantile is taken for the true one, the other lies in its Monte Carlo interval.
    shared = (found + expected.quantile) / 2
    low, high = binom.ppf([5e-5, 1 - 5e-5], SIMULATIONS, shared) / SIMULATIONS
    assert low <= found <= high
    assert low <= expected.quantile <= high


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
