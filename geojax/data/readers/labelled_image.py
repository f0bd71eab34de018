"""A picture with a table of circles drawn on it: craters, sinkholes, volcanoes. Strips of it may be parts.

    source: {kind: files, pattern: "/craters/{part}.*"}     # tile_1.png and tile_1.csv
    reader:
      name: labelled_image
      variables: {image: {units: "1", long_name: brightness}}
      options: {row: y, column: x, diameter: d}             # columns of the table, in pixels from the upper left corner

A picture that is alone is cut into strips of columns: `parts: {by: station, blocks: {west: [0-399], east: [440-999]}}`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from geojax.data.readers import image
from geojax.errors import UserError

TABLES = (".csv", ".txt", ".tsv")


def read(
    files: Mapping[str, Path],
    selection: Mapping[str, Any],
    variables: Mapping[str, Mapping[str, Any]],
    *,
    row: str = "row",
    column: str = "column",
    diameter: str = "diameter",
    delimiter: str = ",",
) -> xr.Dataset:
    """Read a grey picture (y, x) and the circles (crater,) that touch it: `row`, `column` and `diameter`, in pixels.

    files : two, a picture and a table
    selection : numbers of the columns that make a strip, which follow one another; else all of them
    variables : one, the picture
    row, column, diameter : columns of the table; a pixel's centre has whole numbers for row and column, from 0
    delimiter : of the table
    returns : y and x count pixels of the whole picture, and so do row and column
    raises UserError : there is no picture or no table, the table lacks a column, a number in it is none, a diameter is
        not above zero, a circle lies outside the picture, or the columns do not follow one another
    """
    tables = {name: path for name, path in files.items() if path.suffix.lower() in TABLES}
    pictures = {name: path for name, path in files.items() if name not in tables}
    if len(tables) != 1 or len(pictures) != 1:
        raise UserError(
            f"source: `labelled_image` needs one picture and one table ({', '.join(TABLES)}) for a part, but got "
            f"{', '.join(map(str, files.values())) or 'nothing'}. Let `pattern` or `files` name both."
        )
    content = image.read(pictures, {}, variables)
    (name,) = content.data_vars
    if content[name].ndim != 2:
        raise UserError(f"{next(iter(pictures.values()))}: must be grey, but is in colour. Take one of its bands.")
    path = next(iter(tables.values()))
    circles = _circles(path, [row, column, diameter], delimiter)
    _check_inside(path, circles, content[name].shape)
    if "stations" in selection:
        first, end = _strip(selection["stations"], content.sizes["x"])
        content = content.isel(x=slice(first, end))
        reach = circles[:, 2] / 2
        circles = circles[(circles[:, 1] > first - reach - 0.5) & (circles[:, 1] < end - 0.5 + reach)]
    described = {
        "row": "row of the centre, downwards", "column": "column of the centre, to the right",
        "diameter": "diameter of the rim",
    }  # fmt: skip
    own = {
        key: ("crater", values, {"long_name": words, "units": "1"})
        for (key, words), values in zip(described.items(), circles.T, strict=True)
    }
    return content.assign(own)


def _circles(path: Path, names: list[str], delimiter: str) -> np.ndarray:
    """(crater, row column diameter)"""
    try:
        table = pd.read_csv(path, sep=delimiter)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: must be a table of circles, but cannot be read ({error}).") from error
    if absent := [name for name in names if name not in table]:
        raise UserError(
            f"{path}: must have a column {', '.join(absent)}, but has {', '.join(map(str, table))}. "
            "Name its columns under `reader: options`: row, column, diameter."
        )
    found = table[names].apply(pd.to_numeric, errors="coerce").to_numpy("float64")
    bad = ~np.isfinite(found).all(1) | ~(found[:, 2] > 0)
    if bad.any():
        raise UserError(
            f"{path}: every circle must have a place and a diameter above zero, but row {int(bad.argmax()) + 1} has "
            f"{table[names].iloc[int(bad.argmax())].to_list()}. Correct it, or take it out."
        )
    return found


def _check_inside(path: Path, circles: np.ndarray, shape: tuple[int, ...]) -> None:
    centre, half = circles[:, :2], circles[:, 2:] / 2
    outside = ((centre < -0.5 - half) | (centre > np.array(shape) - 0.5 + half)).any(1)
    if outside.any():
        place = circles[int(outside.argmax())].round(1).tolist()
        raise UserError(
            f"{path}: circles must touch the picture of {shape[0]} rows and {shape[1]} columns, but that of row "
            f"{int(outside.argmax()) + 1} (row, column, diameter {place}) does not. Are row and column exchanged?"
        )


def _strip(columns: list[str], width: int) -> tuple[int, int]:
    try:
        numbers = np.array([int(each) for each in columns])
    except ValueError:
        raise UserError(f"parts: blocks: of a picture they are columns, as 0-399, but hold {columns[0]!r}.") from None
    if (np.diff(numbers) != 1).any() or numbers[0] < 0 or numbers[-1] >= width:
        raise UserError(
            f"parts: blocks: columns must follow one another within 0-{width - 1}, but run from {numbers[0]} to "
            f"{numbers[-1]}. Correct the block."
        )
    return int(numbers[0]), int(numbers[-1]) + 1
