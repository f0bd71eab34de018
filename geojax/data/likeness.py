"""Fingerprints: a few numbers for each example, by which copies are found that are not equal bit by bit.

A fingerprint is the example without its mean, at unit norm, projected on `SIZE` random directions. Gain and offset
leave no trace in it. The distance between two of them estimates that between the examples, which is √(2 (1 − r)) for
correlation r: for normal directions its square is off by a factor χ²/SIZE with SIZE degrees of freedom, whatever the
examples are (Johnson & Lindenstrauss 1984, doi:10.1090/conm/026/737400). With 32 directions and a threshold of 0.995
a pair at 0.998 is missed once in 10⁵ and one at 0.98 is taken for a copy as rarely.

What all examples have in common is taken off the fingerprints before they are compared. Years of temperature, which
correlate at 0.98 by their climate alone, so become anomalies.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

SIZE = 32
BLOCK = 2**20  # values that are brought to unit norm at once
COMMON = 1e-4  # share of an example's norm; what lies nearer to the common pattern differs by rounding alone


def fingerprint(values: np.ndarray, demean: bool = True) -> np.ndarray:
    """Fingerprints (example, SIZE), float32, of `values` (example, …); all zeros where an example is constant or empty.

    demean : whether an offset counts for nothing; not for spectra, where zero is a value of its own
    Missing values count as the mean of their example. An example that breaks off early is like its full self only by
    what it holds.
    """
    flat = np.asarray(values).reshape(len(values), int(np.prod(np.shape(values)[1:])))
    step = max(1, BLOCK // max(1, flat.shape[1]))
    found = np.empty((len(flat), SIZE), "float32")
    with threadpool_limits(1, "blas"):  # threads that wait for each other cost more than the product
        for first in range(0, len(flat), step):
            units = np.stack(
                [_unit(own.astype("float64"), demean).astype("float32") for own in flat[first : first + step]]
            )
            found[first : first + step] = units @ _directions(flat.shape[1])
    return found


def _unit(values: np.ndarray, demean: bool) -> np.ndarray:
    """At unit norm; zeros stay."""
    known = np.isfinite(values)
    values = np.where(known, values, 0.0)
    values /= np.abs(values).max(initial=0.0) or 1.0  # squares of the largest numbers would not be finite
    if demean:
        values = _without_mean(values, known)
    norm = np.sqrt(np.square(values).sum())  # by BLAS a job would wait for its threads
    return values / norm if norm else values


def _without_mean(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """(…, sample) without the mean of the known ones; exactly zero where they are all equal."""
    first = np.take_along_axis(values, known.argmax(-1)[..., None], -1) if values.size else values
    values = np.where(known, values - first, 0.0)
    return np.where(known, values - values.sum(-1, keepdims=True) / np.maximum(known.sum(-1, keepdims=True), 1), 0.0)


def spectrum(values: np.ndarray) -> np.ndarray:
    """Amplitude spectra (…, frequency, channel) of `values` (…, channel, sample), frequency from 1 / duration on.

    They hardly change when a record is cut some samples later, and their lower end is the same at another sampling
    rate. Missing samples count as the mean of their channel.
    """
    found = np.empty((*values.shape[:-2], values.shape[-1] // 2, values.shape[-2]), "float32")
    for place in np.ndindex(values.shape[:-2]):
        known = np.isfinite(values[place])
        samples = _without_mean(np.where(known, values[place], 0.0).astype("float64"), known).astype("float32")
        found[place] = np.abs(np.fft.rfft(samples)).T[1:]
    return found


class Pair(NamedTuple):
    """Two examples that are alike, by their places, and the pieces of them that are most alike."""

    one: int
    other: int
    correlation: float
    piece_of_one: int
    piece_of_other: int


def pairs(prints: Sequence[Any], split: Sequence[str], least: float) -> tuple[list[Pair], int, int]:
    """Examples that correlate by `least` or more with their nearest neighbour in another split.

    prints : one fingerprint (SIZE,) for each example, or several (piece, SIZE), such as one for each month of a year;
        what the n-th pieces of all examples have in common is taken off them
    returns : the pairs, the number of fingerprints compared, that of constant ones
    """
    from scipy.spatial import cKDTree

    pieces = [np.atleast_2d(each) for each in prints]
    lengths = np.array([len(each) for each in pieces], int)
    vectors = np.concatenate(pieces).astype("float64") if pieces else np.empty((0, SIZE))
    example = np.repeat(np.arange(len(pieces)), lengths)
    number = np.arange(len(vectors)) - np.repeat(np.cumsum([0, *lengths])[:-1], lengths)
    varies = np.abs(vectors).max(1, initial=0.0) > 0
    vectors, example, number = vectors[varies], example[varies], number[varies]
    vectors = _without_common(vectors, number)
    norm = np.linalg.norm(vectors, axis=1)
    own = norm > COMMON
    vectors, example, number = vectors[own] / norm[own, None], example[own], number[own]
    kinds = np.asarray(split)[example]
    names = sorted(set(kinds), key=lambda name: (-(kinds == name).sum(), name))  # the largest is searched, once
    found: dict[tuple[int, int], Pair] = {}
    for place, name in enumerate(names[:-1]):
        there, asked = np.flatnonzero(kinds == name), np.flatnonzero(np.isin(kinds, names[place + 1 :]))
        tree = cKDTree(vectors[there], balanced_tree=False)
        distance, nearest = tree.query(vectors[asked], distance_upper_bound=np.sqrt(2 * (1 - least)))
        near = np.flatnonzero(np.isfinite(distance))
        for far, *both in zip(distance[near], asked[near], there[nearest[near]], strict=True):
            one, other = sorted(both)
            key = int(example[one]), int(example[other])
            if key not in found or found[key].correlation < 1 - far**2 / 2:
                found[key] = Pair(*key, float(1 - far**2 / 2), int(number[one]), int(number[other]))
    return sorted(found.values()), varies.size, int((~varies).sum())


def _without_common(vectors: np.ndarray, number: np.ndarray) -> np.ndarray:
    centered = vectors.copy()
    for own in pd.Series(number).groupby(number).indices.values():
        centered[own] -= centered[own].mean(0)
    return centered


@lru_cache(maxsize=2)
def _directions(length: int) -> np.ndarray:
    """(length, SIZE): the first rows are the same for every length, so that short and long examples compare."""
    return np.random.default_rng(0).standard_normal((length, SIZE), "float32") / np.float32(np.sqrt(SIZE))
