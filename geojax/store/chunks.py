"""Chunks of arrays on disk: where in which file each is, and its numbers, whole and undamaged."""

import os
from math import prod
from typing import Any

import numpy as np
from numcodecs import blosc

from geojax.errors import UserError
from geojax.store import blocks
from geojax.store.blocks import Blocks
from geojax.store.layouts import CALL, Array, without_checksum

ABSENT = 2**64 - 1  # offset and length of a chunk that a shard does not hold


class File:
    """An open shard, or the file of one chunk. It closes when nobody holds it any more."""

    def __init__(self, array: Array, index: tuple[int, ...]) -> None:
        """raises FileNotFoundError : it is missing; UserError : it is damaged"""
        self.array, self.index, self.path = array, index, array.folder / array.name(index)
        self.handle = os.open(self.path, os.O_RDONLY)
        self.size = os.fstat(self.handle).st_size
        self.places = [(0, self.size)]  # offset and length of each chunk
        self.sound: dict[int, Blocks | None] = {}  # chunks whose checksum was right
        if array.shards is not None:
            count = prod(array.per_file)
            length = 16 * count + 4 * array.shards.index_checked
            try:
                content = self._read(max(self.size - length, 0) if array.shards.index_at_end else 0, length)
                content = without_checksum(content) if array.shards.index_checked else content
            except ValueError as error:
                raise self._damaged("its index", error) from error
            self.places = list(map(tuple, np.frombuffer(content, "<u8").reshape(-1, 2).tolist()))

    def chunk(self, number: int, into: np.ndarray | None = None) -> np.ndarray:
        """The numbers of a chunk.

        into : a whole array of the shape of a chunk to put them in, in the byte order of this machine
        raises UserError : they are damaged
        """
        try:
            content = self._read(*self.places[number])
            for decode in self.array.decoders:
                if into is not None and decode is blosc.decompress and blocks.decoded(content) == into.nbytes:
                    content = blosc.decompress(content, into)
                else:
                    content = decode(content)
            numbers = np.frombuffer(content, self.array.dtype).reshape(self.array.chunk)
        except MemoryError:
            raise
        except Exception as error:  # what a codec raises on damage is its own
            raise self._damaged(number, error) from error
        if into is not None and content is not into:
            into[...] = numbers
        return numbers

    def has_runs(self, number: int) -> bool:
        """Whether `read_into` can read parts of a chunk, which is whole and undamaged as far as its checksum tells.

        raises UserError : it is not
        """
        if number not in self.sound:
            try:
                self.sound[number] = self._examine(*self.places[number])
            except ValueError as error:
                raise self._damaged(number, error) from error
        return self.sound[number] is not None or self.array.run_cost == CALL

    def _examine(self, start: int, length: int) -> Blocks | None:
        if self.array.decoders:
            content = self._read(start, length)
            content = without_checksum(content) if self.array.is_checked else content
            if self.array.run_cost != CALL:
                found = blocks.find(content)
                if found and found.total != self.array.bytes:
                    raise ValueError(f"it promises {found.total} bytes for {self.array.bytes}")
                return found
            length = len(content)
        if length != self.array.bytes or start + length > self.size:
            raise ValueError(f"it has {length} bytes from {start} on, in a file of {self.size}")
        return None

    def read_into(self, target: memoryview, number: int, start: int) -> None:
        """Bytes of a decoded chunk, from `start` on.

        raises UserError : they are damaged
        """
        begin, found = self.places[number][0], self.sound[number]
        if found is None:
            if os.preadv(self.handle, [target], begin + start) != len(target):
                raise self._damaged(number, f"the file ends before byte {begin + start + len(target)}")
            return
        last = (start + len(target) - 1) // found.size
        first = min(start // found.size, len(found.starts) - 2)
        try:
            content = found.decode(first, last, lambda place, length: self._read(begin + place, length))
            target[:] = memoryview(content)[start - first * found.size :][: len(target)]
        except MemoryError:
            raise
        except Exception as error:  # as above
            raise self._damaged(number, error) from error

    def _read(self, start: int, length: int) -> bytes:
        """raises ValueError : the file ends before"""
        content = os.pread(self.handle, length, start) if start + length <= self.size else b""
        while 0 < len(content) < length and (
            more := os.pread(self.handle, length - len(content), start + len(content))
        ):
            content += more  # one call gives 2 GiB at most
        if len(content) != length:
            raise ValueError(f"it should end at byte {start + length}, but the file ends at {self.size}")
        return content

    def _damaged(self, what: int | str, why: Any) -> UserError:
        if isinstance(what, int):
            inside = np.unravel_index(what, self.array.per_file)
            index = (i * n + int(j) for i, n, j in zip(self.index, self.array.per_file, inside, strict=True))
            what = f"chunk {'.'.join(map(str, index))}"
        words = " ".join(str(why).split()) or type(why).__name__
        return UserError(
            f"{self.path}: {what} must be as it was written, but is damaged ({words}). Remove the store and rebuild it."
        )

    def __del__(self) -> None:
        if hasattr(self, "handle"):
            os.close(self.handle)
