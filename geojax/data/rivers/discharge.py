"""Discharge of one's own tables, simulated or forecast by a trained model: every day whose history is complete."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from geojax import store
from geojax.data import histories
from geojax.data.rivers import basins, hydrology
from geojax.data.rivers.basins import DAY, Basins
from geojax.errors import UserError
from geojax.log import logger
from geojax.task import Data, Examples

COLUMNS = ["basin", "issued", "lead_days", "date", "discharge_mm_per_day", "discharge_m3_per_s"]


def write(
    predict: Callable[[Examples], np.ndarray], files: Sequence[Path], output: Path, data: Data, settings: Any, days: int
) -> list[Path]:
    """Write discharge.csv: basin, day of issue, lead, date, discharge as depth and, where areas are known, in m3/s.

    predict : rows basin, start, days, and what they share, to discharge (row, day, lead) in mm/d
    settings : leads, past_flow, warmup and latitude
    days : of a row
    raises UserError : a basin is unknown to the run, or no day has a complete history
    """
    held = gathered(data, files, settings)
    complete = {lead: known_before(held, settings.warmup - lead + 1, settings.past_flow) for lead in settings.leads}
    found = everywhere(predict, held, settings, days)
    place = np.arange(len(held.days))
    pieces = []
    for i, lead in enumerate(settings.leads):
        for basin, name in enumerate(held.names):
            issued = np.flatnonzero(complete[lead][basin])
            issued = issued[issued + lead < len(place)]
            pieces.append(pd.DataFrame({
                "basin": name, "issued": held.days[issued], "lead_days": lead, "date": held.days[issued + lead],
                "discharge_mm_per_day": found[basin, issued + lead, i],
                "discharge_m3_per_s": found[basin, issued + lead, i] * held.area[basin] / hydrology.MM_PER_DAY,
            }))  # fmt: skip
    table = pd.concat(pieces, ignore_index=True)[COLUMNS]
    if table.empty:
        needs = "weather and discharge" if settings.past_flow else "weather"
        raise UserError(
            f"{', '.join(map(str, files))}: {needs} of {settings.warmup - max(settings.leads) + 1} days in a row must "
            f"be known, but are for no basin on any of {len(held.days)} days. Bring longer series, without gaps."
        )
    for name in held.names:
        own = table[table["basin"] == name]
        until = f", the last issued on {own['issued'].max():%Y-%m-%d}" if len(own) else ""
        logger.info("basin %s: discharge of %d days and leads%s", name, len(own), until)
    path = output / "discharge.csv"
    written = table.sort_values(["basin", "issued", "lead_days"], kind="stable")
    store.write_bytes(written.to_csv(index=False, float_format="%.6g", date_format="%Y-%m-%d").encode(), path)
    return [path]


def gathered(data: Data, files: Sequence[Path], settings: Any) -> Basins:
    """The series of the files, and so many days after their last as the run looks ahead.

    Areas and latitudes are those of the run's own data, as the model was trained with them.
    """
    part = data.read(files, () if settings.past_flow else ("discharge",))
    names = [str(name) for name in data.scaling["basin"].values]
    if "discharge" not in part and {"time", "basin"} <= set(part.dims):
        told = next(iter(data.parts.values()))["discharge"].attrs  # its units
        part["discharge"] = ("time", "basin"), np.full([part.sizes[d] for d in ("time", "basin")], np.nan), told
    basins.check(part)
    place = {name: ("basin", known) for name in ("area", "latitude") if (known := _told(data, name, names)) is not None}
    part = part.drop_vars(["area", "latitude"], errors="ignore")
    part = part.assign_coords(basin=[*map(str, part["basin"].values)]).reindex(basin=names)
    first, last = (part["time"].values[i].astype("datetime64[D]") for i in (0, -1))
    until = last + max(settings.leads) * DAY
    return basins.gather({"own": part.assign_coords(place)}, data.scaling, first, until, settings.latitude)


def _told(data: Data, name: str, names: Sequence[str]) -> np.ndarray | None:
    """A coordinate of the basins as the run's parts tell it, NaN where none does; None if none tells any."""
    values = pd.Series(np.nan, list(names))
    for part in data.parts.values():
        if name in part.coords:
            values.update(pd.Series(part[name].values, [str(basin) for basin in part["basin"].values]))
        if values.notna().all():
            break
    return values.to_numpy() if values.notna().any() else None


def known_before(held: Basins, count: int, past_flow: bool) -> np.ndarray:
    """Whether all is known on each of the `count` days that end with a day, (basin, day)."""
    known = np.isfinite(held.precipitation + held.temperature + (held.flow if past_flow else 0))
    return histories.complete(known, count)


def everywhere(predict: Callable[[Examples], np.ndarray], held: Basins, settings: Any, days: int) -> np.ndarray:
    """What the model says (basin, day, lead) of each day; of the first ones, before which it has no history, NaN."""
    inputs = held.inputs(settings.past_flow)
    shared = {
        "center": held.center[2].astype("float32"),
        "spread": held.spread[2].astype("float32"),
        "inputs": np.pad(inputs, ((0, 0), (0, days), (0, 0))),
        "static": held.attributes(),
    }
    found = np.full((*held.flow.shape, len(settings.leads)), np.nan, "float32")
    starts = np.arange(settings.warmup, len(held.days), days)
    basin, start = (own.ravel().astype("int32") for own in np.meshgrid(np.arange(len(held.names)), starts))
    if not start.size:
        return found
    rows = {"basin": basin, "start": start, "days": np.minimum(days, len(held.days) - start).astype("int32")}
    for own, at, said in zip(basin, start, predict(Examples(rows, shared)), strict=True):
        found[own, at : at + days] = said[: len(held.days) - at]
    return found
