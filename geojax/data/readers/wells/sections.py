"""The sections of a LAS file: its header, the well that it names, and the cells of its curves."""

import io
import logging
from pathlib import Path
from typing import Any

import lasio
import numpy as np

from geojax.data.readers.tables.cells import Rows
from geojax.data.readers.tables.text import lines
from geojax.errors import UserError

WELL = ("WELL", "UWI", "API")  # what may name a well, in this order
logging.getLogger("lasio").setLevel(logging.CRITICAL)  # what it tells there is checked here, and told once
DELIMITERS = {"SPACE": None, "TAB": "\t", "COMMA": ","}


def split(path: Path, encoding: str | None) -> tuple[lasio.LASFile, list[tuple[int, str]], bool]:
    """The header, and the lines of the data section with their numbers.

    lasio reads the header alone: in data it mends what seem slips, and takes a line cut short for one column less.
    """
    every, ended = lines(path, "a LAS file", encoding)
    begin = next((i for i, line in enumerate(every) if line.startswith(("~A", "~a"))), None)
    if begin is None:
        raise UserError(
            f"{path}: must be a LAS file with a section ~A, but has none. It may be truncated: fetch it again."
        )
    try:
        header = lasio.read(io.StringIO("\n".join(every[: begin + 1]) + "\n"), ignore_data=True)
    except Exception as error:  # lasio raises anything on damage
        raise UserError(
            f"{path}: the header must be that of a LAS file, but is not ({error}). Fetch it again."
        ) from error
    version = item(header.version, "VERS")
    if version not in (1.2, 2.0):
        raise UserError(f"{path}: must be LAS 1.2 or 2.0, but says {version or 'nothing of its version'}. Convert it.")
    after = next((i for i in range(begin + 1, len(every)) if every[i].startswith("~")), len(every))
    block = [(i, line) for i, line in enumerate(every[begin + 1 : after], begin + 2) if _holds_values(line)]
    if not block or not len(header.curves):
        raise UserError(f"{path}: must hold curves and values, but holds none. It may be truncated: fetch it again.")
    return header, block, ended


def _holds_values(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def item(section: Any, name: str) -> Any:
    """The value of a header item; None if there is none."""
    return section[name].value if name in section else None


def name_of(path: Path, header: lasio.LASFile, chosen: str | None) -> str:
    """The name of the well, from the header item that is chosen or the first that tells one."""
    for name in [chosen] if chosen else WELL:
        told = str(item(header.well, name) or "").strip()
        if told:
            return told
    raise UserError(f"{path}: must name its well in {chosen or ', '.join(WELL)}, but does not. Complete the header.")


def read_rows(path: Path, header: lasio.LASFile, block: list[tuple[int, str]], curves: list[str]) -> Rows:
    """Cells of every curve, with the line where their depth stands; a depth of a wrapped file has several lines."""
    delimiter = DELIMITERS.get(str(item(header.version, "DLM") or "SPACE").upper())
    wrapped = str(item(header.version, "WRAP") or "NO").upper().startswith("Y")
    found: list[tuple[int, list[str]]] = []
    for number, line in block:
        cells = [cell.strip() for cell in line.split(delimiter)]
        if wrapped and found and len(found[-1][1]) < len(curves):
            found[-1][1].extend(cells)
        else:
            found.append((number, cells))
        _check_count(path, number, found[-1][1], curves, wrapped)
    _check_count(path, found[-1][0], found[-1][1], curves, False)
    columns = {curve: [cells[i] for _, cells in found] for i, curve in enumerate(curves)}
    return Rows(path, "line", np.array([number for number, _ in found]), columns)


def _check_count(path: Path, number: int, cells: list[str], curves: list[str], more_may_come: bool) -> None:
    if len(cells) > len(curves) or (len(cells) < len(curves) and not more_may_come):
        raise UserError(
            f"{path}: line {number}: must hold {len(curves)} values ({', '.join(curves[:12])}), but holds "
            f"{len(cells)}. The file may be truncated: fetch it again, or mend the line."
        )
