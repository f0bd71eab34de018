"""Which of ObsPy's waveform formats a file has, and its traces."""

import glob
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import obspy
from obspy.core.util.base import ENTRY_POINTS
from obspy.core.util.misc import buffered_load_entry_point

from geojax.data.findings import Finding
from geojax.data.readers.seismic.whole import check_whole
from geojax.errors import UserError

# In the order in which they are tried. Not here: PICKLE, which runs what it reads; CSS, NNSA_KB_CORE and Q, whose
# file names others that no digest would cover; and what other packages plug into ObsPy.
FORMATS = (
    "MSEED", "SAC", "GSE2", "SEISAN", "SACXY", "GSE1", "SH_ASC", "SLIST", "TSPAIR", "Y", "SEGY", "SU", "SEG2", "WAV",
    "WIN", "AH", "PDAS", "KINEMETRICS_EVT", "GCF", "DMX", "ALSEP_PSE", "ALSEP_WTN", "ALSEP_WTH", "CYBERSHAKE", "KNET",
    "REFTEK130", "RG16",
)  # fmt: skip
POINTING = ("CSS", "NNSA_KB_CORE", "Q")


def read_stream(path: Path, report: Callable[[Finding], None]) -> tuple[str, obspy.Stream]:
    """Format and traces of a file; `report` is called with what ObsPy says of it.

    raises UserError : it is missing, packed, in no format of `FORMATS`, or cannot be read to its end
    """
    form = format_of(path)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            # An absolute path without wildcards is neither an address nor a pattern to ObsPy; it never guesses here.
            stream = obspy.read(glob.escape(str(path.resolve())), format=form)
            whole = check_whole(form, path, stream)
        except Exception as error:  # ObsPy's readers raise anything, on damage above all
            raise UserError(
                f"{path}: must be a whole file in format {form}, but cannot be read to its end "
                f"({type(error).__name__}: {short(error)}). Fetch it again."
            ) from error
    if not whole:
        words = f"a file in format {form} does not tell whether its end is missing"
        report(Finding("unproven", str(path), "all", 1, "no time", words))
    for kind, words in dict.fromkeys(_said(warning) for warning in said if not _is_harmless(warning, stream)):
        report(Finding(kind, str(path), "all", 1, "no time", f"ObsPy says: {words}"))
    return form, stream


def format_of(path: Path) -> str:
    """The format of a file.

    raises UserError : it is missing, packed, or in no format of `FORMATS`
    """
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


def short(error: Any) -> str:
    """What an error or warning says, in one line."""
    return " ".join(str(error).split())[:200]


def _said(warning: warnings.WarningMessage) -> tuple[str, str]:
    return "damage" if "MSEED" in warning.category.__name__ else "warning", short(warning.message)


def _is_harmless(warning: warnings.WarningMessage, stream: obspy.Stream) -> bool:
    """Of ObsPy's own future, or of a SAC interval in single precision read as the decimal that it stands for."""
    if str(warning.message).startswith("Sample spacing read from SAC file"):
        return all(np.float32(trace.stats.delta) == np.float32(trace.stats.sac.delta) for trace in stream)
    return issubclass(warning.category, (DeprecationWarning, PendingDeprecationWarning, FutureWarning))


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
