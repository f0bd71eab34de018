"""How like real relief made relief is: sums over groups of both, and the scores that follow from them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from geojax.scores import relief, two_samples

LEAF = 16  # cells along a side at which tiles are compared with training tiles
BINS = 200
EDGES = {
    "elevation": np.linspace(-5, 5, BINS + 1),  # of its tile's deviation
    "slope": np.linspace(-1, 4, BINS + 1),  # log10 of metres a cell
    "skewness": np.linspace(-3, 3, BINS + 1),  # of elevation, by tile; arcsinh
    "relief": np.linspace(1, 4, BINS + 1),  # log10 of metres, by tile
}
SHARES = np.linspace(0, 1, BINS + 1)
DISTANCES = np.linspace(0, 2, BINS + 1)


def metres(rows: Mapping[str, Any]) -> Any:
    """Tiles (example, size, size) in metres of rows that hold their shape, `tile`, and log10 of their relief."""
    return 10 ** rows["amplitude"][:, None, None] * rows["tile"]


def mean_features(tiles: Any, known: Mapping[str, Any]) -> Any:
    """Mean (feature,) over tiles (example, size, size) in metres of what the discrepancy compares; NumPy or JAX.

    known : as in `compared`
    """
    properties = (relief.descriptors(tiles) - known["center"]) / known["spread"]
    return two_samples.features(properties, known["frequency"]).mean(0)


def compared(real: np.ndarray, made: np.ndarray, group: np.ndarray, known: Mapping[str, Any]) -> xr.Dataset:
    """Sums (group, …) of real and made tiles (example, size, size) in metres; `sample` is real or made.

    known : center, spread and frequency of properties, and `trained`, tiles that the methods have learned from
    """
    names, code = np.unique(group, return_inverse=True)
    properties = [(relief.descriptors(tiles) - known["center"]) / known["spread"] for tiles in (real, made)]
    chances = two_samples.told_apart(properties[0], properties[1], group)
    trained = coarse(known["trained"])
    found = []
    for tiles, own, chance in zip((real, made), properties, chances, strict=True):
        count, far = np.bincount(code).astype(float), nearest(tiles, trained)[0]
        features = two_samples.features(own.astype("float32"), known["frequency"])
        histograms = np.stack([two_samples.counts(v, code, EDGES[name]) for name, v in quantities(tiles).items()], 1)
        found.append(
            xr.Dataset(
                {
                    "count": ("group", count),
                    "features": (("group", "feature"), _sums(features, code)),
                    "power": (("group", "wavenumber"), _sums(relief.spectrum(tiles), code)),
                    "semivariance": (("group", "lag"), _sums(relief.variogram(tiles), code)),
                    "histogram": (("group", "quantity", "bin"), histograms),
                    "chance": (("group", "bin"), two_samples.counts(chance[:, None], code, SHARES)),
                    "nearest": (
                        ("group", "bin"),
                        two_samples.counts(far[:, None], code, DISTANCES),
                    ),
                },
                {"group": names, "quantity": list(EDGES)},
            )
        )
    return xr.concat(found, xr.DataArray(["real", "made"], dims="sample", name="sample")).transpose("group", ...)


def scores(sums: xr.Dataset) -> xr.Dataset:
    """Scores from summed statistics.

    discrepancy : between all properties, squared; see `two_samples.squared_discrepancy`
    classifier_auc : how well trees tell real tiles from made ones; 0.5 is not at all
    spectrum_db, semivariogram_db : root mean square difference of mean logarithms, over wavenumbers and lags
    novelty : chance that a made tile is further from all training tiles than a real, unseen one; near 0
        if tiles are copied, 0.5 as for real ones
    distance : between distributions of a quantity, in standard deviations of the real one
    """
    real, made = (sums.sel(sample=name, drop=True) for name in ("real", "made"))
    means = [{name: own[name] / own["count"] for name in ("power", "semivariance")} for own in (real, made)]

    def decibels(name: str, dim: str) -> xr.DataArray:
        return 10 * xr.ufuncs.sqrt(((means[1][name] - means[0][name]) ** 2).mean(dim))

    return xr.Dataset(
        {
            "discrepancy": two_samples.squared_discrepancy(real["features"], made["features"], real["count"]),
            "classifier_auc": two_samples.larger(real["chance"], made["chance"]),
            "spectrum_db": decibels("power", "wavenumber"),
            "semivariogram_db": decibels("semivariance", "lag"),
            "novelty": two_samples.larger(made["nearest"], real["nearest"]),
            "distance": two_samples.transport(made["histogram"], real["histogram"]),
        }
    )


def quantities(tiles: np.ndarray) -> dict[str, np.ndarray]:
    """What distributions are compared of, (example, …) each, as in `EDGES`."""
    spread = relief.relief(tiles)
    return {
        "elevation": tiles / spread[:, None, None],
        "slope": np.log10(relief.slope(tiles)),
        "skewness": relief.skewness(tiles)[:, None],
        "relief": np.log10(spread)[:, None],
    }


def nearest(tiles: np.ndarray, trained: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance (example,) to the nearest training tile, turned or mirrored, and its number (example,).

    trained : as `coarse` gives them. The distance is that of shapes at unit deviation, √(2 (1 − r)) for correlation r.
    """
    best, place = np.full(len(tiles), -np.inf), np.zeros(len(tiles), int)
    for view in views(coarse(tiles)):
        likeness = view.reshape(len(tiles), -1) @ trained.reshape(len(trained), -1).T
        own = likeness.argmax(1)
        value = likeness[np.arange(len(tiles)), own]
        place, best = np.where(value > best, own, place), np.maximum(best, value)
    return np.sqrt(np.clip(2 * (1 - best), 0, None)), place


def coarse(tiles: np.ndarray) -> np.ndarray:
    """Tiles (example, LEAF, LEAF) of block means, about zero and of unit norm."""
    block = tiles.shape[1] // LEAF
    small = tiles.reshape(len(tiles), LEAF, block, LEAF, block).mean((2, 4))
    small = small - small.mean((1, 2), keepdims=True)
    return small / (np.sqrt((small**2).sum((1, 2), keepdims=True)) + 1e-9)


def turn_of(tile: np.ndarray, other: np.ndarray) -> int:
    """Which of the `views` of another tile (size, size) is most like a tile (size, size)."""
    (own,) = coarse(tile[None])
    return int(np.argmax([(own * view[0]).sum() for view in views(coarse(other[None]))]))


def views(tiles: np.ndarray) -> list[np.ndarray]:
    """The eight turns and reflections of tiles (example, size, size)."""
    return [np.rot90(each, quarter, (1, 2)) for each in (tiles, tiles.swapaxes(1, 2)) for quarter in range(4)]


def _sums(values: np.ndarray, code: np.ndarray) -> np.ndarray:
    total = np.zeros((code.max() + 1, values.shape[1]))
    np.add.at(total, code, values)
    return total
