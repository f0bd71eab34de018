"""Intervals from resampling whole groups: examples of one group are not independent of one another."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import xarray as xr

from geojax.errors import UserError

Function = Callable[[xr.Dataset], xr.Dataset]
LEVEL = (0.025, 0.975)
FEWEST = 5  # groups; the percentiles of draws from fewer are hardly more than their extremes


def resample(statistics: xr.Dataset, resamples: int, seed: int) -> xr.Dataset:
    """Sums over groups drawn with replacement: dimension `group` becomes `resample`.

    The bootstrap of Efron (1979), doi:10.1214/aos/1176344552, over groups. Statistics with a coordinate
    `stratum` along `group` are drawn within each stratum. The same seed draws the same groups, so that
    methods are compared in pairs.
    """
    generator = np.random.default_rng(seed)
    count = statistics.sizes["group"]
    strata = statistics["stratum"].values if "stratum" in statistics.coords else np.zeros(count, int)
    weights = np.zeros((resamples, count))
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        weights[:, members] = generator.multinomial(len(members), np.full(len(members), 1 / len(members)), resamples)
    drawn = xr.DataArray(weights, dims=("resample", "group"))
    return statistics.drop_vars("stratum", errors="ignore").map(lambda sums: xr.dot(drawn, sums, dim="group"))


def table(statistics: dict[str, xr.Dataset], score: Function, resamples: int, seed: int) -> pd.DataFrame:
    """Scores of every method, with 95 % intervals and paired differences from the model.

    statistics : sums (group, …) of "model" and of each baseline
    returns : one row for each method, score and slice: value, low, high, and for a baseline
        difference (model minus baseline), difference_low, difference_high
    raises UserError : a sum is not finite: left out, it would count as no error at all
    """
    for name, sums in statistics.items():
        if not all(np.isfinite(sums[variable]).all() for variable in sums.data_vars):
            raise UserError(f"{name}: predictions must be finite wherever they are scored, but some are not.")
    values = {name: score(s.drop_vars("stratum", errors="ignore").sum("group")) for name, s in statistics.items()}
    draws = {name: score(resample(s, resamples, seed)) for name, s in statistics.items()}
    rows = [_rows(name, str(variable), values, draws) for name in statistics for variable in values[name].data_vars]
    return pd.concat(rows, ignore_index=True)


def within_blocks(statistics: xr.Dataset, index: pd.DataFrame, unit: str = "station") -> xr.Dataset:
    """Statistics (group, …) whose groups, rows of the column `unit`, are drawn within the blocks that `group` names."""
    block = index.drop_duplicates(unit).set_index(unit)["group"]
    return statistics.assign_coords(stratum=("group", block.loc[statistics["group"].values].values))


def doubt(statistics: xr.Dataset) -> str | None:
    """Why intervals from so few groups mean little; None if they mean what they say.

    A stratum of one group is drawn as it is each time, so it adds nothing to what varies.
    """
    count = statistics.sizes["group"]
    strata = np.unique(statistics["stratum"].values).size if "stratum" in statistics.coords else 1
    if count - strata + 1 >= FEWEST:
        return None
    within = f" in {strata} strata" if strata > 1 else ""
    return (
        f"The intervals rest on {count} test groups{within}, too few to resample: at least {FEWEST} are needed. "
        "They tell less than what is uncertain."
    )


def _rows(name: str, variable: str, values: dict[str, xr.Dataset], draws: dict[str, xr.Dataset]) -> pd.DataFrame:
    own, drawn = values[name][variable], draws[name][variable]
    low, high = _interval(drawn)
    columns = {"value": own, "low": low, "high": high}
    if name != "model":
        difference = values["model"][variable] - own
        low, high = _interval(draws["model"][variable] - drawn)
        columns |= {"difference": difference, "difference_low": low, "difference_high": high}
    flat = xr.Dataset({key: array.drop_attrs() for key, array in columns.items()})
    frame = flat.to_dataframe().reset_index() if own.dims else pd.DataFrame([{k: float(v) for k, v in flat.items()}])
    dims = [str(d) for d in own.dims]
    where = frame[dims].astype(str).agg(", ".join, axis=1) if dims else "all"
    keep = ["value", "low", "high", *(c for c in frame if c.startswith("difference"))]
    return frame[keep].assign(method=name, score=variable, slice=where, dimension=", ".join(dims))


def _interval(drawn: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
    with np.errstate(invalid="ignore"):
        both = drawn.quantile(list(LEVEL), "resample", skipna=True)
    return both.isel(quantile=0, drop=True), both.isel(quantile=1, drop=True)
