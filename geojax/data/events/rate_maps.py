"""What is known of the seismicity of each cell at the start of each month, as maps for methods to weigh."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from geojax.data.events import seismicity
from geojax.data.events.cells import Catalogue, Cells
from geojax.data.events.seismicity import Pairs

MIXED_KM = 100.0  # width by which last month's events are spread over a cell's neighbours
DEEP_KM = (70.0, 300.0)


def known(
    catalogue: Catalogue,
    cells: Cells,
    edges: np.ndarray,
    least: float,
    begin: int,
    *,
    level_years: int,
    neighbours: Sequence[int],
    uniform: float,
    reference: int,
    laws: Sequence[tuple[float, float, float]],
) -> dict[str, Any]:
    """Maps (month, cell, …) of what came before each month, and its counts.

    Backgrounds, in expected counts of the month, are drawn from month `begin` on: smoothed seismicity for each number
    of neighbours, plain, then thinned, with a share that is spread by area. No method may look at what stands
    before `begin`.

    edges : (month + 1,) in days since 1970; least : magnitude from which on the catalogue is complete
    level_years : how far back events are counted for the number expected worldwide
    uniform : that share; reference : which background it is
    laws : alpha, p and width of the triggered rates
    returns : counts, reference (month, cell); background, triggered, inputs (month, cell, map); share (cell,) of the
        Earth's surface; and what was given
    """
    pairs = Pairs.of(catalogue, cells)
    counts = seismicity.counts(catalogue, cells, edges)
    kinds = [(number, thinned) for thinned in (False, True) for number in neighbours]
    background = np.zeros((len(edges) - 1, cells.size, len(kinds)), "float32")
    for start in range(begin, len(edges) - 1, 12):
        year = edges[start : min(start + 12, len(edges) - 1)]
        drawn = [seismicity.smoothed(catalogue, pairs, year, *kind) for kind in kinds]
        background[start : start + 12] = np.stack(drawn, -1) * _level(catalogue, edges[0], year, level_years)
    background[:begin] = background[begin]
    background = (1 - uniform) * background + uniform * background.sum(1, keepdims=True) * cells.share[:, None]
    background = (background * np.diff(edges)[:, None, None]).astype("float32")
    triggered = np.stack(
        [seismicity.triggered(catalogue, pairs, edges, least, alpha=a, p=p, width=w) for a, p, w in laws], -1
    )
    quiet = background[..., reference]
    around = _monthly(catalogue, pairs.shares(np.full(len(catalogue.time), MIXED_KM)), edges)
    excess = np.log1p(0.01 * triggered / quiet[..., None])
    inputs = [np.log(quiet)[..., None], excess, *(_lagged(x) for x in (counts, around))]
    return {
        "inputs": np.concatenate(inputs, -1).astype("float32"),
        "background": background,
        "triggered": triggered,
        "reference": quiet,
        "counts": counts,
        "share": cells.share,
        "catalogue": catalogue,
        "cells": cells,
        "edges": edges,
    }


def deep_shares(catalogue: Catalogue, cells: Cells) -> np.ndarray:
    """Shares of deep events around each cell (cell, 2): they have fewer aftershocks."""
    shares = Pairs.of(catalogue, cells).shares(np.full(len(catalogue.time), 2 * MIXED_KM))
    total = shares @ np.ones(len(catalogue.time)) + 1e-3
    return np.stack([shares @ (catalogue.depth > d) / total for d in DEEP_KM], -1).astype("float32")


def _level(catalogue: Catalogue, first: float, starts: np.ndarray, years: int) -> np.ndarray:
    """Events a day (month, 1, 1) in the years before each start; `first` is the catalogue's first day."""
    since = np.maximum(starts - 365.25 * years, first)
    number = np.searchsorted(catalogue.time, starts) - np.searchsorted(catalogue.time, since)
    return (number / (starts - since))[:, None, None]


def _monthly(catalogue: Catalogue, shares: Any, edges: np.ndarray) -> np.ndarray:
    """Sums (month, cell) of the events' shares."""
    month = np.searchsorted(edges, catalogue.time, "right") - 1
    return np.stack([shares @ (month == number) for number in range(len(edges) - 1)]).astype("float32")


def _lagged(x: np.ndarray) -> np.ndarray:
    """Logs of what the month before held, (month, cell, 1)."""
    return np.log1p(np.concatenate([np.zeros_like(x[:1]), x[:-1]]))[..., None]
