"""StationXML and QuakeML files through ObsPy, whose warnings become findings."""

import warnings
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from io import BytesIO
from pathlib import Path
from typing import Any

import obspy
from obspy.core.event import Catalog
from obspy.core.inventory import Inventory

from geojax.data.findings import Finding
from geojax.data.readers.seismic.formats import short
from geojax.errors import UserError

Report = Callable[[Finding], None]


def named(files: Mapping[str, Path], pattern: str, option: str) -> dict[str, Path]:
    """Those of a part's files that an option names, by a key or by wildcards.

    raises UserError : none is
    """
    found = {name: path for name, path in files.items() if fnmatchcase(name, pattern)}
    if not found:
        raise UserError(
            f"reader: options: {option}: {pattern!r} must name files of the part, but its files are "
            f"{', '.join(list(files)[:8])}."
        )
    return found


def read_inventory(path: Path, report: Report) -> Inventory:
    """raises UserError : the file is not StationXML."""
    return _read(obspy.read_inventory, path, "STATIONXML", "FDSN StationXML", report)


def read_catalog(path: Path, report: Report) -> Catalog:
    """raises UserError : the file is not QuakeML."""
    return _read(obspy.read_events, path, "QUAKEML", "QuakeML", report)


def _read(load: Callable[..., Any], path: Path, form: str, title: str, report: Report) -> Any:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            content = load(BytesIO(path.read_bytes()), format=form)
        except Exception as error:  # ObsPy's readers raise anything, on damage above all
            raise UserError(
                f"{path}: must be {title} that can be read to its end, but is not "
                f"({type(error).__name__}: {short(error)}). Fetch it again."
            ) from error
    future = (DeprecationWarning, PendingDeprecationWarning, FutureWarning)
    for words in dict.fromkeys(short(w.message) for w in said if not issubclass(w.category, future)):
        report(Finding("warning", str(path), "all", 1, "no time", f"ObsPy says: {words}"))
    return content
