"""Cells of a table as numbers, whole numbers and words; what is none is refused by its line and column."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from geojax.errors import UserError

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
PLAIN = frozenset("0123456789+-.eEnNaA ")  # of numbers and of nan, so that float() cannot take more than these
EXACT = 2.0**53  # from here on float64 does not hold every whole number


@dataclass(frozen=True)
class Rows:
    """Some rows of a file: `columns` hold their cells, `places` the number of the line or row of each."""

    path: Path
    word: str
    places: np.ndarray
    columns: Mapping[str, Sequence[Any]]

    def refuse(self, row: int, column: str, required: str, remedy: str) -> UserError:
        cell = self.columns[column][row]
        came = "empty" if cell in ("", None) else repr(cell)
        place = f"{self.word} {self.places[row]}"
        return UserError(f"{self.path}: {place}: `{column}` must be {required}, but is {came}. {remedy}")


@dataclass(frozen=True)
class Missing:
    """What stands for no value: words, and numbers however they are written; always an empty cell and nan."""

    words: frozenset[str]
    numbers: tuple[float, ...]

    @classmethod
    def of(cls, values: Iterable[Any]) -> "Missing":
        words = frozenset(str(value).strip() for value in values)
        return cls(words, tuple(float(word) for word in words if NUMBER.fullmatch(word)))

    def is_word(self, cell: str) -> bool:
        return not cell or cell.lower() == "nan" or cell in self.words


def numbers(rows: Rows, column: str, missing: Missing, decimal: str = ".") -> np.ndarray:
    """Values of a column, float64 (float32 if the file has it so), NaN where missing.

    raises UserError : a cell is no finite number, or a whole number that float64 does not hold
    """
    cells = rows.columns[column]
    if isinstance(cells, np.ndarray) and cells.dtype in (np.float32, np.float64):
        values = cells.copy()
    else:
        quick = _quick(cells, decimal)
        values = _each(rows, column, lambda cell: _number(cell, missing, decimal)) if quick is None else quick
    values[np.isin(values, np.array(missing.numbers, values.dtype))] = np.nan
    if np.isinf(values).any():
        remedy = "If it stands for none, name it under `reader: options: missing`."
        raise rows.refuse(int(np.isinf(values).argmax()), column, "a finite number", remedy)
    return values


def integers(rows: Rows, column: str) -> np.ndarray:
    """Values of a column, int64, exact.

    raises UserError : a cell is no whole number of 64 bits
    """
    return np.array([_whole(rows, row, column) for row in range(len(rows.places))], "int64")


def texts(rows: Rows, column: str, missing: Missing) -> np.ndarray:
    """Words of a column, stripped, empty where missing."""
    words = ("" if cell is None else str(cell).strip() for cell in rows.columns[column])
    return np.array(["" if word in missing.words else word for word in words], dtype=str)


def _quick(cells: Sequence[Any], decimal: str) -> np.ndarray | None:
    """All cells at once, if nothing about them needs a closer look."""
    try:
        if decimal != "." or not PLAIN.issuperset("".join(cells)):
            return None
        values = np.array([float(cell or "nan") for cell in cells], "float64")
    except (TypeError, ValueError):
        return None
    return None if (np.abs(values) >= EXACT).any() else values


def _each(rows: Rows, column: str, convert: Callable[[Any], float]) -> np.ndarray:
    values = np.empty(len(rows.places))
    for row, cell in enumerate(rows.columns[column]):
        try:
            values[row] = convert(cell)
        except OverflowError:
            remedy = "Name the variable under `reader: options: integers`."
            raise rows.refuse(row, column, "a number that float64 holds exactly", remedy) from None
        except (TypeError, ValueError):
            remedy = "Mend it, or if it stands for none, name it under `reader: options: missing`."
            raise rows.refuse(row, column, "a number", remedy) from None
    return values


def _number(cell: Any, missing: Missing, decimal: str) -> float:
    """raises ValueError or TypeError : it is none; OverflowError : it is whole, and float64 does not hold it."""
    if cell is None:
        return np.nan
    if isinstance(cell, str):
        cell = cell.strip()
        if missing.is_word(cell):
            return np.nan
        if decimal != ".":
            cell = cell.replace(".", " ").replace(decimal, ".")  # a point is then none of a number
        if not NUMBER.fullmatch(cell):
            raise ValueError(cell)
        cell = int(cell) if WHOLE.fullmatch(cell) else float(cell)
    if isinstance(cell, bool | np.bool_) or not isinstance(cell, int | float | np.integer | np.floating):
        raise TypeError(cell)
    if float(cell) != cell and cell == cell:
        raise OverflowError(cell)
    return float(cell)


def _whole(rows: Rows, row: int, column: str) -> int:
    cell = rows.columns[column][row]
    told = isinstance(cell, str) and WHOLE.fullmatch(cell.strip())
    if told or (isinstance(cell, float | np.floating) and float(cell).is_integer()):
        cell = int(cell)
    if isinstance(cell, int | np.integer) and not isinstance(cell, bool) and -(2**63) <= cell < 2**63:
        return int(cell)
    remedy = "Mend it, or take the variable out of `reader: options: integers`."
    raise rows.refuse(row, column, "a whole number of 64 bits", remedy)
