"""Made catalogues, as stages hand them to tasks."""

import numpy as np
import pandas as pd
import xarray as xr

from geojax.data.events.catalogues import COLUMNS

CENTER = {"longitude": -69.5, "latitude": -21.0, "depth": 60.0, "magnitude": 2.0}
SPREAD = {"longitude": 0.8, "latitude": 1.2, "depth": 30.0, "magnitude": 0.6}
SCALING = xr.Dataset({f"{c}_center": CENTER[c] for c in COLUMNS} | {f"{c}_spread": SPREAD[c] for c in COLUMNS})


def part(name, physical, time, words) -> xr.Dataset:
    """One normalized part from physical COLUMNS (event, 4)."""
    columns = {
        c: ("event", ((physical[:, i] - CENTER[c]) / SPREAD[c]).astype("float32")) for i, c in enumerate(COLUMNS)
    }
    coords = {"time": ("event", np.asarray(time, "datetime64[ns]")), "class": ("event", np.asarray(words, str))}
    return xr.Dataset(columns, coords, attrs={"part": name})


def planes(rng, events=600, start="2007-01-01", days=90) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two dipping planes 25 km apart (P1 above P3) and a crust (UP) above: columns, times and classes."""
    longitude, latitude = rng.uniform(-71, -69, events), rng.uniform(-23, -19, events)
    kind = rng.integers(3, size=events)
    depth = np.select([kind == 0, kind == 1], [rng.uniform(0, 15, events), 30 + 25 * (longitude + 71)])
    depth = np.where(kind == 2, 55 + 25 * (longitude + 71), depth) + rng.normal(0, 1, events)
    time = np.datetime64(start) + np.sort(rng.uniform(0, days, events) * 86_400e9).astype("timedelta64[ns]")
    values = np.stack([longitude, latitude, np.abs(depth), rng.gamma(3, 0.6, events)], -1)
    return values, time, np.array(["UP", "P1", "P3"])[kind]


def split(parts, task, ends) -> pd.DataFrame:
    """The index of parts, split at two times."""
    rows = pd.concat([task.index(own).assign(part=name) for name, own in parts.items()], ignore_index=True)
    kind = np.searchsorted(np.asarray(ends, "datetime64[ns]"), rows["time"].to_numpy("datetime64[ns]"), "right")
    return rows.assign(split=np.array(["train", "validation", "test"])[kind])
