"""Blocks of a Blosc buffer, which can be decoded one by one, though Blosc for Python does not offer it.

A buffer begins with a header of 16 bytes and the offset of each block. A buffer of some of the blocks, with a header of
their own, is a whole one again. Format: README_CHUNK_FORMAT.rst of c-blosc, version 2 of the format.
"""

import struct
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numcodecs import blosc

HEADER = struct.Struct("<4s3I")  # versions, flags and item size; bytes decoded, of a block, encoded
STORED = 0x2  # flag: not compressed, so without blocks


class Blocks(NamedTuple):
    """Where the blocks of a buffer lie in it; all but the last are `size` bytes when decoded."""

    kind: bytes
    size: int
    total: int
    starts: list[int]
    ends: list[int]

    def decode(self, first: int, last: int, read: Callable[[int, int], bytes]) -> bytes:
        """Blocks `first` to `last`, both included, of which the last of all is never alone; read(start, length)."""
        body, starts, offset = [], [], HEADER.size + 4 * (last + 1 - first)
        for block in range(first, last + 1):
            body.append(read(self.starts[block], self.ends[block] - self.starts[block]))
            starts.append(offset)
            offset += len(body[-1])
        decoded = min((last + 1) * self.size, self.total) - first * self.size
        head = HEADER.pack(self.kind, decoded, self.size, offset) + struct.pack(f"<{len(starts)}I", *starts)
        return blosc.decompress(b"".join([head, *body]))


def decoded(content: bytes | memoryview) -> int | None:
    """Bytes that a buffer promises to hold, decoded; None where its header is cut off."""
    return HEADER.unpack_from(content)[1] if len(content) >= HEADER.size else None


def find(content: bytes | memoryview) -> Blocks | None:
    """The blocks of a whole buffer; None if it has none, or a single one.

    raises ValueError : it is damaged
    """
    if len(content) < HEADER.size:
        raise ValueError("it is shorter than a header")
    kind, total, size, encoded = HEADER.unpack_from(content)
    if kind[0] != 2 or kind[2] & STORED or size == 0 or total <= size:
        return None
    count = -(-total // size)
    if encoded != len(content) or HEADER.size + 4 * count > encoded:
        raise ValueError(f"it must have {encoded} bytes and {count} blocks, but has {len(content)} bytes")
    starts = np.frombuffer(content, "<u4", count, HEADER.size)
    order = np.append(np.sort(starts), encoded)  # several threads write them as they are done
    ends = order[np.searchsorted(order, starts, side="right")] if starts.max() < encoded else order[:0]
    if starts.min() < HEADER.size + 4 * count or len(ends) != count:
        raise ValueError("a block starts outside of it")
    return Blocks(kind, size, total, starts.tolist(), ends.tolist())
