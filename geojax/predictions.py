"""What a store of predictions holds besides them: who made them of which data, and what the task kept.

What is kept lies in this store, not in one of its own: the same stage fitted it to the very model that predicted, so
one digest vouches for both, Snakemake, `geojax verify` and `geojax repair` know of both, and a task that keeps nothing
has no output for it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import xarray as xr

from geojax import store

MARK = "kept."  # before the names of kept variables, dimensions and attributes


def origin(
    zarr: str | Path, index: str | Path, datasets: list[str], maker: str, told: Mapping[str, str]
) -> dict[str, str]:
    """CF attributes of a store of predictions.

    zarr : where it is to lie, below the run's folder
    index : manifest of the run's index, which says which examples were trained on
    maker : model or baselines
    told : CF attributes of what is predicted
    """
    run, listed = Path(zarr).parent.name, store.read_json(index)["digest"]
    own = {
        "Conventions": "CF-1.12",
        "title": f"Predictions of run {run}",
        "source": f"made by geojax, run {run}: {maker}",
        "trained_on": f"training examples of {', '.join(datasets)}, as index {listed} lists them",
    }
    return own | {key: told[key] for key in ("comment",) if key in told}


def packed(kept: xr.Dataset) -> xr.Dataset:
    """What was kept, named so that it can stand among predictions.

    raises ValueError : it has coordinates, for which a store that is written in blocks has no place
    """
    if kept.coords:
        raise ValueError(f"what a task keeps must have no coordinates, but has {', '.join(map(str, kept.coords))}")
    names = {name: f"{MARK}{name}" for name in (*kept.data_vars, *kept.dims)}
    return xr.Dataset(kept.rename(names).data_vars, attrs={f"{MARK}{key}": value for key, value in kept.attrs.items()})


def unpacked(stored: xr.Dataset) -> xr.Dataset | None:
    """What was kept, read from a store of predictions; None if nothing was."""
    own = stored[[name for name in stored.data_vars if str(name).startswith(MARK)]]
    if not own.data_vars:
        return None
    names: dict[Any, str] = {name: str(name).removeprefix(MARK) for name in (*own.data_vars, *own.dims)}
    attributes = {key.removeprefix(MARK): value for key, value in stored.attrs.items() if key.startswith(MARK)}
    return xr.Dataset(own.rename(names).load().data_vars, attrs=attributes)
