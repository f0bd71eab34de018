"""Pictures of a run that classifies events: map and section, confusion, scores of each class."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from geojax.data.events.catalogues import COLUMNS
from geojax.report import figures, maps, style
from geojax.report.phases import confusion_counts
from geojax.report.style import INK, styled
from geojax.task import Outcome, Picture

COLOURS = ("#e69f00", "#d55e00", "#0072b2", "#56b4e9", "#009e73", "#cc79a7", "#f0e442", "#000000")


def class_pictures(outcome: Outcome, classes: tuple[str, ...]) -> list[Picture]:
    """Map and section by class, where the errors are, confusion, and F1 of each class."""
    return [
        _places(outcome, classes),
        _errors(outcome, classes),
        _confusion(outcome, classes),
        _by_class(outcome, classes),
    ]


def colour(number: int) -> str:
    """Of a class or cluster."""
    return COLOURS[number % len(COLOURS)]


def places(outcome: Outcome) -> pd.DataFrame:
    """Longitude, latitude (degrees), depth (km) and magnitude of the events of the index."""
    return outcome.index[list(COLUMNS)].astype("float64")


def map_and_section(figure: Figure, columns: int) -> np.ndarray:
    """Axes (2, column): maps above sections across them, on one scale of longitudes."""
    return figure.subplots(2, columns, squeeze=False, sharex="all", sharey="row", height_ratios=(2.15, 1))


def scatter(
    panels: np.ndarray, events: pd.DataFrame, code: np.ndarray, shown: np.ndarray | None = None, least: float = 3.0
) -> None:
    """Events by number of class or cluster on a map and on a section, rare ones on top.

    shown : which of them; least : area of the smallest dot, points²
    """
    shown = np.ones(len(code), bool) if shown is None else shown
    for number in sorted(np.unique(code), key=lambda each: -(code == each).sum()):
        own = events[shown & (code == number)]
        size = least + 2 * np.clip(own["magnitude"] - events["magnitude"].min(), 0, None) ** 2
        for panel, row in zip(panels, ("latitude", "depth"), strict=True):
            panel.scatter(own["longitude"], own[row], s=size, color=colour(int(number)), lw=0, alpha=0.7,
                          rasterized=True)  # fmt: skip


def dress(panels: np.ndarray, events: pd.DataFrame, first: bool) -> None:
    """Coast, limits and labels of a map and the section below it."""
    above, below = panels
    (west, south), (east, north) = (
        events[["longitude", "latitude"]].quantile(q).to_numpy() + pad for q, pad in ((0.001, -0.2), (0.999, 0.2))
    )
    above.plot(*maps.coastlines(-180.0).T, color=INK, lw=0.8)
    above.set(xlim=(west, east), ylim=(south, north), aspect=1 / np.cos(np.radians((south + north) / 2)))
    above.xaxis.set_major_formatter(lambda x, _: _degrees(x, "E", "W"))
    above.yaxis.set_major_formatter(lambda y, _: _degrees(y, "N", "S"))
    below.set(ylim=(events["depth"].quantile(0.999) + 10, min(0.0, events["depth"].min())), xlabel="Longitude")
    for panel in panels:
        style.light_grid(panel)
        panel.spines[:].set_visible(True)
    if first:
        above.set_ylabel("Latitude")
        below.set_ylabel("Depth (km)")


def legend(figure: Figure, names: Sequence[str]) -> None:
    """One dot for each class."""
    dots = [Line2D([], [], marker="o", ls="", ms=6, color=colour(i), label=name) for i, name in enumerate(names)]
    figure.legend(handles=dots, loc="outside upper right", ncols=len(names), handletextpad=0.2)


@styled
def _places(outcome: Outcome, classes: tuple[str, ...]) -> Picture:
    events, label = places(outcome), outcome.examples.rows["label"]
    best = outcome.best_baseline
    shown = {
        "True class": label,
        "Model": outcome.model.argmax(1),
        best.capitalize(): outcome.baselines[best].argmax(1),
    }
    figure = Figure(figsize=(style.WIDTH, 7.5), layout="constrained")
    axes = map_and_section(figure, len(shown))
    for column, (title, code) in enumerate(shown.items()):
        scatter(axes[:, column], events, code)
        dress(axes[:, column], events, column == 0)
        axes[0, column].set_title(title)
    legend(figure, classes)
    caption = (
        f"{len(label)} test events by epicentre and, below, projected on a section from west to east with the depth "
        "enlarged. Large dots are large magnitudes; rare classes lie on top. Events of all latitudes share the section."
    )
    return Picture("Classes on the map and at depth", caption, figure)


@styled
def _errors(outcome: Outcome, classes: tuple[str, ...]) -> Picture:
    events, label = places(outcome), outcome.examples.rows["label"]
    best = outcome.best_baseline
    figure = Figure(figsize=(6.4, 7.5), layout="constrained")
    axes = map_and_section(figure, 2)
    counts = []
    for column, (name, found) in enumerate(
        {"Model": outcome.model, best.capitalize(): outcome.baselines[best]}.items()
    ):
        wrong = found.argmax(1) != label
        counts.append(int(wrong.sum()))
        for panel, row in zip(axes[:, column], ("latitude", "depth"), strict=True):
            panel.plot(events["longitude"], events[row], ".", ms=1, color="#c9cdd3", rasterized=True)
        scatter(axes[:, column], events, label, wrong, least=18.0)
        dress(axes[:, column], events, column == 0)
        axes[0, column].set_title(f"{name}: {counts[-1]} of {len(label)} wrong")
    legend(figure, classes)
    caption = (
        "Test events that are told wrong, in the colour of their true class, over all test events in grey. Classes are "
        "regions around the slab, so mistakes are to be looked for where they meet."
    )
    return Picture("Where the errors are", caption, figure)


@styled
def _confusion(outcome: Outcome, classes: tuple[str, ...]) -> Picture:
    figure, axes = style.grid(1, 2, 4.2)
    label, best = outcome.examples.rows["label"], outcome.best_baseline
    both = {"Model": outcome.model, best.capitalize(): outcome.baselines[best]}
    for panel, (title, found) in zip(axes[0], both.items(), strict=True):
        figures.confusion(panel, confusion_counts(label, found, len(classes)), classes)
        panel.set_title(title)
    caption = f"Test events by true and predicted class: counts, and percent of the row. {len(label)} events in all."
    return Picture("Which classes are mistaken for which", caption, figure)


@styled
def _by_class(outcome: Outcome, classes: tuple[str, ...]) -> Picture:
    own = outcome.scores[outcome.scores["score"] == "f1"]
    methods = ["model", *outcome.baselines]
    found = style.colours(methods)
    figure, ((panel,),) = style.grid(1, 1, 3.2, 7.5)
    for place, method in enumerate(methods):
        rows = own[own["method"] == method].set_index("slice").loc[list(classes)]
        ends = np.clip([rows["value"] - rows["low"], rows["high"] - rows["value"]], 0, None)
        at = np.arange(len(classes)) + 0.14 * (place - (len(methods) - 1) / 2)
        marker = "D" if method == "model" else "o"
        panel.errorbar(at, rows["value"], yerr=ends, fmt=marker, ms=5, lw=1.6, color=found[method], label=method)
    count = pd.Series(outcome.examples.rows["label"]).value_counts()
    panel.set_xticks(range(len(classes)), [f"{name}\n{count.get(i, 0)} events" for i, name in enumerate(classes)])
    panel.set(ylabel="F1")
    panel.tick_params(axis="x", length=0)
    figure.legend(*panel.get_legend_handles_labels(), loc="outside upper left", ncols=len(methods))
    panel.grid(True, axis="y")
    caption = "F1 of each class, with 95 % intervals from resampling weeks; macro F1 is their mean. Truth: catalogue."
    return Picture("Score of each class", caption, figure)


def _degrees(value: float, positive: str, negative: str) -> str:
    side = "" if value == 0 else positive if value > 0 else negative
    return f"{abs(value):g}°{side}"
