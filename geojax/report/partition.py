"""The split, as a timeline or as a map."""

import numpy as np
import pandas as pd
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure

from geojax.report import style
from geojax.report.style import styled

Spans = dict[str, tuple[pd.Timestamp, pd.Timestamp]]  # first and last time of each part


def counts(index: pd.DataFrame, spans: Spans) -> list[dict[str, str]]:
    """Parts, groups, examples and time span of each split."""
    rows = []
    for split in style.SPLITS:
        own = index[index["split"] == split]
        if not len(own):
            continue
        held = [spans[part] for part in own["part"].unique() if part in spans]
        times = [f"{t:%Y-%m-%d}" for t in (min(s[0] for s in held), max(s[1] for s in held))] if held else ["unknown"]
        rows.append(
            {
                "split": split,
                "parts": str(own["part"].nunique()),
                "groups": _short(sorted(map(str, own["group"].unique()))),
                "number": str(own["group"].nunique()),
                "examples": str(len(own)),
                "times": " to ".join(dict.fromkeys(times)),
            }
        )
    return rows


def audited(audit: dict[str, list[str]]) -> str:
    """What the audit has ruled out for an index, which would not exist otherwise, and what it could not look for.

    audit : from geojax.data.audit.summary, as the index's manifest keeps it
    """
    text = f"The workflow's audit passed: {'; '.join(audit['passed'])}."
    absent = f" Not looked for: {', '.join(audit['not_looked_for'])}."
    return text + (absent if audit["not_looked_for"] else "")


def figure(index: pd.DataFrame, spans: Spans, by: str) -> Figure | None:
    """A timeline of a split by time, a map of a split by groups that have places, else nothing."""
    if by == "time":
        return timeline(index, spans)
    return station_map(index) if {"lat", "lon"} <= set(index.columns) else None


@styled
def timeline(index: pd.DataFrame, spans: Spans) -> Figure:
    """A bar for the time of each part, one row for each split."""
    drawn, ((panel,),) = style.grid(1, 1, 1.6)
    for place, (split, (colour, _)) in enumerate(style.SPLITS.items()):
        parts = index.loc[index["split"] == split, "part"].unique()
        ends = date2num([spans[part] for part in parts if part in spans]).reshape(-1, 2)
        bars = [(first, max(last - first, 1.0)) for first, last in ends]
        panel.broken_barh(bars, (place - 0.28, 0.56), color=colour)
    locator = AutoDateLocator()
    panel.xaxis_date()
    panel.xaxis.set_major_locator(locator)
    panel.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    panel.set_yticks(range(len(style.SPLITS)), list(style.SPLITS))
    panel.set_ylim(len(style.SPLITS) - 0.5, -0.5)
    panel.set_xlabel("Time; one bar for each part")
    style.light_grid(panel, "x")
    return drawn


@styled
def station_map(index: pd.DataFrame) -> Figure:
    """Places of all examples by split, in degrees, with a bar of whole kilometres."""
    places = index.drop_duplicates(["lat", "lon", "split"])
    middle = np.cos(np.radians(places["lat"].mean()))
    ratio = np.ptp(places["lat"]) / max(np.ptp(places["lon"]) * middle, 1e-6)
    drawn, ((panel,),) = style.grid(1, 1, float(np.clip(0.7 + 8 * ratio, 2.5, 7.5)))
    for split, (colour, marker) in style.SPLITS.items():
        own = places[places["split"] == split]
        panel.plot(own["lon"], own["lat"], marker, color=colour, ms=4.5, mec="white", mew=0.4, label=split)
    for _, own in places.groupby("group"):
        upright = np.ptp(own["lat"]) > np.ptp(own["lon"])
        panel.annotate(
            str(own["group"].iloc[0]).replace("_", " "), (own["lon"].mean(), own["lat"].mean()), fontsize=7,
            ha="left" if upright else "center", va="center", xytext=(8, 0) if upright else (0, 9),
            textcoords="offset points", bbox={"facecolor": "white", "alpha": 0.7, "lw": 0, "pad": 0.6},
        )  # fmt: skip
    panel.set(xlabel="Longitude (°E)", ylabel="Latitude (°N)", aspect=1 / middle)
    panel.ticklabel_format(useOffset=False)
    degree_km = 111.195 * middle
    wanted = np.ptp(places["lon"]) * degree_km / 5
    length = float(np.floor(wanted)) if wanted >= 1 else round(wanted, 1)
    west, _ = panel.get_xlim()
    south, _ = panel.get_ylim()
    span = panel.get_ylim()[1] - south
    start = west + 0.03 * (panel.get_xlim()[1] - west)
    panel.plot([start, start + length / degree_km], [south + 0.05 * span] * 2, color=style.INK, lw=2.5)
    panel.text(start, south + 0.07 * span, f"{length:g} km", fontsize=8)
    panel.legend(loc="upper right", ncols=3, frameon=True, framealpha=0.9, borderaxespad=0)
    style.light_grid(panel)
    return drawn


def _short(names: list[str]) -> str:
    """Names as they are when few; consecutive years as a span."""
    if len(names) > 2 and all(name.isdigit() for name in names):
        numbers = sorted(map(int, names))
        if numbers == list(range(numbers[0], numbers[-1] + 1)):
            return f"{numbers[0]} to {numbers[-1]}"
    return ", ".join(names) if len(names) <= 12 else f"{', '.join(names[:5])} … {names[-1]}"
