"""What a check of the audit tells: which examples, parts and times, in words."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import pandas as pd

from geojax.data.splits import rank


class Check(NamedTuple):
    """One kind of leak: what was looked at, what was found and what to do about it."""

    name: str
    passed: str | None  # what holds if nothing leaks; None if there was nothing to look at
    leaks: list[str] = []  # noqa: RUF012 (never appended to)
    mend: str = "mend `split`"


def torn_apart(index: pd.DataFrame, column: str) -> Iterator[tuple[Any, pd.DataFrame]]:
    """The rows of each value of `column` that stands in several splits."""
    distinct = index[[column, "split"]].dropna().drop_duplicates()
    several = distinct.loc[distinct[column].duplicated(), column].unique()
    yield from index[index[column].isin(several)].groupby(column, sort=False)


def in_order(splits: Iterable[str]) -> list[str]:
    """Names of splits, training first."""
    return sorted(splits, key=rank)


def names(parts: pd.Series) -> str:
    """The first few parts, and how many more there are."""
    every = list(map(str, parts.unique()))
    return ", ".join(every[:4]) + (f" and {len(every) - 4} more" if len(every) > 4 else "")


def each(rows: pd.DataFrame, beside: str = "") -> str:
    """The first row of each split among `rows`, by its place."""
    first = [next(own.itertuples()) for _, own in sorted(rows.groupby("split"), key=lambda pair: rank(pair[0]))]
    return " and ".join(f"{place(row)}{f' ({getattr(row, beside)})' if beside else ''} in {row.split}" for row in first)


def both(one: Any, two: Any) -> str:
    """Two examples, that of training first."""
    pair = sorted((one, two), key=lambda row: rank(row.split))
    return " and ".join(f"{place(row)} in {row.split}" for row in pair)


def place(row: Any) -> str:
    """Where an example stands: part, position in it and time."""
    where = f"part {row.part}" + (f" position {row.position}" if hasattr(row, "position") else "")
    return where + (f" at {clock(row.time)}" if pd.notna(row.time) else "")


def clock(time: pd.Timestamp) -> str:
    """A date, with the time of day where there is one."""
    return f"{time:%Y-%m-%d}" if time == time.normalize() else f"{time:%Y-%m-%d %H:%M:%S}"
