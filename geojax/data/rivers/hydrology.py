"""What rainfall-runoff modelling needs of weather, areas and calendars."""

from collections.abc import Mapping, Sequence

import numpy as np

from geojax.errors import UserError

MM_PER_DAY = 86.4  # of 1 m3 s-1 over 1 km2


def drained(codes: Sequence[str], above: Mapping[str, Sequence[str]]) -> np.ndarray:
    """Whose land drains to whom: (station, station), 1 where that of the second reaches the first, itself included.

    above : the next stations upstream of a station
    raises UserError : `above` names no station, one twice, or water would run in a circle
    """
    place = {code: i for i, code in enumerate(codes)}
    every = [code for pair in above.items() for code in (pair[0], *pair[1])]
    if strange := [code for code in every if code not in place]:
        raise UserError(f"above: {strange[0]} must be one of the stations {', '.join(codes)}.")
    upstream = [code for own in above.values() for code in own]
    if twice := [code for code in upstream if upstream.count(code) > 1]:
        raise UserError(f"above: {twice[0]} must drain to one next station, but stands above two.")
    reaches = np.eye(len(codes))
    for code in codes:
        seen, left = {code}, list(above.get(code, ()))
        while left:
            own = left.pop()
            if own in seen:
                raise UserError(f"above: water must not run in a circle, but {own} stands upstream of itself.")
            seen.add(own)
            reaches[place[code], place[own]] = 1.0
            left += above.get(own, ())
    return reaches


def upstream_mean(values: np.ndarray, area: np.ndarray, drains: np.ndarray) -> np.ndarray:
    """Means over all land that drains to a station, from means over each station's own land.

    values : (…, station); area : (station,), of the own land; drains : as from `drained`
    """
    weights = drains * area
    return values @ (weights / weights.sum(1, keepdims=True)).T


def hydrological_year(times: np.ndarray, first_month: int) -> np.ndarray:
    """The year in which each hydrological year ends; with `first_month` 11, 2004-11-01 to 2005-10-31 is 2005."""
    months = times.astype("datetime64[M]").astype(int)
    return 1970 + (months // 12) + ((months % 12 + 1 >= first_month) & (first_month > 1))


def runs_of_year(times: np.ndarray, first_month: int) -> list[tuple[int, int]]:
    """First and last place of each hydrological year in ascending times."""
    years = hydrological_year(times, first_month)
    starts = np.flatnonzero(np.diff(years, prepend=years[:1] - 1))
    return list(zip(starts.tolist(), [*(starts[1:] - 1).tolist(), len(times) - 1], strict=True))


def potential_evapotranspiration(temperature: np.ndarray, day_of_year: np.ndarray, latitude: np.ndarray) -> np.ndarray:
    """Potential evapotranspiration in mm/d from air temperature alone.

    temperature : (basin, time), °C; day_of_year : (time,), 1 to 366; latitude : (basin,), degrees
    source : Oudin et al. (2005), doi:10.1016/j.jhydrol.2004.08.026; radiation above the atmosphere as in Allen et al.
        (1998), FAO Irrigation and Drainage Paper 56, equations 21 to 25
    """
    angle = 2 * np.pi * day_of_year / 365
    distance = 1 + 0.033 * np.cos(angle)
    declination = 0.409 * np.sin(angle - 1.39)
    phi = np.radians(latitude)[:, None]
    sunset = np.arccos(np.clip(-np.tan(phi) * np.tan(declination), -1, 1))
    geometry = sunset * np.sin(phi) * np.sin(declination) + np.cos(phi) * np.cos(declination) * np.sin(sunset)
    radiation = 24 * 60 / np.pi * 0.0820 * distance * geometry  # MJ m-2 d-1
    return np.clip(radiation / 2.45 * (temperature + 5) / 100, 0, None)  # 2.45 MJ evaporate a kilogram
