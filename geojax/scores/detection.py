"""Scores of a detector that gives each example a number, from counts over groups."""

import numpy as np
import xarray as xr


def counts(score: np.ndarray, event: np.ndarray, group: np.ndarray) -> xr.Dataset:
    """Events and others of each group by their score: `events` and `others` (group, threshold), threshold ascending.

    score : (example,), higher where an event is likelier; event : (example,), booleans; group : (example,)
    """
    groups, g = np.unique(group, return_inverse=True)
    values, v = np.unique(score, return_inverse=True)
    found = {}
    for name, own in (("events", event), ("others", ~event)):
        total = np.zeros((len(groups), len(values)))
        np.add.at(total, (g[own], v[own]), 1)
        found[name] = (("group", "threshold"), total)
    return xr.Dataset(found, {"group": groups, "threshold": values})


def roc_auc(statistics: xr.Dataset) -> xr.DataArray:
    """Probability that an event scores higher than another example, ties counting half; NaN without either.

    source : Hanley & McNeil (1982), doi:10.1148/radiology.143.1.7063747
    """
    events, others = statistics["events"], statistics["others"]
    below = others.cumsum("threshold") - 0.5 * others
    pairs = events.sum("threshold") * others.sum("threshold")
    return (events * below).sum("threshold") / pairs.where(pairs > 0)


def average_precision(statistics: xr.Dataset) -> xr.DataArray:
    """Mean over events of the precision at their score: the area under the steps of the precision-recall curve."""
    events, others = statistics["events"], statistics["others"]
    flagged_events = events.sum("threshold") - events.cumsum("threshold") + events
    flagged = flagged_events + others.sum("threshold") - others.cumsum("threshold") + others
    total = events.sum("threshold")
    return (events * flagged_events / flagged.where(flagged > 0, 1)).sum("threshold") / total.where(total > 0)


def sensitivity(statistics: xr.Dataset, false_alarms: float) -> xr.DataArray:
    """Largest share of events that is flagged while no more than a share `false_alarms` of the others is."""
    events, others = statistics["events"], statistics["others"]
    hit = (events.sum("threshold") - events.cumsum("threshold") + events) / events.sum("threshold")
    alarm = (others.sum("threshold") - others.cumsum("threshold") + others) / others.sum("threshold")
    return hit.where(alarm <= false_alarms + 1e-9, 0.0).max("threshold")
