"""Well logs: LAS 1.2 and 2.0, wrapped or not, one well or many.

    reader:
      name: las
      variables:
        gamma_ray: {name: GR, units: gAPI, long_name: natural gamma radiation}
        density: {name: RHOB, units: kg m-3, long_name: bulk density}
      options: {depth_units: m, optional: [density]}

Files of one part are wells: their samples follow one another on `sample`, with coordinates `well` and `depth`.
Null values of the header become NaN.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lasio
import numpy as np
import xarray as xr

from geojax.data import fills
from geojax.data.findings import Finding
from geojax.data.readers import _units, cf_attributes
from geojax.data.readers.tables.cells import Missing, numbers
from geojax.data.readers.tables.text import check_end
from geojax.data.readers.wells.depths import check_depths
from geojax.data.readers.wells.sections import item, name_of, read_rows, split
from geojax.errors import UserError


def read(
    files: Mapping[str, Path],
    selection: Mapping[str, Any],
    variables: Mapping[str, Mapping[str, Any]],
    *,
    dim: str = "sample",
    depth_units: str = "m",
    optional: Sequence[str] = (),
    well: str | None = None,
    encoding: str | None = None,
) -> xr.Dataset:
    """Read curves (sample,), float64, NaN where null; `name` of a variable is the curve's mnemonic.

    files : those of one part, a well each
    selection : wells of the part are those whose names stand in its `stations`
    dim : sample, or depth for parts of one well
    depth_units : what the first curve must be in
    optional : variables that a well may lack; they are NaN there
    well : the header item that names the well; else WELL, UWI or API, whichever is first told
    encoding : of the text; else found out
    returns : with coordinates depth and well, in the order of files and of their lines
    raises UserError : a file is no LAS, has a line too short or too long, ends before its STOP depth, lacks a curve,
        has other units, or a well stands in two files
    """
    if dim not in ("sample", "depth"):
        raise UserError(f"reader: options: dim: must be sample or depth, but is {dim!r}.")
    if strange := sorted(set(optional) - set(variables)):
        raise UserError(f"reader: options: optional: `{strange[0]}` must be one of {', '.join(variables)}.")
    found: list[Finding] = []
    wells: dict[str, tuple[Path, xr.Dataset]] = {}
    for path in files.values():
        header, block, ended = split(path, encoding)
        name = name_of(path, header, well)
        if "stations" in selection and name not in selection["stations"]:
            continue
        if name in wells:
            raise UserError(
                f"{path}: well {name!r} must stand in one file of a part, but also stands in {wells[name][0]}. "
                "Remove one, or tell them apart with `reader: options: well`."
            )
        wells[name] = (path, _log(path, name, header, block, variables, depth_units, optional, found))
        check_end(path, [line for _, line in block], ended, found)
    shown = ", ".join(str(path) for path in list(files.values())[:3])
    if not wells:
        raise UserError(f"{shown}: must hold a well of the part, but hold none. Correct `parts`.")
    if dim == "depth" and len(wells) > 1:
        raise UserError(f"{shown}: wells of one part must lie on `dim: sample`, but `dim` is depth. Change it.")
    joined = xr.concat([log for _, log in wells.values()], "sample", combine_attrs="override")
    for name in variables:
        if name not in optional and joined[name].isnull().all():
            raise UserError(
                f"{shown}: `{name}` must have values, but is null throughout. "
                "Leave the well out, or name the variable under `reader: options: optional`."
            )
    if dim == "depth":
        joined = joined.swap_dims(sample="depth").assign_coords(
            well=((), joined["well"].values[0], {"long_name": "well"})
        )
    joined.attrs["quality"] = [finding.plain() for finding in found]
    return joined


def _log(
    path: Path, well: str, header: lasio.LASFile, block: list[tuple[int, str]],
    variables: Mapping[str, Mapping[str, Any]], depth_units: str, optional: Sequence[str], found: list[Finding],
) -> xr.Dataset:  # fmt: skip
    curves = {curve.mnemonic: (i, curve.unit or "") for i, curve in enumerate(header.curves)}
    rows = read_rows(path, header, block, list(curves))
    null = item(header.well, "NULL")
    if null is None:
        words = "the header tells no null value, so that one may stand among the numbers"
        found.append(Finding("warning", str(path), well, 1, "header", words))
    missing = Missing.of([] if null in (None, "") else [null])
    index = header.curves[0].mnemonic
    _units.check(header.curves[0].unit or "", depth_units, path, index, found)
    depth = numbers(rows, index, missing)
    check_depths(path, rows, index, depth, header, depth_units, found)
    content = {}
    for name, wanted in variables.items():
        inside = (wanted.get("name") or name).upper()
        if inside not in curves:
            if name not in optional:
                raise UserError(
                    f"{path}: must hold a curve `{inside}`, but holds {', '.join(curves)}. Correct `reader: "
                    "variables`, or name it under `reader: options: optional`."
                )
            content[name] = ("sample", np.full(len(depth), np.nan), cf_attributes(wanted))
            continue
        _units.check(curves[inside][1], wanted["units"], path, inside, found)
        values = numbers(rows, inside, missing)
        if valid := wanted.get("valid_range"):
            outside = (values < valid[0]) | (values > valid[1])
            if outside.any():
                raise rows.refuse(
                    int(outside.argmax()), inside, f"in {valid[0]} … {valid[1]}", "Is it an undeclared null?"
                )
        for fill in fills.find(values):
            own = f" (curve {inside} of well {well}, whose header's null is {null})"
            found.append(fills.finding(fill, str(path), name, f"line {rows.places[fill.first]}", own))
        content[name] = ("sample", values, cf_attributes(wanted))
    return xr.Dataset(
        content,
        coords={
            "well": ("sample", np.full(len(depth), well), {"long_name": "well"}),
            "depth": ("sample", depth, {"units": depth_units, "long_name": "depth along the hole", "positive": "down"}),
        },
    )
