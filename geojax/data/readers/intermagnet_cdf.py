"""Magnetic observatories: INTERMAGNET CDF (ImagCDF), a file for each day, month or year.

    reader:
      name: intermagnet_cdf
      variables:
        field_h: {name: GeomagneticFieldH, units: nT, long_name: horizontal geomagnetic field}
        temperature: {name: Temperature1, units: degree_Celsius, long_name: temperature of the sensor}

A fill value becomes NaN and is counted as a gap, to be admitted by name. Variables of one dataset must share their
times: vector and scalar data of different rates make two datasets.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cdflib
import numpy as np
import xarray as xr
from cdflib.epochs import CDFepoch

from geojax.data.findings import Finding
from geojax.data.readers import _units, cf_attributes
from geojax.data.readers.magnetic.cdf import check_length
from geojax.data.readers.magnetic.join import of_station
from geojax.data.readers.tables.dates import shown
from geojax.errors import UserError

TT2000 = 33  # the type of times
LATEST = np.datetime64("2262-01-01")


def read(
    files: Mapping[str, Path], selection: Mapping[str, Any], variables: Mapping[str, Mapping[str, Any]]
) -> xr.Dataset:
    """Read variables (time,), float64, NaN where the file has its fill value.

    returns : with coordinates time (UTC), station, lat, lon, elevation
    raises UserError : a file is damaged or no ImagCDF, lacks a variable or its times, has it in other units, holds a
        leap second or a time twice, or contradicts the others
    source : INTERMAGNET Discussion Document DD22, "INTERMAGNET CDF data format", version 1.2
    """
    found: list[Finding] = []
    pieces = []
    for path in files.values():
        file, about = _open(path)
        if "stations" not in selection or about["IagaCode"] in selection["stations"]:
            pieces.append((path, _series(path, file, about, variables, found)))
    return of_station(files, pieces, selection, found)


def _open(path: Path) -> tuple[cdflib.CDF, dict[str, Any]]:
    """The file and its global attributes, of those that have one value."""
    if not path.is_file():
        raise UserError(f"{path}: the raw file must exist, but does not. Put it there, or mend `source`.")
    try:
        check_length(path)
        file = cdflib.CDF(path, validate=True)
        about = {name: values[0] for name, values in file.globalattsget().items() if len(values) == 1}
    except Exception as error:  # cdflib raises anything on damage
        raise _damaged(path, error) from error
    if "INTERMAGNET" not in str(about.get("FormatDescription", "")).upper() or not about.get("IagaCode"):
        told = about.get("FormatDescription") or about.get("DataFormat") or "nothing of its format"
        raise UserError(f"{path}: must be an INTERMAGNET CDF file with an IagaCode, but says {told!r}. Convert it.")
    return file, about


def _series(
    path: Path, file: cdflib.CDF, about: Mapping[str, Any], variables: Mapping[str, Mapping[str, Any]],
    found: list[Finding],
) -> xr.Dataset:  # fmt: skip
    there = file.cdf_info().zVariables
    content, times, clock = {}, np.array([], "M8[ns]"), ""
    for name, wanted in variables.items():
        inside = wanted.get("name") or name
        if inside not in there:
            raise UserError(f"{path}: must hold a variable `{inside}`, but holds {', '.join(there)}.")
        try:
            about_it = file.varattsget(inside)
            values = np.asarray(file.varget(inside))
        except Exception as error:
            raise _damaged(path, error) from error
        _units.check(str(about_it.get("UNITS", "")).strip(), wanted["units"], path, inside, found)
        depend = str(about_it.get("DEPEND_0", ""))
        if depend != clock:
            own = _times(path, file, inside, depend)
            if clock and not np.array_equal(own, times):
                raise UserError(
                    f"{path}: variables must share their times, but those of `{inside}` ({depend}) are not those of "
                    f"{clock}. Make a dataset of each."
                )
            times, clock = own, depend
        if values.shape != times.shape or values.dtype.kind not in "iuf":
            raise UserError(
                f"{path}: `{inside}` must hold {len(times)} numbers, one for each of {depend}, but holds "
                f"{values.dtype} of shape {values.shape}. Fetch it again."
            )
        content[name] = ("time", _filled(path, inside, values, times, about_it, wanted, found), cf_attributes(wanted))
    return xr.Dataset(
        content,
        coords={
            "time": ("time", times, {"standard_name": "time"}),
            "station": ((), str(about["IagaCode"]).strip(), {"long_name": "IAGA code"}),
            "lat": ((), _number(path, about, "Latitude"), {"units": "degrees_north"}),
            "lon": ((), _number(path, about, "Longitude"), {"units": "degrees_east"}),
            "elevation": ((), _number(path, about, "Elevation"), {"units": "m"}),
        },
        attrs={"iaga_code": str(about["IagaCode"]).strip(), "elements": str(about.get("ElementsRecorded", "")),
               "publication_level": str(about.get("PublicationLevel", ""))},
    )  # fmt: skip


def _filled(
    path: Path, inside: str, values: np.ndarray, times: np.ndarray, about_it: Mapping[str, Any],
    wanted: Mapping[str, Any], found: list[Finding],
) -> np.ndarray:  # fmt: skip
    """Values with NaN in place of the fill value, all others inside what file and configuration call valid."""
    fill = float(np.ravel(about_it.get("FILLVAL", np.nan))[0])
    values = values.astype("float64")
    lost = np.isnan(values) | (values == fill)
    if lost.all():
        raise UserError(f"{path}: `{inside}` must hold numbers, but every one is the fill value {fill:g}.")
    if lost.any():
        words = f"{int(lost.sum())} values are the fill value {fill:g} or none"
        found.append(Finding("gap", str(path), inside, int(lost.sum()), shown(times[lost.argmax()]), words))
    values[lost] = np.nan
    low, high = (
        float(np.ravel(about_it.get(key, end))[0]) for key, end in (("VALIDMIN", -np.inf), ("VALIDMAX", np.inf))
    )
    for first, last, who in (
        (low, high, "the file"),
        (*(wanted.get("valid_range") or (low, high)), "the configuration"),
    ):
        if (outside := (values < first) | (values > last)).any():
            at = int(outside.argmax())
            raise UserError(
                f"{path}: `{inside}` must lie in {first:g} … {last:g}, as {who} says, but {int(outside.sum())} values "
                f"do not, first {values[at]:g} at {shown(times[at])}. Is it an undeclared fill value?"
            )
    return values


def _times(path: Path, file: cdflib.CDF, inside: str, depend: str) -> np.ndarray:
    """Times of a variable, datetime64[ns], UTC."""
    if depend not in file.cdf_info().zVariables or file.varinq(depend).Data_Type != TT2000:
        raise UserError(f"{path}: `{inside}` must name its times, of type TT2000, in DEPEND_0, but names {depend!r}.")
    try:
        ticks = np.asarray(file.varget(depend), "int64").ravel()
    except Exception as error:
        raise _damaged(path, error) from error
    if not ticks.size:
        raise UserError(f"{path}: `{depend}` must hold times, but holds none. Fetch it again.")
    ends = _utc(path, depend, np.array([ticks.min(), ticks.max()]))
    shifts = ends.astype("int64") - np.array([ticks.min(), ticks.max()])
    # Leap seconds only ever add up, so that ends equally far from UTC mean that all between them are.
    times = (ticks + shifts[0]).view("M8[ns]") if shifts[0] == shifts[1] else _utc(path, depend, ticks)
    return times


def _utc(path: Path, depend: str, ticks: np.ndarray) -> np.ndarray:
    fields = np.atleast_2d(CDFepoch.breakdown_tt2000(ticks))
    times = CDFepoch.to_datetime(ticks)
    # With its largest and least values TT2000 says that there is no time.
    if (np.abs(ticks.astype("float64")) > 9.2e18).any() or np.isnat(times).any() or (times >= LATEST).any():
        raise UserError(
            f"{path}: `{depend}` must hold times before 2262, but one is a fill value. Take those rows out."
        )
    if (leap := fields[:, 5] == 60).any():
        raise UserError(
            f"{path}: `{depend}` must hold times that UTC without leap seconds can tell, but holds a leap second "
            f"before {shown(times[leap][0])}. Take that row out."
        )
    return times


def _number(path: Path, about: Mapping[str, Any], name: str) -> float:
    try:
        return float(about[name])
    except (KeyError, TypeError, ValueError):
        if name == "Elevation":
            return np.nan
        raise UserError(
            f"{path}: must tell its {name} as a number, but says {about.get(name)!r}. Complete it."
        ) from None


def _damaged(path: Path, error: Exception) -> UserError:
    return UserError(
        f"{path}: must be a CDF file that can be read to its end, but is not ({type(error).__name__}: {error}). "
        "Fetch it again."
    )
