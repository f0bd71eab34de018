"""Scores of forecasts of rates: Poisson likelihood, information gain, and the tests of CSEP.

Forecasts and counts are (…, cell); a cell's count is taken as Poisson about its forecast, independent of all others.
"""

from typing import Any

import numpy as np
import xarray as xr
from scipy.special import gammaln
from scipy.stats import nbinom, poisson, t


def log_likelihood(counts: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """Sum over cells (…) of the logs of Poisson probabilities, in nats.

    counts, rates : (…, cell); rates above zero
    """
    rates = rates.astype("float64")
    return (counts * np.log(rates) - rates - gammaln(counts + 1.0)).sum(-1)


def sums(counts: np.ndarray, rates: np.ndarray, reference: np.ndarray, group: np.ndarray) -> xr.Dataset:
    """Sums (group,) of the logs of likelihoods, forecast and reference, and of events seen and expected.

    counts, rates, reference : (example, cell); group : (example,)
    """
    names, code = np.unique(np.asarray(group), return_inverse=True)
    each = {
        "log_likelihood": log_likelihood(counts, rates),
        "reference": log_likelihood(counts, reference),
        "events": counts.sum(-1),
        "expected": rates.sum(-1, dtype="float64"),
    }
    summed = {name: ("group", np.bincount(code, own, len(names))) for name, own in each.items()}
    return xr.Dataset(summed, {"group": names})


def information_gain(statistics: xr.Dataset) -> xr.DataArray:
    """Nats by which a forecast is more likely than the reference, for each event.

    statistics : as from `sums`, summed over what belongs together
    source : Rhoades et al. (2011), doi:10.2478/s11600-011-0013-5, equation 17, which is the same number
    """
    return (statistics["log_likelihood"] - statistics["reference"]) / statistics["events"]


def paired_t_test(
    counts: np.ndarray, rates: np.ndarray, reference: np.ndarray, level: float = 0.95
) -> tuple[float, float, float]:
    """Information gain over the reference in nats per event, and the ends of its interval by Student's law.

    The law takes events as independent, and forgets cells without any: where events cluster the interval is too narrow
    (Brehmer et al., 2024, doi:10.48550/arXiv.2405.10712). It stands beside an interval from resampled groups.

    counts, rates, reference : (…, cell), with two events at least
    source : Rhoades et al. (2011), doi:10.2478/s11600-011-0013-5, equations 16 to 18
    """
    held = counts > 0
    ratio = np.repeat(np.log(rates[held] / reference[held].astype("float64")), counts[held].astype(int))
    gain = ratio.mean() - float(rates.sum(dtype="float64") - reference.sum(dtype="float64")) / len(ratio)
    half = t.ppf((1 + level) / 2, len(ratio) - 1) * ratio.std(ddof=1) / np.sqrt(len(ratio))
    return float(gain), float(gain - half), float(gain + half)


def number_law(expected: float, variance: float = 0.0) -> Any:
    """Law of a number of events: Poisson's, but negative binomial where its variance is known to be greater.

    source : Kagan (2010), doi:10.1111/j.1365-246X.2009.04487.x
    """
    if variance > expected:
        return nbinom(expected**2 / (variance - expected), expected / variance)
    return poisson(expected)


def number_test(counts: np.ndarray, rates: np.ndarray, variance: float = 0.0) -> tuple[float, float]:
    """Chances of at least, and of at most, as many events as came: a small one means too low, or too high a forecast.

    counts, rates : (…, cell)
    variance : of the number of events in so long a time, as events cluster; see `number_law`
    source : Zechar et al. (2010), doi:10.1785/0120090192, equations 3 and 4
    """
    seen, law = counts.sum(), number_law(float(rates.sum(dtype="float64")), variance)
    return float(law.sf(seen - 1)), float(law.cdf(seen))


def span_variance(totals: np.ndarray, length: int) -> float:
    """Variance of the number of events in a span of `length` months, of those that end with the last month.

    Half the mean square of what each span and the next differ by, so that it holds how events cluster, but little of
    the slow growth of a catalogue; NaN with fewer than three spans.

    totals : events of each month (month,)
    """
    spans = len(totals) // length
    each = totals[len(totals) - spans * length :].reshape(spans, length).sum(1)
    return float(np.mean(np.diff(each) ** 2) / 2) if spans > 2 else float("nan")


def likelihood_test(
    counts: np.ndarray, rates: np.ndarray, simulations: int = 1000, seed: int = 0, spatial: bool = False
) -> float:
    """Share of simulated catalogues that are no more likely than the one seen: a small one speaks against the forecast.

    counts, rates : (cell,)
    spatial : the S-test, which asks only where events are: as many are simulated as came; else the L-test. Without
        classes of magnitude it is the conditional L-test too (Werner et al., 2011, doi:10.1785/0120090340)
    source : Zechar et al. (2010), doi:10.1785/0120090192
    """
    generator = np.random.default_rng(seed)
    seen, rates = int(counts.sum()), rates.astype("float64")
    if spatial:
        rates = rates * (seen / rates.sum())
        drawn = generator.multinomial(seen, rates / rates.sum(), simulations)
    else:
        drawn = generator.poisson(rates, (simulations, len(rates)))
    return float((log_likelihood(drawn, rates) <= log_likelihood(counts, rates)).mean())
