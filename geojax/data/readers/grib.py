"""GRIB 1 and 2 on regular latitudes and longitudes or a full Gaussian grid, decoded by ecCodes."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import eccodes
import numpy as np
import xarray as xr

from geojax.data.readers import _units
from geojax.data.readers.fields import grid, numbers
from geojax.data.readers.fields.grid import Piece
from geojax.data.readers.fields.messages import Message, handles, scan, trouble
from geojax.errors import UserError

GRIDS = ("regular_ll", "regular_gg")
NONE = -1.7e308  # what ecCodes is told to put where the bitmap has no value
LEVELS = {
    "isobaricInhPa": {"standard_name": "air_pressure", "units": "hPa", "positive": "down"},
    "isobaricInPa": {"standard_name": "air_pressure", "units": "Pa", "positive": "down"},
    "heightAboveGround": {"standard_name": "height", "units": "m", "positive": "up"},
    "heightAboveSea": {"standard_name": "altitude", "units": "m", "positive": "up"},
    "depthBelowSea": {"standard_name": "depth", "units": "m", "positive": "down"},
}


def read(
    files: Mapping[str, Path],
    selection: Mapping[str, Any],
    variables: Mapping[str, Mapping[str, Any]],
    *,
    where: Mapping[str, str | int | float] | None = None,
    fill: Sequence[float] = (),
) -> xr.Dataset:
    """Read fields (time, lat, lon), or (time, depth, lat, lon) where a variable has several levels; float32, NaN for
    none, latitudes ascending. Time is the valid time: the end of an interval for what is accumulated.

    files : those of one part; the order of messages and files bears no meaning
    variables : the name in the file is short name or parameter id, with a level if wanted: `t`, `130`, `t@850`
    where : ecCodes keys that a message must have to be taken, for instance {typeOfLevel: isobaricInhPa, number: 0}
    fill : values that stand for none, though the file does not say so
    raises UserError : a file cannot be read to its end, has another kind of grid or other units, has two fields for
        one time and level, or lacks one
    """
    grid.check_selection(selection, "grib")
    messages = [message for path in files.values() for message in scan(path, where or {})]
    paths, found, arrays = list(files.values()), [], {}
    if not messages:
        raise UserError(f"{_shown(paths)}: must hold messages with {dict(where or {})}, but holds none.")
    for name, wanted in variables.items():
        own = _named(messages, wanted.get("name") or name, paths)
        for units in dict.fromkeys(message.units for message in own):
            _units.check(None if units in ("~", "unknown") else units, wanted["units"], own[0].path, name, found)
        times = np.array([message.time for message in own])
        taken = [own[i] for i in np.flatnonzero(grid.within(times, selection))]
        if not taken:
            raise grid.nothing(paths, selection, times)
        arrays[name] = grid.join(name, [_piece(name, taken, fill)], wanted, found.append)
    return grid.gather(arrays, paths, found)


def _named(messages: Sequence[Message], name: str, paths: Sequence[Path]) -> list[Message]:
    short, _, level = name.partition("@")
    own = [m for m in messages if short in m.names and (not level or f"{m.level:g}" == level)]
    if not own:
        there = ", ".join(sorted({f"{m.names[0]}@{m.level:g}" for m in messages})[:12])
        raise UserError(f"{_shown(paths)}: must hold `{name}`, but holds {there}.")
    if len(kinds := sorted({m.level_type for m in own})) > 1:
        raise UserError(
            f"{own[0].path}: `{name}` must lie on one kind of level, but lies on {', '.join(kinds)}. "
            f"Choose with `reader: options: where: {{typeOfLevel: {kinds[0]}}}`."
        )
    return own


def _piece(name: str, taken: Sequence[Message], fill: Sequence[float]) -> Piece:
    """All messages of a variable as one piece: each time with each level once, on one grid."""
    times, levels = np.unique([m.time for m in taken]), np.unique([m.level for m in taken])
    places: dict[tuple[int, int], Message] = {}
    for message in taken:
        place = int(np.searchsorted(times, message.time)), int(np.searchsorted(levels, message.level))
        if place in places:
            raise UserError(
                f"{message.shown}: must be the only field of `{name}` at {message.time.astype('datetime64[s]')} and "
                f"level {message.level:g}, but {places[place].shown} is one too. "
                "Remove one, or choose with `reader: options: where`."
            )
        places[place] = message
    if absent := [(t, z) for t in range(len(times)) for z in range(len(levels)) if (t, z) not in places]:
        t, z = absent[0]
        raise UserError(
            f"{_shown([m.path for m in taken])}: `{name}` must have each level at each time, but lacks "
            f"{len(absent)}, first {levels[z]:g} at {times[t].astype('datetime64[s]')}. Bring them, or choose a level."
        )
    if other := next((m for m in taken if m.grid != taken[0].grid), None):
        raise UserError(f"{other.shown}: must lie on the grid of {taken[0].shown}, but lies on another.")
    lat, lon, shape = _coordinates(taken[0])
    deep = len(levels) > 1
    axes = {"time": times} | ({"depth": levels} if deep else {}) | {"lat": lat, "lon": lon}
    wanted = {(m.path, m.number): place for place, m in places.items()}

    def blocks() -> Iterator[tuple[Any, np.ndarray]]:
        for path in dict.fromkeys(m.path for m in taken):
            for number, handle in enumerate(handles(path)):
                if (path, number) in wanted:
                    place = wanted[path, number]
                    with trouble(path, number):
                        yield place if deep else place[0], _decoded(handle, fill).reshape(shape[0]).transpose(shape[1])

    kind = taken[0].level_type
    return Piece(taken[0].path, axes, blocks, LEVELS.get(kind, {"long_name": f"level of type {kind}"}))


def _decoded(handle: Any, fill: Sequence[float]) -> np.ndarray:
    eccodes.codes_set(handle, "missingValue", NONE)
    values = eccodes.codes_get_values(handle)
    return np.where((values == NONE) | numbers.is_one_of(values, fill), np.nan, values)


def _coordinates(message: Message) -> tuple[np.ndarray, np.ndarray, tuple[tuple[int, int], tuple[int, int]]]:
    """Latitudes and longitudes of the axes, the shape in which values lie, and how to turn it to (lat, lon).

    raises UserError : the grid is not one of regular latitudes and longitudes
    """
    kind = message.grid.split()[0]
    if kind not in GRIDS:
        hint = (
            "Interpolate it to full rows" if kind.startswith("reduced") else "Interpolate it to latitudes, longitudes"
        )
        raise UserError(f"{message.shown}: must lie on {' or '.join(GRIDS)}, but lies on {kind}. {hint} first.")
    for number, handle in enumerate(handles(message.path)):
        if number == message.number:
            with trouble(message.path, number):
                return _regular(handle, message)
    raise UserError(f"{message.shown}: was there a moment ago, but is gone. Let no one write to it, and run again.")


def _regular(handle: Any, message: Message) -> tuple[np.ndarray, np.ndarray, tuple[tuple[int, int], tuple[int, int]]]:
    def get(key: str) -> int:
        return eccodes.codes_get(handle, key, int)

    columns = bool(get("jPointsAreConsecutive"))
    shape, turned = ((get("Ni"), get("Nj")), (1, 0)) if columns else ((get("Nj"), get("Ni")), (0, 1))
    lat, lon = (
        eccodes.codes_get_array(handle, key).reshape(shape).transpose(turned) for key in ("latitudes", "longitudes")
    )
    if get("alternativeRowScanning") or (lat != lat[:, :1]).any() or (lon != lon[:1]).any():
        raise UserError(f"{message.shown}: rows must run the same way, on the same longitudes, but do not.")
    return lat[:, 0], lon[0], (shape, turned)


def _shown(paths: Sequence[Path]) -> str:
    return ", ".join(str(path) for path in list(dict.fromkeys(paths))[:3])
