"""The conceptual rainfall-runoff model HBV: snow, soil, two stores and a unit hydrograph, for many basins at once.

source : Bergström (1976), SMHI Reports RHO 7; Lindström et al. (1997), doi:10.1016/S0022-1694(97)00041-3; parameters
and their bounds follow Seibert & Vis (2012), doi:10.5194/hess-16-3315-2012
"""

from typing import NamedTuple

import numpy as np

BOUNDS = {
    "threshold_temperature": (-2.0, 2.0),  # °C
    "degree_day_factor": (0.5, 7.0),  # mm d-1 K-1
    "snowfall_correction": (0.6, 1.5),
    "evapotranspiration_factor": (0.5, 2.0),
    "field_capacity": (50.0, 600.0),  # mm
    "evapotranspiration_limit": (0.2, 1.0),  # share of field capacity below which plants lack water
    "beta": (0.8, 7.0),
    "k0": (0.05, 0.7),  # d-1, of what the upper store holds above its threshold
    "upper_threshold": (1.0, 80.0),  # mm
    "k1": (0.01, 0.4),  # d-1
    "percolation": (0.05, 5.0),  # mm d-1
    "k2": (0.001, 0.12),  # d-1
    "base_of_triangle": (1.0, 5.0),  # d, of the unit hydrograph
}
LONGEST = 5  # days of the unit hydrograph
HELD = 0.1  # liquid water that snow holds, as a share of its ice


class State(NamedTuple):
    """Stores in mm (…,) and the runoff of the days before, in mm/d (LONGEST - 1, …), the latest last."""

    snow: np.ndarray
    liquid: np.ndarray
    soil: np.ndarray
    upper: np.ndarray
    lower: np.ndarray
    runoff: np.ndarray


def begin(parameters: np.ndarray) -> State:
    """No snow, soil three quarters full, a lower store that half the percolation keeps; (parameter, …)."""
    named = dict(zip(BOUNDS, parameters, strict=True))
    empty = np.zeros(parameters.shape[1:])
    lower = 0.25 * named["percolation"] / named["k2"]
    return State(empty, empty, 0.75 * named["field_capacity"], empty, lower, np.zeros((LONGEST - 1, *empty.shape)))


def simulate(
    weather: np.ndarray, parameters: np.ndarray, state: State | None = None, keep: bool = False
) -> tuple[np.ndarray, State]:
    """Discharge in mm/d (…, day), and the state after the last day, or with `keep` after each (…, day).

    weather : (3, …, day), finite: precipitation and potential evapotranspiration in mm/d with temperature in °C
        between them; its other dimensions and those of the parameters are broadcast
    parameters : (parameter, …), in the order of BOUNDS
    state : before the first day; that of `begin` if None
    """
    snow, liquid, soil, upper, lower, before = state or begin(parameters)
    named = dict(zip(BOUNDS, parameters[..., None], strict=True))  # beside the days
    rain, frozen, melting, wanted = (np.ascontiguousarray(np.moveaxis(own, -1, 0)) for own in _forcing(weather, named))
    capacity, limit, beta = (named[name][..., 0] for name in ("field_capacity", "evapotranspiration_limit", "beta"))
    k0, threshold, k1, most, k2 = (named[name][..., 0] for name in ("k0", "upper_threshold", "k1", "percolation", "k2"))
    dry = 1 / (limit * capacity)
    runoff = np.empty((len(before) + len(rain), *np.broadcast_shapes(rain.shape[1:], soil.shape)))
    runoff[: len(before)] = before
    states = []
    for day in range(len(rain)):
        snow = snow + frozen[day]
        melt = np.minimum(melting[day], snow)
        snow = snow - melt
        liquid = liquid + melt + rain[day]
        enters = np.maximum(liquid - HELD * snow, 0)
        liquid = liquid - enters
        passed = enters * (soil / capacity) ** beta
        soil = soil + enters - passed
        spilt = np.maximum(soil - capacity, 0)
        soil = soil - spilt
        soil = np.maximum(soil - wanted[day] * np.minimum(soil * dry, 1), 0)
        upper = upper + passed + spilt
        sinks = np.minimum(most, upper)
        upper = upper - sinks
        lower = lower + sinks
        quick = k0 * np.maximum(upper - threshold, 0)
        upper = upper - quick
        slow = k1 * upper
        upper = upper - slow
        base = k2 * lower
        lower = lower - base
        runoff[len(before) + day] = quick + slow + base
        if keep:
            states.append((snow, liquid, soil, upper, lower))
    routed = np.moveaxis(_route(runoff, parameters[-1]), 0, -1)
    if not keep:
        return routed, State(snow, liquid, soil, upper, lower, runoff[len(rain) :])
    snow, liquid, soil, upper, lower = (
        np.stack([np.broadcast_to(own, runoff.shape[1:]) for own in every], -1) for every in zip(*states, strict=True)
    )
    days = np.arange(len(rain)) + 1 + np.arange(LONGEST - 1)[:, None]
    return routed, State(snow, liquid, soil, upper, lower, np.moveaxis(runoff[days], 1, -1))


def _forcing(weather: np.ndarray, named: dict[str, np.ndarray]) -> tuple[np.ndarray, ...]:
    """Rain, snowfall, what may melt and what may evaporate, mm/d (…, day)."""
    precipitation, temperature, evaporation = weather
    warmth = temperature - named["threshold_temperature"]
    share = np.clip(0.5 - 0.5 * warmth, 0, 1)  # of snow: falls from one to none between -1 and 1 K
    frozen = precipitation * share
    return (
        precipitation - frozen,
        named["snowfall_correction"] * frozen,
        named["degree_day_factor"] * np.maximum(warmth, 0),
        named["evapotranspiration_factor"] * evaporation,
    )


def _route(runoff: np.ndarray, base: np.ndarray) -> np.ndarray:
    """Runoff (LONGEST - 1 + day, …) spread over the days that follow, (day, …), by a triangle."""
    weights = unit_hydrograph(base)
    days = len(runoff) - LONGEST + 1
    routed = weights[0] * runoff[LONGEST - 1 :]
    for late in range(1, LONGEST):
        if weights[late].any():
            routed += weights[late] * runoff[LONGEST - 1 - late : LONGEST - 1 - late + days]
    return routed


def unit_hydrograph(base: np.ndarray) -> np.ndarray:
    """Share of a day's runoff that leaves on that day and each of the next, (LONGEST, …); base : of the triangle, d"""
    edges = np.arange(LONGEST + 1).reshape(-1, *[1] * np.ndim(base))
    x = np.clip(edges / base, 0, 1)
    return np.diff(np.where(x < 0.5, 2 * x**2, 1 - 2 * (1 - x) ** 2), axis=0)
