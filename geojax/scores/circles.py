"""Scores of objects that are found or missed, from counts."""

import numpy as np
import pandas as pd
import xarray as xr

SIZES = {"under 10 px": (0, 10), "10-16 px": (10, 16), "16-24 px": (16, 24), "over 24 px": (24, np.inf)}
KINDS = {"hits": "hit", "false": "false", "missed": "missed"}


def counts(found: pd.DataFrame) -> xr.Dataset:
    """Sums (group, diameter) of hits, of what is false and missed, and of the hits' departures in diameter.

    found : columns group, kind (hit, false, missed), radius in pixels, of what is true unless it is false, and
        found_radius
    """
    groups, code = np.unique(found["group"].to_numpy(str), return_inverse=True)
    edges = [low for low, _ in SIZES.values()]
    size = np.searchsorted(edges, 2 * found["radius"].to_numpy(), side="right") - 1
    shape = (len(groups), len(SIZES))
    sums = {name: np.zeros(shape) for name in (*KINDS, "departure")}
    for name, kind in KINDS.items():
        own = (found["kind"] == kind).to_numpy()
        np.add.at(sums[name], (code[own], size[own]), 1)
    hit = (found["kind"] == "hit").to_numpy()
    departure = np.abs(found["found_radius"] / found["radius"] - 1).to_numpy()
    np.add.at(sums["departure"], (code[hit], size[hit]), departure[hit])
    dims = ("group", "diameter")
    return xr.Dataset({k: (dims, v) for k, v in sums.items()}, {"group": groups, "diameter": list(SIZES)})


def scores(sums: xr.Dataset) -> xr.Dataset:
    """F1, precision, recall and relative error of diameters over all, and F1 and recall by diameter.

    sums : as from `counts`, (…, diameter)
    """
    whole = sums.sum("diameter")
    error = whole["departure"] / whole["hits"].where(whole["hits"] > 0, 1)
    own = precision_recall_f1(sums)
    by_size = {"f1_by_diameter": own["f1"], "recall_by_diameter": own["recall"]}
    return precision_recall_f1(whole).assign({"diameter_error": error} | by_size)


def precision_recall_f1(counts: xr.Dataset) -> xr.Dataset:
    """Share of what was found that is true, of what is true that was found, and their harmonic mean; dimensionless.

    counts : `hits`, `false` (found, not true) and `missed` (…)
    Where nothing was found precision is 0, and where there is nothing to be found so is recall.
    source : van Rijsbergen (1979), Information Retrieval, ch. 7
    """
    hits, false, missed = counts["hits"], counts["false"], counts["missed"]
    found, true = hits + false, hits + missed
    return xr.Dataset(
        {
            "f1": 2 * hits / (found + true).where(found + true > 0, 1),
            "precision": hits / found.where(found > 0, 1),
            "recall": hits / true.where(true > 0, 1),
        }
    )


def curve(hit: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Precision and recall of the first one found, the first two, …

    hit : (found,), best first, whether it is true; count : of true ones
    """
    true = np.cumsum(hit)
    return true / np.arange(1, len(hit) + 1), true / max(count, 1)
