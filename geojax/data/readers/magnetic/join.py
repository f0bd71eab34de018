"""Series of one place, a file for each day or month, joined along time."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from geojax.data.findings import Finding
from geojax.data.readers.tables.dates import shown, within
from geojax.errors import UserError


def of_station(
    files: Mapping[str, Path],
    pieces: Sequence[tuple[Path, xr.Dataset]],
    selection: Mapping[str, Any],
    found: list[Finding],
) -> xr.Dataset:
    """The series of a part's station, with what was found in attrs["quality"].

    pieces : as `along_time` takes them, from those of `files` that belong to the part
    raises UserError : none does; or as `along_time`
    """
    if not pieces:
        names = ", ".join(str(path) for path in list(files.values())[:3])
        raise UserError(f"{names}: must hold a station of the part, but hold none. Correct `parts`.")
    joined = along_time(pieces, selection, found)
    joined.attrs["quality"] = [finding.plain() for finding in found]
    return joined


def along_time(
    pieces: Sequence[tuple[Path, xr.Dataset]], selection: Mapping[str, Any], found: list[Finding]
) -> xr.Dataset:
    """One series in the order of the files' first times; within a file, in the file's own.

    pieces : for each file its variables (time,), with scalar coordinates and attributes that all files must share:
        a coordinate that is a number may move, which is said in `found`
    raises UserError : files contradict one another, a time stands twice, or none belongs to the part
    """
    ordered = sorted(pieces, key=lambda piece: piece[1]["time"].values.min())
    (path, first), *others = ordered
    for other, series in others:
        for name, value in first.attrs.items():
            if series.attrs.get(name) != value:
                raise UserError(
                    f"{other}: {name} must be {value!r} as in {path}, but is {series.attrs.get(name)!r}. "
                    "Let `source: pattern` take files of one series, or make parts of them."
                )
        for name, value in first.coords.items():
            if name != "time" and value.item() != series[name].item():
                words = f"{name} is {series[name].item()}, but {value.item()} in {path.name}; the latter is kept"
                found.append(Finding("warning", str(other), str(name), 1, shown(series["time"].values[0]), words))
    taken = [series.isel(time=within(series["time"].values, selection)) for _, series in ordered]
    joined = xr.concat(taken, "time", coords="minimal", compat="override", join="override", combine_attrs="override")
    times = joined["time"].values
    if not times.size:
        runs = f"{shown(first['time'].values.min())} to {shown(ordered[-1][1]['time'].values.max())}"
        raise UserError(
            f"{path}: must hold times from {selection['span'][0]} to {selection['span'][1]}, but its part runs "
            f"from {runs}. Correct `parts`, or bring the files of that time."
        )
    _check_unique(times, ordered)
    return joined


def _check_unique(times: np.ndarray, ordered: Sequence[tuple[Path, xr.Dataset]]) -> None:
    unique, counts = np.unique(times, return_counts=True)
    if (again := unique[counts > 1]).size:
        holders = [str(path) for path, series in ordered if (series["time"].values == again[0]).any()]
        raise UserError(
            f"{' and '.join(holders)}: each time must stand there once, but {shown(again[0])} stands twice, "
            f"and {len(again) - 1} more times do. Remove the file or the lines that are not wanted."
        )
