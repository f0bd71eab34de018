"""Tables: CSV and other delimited text (plain or gzip), Parquet, SQLite.

A gauge, with dates in local time:

    reader:
      name: table
      variables: {discharge: {name: Q, units: m3 s-1, standard_name: water_volume_transport_in_river_channel}}
      options: {time: date, time_format: "%d.%m.%Y", timezone: Europe/Berlin, comment: "#"}

A catalogue of events, one row each; `text` and `coordinates` become coordinates beside the time:

    options:
      rows: event
      time: time
      text: [event_type]
      coordinates: {latitude: {units: degrees_north}, longitude: {units: degrees_east}}

A network on time × station: `index: [time, station]`, `text: {station: GAUGE_ID}`. Wells, whose depths differ, as rows:
`rows: sample`, `index: [well, depth]`, `text: {well: Well Name}`, `coordinates: {depth: {name: Depth, units: ft}}`.
Values without times, a line for each day, a file for each gauge: `columns: [q]`, `skiprows: 3`,
`time: {start: 1989-11-01, step: 1D, end: 2021-01-01}`, `from_name: {station: "lahn_(.*)_obs"}`,
`index: [time, station]`. A database: `query: "SELECT time, mag FROM earthquake WHERE mag >= 5 ORDER BY time"`.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from geojax.data.findings import Finding
from geojax.data.readers.tables import cells, dates
from geojax.data.readers.tables.cells import Rows
from geojax.data.readers.tables.columns import Columns, Plan
from geojax.data.readers.tables.files import Layout, csv_rows, form_of, parquet_rows
from geojax.data.readers.tables.rows import arrange
from geojax.data.readers.tables.sqlite import sqlite_rows
from geojax.errors import UserError


def read(
    files: Mapping[str, Path],
    selection: Mapping[str, Any],
    variables: Mapping[str, Mapping[str, Any]],
    *,
    format: str | None = None,
    delimiter: str | None = None,
    decimal: str = ".",
    comment: str | None = None,
    skiprows: int = 0,
    encoding: str = "utf-8",
    columns: Sequence[str] | None = None,
    table: str | None = None,
    query: str | None = None,
    time: str | Sequence[str] | Mapping[str, Any] | None = None,
    time_format: str | None = None,
    timezone: str = "UTC",
    index: Sequence[str] | None = None,
    rows: str | None = None,
    text: Sequence[str] | Mapping[str, str] = (),
    coordinates: Mapping[str, Mapping[str, Any]] | None = None,
    from_name: Mapping[str, str] | None = None,
    integers: Sequence[str] = (),
    missing: Sequence[Any] | Mapping[str, Sequence[Any]] = (),
) -> xr.Dataset:
    """Read columns as variables: float64 (float32 if the file has it so), int64 where declared; NaN where missing.

    files : those of one part; their rows follow one another
    selection : rows of the span, by their time; rows of the stations, by their station, well or basin
    format : csv, parquet or sqlite, if the file's ending does not tell
    delimiter : of a text table; `whitespace` for any blanks. decimal, comment, skiprows, encoding : likewise
    columns : their names, where the file has no header line
    table, query : what of an SQLite database is read
    time : its column; or several that are joined by blanks; or {start, step, end} where no column tells it
    time_format : as strftime, or `seconds since 1970-01-01`; else ISO 8601
    timezone : of times that tell none
    index : names whose values together are the key of a row, one row each: the dimensions; else `time`
    rows : name of the one dimension, where rows stay a list and `index`, if any, only forbids a second copy
    text : coordinates of words; columns, or name: column
    coordinates : coordinates of numbers, described as variables are
    from_name : coordinate of words: the group of a regular expression found in the file's name
    integers : variables and coordinates kept as whole numbers of 64 bits, none missing
    missing : words and numbers that stand for no value; or variable: those
    returns : on `rows`, or on the dimensions of `index`, of which several are in ascending order
    raises UserError : a cell is not what it must be, a line is too short or too long, a column is missing, a key stands
        twice, a value lies outside its valid range, a file is cut short, nothing belongs to the part
    """
    plan = Plan.of(variables, time, index, rows, text, coordinates or {}, from_name or {}, integers, missing)
    layout = Layout(delimiter, comment, skiprows, encoding, columns, isinstance(time, Mapping))
    found: list[Finding] = []

    def unproven(path: Path, where: str, words: str) -> None:
        found.append(Finding("unproven", str(path), "all", 1, where, words))

    def blocks(path: Path) -> Iterator[Rows]:
        match form_of(path, format):
            case "csv":
                return csv_rows(path, plan.wanted, layout, unproven)
            case "parquet":
                return parquet_rows(path, plan.wanted, plan.units)
        return sqlite_rows(path, plan.wanted, table, query)

    taken = Columns(plan)
    for path in files.values():
        count = 0
        for block in blocks(path):
            taken.add(block, _values(plan, block, time_format, timezone, decimal, count), selection)
            count += len(block.places)
        if isinstance(time, Mapping):
            dates.regular(path, count, time)
    data = taken.together(", ".join(str(path) for path in list(files.values())[:3]), selection)
    arranged = arrange(plan, data, found)
    arranged.attrs["quality"] = [finding.plain() for finding in found]
    return arranged


def _values(
    plan: Plan, block: Rows, time_format: str | None, timezone: str, decimal: str, before: int
) -> dict[str, np.ndarray]:
    """Each wanted name's values in some rows."""
    found: dict[str, np.ndarray] = {}
    if isinstance(plan.time, Mapping):
        without_end = {key: value for key, value in plan.time.items() if key != "end"}
        found["time"] = dates.regular(block.path, before + len(block.places), without_end)[before:]
    elif plan.time:
        found["time"] = dates.times(block, plan.time, time_format, timezone)
    for name, column in plan.text.items():
        found[name] = cells.texts(block, column, plan.missing_of(name))
    for name, expression in plan.from_name.items():
        if not (match := expression.search(block.path.name)):
            raise UserError(
                f"{block.path}: the name must match {expression.pattern!r}, which tells `{name}`. "
                "Correct `reader: options: from_name`."
            )
        found[name] = np.full(len(block.places), match[1])
    for name, wanted in plan.numbers.items():
        column = wanted.get("name") or name
        if name in plan.integers:
            found[name] = cells.integers(block, column)
        else:
            found[name] = cells.numbers(block, column, plan.missing_of(name), decimal)
        _check_range(block, column, found[name], wanted.get("valid_range"))
    return found


def _check_range(block: Rows, column: str, values: np.ndarray, valid: Sequence[float] | None) -> None:
    if valid and (outside := (values < valid[0]) | (values > valid[1])).any():
        remedy = f"So are {int(outside.sum())} rows. If it stands for none, name it under `reader: options: missing`."
        raise block.refuse(int(outside.argmax()), column, f"in {valid[0]} … {valid[1]}", remedy)
