"""Scores of a clustering, from sums over groups of examples."""

import numpy as np
import pandas as pd
import xarray as xr


def contingency(
    truth: np.ndarray, cluster: np.ndarray, group: pd.Series, classes: tuple[str, ...], clusters: int
) -> xr.DataArray:
    """Counts (group, true, cluster) of integer labels (example,)."""
    names, code = np.unique(np.asarray(group), return_inverse=True)
    counts = np.zeros((len(names), len(classes), clusters))
    np.add.at(counts, (code, truth, cluster), 1)
    coords = {"group": names, "true": list(classes), "cluster": np.arange(clusters)}
    return xr.DataArray(counts, coords, ("group", "true", "cluster"))


def adjusted_rand(counts: xr.DataArray) -> xr.DataArray:
    """Adjusted Rand index: of all pairs of examples, how many are together, or apart, in both partitions, so that
    chance gives 0 in the mean and equal partitions 1; dimensionless.

    counts : (…, true, cluster). An example drawn twice pairs with itself: of n examples that is a share of 1 / n.
    source : Hubert and Arabie (1985), doi:10.1007/BF01908075
    """
    both = _pairs(counts).sum(("true", "cluster"))
    true, found = _pairs(counts.sum("cluster")).sum("true"), _pairs(counts.sum("true")).sum("cluster")
    every = _pairs(counts.sum(("true", "cluster")))
    expected = true * found / every.where(every > 0, 1)
    room = (true + found) / 2 - expected
    return xr.where(room == 0, 1.0, (both - expected) / room.where(room != 0, 1))  # both of one, or both of singles


def silhouettes(values: np.ndarray, cluster: np.ndarray) -> np.ndarray:
    """Silhouette (example,) of each example among all: 1 deep inside its cluster, 0 between two, below in a wrong one.

    values : (example, feature), with Euclidean distances; a single cluster gives zeros
    source : Rousseeuw (1987), doi:10.1016/0377-0427(87)90125-7
    """
    from sklearn.metrics import silhouette_samples

    if not 1 < len(np.unique(cluster)) < len(cluster):
        return np.zeros(len(cluster))
    return np.asarray(silhouette_samples(values, cluster), "float64")


def _pairs(count: xr.DataArray) -> xr.DataArray:
    return count * (count - 1) / 2
