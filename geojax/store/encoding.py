"""Arrays on their way into a store: shards are written here, chunk by chunk, by threads; Zarr writes all else.

Zarr's own sharding keeps two cores busy with what one does here. What it reads is the same, and so are the metadata,
which it writes itself. A shard: its chunks, then where each starts and how long it is, then the CRC-32C of that.
source : Zarr v3 specification, codec sharding_indexed version 1.0
"""

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import google_crc32c
import numpy as np
import pandas as pd
import xarray as xr
from numcodecs import blosc
from xarray.backends.common import ArrayWriter

from geojax.store import shards

THREADS = 2  # at most; jobs run side by side
AHEAD = 8  # chunks that wait to be written, so that a shard is never in memory whole
BLOCK = 16_384  # times that are looked at together
NS = {  # of the units that times are told in, the longest first
    "days": 86_400 * 10**9, "hours": 3600 * 10**9, "minutes": 60 * 10**9, "seconds": 10**9, "milliseconds": 10**6,
    "microseconds": 1000, "nanoseconds": 1,
}  # fmt: skip

SHUFFLES = {"shuffle": blosc.SHUFFLE, "bitshuffle": blosc.BITSHUFFLE}
T = TypeVar("T")
R = TypeVar("R")


class Shard(NamedTuple):
    """SHA-256 of its file, and in C order the digests of its chunks, "" for one that is not kept."""

    digest: str
    chunks: list[str]


class Writer(ArrayWriter):
    """Puts the values that xarray has encoded into Zarr arrays; remembers what it wrote.

    written : shards by their file, relative to the store
    """

    __slots__ = ("folder", "written")

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder, self.written = folder, dict[str, Shard]()

    def add(self, source: Any, target: Any, region: Any = None) -> None:
        if target.shards is None or target.dtype.kind not in "biuf" or not _is_one(target):
            return super().add(source, target, region)
        name = "/".join([target.path, "c", *("0" for _ in target.shape)])
        values = np.asarray(source, target.dtype)
        packed = shards.Packing(target.compressors[0].shuffle.value, target.compressors[0].blocksize)
        if shard := write_shard(self.folder / name, values, target.chunks, target.fill_value, packed):
            self.written[name] = shard


def write_shard(
    path: Path, values: np.ndarray, chunk: Sequence[int], fill: Any, packing: shards.Packing = shards.SERIES
) -> Shard | None:
    """Write all chunks of an array into one file; None, and no file, if it holds nothing but fill values."""
    nothing = np.array(fill, values.dtype)
    grid = product(*(range(0, n, step) for n, step in zip(values.shape, chunk, strict=True)))
    places, digests, whole, end = [], [], hashlib.sha256(), 0
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb", buffering=0) as file:

        def append(content: bytes) -> None:
            rest = memoryview(content)
            while rest:
                rest = rest[file.write(rest) :]
            whole.update(content)

        for body, digest in in_threads(lambda start: _encode(values, start, chunk, nothing, packing), grid):
            places.append((end, len(body)) if body else (shards.NOTHING, shards.NOTHING))
            digests.append(digest)
            append(body)
            end += len(body)
        index = np.array(places, "<u8").tobytes()
        append(index + _checksum(index))
    if end:
        return Shard(whole.hexdigest(), digests)
    path.unlink()
    return None


def _encode(
    values: np.ndarray, start: Sequence[int], chunk: Sequence[int], nothing: np.ndarray, packing: shards.Packing
) -> tuple[bytes, str]:
    """A chunk as it stands in the shard, and its digest; both empty if all of it is the fill value, bit by bit."""
    part = values[tuple(slice(begin, begin + step) for begin, step in zip(start, chunk, strict=True))]
    if part.shape != tuple(chunk):
        padded = np.full(chunk, nothing)
        padded[tuple(map(slice, part.shape))] = part
        part = padded
    part = np.ascontiguousarray(part, part.dtype.newbyteorder("<")).reshape(-1)
    bits, none = (array.view(f"u{array.itemsize}") for array in (part, nothing))
    if bits[0] == none and (bits == none).all():
        return b"", ""
    how = SHUFFLES[packing.shuffle], packing.block, part.itemsize
    compressed = blosc.compress(part, shards.CODEC.encode(), shards.LEVEL, *how)
    content = b"".join([compressed, _checksum(compressed)])
    return content, hashlib.sha256(content).hexdigest()[:16]


def _checksum(content: bytes) -> bytes:
    return google_crc32c.value(content).to_bytes(4, "little")


def in_threads(function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Results in the order of the items, which a few threads work on ahead."""
    waiting = deque[Future[R]]()
    with ThreadPoolExecutor(min(THREADS, len(os.sched_getaffinity(0)))) as pool:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def regular_times(variables: dict[Any, xr.Variable], attributes: Any) -> tuple[dict[Any, xr.Variable], Any]:
    """Regular times as whole numbers, as xarray would have them, which takes long to find out that they are regular."""
    return {name: _whole(variable) for name, variable in variables.items()}, attributes


def _whole(variable: xr.Variable) -> xr.Variable:
    if variable.dtype != "datetime64[ns]" or variable.ndim != 1 or variable.size < 2 or np.isnat(variable.values[0]):
        return variable
    times = variable.values.view("int64")
    first, second, last = (int(times[place]) for place in (0, 1, -1))
    step = second - first
    if step <= 0 or first + step * (len(times) - 1) != last or not _is_even(times, step):
        return variable
    name, unit = next((name, unit) for name, unit in NS.items() if step % unit == 0)
    since = str(pd.Timestamp(variable.values[0]))
    attrs = variable.attrs | {"units": f"{name} since {since}", "calendar": "proleptic_gregorian"}
    steps = np.arange(0, len(times) * (step // unit), step // unit)
    return xr.Variable(variable.dims, steps, attrs, variable.encoding)


def _is_even(times: np.ndarray, step: int) -> bool:
    """In blocks, which stay in the processor's cache."""
    blocks = (times[start : start + BLOCK + 1] for start in range(0, len(times) - 1, BLOCK))
    return all((block[1:] - block[:-1] == step).all() for block in blocks)


def _is_one(target: Any) -> bool:
    """Whether an array is a single shard, as `shards.encoding` has it."""
    return all(n <= shard for n, shard in zip(target.shape, target.shards, strict=True))
