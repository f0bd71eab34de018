"""Rows of a table become a dataset on the dimensions of their key."""

from typing import Any

import numpy as np
import xarray as xr

from geojax.data import fills
from geojax.data.findings import Finding
from geojax.data.readers import cf_attributes
from geojax.data.readers.tables.columns import Data, Plan
from geojax.errors import UserError

SPARSE = 100  # cells of a grid for each row; beyond, the times of its stations are not the same
KNOWN = {
    "time": {"standard_name": "time"},
    "station": {"long_name": "station"},
    "well": {"long_name": "well"},
}


def arrange(plan: Plan, data: Data, found: list[Finding]) -> xr.Dataset:
    """The dataset; what is found of values and grid is appended to `found`.

    raises UserError : a key stands twice or lacks a value; the grid would be almost empty
    """
    for name, wanted in plan.numbers.items():
        for fill in fills.find(data.values[name]):
            column, path = wanted.get("name") or name, str(data.paths[data.files[fill.first]])
            own = f" (column `{column}`); is it missing from `missing`?"
            found.append(fills.finding(fill, path, name, _place(data, fill.first), own))
    codes, labels = _keys(plan, data)
    if plan.rows or len(plan.index) == 1:
        return _listed(plan, data)
    shape = tuple(len(labels[name]) for name in plan.index)
    cells, rows = int(np.prod(shape, dtype="float64")), len(data.places)
    if cells > SPARSE * rows + 1_000_000:
        raise UserError(
            f"{data.shown}: rows must fill their grid of {' × '.join(plan.index)}, but {rows} rows stand on {cells} "
            "cells. Give `reader: options: rows: sample` instead, which keeps them a list."
        )
    if cells > rows:
        empty = tuple(np.argwhere(~_filled(codes, shape))[0])
        first = ", ".join(str(labels[name][i]) for name, i in zip(plan.index, empty, strict=True))
        words = f"{cells - rows} of {cells} cells of {' × '.join(plan.index)} have no row"
        found.append(Finding("gap", data.shown, "all", cells - rows, first, words))
    return _gridded(plan, data, codes, labels, shape)


def _place(data: Data, row: int) -> str:
    return f"{data.word} {data.places[row]}"


def _keys(plan: Plan, data: Data) -> tuple[tuple[np.ndarray, ...], dict[str, np.ndarray]]:
    """For each key its code in every row, and its labels, ascending."""
    codes, labels = [], {}
    for name in plan.index:
        values = data.values[name]
        lacking = values == "" if values.dtype.kind == "U" else values != values
        if lacking.any():
            raise UserError(
                f"{data.place(int(lacking.argmax()))}: `{name}` must have a value, as it is a key of the row, "
                "but has none. Complete the row, or take it out."
            )
        labels[name], inverse = np.unique(values, return_inverse=True)
        codes.append(inverse)
    if codes:
        _check_unique(plan, data, np.asarray(np.ravel_multi_index(codes, [len(labels[name]) for name in plan.index])))
    return tuple(codes), labels


def _check_unique(plan: Plan, data: Data, keys: np.ndarray) -> None:
    order = np.argsort(keys, kind="stable")
    again = keys[order][1:] == keys[order][:-1]
    if again.any():
        at = int(again.argmax())
        first, second = int(order[at]), int(order[at + 1])
        key = ", ".join(f"{name} {data.values[name][first]}" for name in plan.index)
        raise UserError(
            f"{data.place(second)}: {key} must stand in one row, but already stands in {data.place(first)}; "
            f"so do {int(again.sum())} rows in all. Take the copies out, or name more columns "
            "in `reader: options: index`."
        )


def _listed(plan: Plan, data: Data) -> xr.Dataset:
    """All names on one dimension, in the order of the file."""
    dim = plan.rows or plan.index[0]
    content = xr.Dataset({name: (dim, data.values[name], cf_attributes(w)) for name, w in plan.variables.items()})
    others = [name for name in data.values if name not in plan.variables]
    return content.assign_coords({name: (dim, data.values[name], _attributes(plan, name)) for name in others})


def _gridded(
    plan: Plan, data: Data, codes: tuple[np.ndarray, ...], labels: dict[str, np.ndarray], shape: tuple[int, ...]
) -> xr.Dataset:
    def spread(name: str) -> np.ndarray:
        values = data.values[name]
        if values.dtype.kind in "iM" and len(values) < np.prod(shape):
            raise UserError(
                f"{data.shown}: `{name}` must have a value in every cell of the grid, but some have no row."
            )
        full = np.full(
            shape, "" if values.dtype.kind == "U" else np.nan if values.dtype.kind == "f" else 0, values.dtype
        )
        full[codes] = values
        return full

    content = xr.Dataset({name: (plan.index, spread(name), cf_attributes(w)) for name, w in plan.variables.items()})
    coordinates: dict[str, Any] = {name: (name, labels[name], _attributes(plan, name)) for name in plan.index}
    for name in data.values:
        if name in plan.variables or name in plan.index:
            continue
        for dim, code in zip(plan.index, codes, strict=True):
            own = data.values[name][np.unique(code, return_index=True)[1]]
            if _same(own[code], data.values[name]):
                coordinates[name] = (dim, own, _attributes(plan, name))
        coordinates.setdefault(name, (plan.index, None, _attributes(plan, name)))
        if coordinates[name][1] is None:
            coordinates[name] = (plan.index, spread(name), _attributes(plan, name))
    return content.assign_coords(coordinates)


def _same(first: np.ndarray, second: np.ndarray) -> bool:
    return bool(((first == second) | ((first != first) & (second != second))).all())


def _filled(codes: tuple[np.ndarray, ...], shape: tuple[int, ...]) -> np.ndarray:
    full = np.zeros(shape, bool)
    full[codes] = True
    return full


def _attributes(plan: Plan, name: str) -> dict[str, str]:
    if name in plan.coordinates:
        return cf_attributes(plan.coordinates[name])
    return KNOWN.get(name, {"long_name": name.replace("_", " ")})
