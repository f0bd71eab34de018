"""Scores of continuous fields, from weighted sums."""

import numpy as np
import xarray as xr


def squared_error(
    truth: np.ndarray, predicted: np.ndarray, weight: np.ndarray, group: np.ndarray, slices: np.ndarray, name: str
) -> xr.Dataset:
    """Weighted sums (group, slice) of squared departures and of weights.

    truth, predicted, weight : (example, …); cells of weight 0 may be NaN
    group, slices : (example,); `name` is the dimension of the slices
    """
    departure = np.where(weight > 0, predicted - truth, 0.0)
    own = tuple(range(1, departure.ndim))
    groups, g = np.unique(group, return_inverse=True)
    cuts, c = np.unique(slices, return_inverse=True)
    square, total = np.zeros((2, len(groups), len(cuts)))
    np.add.at(square, (g, c), (weight * departure**2).sum(own))
    np.add.at(total, (g, c), weight.sum(own))
    coords = {"group": groups, name: cuts}
    return xr.Dataset({"square": (("group", name), square), "weight": (("group", name), total)}, coords)


def root_mean_square(statistics: xr.Dataset) -> xr.DataArray:
    """Root of the weighted mean square, in the units of the field.

    statistics : as from `squared_error`, summed over what belongs together
    """
    return xr.ufuncs.sqrt(statistics["square"] / statistics["weight"])
