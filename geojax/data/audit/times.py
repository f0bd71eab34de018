"""Examples of different splits that overlap in time or lie too near."""

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from geojax.data.audit.telling import Check, both, clock
from geojax.data.splits import rank
from geojax.store.encoding import NS

TRACES = ("trace", "station")  # columns that may say which instrument recorded an example


def embargo(index: pd.DataFrame, days: int) -> Check:
    """For a split by time: from the end of the last example of one split to the first of the next."""
    index = index[["part", "time", "split"]].assign(end=_ends(index)).dropna(subset="time").reset_index(drop=True)
    earliest = {name: own.loc[own["time"].idxmin()] for name, own in index.groupby("split")}
    latest = {name: own.loc[own["end"].idxmax()] for name, own in index.groupby("split")}
    leaks = []
    for earlier, later in pairwise(sorted(earliest, key=lambda name: earliest[name]["time"])):
        last, first = latest[earlier], earliest[later]
        gap = first["time"] - last["end"]
        if gap > pd.Timedelta(days=days):
            continue
        where = f"part {last['part']} ends {clock(last['end'])}, part {first['part']} begins {clock(first['time'])}"
        if gap < pd.Timedelta(0):
            leaks.append(f"{earlier} and {later} overlap in time: {where}")
        else:
            leaks.append(f"{gap.days} days lie between {earlier} and {later}; more than {days} are required: {where}")
    words = f"more than {days} days lie between one split and the next" if days else "no two splits overlap in time"
    return Check("splits too near in time", words, leaks, "mend `split`, with an `embargo_days` that the data keep")


def traces(index: pd.DataFrame, split: dict[str, Any]) -> Check:
    """For a split by group: windows of one trace in two splits that overlap, or come nearer than the embargo.

    Sorted by time, the latest end of another split so far is all that a window needs to be compared with.
    """
    name, days = "windows of one trace in two splits", split.get("embargo_days", 0)
    column = next((each for each in TRACES if each in index), None)
    if column is None:
        return Check(name, None)
    kept = [each for each in (column, "part", "position", "time", "split") if each in index]
    rows = index[kept].assign(end=_ends(index)).dropna(subset=[column, "time"])
    rows = rows.iloc[np.lexsort((_ns(rows["time"]), pd.factorize(rows[column])[0]))]
    start, trace = _ns(rows["time"]), pd.factorize(rows[column])[0]
    end = _ns(rows["end"])
    kinds = sorted(rows["split"].unique(), key=rank)
    kind = pd.Categorical(rows["split"], kinds).codes
    opens = np.maximum.accumulate(np.where(np.diff(trace, prepend=-1) != 0, np.arange(len(rows)), 0))
    pairs = []
    for other in range(len(kinds)):
        held = _latest(end, kind == other, opens)
        near = (held >= 0) & (kind != other)
        before = held[near]
        near[near] = start[near] < np.maximum(end[before] + days * NS["days"], start[before] + 1)  # or the same moment
        pairs.append(np.stack([held[near], np.flatnonzero(near)], 1))
    found = pd.DataFrame(np.concatenate(pairs), columns=["first", "second"])
    found["trace"] = trace[found["first"]]
    found["splits"] = [tuple(sorted(each)) for each in zip(kind[found["first"]], kind[found["second"]], strict=True)]
    leaks = []
    for _, own in found.sort_values("second").groupby(["trace", "splits"], sort=False):
        one, two = (next(rows.iloc[[own[side].iloc[0]]].itertuples()) for side in ("first", "second"))
        also = f", and {len(own) - 1} more of it" if len(own) > 1 else ""
        apart = f"lie less than {days} days from" if days else "overlap"
        leaks.append(f"windows of {column} {getattr(one, column)} {apart} each other: {both(one, two)}{also}")
    words = f"come within {days} days of each other" if days else "overlap in time"
    words = f"no windows of one {column} in two splits {words} ({rows[column].nunique()} of them)"
    return Check(name, words, leaks, "mend `split`, so that a stretch of a trace stands in one split")


def _latest(end: np.ndarray, mine: np.ndarray, opens: np.ndarray) -> np.ndarray:
    """For each row, which earlier row of its trace among `mine` ends last; -1 for none.

    opens : for each row, the first row of its trace
    """
    # Each trace lies above all before it, so that one running maximum serves for all traces.
    low, order = end.min(initial=0), np.unique(opens, return_inverse=True)[1]
    rank = np.unique(end - low, return_inverse=True)[1] + order * (len(end) + 1)
    best = np.maximum.accumulate(np.where(mine, rank, -1))
    record = mine & (rank == best)
    held = np.maximum.accumulate(np.where(record, np.arange(len(end)), -1))
    held = np.concatenate([[-1], held[:-1]])  # earlier rows only
    return np.where(held >= opens, held, -1)


def _ends(index: pd.DataFrame) -> pd.Series:
    return index["end"].fillna(index["time"]) if "end" in index else index["time"]


def _ns(times: pd.Series) -> np.ndarray:
    return times.to_numpy("datetime64[ns]").astype("int64")
