"""Pictures of a run that tells seismic phases apart."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from geojax.report import figures, phases, style
from geojax.report.style import INK, MODEL, MUTED, SEQUENTIAL, styled
from geojax.task import Outcome, Picture

P, S = "#0072b2", "#d55e00"
STEP_KM = 0.15
LAST_S = 6.0


def phase_pictures(outcome: Outcome, classes: tuple[str, ...]) -> list[Picture]:
    """Record section, map of the stations, confusion, accuracy against noise, and example windows."""
    return [
        _record_section(outcome),
        _station_map(outcome),
        _confusion(outcome, classes),
        _accuracy(outcome, classes),
        _windows(outcome, classes),
    ]


@styled
def _record_section(outcome: Outcome) -> Picture:
    figure, ((panel,),) = style.grid(1, 1, 6.5)
    stations = phases.section_stations(outcome, STEP_KM)
    for part, i in stations:
        rate, origin = part.attrs["sampling_rate_hz"], part.attrs["origin_s"]
        vertical = part["waveform"].isel(station=i).sel(component="Z").values.astype("float64")
        record = phases.band_passed(vertical - vertical.mean(), rate)
        time = np.arange(len(record)) / rate - origin
        shown = (time > -0.5) & (time < LAST_S)
        distance = float(part["distance"][i])
        trace = np.clip(record[shown] / np.quantile(np.abs(record[shown]), 0.99), -1.5, 1.5)
        panel.plot(time[shown], distance - STEP_KM * trace, color=INK, lw=0.5, rasterized=True)
        for onset, colour in ((part["p_onset"], P), (part["s_onset"], S)):
            at = float(onset[i]) / rate - origin
            ends = [distance - STEP_KM / 2, distance + STEP_KM / 2]
            panel.plot([at, at], ends, color=colour, lw=2, zorder=3)  # above all traces, which are one raster layer
    low, high = phases.BAND_HZ
    panel.set(xlabel="Time after the origin (s)", ylabel="Epicentral distance (km)", xlim=(-0.5, LAST_S))
    panel.invert_yaxis()
    panel.legend(
        [Line2D([], [], color=c, lw=2) for c in (P, S)], ["P onset, derived", "S onset, derived"],
        loc="lower left", frameon=True, framealpha=0.9,
    )  # fmt: skip
    caption = (
        f"Vertical component of {len(stations)} stations of all splits: of every {1000 * STEP_KM:.0f} m of epicentral "
        f"distance, the station nearest to the middle. Band-passed {low:g} to {high:g} Hz for display only; each "
        "trace has its own scale, and its largest swings are clipped. Bars: the onsets that labels follow from, "
        "derived rather than read by an analyst."
    )
    return Picture("Record section", caption, figure)


@styled
def _station_map(outcome: Outcome) -> Picture:
    attrs = next(iter(outcome.parts.values())).attrs
    event = attrs["event_lat"], attrs["event_lon"]
    figure, ((panel,),) = style.grid(1, 1, 3.9)
    every = [phases.on_the_ground(part["lat"].values, part["lon"].values, *event) for part in outcome.parts.values()]
    panel.plot(*np.concatenate(every, axis=1), "o", color="#c9cdd3", ms=3, label="not in the test split")
    right = outcome.model.argmax(1) == outcome.examples.rows["label"]
    tested = (
        outcome.index.assign(right=right)
        .groupby("station")
        .agg(lat=("lat", "first"), lon=("lon", "first"), right=("right", "mean"), windows=("right", "size"))
    )
    east, north = phases.on_the_ground(tested["lat"].values, tested["lon"].values, *event)
    worst = min(0.5, float(tested["right"].min()))
    order = np.argsort(-tested["right"].values)  # the worst on top
    points = panel.scatter(
        east[order], north[order], c=tested["right"].values[order], cmap=SEQUENTIAL, vmin=worst, vmax=1, s=26,
        edgecolor=INK, linewidth=0.4, zorder=3, label="test station",
    )  # fmt: skip
    panel.plot(0, 0, "*", color=MODEL, ms=15, mec=INK, mew=0.6, ls="", zorder=4, label="epicentre")
    panel.set(xlabel="East of the epicentre (km)", ylabel="North of the epicentre (km)", aspect="equal")
    panel.legend(loc="upper left", bbox_to_anchor=(0, -0.14), ncols=3)
    style.light_grid(panel)
    figure.colorbar(points, ax=panel, label="Share of windows told right", pad=0.02)
    caption = (
        f"{len(tested)} test stations, which no method has seen, by the model's accuracy over the "
        f"{tested['windows'].iloc[0]} windows of each; a station with few windows right may be so by chance."
    )
    return Picture("Where the model is right", caption, figure)


@styled
def _confusion(outcome: Outcome, classes: tuple[str, ...]) -> Picture:
    figure, axes = style.grid(1, 2, 3.9)
    label = outcome.examples.rows["label"]
    best = outcome.best_baseline
    for panel, (title, found) in zip(
        axes[0], {"Model": outcome.model, best.capitalize(): outcome.baselines[best]}.items(), strict=True
    ):
        figures.confusion(panel, phases.confusion_counts(label, found, len(classes)), classes)
        panel.set_title(title)
    caption = f"Test windows by true and predicted class: counts, and percent of the row. {len(label)} windows in all."
    return Picture("Which classes are mistaken for which", caption, figure)


@styled
def _accuracy(outcome: Outcome, classes: tuple[str, ...]) -> Picture:
    label, index = outcome.examples.rows["label"], outcome.index
    signal = label != classes.index("noise")
    edges = np.linspace(np.floor(index["snr_db"].min()), np.ceil(index["snr_db"].max()), 7)
    middle = (edges[1:] + edges[:-1]) / 2
    figure, ((panel,),) = style.grid(1, 1, 3.0, 6.5)
    methods = {"model": outcome.model, **outcome.baselines}
    found = style.colours(methods)
    shown = ("model", outcome.best_baseline)
    for place, name in enumerate(shown):
        right = methods[name].argmax(1) == label
        value, low, high = phases.accuracy_by_snr(index[signal], right[signal], edges)
        shift = 0.3 * (place - 0.5)
        marker = "D" if name == "model" else "o"
        ends = [value - low, high - value]
        panel.errorbar(middle + shift, value, yerr=ends, fmt=f"{marker}-", color=found[name], ms=5, lw=1.4, label=name)
    panel.set(xlabel="Ratio of signal to added noise (dB)", ylabel="Accuracy")
    panel.legend(loc="lower right")
    style.light_grid(panel)
    caption = (
        "P, S and coda windows of the test stations by the noise added to them; bars are 95 % intervals from "
        "resampling stations. The two methods are moved apart a little for sight."
    )
    return Picture("Accuracy against noise", caption, figure)


@styled
def _windows(outcome: Outcome, classes: tuple[str, ...]) -> Picture:
    figure, axes = style.grid(len(classes), 3, 1.75 * len(classes), sharex=True)
    label = outcome.examples.rows["label"]
    for wanted, row in enumerate(axes):
        for panel, (kind, i) in zip(row, phases.example_windows(label, outcome.model, wanted).items(), strict=True):
            panel.set_yticks([])
            panel.spines["left"].set_visible(False)
            if i is None:
                panel.set_title(f"true {classes[wanted]}: {kind}\nthere is none")
                continue
            _window(panel, outcome.examples.rows["window"][i], outcome.index.iloc[i])
            chances = "  ".join(f"{n} {p:.2f}" for n, p in zip(classes, outcome.model[i], strict=True))
            panel.set_title(f"true {classes[wanted]}: {kind}", fontsize=8)
            panel.text(0, 1.0, chances, transform=panel.transAxes, fontsize=7.5, va="top", color=MUTED)
    for panel in axes[-1]:
        panel.set_xlabel("Time in the window (s)")
    caption = (
        "Test windows as every method sees them, noise added, chosen by rule: of each true class the one that the "
        "model tells right with the highest and with the lowest probability, and the one that it gets wrong with the "
        "highest. Small print: the model's probabilities. Bars: the onset, where the class has one."
    )
    return Picture("Example windows", caption, figure)


def _window(panel: Axes, window: np.ndarray, row: pd.Series) -> None:
    time = np.arange(window.shape[-1]) / row["rate_hz"]
    scale = np.abs(window).max()
    for place, (component, trace) in enumerate(zip("NEZ", window, strict=True)):
        panel.plot(time, trace / scale - 1.4 * place, color=INK, lw=0.5, rasterized=True)
        panel.text(-0.01, -1.4 * place, component, transform=panel.get_yaxis_transform(), ha="right", va="center")
    if row["onset"] > 0:
        at = row["onset"] / row["rate_hz"]
        panel.plot([at, at], [-3.7, 0.9], color=P if row["label"] == 1 else S, lw=1.6, alpha=0.8)
    ratio = f"{round(row['snr_db']):+d} dB".replace("-", "\N{MINUS SIGN}")
    panel.text(1, 0, f"station {row['station']}, {ratio}",
               transform=panel.transAxes, ha="right", va="bottom", fontsize=7, color=MUTED)  # fmt: skip
    panel.set(xlim=(0, time[-1]), ylim=(-4.2, 1.9))
