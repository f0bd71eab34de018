"""Boxes out of arrays on disk, many at once: each chunk is read and decoded once for all of them, by several threads.

Zarr itself takes about a millisecond for each box, little of it to read and decode. So what is done for each chunk is
kept short here, and NumPy finds where things lie for all chunks together.
"""

import os
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import pairwise
from math import prod
from typing import Any, NamedTuple

import numpy as np

from geojax.errors import UserError
from geojax.store.chunks import ABSENT, File
from geojax.store.layouts import Array

OPEN = 256  # files that are open at a time
ALONE = 16  # chunks below which threads cost more than they give


class Piece(NamedTuple):
    """What a box has in common with a chunk."""

    source: tuple[slice, ...]  # in the chunk
    target: tuple[Any, ...]  # box and, in it, slices
    runs: list[list[int]]  # byte in the chunk, byte in the boxes, count; where parts of a chunk may be read


class Work(NamedTuple):
    """A chunk: number of its array, index of its file, number in there, and what is wanted of it."""

    array: int
    file: tuple[int, ...]
    number: int
    pieces: list[Piece]


class Reader:
    """Reads boxes with several threads. Arrays must stay as they are for as long as it lives."""

    def __init__(self, threads: int | None = None) -> None:
        self.threads = threads or os.cpu_count() or 1
        self._pool = ThreadPoolExecutor(self.threads)
        self._open = lru_cache(OPEN)(File)

    def read(
        self, arrays: Sequence[Array], which: np.ndarray, origins: np.ndarray, shape: Sequence[int],
        promised: Sequence[Collection[str]] | None = None,
    ) -> np.ndarray:  # fmt: skip
        """Boxes (box, *shape) in the order of `origins`; of several dtypes the one that holds all.

        which, origins : for each box its array (box,) and lowest index (box, dimension)
        promised : for each array the files that must exist; chunks in others that do not are fill values
        raises UserError : a box lies outside its array, a promised file is missing, or a chunk is damaged
        """
        check_inside(arrays, which, origins, shape)
        boxes = np.empty((len(which), *shape), np.result_type(*(array.dtype for array in arrays)).newbyteorder("="))
        work = _plan(arrays, which, origins, boxes)
        shares = min(2 * self.threads if self.threads > 1 else 1, max(1, len(work) // ALONE))
        bounds = pairwise(np.linspace(0, len(work), shares + 1).astype(int))
        # The list passes on what a thread raises.
        list(self._pool.map(lambda share: _fill(boxes, arrays, work[slice(*share)], self._file, promised), bounds))
        return boxes

    def _file(self, array: Array, index: tuple[int, ...], promised: Collection[str]) -> File | None:
        try:
            return self._open(array, index)
        except FileNotFoundError:
            if array.name(index) in promised:
                raise UserError(
                    f"{array.folder / array.name(index)}: must exist, as the manifest of its store says, but does "
                    "not. Remove the store and rebuild it."
                ) from None
            return None


def _fill(boxes: np.ndarray, arrays: Sequence[Array], work: list[Work], open_file: Any, promised: Any) -> None:
    flat, opened, file = boxes.reshape(-1).view("u1").data, None, None
    for chunk in work:
        if opened != (chunk.array, chunk.file):
            opened = chunk.array, chunk.file
            file = open_file(arrays[chunk.array], chunk.file, promised[chunk.array] if promised else ())
        if file is None or file.places[chunk.number] == (ABSENT, ABSENT):
            for piece in chunk.pieces:
                boxes[piece.target] = arrays[chunk.array].fill
        elif _is_sparse(chunk, arrays[chunk.array]) and file.has_runs(chunk.number):
            for piece in chunk.pieces:
                for source, target, count in piece.runs:
                    file.read_into(flat[target : target + count], chunk.number, source)
        else:
            numbers = file.chunk(chunk.number)
            for piece in chunk.pieces:
                boxes[piece.target] = numbers[piece.source]


def _is_sparse(chunk: Work, array: Array) -> bool:
    """Whether so little is wanted of a chunk that reading runs alone is less work."""
    cost = sum(len(piece.runs) for piece in chunk.pieces) * (array.run_cost or 0)
    return 0 < cost <= array.bytes


def check_inside(arrays: Sequence[Any], which: np.ndarray, origins: np.ndarray, shape: Sequence[int]) -> None:
    """raises UserError : a box is not whole inside its array"""
    size, limits = np.asarray(shape), np.array([array.shape for array in arrays])[which]
    outside = ((origins < 0) | (origins + size > limits) | (size < 1)).any(1)
    if outside.any():
        array, origin = arrays[which[outside][0]], origins[outside][0]
        raise UserError(
            f"{array.folder}: what is read must lie inside {array.shape}, but {tuple(size.tolist())} from "
            f"{tuple(origin.tolist())} on does not. Correct the index of the examples, or bring longer records."
        )


def _plan(arrays: Sequence[Array], which: np.ndarray, origins: np.ndarray, boxes: np.ndarray) -> list[Work]:
    """Every chunk that is touched, in the order of arrays and files."""
    chunk, per_file, factors = (
        np.array([getattr(array, name) for array in arrays])[which] for name in ("chunk", "per_file", "factors")
    )
    ends = origins + boxes.shape[1:]
    first, last = origins // chunk, (ends - 1) // chunk
    indices, owners = [], []
    for step in np.ndindex(*((last - first).max(0) + 1)):
        touched = np.flatnonzero((first + step <= last).all(1))
        indices.append(first[touched] + step)
        owners.append(touched)
    index, box = np.concatenate(indices), np.concatenate(owners)
    file = index // per_file[box]
    number = ((index - file * per_file[box]) * factors[box]).sum(1)
    keys = np.column_stack([which[box], file, number])
    order = np.lexsort(keys.T[::-1])
    index, box, keys = index[order], box[order], keys[order]
    begin = index * chunk[box]
    low, high = np.maximum(origins[box], begin), np.minimum(ends[box], begin + chunk[box])
    source, target = _slices(low - begin, high - begin), _slices(low - origins[box], high - origins[box])
    runs = _runs(arrays, which[box], low - begin, low - origins[box], high - low, box, boxes)
    pieces = [Piece(s, (b, *t), r) for s, b, t, r in zip(source, box.tolist(), target, runs, strict=True)]
    starts = np.flatnonzero(np.r_[True, (keys[1:] != keys[:-1]).any(1)]).tolist()
    return [
        Work(array, tuple(place), number, pieces[start:end])
        for (array, *place, number), (start, end) in zip(
            keys[starts].tolist(), pairwise([*starts, len(pieces)]), strict=True
        )
    ]


def _slices(start: np.ndarray, stop: np.ndarray) -> list[tuple[slice, ...]]:
    """(piece, dimension) twice to one tuple for each piece."""
    return list(zip(*(map(slice, a, b) for a, b in zip(start.T.tolist(), stop.T.tolist(), strict=True)), strict=True))


def _runs(
    arrays: Sequence[Array], array: np.ndarray, source: np.ndarray, target: np.ndarray, length: np.ndarray,
    box: np.ndarray, boxes: np.ndarray,
) -> list[list[list[int]]]:  # fmt: skip
    """For each piece its stretches that lie together in the file, if reading those is less work than all the chunk."""
    lead = boxes.shape[1:-1]
    worth = np.array([a.dtype == boxes.dtype and 0 < prod(lead) * (a.run_cost or 0) <= a.bytes for a in arrays])[array]
    if not worth.any():
        return [[]] * len(box)
    steps = np.array([*np.ndindex(*lead)], "int64")  # (run, leading dimension)
    inside = (steps < length[:, None, :-1]).all(-1) & worth[:, None]  # (piece, run)
    strides, into = np.array([a.strides for a in arrays])[array], np.array(boxes.strides)
    read = (source * strides).sum(1)[:, None] + (steps * strides[:, None, :-1]).sum(-1)
    write = (box * into[0] + target @ into[1:])[:, None] + steps @ into[1:-1]
    count = np.broadcast_to(length[:, -1:] * boxes.itemsize, read.shape)
    runs = np.stack([read, write, count], -1).tolist()
    return [
        [run for run, there in zip(*each, strict=True) if there] for each in zip(runs, inside.tolist(), strict=True)
    ]
