"""Seismic sections, gathers and small cubes in SEG-Y, revisions 0 and 1.

source : SEG Technical Standards Committee (2002), SEG Y rev 1 Data Exchange Format
"""

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import segyio
import xarray as xr

from geojax.data.findings import Finding, by_file, record
from geojax.data.quality import inspect
from geojax.data.readers import cf_attributes, only
from geojax.data.segments import exact
from geojax.errors import UserError

FORMATS = {1: "u4", 2: "i4", 3: "i2", 5: "f4", 8: "i1"}  # of samples; the first are IBM floats
TEXT = 3200  # bytes before the binary header
HEADER = 3600  # bytes before the first trace, if there are no more textual headers
NUMBERS = {"field_record": 9, "cdp": 21, "offset": 37, "inline": 189, "crossline": 193}
PLACES = {"source_x": 73, "source_y": 77, "group_x": 81, "group_y": 85, "cdp_x": 181, "cdp_y": 185}
SCALAR, COORDINATE_UNITS, DELAY, SAMPLES, INTERVAL, TIME_SCALAR = 71, 89, 109, 115, 117, 215  # bytes of a trace header
AXES = {"twt": {"units": "s", "long_name": "two-way time"}, "depth": {"units": "m", "standard_name": "depth"}}
TOLD = {1: "m", 2: "ft"}  # measurement system of the binary header


class Layout(NamedTuple):
    """What the binary header says: byte order, format, more textual headers, µs between samples, samples of a trace,
    traces of an ensemble, units of length.
    """

    endian: str
    form: int
    more: int
    interval: int
    samples: int
    ensemble: tuple[int, int]  # without and with auxiliary ones
    length: str | None


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
    layout, found = _layout(path), list[Finding]()
    try:
        with segyio.open(str(path), ignore_geometry=True, endian=layout.endian) as file:
            values = _samples(path, layout, file.tracecount)
            fields = {key: file.attributes(byte)[:] for key, byte in (NUMBERS | PLACES | dict(headers or {})).items()}
            about = {
                byte: file.attributes(byte)[:]
                for byte in (SCALAR, COORDINATE_UNITS, DELAY, SAMPLES, INTERVAL, TIME_SCALAR)
            }
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
    along, delays = _axis(path, layout, about, axis, step, start)
    coords = {axis: ("sample", along, AXES[axis])} | delays | _coordinates(path, layout, fields, about, found)
    _check_count(path, layout, coords, len(values), found)
    attrs: dict[str, Any] = {"quality": record(by_file(found))}
    return xr.Dataset({name: (("trace", "sample"), values, cf_attributes(wanted))}, coords, attrs)


def _layout(path: Path) -> Layout:
    """The binary header, in the byte order in which it makes sense.

    raises UserError : the file has none, or one of a revision or format that is not read
    """
    if not path.is_file():
        raise UserError(f"{path}: the raw file must exist, but does not. Put it there, or mend `source`.")
    with path.open("rb") as file:
        header = file.read(HEADER)[TEXT:]
    if len(header) < HEADER - TEXT:
        raise UserError(f"{path}: must be SEG-Y with headers of {HEADER} bytes, but is shorter. Fetch it again.")
    for endian, mark in (("big", ">"), ("little", "<")):
        traces, auxiliary, interval, _, samples, _, form = struct.unpack_from(mark + "7H", header, 12)
        (system,) = struct.unpack_from(mark + "H", header, 54)
        revision, _, more = struct.unpack_from(mark + "HHh", header, 300)
        if form not in FORMATS:
            continue
        if revision >> 8 > 1 or more < 0:
            raise UserError(f"{path}: must be SEG-Y of revision 0 or 1, but is of {revision >> 8}. Convert it.")
        if not samples:
            raise UserError(
                f"{path}: the binary header must tell the samples of a trace, but tells none. Mend the file."
            )
        return Layout(endian, form, more, interval, samples, (traces, traces + auxiliary), TOLD.get(system))
    (form,) = struct.unpack_from(">H", header, 24)
    raise UserError(
        f"{path}: must be SEG-Y with samples in format {', '.join(map(str, FORMATS))}, but bytes 3225-3226 say {form}. "
        "Convert it to IEEE floats, or bring the file that was meant."
    )


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


def _axis(
    path: Path, layout: Layout, about: dict[int, np.ndarray], axis: str, step: float | None, start: float | None
) -> tuple[np.ndarray, dict[str, Any]]:
    """Times or depths of the samples, and of each trace its own delay where these differ.

    raises UserError : headers contradict one another, or do not tell the step
    """
    lengths, intervals = ({int(n) % 65536 for n in np.unique(about[byte])} - {0} for byte in (SAMPLES, INTERVAL))
    if strange := sorted(lengths - {layout.samples}):
        raise UserError(
            f"{path}: traces must have the {layout.samples} samples of the binary header, but some say {strange[0]}. "
            "Convert the file to traces of one length."
        )
    if axis == "depth" and step is None:
        raise UserError(f"{path}: SEG-Y does not tell the units of depth: give `reader: options: step` in m.")
    told = intervals | ({layout.interval} - {0})
    if step is None and len(told) != 1:
        words = f"say {', '.join(map(str, sorted(told)))} µs" if told else "tell none"
        raise UserError(f"{path}: headers must tell one interval, but {words}. Give `reader: options: step` in s.")
    width = step if step is not None else told.pop() / 1e6
    delays = about[DELAY] * _scale(about[TIME_SCALAR]) / 1e3
    if start is None and axis == "depth" and delays.any():
        raise UserError(f"{path}: the traces tell a first sample that is not zero: give `reader: options: start` in m.")
    several = start is None and len(np.unique(delays)) > 1
    begin = start if start is not None else 0.0 if several else float(delays[0])
    own = {"delay_s": ("trace", delays, {"units": "s", "long_name": "time of the first sample, to add to twt"})}
    return begin + np.arange(layout.samples) * width, own if several else {}


def _coordinates(
    path: Path, layout: Layout, fields: dict[str, np.ndarray], about: dict[int, np.ndarray], found: list[Finding]
) -> dict[str, Any]:
    """Coordinates (trace,) of those headers that are not zero throughout; an offset may be."""
    told = {name: values for name, values in fields.items() if values.any() or name == "offset"}
    coords: dict[str, Any] = {name: ("trace", told[name].astype("int32")) for name in NUMBERS if name in told}
    length = {"units": layout.length} if layout.length else {}
    if "offset" in coords:
        coords["offset"] += (length | {"long_name": "distance of source and receiver"},)
    units = set(np.unique(about[COORDINATE_UNITS]).tolist())
    known = {0: length, 1: length, 2: {"units": "arcsecond"}, 3: {"units": "degree"}}
    places = {name: told[name] * _scale(about[SCALAR]) for name in PLACES if name in told}
    if places and (len(units) > 1 or not units <= known.keys()):
        words = f"coordinates in units {', '.join(map(str, sorted(units)))} (bytes 89-90) are left out"
        found.append(Finding("metadata", str(path), "all", 1, "trace 0", words))
        return coords
    return coords | {name: ("trace", values, known[min(units)]) for name, values in places.items()}


def _scale(scalars: np.ndarray) -> np.ndarray:
    """What a header is multiplied by: a positive scalar multiplies, a negative divides, 0 stands for 1."""
    own = scalars.astype("float64")
    return np.where(own > 0, own, np.where(own < 0, -1 / np.where(own < 0, own, 1), 1.0))


def _check_count(path: Path, layout: Layout, coords: dict[str, Any], traces: int, found: list[Finding]) -> None:
    """Report what tells that traces are missing: SEG-Y does not say how many there should be."""
    if layout.ensemble[0] > 1 and all(traces % number for number in layout.ensemble):
        words = f"{traces} traces are no whole number of ensembles of {layout.ensemble[0]}"
        found.append(Finding("gap", str(path), "all", 1, f"trace {traces}", words))
    sides = [len(np.unique(coords[name][1])) for name in ("inline", "crossline") if name in coords]
    if len(sides) == 2 and min(sides) > 1 and traces % (sides[0] * sides[1]):
        words = f"{traces} traces do not fill a cube of {sides[0]} inlines and {sides[1]} crosslines"
        found.append(Finding("gap", str(path), "all", 1, f"trace {traces}", words))
