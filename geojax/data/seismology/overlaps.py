"""Windows that overlap, and what they say of a record put together again without seams."""

from collections.abc import Iterable

import numpy as np


def starts(length: int, samples: int, step: int) -> np.ndarray:
    """Where windows begin in a record at least as long as one: every `step`, and one that ends with the record."""
    return np.unique(np.append(np.arange(0, length - samples, step), length - samples))


def triangle(samples: int) -> np.ndarray:
    """Weights of a window, above zero everywhere: the nearer to its ends, the less it says."""
    place = np.arange(samples)
    return np.minimum(1 + place, samples - place) / (samples / 2)


def joined(pieces: Iterable[tuple[int, np.ndarray]], weight: np.ndarray, length: int) -> np.ndarray:
    """Weighted means (…, length) of pieces (…, sample) that begin at the samples given with them.

    weight : (sample,) of every piece; pieces must cover all of the length
    """
    total, share = None, np.zeros(length)
    for start, piece in pieces:
        total = np.zeros((*piece.shape[:-1], length)) if total is None else total
        total[..., start : start + len(weight)] += piece * weight
        share[start : start + len(weight)] += weight
    assert total is not None
    assert share.all()
    return total / share
