"""What is taken of a table, and the rows taken so far."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from geojax.data.readers.tables import dates
from geojax.data.readers.tables.cells import Missing, Rows
from geojax.errors import UserError

PLACES = ("station", "well", "basin")  # what `stations` of a part may be codes of
KEYS = frozenset({"name", "units", "standard_name", "long_name", "valid_range"})


@dataclass(frozen=True)
class Plan:
    """Names of what is read, where it stands, and which of them are the dimensions."""

    variables: Mapping[str, Mapping[str, Any]]
    time: tuple[str, ...] | Mapping[str, Any]
    index: tuple[str, ...]
    rows: str | None
    text: Mapping[str, str]
    coordinates: Mapping[str, Mapping[str, Any]]
    from_name: Mapping[str, re.Pattern[str]]
    integers: frozenset[str]
    missing: Mapping[str, Missing]

    @classmethod
    def of(
        cls, variables: Mapping[str, Mapping[str, Any]], time: Any, index: Sequence[str] | None, rows: str | None,
        text: Any, coordinates: Mapping[str, Mapping[str, Any]], from_name: Mapping[str, str],
        integers: Sequence[str], missing: Any,
    ) -> "Plan":  # fmt: skip
        """raises UserError : the options of the reader contradict one another."""
        keys = tuple(index) if index is not None else (() if rows else ("time",))
        if time is None:
            time = "time" if "time" in keys else ()
        words = dict(text) if isinstance(text, Mapping) else {name: name for name in text}
        known = {"time", *words, *coordinates, *from_name}
        words |= {key: key for key in keys if key not in known}
        described = {"": missing} if not isinstance(missing, Mapping) else missing
        plan = cls(
            variables, time if isinstance(time, Mapping) else (time,) if isinstance(time, str) else tuple(time), keys,
            rows, words, coordinates, {name: _expression(name, text) for name, text in from_name.items()},
            frozenset(integers), {name: Missing.of(values) for name, values in described.items()},
        )  # fmt: skip
        plan._check()
        return plan

    @property
    def numbers(self) -> dict[str, Mapping[str, Any]]:
        return {**self.variables, **self.coordinates}

    @property
    def wanted(self) -> list[str]:
        """Columns, each once."""
        time = () if isinstance(self.time, Mapping) else self.time
        own = [wanted.get("name") or name for name, wanted in self.numbers.items()]
        return list(dict.fromkeys([*time, *self.text.values(), *own]))

    @property
    def units(self) -> dict[str, str]:
        return {wanted.get("name") or name: wanted["units"] for name, wanted in self.numbers.items()}

    def missing_of(self, name: str) -> Missing:
        return self.missing.get(name, self.missing.get("", Missing.of(())))

    def _check(self) -> None:
        names = [*(["time"] if self.time else []), *self.text, *self.from_name, *self.numbers]
        if twice := sorted({name for name in [*names, *([self.rows] if self.rows else [])] if names.count(name) > 1}):
            raise UserError(f"reader: `{twice[0]}` must name one thing, but `variables` and `options` give it to two.")
        if self.rows in names:
            raise UserError(f"reader: options: rows: `{self.rows}` must name the rows, but is also a column's.")
        if not self.rows and not self.index:
            raise UserError("reader: options: give `index`, the columns that are the dimensions, or `rows`.")
        if strange := sorted((self.integers | set(self.missing)) - set(names) - {""}):
            raise UserError(
                f"reader: options: `integers` and `missing`: `{strange[0]}` must be one of {', '.join(names)}."
            )
        if repeated := [key for key in self.index if self.index.count(key) > 1]:
            raise UserError(f"reader: options: index: `{repeated[0]}` must stand there once.")
        if self.index and "time" in self.index and not self.time:
            raise UserError("reader: options: time: must name the column of `time`, which `index` has.")
        for name, wanted in self.coordinates.items():
            if not isinstance(wanted, Mapping) or not wanted.get("units") or set(wanted) - KEYS:
                raise UserError(
                    f"reader: options: coordinates: {name}: must be described as variables are, with units "
                    f"({', '.join(sorted(KEYS))}), but is {wanted!r}."
                )


def _expression(name: str, text: str) -> re.Pattern[str]:
    try:
        found = re.compile(text)
    except re.error as error:
        raise UserError(f"reader: options: from_name: {name}: {text!r} is no regular expression ({error}).") from None
    if found.groups != 1:
        raise UserError(f"reader: options: from_name: {name}: {text!r} must have one group, as in 'gauge_(.*)_obs'.")
    return found


@dataclass
class Data:
    """Values of each name in the rows that belong to the part, and the file and line of each row."""

    shown: str
    values: Mapping[str, np.ndarray]
    paths: Sequence[Path]
    files: np.ndarray
    places: np.ndarray
    word: str

    def place(self, row: int) -> str:
        return f"{self.paths[self.files[row]]}: {self.word} {self.places[row]}"


@dataclass
class Columns:
    """Rows as they are read, those alone that belong to the part."""

    plan: Plan
    values: dict[str, list[np.ndarray]] = field(default_factory=dict)
    paths: list[Path] = field(default_factory=list)
    files: list[np.ndarray] = field(default_factory=list)
    places: list[np.ndarray] = field(default_factory=list)
    word: str = "row"
    seen: dict[str, Any] = field(default_factory=dict)

    def add(self, block: Rows, values: Mapping[str, np.ndarray], selection: Mapping[str, Any]) -> None:
        """Take the rows of a block that belong to the part.

        raises UserError : the part is a span, but rows have no time; or stations, but rows have none
        """
        mask = np.ones(len(block.places), bool)
        if "span" in selection:
            if "time" not in values:
                raise UserError("parts: by: the rows have no time; name its column in `reader: options: time`.")
            self._see(values["time"].min(), values["time"].max())
            mask &= dates.within(values["time"], selection)
        if "stations" in selection:
            name = next((name for name in PLACES if name in values), None)
            if name is None:
                raise UserError(
                    f"parts: by: the rows must have one of {', '.join(PLACES)}; see `reader: options: text`."
                )
            mask &= np.isin(values[name], sorted(selection["stations"]))
        for name, every in values.items():
            self.values.setdefault(name, []).append(every[mask])
        if block.path not in self.paths:
            self.paths.append(block.path)
        self.files.append(np.full(mask.sum(), self.paths.index(block.path)))
        self.places.append(block.places[mask])
        self.word = block.word

    def together(self, shown: str, selection: Mapping[str, Any]) -> Data:
        """raises UserError : no row belongs to the part."""
        if not sum(map(len, self.places)):
            span = " to ".join(map(str, selection.get("span", ())))
            wanted = f" of {span or ', '.join(sorted(selection.get('stations', ())))[:80]}" if selection else ""
            came = f"its times run from {self.seen['first']} to {self.seen['last']}" if self.seen else "there are none"
            raise UserError(f"{shown}: must hold rows{wanted}, but {came}. Correct `parts`, or bring a longer file.")
        values = {name: np.concatenate(every) for name, every in self.values.items()}
        return Data(shown, values, self.paths, np.concatenate(self.files), np.concatenate(self.places), self.word)

    def _see(self, first: np.datetime64, last: np.datetime64) -> None:
        told = {"first": dates.shown(first), "last": dates.shown(last)}
        self.seen = {
            "first": min(told["first"], self.seen.get("first", told["first"])),
            "last": max(told["last"], self.seen.get("last", told["last"])),
        }
