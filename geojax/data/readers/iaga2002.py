"""Magnetic observatories: IAGA-2002 text, one station, a file for each day, month or year.

    reader:
      name: iaga2002
      variables:
        north: {name: X, units: nT, long_name: northward geomagnetic field}
        declination: {name: D, units: arc_minute, long_name: magnetic declination}

Files of several days form one part (`pattern: "/archive/wic{part}*.sec"`). Values 99999 (missing) and 88888 (not
recorded) become NaN and are counted as gaps, to be admitted by name.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from geojax.data.findings import Finding
from geojax.data.readers import _units, cf_attributes
from geojax.data.readers.magnetic.join import of_station
from geojax.data.readers.tables.cells import NUMBER, Missing, Rows, numbers
from geojax.data.readers.tables.dates import shown
from geojax.data.readers.tables.text import check_end, lines
from geojax.errors import UserError

MISSING, UNRECORDED = 99_999.0, 88_888.0
ANGLES = {"D": "arc_minute", "I": "arc_minute"}  # all other components are in nT
NEEDED = ("IAGA Code", "Geodetic Latitude", "Geodetic Longitude", "Reported", "Data Interval Type")


def read(
    files: Mapping[str, Path], selection: Mapping[str, Any], variables: Mapping[str, Mapping[str, Any]]
) -> xr.Dataset:
    """Read components (time,), float64, NaN where missing; `name` of a variable is the component's letter.

    returns : with coordinates time (UTC, as the format has it), station, lat, lon, elevation
    raises UserError : a file is no IAGA-2002, ends inside a line, contradicts itself or the others, lacks a component,
        or has it in other units
    source : IAGA-2002 Data Exchange Format, ngdc.noaa.gov/IAGA/vdat/IAGA2002
    """
    found: list[Finding] = []
    pieces = []
    for path in files.values():
        header, block, ended = _split(path)
        if "stations" in selection and header["IAGA Code"] not in selection["stations"]:
            continue
        pieces.append((path, _series(path, header, block, variables, found)))
        check_end(path, [line for _, line in block[1:]], ended, found)
    return of_station(files, pieces, selection, found)


def _split(path: Path) -> tuple[dict[str, str], list[tuple[int, str]], bool]:
    """Header by label, then the line of column names and those of values with their numbers."""
    every, ended = lines(path, "an IAGA-2002 file")
    begin = next((i for i, line in enumerate(every) if line.startswith("DATE")), None)
    header = {line[1:24].strip(): line[24:69].strip(" |") for line in every[:begin] if not line.startswith(" #")}
    if begin is None or header.get("Format", "").upper() != "IAGA-2002":
        raise UserError(f"{path}: must be an IAGA-2002 file with its line DATE TIME DOY …, but is not. Fetch it again.")
    if lacking := [label for label in NEEDED if not header.get(label)]:
        raise UserError(f"{path}: the header must tell {lacking[0]!r}, but does not. Complete it, or fetch it again.")
    block = [(i, line) for i, line in enumerate(every[begin:], begin + 1) if line.strip()]
    if len(block) < 2:
        raise UserError(f"{path}: must hold values, but holds none. Fetch it again.")
    return header, block, ended


def _series(
    path: Path, header: Mapping[str, str], block: list[tuple[int, str]],
    variables: Mapping[str, Mapping[str, Any]], found: list[Finding],
) -> xr.Dataset:  # fmt: skip
    reported = header["Reported"].upper()
    code = header["IAGA Code"].upper()
    columns = block[0][1].replace("|", " ").upper().split()[3:]
    if columns != [code + letter for letter in reported]:
        raise UserError(
            f"{path}: line {block[0][0]}: columns must be those that the header reports, "
            f"{' '.join(code + letter for letter in reported)}, but are {' '.join(columns)}. Correct the file."
        )
    rows = _rows(path, block[1:], ["date", "time", "day", *reported])
    times = _times(path, block[1:], rows)
    _check_day(path, times, found)
    content = {}
    for name, wanted in variables.items():
        letter = (wanted.get("name") or name).upper()
        if reported.count(letter) != 1:
            raise UserError(
                f"{path}: must report `{letter}`, but reports {reported}. Correct `reader: variables: name`."
            )
        _units.check(ANGLES.get(letter, "nT"), wanted["units"], path, letter, found)
        values = numbers(rows, letter, Missing.of(()))
        _mask(path, letter, values, times, found)
        _check_range(path, letter, values, times, wanted.get("valid_range"))
        content[name] = ("time", values, cf_attributes(wanted))
    return xr.Dataset(
        content,
        coords={
            "time": ("time", times, {"standard_name": "time"}),
            "station": ((), code, {"long_name": "IAGA code"}),
            "lat": ((), _number(path, header, "Geodetic Latitude"), {"units": "degrees_north"}),
            "lon": ((), _number(path, header, "Geodetic Longitude"), {"units": "degrees_east"}),
            "elevation": ((), _number(path, header, "Elevation"), {"units": "m"}),
        },
        attrs={"iaga_code": code, "reported": reported, "interval": header["Data Interval Type"],
               "data_type": header.get("Data Type", "")},
    )  # fmt: skip


def _rows(path: Path, block: list[tuple[int, str]], columns: list[str]) -> Rows:
    words = [line.split() for _, line in block]
    for (number, _), row in zip(block, words, strict=True):
        if len(row) != len(columns):
            raise UserError(
                f"{path}: line {number}: must have {len(columns)} columns, but has {len(row)}. "
                "The file may be truncated: fetch it again."
            )
    places = np.array([number for number, _ in block])
    return Rows(path, "line", places, dict(zip(columns, zip(*words, strict=True), strict=True)))


def _times(path: Path, block: list[tuple[int, str]], rows: Rows) -> np.ndarray:
    stamps = [f"{date}T{time}" for date, time in zip(rows.columns["date"], rows.columns["time"], strict=True)]
    try:
        times = np.array(stamps, "datetime64[ms]")
        days = np.array(rows.columns["day"], "int64")
    except ValueError as error:
        raise UserError(f"{path}: dates must be as 2024-05-10 00:00:00.000 131, but one is not ({error}).") from None
    lengths = np.array([len(stamp) for stamp in stamps])
    told = (times.astype("M8[D]") - times.astype("M8[Y]").astype("M8[D]")).astype(int) + 1
    wrong = (lengths != len("2024-05-10T00:00:00.000")) | (told != days)
    if wrong.any():
        number, line = block[int(wrong.argmax())]
        raise UserError(
            f"{path}: line {number}: must begin with a date, a time and the day of that year, but begins "
            f"{line[:28]!r}. Fetch it again, or mend the line."
        )
    if (
        not 1678
        <= times.min().astype("M8[Y]").astype(int) + 1970
        <= times.max().astype("M8[Y]").astype(int) + 1970
        < 2262
    ):
        raise UserError(f"{path}: times must lie between 1678 and 2261, but do not. Correct the file.")
    return times.astype("datetime64[ns]")


def _check_day(path: Path, times: np.ndarray, found: list[Finding]) -> None:
    """Say so where the last line is not the last of its day: lines may be missing, which the format does not tell."""
    if len(times) > 1 and (times[-1] + (times[-1] - times[-2])).astype("M8[D]") == times[-1].astype("M8[D]"):
        words = "the file ends before its day does, so that its end may be missing"
        found.append(Finding("unproven", str(path), "all", 1, shown(times[-1]), words))


def _mask(path: Path, letter: str, values: np.ndarray, times: np.ndarray, found: list[Finding]) -> None:
    """Put NaN where no value is, and count."""
    missing, unrecorded = np.isnan(values) | (np.abs(values) == MISSING), np.abs(values) == UNRECORDED
    if unrecorded.all():
        raise UserError(f"{path}: `{letter}` must be recorded, but is 88888 throughout, which says that it is not.")
    if (lost := missing | unrecorded).any():
        words = f"{int(missing.sum())} values are 99999, missing, and {int(unrecorded.sum())} are 88888, not recorded"
        found.append(Finding("gap", str(path), letter, int(lost.sum()), shown(times[lost.argmax()]), words))
    values[lost] = np.nan


def _check_range(path: Path, letter: str, values: np.ndarray, times: np.ndarray, valid: Any) -> None:
    if valid and (outside := (values < valid[0]) | (values > valid[1])).any():
        first = int(outside.argmax())
        raise UserError(
            f"{path}: `{letter}` must lie in {valid[0]} … {valid[1]}, but {int(outside.sum())} values do not, "
            f"first {values[first]} at {shown(times[first])}."
        )


def _number(path: Path, header: Mapping[str, str], label: str) -> float:
    word = header.get(label, "")
    if not word and label == "Elevation":
        return np.nan
    if not NUMBER.fullmatch(word):
        raise UserError(f"{path}: the header's {label!r} must be a number, but is {word!r}. Correct it.")
    return float(word)
