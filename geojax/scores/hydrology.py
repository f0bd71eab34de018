"""Scores of simulated discharge, from sums over years, so that whole years can be resampled."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

DIMS = ("group", "basin", "lead")


def sums(
    observed: np.ndarray,
    simulated: np.ndarray,
    group: Sequence[str] | pd.Series,
    basin: Sequence[str] | pd.Series,
    leads: Sequence[int],
    high: np.ndarray,
    low: np.ndarray,
) -> xr.Dataset:
    """Sums (group, basin, lead) over the days that are observed.

    observed : (row, day), NaN where unknown; simulated : (row, day, lead), of the same units
    group, basin : (row,), names; high, low : (row,), above and below which flow counts as high and low
    """
    known = np.isfinite(observed)[..., None]
    truth = np.where(known, observed[..., None], 0.0).astype("float64")
    guess = np.where(known, simulated, 0.0).astype("float64")
    flood, drought = (known & own for own in (truth > high[:, None, None], truth < low[:, None, None]))
    terms = {
        "days": known, "observed": truth, "observed_square": truth**2, "simulated": guess,
        "simulated_square": guess**2, "product": truth * guess, "error_square": (guess - truth) ** 2,
        "high_observed": flood * truth, "high_simulated": flood * guess,
        "low_observed": drought * truth, "low_simulated": drought * guess,
    }  # fmt: skip
    groups, g = np.unique(np.asarray(group, str), return_inverse=True)
    basins, b = np.unique(np.asarray(basin, str), return_inverse=True)
    found = {}
    for name, values in terms.items():
        total = np.zeros((len(groups), len(basins), len(leads)))
        np.add.at(total, (g, b), np.broadcast_to(values, guess.shape).sum(1))
        found[name] = (DIMS, total)
    return xr.Dataset(found, {"group": groups, "basin": basins, "lead": list(leads)})


def nash_sutcliffe(sums: xr.Dataset) -> xr.DataArray:
    """Nash-Sutcliffe efficiency: the share of observed variance that is explained; 1 is perfect.

    sums : as from `sums`, over the years that belong together; NaN where flow was constant or never observed
    source : Nash & Sutcliffe (1970), doi:10.1016/0022-1694(70)90255-6
    """
    spread = sums["observed_square"] - sums["observed"] ** 2 / sums["days"].where(sums["days"] > 0)
    return 1 - sums["error_square"] / spread.where(spread > 0)


def kling_gupta(sums: xr.Dataset) -> xr.Dataset:
    """Kling-Gupta efficiency `kge` and its parts: correlation, ratio of deviations, ratio of means; 1 is perfect.

    source : Gupta et al. (2009), doi:10.1016/j.jhydrol.2009.08.003
    """
    days = sums["days"].where(sums["days"] > 0)
    observed, simulated = sums["observed"] / days, sums["simulated"] / days
    of_observed = xr.ufuncs.sqrt((sums["observed_square"] / days - observed**2).clip(min=0))
    of_simulated = xr.ufuncs.sqrt((sums["simulated_square"] / days - simulated**2).clip(min=0))
    known = of_observed.where(of_observed > 0)
    correlation = (sums["product"] / days - observed * simulated) / (known * of_simulated.where(of_simulated > 0))
    # A constant simulation follows nothing, so its correlation counts as none.
    correlation = xr.where((of_simulated == 0) & (of_observed > 0), 0.0, correlation)
    variability, bias = of_simulated / known, simulated / observed.where(observed > 0)
    kge = 1 - xr.ufuncs.sqrt((correlation - 1) ** 2 + (variability - 1) ** 2 + (bias - 1) ** 2)
    return xr.Dataset({"kge": kge, "correlation": correlation, "variability_ratio": variability, "mean_ratio": bias})


def volume_bias(sums: xr.Dataset, kind: str) -> xr.DataArray:
    """Simulated less observed volume on days of high or low flow, as a share of the observed; 0 is perfect.

    kind : high or low. Akin to the biases of high and low segments of flow-duration curves in Yilmaz et al. (2008),
        doi:10.1029/2007WR006716, but of the same days: a peak that comes a day late counts as missed
    """
    observed = sums[f"{kind}_observed"]
    return sums[f"{kind}_simulated"] / observed.where(observed > 0) - 1


def table(sums: xr.Dataset) -> xr.Dataset:
    """All scores: means over basins and leads, NSE by basin, and by lead where there are several."""
    nse = nash_sutcliffe(sums)
    parts = kling_gupta(sums)
    every = {
        "nse": nse,
        **parts.data_vars,
        **{f"{kind}_flow_bias": volume_bias(sums, kind) for kind in ("high", "low")},
    }
    found = {str(name): own.mean(("basin", "lead")) for name, own in every.items()}
    found["nse_by_basin"] = nse.mean("lead")
    if sums.sizes["lead"] > 1:
        found["nse_by_lead"] = nse.mean("basin")
    return xr.Dataset(found)
