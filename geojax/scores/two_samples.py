"""Whether two samples come from one distribution, from sums over groups of each."""

from typing import Any

import numpy as np
import xarray as xr

FREQUENCIES = 256
WIDTHS = (0.5, 1.0, 2.0)  # of the kernels, in median distances


def frequencies(properties: np.ndarray, seed: int = 0) -> np.ndarray:
    """Random frequencies (property, FREQUENCIES) of a mixture of Gaussian kernels of three widths.

    properties : (example, property), standardized; the median distance of pairs among them sets the widths
    source : Rahimi and Recht (2007), Advances in Neural Information Processing Systems 20; the median by Gretton et
        al. (2012), as in `squared_discrepancy`
    """
    generator = np.random.default_rng(seed)
    one, other = generator.integers(len(properties), size=(2, 4000))
    distance = np.linalg.norm(properties[one] - properties[other], axis=1)
    median = float(np.median(distance[one != other]))
    width = median * np.resize(WIDTHS, FREQUENCIES)
    return (generator.standard_normal((properties.shape[1], FREQUENCIES)) / width).astype("float32")


def features(properties: Any, frequency: Any) -> Any:
    """Cosines and sines (example, 2 × FREQUENCIES), of unit norm; inner products are the kernel. NumPy or JAX."""
    xp = properties.__array_namespace__()
    phase = properties @ frequency
    return xp.concat([xp.cos(phase), xp.sin(phase)], axis=-1) / np.sqrt(frequency.shape[1]).astype("float32")


def squared_discrepancy(one: xr.DataArray, other: xr.DataArray, count: xr.DataArray) -> xr.DataArray:
    """Squared maximum mean discrepancy, from sums (…, feature) of `features` of as many examples each; may be negative.

    0 in the mean if both samples come from one distribution, and no more than 2: the unbiased estimate. Of resampled
    groups it is larger in the mean, as a group drawn twice is no news: an interval reaches further up than down, the
    same for every method, so that it drops out of their differences.
    source : Gretton et al. (2012), J. Mach. Learn. Res. 13, 723-773, eq. 3
    """
    one, other = one / count, other / count
    apart = ((one - other) ** 2).sum("feature")
    chance = 2 - (one**2).sum("feature") - (other**2).sum("feature")  # what examples add that meet themselves
    return apart - chance / (count - 1)


def counts(values: np.ndarray, group: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Counts (group, bin) of values (example, …) between `edges`; what lies outside counts to the outermost bins.

    group : (example,) integers from 0
    """
    flat = values.reshape(len(values), -1)
    place = np.clip(np.searchsorted(edges, flat, side="right") - 1, 0, len(edges) - 2)
    total = np.zeros((group.max() + 1, len(edges) - 1))
    np.add.at(total, (np.broadcast_to(group[:, None], place.shape), place), 1)
    return total


def larger(one: xr.DataArray, other: xr.DataArray) -> xr.DataArray:
    """Chance that a value of `one` is the larger, from counts (…, bin) of both; equal ones count half.

    The area under the curve of a classifier's scores: 0.5 where it cannot tell. source : Mann and Whitney (1947),
    doi:10.1214/aoms/1177730491
    """
    below = other.cumsum("bin") - 0.5 * other
    return (one * below).sum("bin") / (one.sum("bin") * other.sum("bin"))


def transport(one: xr.DataArray, other: xr.DataArray) -> xr.DataArray:
    """Wasserstein distance, from counts (…, bin) of both in equal bins, in standard deviations of `other`.

    source : Vallender (1974), doi:10.1137/1118101
    """
    place = xr.DataArray(np.arange(one.sizes["bin"], dtype=float), dims="bin")
    one, other = one / one.sum("bin"), other / other.sum("bin")
    apart = xr.ufuncs.abs(one.cumsum("bin") - other.cumsum("bin")).sum("bin")
    mean = (other * place).sum("bin")
    return apart / xr.ufuncs.sqrt((other * (place - mean) ** 2).sum("bin"))


def told_apart(real: np.ndarray, made: np.ndarray, group: np.ndarray, folds: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """What a classifier that knows other groups only gives real and made examples (example,): 0 made, 1 real.

    real, made : properties (example, property) of examples of the same groups
    group : (example,); whole groups are held out, so that it never judges what it has learned
    source : Lopez-Paz and Oquab (2017), arXiv:1610.06545
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    names, code = np.unique(group, return_inverse=True)
    found = np.full((2, len(group)), 0.5)
    for fold in range(min(folds, len(names))):
        held = code % min(folds, len(names)) == fold
        if held.all():
            break
        inputs = np.concatenate([real[~held], made[~held]])
        label = np.repeat([1, 0], int((~held).sum()))
        trees = HistGradientBoostingClassifier(max_iter=60, max_leaf_nodes=15, early_stopping=False, random_state=0)
        with threadpool_limits(1):
            trees.fit(inputs, label)
            found[:, held] = [trees.predict_proba(own[held])[:, 1] for own in (real, made)]
    return found[0], found[1]
