"""Seismic sections, gathers and small cubes in SEG-Y, revisions 0 and 1.

source : SEG Technical Standards Committee (2002), SEG Y rev 1 Data Exchange Format
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import segyio
import xarray as xr

from geojax.data.findings import Finding, by_file, record
from geojax.data.quality import inspect
from geojax.data.readers import cf_attributes, only
from geojax.data.readers.seismic.headers import (
    ABOUT,
    AXES,
    FORMATS,
    HEADER,
    NUMBERS,
    PLACES,
    TEXT,
    Layout,
    check_count,
    coordinates,
    read_layout,
    samples_along,
)  # fmt: skip
from geojax.data.segments import exact
from geojax.errors import UserError


def read(
    files: Mapping[str, Path],
    selection: Mapping[str, Any],
    variables: Mapping[str, Mapping[str, Any]],
    *,
    axis: str = "twt",
    step: float | None = None,
    start: float | None = None,
    headers: Mapping[str, int] | None = None,
) -> xr.Dataset:
    """Read one variable (trace, sample): float32 if that holds every sample exactly, else float64.

    axis : what the samples follow, twt in s or depth in m
    step, start : of that axis; from the headers unless given, except for depth, whose units SEG-Y leaves open
    headers : first bytes of trace headers that lie elsewhere than in revision 1, as inline: 9
    returns : with twt or depth (sample,) and, where the file tells them, field_record, cdp, offset, inline, crossline
        and, with their scalar applied, places of sources, groups and cdp (trace,); what was found in attrs["quality"]
    raises UserError : the file is cut, is no SEG-Y that can be read, or contradicts itself or the configuration
    """
    path = only(files, "segy")
    if len(variables) != 1:
        raise UserError(f"reader: variables: `segy` reads one variable, but {len(variables)} are named.")
    if selection:
        raise UserError(f"parts: by: {min(selection)}: `segy` reads whole files; take `by: file`.")
    if axis not in AXES:
        raise UserError(f"reader: options: axis: must be {' or '.join(AXES)}, but is {axis!r}.")
    if strange := sorted(set(headers or {}) - {*NUMBERS, *PLACES}):
        raise UserError(
            f"reader: options: headers: no header `{strange[0]}`. There are {', '.join((*NUMBERS, *PLACES))}."
        )
    ((name, wanted),) = variables.items()
    layout, found = read_layout(path), list[Finding]()
    try:
        with segyio.open(str(path), ignore_geometry=True, endian=layout.endian) as file:
            values = _samples(path, layout, file.tracecount)
            fields = {key: file.attributes(byte)[:] for key, byte in (NUMBERS | PLACES | dict(headers or {})).items()}
            about = {byte: file.attributes(byte)[:] for byte in ABOUT}
    except (OSError, RuntimeError, ValueError, KeyError, IndexError, TypeError) as error:
        raise UserError(
            f"{path}: must be SEG-Y whose traces of {layout.samples} samples fill the file, but is not ({error}). "
            "It may be cut, or have traces of several lengths: fetch it again, or convert it."
        ) from error
    for number, own in enumerate(values):
        for kind, count, first, words in _faults(own):
            found.append(Finding(kind, str(path), f"trace {number}", count, f"trace {number}, sample {first}", words))
    if (limits := wanted.get("valid_range")) and (outside := int(((values < limits[0]) | (values > limits[1])).sum())):
        raise UserError(f"{path}: `{name}` must lie in {limits[0]} … {limits[1]}, but {outside} samples do not.")
    along, delays = samples_along(path, layout, about, axis, step, start)
    coords = {axis: ("sample", along, AXES[axis])} | delays | coordinates(path, layout, fields, about, found)
    check_count(path, layout, coords, len(values), found)
    attrs: dict[str, Any] = {"quality": record(by_file(found))}
    return xr.Dataset({name: (("trace", "sample"), values, cf_attributes(wanted))}, coords, attrs)


def _samples(path: Path, layout: Layout, traces: int) -> np.ndarray:
    """Samples (trace, sample). Not segyio's, which takes IBM floats with leading zeros for other numbers."""
    mark = "<" if layout.endian == "little" else ">"
    record = np.dtype([("header", "V240"), ("samples", mark + FORMATS[layout.form], layout.samples)])
    content = np.memmap(path, record, "r", HEADER + TEXT * layout.more, (traces,))["samples"]
    values = _ibm(content) if layout.form == 1 else content
    return values.astype("float32" if exact(values, "float32") else "float64")


def _ibm(words: np.ndarray) -> np.ndarray:
    """IBM hexadecimal floats: sign, exponent of 16 above 64, and 24 bits of fraction; float64 holds each exactly."""
    fraction = np.ldexp((words & 0xFFFFFF).astype("float64"), (4 * ((words >> 24 & 0x7F).astype("int32") - 64) - 24))
    return np.where(words >> 31, -fraction, fraction)


def _faults(values: np.ndarray) -> list[tuple[str, int, int, str]]:
    """A trace is dead if all its samples are equal; some that are equal are muted."""
    lost = np.isnan(values)
    holes = [("not_finite", int(lost.sum()), int(lost.argmax()), f"{int(lost.sum())} samples are no numbers")]
    return (holes if lost.any() else []) + inspect(values, flat=max(len(values), 2))
