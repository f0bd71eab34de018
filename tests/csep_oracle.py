"""What pyCSEP finds, in a process of its own, for its PROJ and that of rasterio do not bear each other.

`csep_oracle.py` reads cases as JSON from its standard input, by name: origins (cell, 2) of cells of two degrees, counts
(cell,), own and reference (cell,), variance; and writes what each test gives.
"""

import json
import sys

import numpy as np
from csep.core import binomial_evaluations, poisson_evaluations
from csep.core.catalogs import CSEPCatalog
from csep.core.forecasts import GriddedForecast
from csep.core.regions import CartesianGrid2D

SIMULATIONS = 2000
MAGNITUDES = np.array([5.5])  # one class, open above


def outcomes(origins, counts, own, reference, variance):
    origins, counts = np.array(origins), np.array(counts)
    held = origins[np.repeat(np.arange(len(origins)), counts)] + 1.0  # centres of cells
    events = [(str(number), 0, lat, lon, 10.0, 6.0) for number, (lon, lat) in enumerate(held)]
    region = CartesianGrid2D.from_origins(origins, dh=2.0, magnitudes=MAGNITUDES)
    catalogue = CSEPCatalog(data=events, region=region)
    np.testing.assert_array_equal(catalogue.spatial_counts(), counts)
    forecast, benchmark = (
        GriddedForecast(data=np.array(each)[:, None], region=region, magnitudes=MAGNITUDES) for each in (own, reference)
    )
    gain = poisson_evaluations.paired_t_test(forecast, benchmark, catalogue)
    clustered = binomial_evaluations.negative_binomial_number_test(forecast, catalogue, variance)
    found = {
        "number": poisson_evaluations.number_test(forecast, catalogue).quantile,
        "clustered_number": clustered.quantile,
        "gain": gain.observed_statistic,
        "gain_interval": gain.test_distribution,
    }
    for name in ("spatial_test", "likelihood_test", "conditional_likelihood_test"):
        result = getattr(poisson_evaluations, name)(forecast, catalogue, SIMULATIONS, seed=1)
        found[name] = [result.observed_statistic, result.quantile]
    return found


if __name__ == "__main__":
    cases = json.load(sys.stdin)
    json.dump({name: outcomes(**case) for name, case in cases.items()}, sys.stdout, default=float)
