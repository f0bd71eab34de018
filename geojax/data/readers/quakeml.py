"""Earthquake catalogues in QuakeML."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from geojax.data.findings import Finding, record
from geojax.data.readers import cf_attributes
from geojax.data.readers.seismic.xml import Report, read_catalog
from geojax.errors import UserError

UNITS = {
    "depth": "m",
    "depth_uncertainty": "m",
    "magnitude": "1",
    "magnitude_uncertainty": "1",
    "time_uncertainty": "s",
    "horizontal_uncertainty": "m",
    "azimuthal_gap": "degree",
}  # what a variable may be, and the units that QuakeML gives it
EARLIEST, LATEST = (int(np.datetime64(day, "ns").astype("int64")) for day in ("1678-01-01", "2262-01-01"))


def read(
    files: Mapping[str, Path], selection: Mapping[str, Any], variables: Mapping[str, Mapping[str, Any]]
) -> xr.Dataset:
    """Read origins and magnitudes (event,), float64, NaN where the file tells none, in the order of the files.

    variables : those of `UNITS`, by `name` or their own
    returns : with coordinates time, latitude, longitude, event_id, magnitude_type, event_type and evaluation_mode;
        of several origins or magnitudes the preferred one; what was found in attrs["quality"]
    raises UserError : a file is not QuakeML, a variable is none of QuakeML or in other units, its values lie outside
        the valid range, or no event belongs to the part
    """
    if strange := sorted(set(selection) - {"span"}):
        raise UserError(f"parts: by: {strange[0]}: `quakeml` cannot be cut so; take `by: file` or a span of time.")
    inside = {name: _inside(name, wanted) for name, wanted in variables.items()}
    found: list[Finding] = []
    rows = [row for path in files.values() for row in _rows(path, found.append)]
    shown = ", ".join(str(path) for path in list(files.values())[:3])
    if "span" in selection:
        first, end = (int(np.datetime64(day, "ns").astype("int64")) for day in selection["span"])
        rows = [row for row in rows if first <= row["time"] < end]
    if not rows:
        span = " from {} to before {}".format(*selection["span"]) if "span" in selection else ""
        raise UserError(f"{shown}: must hold events with an origin{span}, but holds none. Correct `parts`.")
    identifiers = [row["event_id"] for row in rows]
    if again := len(rows) - len(set(identifiers)):
        first = next(name for i, name in enumerate(identifiers) if name in identifiers[:i])
        found.append(Finding("duplicate", shown, "all", again, first, f"{again} events are told again"))
    for name, key in inside.items():
        values = np.array([row[key] for row in rows])
        if "uncertainty" not in key and (holes := int(np.isnan(values).sum())):
            first = identifiers[int(np.isnan(values).argmax())]
            found.append(Finding("not_finite", shown, "all", holes, first, f"{holes} events tell no {key}"))
        limits = variables[name].get("valid_range")
        if limits and (outside := int(((values < limits[0]) | (values > limits[1])).sum())):
            raise UserError(f"{shown}: `{name}` must lie in {limits[0]} … {limits[1]}, but {outside} events do not.")
    times = np.array([row["time"] for row in rows], "int64").astype("datetime64[ns]")
    return xr.Dataset(
        {
            name: ("event", np.array([row[key] for row in rows], "float64"), cf_attributes(variables[name]))
            for name, key in inside.items()
        },
        coords={
            "time": ("event", times, {"long_name": "origin time"}),
            "latitude": _numbers(rows, "latitude", {"units": "degrees_north", "standard_name": "latitude"}),
            "longitude": _numbers(rows, "longitude", {"units": "degrees_east", "standard_name": "longitude"}),
        }
        | {
            name: ("event", np.array([row[name] for row in rows], "U"))
            for name in ("event_id", "magnitude_type", "event_type", "evaluation_mode")
        },
        attrs={"quality": record(found)},
    )  # fmt: skip


def _inside(name: str, wanted: Mapping[str, Any]) -> str:
    key = wanted.get("name") or name
    if key not in UNITS:
        raise UserError(f"reader: variables: `quakeml` reads {', '.join(UNITS)}, but {name} is to be {key!r}.")
    if wanted["units"] != UNITS[key]:
        raise UserError(
            f"reader: variables: {name}: {key} must be in {UNITS[key]!r}, as QuakeML gives it, but is declared "
            f"in {wanted['units']!r}. Correct `units`."
        )
    return key


def _numbers(rows: list[dict[str, Any]], key: str, attrs: dict[str, str]) -> tuple[str, np.ndarray, dict[str, str]]:
    return "event", np.array([row[key] for row in rows], "float64"), attrs


def _rows(path: Path, report: Report) -> list[dict[str, Any]]:
    """The events of a file with their origins; those without are told and left out."""
    rows = []
    for event in read_catalog(path, report):
        identifier = str(event.resource_id)
        origin = _one(event.preferred_origin(), event.origins, "origins", identifier, path, report)
        if origin is None or None in (origin.time, origin.latitude, origin.longitude):
            report(
                Finding("empty", str(path), "all", 1, identifier, "an event without origin, time or place is left out")
            )
            continue
        if not EARLIEST <= origin.time.ns < LATEST:
            raise UserError(f"{path}: {identifier}: times must lie between 1678 and 2262, but there is {origin.time}.")
        magnitude = _one(event.preferred_magnitude(), event.magnitudes, "magnitudes", identifier, path, report)
        rows.append(
            {
                "event_id": identifier,
                "time": origin.time.ns,
                "latitude": origin.latitude,
                "longitude": origin.longitude,
                "depth": _float(origin.depth),
                "depth_uncertainty": _float(getattr(origin.depth_errors, "uncertainty", None)),
                "time_uncertainty": _float(getattr(origin.time_errors, "uncertainty", None)),
                "horizontal_uncertainty": _float(getattr(origin.origin_uncertainty, "horizontal_uncertainty", None)),
                "azimuthal_gap": _float(getattr(origin.quality, "azimuthal_gap", None)),
                "magnitude": _float(getattr(magnitude, "mag", None)),
                "magnitude_uncertainty": _float(getattr(getattr(magnitude, "mag_errors", None), "uncertainty", None)),
                "magnitude_type": getattr(magnitude, "magnitude_type", None) or "",
                "event_type": event.event_type or "",
                "evaluation_mode": origin.evaluation_mode or "",
            }
        )
    return rows


def _one(preferred: Any, every: list[Any], what: str, event: str, path: Path, report: Report) -> Any:
    """The preferred one of several, else the first, which is told."""
    if preferred is None and len(every) > 1:
        report(
            Finding(
                "ambiguous", str(path), "all", 1, event, f"of {len(every)} {what} none is preferred: the first is taken"
            )
        )
    return preferred or (every[0] if every else None)


def _float(value: Any) -> float:
    return float("nan") if value is None else float(value)
