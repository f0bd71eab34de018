"""Times as texts, numbers or dates of any kind: UTC, to the nanosecond; what is no time is refused by its line."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from geojax.data.readers.tables.cells import Missing, Rows, numbers
from geojax.errors import UserError
from geojax.store.encoding import NS

ISO = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d([.,]\d{1,9})?)?( ?(Z|[+-]\d\d(:?\d\d)?))?)?", re.ASCII)
OFFSET = re.compile(r"(Z|:\d\d([.,]\d+)? ?[+-]\d\d(:?\d\d)?)$")
SINCE = re.compile(rf"({'|'.join(NS)}) since (.+)")
FIRST, LAST = np.datetime64("1678-01-01"), np.datetime64("2262-01-01")  # what nanoseconds in 64 bits hold


def times(rows: Rows, columns: Sequence[str], form: str | None, timezone: str) -> np.ndarray:
    """Times of rows, datetime64[ns], UTC.

    columns : one, or several whose cells are joined by blanks, such as year, month, day
    form : as strftime has it, or `seconds since 1970-01-01`; None for ISO 8601
    timezone : of those that tell none themselves, as Europe/Vienna
    raises UserError : a cell is no such time, is missing, lies outside 1678 … 2261, or, for the change of the
        clocks, does not tell which of two times it is
    """
    cells = rows.columns[columns[0]]
    if since := SINCE.fullmatch(form or ""):
        return _since(rows, columns[0], since[1], since[2])
    if isinstance(cells, np.ndarray) and cells.dtype.kind == "M":
        return _ranged(rows, columns[0], cells)
    words = [" ".join(str(rows.columns[name][row]).strip() for name in columns) for row in range(len(rows.places))]
    if form is None:
        for row, word in enumerate(words):
            if not ISO.fullmatch(word):
                remedy = "Give `reader: options: time_format`, such as '%d.%m.%Y %H:%M', or mend the cell."
                raise rows.refuse(row, columns[0], "a time as 2024-05-10 or 2024-05-10T12:00:00Z", remedy)
    taken = [row for row, word in enumerate(words) if timezone != "UTC" and not OFFSET.search(word)]
    parsed = _parsed(rows, columns[0], words, form)
    if taken:
        parsed[taken] = _local(rows, columns[0], parsed[taken], taken, timezone)
    return _ranged(rows, columns[0], parsed)


def regular(path: Path, count: int, grid: Mapping[str, Any]) -> np.ndarray:
    """Times of rows that tell none: start, start + step, …

    grid : start, step as 1D or 15min, and end, exclusive, if the count of rows is to be checked
    raises UserError : it lacks one, or the file has too few or too many rows
    """
    try:
        start, step = moment(str(grid["start"])), np.timedelta64(pd.Timedelta(str(grid["step"])).value, "ns")
        end = moment(str(grid["end"])) if "end" in grid else None
    except (KeyError, ValueError) as error:
        raise UserError(f"reader: options: time: must have `start` and `step`, as 1D, but {error} is wrong.") from None
    if step <= np.timedelta64(0):
        raise UserError("reader: options: time: `step` must be longer than nothing.")
    if end is not None and start + count * step != end:
        required = int(np.ceil((end - start) / step))
        raise UserError(
            f"{path}: must have {required} rows from {grid['start']} to {grid['end']}, but has {count}. "
            "It may be truncated: fetch it again, or correct `reader: options: time`."
        )
    return start + np.arange(count) * step


def moment(text: str) -> np.datetime64:
    """A time of the configuration, UTC unless it says otherwise."""
    stamp = pd.Timestamp(text)
    return np.datetime64((stamp.tz_convert("UTC").tz_localize(None) if stamp.tz else stamp).as_unit("ns").value, "ns")


def within(found: np.ndarray, selection: Mapping[str, Any]) -> np.ndarray:
    """Which times belong to the part."""
    if "span" not in selection:
        return np.ones(found.shape, bool)
    first, end = (np.datetime64(str(edge), "ns") for edge in selection["span"])
    return (found >= first) & (found < end)


def shown(found: np.ndarray | np.datetime64) -> str:
    """A time, as short as it can be told, ending in Z."""
    return np.datetime_as_string(np.asarray(found), unit="auto").item() + "Z"


def _since(rows: Rows, column: str, unit: str, start: str) -> np.ndarray:
    values = numbers(rows, column, Missing.of(())).astype("float64")
    bad = ~(np.abs(values) < 9e18 / NS[unit])
    if bad.any():
        raise rows.refuse(int(bad.argmax()), column, "a number of " + unit, "Correct the file or `time_format`.")
    whole = np.floor(values)
    ns = whole.astype("int64") * NS[unit] + np.round((values - whole) * NS[unit]).astype("int64")
    coarse = moment(start).astype("M8[us]") + (ns // 1000).astype("m8[us]")
    _ranged(rows, column, coarse)
    return moment(start) + ns.astype("m8[ns]")


def _parsed(rows: Rows, column: str, words: list[str], form: str | None) -> np.ndarray:
    """Times as written, in UTC where they tell an offset."""
    found = pd.to_datetime(pd.Series(words, dtype=object), format=form or "ISO8601", utc=True, errors="coerce")
    if found.isna().any():
        row = int(found.isna().to_numpy().argmax())
        remedy = "Correct the file, or `reader: options: time` and `time_format`."
        raise rows.refuse(row, column, f"a time as {form or '2024-05-10T12:00:00Z'} between 1678 and 2261", remedy)
    return found.dt.tz_localize(None).to_numpy().copy()


def _local(rows: Rows, column: str, naive: np.ndarray, taken: list[int], timezone: str) -> np.ndarray:
    try:
        local = pd.DatetimeIndex(naive).tz_localize(timezone, ambiguous="NaT", nonexistent="NaT").tz_convert("UTC")
    except (KeyError, ValueError, OSError):
        raise UserError(f"reader: options: timezone: {timezone!r} must be a zone as Europe/Vienna, or UTC.") from None
    if local.hasnans:
        remedy = "The clocks change there: bring times in UTC, or with their offset."
        raise rows.refuse(taken[int(local.isna().argmax())], column, f"one time of {timezone}", remedy)
    return local.tz_localize(None).to_numpy()


def _ranged(rows: Rows, column: str, found: np.ndarray) -> np.ndarray:
    bad = ~((found >= FIRST) & (found < LAST))
    if bad.any():
        remedy = "Take the row out, or bring a table whose times lie there."
        raise rows.refuse(int(bad.argmax()), column, "a time between 1678 and 2261", remedy)
    return found.astype("datetime64[ns]")
