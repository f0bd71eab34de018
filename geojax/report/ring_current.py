"""Pictures of a run that forecasts the index of the ring current."""

from functools import cached_property

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

from geojax.data.magnetism import storms, stretches
from geojax.report import style
from geojax.report.style import INK, MUTED, styled
from geojax.task import Outcome, Picture

FANS_H = (-12, 0, 4)  # hours after the onset at which forecasts are shown, then hours after the peak
AFTER_H = (0, 6, 18)


class Series:
    """The index over the test span and what was forecast for it."""

    def __init__(self, outcome: Outcome) -> None:
        shared = outcome.examples.shared
        self.outcome, self.best = outcome, outcome.best_baseline
        self.truth, self.leads, self.step_h = shared["target"], shared["leads"], float(shared["step_h"][0])
        self.time = shared["minute"].astype("M8[m]")
        self.origin = stretches.origins(outcome.examples)
        self.storms = storms.find(self.truth, float(shared["threshold"][0]), round(24 / self.step_h))

    def ahead(self, predicted: np.ndarray, place: int) -> np.ndarray:
        """The forecast of each lead for its target time: (time,), NaN where none was made."""
        found = np.full(len(self.truth), np.nan)
        found[self.origin + self.leads[place]] = predicted[..., place]
        return found

    def issued(self, predicted: np.ndarray, at: int) -> np.ndarray | None:
        """The forecast (lead,) that was made at a place in the series; None if none was."""
        rows, columns = np.nonzero(self.origin == at)
        return predicted[rows[0], columns[0]] if rows.size else None

    @cached_property
    def chosen(self) -> dict[str, storms.Storm]:
        """Storms that stand for the others, by rule."""
        depth = {storm: float(self.truth[storm.peak]) for storm in self.storms}
        classes = {
            "deepest": (-np.inf, np.inf),
            "median intense": (-np.inf, -100.0),
            "median moderate": (-100.0, -50.0),
        }
        found = {}
        for name, (low, high) in classes.items():
            own = sorted((storm for storm, value in depth.items() if low < value <= high), key=depth.__getitem__)
            if own:
                found[name] = own[0] if name == "deepest" else own[len(own) // 2]
        return found

    def window(self, storm: storms.Storm, before_h: float = 30, after_h: float = 78) -> slice:
        first = storm.onset - round(before_h / self.step_h)
        return slice(max(first, 0), min(storm.peak + round(after_h / self.step_h), len(self.truth)))


def storm_pictures(outcome: Outcome) -> list[Picture]:
    """Storms as forecast at several leads, forecasts as they were issued, errors by lead and by phase."""
    series = Series(outcome)
    drawn = [_leads(series), _fans(series)] if series.chosen else []
    return [*drawn, _by_lead(outcome), _by_phase(outcome)]


@styled
def _leads(series: Series) -> Picture:
    figure, axes = style.grid(len(series.chosen), 1, 0.6 + 2.1 * len(series.chosen))
    places = np.unique(np.linspace(0, len(series.leads) - 1, 3).round().astype(int))
    shades = colormaps["plasma"](np.linspace(0.1, 0.75, len(places)))
    for panel, (name, storm) in zip(axes[:, 0], series.chosen.items(), strict=True):
        window = series.window(storm)
        panel.plot(series.time[window], series.truth[window], color=INK, lw=2.2, label="observed")
        for place, shade in zip(places, shades, strict=True):
            ahead = series.ahead(series.outcome.model, place)[window]
            label = f"forecast {series.leads[place] * series.step_h:g} h before"
            panel.plot(series.time[window], ahead, color=shade, lw=1.3, label=label)
        _mark(panel, series, storm)
        panel.set_title(f"{name}: {_date(series, storm)}, {series.truth[storm.peak]:.0f} nT".replace("-", "−"))
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper right", ncols=len(places) + 1)
    caption = (
        "Test storms, chosen by rule: the deepest, and the medians by depth of the intense (below −100 nT) and of the "
        "moderate (−100 to −50 nT). Each coloured line joins forecasts that the model made the same time ahead, "
        "drawn at the hour they are for. Dotted: the last hour before the fall, and the deepest hour. The fall appears "
        "in each forecast as late as its lead: nothing in the index itself announces it. The recovery is followed."
    )
    return Picture("Storms as they were forecast", caption, figure)


@styled
def _fans(series: Series) -> Picture:
    figure, axes = style.grid(1, min(2, len(series.chosen)), 3.4)
    methods = {"model": series.outcome.model, series.best: series.outcome.baselines[series.best]}
    found = style.colours(series.outcome.baselines)
    for panel, (name, storm) in zip(axes[0], series.chosen.items(), strict=False):
        window = series.window(storm, 24, 60)
        panel.plot(series.time[window], series.truth[window], color=INK, lw=2.2, label="observed")
        begins = [storm.onset + round(h / series.step_h) for h in FANS_H]
        begins += [storm.peak + round(h / series.step_h) for h in AFTER_H]
        for number, at in enumerate(begins):
            for method, predicted in methods.items():
                issued = series.issued(predicted, at)
                if issued is None:
                    continue
                times = series.time[[at, *(at + series.leads)]]
                panel.plot(
                    times, [series.truth[at], *issued], "-" if method == "model" else "--", color=found[method],
                    marker=".", ms=4, lw=1.3, label=method if number == len(begins) - 1 else None,
                )  # fmt: skip
        _mark(panel, series, storm)
        panel.set_title(f"{name}: {_date(series, storm)}")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper right", ncols=3)
    caption = (
        "Whole forecasts as they were issued: 12 h before the fall, at its first hour, 4 h into it, at the deepest "
        "hour, and 6 and 18 h after. Before the fall both methods see a quiet day; after it they know the way back."
    )
    return Picture("What is known before, during and after", caption, figure)


@styled
def _by_lead(outcome: Outcome) -> Picture:
    figure, axes = style.grid(1, 2, 3.1)
    _lines(axes[0, 0], outcome.scores, "rmse_by_lead", "RMSE (nT)")
    _lines(axes[0, 1], outcome.scores, "skill_by_lead", "Skill against persistence")
    axes[0, 0].set_ylim(0, None)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper right", ncols=5)
    caption = (
        "Errors of the test forecasts by lead, and the share of persistence's mean square error that a method avoids. "
        "Bars are 95 % intervals from resampling calendar months; methods are moved apart a little for sight."
    )
    return Picture("Errors by lead", caption, figure)


@styled
def _by_phase(outcome: Outcome) -> Picture:
    figure, axes = style.grid(1, 2, 3.3)
    _lines(axes[0, 0], outcome.scores, "rmse_by_phase", "RMSE (nT)")
    _lines(axes[0, 1], outcome.scores, "skill_by_phase", "Skill against persistence", without="persistence")
    axes[0, 0].set_ylim(0, None)
    axes[0, 1].axhline(0, color=MUTED, lw=1)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper right", ncols=5)
    caption = (
        "Test forecasts of all leads by what was known when they were made of the storm that they fall into: none "
        "(quiet), a storm that had not begun, one that was growing, one past its deepest hour. Storms that had not "
        "begun have the largest errors with every method: nothing in the index announces them, and what skill there is "
        "comes from a return to the mean. The recovery is what the past of the index tells."
    )
    return Picture("Quiet, onset, growth and recovery", caption, figure)


def _lines(panel: Axes, scores: pd.DataFrame, score: str, label: str, without: str = "") -> None:
    """Value and interval of each method along the slices of a score."""
    own = scores[(scores["score"] == score) & (scores["method"] != without)]
    methods, slices = list(dict.fromkeys(own["method"])), list(dict.fromkeys(own["slice"]))
    colours = style.colours(set(scores["method"]))
    for number, method in enumerate(methods):
        rows = own[own["method"] == method]
        place = np.arange(len(slices)) + 0.1 * (number - (len(methods) - 1) / 2)
        ends = [rows["value"] - rows["low"], rows["high"] - rows["value"]]
        marker, front = ("D", 3) if method == "model" else ("o", 2)
        panel.errorbar(
            place, rows["value"], yerr=ends, fmt=marker, color=colours[method], ms=4, lw=1.3, label=method, zorder=front
        )
    panel.set_xticks(range(len(slices)), slices)
    panel.set_ylabel(label)
    panel.set_xlabel("Lead" if score.endswith("lead") else "What was known of the storm")
    style.light_grid(panel, "y")


def _mark(panel: Axes, series: Series, storm: storms.Storm) -> None:
    for at in (storm.onset, storm.peak):
        panel.axvline(series.time[at], color=MUTED, lw=1, ls=":")
    panel.axhline(0, color=MUTED, lw=0.6)
    panel.set_ylabel("Index (nT)")
    locator = AutoDateLocator(minticks=3, maxticks=7)
    panel.xaxis.set_major_locator(locator)
    panel.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    style.light_grid(panel)


def _date(series: Series, storm: storms.Storm) -> str:
    return f"{pd.Timestamp(series.time[storm.peak]):%-d %B %Y}"
