"""Whether the depths of a well log are those that its header tells."""

from pathlib import Path
from typing import Any

import numpy as np

from geojax.data.findings import Finding
from geojax.data.readers import _units
from geojax.data.readers.tables.cells import Rows
from geojax.errors import UserError

CLOSE = 0.01  # of a step: what rounding in the header may make of a depth


def check_depths(
    path: Path, rows: Rows, index: str, depth: np.ndarray, header: Any, units: str, found: list[Finding]
) -> None:
    """Compare depths with STRT, STOP and STEP; order, gaps and uneven steps are said in `found`.

    raises UserError : a depth is missing, or the file ends before STOP, or the header's depths are in other units
    """
    if np.isnan(depth).any():
        raise rows.refuse(int(np.isnan(depth).argmax()), index, "a depth", "A depth cannot be missing: mend the line.")
    told = {name: _told(path, header, name, units) for name in ("STRT", "STOP", "STEP")}
    start, stop, step = told["STRT"], told["STOP"], told["STEP"]
    way = np.diff(depth)
    size = abs(step) if step else float(np.median(np.abs(way))) if len(way) else 0.0
    near = size * (0.5 if step else 1.0) + 1e-9 * abs(float(depth[-1]))
    lines = rows.places

    def say(kind: str, count: int, first: int, words: str) -> None:
        found.append(Finding(kind, str(path), index, count, f"line {lines[first]}", words))

    if stop is None:
        say("unproven", 1, len(depth) - 1, "the header tells no STOP, so that the end may be missing")
    elif start is not None and _lacks(depth, start, stop, near):
        raise UserError(
            f"{path}: depths must run from {start:g} to {stop:g} (STRT, STOP), but end at {depth[-1]:g} "
            f"in line {lines[-1]}. The file is truncated, or STOP is wrong: fetch it again, or correct the header."
        )
    elif abs(depth[-1] - stop) > near:
        say("warning", 1, len(depth) - 1, f"the last depth is {depth[-1]:g}, but STOP is {stop:g}")
    if start is not None and abs(depth[0] - start) > near:
        say("warning", 1, 0, f"the first depth is {depth[0]:g}, but STRT is {start:g}")
    if not len(way):
        return
    down = way > 0 if depth[-1] >= depth[0] else way < 0
    if (same := way == 0).any():
        say("duplicate", int(same.sum()), int(same.argmax()) + 1, f"{int(same.sum())} depths repeat the one before")
    if (back := ~down & ~same).any():
        say("order", int(back.sum()), int(back.argmax()) + 1, f"{int(back.sum())} depths run against all others")
    if not step:
        return  # it is 0 where the steps are not even
    ratio = np.abs(way) / size
    odd = np.abs(ratio - np.round(ratio)) > max(CLOSE, 2 * _resolution(rows, index) / size)
    if (gap := (ratio > 1.5) & ~odd).any():
        lost = int((np.round(ratio[gap]) - 1).sum())
        say("gap", lost, int(gap.argmax()) + 1, f"{lost} depths are missing from steps of {size:g}")
    if odd.any():
        say("misaligned", int(odd.sum()), int(odd.argmax()) + 1, f"{int(odd.sum())} steps are no multiple of {size:g}")


def _lacks(depth: np.ndarray, start: float, stop: float, near: float) -> bool:
    """Whether the way from STRT to STOP is not gone to its end."""
    return float(np.sign(stop - start)) * (stop - float(depth[-1])) > near


def _resolution(rows: Rows, index: str) -> float:
    """Half the last digit that depths are written with."""
    digits = max(len(cell.partition(".")[2]) for cell in rows.columns[index])
    return 0.5 * 10.0**-digits


def _told(path: Path, header: Any, name: str, units: str) -> float | None:
    if name not in header.well or header.well[name].value in ("", None):
        return None
    item = header.well[name]
    if item.unit and not _units.same(item.unit, units):
        raise UserError(
            f"{path}: {name} must be in {units!r}, but its units are {item.unit!r}. "
            "Correct `reader: options: depth_units`, or the header."
        )
    try:
        return float(item.value)
    except (TypeError, ValueError):
        raise UserError(f"{path}: {name} must be a number, but is {item.value!r}. Correct the header.") from None
