"""Pictures of forecasts of rates of earthquakes."""

from itertools import pairwise

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from scipy.stats import chi2, poisson

from geojax.data.events.cells import Catalogue
from geojax.report import maps, style
from geojax.report.consistency import consistency
from geojax.report.forecasts import LARGE, LAT, LON, Forecasts
from geojax.report.style import DIFFERENCE, INK, MUTED, SEQUENTIAL, styled
from geojax.task import Outcome, Picture


def rate_pictures(outcome: Outcome) -> list[Picture]:
    """Where, when and how well rates were forecast, and from which magnitude on the catalogue is complete."""
    forecasts = Forecasts(outcome)
    every = Catalogue.gather(outcome.parts.values(), 0)
    least = float(forecasts.events.magnitude.min())
    drawn = [draw(forecasts) for draw in (_map, _cumulated, _after, _numbers, consistency, _reliability)]
    return [*drawn, _completeness(every, least)]


@styled
def _map(own: Forecasts) -> Picture:
    figure, ((panel,),) = style.grid(1, 1, 3.9)
    years = len(own.times) / 12
    field = own.grid(own.model.sum(0) / years)
    top = float(np.nanmax(field))
    mesh = maps.draw(panel, LON, LAT, field, cmap=SEQUENTIAL, norm=LogNorm(top / 3000, top))
    lon = (own.events.lon - 20) % 360 + 20
    panel.scatter(lon, own.events.lat, s=2 * 4 ** (own.events.magnitude - 5.5), c="none", ec="#ff3d9a", lw=0.5)
    figure.colorbar(mesh, ax=panel, label="Earthquakes per year and cell", extend="min", pad=0.01, aspect=25)
    out = float(own.counts[:, -1].sum())
    caption = (
        f"Mean of the model's forecasts of the {len(own.times)} test months, and the {own.counts.sum():.0f} "
        "earthquakes that came, larger circles for larger magnitudes. Each forecast saw only what came before its "
        "month. It is of rates, not a prediction of events. Grey: elsewhere, forecast as one cell, which had "
        f"{out:.0f} events."
    )
    return Picture("Expected rates and what came", caption, figure)


@styled
def _cumulated(own: Forecasts) -> Picture:
    figure, ((panel,),) = style.grid(1, 1, 3.6)
    found = style.colours(own.methods)
    for name, gain in own.gain.items():
        panel.plot(own.times + pd.offsets.MonthEnd(), np.cumsum(gain), color=found[name],
                   lw=2.2 if name == "model" else 1.3, label=name)  # fmt: skip
    panel.axhline(0, color=MUTED, lw=1)
    low, high = panel.get_ylim()
    panel.set_ylim(low - 0.15 * (high - low), high)  # room for the magnitudes
    for number, event in enumerate(own.large.itertuples()):
        when = pd.Timestamp(0) + pd.Timedelta(days=event.time)
        panel.axvline(when, color=MUTED, lw=0.7, ls=":")
        height = 0.01 + 0.055 * (number % 3)
        panel.text(when, height, f" {event.magnitude:.1f}", transform=panel.get_xaxis_transform(), fontsize=7)
    panel.set(ylabel="Information gain (nats), cumulated")
    figure.legend(*panel.get_legend_handles_labels(), loc="outside upper left", ncols=2)
    style.light_grid(panel)
    caption = (
        "Log-likelihood of all that came since the first test month, less that of the reference, smoothed seismicity. "
        f"Dotted: earthquakes of magnitude {LARGE} and more. A sequence of aftershocks lifts what knows of clustering; "
        "months without any cost little."
    )
    return Picture("Information gain over the test months", caption, figure)


@styled
def _after(own: Forecasts) -> Picture:
    month = int(np.argmax(own.gain["model"]))
    figure, ((panel,),) = style.grid(1, 1, 3.9)
    ratio = np.log10(own.model[month] / own.model.mean(0))
    bound = max(style.limit(ratio, 0.998), 0.5)
    mesh = maps.draw(panel, LON, LAT, own.grid(ratio), cmap=DIFFERENCE, vmin=-bound, vmax=bound)
    now = own.month == month
    lon = (own.events.lon[now] - 20) % 360 + 20
    panel.scatter(lon, own.events.lat[now], s=2 * 4 ** (own.events.magnitude[now] - 5.5), c="none", ec=INK, lw=0.8)
    bar = figure.colorbar(
        mesh, ax=panel, label="Model over its mean of the test months", extend="both", pad=0.01, aspect=25
    )
    ticks = [t for t in np.log10([0.03, 0.1, 0.3, 1, 3, 10, 30]) if abs(t) <= bound]
    bar.set_ticks(ticks, labels=[f"× {10**t:.2g}" for t in ticks])
    caption = (
        f"{own.times[month]:%B %Y}, the test month in which the model gained most over smoothed seismicity "
        f"({own.gain['model'][month]:.0f} nats), against the model's own mean. Orange: rates above it, as where "
        "aftershocks are expected; purple: below. Circles: the earthquakes of the month. Grey: elsewhere."
    )
    return Picture("What changes from month to month", caption, figure)


@styled
def _numbers(own: Forecasts) -> Picture:
    figure, ((panel,),) = style.grid(1, 1, 3.2)
    expected = own.model.sum(1, dtype="float64")
    low, high = poisson.ppf([[0.025], [0.975]], expected)
    panel.fill_between(own.times, low, high, color=style.MODEL, alpha=0.2, lw=0, label="model, 95 % of a Poisson count")
    panel.plot(own.times, expected, color=style.MODEL, lw=1.8, label="model")
    found = style.colours(own.methods)[own.best]
    panel.plot(own.times, own.baseline.sum(1), color=found, lw=1.2, label=own.best)
    seen = own.counts.sum(1)
    outside = (seen < low) | (seen > high)
    panel.plot(own.times, seen, "o", color=INK, ms=3.5, label="observed")
    panel.plot(own.times[outside], seen[outside], "o", mfc="none", mec=INK, ms=8)
    panel.set(ylabel="Earthquakes of the month", ylim=(0, None))
    figure.legend(*panel.get_legend_handles_labels(), loc="outside upper left", ncols=4)
    style.light_grid(panel)
    caption = (
        f"N-test by month: {outside.sum()} of {len(seen)} counts, ringed, lie outside the interval; by chance it would "
        "be one in twenty. Aftershocks of what a month itself brings cannot be expected at its start, and make counts "
        "vary more than Poisson's."
    )
    return Picture("Number of earthquakes by month", caption, figure)


@styled
def _reliability(own: Forecasts) -> Picture:
    figure, ((panel,),) = style.grid(1, 1, 3.8, 5.5)
    found = style.colours(own.methods)
    for name, forecast in {"model": own.model, own.best: own.baseline}.items():
        _bins(panel, own.counts, forecast, found[name], name)
    ends = panel.get_xlim()
    panel.plot(ends, ends, color=MUTED, lw=1, zorder=0)
    panel.set(xscale="log", yscale="log", xlabel="Expected per cell and month", ylabel="Observed per cell and month")
    panel.legend(loc="upper left")
    style.light_grid(panel)
    caption = (
        "Cells and months by what was expected of them, against what came in the mean; bars are 95 % intervals of a "
        "Poisson count, too narrow where events cluster. Bins without events are left out."
    )
    return Picture("Reliability of rates", caption, figure)


def _bins(panel: Axes, counts: np.ndarray, forecast: np.ndarray, colour: str, name: str) -> None:
    edges = np.logspace(np.log10(1e-5), np.log10(30), 14)
    number = np.digitize(forecast[:, :-1].ravel(), edges)
    size, expected, seen = (
        np.bincount(number, own, len(edges) + 1) for own in (None, forecast[:, :-1].ravel(), counts[:, :-1].ravel())
    )
    kept = seen > 0
    size, expected, seen = size[kept], expected[kept], seen[kept]
    low, high = chi2.ppf(0.025, 2 * seen) / 2, chi2.ppf(0.975, 2 * seen + 2) / 2  # Garwood (1936)
    panel.errorbar(expected / size, seen / size, yerr=[(seen - low) / size, (high - seen) / size], fmt="o-",
                   color=colour, ms=4, lw=1.3, label=name)  # fmt: skip


@styled
def _completeness(every: Catalogue, least: float) -> Picture:
    figure, ((panel, growth),) = style.grid(1, 2, 3.4)
    year = 1970 + every.time / 365.2425
    steps = np.arange(5.0, 9.05, 0.1)
    ends = np.linspace(np.floor(year.min()), np.floor(year.max()) + 1, 4).round().astype(int)
    for (first, end), colour in zip(pairwise(ends), ("#56b4e9", "#0072b2", INK), strict=True):
        last = end - 1
        inside = every.magnitude[(year >= first) & (year < last + 1)]
        span = min(last + 1, year.max()) - max(first, year.min())
        number = np.array([(inside >= m - 1e-9).sum() for m in steps]) / max(span, 1e-9)
        panel.semilogy(steps[number > 0], number[number > 0], color=colour, label=f"{first} to {last}")
    panel.axvline(least, color=style.MODEL, lw=1)
    panel.set(xlabel="Magnitude", ylabel="Earthquakes per year, of it and more")
    panel.legend()
    years = np.arange(int(year.min()), int(year.max() + 1 / 12))  # without a year that is not over
    for low, colour in ((5.0, MUTED), (least, style.MODEL)):
        own = np.floor(year[every.magnitude >= low - 1e-9])
        growth.plot(years, [(own == y).sum() for y in years], color=colour, label=f"magnitude {low:.1f} and more")
    growth.set(xlabel="Year", ylabel="Earthquakes of the year", ylim=(0, None))
    growth.legend(loc="upper left")
    for each in (panel, growth):
        style.light_grid(each)
    caption = (
        "Events count, as input and as target, from the vertical line on. Where a catalogue is complete the curves of "
        "its three eras are straight and run side by side; where it has grown, the early ones bend down. At right the "
        "same by year, as far as years are whole."
    )
    return Picture("From which magnitude on the catalogue is complete", caption, figure)
