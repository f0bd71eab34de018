"""Which chunks a read touches, and what goes from each of them where: found by NumPy for all chunks together."""

from collections.abc import Sequence
from itertools import pairwise, product
from math import prod
from typing import Any, NamedTuple

import numpy as np

from geojax.errors import UserError
from geojax.store.layouts import Array


class Piece(NamedTuple):
    """What a box has in common with a chunk."""

    source: tuple[Any, ...]  # in the chunk
    target: tuple[Any, ...]  # box and, in it, slices
    runs: list[list[int]]  # byte in the chunk, byte in the boxes, count; where parts of a chunk may be read


class Work(NamedTuple):
    """A chunk: number of its array, index of its file, number in there, and what is wanted of it."""

    array: int
    file: tuple[int, ...]
    number: int
    pieces: list[Piece]


class Cut(NamedTuple):
    """What is chosen of a dimension in one row of chunks."""

    number: int  # of the chunk
    source: slice | np.ndarray  # in the chunk
    target: slice


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


def of_boxes(arrays: Sequence[Array], which: np.ndarray, origins: np.ndarray, boxes: np.ndarray) -> list[Work]:
    """Every chunk that boxes (box, …) touch, in the order of arrays and files."""
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


def of_crossings(array: Array, chosen: Sequence[range | np.ndarray]) -> list[Work]:
    """Every chunk of an array that the crossings of ascending indices of its dimensions lie in, file by file.

    raises IndexError : there is no such index
    """
    for own, size in zip(chosen, array.shape, strict=True):
        if len(own) and not 0 <= own[0] <= own[-1] < size:
            raise IndexError(f"{array.folder}: indices {own[0]} to {own[-1]} must lie within 0 to {size - 1}")
    work = []
    for cuts in product(*map(_cuts, chosen, array.chunk)):
        index = [cut.number for cut in cuts]
        file = tuple(i // n for i, n in zip(index, array.per_file, strict=True))
        number = sum(i % n * factor for i, n, factor in zip(index, array.per_file, array.factors, strict=True))
        source = tuple(cut.source for cut in cuts)
        if not all(isinstance(own, slice) for own in source):
            source = np.ix_(*(np.arange(n)[own] for n, own in zip(array.chunk, source, strict=True)))
        work.append(Work(0, file, number, [Piece(source, tuple(cut.target for cut in cuts), [])]))
    return sorted(work, key=lambda chunk: chunk.file)


def _cuts(chosen: range | np.ndarray, length: int) -> list[Cut]:
    """Ascending indices, chunk by chunk."""
    found, begin = [], 0
    while begin < len(chosen):
        number = int(chosen[begin]) // length
        if isinstance(chosen, range):
            end = len(range(chosen[begin], min(chosen.stop, (number + 1) * length), chosen.step)) + begin
            first = chosen[begin] - number * length
            source = slice(first, first + (end - begin - 1) * chosen.step + 1, chosen.step)
        else:
            end = int(np.searchsorted(chosen, (number + 1) * length))
            source = chosen[begin:end] - number * length
        found.append(Cut(number, source, slice(begin, end)))
        begin = end
    return found
