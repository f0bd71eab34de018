"""Rows of CSV and Parquet files, some at a time, each file proven whole as far as its format tells."""

import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from geojax.data.readers.tables.cells import Rows
from geojax.errors import UserError

AT_ONCE = 65_536  # rows
ENDINGS = {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".dat": "csv", ".asc": "csv", ".parquet": "parquet",
           ".pq": "parquet", ".db": "sqlite", ".sqlite": "sqlite", ".sqlite3": "sqlite"}  # fmt: skip


def form_of(path: Path, form: str | None) -> str:
    """csv, parquet or sqlite, by the ending of the file's name unless the configuration says it."""
    found = form or ENDINGS.get(Path(path.name.removesuffix(".gz")).suffix.lower())
    if found not in ("csv", "parquet", "sqlite"):
        raise UserError(
            f"{path}: `reader: options: format` must be csv, parquet or sqlite, but is {found or 'not told'}."
        )
    if not path.is_file():
        raise UserError(f"{path}: the raw file must exist, but does not. Put it there, or mend `source`.")
    return found


class Lines:
    """Lines of a text file without comments; `number` counts all, `ended` tells whether the last one is whole."""

    def __init__(self, path: Path, file: io.TextIOBase, comment: str | None, skip: int) -> None:
        self.path, self.file, self.comment, self.skip = path, file, comment, skip
        self.number, self.ended = 0, True

    def __iter__(self) -> Iterator[str]:
        for line in self.file:
            self.number += 1
            self.ended = line[-1] in "\r\n"
            if "\0" in line:
                raise UserError(
                    f"{self.path}: line {self.number}: must be text, but holds a zero byte. Fetch it again."
                )
            if self.number > self.skip and not (self.comment and line.startswith(self.comment)):
                yield line


@dataclass(frozen=True)
class Layout:
    """How a text table is written; `counts`: a row's time is its count, so that no line may be empty."""

    delimiter: str | None
    comment: str | None
    skiprows: int
    encoding: str
    columns: Sequence[str] | None
    counts: bool


def csv_rows(path: Path, wanted: Sequence[str], layout: Layout, unproven: Any) -> Iterator[Rows]:
    """Rows of a text table, plain or gzip.

    raises UserError : it is no text of that encoding, lacks a column, or has a line too short or too long
    """
    with path.open("rb") as file:
        opener = gzip.open if file.read(2) == b"\x1f\x8b" else open
    delimiter = layout.delimiter or ("\t" if path.name.removesuffix(".gz").lower().endswith(".tsv") else ",")
    try:
        with opener(path, "rb") as raw, io.TextIOWrapper(raw, layout.encoding, newline="") as file:  # type: ignore[arg-type]
            lines = Lines(path, file, layout.comment, layout.skiprows)
            cells = (
                map(str.split, lines)
                if delimiter == "whitespace"
                else csv.reader(lines, delimiter=delimiter, strict=True, skipinitialspace=True)
            )
            names = [cell.strip() for cell in layout.columns or next(cells, [])]
            names[:1] = [name.lstrip("\ufeff") for name in names[:1]]
            positions(path, names, wanted)
            yield from _blocks(path, cells, lines, names, wanted, layout.counts or len(names) == 1)
    except (UnicodeError, LookupError, csv.Error, zlib.error, OSError, EOFError, TypeError) as error:
        raise UserError(
            f"{path}: must be a whole text table in {layout.encoding}, but is not ({type(error).__name__}: {error}). "
            "Correct `reader: options: encoding` or `delimiter`, or fetch it again."
        ) from error
    if not lines.ended:
        unproven(path, f"line {lines.number}", "the last line has no end, so its last value may be cut")


def _blocks(
    path: Path, cells: Iterator[list[str]], lines: Lines, names: list[str], wanted: Sequence[str], every: bool
) -> Iterator[Rows]:
    """Rows in blocks; `every` line must hold one, but for empty lines at the end of the file."""
    places = {column: names.index(column) for column in wanted}
    empty = 0
    block: list[list[str]] = []
    numbers: list[int] = []

    def rows() -> Rows:
        return Rows(path, "line", np.array(numbers), {name: [row[i] for row in block] for name, i in places.items()})

    for row in cells:
        if not row:
            empty = empty or lines.number
            continue
        if len(row) != len(names):
            raise UserError(
                f"{path}: line {lines.number}: must have {len(names)} cells ({', '.join(names[:12])}), "
                f"but has {len(row)}. Mend the line, or fetch the file again."
            )
        if every and empty:
            raise UserError(
                f"{path}: line {empty}: must have {len(names)} cells, but is empty. Fill it or take it out."
            )
        block.append(row)
        numbers.append(lines.number)
        if len(block) == AT_ONCE:
            yield rows()
            block, numbers = [], []
    if block:
        yield rows()


def positions(path: Path, names: Sequence[str], wanted: Sequence[str]) -> dict[str, int]:
    """Where each wanted column stands.

    raises UserError : a column is not there, or there more than once
    """
    for column in wanted:
        if (count := list(names).count(column)) != 1:
            there = ", ".join(map(str, names[:30])) or "no columns"
            raise UserError(
                f"{path}: must have one column `{column}`, but has {count or 'none'}; it has {there}. "
                "Correct the name, or `reader: options`."
            )
    return {column: list(names).index(column) for column in wanted}


def parquet_rows(path: Path, wanted: Sequence[str], units: Mapping[str, str]) -> Iterator[Rows]:
    """Rows of a Parquet file; units that a column's metadata tell must be the declared.

    raises UserError : it cannot be read, lacks a column, or tells other units
    """
    try:
        with pq.ParquetFile(path) as file:
            positions(path, file.schema_arrow.names, wanted)
            for column in wanted:
                told = (file.schema_arrow.field(column).metadata or {}).get(b"units", b"").decode()
                if column in units and told and told != units[column]:
                    raise UserError(
                        f"{path}: `{column}` must be in {units[column]!r}, but the file says {told!r}. "
                        "Correct `reader: variables: units`, or convert the file."
                    )
            first = 1
            for batch in file.iter_batches(AT_ONCE, columns=list(wanted)):
                cells = {name: _cells_of(batch.column(name)) for name in wanted}
                yield Rows(path, "row", np.arange(first, first + batch.num_rows), cells)
                first += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        raise UserError(
            f"{path}: must be a whole Parquet file, but is not ({' '.join(str(error).split())[:200]}). Fetch it again."
        ) from error


def _cells_of(array: Any) -> Sequence[Any]:
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    dated = pa.types.is_timestamp(array.type) or pa.types.is_date(array.type)
    if dated or pa.types.is_float32(array.type) or pa.types.is_float64(array.type):
        return array.to_numpy(zero_copy_only=False)
    return array.to_pylist()
