"""What the headers of a SEG-Y file say: how it is laid out, and what its samples and traces lie on.

source : SEG Technical Standards Committee (2002), SEG Y rev 1 Data Exchange Format
"""

import struct
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from geojax.data.findings import Finding
from geojax.errors import UserError

FORMATS = {1: "u4", 2: "i4", 3: "i2", 5: "f4", 8: "i1"}  # of samples; the first are IBM floats
TEXT = 3200  # bytes before the binary header
HEADER = 3600  # bytes before the first trace, if there are no more textual headers
NUMBERS = {"field_record": 9, "cdp": 21, "offset": 37, "inline": 189, "crossline": 193}
PLACES = {"source_x": 73, "source_y": 77, "group_x": 81, "group_y": 85, "cdp_x": 181, "cdp_y": 185}
SCALAR, COORDINATE_UNITS, DELAY, SAMPLES, INTERVAL, TIME_SCALAR = 71, 89, 109, 115, 117, 215  # bytes of a trace header
ABOUT = (SCALAR, COORDINATE_UNITS, DELAY, SAMPLES, INTERVAL, TIME_SCALAR)
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


def read_layout(path: Path) -> Layout:
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


def samples_along(
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


def coordinates(
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


def check_count(path: Path, layout: Layout, coords: dict[str, Any], traces: int, found: list[Finding]) -> None:
    """Report what tells that traces are missing: SEG-Y does not say how many there should be."""
    if layout.ensemble[0] > 1 and all(traces % number for number in layout.ensemble):
        words = f"{traces} traces are no whole number of ensembles of {layout.ensemble[0]}"
        found.append(Finding("gap", str(path), "all", 1, f"trace {traces}", words))
    sides = [len(np.unique(coords[name][1])) for name in ("inline", "crossline") if name in coords]
    if len(sides) == 2 and min(sides) > 1 and traces % (sides[0] * sides[1]):
        words = f"{traces} traces do not fill a cube of {sides[0]} inlines and {sides[1]} crosslines"
        found.append(Finding("gap", str(path), "all", 1, f"trace {traces}", words))
