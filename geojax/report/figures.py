"""Figures that every run has, whatever its task."""

import io
from urllib.parse import quote

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from geojax.report import style
from geojax.report.style import MUTED, SEQUENTIAL, styled
from geojax.task import BEFORE, Score

LABELS = {"train": "Training loss", "validation": "Validation loss"}


def to_data_uri(figure: Figure, dpi: int = 170) -> str:
    """The figure as an SVG data URI; what is marked as rasterized has `dpi`. The same figure gives the same bytes."""
    buffer = io.BytesIO()
    with style.rc_context({"svg.hashsalt": "geojax"}):
        figure.savefig(buffer, format="svg", dpi=dpi, metadata={"Date": None, "Creator": None}, facecolor="white")
    text = " ".join(buffer.getvalue().decode().split())
    # Escaped rather than base64: raster layers inside are base64 already, and twice would add a third.
    return "data:image/svg+xml;charset=utf-8," + quote(text, safe=" /:;,=+()!*@?$-_.~")


def method_order(scores: pd.DataFrame, headline: Score) -> list[str]:
    """The model, the one before an update if there is one, then the baselines from best to worst."""
    own = scores[scores["score"] == headline.name].sort_values("value", ascending=not headline.higher_is_better)
    first = [name for name in ("model", BEFORE) if name in set(own["method"])]
    return [*first, *(name for name in own["method"] if name not in first)]


@styled
def learning_curves(history: pd.DataFrame) -> Figure:
    """Training and validation loss of each member; a ring marks the epoch whose weights are kept.

    history : columns epoch (from 0; shown from 1), member, train_loss, validation_loss
    """
    figure, axes = style.grid(1, 2, 2.7)
    for panel, kind in zip(axes[0], LABELS, strict=True):
        for _, own in history.groupby("member"):
            best = own.loc[own["validation_loss"].idxmin()]
            (line,) = panel.plot(1 + own["epoch"], own[f"{kind}_loss"], color=style.MODEL, lw=1.2, alpha=0.8)
            panel.plot(1 + best["epoch"], best[f"{kind}_loss"], "o", mfc="white", mec=line.get_color(), ms=6, mew=1.4)
        values = history[f"{kind}_loss"]
        if values.min() > 0 and values.max() > 10 * values.min():
            panel.set_yscale("log")
        panel.set(xlabel="Epoch", ylabel=LABELS[kind])
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        style.light_grid(panel)
    return figure


@styled
def scores_with_intervals(scores: pd.DataFrame, methods: list[str], label: str, units: str) -> Figure:
    """Value and 95 % interval of each method, one panel for each slice.

    scores : rows method, slice, value, low, high of one score
    """
    slices = list(dict.fromkeys(scores["slice"]))
    columns = min(len(slices), 4)
    rows = -(-len(slices) // columns)
    height = rows * (0.75 + 0.22 * len(methods))
    figure, axes = style.grid(rows, columns, height, style.WIDTH if columns > 1 else 6.5, sharey=True)
    found = style.colours(methods)
    for panel, name in zip(axes.flat, slices, strict=False):
        own = scores[scores["slice"] == name].set_index("method")
        for place, method in enumerate(methods):
            row = own.loc[method]
            ends = [[row["value"] - row["low"]], [row["high"] - row["value"]]]
            marker = "D" if method == "model" else "o"
            panel.errorbar(row["value"], place, xerr=ends, fmt=marker, color=found[method], ms=5, lw=1.8)
        panel.set_yticks(range(len(methods)), methods)
        panel.set_ylim(len(methods) - 0.5, -0.5)
        panel.set_title("" if name == "all" else slice_name(own["dimension"].iloc[0], name))
        panel.xaxis.set_major_locator(MaxNLocator(4))
        style.light_grid(panel, "x")
    for panel in axes.flat[len(slices) :]:
        panel.set_visible(False)
    figure.supxlabel(style.name_with_units(label, units), fontsize=9)
    return figure


@styled
def differences(scores: pd.DataFrame, best: str, headline: Score) -> Figure:
    """Model minus the best baseline in pairs, with 95 % intervals, over all and by slice.

    scores : rows of `best` with difference, difference_low and difference_high
    """
    count = len(scores)
    figure, ((panel,),) = style.grid(1, 1, 0.8 + 0.28 * count, 6.5)
    panel.axvline(0, color=MUTED, lw=1)
    for place, row in enumerate(scores.to_dict("records")):
        middle, low, high = (row[k] for k in ("difference", "difference_low", "difference_high"))
        open_ = low <= 0 <= high
        panel.errorbar(
            middle, place, xerr=[[middle - low], [high - middle]], fmt="D", ms=5, lw=1.8, color=style.MODEL,
            mfc="white" if open_ else style.MODEL,
        )  # fmt: skip
    names = ["all" if r["slice"] == "all" else slice_name(r["dimension"], r["slice"]) for _, r in scores.iterrows()]
    panel.set_yticks(range(count), names)
    panel.set_ylim(count - 0.5, -0.5)
    side = "right" if headline.higher_is_better else "left"
    label = style.name_with_units(f"Model minus {best}", headline.units)
    panel.set_xlabel(f"{label}; further {side} is better for the model")
    style.light_grid(panel, "x")
    return figure


@styled
def drift(parts: pd.DataFrame) -> Figure:
    """Mean and deviation of each part in spreads of the reference; dashed lines are the reference itself.

    parts : columns part, split, variable, mean, deviation
    """
    variables = list(dict.fromkeys(parts["variable"]))
    figure, axes = style.grid(len(variables), 2, 0.6 + 2.3 * len(variables), sharex=True)
    names = list(dict.fromkeys(parts["part"]))
    for row, variable in zip(axes, variables, strict=True):
        for panel, column, neutral in zip(row, ("mean", "deviation"), (0.0, 1.0), strict=True):
            panel.axhline(neutral, color=MUTED, lw=1, ls="--")
            for split, (colour, marker) in style.SPLITS.items():
                own = parts[(parts["variable"] == variable) & (parts["split"] == split)]
                panel.plot([names.index(p) for p in own["part"]], own[column], marker, color=colour, ms=5, label=split)
            panel.set_ylabel(f"{column.capitalize()} of {variable}\n(reference spreads)")
            step = -(-len(names) // 16)
            panel.set_xticks(range(0, len(names), step), names[::step], rotation=60, ha="right")
            style.light_grid(panel)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper right", ncols=3)
    return figure


def confusion(panel: Axes, counts: np.ndarray, classes: tuple[str, ...]) -> None:
    """Counts (true, guessed) with the share of each row, in percent."""
    share = counts / counts.sum(1, keepdims=True).clip(1)
    panel.imshow(share, cmap=SEQUENTIAL, vmin=0, vmax=1)
    for i, j in np.ndindex(counts.shape):
        ink = "black" if share[i, j] > 0.55 else "white"
        panel.text(j, i, f"{counts[i, j]:.0f}\n{100 * share[i, j]:.0f} %", ha="center", va="center", color=ink)
    panel.set_xticks(range(len(classes)), classes)
    panel.set_yticks(range(len(classes)), classes)
    panel.set(xlabel="Predicted", ylabel="True")
    panel.tick_params(length=0)
    panel.spines[:].set_visible(False)


def slice_name(dimension: str, name: str) -> str:
    """A slice as the reader sees it: `coverage 50 %`, `class P`."""
    try:
        number = float(name)
    except ValueError:
        return f"{dimension} {name}"
    return f"{dimension} {100 * number:g} %" if 0 < number < 1 else f"{dimension} {number:g}"
