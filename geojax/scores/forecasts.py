"""Scores of forecasts at several leads, from sums over groups."""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr


def sums(
    truth: np.ndarray,
    predicted: np.ndarray,
    reference: np.ndarray,
    group: np.ndarray,
    slices: Mapping[str, tuple[Sequence[str], np.ndarray]],
) -> xr.Dataset:
    """Squared errors of forecast and reference forecast, and their count: (group, *slices).

    truth, predicted, reference, group : any one shape; where truth or reference is NaN nothing is counted
    slices : dimension: its names, and which of them each forecast belongs to
    """
    known = np.isfinite(truth) & np.isfinite(reference)
    groups, code = np.unique(group, return_inverse=True)
    places = tuple(
        np.broadcast_to(own, truth.shape)[known]
        for own in (code.reshape(group.shape), *(p for _, p in slices.values()))
    )
    shape = (len(groups), *(len(names) for names, _ in slices.values()))
    content = {}
    for name, values in {
        "square": (predicted - truth) ** 2, "reference": (reference - truth) ** 2, "weight": np.ones(truth.shape),
    }.items():  # fmt: skip
        total = np.zeros(shape)
        np.add.at(total, places, values[known].astype("float64"))
        content[name] = (("group", *slices), total)
    return xr.Dataset(content, {"group": groups, **{name: list(names) for name, (names, _) in slices.items()}})


def skill(statistics: xr.Dataset) -> xr.DataArray:
    """Share of the reference forecast's mean square error that is avoided: 1 is perfect, 0 no better; dimensionless.

    statistics : as from `sums`, summed over what belongs together; NaN where there is no forecast
    source : Murphy (1988), doi:10.1175/1520-0493(1988)116<2417:SSBOTM>2.0.CO;2
    """
    return 1 - statistics["square"] / statistics["reference"].where(statistics["reference"] > 0)
