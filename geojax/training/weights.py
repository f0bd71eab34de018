"""Trained variables as a Zarr store: one array for each, with the member as its first dimension."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
import xarray as xr
from flax import nnx

from geojax.errors import UserError
from geojax.task import Examples
from geojax.training import loop
from geojax.training.members import Create


def to_dataset(best: Any, **settings: Any) -> xr.Dataset:
    """Variables of all members, named by their path in the module."""
    arrays = {}
    for path, leaf in jax.tree.leaves_with_path(best):
        values = np.asarray(leaf)
        name = _name(path)
        arrays[name] = ((f"{name}_member", *(f"{name}_{i}" for i in range(1, values.ndim))), values)
    return xr.Dataset(arrays, attrs={key: json.dumps(value, sort_keys=True) for key, value in settings.items()})


def from_dataset(create: Create, stored: xr.Dataset) -> tuple[nnx.GraphDef, Any]:
    """Structure of the model and its variables, as `loop.predict` takes them.

    raises UserError : the store belongs to another model
    """
    graph, *variables = nnx.split(create(nnx.Rngs(0)), nnx.Param, ...)

    def read(path: Any, leaf: Any) -> np.ndarray:
        name = _name(path)
        came = stored[name].shape[1:] if name in stored else None
        if came != leaf.shape:
            raise UserError(f"model: variable {name} must have shape {leaf.shape}, but has {came}. Train it again.")
        return stored[name].values

    return graph, jax.tree.map_with_path(read, tuple(variables))


def predictors(
    creates: Sequence[Create], stored: xr.Dataset, function: Callable[[Any, Any], jax.Array], batch: int
) -> list[Callable[[Examples], np.ndarray]]:
    """For each of `creates`, one for each fold, what its own members predict: examples to (example, …)."""
    found = []
    for fold, create in enumerate(creates):
        every = {name: np.array_split(array.values, len(creates))[fold] for name, array in stored.data_vars.items()}
        own = xr.Dataset({name: (stored[name].dims, values) for name, values in every.items()})
        found.append(loop.predictor(*from_dataset(create, own), function, batch))
    return found


def _name(path: Any) -> str:
    keys = [str(getattr(step, "key", getattr(step, "idx", getattr(step, "name", step)))) for step in path]
    return ".".join(key for key in keys[1:] if key != "value")  # the first is params or rest
