"""Continuous waveforms in any format of ObsPy that keeps all it says in one file: miniSEED, SAC, GSE2, SEG-Y, …"""

import glob
import tarfile
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import obspy
import xarray as xr
from obspy.core.util.base import ENTRY_POINTS
from obspy.core.util.misc import buffered_load_entry_point

from geojax.data import quality as faults
from geojax.data.quality import FATAL, FLAT, REMEDIES, Finding
from geojax.data.readers import cf_attributes
from geojax.data.readers._whole import check_whole
from geojax.data.segments import Grid, Segment, assemble, instant, times
from geojax.errors import UserError
from geojax.log import logger

# In the order in which they are tried. Not here: PICKLE, which runs what it reads; CSS, NNSA_KB_CORE and Q, whose
# file names others that no digest would cover; and what other packages plug into ObsPy.
FORMATS = (
    "MSEED", "SAC", "GSE2", "SEISAN", "SACXY", "GSE1", "SH_ASC", "SLIST", "TSPAIR", "Y", "SEGY", "SU", "SEG2", "WAV",
    "WIN", "AH", "PDAS", "KINEMETRICS_EVT", "GCF", "DMX", "ALSEP_PSE", "ALSEP_WTN", "ALSEP_WTH", "CYBERSHAKE", "KNET",
    "REFTEK130", "RG16",
)  # fmt: skip
POINTING = ("CSS", "NNSA_KB_CORE", "Q")
SAC_UNITS = {6: "nm", 7: "nm s-1", 8: "nm s-2", 50: "V"}  # header idep; 5 is unknown


def read(
    files: Mapping[str, Path],
    selection: Mapping[str, Any],
    variables: Mapping[str, Mapping[str, Any]],
    *,
    channels: Sequence[str] = ("*",),
    quality: str = "fail",
    admit: Sequence[str] = (),
    flat: int = FLAT,
) -> xr.Dataset:
    """Read one variable (trace, time): float32 if that holds every sample exactly, else float64; NaN where none is.

    files : those of one part; traces of several files are joined by their SEED id
    channels : SEED ids NET.STA.LOC.CHA that are taken, with wildcards; traces without a station are named #1, #2, …
    quality : fail, so that any fault ends the job; record, so that all that may be admitted are
    admit : kinds of faults, see geojax.data.quality.REMEDIES, that are recorded and do not end the job
    flat : equal samples in a row from which on a channel counts as dead
    returns : with coordinates trace, time and start_time (each trace's own, exact), and what was found in
        attrs["quality"]
    raises UserError : a file cannot be read to its end, or is refused, or has a fault that is not admitted
    """
    if len(variables) != 1:
        raise UserError(f"reader: variables: `waveforms` reads one variable, but {len(variables)} are named.")
    if "span" in selection:
        raise UserError("parts: by: `waveforms` reads whole files; take `by: file`, one file or day for each part.")
    ((name, wanted),) = variables.items()
    admitted = _admitted(quality, admit)
    found: list[Finding] = []
    segments: list[Segment] = []
    for path in files.values():
        segments += _segments(path, wanted["units"], found.append, f"{path.name}" if len(files) > 1 else "")
    taken = [s for s in segments if _is_taken(s.trace, channels, selection.get("stations"))]
    shown = ", ".join(str(path) for path in list(files.values())[:3])
    if not taken:
        there = ", ".join(sorted({s.trace for s in segments})[:8]) or "no samples at all"
        raise UserError(f"{shown}: must hold samples of {', '.join(channels)}, but holds {there}.")
    found = [f for f in found if f.trace == "all" or _is_taken(f.trace, channels, selection.get("stations"))]
    grid = assemble(taken, found.append)
    for row, trace in enumerate(grid.traces):
        _inspect(row, trace, grid, next(s.file for s in taken if s.trace == trace), flat, found)
    found = faults.together(found)
    if refused := [f for f in found if f.kind not in admitted]:
        rest = f" ({len(refused) - 1} more: {_kinds(refused[1:])}.)" if refused[1:] else ""
        raise UserError(f"{refused[0]}{rest}")
    for finding in found:
        logger.warning("%s: %s: %s: %s", finding.file, finding.trace, finding.kind, finding.detail)
    _check_range(grid, shown, name, wanted.get("valid_range"))
    return _dataset(grid, name, wanted, found)


def _admitted(quality: str, admit: Sequence[str]) -> set[str]:
    if quality not in ("fail", "record"):
        raise UserError(f"reader: options: quality: must be fail or record, but is {quality!r}.")
    if strange := [kind for kind in admit if kind not in REMEDIES]:
        never = f"; {', '.join(FATAL)} never may" if strange[0] in FATAL else ""
        raise UserError(f"reader: options: admit: {strange[0]!r} must be one of {', '.join(REMEDIES)}{never}.")
    return set(REMEDIES) if quality == "record" else set(admit)


def _is_taken(trace: str, channels: Sequence[str], stations: set[str] | None) -> bool:
    ours = stations is None or (trace.count(".") == 3 and trace.split(".")[1] in stations)
    return ours and any(fnmatchcase(trace, pattern) for pattern in channels)


def _kinds(findings: list[Finding]) -> str:
    return ", ".join(sorted({f"{f.trace} {f.kind}" for f in findings})[:5])


def _segments(path: Path, units: str, report: Any, prefix: str) -> list[Segment]:
    """Stretches of one file in its order, told apart by SEED id, or by number where they have no station."""
    form, stream = _stream(path, report)
    segments, last = [], {}
    for number, trace in enumerate(stream, 1):
        stats, values = trace.stats, np.ma.getdata(trace.data)
        label = trace.id if stats.station else f"{prefix}#{number}"
        start = int(stats.starttime.ns)
        if values.size == 0 or not stats.sampling_rate > 0:
            report(
                Finding("empty", str(path), label, 1, _moment(start), "the trace has no samples or no sampling rate")
            )
            continue
        if np.ma.is_masked(trace.data) or values.ndim != 1 or values.dtype.kind not in "iuf":
            raise UserError(f"{path}: {label}: samples must be numbers, but are {values.dtype}. Take it out by its id.")
        if not -(2**63) < start < 2**63 - 10**9 * len(values) / stats.sampling_rate:
            raise UserError(f"{path}: {label}: times must lie between 1678 and 2262, but start at {stats.starttime}.")
        if start < last.get(label, start):
            detail = f"a stretch stands after a later one, of {instant(last[label])}"
            report(Finding("order", str(path), label, 1, instant(start), detail))
        last[label] = start
        told = _units(form, stats)
        if told and told != units:
            raise UserError(
                f"{path}: {label}: samples must be in {units!r}, but the file says {told!r}. "
                "Correct `reader: variables: units`, or convert the file."
            )
        segments.append(Segment(str(path), label, start, float(stats.sampling_rate), values))
    return segments


def _moment(ns: int) -> str:
    return instant(ns) if abs(ns) < 2**63 else "a time out of range"


def _units(form: str, stats: Any) -> str | None:
    """The units of the samples, where the file tells them in a way to be relied on."""
    if form == "SAC":
        return SAC_UNITS.get(int(stats.sac.get("idep", 5)))
    return None


def _stream(path: Path, report: Any) -> tuple[str, obspy.Stream]:
    """Format and traces of a file.

    raises UserError : it is missing, packed, in no format of `FORMATS`, or cannot be read to its end
    """
    form = _format(path)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            # An absolute path without wildcards is neither an address nor a pattern to ObsPy; it never guesses here.
            stream = obspy.read(glob.escape(str(path.resolve())), format=form)
            whole = check_whole(form, path, stream)
        except Exception as error:  # ObsPy's readers raise anything, on damage above all
            raise UserError(
                f"{path}: must be a whole file in format {form}, but cannot be read to its end "
                f"({type(error).__name__}: {_short(error)}). Fetch it again."
            ) from error
    if not whole:
        words = f"a file in format {form} does not tell whether its end is missing"
        report(Finding("unproven", str(path), "all", 1, "no time", words))
    for kind, words in dict.fromkeys(_said(warning) for warning in said if not _is_harmless(warning, stream)):
        report(Finding(kind, str(path), "all", 1, "no time", f"ObsPy says: {words}"))
    return form, stream


def _said(warning: warnings.WarningMessage) -> tuple[str, str]:
    return "damage" if "MSEED" in warning.category.__name__ else "warning", _short(warning.message)


def _is_harmless(warning: warnings.WarningMessage, stream: obspy.Stream) -> bool:
    """Of ObsPy's own future, or of a SAC interval in single precision read as the decimal that it stands for."""
    if str(warning.message).startswith("Sample spacing read from SAC file"):
        return all(np.float32(trace.stats.delta) == np.float32(trace.stats.sac.delta) for trace in stream)
    return issubclass(warning.category, (DeprecationWarning, PendingDeprecationWarning, FutureWarning))


def _short(error: Any) -> str:
    return " ".join(str(error).split())[:200]


def _format(path: Path) -> str:
    if not path.is_file():
        raise UserError(f"{path}: the raw file must exist, but does not. Put it there, or mend `source`.")
    with path.open("rb") as file:
        begin = file.read(512)
    if begin[:2] == b"\x1f\x8b" or begin[:3] == b"BZh" or zipfile.is_zipfile(path) or tarfile.is_tarfile(path):
        raise UserError(f"{path}: must be a plain file, but is packed. Unpack it beside, and name that.")
    for form in (*FORMATS, *POINTING):
        if _is(form, path):
            if form in POINTING:
                raise UserError(
                    f"{path}: {form} keeps its samples in other files, whose change geojax would not see. "
                    "Convert it to miniSEED."
                )
            return form
    pickled = (
        " It is a pickle, which runs what it holds when it is read; nothing of it was." if _is_pickle(begin) else ""
    )
    raise UserError(f"{path}: must be waveforms in a format that ObsPy reads, but is in none.{pickled} Bring miniSEED.")


def _is(form: str, path: Path) -> bool:
    """What ObsPy's own test says. One format at a time: ObsPy's search over all of them would load a pickle."""
    load = buffered_load_entry_point("obspy", f"obspy.plugin.waveform.{form}", "isFormat")
    try:
        with warnings.catch_warnings(action="ignore"):
            return form in ENTRY_POINTS["waveform"] and bool(load(str(path.resolve())))
    except Exception:  # a test that stumbles does not know the file
        return False


def _is_pickle(begin: bytes) -> bool:
    return begin[:1] == b"\x80" or b"obspy.core.stream" in begin


def _inspect(row: int, trace: str, grid: Grid, file: str, flat: int, found: list[Finding]) -> None:
    for kind, count, first, words in faults.inspect(grid.values[row], flat):
        moment = instant(grid.start_ns + round(first * 1e9 / grid.rate_hz))
        found.append(Finding(kind, file, trace, count, moment, words))


def _check_range(grid: Grid, shown: str, name: str, valid: Sequence[float] | None) -> None:
    if valid and (outside := int(((grid.values < valid[0]) | (grid.values > valid[1])).sum())):
        raise UserError(f"{shown}: `{name}` must lie in {valid[0]} … {valid[1]}, but {outside} samples do not.")


def _dataset(grid: Grid, name: str, wanted: Mapping[str, Any], found: list[Finding]) -> xr.Dataset:
    return xr.Dataset(
        {name: (("trace", "time"), grid.values, cf_attributes(wanted))},
        coords={
            "trace": ("trace", grid.traces, {"long_name": "SEED id: network.station.location.channel"}),
            "time": ("time", times(grid), {"standard_name": "time"}),
            "start_time": (
                "trace", grid.starts_ns.astype("datetime64[ns]"), {"long_name": "time of the first sample of the trace"}
            ),
        },
        attrs={
            "sampling_rate_hz": grid.rate_hz,
            "start_ns": grid.start_ns,
            "quality": [finding.plain() for finding in found],
        },
    )  # fmt: skip
