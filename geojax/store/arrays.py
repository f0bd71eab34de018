"""Arrays on disk, whole or in parts, many boxes at once: each chunk is read and decoded once, by several threads.

Zarr itself takes about a millisecond for each box, little of it to read and decode, and for a whole shard 2.5 times its
memory. So what is done for each chunk is kept short here, and a chunk that is wanted whole is decoded into its place.
"""

import os
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np

from geojax.errors import UserError
from geojax.store import plans
from geojax.store.chunks import ABSENT, File
from geojax.store.layouts import Array
from geojax.store.plans import Work

OPEN = 256  # files that are open at a time
ALONE = 2**20  # bytes of decoded chunks below which a further thread costs more than it gives


class Reader:
    """Reads with several threads. Arrays must stay as they are for as long as it lives."""

    def __init__(self, threads: int | None = None) -> None:
        self.threads = threads or len(os.sched_getaffinity(0))
        self._open = lru_cache(OPEN)(File)

    def __reduce__(self) -> Any:
        return Reader, (self.threads,)  # a copy opens its own files

    def read(
        self, arrays: Sequence[Array], which: np.ndarray, origins: np.ndarray, shape: Sequence[int],
        promised: Sequence[Collection[str]] | None = None,
    ) -> np.ndarray:  # fmt: skip
        """Boxes (box, *shape) in the order of `origins`; of several dtypes the one that holds all.

        which, origins : for each box its array (box,) and lowest index (box, dimension)
        promised : for each array the files that must exist; chunks in others that do not are fill values
        raises UserError : a box lies outside its array, a promised file is missing, or a chunk is damaged
        """
        plans.check_inside(arrays, which, origins, shape)
        boxes = np.empty((len(which), *shape), np.result_type(*(array.dtype for array in arrays)).newbyteorder("="))
        work = plans.of_boxes(arrays, which, origins, boxes)
        self._fill(boxes, arrays, work, promised)
        return boxes

    def outer(self, array: Array, chosen: Sequence[range | np.ndarray], promised: Collection[str] = ()) -> np.ndarray:
        """What stands where the chosen indices of each dimension cross.

        chosen : for each dimension ascending indices
        promised : as in `read`
        raises IndexError : there is no such index; UserError : a promised file is missing, or a chunk is damaged
        """
        values = np.empty([len(own) for own in chosen], array.dtype.newbyteorder("="))
        self._fill(values, [array], plans.of_crossings(array, chosen), [promised])
        return values

    def _fill(self, boxes: np.ndarray, arrays: Sequence[Array], work: list[Work], promised: Any) -> None:
        size = sum(arrays[chunk.array].bytes for chunk in work)
        shares = max(1, min(2 * self.threads if self.threads > 1 else 1, size // ALONE, len(work)))
        bounds = pairwise(np.linspace(0, len(work), shares + 1).astype(int))
        if shares == 1:
            return _fill(boxes, arrays, work, self._file, promised)
        with ThreadPoolExecutor(self.threads) as pool:
            # The list passes on what a thread raises.
            list(pool.map(lambda share: _fill(boxes, arrays, work[slice(*share)], self._file, promised), bounds))

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
        elif (whole := _whole(boxes, chunk, arrays[chunk.array])) is not None:
            file.chunk(chunk.number, whole)
        else:
            numbers = file.chunk(chunk.number)
            for piece in chunk.pieces:
                boxes[piece.target] = numbers[piece.source]


def _whole(boxes: np.ndarray, chunk: Work, array: Array) -> np.ndarray | None:
    """Where a chunk may be decoded to at once, as all of it goes to one place, with nothing in between."""
    source, target, _ = chunk.pieces[0]
    if len(chunk.pieces) > 1 or boxes.dtype != array.dtype or not all(isinstance(own, slice) for own in source):
        return None
    place = boxes[(*target, ...)]  # a view, also of no dimension
    return place if place.shape == array.chunk and place.flags.c_contiguous else None


def _is_sparse(chunk: Work, array: Array) -> bool:
    """Whether so little is wanted of a chunk that reading runs alone is less work."""
    cost = sum((array.run_cost or 0) + count for piece in chunk.pieces for _, _, count in piece.runs)
    return 0 < cost <= array.bytes
