"""Features of an event and its neighbourhood, for classifiers that take a row of numbers."""

import numpy as np

from geojax.data.events.catalogues import COLUMNS, LINKED, OWN
from geojax.task import Examples

TOLD = (COLUMNS.index("depth"), COLUMNS.index("magnitude"))  # of a neighbour; where it lies, the edge tells
QUARTILES = (0.0, 0.25, 0.5, 0.75, 1.0)


def own(examples: Examples) -> np.ndarray:
    """What is known of the events themselves: (example, 6)."""
    return examples.rows["nodes"][:, 0, :OWN]


def summaries(examples: Examples) -> np.ndarray:
    """(example, feature): `own`; for recent and for near neighbours means of the first one, of four and of all,
    deviations of their depths, and quartiles of the depths of all. Zero where there is no neighbour.
    """
    nodes, links, mask = _neighbours(examples)
    recent = links[0, :, LINKED.index("recent")] > 0  # the same in all examples
    found = []
    for kind in (recent, ~recent):
        if not kind.any():
            continue
        told = np.concatenate([nodes[:, kind][..., TOLD], links[:, kind][..., :-1], nodes[:, kind][..., OWN + 1 :]], -1)
        known = mask[:, kind]
        for count in dict.fromkeys((1, 4, int(kind.sum()))):
            weight = known[:, :count, None]
            mean = _mean(told[:, :count], weight)
            found += [mean, np.sqrt(_mean((told[:, :count, :1] - mean[:, None, :1]) ** 2, weight))]
        depth = np.where(known, told[..., 0], np.nan)
        depth[~known.any(1)] = 0
        found.append(np.nanquantile(depth, QUARTILES, axis=1).T)
    return np.concatenate([own(examples), *found], 1)


def _neighbours(examples: Examples) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows = examples.rows
    return rows["nodes"][:, 1:], rows["edge_features"], rows["mask"][:, 1:]


def _mean(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Mean (example, feature) of the known ones (example, neighbour, feature); zero where there is none."""
    return (values * weight).sum(1) / np.maximum(weight.sum(1), 1)
