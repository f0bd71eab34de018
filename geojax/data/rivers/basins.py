"""Weather and discharge of basins as whole daily series, put together from normalized parts."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from geojax.data.rivers import hydrology
from geojax.errors import UserError

VARIABLES = ("precipitation", "temperature", "discharge")
SCALING = "`scaling: {center: mean, spread: point, over: [time]}`"
DAY = np.timedelta64(1, "D")


@dataclass(frozen=True)
class Basins:
    """Series (basin, day), NaN where no part has a value, and what is known of each basin (basin,).

    precipitation, flow and demand, which is potential evapotranspiration, in mm/d, temperature in °C
    center, spread : (3, basin), of VARIABLES in these units over the reference years; area in km2, NaN if unknown
    """

    names: np.ndarray
    days: np.ndarray
    precipitation: np.ndarray
    temperature: np.ndarray
    demand: np.ndarray
    flow: np.ndarray
    center: np.ndarray
    spread: np.ndarray
    area: np.ndarray

    @property
    def day_of_year(self) -> np.ndarray:
        return pd.DatetimeIndex(self.days).day_of_year.to_numpy("int32")

    def places(self, index: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Basin and first day of each row of an index, as places in the series."""
        of = {str(name): i for i, name in enumerate(self.names)}
        first = (index["time"].to_numpy("datetime64[D]") - self.days[0]) / DAY
        return index["basin"].map(of).to_numpy("int32"), first.astype("int32")

    def attributes(self) -> np.ndarray:
        """What sets basins apart (basin, feature), standardized: mean weather and flow, its variability, area."""
        known = [*self.center[:2], np.log(self.center[2]), self.spread[2] / self.center[2]]
        known += [np.log(self.area)] if np.isfinite(self.area).all() else []
        each = np.stack(known, -1)
        return ((each - each.mean(0)) / np.where(each.std(0) > 1e-6, each.std(0), 1)).astype("float32")

    def inputs(self, past_flow: bool) -> np.ndarray:
        """What a network sees of each day (basin, time, input), of order one; where there is no value, none departs."""
        center, spread = self.center.mean(1), self.spread.mean(1)
        angle = np.broadcast_to(2 * np.pi * self.day_of_year / 365.25, self.flow.shape)
        columns = [
            self.precipitation / spread[0],
            (self.temperature - center[1]) / spread[1],
            self.demand / 2,
            np.sin(angle),
            np.cos(angle),
        ]
        if past_flow:
            flow = (self.flow - self.center[2][:, None]) / self.spread[2][:, None]
            columns += [flow, np.log(0.05 + np.maximum(self.flow, 0) / self.center[2][:, None]), np.isfinite(flow)]
        return np.nan_to_num(np.stack(columns, -1)).astype("float32")

    def check_weather(self, index: pd.DataFrame, warmup: int) -> None:
        """raises UserError : weather lacks on a day of a row, or of the `warmup` days before it."""
        lacks = ~np.isfinite(self.precipitation + self.temperature)
        for row, basin, start in zip(index.itertuples(), *self.places(index), strict=True):
            if (absent := lacks[basin, start - warmup : start + row.days]).any():
                when = self.days[start - warmup + int(absent.argmax())]
                raise UserError(
                    f"part {row.part}: precipitation and temperature of basin {row.basin} must be complete, and so the "
                    f"{warmup} days before, but lack on {when}. Bring them, let the split begin later, or make "
                    "`examples: warmup` shorter."
                )


def check(part: xr.Dataset) -> None:
    """raises UserError : a part is not daily weather and discharge on time and basin."""
    name = part.attrs.get("part", "?")
    for variable in VARIABLES:
        if variable not in part or set(part[variable].dims) != {"time", "basin"}:
            there = ", ".join(map(str, part.data_vars))
            raise UserError(
                f"part {name}: must hold `{variable}` on time and basin, but has {there} on "
                f"{', '.join(map(str, part.dims))}. Name it so in `reader: variables`, and the basins in `options`."
            )
    steps = np.diff(part["time"].values)
    if len(steps) and (steps % DAY != np.timedelta64(0)).any():
        raise UserError(
            f"part {name}: must have daily values, but {part['time'].values[1]} is not a day after another."
        )


def gather(
    parts: Mapping[str, xr.Dataset], scaling: xr.Dataset, first: np.datetime64, last: np.datetime64,
    latitude: float | None,
) -> Basins:  # fmt: skip
    """The series from `first` to `last` of all basins that the scaling knows.

    latitude : of basins whose parts tell none, degrees
    raises UserError : the scaling is not by basin, units are others, or an area or latitude is needed and unknown
    """
    if any(scaling[f"{name}_{kind}"].dims != ("basin",) for name in VARIABLES for kind in ("center", "spread")):
        raise UserError(f"scaling: must be fitted for each basin over all times. Write {SCALING}.")
    names = _words(scaling["basin"])
    days = np.arange(first.astype("datetime64[D]"), last.astype("datetime64[D]") + DAY)
    raw = np.full((len(VARIABLES), len(names), len(days)), np.nan)
    known = {name: np.full(len(names), np.nan) for name in ("area", "latitude")}
    units = "m3 s-1"
    for part in parts.values():
        at = ((part["time"].values.astype("datetime64[D]") - days[0]) / DAY).astype(int)
        inside = (at >= 0) & (at < len(days))
        if not inside.any():
            continue
        own = part.isel(time=inside).transpose("time", "basin", ...)
        places = pd.Index(names).get_indexer(_words(own["basin"]))
        if (places < 0).any():
            stranger = own["basin"].values[places < 0][0]
            raise UserError(f"scaling: basin {stranger} must stand in the reference parts, but does not.")
        for row, name in zip(raw, VARIABLES, strict=True):
            row[np.ix_(places, at[inside])] = own[name].values.T
        for name, values in known.items():
            if name in own.coords:
                values[places] = own[name].values
        units = own["discharge"].attrs.get("original_units", units)
    center, spread = (
        np.stack([scaling[f"{name}_{kind}"] for name in VARIABLES]).astype("float64") for kind in ("center", "spread")
    )
    depth = _depth(units, known["area"], names)
    rain, temperature, flow = raw * spread[..., None] + center[..., None]
    center[2], spread[2] = center[2] * depth, spread[2] * depth
    where = _filled("latitude", known["latitude"], latitude, names)
    calendar = pd.DatetimeIndex(days).day_of_year.to_numpy()
    demand = hydrology.potential_evapotranspiration(temperature, calendar, where)
    return Basins(
        names, days, np.maximum(rain, 0), temperature, demand, flow * depth[:, None], center, spread, known["area"]
    )


def _words(names: xr.DataArray) -> np.ndarray:
    return np.array([str(name) for name in names.values])  # stores give strings of another type than NumPy's own


def _depth(units: str, area: np.ndarray, names: np.ndarray) -> np.ndarray:
    """What turns discharge of these units into mm/d, (basin,)."""
    if units in ("mm d-1", "mm day-1", "mm"):
        return np.ones(len(names))
    if units != "m3 s-1":
        raise UserError(f"discharge: must be in m3 s-1 or mm d-1, but is in {units!r}. Convert it in the file.")
    return hydrology.MM_PER_DAY / _filled("area", area, None, names)


def _filled(name: str, values: np.ndarray, other: float | None, names: np.ndarray) -> np.ndarray:
    filled = np.where(np.isfinite(values), values, np.nan if other is None else other)
    if not np.isfinite(filled).all():
        unknown = names[~np.isfinite(filled)][0]
        setting = " or write `examples: latitude`" if name == "latitude" else ""
        raise UserError(
            f"{name}: basin {unknown} must have one, but has none. "
            f"Give it as a coordinate of the basins in `reader: options: coordinates`{setting}."
        )
    return filled
