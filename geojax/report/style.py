"""How every figure looks: sober, colour-blind safe, the same colour for a method on the whole page."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from geojax.task import BEFORE

WIDTH = 9.0  # inches, the width of the page's column
INK, MUTED, LAND, GAP = "#1f2328", "#6b7280", "#aab0b8", "#dfe2e6"
MODEL, PAST = "#d55e00", "#eeb087"
OTHERS = ("#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")  # Okabe and Ito (2008)
SPLITS = {"train": ("#8d99a6", "o"), "validation": ("#7a4fa3", "s"), "test": ("#00798c", "D")}
SEQUENTIAL, ANOMALY, DIFFERENCE = "viridis", "RdBu_r", "PuOr_r"

styled = rc_context(
    {
        "font.size": 9, "axes.titlesize": 9, "axes.labelsize": 9, "xtick.labelsize": 8, "ytick.labelsize": 8,
        "legend.fontsize": 8, "legend.frameon": False, "axes.titlelocation": "left", "axes.titleweight": "bold",
        "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": MUTED, "text.color": INK,
        "axes.labelcolor": INK, "xtick.color": INK, "ytick.color": INK, "axes.axisbelow": True, "grid.color": "#e3e6ea",
        "grid.linewidth": 0.7, "hatch.linewidth": 0.5, "hatch.color": "#9aa1ab", "axes.unicode_minus": True,
    }
)  # fmt: skip
"""Decorator: draw in the house's style and leave Matplotlib's own settings as they were."""


def colours(methods: Iterable[str]) -> dict[str, str]:
    """One colour for each method, whatever order they come in."""
    baselines = sorted(set(methods) - {"model", BEFORE})
    return {"model": MODEL, BEFORE: PAST} | {name: OTHERS[i % len(OTHERS)] for i, name in enumerate(baselines)}


def grid(rows: int, columns: int, height: float, width: float = WIDTH, **options: Any) -> tuple[Figure, np.ndarray]:
    """A figure of `width` × `height` inches and its axes (row, column)."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def name_with_units(name: str, units: str) -> str:
    """An axis label; dimensionless quantities show no unit."""
    return name if units in ("", "1") else f"{name} ({units})"


def light_grid(axes: Axes, axis: Any = "both") -> None:
    """Thin lines that help to read values off."""
    axes.grid(True, axis=axis)
    axes.tick_params(length=3)


def limit(values: np.ndarray, quantile: float = 0.98) -> float:
    """Bound of a symmetric colour scale that a few extremes do not set; values beyond it are shown as the bound."""
    size = np.abs(values[np.isfinite(values)])
    if not size.size:
        return 1.0
    bound = float(np.quantile(size, quantile))
    step = 10 ** np.floor(np.log10(bound)) / 2 if bound > 0 else 1.0
    return float(np.ceil(bound / step) * step)
