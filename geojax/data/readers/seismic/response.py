"""Counts to ground motion: the instrument's response removed from each contiguous stretch."""

import warnings
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from obspy import Trace, UTCDateTime
from obspy.core.inventory import PolynomialResponseStage

from geojax.data.findings import Finding
from geojax.data.quality import runs
from geojax.data.readers.seismic.formats import short
from geojax.data.readers.seismic.stations import Stations
from geojax.data.readers.seismic.xml import Report
from geojax.data.segments import Grid, instant
from geojax.errors import UserError

UNITS = {"DISP": "m", "VEL": "m s-1", "ACC": "m s-2"}
MOTION = {"M": "DISP", "M/S": "VEL", "M/SEC": "VEL"} | dict.fromkeys(
    ("M/S**2", "M/(S**2)", "M/SEC**2", "M/(SEC**2)", "M/S/S"), "ACC"
)  # units of StationXML, in capitals; what ObsPy knows as such
PREFIXES = "NCM"  # nano, centi and milli, which ObsPy takes into account
PLACE = "reader: options: response"


class Removal(NamedTuple):
    """What the option `response` asks for.

    output : DISP, VEL or ACC
    method : full, a deconvolution; sensitivity, a division by one number
    pre_filter : four rising corners of a band [Hz]; outside of the outer two nothing is left
    water_level : dB below the peak of the response, where its inverse is cut off; None leaves it uncut
    """

    output: str = ""
    method: str = "full"
    pre_filter: tuple[float, ...] | None = None
    water_level: float | None = 60.0

    def __str__(self) -> str:
        if self.method == "sensitivity":
            return f"divided by the instrument's sensitivity ({self.output})"
        band = f"pre-filter {', '.join(f'{f:g}' for f in self.pre_filter)} Hz" if self.pre_filter else "no pre-filter"
        level = "no water level" if self.water_level is None else f"water level {self.water_level:g} dB"
        return (
            f"instrument response removed ({self.output}), {band}, {level}; "
            "before it, each contiguous stretch lost its mean and was tapered over 5 % of its length"
        )


def removal(option: Mapping[str, Any], units: str) -> Removal:
    """The option `response`, checked against the units that the configuration declares.

    raises UserError : a setting is unknown, out of range, or gives other units
    """
    if strange := sorted(set(option) - set(Removal._fields)):
        raise UserError(f"{PLACE}: no setting `{strange[0]}`. There are {', '.join(Removal._fields)}.")
    found = Removal(**option)
    if found.output not in UNITS:
        raise UserError(f"{PLACE}: output: must be {', '.join(UNITS)}, but is {found.output!r}.")
    if found.method not in ("full", "sensitivity"):
        raise UserError(f"{PLACE}: method: must be full or sensitivity, but is {found.method!r}.")
    if found.method == "sensitivity" and len(option) > 2:
        raise UserError(f"{PLACE}: method: sensitivity filters nothing; leave out pre_filter and water_level.")
    if units != UNITS[found.output]:
        raise UserError(
            f"{PLACE}: output: {found.output} comes in {UNITS[found.output]!r}, but `reader: variables: units` "
            f"declares {units!r}. Make them agree."
        )
    corners = found.pre_filter
    if corners is not None and (len(corners) != 4 or corners[0] < 0 or any(a >= b for a, b in pairwise(corners))):
        raise UserError(f"{PLACE}: pre_filter: must be four rising frequencies in Hz, but is {list(corners)}.")
    return found._replace(pre_filter=tuple(map(float, corners)) if corners is not None else None)


def remove_response(grid: Grid, stations: Stations, how: Removal, report: Report) -> Grid:
    """The same traces as ground motion, float32.

    raises UserError : a stretch has no response or more than one, or it cannot be removed
    """
    motion = np.full(grid.values.shape, np.nan, "float32")
    said: list[tuple[str, str]] = []
    for row, trace in enumerate(grid.traces):
        for start, length in zip(*runs(np.isfinite(grid.values[row])), strict=True):
            where = slice(int(start), int(start + length))
            first, last = (grid.start_ns + round(int(i) * 1e9 / grid.rate_hz) for i in (start, start + length - 1))
            if how.pre_filter and length / grid.rate_hz < 1 / how.pre_filter[1]:
                words = f"{length / grid.rate_hz:g} s do not hold one period of {how.pre_filter[1]:g} Hz"
                report(Finding("short", stations.file, trace, 1, instant(first), words))
            response = _response(stations, trace, first, last)
            values = grid.values[row, where].astype("float64")
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                try:
                    motion[row, where] = _motion(values, response, how, grid.rate_hz, first)
                except UserError as error:
                    raise UserError(f"{stations.file}: {trace}: {error}") from None
                except Exception as error:  # ObsPy raises anything, on damage above all
                    raise UserError(
                        f"{stations.file}: {trace}: the response must be one that ObsPy can remove, but is not "
                        f"({type(error).__name__}: {short(error)}). Mend it, or leave the channel out."
                    ) from error
            if not np.isfinite(motion[row, where]).all():
                raise UserError(
                    f"{stations.file}: {trace}: motion must be finite, but is not. Give {PLACE} a water_level."
                )
            said += [(trace, short(warning.message)) for warning in caught]
    for trace, words in dict.fromkeys(said):
        report(Finding("warning", stations.file, trace, 1, "no time", f"ObsPy says: {words}"))
    return grid._replace(values=motion)


def _response(stations: Stations, trace: str, first: int, last: int) -> Any:
    """The one response of a channel from first to last.

    raises UserError : there is none, or several
    """
    known = [epoch for epoch in stations.of(trace) if epoch.response is not None]
    found = [epoch.response for epoch in known if epoch.covers(first, last)]
    if not found or any(other != found[0] for other in found[1:]):
        number = "none" if not found else f"{len(found)} different ones"
        elsewhere = ", though it has some at other times" if known and not found else ""
        raise UserError(
            f"{stations.file}: {trace} must have one response from {instant(first)} to {instant(last)}, but has "
            f"{number}{elsewhere}. Bring its StationXML of level `response`, or leave the channel out."
        )
    return found[0]


def _motion(values: np.ndarray, response: Any, how: Removal, rate_hz: float, start_ns: int) -> np.ndarray:
    sensitivity = response.instrument_sensitivity
    stages = response.response_stages
    if response.instrument_polynomial or any(isinstance(stage, PolynomialResponseStage) for stage in stages):
        raise UserError("a polynomial response is no ground motion. Leave the channel out.")
    told = [stages[0].input_units if stages else None, sensitivity.input_units if sensitivity else None]
    units = [unit.upper() for unit in told if unit]
    if how.method == "sensitivity":
        if (
            not sensitivity
            or not sensitivity.value
            or MOTION.get((sensitivity.input_units or "").upper()) != how.output
        ):
            raise UserError(
                f"the sensitivity must be that of {how.output}, but is {_shown(sensitivity)}. "
                f"Take another `output`, or remove the full response."
            )
        return values / sensitivity.value
    if not units or not all(unit in MOTION or (unit[0] in PREFIXES and unit[1:] in MOTION) for unit in units):
        raise UserError(f"the response must be to ground motion, but is to {told[0]}. Leave the channel out.")
    trace = Trace(values, {"sampling_rate": rate_hz, "starttime": UTCDateTime(ns=start_ns)})
    trace.stats.response = response
    trace.remove_response(output=how.output, pre_filt=how.pre_filter, water_level=how.water_level)
    return trace.data


def _shown(sensitivity: Any) -> str:
    if not sensitivity or not sensitivity.value:
        return "not told"
    return f"{sensitivity.value:g} counts for 1 {sensitivity.input_units}"
