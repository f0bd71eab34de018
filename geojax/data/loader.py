"""Windows of parts, cut out of their stores when they are asked for, so that no part is ever held whole."""

import base64
import math
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from geojax import store
from geojax.errors import UserError
from geojax.store.arrays import Reader
from geojax.store.layouts import Array, describe
from geojax.store.plans import check_inside

CODED = {"scale_factor", "add_offset", "missing_value", "_Unsigned", "dtype"}  # attributes that change the numbers


class Loader:
    """Cuts windows of one variable out of many parts.

    parts : name and store of each; a store must stay as it is for as long as the loader lives
    threads : that read; windows are small, and further threads mostly wait for one another
    """

    def __init__(self, parts: Mapping[str, str | Path], variable: str, threads: int = 1) -> None:
        self.parts, self.variable = parts, variable
        self._reader = Reader(threads)
        self._opened: dict[str, _Part] = {}

    def windows(self, part: Sequence[str], at: Mapping[str, npt.ArrayLike], length: Mapping[str, int]) -> np.ndarray:
        """Windows (row, …) with the dimensions of the variable in their order: `loader.windows(
        rows["part"], {"station": rows["position"], "sample": rows["start"]}, {"sample": 3000})`.

        part : name of the part of each row
        at : for a dimension the index of each row, (row,), or several, (row, n), as for three traces of many; where
            the window begins, if the dimension has a length
        length : of the window in a dimension; what is in neither `at` nor `length` is taken whole
        returns : a dimension with one index for each row is gone, one with several is n long
        raises UserError : a part, variable or dimension is unknown, a window does not lie inside its part, parts
            differ in a dimension that is taken whole, or a chunk is missing or damaged
        """
        rows, names = np.asarray(part), list(dict.fromkeys(part))
        number = {name: i for i, name in enumerate(names)}
        parts, which = [self._open(name) for name in names], np.array([number[name] for name in rows], "int64")
        if not parts:
            raise UserError(f"{self.variable}: windows need rows that name their parts, but there are no rows.")
        dims, size = _size(parts, at, length)
        starts = [_starts(at.get(dim, 0), dim, len(rows), dim in at and dim not in length) for dim in dims]
        several = [i for i, start in enumerate(starts) if start.shape[1] > 1]
        if len(several) > 1:
            raise UserError(f"{self.variable}: one dimension may have several indices for a row, but {at.keys()} have.")
        origins = np.stack(np.broadcast_arrays(*starts, np.zeros((len(rows), 1), "int64"))[:-1], -1)
        count = origins.shape[1]
        boxes = self._boxes(parts, which.repeat(count), origins.reshape(-1, len(dims)), size)
        boxes = boxes.reshape(len(rows), count, *size)
        if several:
            boxes = boxes.swapaxes(1, 2 + several[0])  # there the size is one
        gone = [2 + i for i, dim in enumerate(dims) if dim in at and dim not in length and np.ndim(at[dim]) < 2]
        return boxes.squeeze((1, *gone))

    def _open(self, name: str) -> "_Part":
        if name not in self._opened:
            if name not in self.parts:
                raise UserError(f"part {name!r} must be one of {', '.join(list(self.parts)[:5])}, …, but is not.")
            self._opened[name] = _Part(store.beside(self.parts[name], ".zarr"), self.variable)
        return self._opened[name]

    def _boxes(self, parts: list["_Part"], which: np.ndarray, origins: np.ndarray, size: Sequence[int]) -> np.ndarray:
        known = np.array([part.array is not None for part in parts])[which]
        if known.all():
            arrays = [part.array for part in parts if part.array is not None]
            return self._reader.read(arrays, which, origins, size, [part.promised for part in parts])
        check_inside(parts, which, origins, size)
        boxes = np.empty((len(which), *size), np.result_type(*(part.dtype for part in parts)))
        for i, origin in enumerate(origins):
            boxes[i] = parts[which[i]].box(origin, size)
        return boxes


class _Part:
    """The variable of a part: as an array on disk, or through xarray where that is unknown or the numbers are coded."""

    def __init__(self, path: Path, variable: str) -> None:
        self.folder = path / variable
        if path.is_dir() and not self.folder.is_dir():
            there = ", ".join(sorted(p.parent.name for p in path.glob("*/zarr.json")))
            raise UserError(f"{path}: must hold a variable `{variable}`, but holds {there}.")
        self.array, self.promised = describe(self.folder), set[str]()
        if self.array is not None and self.array.dims and _is_plain(self.array):
            if store.manifest_of(path).exists():
                files = store.read_json(store.manifest_of(path))["files"]
                self.promised = {f.removeprefix(f"{variable}/") for f in files if f.startswith(f"{variable}/")}
            self.dims, self.shape, self.dtype = self.array.dims, self.array.shape, self.array.dtype
        else:
            self.array, self.decoded = None, store.read(path)[variable]
            self.dims, self.shape, self.dtype = (
                tuple(map(str, self.decoded.dims)),
                self.decoded.shape,
                self.decoded.dtype,
            )

    def box(self, origin: np.ndarray, size: Sequence[int]) -> np.ndarray:
        """One box through xarray."""
        return self.decoded[tuple(slice(o, o + n) for o, n in zip(origin.tolist(), size, strict=True))].values


def _is_plain(array: Array) -> bool:
    """Whether the numbers on disk are what xarray would make of them."""
    told = array.attributes
    fill = told.get("_FillValue")
    if fill is not None:
        # xarray writes that NaN is missing, which it is anyway: in base64, as JSON has no NaN.
        try:
            (fill,) = struct.unpack("<d", base64.b64decode(fill, validate=True))
        except (ValueError, TypeError, struct.error):
            return False
        if array.dtype.kind != "f" or not math.isnan(fill):
            return False
    return not (told.keys() & CODED) and " since " not in str(told.get("units", ""))


def _size(parts: list[_Part], at: Mapping[str, Any], length: Mapping[str, int]) -> tuple[tuple[str, ...], list[int]]:
    """Dimensions, which all parts share, and size of a window without its several indices."""
    first = parts[0]
    for part in parts:
        if part.dims != first.dims:
            raise UserError(f"{part.folder}: must have the dimensions {first.dims}, but has {part.dims}.")
    if unknown := [dim for dim in (*at, *length) if dim not in first.dims]:
        raise UserError(f"{first.folder}: has no dimension `{unknown[0]}`, but {', '.join(first.dims)}.")
    size = [length.get(d, 1 if d in at else n) for d, n in zip(first.dims, first.shape, strict=True)]
    for part in parts:
        for dim, whole, here in zip(first.dims, first.shape, part.shape, strict=True):
            if dim not in at and dim not in length and whole != here:
                raise UserError(
                    f"{part.folder}: must have {whole} along `{dim}`, which is taken whole, as {first.folder} has, "
                    f"but has {here}. Say which are taken."
                )
    return first.dims, size


def _starts(value: npt.ArrayLike, dim: str, rows: int, may_be_several: bool) -> np.ndarray:
    """(row, n) or (1, 1)"""
    starts = np.asarray(value)
    if starts.dtype.kind not in "iu" or starts.ndim > 1 + may_be_several or (starts.ndim and len(starts) != rows):
        wanted = f"({rows},){f' or ({rows}, n)' if may_be_several else ''}"
        raise UserError(f"`{dim}`: windows begin at whole numbers {wanted}, but {starts.dtype} {starts.shape} came.")
    return starts.astype("int64").reshape(rows if starts.ndim else 1, -1)
