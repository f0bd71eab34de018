"""Pictures of craters: where they are found and missed, at what price, and how many there are of each size."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection
from matplotlib.lines import Line2D

from geojax.data.imagery import circle_examples
from geojax.report import style
from geojax.report.style import INK, styled
from geojax.scores import circles as circles_scores
from geojax.task import Outcome, Picture

KINDS = {"hit": ("#56b4e9", "found"), "missed": ("#ff3b6b", "missed"), "false": ("#e69f00", "not marked")}
MARKED = "#7cfc8a"


def crater_pictures(outcome: Outcome, cell: int) -> list[Picture]:
    """Maps of what is found and missed, squares at close range, precision against recall, and counts by size.

    cell : side of the squares whose craters are resampled together, in pixels
    """
    tables = {"model": outcome.model, **outcome.baselines}
    every = {name: circle_examples.compared(outcome.examples, own) for name, own in tables.items()}
    found = {name: circle_examples.compared(outcome.examples, own, 0.0) for name, own in tables.items()}
    pictures = circle_examples.brightness(outcome.examples)
    best = outcome.best_baseline
    return [
        _maps(pictures, found, best),
        _squares(pictures, found["model"], cell),
        _precision_recall(every, found),
        _sizes(found, best),
    ]


@styled
def _maps(pictures: list[np.ndarray], found: dict[str, pd.DataFrame], best: str) -> Picture:
    largest = int(np.argmax([found["model"]["picture"].eq(i).sum() for i in range(len(pictures))]))
    shown = pictures[largest]
    height = min(4.35 * shown.shape[0] / shown.shape[1] + 0.5, 10)
    figure, axes = style.grid(1, 2, height)
    for panel, name in zip(axes[0], ("model", best), strict=True):
        own = found[name][found[name]["picture"] == largest]
        _background(panel, shown)
        for kind, (colour, _) in KINDS.items():
            some = own[own["kind"] == kind]
            prefix = "" if kind == "missed" else "found_"
            _circles(panel, some[[f"{prefix}{n}" for n in ("row", "column", "radius")]].to_numpy(), colour)
        counts = own["kind"].value_counts()
        panel.set_title(f"{name.capitalize()}: " + ", ".join(f"{counts.get(k, 0)} {w}" for k, (_, w) in KINDS.items()))
    handles = [Line2D([], [], marker="o", ls="", mfc="none", mec=c, mew=1.5, label=w) for c, w in KINDS.values()]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    several = f" The one of {len(pictures)} test pictures with most craters." if len(pictures) > 1 else ""
    caption = (
        "The test side of the picture, which no method has seen. A circle counts as found where it shares at least "
        f"half of the area that it covers together with one that was marked by hand; what is not marked may yet be a "
        f"crater.{several} Axes count pixels."
    )
    return Picture("Craters found and missed", caption, figure)


@styled
def _squares(pictures: list[np.ndarray], found: pd.DataFrame, cell: int) -> Picture:
    rows, columns = (found[n].clip(lower=0) // cell for n in ("row", "column"))
    true = found["kind"] != "false"
    by = found.assign(r=rows.astype(int), c=columns.astype(int), true=true, hit=found["kind"] == "hit")
    sums = by.groupby(["picture", "r", "c"]).agg(n=("kind", "size"), true=("true", "sum"), hit=("hit", "sum"))
    sums["f1"] = 2 * sums["hit"] / (sums["n"] + sums["hit"])
    fewest = min(4, int(sums["true"].max()))
    ranked = sums[sums["true"] >= fewest].sort_values("f1", kind="stable")
    places = dict.fromkeys([0, len(ranked) // 2, len(ranked) - 1])
    words = {0: "worst", len(ranked) // 2: "middle", len(ranked) - 1: "best"}
    figure, axes = style.grid(1, 3, 3.5)
    for panel in axes.flat[len(places) :]:
        panel.set_visible(False)
    for panel, place in zip(axes.flat, places, strict=False):
        row = ranked.iloc[place]
        picture, r, c = (int(i) for i in row.name)  # pyright: ignore[reportGeneralTypeIssues]
        own = found[found["picture"] == picture]
        _background(panel, pictures[picture])
        marked, told = own[own["kind"] != "false"], own[own["kind"] != "missed"]
        _circles(panel, marked[["row", "column", "radius"]].to_numpy(), MARKED, 1.4)
        _circles(panel, told[["found_row", "found_column", "found_radius"]].to_numpy(), style.MODEL, 1.4)
        end = np.minimum([(r + 1) * cell, (c + 1) * cell], pictures[picture].shape)
        panel.set(xlim=(c * cell, end[1]), ylim=(end[0], r * cell))
        panel.set_title(f"{words[place]}: F1 {row['f1']:.2f}")
    handles = [
        Line2D([], [], marker="o", ls="", mfc="none", mec=colour, mew=1.5, label=label)
        for colour, label in ((MARKED, "marked by hand"), (style.MODEL, "found by the model"))
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    caption = (
        f"Of the squares of {cell} pixels with at least {fewest} marked craters those where the model is worst, in "
        "the middle and best, by its F1 within the square. Axes count pixels."
    )
    return Picture("At close range", caption, figure)


@styled
def _precision_recall(every: dict[str, pd.DataFrame], found: dict[str, pd.DataFrame]) -> Picture:
    figure, ((panel,),) = style.grid(1, 1, 3.6, 6.5)
    colours = style.colours(every)
    for name, own in every.items():
        ranked = own[own["kind"] != "missed"].sort_values("score", ascending=False, kind="stable")
        count = int((own["kind"] != "false").sum())
        precision, recall = circles_scores.curve((ranked["kind"] == "hit").to_numpy(), count)
        panel.plot(recall, precision, color=colours[name], lw=2 if name == "model" else 1.3, label=name)
        kinds = found[name]["kind"].value_counts()
        hits = kinds.get("hit", 0)
        at = hits / count, hits / max(hits + kinds.get("false", 0), 1)
        panel.plot(*at, "D" if name == "model" else "o", color=colours[name], ms=7, mec="white")
    panel.set(xlabel="Recall", ylabel="Precision", xlim=(0, 1), ylim=(0, 1.02))
    panel.legend(loc="upper left", bbox_to_anchor=(1.01, 1))
    style.light_grid(panel)
    caption = (
        "Precision and recall on the test side as the threshold falls; marks: the thresholds that each method was "
        "given on the validation strip. A curve ends where a method proposes no more."
    )
    return Picture("Precision against recall", caption, figure)


@styled
def _sizes(found: dict[str, pd.DataFrame], best: str) -> Picture:
    figure, ((panel,),) = style.grid(1, 1, 3.6, 6.5)
    colours = style.colours(found)
    own = found["model"]
    series = {"marked by hand": (2 * own.loc[own["kind"] != "false", "radius"], INK)}
    series |= {n: (2 * found[n].loc[found[n]["kind"] != "missed", "found_radius"], colours[n]) for n in ("model", best)}
    for name, (diameter, colour) in series.items():
        size = np.sort(diameter.to_numpy())[::-1]
        panel.step(size, np.arange(1, len(size) + 1), where="post", color=colour, lw=1.6, label=name)
    panel.set(xscale="log", yscale="log", xlabel="Diameter (pixels)", ylabel="Craters of at least that diameter")
    panel.set_xticks(ticks := [5, 10, 20, 40, 80], [str(t) for t in ticks])
    panel.minorticks_off()
    panel.legend()
    style.light_grid(panel)
    caption = (
        "Cumulative size distribution on the test side, of all circles that a method tells, true or false. This is "
        "what the age of a surface is read from: a curve below the black one makes it too young."
    )
    return Picture("How many craters of which size", caption, figure)


@styled
def overview(picture: np.ndarray, circles: np.ndarray, path: Path) -> None:
    """Save a picture (row, column) with circles (n, 3) drawn on it, as PNG."""
    figure, ((panel,),) = style.grid(1, 1, min(8 * picture.shape[0] / picture.shape[1] + 0.4, 20), 8)
    _background(panel, picture)
    _circles(panel, circles, style.MODEL)
    figure.savefig(path, dpi=150, facecolor="white")


def _background(panel: Axes, picture: np.ndarray) -> None:
    low, high = np.quantile(picture, (0.01, 0.99))
    panel.imshow(picture, cmap="gray", vmin=low, vmax=high, rasterized=True)
    panel.tick_params(length=2, labelsize=7)


def _circles(panel: Axes, circles: np.ndarray, colour: str, width: float = 0.9) -> None:
    size = 2 * circles[:, 2]
    panel.add_collection(
        EllipseCollection(
            size, size, np.zeros(len(size)), units="xy", offsets=circles[:, 1::-1], offset_transform=panel.transData,
            facecolors="none", edgecolors=colour, linewidths=width,
        )
    )  # fmt: skip
