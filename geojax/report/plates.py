"""The figures that every run has, with their captions, as the page holds them."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from geojax.report import figures, partition, tables
from geojax.task import Picture, Score

SPLIT = {
    "time": "Split by time, without a shuffle.",
    "group": "Split by whole groups: no place of the test split was seen in training.",
    "fold": "Cross-validation by whole groups: each place was tested once, by what was trained without its group.",
}


@dataclass(frozen=True)
class Plate:
    """A figure as the page holds it."""

    title: str
    caption: str
    alt: str
    uri: str


def plate(picture: Picture) -> Plate:
    """The picture as an image, with a text for those who cannot see it."""
    first = picture.caption.split(". ")[0].rstrip(".")
    return Plate(picture.title, picture.caption, f"{picture.title}. {first}.", figures.to_data_uri(picture.figure))


def scores(table: pd.DataFrame, headline: Score, methods: list[str], found: dict[str, Any]) -> list[Plate]:
    """The headline by method, the same by slice, and the model against the best baseline.

    table : as from `resampling.table`; found : as from `verdict.summarize`
    """
    name, units, best = tables.capital(headline.long_name), headline.units, found["best_baseline"]
    intervals = f"Bars: intervals, {found['intervals']}."
    whole = table[table["score"] == headline.name]
    drawn = [Picture(f"{name} of each method", intervals, figures.scores_with_intervals(whole, methods, name, units))]
    parts = table[(table["score"] == tables.slices_of(table, headline))]
    if len(parts):
        label = name if headline.name in str(parts["score"].iloc[0]) else tables.spoken(str(parts["score"].iloc[0]))
        title = f"{label} by {parts['dimension'].iloc[0]}"
        figure = figures.scores_with_intervals(parts, methods, label, units)
        drawn.append(Picture(title, f"{intervals} Each panel has its own axis.", figure))
    against = pd.concat([whole, parts])
    figure = figures.differences(against[against["method"] == best], best, headline)
    caption = f"Each resample draws the same groups for both methods. {intervals} Open: the interval holds zero."
    drawn.append(Picture(f"Model against {best}", caption, figure))
    return [plate(picture) for picture in drawn]


def drift(index: pd.DataFrame, measured: dict[str, dict[str, dict[str, float]]]) -> Plate:
    """Drift of each part, as its manifest says: {part: {variable: {mean, deviation}}}."""
    split = index.drop_duplicates("part").set_index("part")["split"]
    rows = [
        {"part": part, "split": split.get(part, "none"), "variable": variable} | values
        for part, own in measured.items()
        for variable, values in own.items()
    ]
    caption = (
        "Mean and standard deviation of each normalized part. The scaling was fitted on the reference parts alone; "
        "dashed lines are what a part like the whole of the reference would show."
    )
    return plate(Picture("Drift against the reference", caption, figures.drift(pd.DataFrame(rows))))


def split(index: pd.DataFrame, spans: partition.Spans, by: str) -> Plate | None:
    """The split by time or by place, if the index can show it."""
    figure = partition.figure(index, spans, by)
    return plate(Picture("The split", SPLIT[by], figure)) if figure else None


def learning(history: pd.DataFrame) -> Plate:
    """Losses by epoch."""
    members = history["member"].nunique()
    ring = "The ring marks the epoch with the lowest validation loss, whose weights are kept."
    lines = "One line for each member of the ensemble. " if members > 1 else ""
    caption = f"{lines}{ring} The two losses have scales of their own."
    return plate(Picture("Learning curves", caption, figures.learning_curves(history)))
