"""Zarr arrays as they lie on disk, by what zarr.json says.

Known are Zarr v3 arrays of plain numbers on a regular grid, with shards or without, in either byte order, compressed by
blosc, gzip or zstd, with crc32c or without. Of anything else `describe` says nothing, so that zarr itself may read it.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any, Literal, NamedTuple

import google_crc32c
import numpy as np
from numcodecs import GZip, blosc, zstd

from geojax.errors import UserError

KINDS = {"bool", "float32", "float64"} | {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}


class Shards(NamedTuple):
    """Where a shard keeps the places of its chunks."""

    shape: tuple[int, ...]
    index_at_end: bool
    index_checked: bool


CALL = 16_384  # bytes that are copied in the time that a call to the system takes
BLOCKS = 65_536  # two blocks of Blosc, in which most runs lie


@dataclass(frozen=True, eq=False)
class Array:
    """How an array lies on disk."""

    folder: Path
    shape: tuple[int, ...]
    dtype: np.dtype  # in the byte order of the file
    fill: Any
    chunk: tuple[int, ...]
    shards: Shards | None
    separator: str
    decoders: tuple[Callable[[Any], Any], ...]
    dims: tuple[str, ...]
    attributes: dict[str, Any]

    @cached_property
    def bytes(self) -> int:
        """Of a chunk, decoded."""
        return prod(self.chunk) * self.dtype.itemsize

    @cached_property
    def strides(self) -> tuple[int, ...]:
        """Bytes from one index to the next, in a decoded chunk."""
        return tuple(factor * self.dtype.itemsize for factor in _factors(self.chunk))

    @cached_property
    def per_file(self) -> tuple[int, ...]:
        """Chunks of a file along each dimension."""
        shards = self.shards.shape if self.shards else self.chunk
        return tuple(whole // part for whole, part in zip(shards, self.chunk, strict=True))

    @cached_property
    def factors(self) -> tuple[int, ...]:
        """What makes the number of a chunk in its file of its index there."""
        return _factors(self.per_file)

    @cached_property
    def run_cost(self) -> int | None:
        """Bytes of a chunk that are decoded in the time that it takes to read a run of its own: of numbers stored as
        they are, or in blocks of Blosc, in the byte order of this machine; None if a chunk is only decoded whole."""
        known = {(): CALL, (blosc.decompress,): BLOCKS}
        return known.get(self.decoders[self.is_checked :]) if self.dtype.isnative else None

    @property
    def is_checked(self) -> bool:
        """Whether chunks end in a checksum."""
        return self.decoders[:1] == (without_checksum,)

    def name(self, file: tuple[int, ...]) -> str:
        """Of a file, below the folder."""
        return self.separator.join(map(str, ("c", *file)))


def describe(folder: Path) -> Array | None:
    """What the zarr.json of an array says; None if anything that it says is not known here.

    raises UserError : it is missing or not JSON
    """
    try:
        told = json.loads((folder / "zarr.json").read_bytes())
    except (OSError, ValueError) as error:
        raise UserError(
            f"{folder}: must be a Zarr array, but zarr.json cannot be read ({error}). Rebuild it."
        ) from error
    try:
        return _array(folder, told)
    except (KeyError, TypeError, ValueError):
        return None


def _array(folder: Path, told: dict[str, Any]) -> Array | None:
    grid, keys, codecs, shards = told["chunk_grid"], told["chunk_key_encoding"], told["codecs"], None
    found = (told["zarr_format"], told["node_type"], grid["name"], keys["name"], told.get("storage_transformers", []))
    if found != (3, "array", "regular", "default", []) or told["data_type"] not in KINDS:
        return None
    chunk = grid["configuration"]["chunk_shape"]
    if codecs[0]["name"] == "sharding_indexed":
        (shard,) = (codec["configuration"] for codec in codecs)
        first, *checks = shard["index_codecs"]
        if _order(first) != "<" or [codec["name"] for codec in checks] not in ([], ["crc32c"]):
            return None
        shards = Shards(tuple(chunk), {"end": True, "start": False}[shard["index_location"]], bool(checks))
        chunk, codecs = shard["chunk_shape"], shard["codecs"]
        if any(whole % part for whole, part in zip(shards.shape, chunk, strict=True)):
            return None
    dtype = np.dtype(told["data_type"]).newbyteorder(_order(codecs[0]))
    return Array(
        folder,
        tuple(told["shape"]),
        dtype,
        np.array(told["fill_value"]).astype(dtype)[()],  # NaN and Infinity come as text
        tuple(chunk),
        shards,
        keys.get("configuration", {}).get("separator", "/"),
        tuple(DECODERS[codec["name"]] for codec in reversed(codecs[1:])),
        tuple(told.get("dimension_names") or ()),
        told.get("attributes", {}),
    )


def _order(codec: dict[str, Any]) -> Literal["<", ">"]:
    """Byte order of the codec `bytes`, which tells none for single bytes."""
    orders: dict[Any, Literal["<", ">"]] = {("bytes", "little"): "<", ("bytes", "big"): ">"}
    return orders[codec["name"], codec.get("configuration", {}).get("endian", "little")]


def _factors(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(prod(shape[i + 1 :]) for i in range(len(shape)))


def without_checksum(content: Any) -> memoryview:
    """The content without its checksum, its last four bytes.

    raises ValueError : it is another's
    """
    content, sum_ = memoryview(content)[:-4], memoryview(content)[-4:]
    if google_crc32c.value(np.frombuffer(content, "u1")) != int.from_bytes(sum_, "little"):
        raise ValueError("its checksum differs")
    return content


DECODERS = {"blosc": blosc.decompress, "gzip": GZip().decode, "zstd": zstd.decompress, "crc32c": without_checksum}
