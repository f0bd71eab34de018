"""The gate before training: what of one split stands in another, too, or tells of it."""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from geojax.data import likeness
from geojax.data.splits import SPLITS
from geojax.errors import UserError
from geojax.store.encoding import NS

SHOWN = 10  # leaks that a message lists
NEAR = 0.995  # correlation from which on two examples count as one, where the configuration says nothing
TRACES = ("trace", "station")  # columns that may say which instrument recorded an example
RAW = Mapping[str, Mapping[str, str]]  # digest of each raw file that a part alone was made from: part, file


class Check(NamedTuple):
    """One kind of leak: what was looked at, what was found and what to do about it."""

    name: str
    passed: str | None  # what holds if nothing leaks; None if there was nothing to look at
    leaks: list[str] = []  # noqa: RUF012 (never appended to)
    mend: str = "mend `split`"


def examine(index: pd.DataFrame, split: dict[str, Any], reference: list[str], raw: RAW | None = None) -> list[Check]:
    """Every check of a split.

    index : columns part, group, time and split, one row for each example; where the task gives them also position,
        end (time after its last sample), trace or station (unique to what recorded it), content (digest of the raw
        example) and fingerprint (from `geojax.data.likeness`)
    split : the dataset's section `split`
    reference : parts that the scaling was fitted on
    raises UserError : an example ends before it begins
    """
    if "end" in index and len(wrong := index[index["end"] < index["time"]]):
        row = next(wrong.itertuples())
        raise UserError(f"{_place(row)}: an example must end after it begins, but ends at {_clock(row.end)}.")
    return [
        _complete(index),
        _groups(index),
        _reference(index, reference),
        _embargo(index, split.get("embargo_days", 0)) if split["by"] == "time" else _traces(index, split),
        _raw(index, raw or {}),
        _content(index),
        _near(index, split.get("near_duplicates", NEAR)),
    ]


def refuse(checks: list[Check]) -> None:
    """Stop if anything leaks.

    raises UserError : it lists the leaks, each in one line, and says what to mend
    """
    found = [leak for check in checks for leak in check.leaks]
    if not found:
        return
    # Each kind is heard: no one kind may crowd out the others.
    fair = sorted((rank, i) for i, check in enumerate(checks) for rank in range(len(check.leaks)))[:SHOWN]
    lines = [checks[i].leaks[rank] for rank, i in sorted(fair, key=lambda place: (place[1], place[0]))]
    more = [f"… and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
    mends = ", ".join(dict.fromkeys(check.mend for check in checks if check.leaks))
    raise UserError("the split leaks:\n  " + "\n  ".join([*lines, *more]) + f"\nWhat helps: {mends}.")


def summary(checks: list[Check]) -> dict[str, list[str]]:
    """For the index's manifest: what holds, by the checks that ran, and the names of those that could not."""
    return {
        "passed": [check.passed for check in checks if check.passed],
        "not_looked_for": [check.name for check in checks if check.passed is None],
    }


def _complete(index: pd.DataFrame) -> Check:
    absent = [f"split {name!r} has no examples" for name in SPLITS if not (index["split"] == name).any()]
    return Check("empty splits", f"every split has examples, {len(index)} in all", absent)


def _groups(index: pd.DataFrame) -> Check:
    leaks = [
        f"group {group} stands in {' and '.join(_ordered(own['split'].unique()))} (parts {_names(own['part'])})"
        for group, own in _torn(index, "group")
    ]
    return Check("shared groups", f"no group stands in two splits ({index['group'].nunique()} groups)", leaks)


def _reference(index: pd.DataFrame, reference: list[str]) -> Check:
    inside = set(index["part"]) - set(index.loc[index["split"] != "train", "part"])
    leaks = [
        f"part {part} is a reference of the scaling but not in the training split"
        for part in reference
        if part not in inside
    ]
    words = f"no reference part of the scaling lies outside training ({len(reference)} parts)"
    return Check("references outside training", words, leaks, "mend `split` or `scaling: reference`")


def _embargo(index: pd.DataFrame, days: int) -> Check:
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
        where = f"part {last['part']} ends {_clock(last['end'])}, part {first['part']} begins {_clock(first['time'])}"
        if gap < pd.Timedelta(0):
            leaks.append(f"{earlier} and {later} overlap in time: {where}")
        else:
            leaks.append(f"{gap.days} days lie between {earlier} and {later}; more than {days} are required: {where}")
    words = f"more than {days} days lie between one split and the next" if days else "no two splits overlap in time"
    return Check("splits too near in time", words, leaks, "mend `split`, with an `embargo_days` that the data keep")


def _traces(index: pd.DataFrame, split: dict[str, Any]) -> Check:
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
    kind = pd.Categorical(rows["split"], SPLITS).codes
    opens = np.maximum.accumulate(np.where(np.diff(trace, prepend=-1) != 0, np.arange(len(rows)), 0))
    pairs = []
    for other in range(len(SPLITS)):
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
        leaks.append(f"windows of {column} {getattr(one, column)} {apart} each other: {_both(one, two)}{also}")
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


def _raw(index: pd.DataFrame, raw: RAW) -> Check:
    if not any(raw.values()):
        return Check("raw files told twice", None)
    files = pd.DataFrame(
        [(part, name, digest) for part, own in raw.items() for name, digest in own.items()],
        columns=["part", "raw_name", "raw_digest"],
    )
    rows = index.drop_duplicates(["part", "split"]).merge(files, on="part")
    torn = [own for _, own in _torn(rows, "raw_digest") if own["part"].nunique() > 1]  # no part is a copy of itself
    leaks = [f"the same raw file: {_each(own, 'raw_name')}" for own in torn]
    words = f"no raw file stands in two splits, by its digest ({files['raw_digest'].nunique()} files)"
    return Check("raw files told twice", words, leaks, "take one of the copies out of the raw files")


def _content(index: pd.DataFrame) -> Check:
    if "content" not in index:
        return Check("the same content twice", None)
    leaks = [f"the same content: {_each(own)}" for _, own in _torn(index, "content")]
    words = f"no raw example stands in two splits, by the digest of its content ({index['content'].nunique()} examples)"
    return Check("the same content twice", words, leaks, "take one of the copies out of the raw files")


def _near(index: pd.DataFrame, least: float | None) -> Check:
    if "fingerprint" not in index or least is None:
        return Check("near-duplicates", None)
    rows = index[~index["fingerprint"].map(id).duplicated()].dropna(subset="fingerprint")  # repeated rows share it
    found, compared, flat = likeness.pairs(rows["fingerprint"], rows["split"], least)
    leaks = []
    for pair in found:
        one, other = (next(rows.iloc[[place]].itertuples()) for place in (pair.one, pair.other))
        if "content" in index and one.content == other.content:
            continue  # told as the same
        several = max(np.ndim(one.fingerprint), np.ndim(other.fingerprint)) > 1
        pieces = f" (piece {pair.piece_of_one} of one, {pair.piece_of_other} of the other)" if several else ""
        leaks.append(f"nearly the same content, correlation {pair.correlation:.4f}: {_both(one, other)}{pieces}")
    words = f"no two examples of different splits correlate by {least} or more, by {compared} fingerprints"
    words += f", of which {flat} are of constant or empty examples and say nothing" if flat else ""
    mend = "take one of the copies out of the raw files, or let `split: near_duplicates` say how alike examples may be"
    return Check("near-duplicates", words, leaks, mend)


def _torn(index: pd.DataFrame, column: str) -> Iterator[tuple[Any, pd.DataFrame]]:
    """The rows of each value of `column` that stands in several splits."""
    distinct = index[[column, "split"]].dropna().drop_duplicates()
    several = distinct.loc[distinct[column].duplicated(), column].unique()
    yield from index[index[column].isin(several)].groupby(column, sort=False)


def _ends(index: pd.DataFrame) -> pd.Series:
    return index["end"].fillna(index["time"]) if "end" in index else index["time"]


def _ns(times: pd.Series) -> np.ndarray:
    return times.to_numpy("datetime64[ns]").astype("int64")


def _ordered(names: Any) -> list[str]:
    return sorted(names, key=SPLITS.index)


def _names(parts: pd.Series) -> str:
    names = list(map(str, parts.unique()))
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _each(rows: pd.DataFrame, beside: str = "") -> str:
    """The first row of each split among `rows`, by its place."""
    first = [next(own.itertuples()) for _, own in sorted(rows.groupby("split"), key=lambda pair: SPLITS.index(pair[0]))]
    return " and ".join(
        f"{_place(row)}{f' ({getattr(row, beside)})' if beside else ''} in {row.split}" for row in first
    )


def _both(one: Any, two: Any) -> str:
    ordered = sorted((one, two), key=lambda row: SPLITS.index(row.split))
    return " and ".join(f"{_place(row)} in {row.split}" for row in ordered)


def _place(row: Any) -> str:
    where = f"part {row.part}" + (f" position {row.position}" if hasattr(row, "position") else "")
    return where + (f" at {_clock(row.time)}" if pd.notna(row.time) else "")


def _clock(time: pd.Timestamp) -> str:
    """A date, with the time of day where there is one."""
    return f"{time:%Y-%m-%d}" if time == time.normalize() else f"{time:%Y-%m-%d %H:%M:%S}"
