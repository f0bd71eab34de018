"""What is wrong with continuous samples: found, named and counted; never mended."""

from typing import Any, NamedTuple

import numpy as np

from geojax.data.fills import NEVER

FLAT = 100  # equal samples in a row that no working channel gives
CLIPPED = 10  # samples at the extreme, and no fewer than in the levels next to it
NEXT = 0.01  # of the range, or two steps of the digitizer: the levels next to the extreme
LEVELS = 20  # steps of the digitizer between lowest and highest; with fewer, equal extremes are no clipping
SPIKE_Z = 20.0  # robust deviations of one sample from the mean of its neighbours
SPIKE_ALONE = 5.0  # and times the range of the samples around it, so that an onset is no spike
AROUND = 10  # samples on either side

BLOCK = 16_384  # samples that are looked at together, few enough to stay in the processor's cache
SAMPLE = 50_000  # samples that tell roughly where the median lies


class _Extent(NamedTuple):
    """Least and greatest sample of each block (NaN if it holds none), and the least difference between samples that
    follow one another, the digitizer's step; 0 if nothing varies."""

    low: np.ndarray
    high: np.ndarray
    step: float


def inspect(values: np.ndarray, flat: int = FLAT) -> list[tuple[str, int, int, str]]:
    """Faults that show in the samples themselves.

    values : (time,), NaN where there is no sample
    returns : kind, count, index of the first, words
    """
    if not values.size:
        return []
    found, extent = [], _extent(values)
    low, high = np.fmin.reduce(extent.low), np.fmax.reduce(extent.high)
    if np.isinf([low, high]).any():
        infinite = np.isinf(values)
        return [("infinite", *_count(infinite), f"{int(infinite.sum())} samples are infinite")]
    fills = np.array(NEVER, values.dtype)
    if max(-low, high) >= np.abs(fills).min() and (fill := np.isin(values, fills)).any():
        found.append(
            ("fill", *_count(fill), f"{int(fill.sum())} samples are {values[fill][0]:g}, which stands for none")
        )
    if _may_be_flat(values, flat):
        starts, lengths = runs(values[1:] == values[:-1])
        long = lengths + 1 >= flat
        if long.any():
            longest = int(lengths.max()) + 1
            words = f"{int(long.sum())} runs of equal samples, the longest of {longest}"
            found.append(("flat", int(long.sum()), int(starts[long][0]), words))
    if clipped := _clipping(values, extent, low, high):
        found.append(clipped)
    spikes = _spikes(values, extent.step)
    if len(spikes):
        found.append(("spike", len(spikes), int(spikes[0]), f"{len(spikes)} single samples far from those around them"))
    return found


def runs(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Start and length of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype("int8")))
    return edges[::2], edges[1::2] - edges[::2]


def _count(mask: np.ndarray) -> tuple[int, int]:
    return int(mask.sum()), int(mask.argmax())


def _extent(values: np.ndarray) -> _Extent:
    low, high, steps = [], [], []
    with np.errstate(invalid="ignore", over="ignore"):  # infinite less infinite
        for start in range(0, len(values), BLOCK):
            block = values[start : start + BLOCK]
            low.append(np.fmin.reduce(block))
            high.append(np.fmax.reduce(block))
            steps.append(np.abs(np.diff(values[start : start + BLOCK + 1])))
            steps[-1][steps[-1] == 0] = np.nan
            steps[-1] = np.fmin.reduce(steps[-1], initial=np.nan)
    step = float(np.fmin.reduce(steps))
    return _Extent(np.array(low), np.array(high), 0.0 if np.isnan(step) else step)


def _may_be_flat(values: np.ndarray, flat: int) -> bool:
    """Whether there can be a run: it would show at five points in a row of those that lie a fifth of it apart."""
    apart = (flat - 1) // 5
    if not apart:
        return True
    equal = values[:-1:apart] == values[1::apart]
    return bool((equal[:-4] & equal[1:-3] & equal[2:-2] & equal[3:-1] & equal[4:]).any())


def _clipping(values: np.ndarray, extent: _Extent, low: Any, high: Any) -> tuple[str, int, int, str] | None:
    """Samples pile up at the very highest or lowest value: unclipped, fewer lie there than just inside."""
    step = extent.step
    if not step or high - low < LEVELS * step:
        return None
    near = max(NEXT * (high - low), 2 * step)
    for extreme, blocks in ((high, extent.high >= high - 2 * near), (low, extent.low <= low + 2 * near)):
        there, close = [], 0
        for start in np.flatnonzero(blocks) * BLOCK:
            block = values[start : start + BLOCK]
            at = np.flatnonzero(block == extreme)
            there.append(start + at)
            close += int((np.abs(block - extreme) <= near).sum()) - len(at)
        found = np.concatenate(there)
        if len(found) >= max(CLIPPED, close):
            return "clip", len(found), int(found[0]), f"{len(found)} samples at the extreme {extreme:g}"
    return None


def _spikes(values: np.ndarray, step: float) -> np.ndarray:
    """Samples alone far from their neighbours."""
    if len(values) < 2 * AROUND + 1:
        return np.array([], int)
    # Most records have no spike, which a bound below the median shows without sorting for the median itself.
    some = _apart(values, max(1, len(values) // SAMPLE))
    low = float(np.quantile(some[np.isfinite(some)], 0.4)) if np.isfinite(some).any() else 0.0
    least, below, above, far = max(1.4826 * low, step), 0, 0, []
    for start in range(0, len(values) - 2, BLOCK):
        apart = _apart(values[start : start + BLOCK + 2])
        below += int(np.count_nonzero(apart < low))
        above += int(np.count_nonzero(apart >= low))
        far.append(start + 1 + np.flatnonzero(apart > SPIKE_Z * least))
    if below < above and not _alone(values, np.concatenate(far), least).size:
        return np.array([], int)
    apart = _apart(values)
    known = apart[np.isfinite(apart)]
    if not known.size:
        return np.array([], int)
    scale = max(1.4826 * float(np.median(known)), step)
    return _alone(values, np.flatnonzero(apart > SPIKE_Z * scale) + 1, scale)


def _alone(values: np.ndarray, candidates: np.ndarray, scale: float) -> np.ndarray:
    """Those candidates that lie far outside the range of the samples around them."""
    if not len(candidates):
        return candidates
    for around in (1, AROUND):  # hardly any passes beside its two neighbours, which takes a tenth of the time to see
        offsets = np.array([*range(-around, 0), *range(1, around + 1)])[:, None]
        blocks = np.array_split(candidates, len(candidates) // 100_000 + 1)
        candidates = np.concatenate([block[_is_outside(values, block, block + offsets, scale)] for block in blocks])
    return candidates


def _is_outside(values: np.ndarray, own: np.ndarray, around: np.ndarray, scale: float) -> np.ndarray:
    """own : (candidate,), around : (neighbour, candidate), indices"""
    others, sample = values[np.clip(around, 0, len(values) - 1)].astype("float64"), values[own].astype("float64")
    low, high = np.fmin.reduce(others, initial=np.inf), np.fmax.reduce(others, initial=-np.inf)
    with np.errstate(invalid="ignore"):
        return np.maximum(sample - high, low - sample) > SPIKE_ALONE * np.maximum(high - low, scale)


def _apart(values: np.ndarray, every: int = 1) -> np.ndarray:
    """Distance of samples from the mean of their neighbours."""
    middle, before, after = (values[i : len(values) - 2 + i : every].astype("float64") for i in (1, 0, 2))
    before += after
    before *= 0.5
    middle -= before
    return np.abs(middle, out=middle)
