"""Boxes out of arrays on disk, many at once: each chunk is read and decoded once for all of them, by several threads.

Zarr itself takes about a millisecond for each box, little of it to read and decode.
"""

import os
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import pairwise, product
from math import prod
from typing import Any, NamedTuple

import numpy as np

from geojax.chunks import ABSENT, Array, File
from geojax.errors import UserError

OPEN = 256  # files that are open at a time
CALL = 16_384  # bytes that are copied in the time that a call to the system takes
ALONE = 16  # chunks below which threads cost more than they give


class Piece(NamedTuple):
    """What a box has in common with a chunk: where in the chunk, and where in the boxes."""

    source: tuple[slice, ...]
    target: tuple[Any, ...]  # box, slices


class Reader:
    """Reads boxes with several threads. Arrays must stay as they are for as long as it lives."""

    def __init__(self, threads: int | None = None) -> None:
        self.threads = threads or os.cpu_count() or 1
        self._pool = ThreadPoolExecutor(self.threads)
        self._open = lru_cache(OPEN)(Array.open)

    def read(
        self, arrays: Sequence[Array], which: np.ndarray, origins: np.ndarray, shape: Sequence[int],
        promised: Sequence[Collection[str]] | None = None,
    ) -> np.ndarray:  # fmt: skip
        """Boxes (box, *shape) in the order of `origins`; of several dtypes the one that holds all.

        which, origins : for each box its array (box,) and lowest index (box, dimension)
        promised : for each array the files that must exist; chunks in others that do not are fill values
        raises UserError : a box lies outside its array, a promised file is missing, or a chunk is damaged
        """
        size = np.asarray(shape)
        check_inside(arrays, which, origins, size)
        boxes = np.empty((len(which), *shape), np.result_type(*(array.dtype for array in arrays)).newbyteorder("="))
        work = [
            (arrays[array], index, pieces, promised[array] if promised else ())
            for array, index, pieces in _by_chunk(arrays, which, origins, size)
        ]
        if len(work) < ALONE or self.threads == 1:
            self._fill(boxes, work)
            return boxes
        shares = np.linspace(0, len(work), self.threads * 2 + 1).astype(int)
        for _ in self._pool.map(lambda share: self._fill(boxes, work[slice(*share)]), pairwise(shares)):
            pass
        return boxes

    def _fill(self, boxes: np.ndarray, work: list[tuple[Array, tuple[int, ...], list[Piece], Collection[str]]]) -> None:
        for array, index, pieces, promised in work:
            name, number = array.file(index)
            try:
                file = self._open(array, name)
            except FileNotFoundError:
                if name in promised:
                    raise UserError(
                        f"{array.folder / name}: must exist, as the manifest of its store says, but does not. "
                        "Remove the store and rebuild it."
                    ) from None
                file = None
            if file is None or file.places[number] == (ABSENT, ABSENT):
                for piece in pieces:
                    boxes[piece.target] = array.fill
            else:
                _copy(boxes, array, index, number, pieces, file)


def _copy(
    boxes: np.ndarray, array: Array, index: tuple[int, ...], number: int, pieces: list[Piece], file: File
) -> None:
    """From one chunk to the boxes: of a chunk that is stored as it is and known to be sound, only what they need."""
    start, length = file.places[number]
    what = f"chunk {'.'.join(map(str, index))}"
    parts = array.is_stored_as_is(boxes.dtype) and _rows(pieces) * CALL <= array.bytes
    if parts and number in file.sound:
        for piece in pieces:
            _copy_rows(boxes[piece.target], array, piece, file, start, what)
        return
    try:
        numbers = array.decode(file.read(start, length, what))
    except ValueError as error:
        raise file.damaged(what, f"cannot be decoded ({error})") from error
    file.sound.add(number)
    for piece in pieces:
        boxes[piece.target] = numbers[piece.source]


def _rows(pieces: list[Piece]) -> int:
    """Stretches that lie together on disk."""
    return sum(prod(s.stop - s.start for s in piece.source[:-1]) for piece in pieces)


def _copy_rows(target: np.ndarray, array: Array, piece: Piece, file: File, start: int, what: str) -> None:
    ranges = (range(s.start * step, s.stop * step, step) for s, step in zip(piece.source, array.strides, strict=True))
    *lead, last = ranges
    start += last.start
    for row, place in zip(np.ndindex(target.shape[:-1]), product(*lead), strict=True):
        file.read_into(target[row], start + sum(place), what)


def check_inside(arrays: Sequence[Any], which: np.ndarray, origins: np.ndarray, size: np.ndarray) -> None:
    limits = np.array([array.shape for array in arrays])[which]
    outside = ((origins < 0) | (origins + size > limits) | (size < 1)).any(1)
    if outside.any():
        array, origin = arrays[which[outside][0]], origins[outside][0]
        raise UserError(
            f"{array.folder}: what is read must lie inside {array.shape}, but {tuple(size.tolist())} from "
            f"{tuple(origin.tolist())} on does not. Correct the index of the examples, or bring longer records."
        )


def _by_chunk(
    arrays: Sequence[Array], which: np.ndarray, origins: np.ndarray, size: np.ndarray
) -> list[tuple[int, tuple[int, ...], list[Piece]]]:
    """Array, index and pieces of every chunk that is touched."""
    chunk = np.array([array.chunk for array in arrays])[which]
    first, last = origins // chunk, (origins + size - 1) // chunk
    indices, boxes = [], []
    for step in np.ndindex(*((last - first).max(0, initial=0) + 1)):
        touched = np.flatnonzero((first + step <= last).all(1))
        indices.append(first[touched] + step)
        boxes.append(touched)
    index, box = np.concatenate(indices), np.concatenate(boxes)
    order = np.lexsort((*index.T[::-1], which[box]))
    index, box = index[order], box[order]
    low = np.maximum(origins[box], index * chunk[box])
    high = np.minimum(origins[box] + size, (index + 1) * chunk[box])
    source, target = (_slices(low - base, high - base) for base in (index * chunk[box], origins[box]))
    pieces = [Piece(s, (b, *t)) for b, s, t in zip(box.tolist(), source, target, strict=True)]
    keys = np.column_stack([which[box], index])
    starts = np.flatnonzero(np.r_[True, (keys[1:] != keys[:-1]).any(1)]).tolist()
    return [
        (array, tuple(place), pieces[begin:end])
        for (array, *place), (begin, end) in zip(keys[starts].tolist(), pairwise([*starts, len(pieces)]), strict=True)
    ]


def _slices(start: np.ndarray, stop: np.ndarray) -> list[tuple[slice, ...]]:
    """(piece, dimension) twice to one tuple for each piece."""
    return list(zip(*(map(slice, a, b) for a, b in zip(start.T.tolist(), stop.T.tolist(), strict=True)), strict=True))
