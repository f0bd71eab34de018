"""Files in SeisBench's layout: metadata{chunk}.csv beside waveforms{chunk}.hdf5."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import pandas as pd

from geojax.errors import UserError

NAME = re.compile(r"(metadata|waveforms)(.*)\.(csv|hdf5)")
TRACE = re.compile(r"(?P<bucket>[^$]+)\$(?P<index>\d+)(?P<sizes>(,:\d+)*)")
DATE = re.compile(r"\d{4}[-/]\d\d[-/]\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?)?(Z|\+00:?00)?")
WORDS = ("code", "id", "name", "type", "category", "order", "original", "mode", "status", "ref")  # never numbers
UNITS = {
    "m": "m", "km": "km", "deg": "degree", "s": "s", "hz": "Hz", "db": "dB", "kms": "km s-1", "mps": "m s-1",
    "sample": "1", "percent": "percent",
}  # fmt: skip
# What SeisBench's data sets write for the units of samples, in CF
MOTION = {"count": "counts", "counts": "counts", "m": "m"} | dict.fromkeys(("mps", "m/s", "m s-1"), "m s-1")
MOTION |= dict.fromkeys(("mps2", "m/s2", "m/s**2", "m/s^2", "m s-2"), "m s-2")


class Chunk(NamedTuple):
    """One pair of files."""

    name: str
    metadata: Path
    waveforms: Path


class Place(NamedTuple):
    """Where the samples of a trace lie: dataset of the group `data`, row of a bucket, sizes that count of each axis."""

    dataset: str
    row: int | None
    sizes: tuple[int, ...]


def pairs(files: Mapping[str, Path]) -> list[Chunk]:
    """The chunks of a part, in the order of their names.

    raises UserError : a file is none of SeisBench's, or lacks its counterpart
    """
    found: dict[str, dict[str, Path]] = {}
    for path in files.values():
        if path.name == "chunks":
            continue
        named = NAME.fullmatch(path.name)
        if not named or (named[1] == "metadata") != (named[3] == "csv"):
            raise UserError(f"{path}: SeisBench's files are metadata*.csv and waveforms*.hdf5. Leave this one out.")
        found.setdefault(named[2], {})[named[1]] = path
    listed = [line for p in files.values() if p.name == "chunks" for line in p.read_text().split("\n") if line.strip()]
    for name in {**dict.fromkeys(listed), **found}:
        if absent := {"metadata", "waveforms"} - set(found.get(name, ())):
            raise UserError(
                f"{next(iter(files.values())).parent}: chunk {name!r} must have metadata{name}.csv and "
                f"waveforms{name}.hdf5, but lacks its {' and '.join(sorted(absent))}. Name both in `source`."
            )
    return [Chunk(name, own["metadata"], own["waveforms"]) for name, own in sorted(found.items())]


def read_table(path: Path) -> pd.DataFrame:
    """The metadata as text, "" where the file tells nothing; the network NA is no missing value.

    raises UserError : the file is cut, or no table with a column trace_name
    """
    try:
        content = path.read_bytes()
        if content[-1:] not in (b"\n", b"\r"):
            raise EOFError("its last line has no end")
        table = pd.read_csv(BytesIO(content), dtype=str, index_col=False, keep_default_na=False, encoding="utf-8")
        if table.isna().any(axis=None):
            raise EOFError("a line has fewer fields than the first")
    except (OSError, EOFError, ValueError) as error:
        raise UserError(
            f"{path}: must be a CSV table that can be read to its end, but is not ({error}). Fetch it again."
        ) from None
    if "trace_name" not in table or table.empty:
        columns = ", ".join(map(str, table.columns[:8]))
        raise UserError(f"{path}: must have rows and a column trace_name, but has {len(table)} and {columns}.")
    return table


def column(table: pd.DataFrame, name: str, shown: str) -> tuple[str, np.ndarray, dict[str, str]]:
    """A column as a coordinate (trace,): times of *_time, numbers with the units of their suffix, else text.

    raises UserError : a time is not ISO 8601 in UTC
    """
    values, suffix = table[name].to_numpy(str), name.rsplit("_", 1)[-1]
    if suffix == "time":
        told = [value.strip() for value in values]
        if strange := [value for value in told if value and not DATE.fullmatch(value)]:
            raise UserError(
                f"{shown}: {name}: times must be UTC as in 2007-01-01T01:42:45.08, but there is {strange[0]!r}. "
                "Leave it out with `reader: options: columns`."
            )
        plain = [re.sub(r"(Z|\+00:?00)$", "", value).replace("/", "-").replace(" ", "T") for value in told]
        try:
            return "trace", np.array([value or "NaT" for value in plain], "datetime64[ns]"), {}
        except ValueError as error:
            raise UserError(f"{shown}: {name}: times must be dates, but are not ({error}).") from None
    if suffix not in WORDS:
        numbers = pd.to_numeric(pd.Series(np.char.strip(values)).replace("", "nan"), errors="coerce")
        told = np.char.lower(np.char.strip(values))
        if (numbers.notna() | np.isin(told, ("", "nan"))).all():
            units = {"units": UNITS[suffix]} if suffix in UNITS else {}
            return "trace", numbers.to_numpy("float64"), units
    return "trace", values, {}


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """An HDF5 file.

    raises UserError : it cannot be read to its end
    """
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        words = " ".join(str(error).split())
        raise UserError(
            f"{path}: must be SeisBench's HDF5 that can be read to its end, but is not ({words}). Fetch it again."
        ) from error


def data_format(file: h5py.File) -> dict[str, Any]:
    """What the file says of its samples: names of components, order of axes, rate, unit."""
    group = file.get("data_format", {})
    found = {key: _plain(group[key][()]) for key in group}
    order = found.get("component_order")
    if order is not None:
        found["component_order"] = list(order)
    return found


def place_of(name: str) -> Place:
    """Where a trace lies, from its trace_name: bucket$index,:size,:size or the dataset's own name."""
    if named := TRACE.fullmatch(name):
        sizes = tuple(int(size) for size in re.findall(r":(\d+)", named["sizes"]))
        return Place(named["bucket"], int(named["index"]), sizes)
    return Place(name, None, ())


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return [_plain(item) for item in value]
    return value.decode() if isinstance(value, bytes) else value.item() if isinstance(value, np.generic) else value
