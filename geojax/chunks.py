"""Zarr arrays as they lie on disk: what zarr.json says, where in which file a chunk is, and its numbers.

Known are Zarr v3 arrays of plain numbers on a regular grid, with shards or without, in either byte order, compressed by
blosc, gzip or zstd, with crc32c or without. Of anything else `describe` says nothing, so that zarr itself may read it.
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any, Literal, NamedTuple

import google_crc32c
import numpy as np
from numcodecs import GZip, Zstd
from numcodecs.blosc import Blosc

from geojax.errors import UserError

KINDS = {"bool", "float32", "float64"} | {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
ABSENT = 2**64 - 1  # offset and length of a chunk that a shard does not hold


class Shards(NamedTuple):
    """Where a shard keeps the places of its chunks."""

    shape: tuple[int, ...]
    index_at_end: bool
    index_checked: bool


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
        return tuple(prod(self.chunk[i + 1 :]) * self.dtype.itemsize for i in range(len(self.chunk)))

    def is_stored_as_is(self, dtype: np.dtype) -> bool:
        """Whether a chunk's bytes are those of `dtype` in memory, perhaps with a checksum behind."""
        return self.dtype == dtype and set(self.decoders) <= {_checked}

    def file(self, index: tuple[int, ...]) -> tuple[str, int]:
        """Name of the file, below the folder, that holds a chunk, and the chunk's number in it."""
        if self.shards is None:
            return self.separator.join(map(str, ("c", *index))), 0
        number, place = 0, ["c"]
        for i, whole, part in zip(index, self.shards.shape, self.chunk, strict=True):
            place.append(str(i // (whole // part)))
            number = number * (whole // part) + i % (whole // part)
        return self.separator.join(place), number

    def open(self, name: str) -> "File":
        """A file of the array. It stays open for as long as somebody holds it.

        raises FileNotFoundError : it is missing
        raises UserError : it is damaged
        """
        return File(self.folder / name, self.shards, self.chunk)

    def decode(self, content: Any) -> np.ndarray:
        """The numbers of a chunk.

        raises ValueError : they are damaged
        """
        try:
            for decode in self.decoders:
                content = decode(content)
            return np.frombuffer(content, self.dtype).reshape(self.chunk)
        except Exception as error:  # what a codec raises on damage is its own
            raise ValueError(" ".join(str(error).split()) or type(error).__name__) from error


class File:
    """An open shard, or the file of one chunk."""

    def __init__(self, path: Path, shards: Shards | None, chunk: tuple[int, ...]) -> None:
        self.path, self.handle = path, os.open(path, os.O_RDONLY)
        self.size = os.fstat(self.handle).st_size
        self.places = [(0, self.size)]
        self.sound: set[int] = set()  # chunks of which parts may be read: their checksum, or length, was right once
        if shards is not None:
            count = prod(shards.shape) // prod(chunk)
            length = 16 * count + 4 * shards.index_checked
            content = self.read(max(self.size - length, 0) if shards.index_at_end else 0, length, "its index")
            try:
                content = _checked(content) if shards.index_checked else content
            except ValueError as error:
                raise self.damaged("its index", error) from error
            self.places = list(map(tuple, np.frombuffer(content, "<u8").reshape(-1, 2).tolist()))

    def read(self, start: int, length: int, what: str) -> bytes:
        """raises UserError : the file ends before"""
        content = os.pread(self.handle, length, start) if start + length <= self.size else b""
        while 0 < len(content) < length and (
            more := os.pread(self.handle, length - len(content), start + len(content))
        ):
            content += more  # one call gives 2 GiB at most
        if len(content) != length:
            raise self.damaged(what, f"it should end at byte {start + length} of {self.size}")
        return content

    def read_into(self, target: np.ndarray, start: int, what: str) -> None:
        """raises UserError : the file ends before"""
        if os.preadv(self.handle, [target.data], start) != target.nbytes:
            raise self.damaged(what, f"it should end at byte {start + target.nbytes} of {self.size}")

    def damaged(self, what: str, why: Any) -> UserError:
        return UserError(f"{self.path}: {what} must be as it was written, but {why}. Remove the store and rebuild it.")

    def __del__(self) -> None:
        if hasattr(self, "handle"):
            os.close(self.handle)


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


def _checked(content: Any) -> memoryview:
    """The content without its checksum, its last four bytes.

    raises ValueError : it is another's
    """
    content, sum_ = memoryview(content)[:-4], memoryview(content)[-4:]
    if google_crc32c.value(np.frombuffer(content, "u1")) != int.from_bytes(sum_, "little"):
        raise ValueError("its checksum differs")
    return content


DECODERS = {"blosc": Blosc().decode, "gzip": GZip().decode, "zstd": Zstd().decode, "crc32c": _checked}
