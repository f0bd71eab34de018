"""What relief is like, in numbers for each tile; the same functions for NumPy arrays and, under jit, JAX arrays.

Tiles are (tile, size, size) in metres on square cells of one size.
"""

from typing import Any

import numpy as np

FLOOR = 1e-3  # metres, below which nothing of relief is told apart
LAGS = (1, 2, 4, 8, 16, 32)
BLOCK = 8  # cells along a side over which local roughness is measured


def descriptors(tiles: Any) -> Any:
    """Properties (tile, property), of order one to ten, in the order of `names`.

    Relief is the standard deviation; skewness and kurtosis of elevation are its hypsometry (Strahler 1952,
    doi:10.1130/0016-7606(1952)63[1117:HAAOET]2.0.CO;2, without the land above and below); the semivariogram tells at
    which distance relief arises, the slope and its evenness how steep it is and where; curvature has a sign, as
    valleys are not ridges turned over; roughness is uneven where plains meet mountains.
    """
    xp = tiles.__array_namespace__()
    spread = relief(tiles)
    shape = tiles / spread[:, None, None]
    steep = slope(tiles)
    bend = curvature(shape)
    columns = [
        xp.log10(spread),
        *_skewness_and_kurtosis(shape, xp),
        *(0.5 * xp.log10(semivariance(shape, lag)) for lag in LAGS),
        xp.log10(steep.mean((1, 2)) + FLOOR),
        xp.log10(xp.sqrt((steep**2).mean((1, 2))) / (steep.mean((1, 2)) + FLOOR)),
        *_skewness_and_kurtosis(bend, xp),
        *unevenness(bend),
        anisotropy(tiles),
        *(xp.log10(share + 1 / tiles[0].size) for share in extremes(tiles)),
    ]
    return xp.stack(columns, -1)


def names() -> list[str]:
    """What the columns of `descriptors` are."""
    lags = [f"semivariogram, lag {lag}" for lag in LAGS]
    return [
        "relief", "skewness of elevation", "kurtosis of elevation", *lags, "mean slope", "unevenness of slope",
        "skewness of curvature", "kurtosis of curvature", "unevenness of roughness", "reach of roughness",
        "anisotropy", "summits", "hollows",
    ]  # fmt: skip


def relief(tiles: Any) -> Any:
    """Standard deviation of elevation (tile,) in metres."""
    return tiles.std((1, 2)) + FLOOR


def slope(tiles: Any) -> Any:
    """Steepest descent (tile, size − 1, size − 1) in metres a cell, from the corners of each square of four."""
    xp = tiles.__array_namespace__()
    east = 0.5 * (tiles[:, :-1, 1:] - tiles[:, :-1, :-1] + tiles[:, 1:, 1:] - tiles[:, 1:, :-1])
    south = 0.5 * (tiles[:, 1:, :-1] - tiles[:, :-1, :-1] + tiles[:, 1:, 1:] - tiles[:, :-1, 1:])
    return xp.sqrt(east**2 + south**2 + FLOOR**2)


def curvature(tiles: Any) -> Any:
    """Laplacian (tile, size − 2, size − 2) per cell squared: above zero in valleys and hollows."""
    inner = tiles[:, 1:-1, 1:-1]
    return tiles[:, :-2, 1:-1] + tiles[:, 2:, 1:-1] + tiles[:, 1:-1, :-2] + tiles[:, 1:-1, 2:] - 4 * inner


def semivariance(tiles: Any, lag: int) -> Any:
    """Half the mean squared difference (tile,) at `lag` cells along both axes (Matheron 1963).

    source : doi:10.2113/gsecongeo.58.8.1246
    """
    along = ((tiles[:, lag:] - tiles[:, :-lag]) ** 2).mean((1, 2))
    across = ((tiles[:, :, lag:] - tiles[:, :, :-lag]) ** 2).mean((1, 2))
    return 0.25 * (along + across) + 1e-9


def anisotropy(tiles: Any) -> Any:
    """Coherence (tile,) of the gradient's structure tensor: 0 where no direction prevails, 1 for parallel ridges."""
    xp = tiles.__array_namespace__()
    east, south = tiles[:, 1:-1, 2:] - tiles[:, 1:-1, :-2], tiles[:, 2:, 1:-1] - tiles[:, :-2, 1:-1]
    xx, yy, xy = ((a * b).mean((1, 2)) for a, b in ((east, east), (south, south), (east, south)))
    return xp.sqrt((xx - yy) ** 2 + 4 * xy**2 + FLOOR**4) / (xx + yy + FLOOR**2)


def unevenness(bend: Any) -> tuple[Any, Any]:
    """How much local roughness varies (tile,), and how alike it is in neighbouring blocks (tile,).

    bend : curvature (tile, n, n); roughness is the log of its root mean square over blocks
    """
    xp = bend.__array_namespace__()
    count = bend.shape[1] // BLOCK
    border = (bend.shape[1] - count * BLOCK) // 2  # the same all around
    whole = slice(border, border + count * BLOCK)
    blocks = bend[:, whole, whole].reshape(-1, count, BLOCK, count, BLOCK)
    rough = 0.5 * xp.log10((blocks**2).mean((2, 4)) + 1e-9)
    rough = rough - rough.mean((1, 2))[:, None, None]
    variance = (rough**2).mean((1, 2)) + 1e-6
    beside = 0.5 * ((rough[:, 1:] * rough[:, :-1]).mean((1, 2)) + (rough[:, :, 1:] * rough[:, :, :-1]).mean((1, 2)))
    return xp.sqrt(variance), beside / variance


def extremes(tiles: Any) -> tuple[Any, Any]:
    """Shares (tile,) of inner cells that are higher, or lower, than their eight neighbours."""
    xp = tiles.__array_namespace__()
    size = tiles.shape[1]
    inner = tiles[:, 1:-1, 1:-1]
    around = [(i, j) for i in (0, 1, 2) for j in (0, 1, 2) if (i, j) != (1, 1)]
    beside = xp.stack([tiles[:, i : size - 2 + i, j : size - 2 + j] for i, j in around])
    return (inner > beside.max(0)).mean((1, 2)), (inner < beside.min(0)).mean((1, 2))


def spectrum(tiles: np.ndarray) -> np.ndarray:
    """Log10 of the radially averaged power (tile, wavenumber) in m², wavenumbers 1 to size / 2 − 1 a tile.

    A Hann window in both directions keeps what the edges do not share out of it.
    """
    size = tiles.shape[1]
    hann = np.hanning(size + 2)[1:-1]
    window = np.outer(hann, hann)
    power = np.abs(np.fft.fft2((tiles - tiles.mean((1, 2), keepdims=True)) * window)) ** 2 / (window**2).sum()
    along = np.fft.fftfreq(size, 1 / size)
    ring = np.round(np.hypot(along[:, None], along)).astype(int).ravel()
    flat = power.reshape(len(tiles), -1)
    rings = [flat[:, ring == k].mean(1) for k in range(1, size // 2)]
    return np.log10(np.stack(rings, 1) + FLOOR**2)


def variogram(tiles: np.ndarray) -> np.ndarray:
    """Log10 of the semivariance (tile, lag) in m² at `LAGS`."""
    return np.log10(np.stack([semivariance(tiles, lag) for lag in LAGS], 1))


def skewness(tiles: np.ndarray) -> np.ndarray:
    """Of elevation (tile,): above zero where a few summits rise from wide low land."""
    return _skewness_and_kurtosis(tiles / relief(tiles)[:, None, None], np)[0]


def _skewness_and_kurtosis(values: Any, xp: Any) -> tuple[Any, Any]:
    """Of each tile; the kurtosis as a logarithm that is 0 for a Gaussian."""
    about = values - values.mean((1, 2))[:, None, None]
    variance = (about**2).mean((1, 2)) + 1e-12
    third, fourth = (about**3).mean((1, 2)) / variance**1.5, (about**4).mean((1, 2)) / variance**2
    return xp.arcsinh(third), xp.log(fourth / 3)
