"""Stores as xarray opens them, but for the arrays: those are read past zarr, chunk by chunk into their place.

Zarr decodes all chunks of a shard before it puts them together, which takes 2.5 times the memory of the array. Names,
dimensions, attributes and what xarray makes of them are its own; a layout that is not known here is read by zarr.
"""

from collections.abc import Collection
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from xarray.backends import ZarrStore
from xarray.backends.zarr import ZarrArrayWrapper
from xarray.core import indexing

from geojax.errors import UserError
from geojax.store.arrays import Reader
from geojax.store.encoding import THREADS
from geojax.store.layouts import Array, describe


def open_dataset(path: Path, files: Collection[str]) -> xr.Dataset:
    """Open the store at `path`; arrays are read when they are used.

    files : those that its manifest names; chunks in others that do not exist are fill values
    raises OSError, ValueError, KeyError : it is no Zarr store
    """
    opened = _Store.open_group(path, mode="r", consolidated=True)
    opened.reader, opened.folder, opened.files = Reader(THREADS), path, files
    return xr.open_dataset(opened, chunks=None)


class _Store(ZarrStore):
    """As xarray has it, with arrays that read themselves."""

    reader: Reader
    folder: Path
    files: Collection[str]

    def open_store_variable(self, name: Any) -> xr.Variable:
        variable, array = super().open_store_variable(name), self.members[name]
        promised = {file.removeprefix(f"{name}/") for file in self.files if file.startswith(f"{name}/c")}
        lazy = indexing.LazilyIndexedArray(_Lazy(array, self.reader, self.folder / name, promised))
        return xr.Variable(variable.dims, lazy, variable.attrs, variable.encoding)


class _Lazy(ZarrArrayWrapper):
    """An array of which only what is asked for is read."""

    def __init__(self, array: Any, reader: Reader, folder: Path, promised: Collection[str]) -> None:
        super().__init__(array)
        self.reader, self.folder, self.promised = reader, folder, promised

    @cached_property
    def layout(self) -> Array | None:
        """How it lies on disk, if that is known here."""
        return describe(self.folder)

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        """raises UserError : a chunk of what is asked for is missing or damaged"""
        if self.layout is not None and not isinstance(key, indexing.VectorizedIndexer):
            return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER, self._read)
        try:
            return super().__getitem__(key)
        except (IndexError, MemoryError):
            raise
        except Exception as error:  # what a codec raises on damage is its own
            words = " ".join(str(error).split()) or type(error).__name__
            raise UserError(
                f"{self.folder}: must be as it was written, but is damaged ({words}). Remove the store and rebuild it."
            ) from error

    def _read(self, key: tuple[Any, ...]) -> np.ndarray:
        """key : for each dimension a whole number, a slice or ascending whole numbers, none of them negative"""
        assert self.layout is not None
        chosen = [_chosen(own, size) for own, size in zip(key, self.shape, strict=True)]
        if chosen and all(isinstance(own, range) and own.step == 1 and own for own in chosen):
            origin, shape = np.array([[own[0] for own in chosen]]), list(map(len, chosen))
            found = self.reader.read([self.layout], np.zeros(1, int), origin, shape, [self.promised])
        else:
            found = self.reader.outer(self.layout, chosen, self.promised)
        return found.reshape([len(own) for own, each in zip(chosen, key, strict=True) if not np.isscalar(each)])


def _chosen(key: Any, size: int) -> range | np.ndarray:
    """Which indices of a dimension a key stands for."""
    if isinstance(key, slice):
        return range(size)[key]
    return key if isinstance(key, np.ndarray) else range(range(size)[key], key + 1)
