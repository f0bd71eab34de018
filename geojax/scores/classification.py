"""Scores of a classifier, from its confusion matrix."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr


def confusion(truth: np.ndarray, guess: np.ndarray, group: pd.Series, classes: tuple[str, ...]) -> xr.DataArray:
    """Counts (group, true, guessed) of integer labels (example,)."""
    names, code = np.unique(np.asarray(group), return_inverse=True)
    counts = np.zeros((len(names), len(classes), len(classes)))
    np.add.at(counts, (code, truth, guess), 1)
    coords = {"group": names, "true": list(classes), "guessed": list(classes)}
    return xr.DataArray(counts, coords, ("group", "true", "guessed"))


def adjacent_accuracy(counts: xr.DataArray, adjacent: Sequence[Sequence[int]]) -> xr.DataArray:
    """Share of examples whose guess is the true class or one that it grades into.

    counts : (…, true, guessed)
    adjacent : for each class the numbers of those it grades into
    source : Hall (2016), The Leading Edge 35, 906-909, doi:10.1190/tle35100906.1
    """
    admitted = np.eye(len(adjacent))
    for number, near in enumerate(adjacent):
        admitted[number, list(near)] = 1
    right = counts * xr.DataArray(admitted, dims=("true", "guessed"))
    return right.sum(("true", "guessed")) / counts.sum(("true", "guessed"))


def precision_recall_f1(counts: xr.DataArray) -> xr.Dataset:
    """Precision, recall and F1 of each class, their macro mean, and accuracy; all dimensionless.

    counts : (…, true, guessed)
    A class that is never guessed has precision 0, as in scikit-learn with zero_division=0.
    source : van Rijsbergen (1979), Information Retrieval, ch. 7; macro F1 is the mean of the classes' F1
    """
    true = counts.sum("guessed").rename(true="class")
    guessed = counts.sum("true").rename(guessed="class")
    hits = counts.sel(true=counts.true, guessed=xr.DataArray(counts.true.values, dims="true")).drop_vars("guessed")
    hits = hits.rename(true="class")
    f1 = 2 * hits / (true + guessed).where(true + guessed > 0, 1)
    return xr.Dataset(
        {
            "macro_f1": f1.mean("class"),
            "accuracy": hits.sum("class") / true.sum("class"),
            "precision": hits / guessed.where(guessed > 0, 1),
            "recall": hits / true.where(true > 0, 1),
            "f1": f1,
        }
    )
