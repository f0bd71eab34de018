"""How the arrays of a store lie on disk: chunks of about 1 MiB, all of an array in one shard, each with a digest.

One shard is one file with one writer: a parallel file system hates small ones. The chunk is what is read at once.
Compression and sizes were chosen by measurement, see benchmarks/RESULTS.md.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import xarray as xr

from geojax.errors import UserError

CHUNK_BYTES = 2**20
CODEC, LEVEL = "zstd", 1
GRID = ({"lat", "lon"}, {"y", "x"})  # dimensions of a field


class Packing(NamedTuple):
    """How Blosc packs a chunk: its filter, and the bytes that it packs together (0: as many as it likes)."""

    shuffle: Literal["shuffle", "bitshuffle"]
    block: int


SERIES = Packing("bitshuffle", 0)  # small blocks, of which a window needs one or two
FIELD = Packing("shuffle", CHUNK_BYTES)  # read as a whole, and smooth
NOTHING = 2**64 - 1  # where a chunk of a shard would start that holds fill values only, and is not kept


def encoding(dataset: xr.Dataset, chunks: Mapping[str, int] | None = None) -> dict[str, Any]:
    """How each array is to be written.

    chunks : dimension to the length of a chunk along it, for variables that lie on it; all else follows the rule
    raises UserError : `chunks` names no dimension of the dataset, or a length below 1
    """
    wrong = {dim: n for dim, n in (chunks or {}).items() if dim not in dataset.dims or n < 1}
    for dim, length in wrong.items():
        raise UserError(
            f"chunks: {dim}: {length}: must be a dimension and a length of at least 1; "
            f"the dimensions are {', '.join(map(str, dataset.dims))}."
        )
    found = {}
    for name, array in dataset.variables.items():
        asked = [None if name in dataset.coords else (chunks or {}).get(str(dim)) for dim in array.dims]
        chunk = chunk_shape(array.shape, array.dtype.itemsize, asked)
        shard = shard_shape(array.shape, chunk)
        packing = FIELD if any(grid <= set(map(str, array.dims)) for grid in GRID) else SERIES
        found[str(name)] = {"chunks": chunk, "shards": shard, "compressors": compressors(packing)}
    return found


def compressors(packing: Packing = SERIES) -> list[Any]:
    """Chosen by measurement; the sum at each chunk's end lets no reader take a flipped bit for a value."""
    from zarr.codecs import BloscCodec, Crc32cCodec

    return [BloscCodec(cname=CODEC, clevel=LEVEL, shuffle=packing.shuffle, blocksize=packing.block), Crc32cCodec()]


def chunk_shape(
    shape: Sequence[int], itemsize: int, asked: Sequence[int | None] = (), most: int = CHUNK_BYTES
) -> tuple[int, ...]:
    """Shape of the chunks: runs of memory in C order of at most `most` bytes, about equally long.

    Trailing dimensions stay whole as long as they fit, so that a cut goes through the first: times, stations, traces.
    asked : for each dimension the length that it must have, or None
    """
    asked = asked or [None] * len(shape)
    room = max(1, most // (itemsize * math.prod(min(n, a) for n, a in zip(shape, asked, strict=True) if a and n)))
    chunk = []
    for size, wanted in zip(reversed(shape), reversed(asked), strict=True):
        if size == 0 or wanted:
            chunk.append(max(1, min(wanted or 1, size)))
            continue
        pieces = math.ceil(size / room)
        chunk.append(math.ceil(size / pieces))
        room = max(1, room // size) if pieces == 1 else 1
    return tuple(reversed(chunk))


def shard_shape(shape: Sequence[int], chunk: Sequence[int]) -> tuple[int, ...] | None:
    """Shape of the one shard that holds all chunks; None where one chunk is all and a shard would add nothing."""
    grid = grid_of(shape, chunk)
    return tuple(n * c for n, c in zip(grid, chunk, strict=True)) if math.prod(grid) > 1 else None


def grid_of(shape: Sequence[int], chunk: Sequence[int]) -> tuple[int, ...]:
    """How many chunks there are along each dimension."""
    return tuple(math.ceil(size / length) for size, length in zip(shape, chunk, strict=True))


def describe(
    path: Path, shape: Mapping[str, int], chunk: Sequence[int], known: Sequence[str] | None = None
) -> dict[str, Any]:
    """What a manifest says of the chunks in a shard: their dimensions and shape, and in C order their digests.

    known : the digests, if the shard need not be read for them
    """
    digests = known or _digests(path, math.prod(grid_of(tuple(shape.values()), chunk)))
    return {"dims": list(shape), "shape": list(chunk), "digests": digests}


def differences(path: Path, told: Mapping[str, Any], coordinates: Mapping[str, Any]) -> list[str]:
    """Each chunk of the shard at `path` that is not as its manifest tells, by its index and its place.

    told : the array's entry in the manifest, with `shape` and `chunks`
    coordinates : values along the dimensions that have some
    """
    dims, chunk = told["chunks"]["dims"], told["chunks"]["shape"]
    sizes = [told["shape"][dim] for dim in dims]
    grid = grid_of(sizes, chunk)
    try:
        found = _digests(path, math.prod(grid))
    except ValueError as error:
        return [f"{path}: {error}, so that none of its {math.prod(grid)} chunks can be read"]
    lines = []
    for place, was, now in zip(product(*map(range, grid)), told["chunks"]["digests"], found, strict=True):
        if was != now:
            what = "missing" if not now else "not in the manifest" if not was else "content differs"
            starts = [number * length for number, length in zip(place, chunk, strict=True)]
            ends = [min(start + length, size) - 1 for start, length, size in zip(starts, chunk, sizes, strict=True)]
            ranges = map(_range, dims, starts, ends, [coordinates.get(dim, []) for dim in dims])
            lines.append(f"{path}: chunk {'.'.join(map(str, place))} ({', '.join(ranges)}): {what}")
    return lines or [f"{path}: content differs, though every chunk in it is as it was"]


def _range(dim: str, first: int, last: int, values: Any) -> str:
    """What a chunk covers of a dimension: `time 0 to 11 = 1991-01-16 to 1991-12-16`."""
    named = f" = {_plain(values[first])} to {_plain(values[last])}" if last < len(values) else ""
    return f"{dim} {first} to {last}{named}"


def _plain(value: Any) -> str:
    return str(value.astype("M8[s]") if isinstance(value, np.datetime64) else value)


def _digests(path: Path, count: int) -> list[str]:
    """Digest of each chunk of a shard, "" for one that is not kept.

    raises ValueError : the index at its end is damaged
    """
    digests = []
    with open(path, "rb") as file:
        for start, size in _index(path, count):
            if start == NOTHING:
                digests.append("")
                continue
            file.seek(start)
            digests.append(hashlib.sha256(file.read(size)).hexdigest()[:16])
    return digests


def _index(path: Path, count: int) -> list[tuple[int, int]]:
    """Where each chunk of a shard starts and how long it is, from the index at its end."""
    import google_crc32c

    length = 16 * count + 4
    with open(path, "rb") as file:
        whole = file.seek(0, 2)
        if whole < length:
            raise ValueError(f"the index of its chunks is cut off ({whole} bytes)")
        file.seek(-length, 2)
        index, total = file.read(length - 4), int.from_bytes(file.read(4), "little")
    if google_crc32c.value(index) != total:
        raise ValueError("the index of its chunks is damaged")
    return [(int(start), int(size)) for start, size in np.frombuffer(index, "<u8").reshape(-1, 2)]
