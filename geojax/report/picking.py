"""Pictures of a run that picks P and S."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from geojax.report import style
from geojax.report.style import INK, MUTED, styled
from geojax.scores import picking
from geojax.scores.picking import PHASES, peaks
from geojax.task import Outcome, Picture

COLOURS = {"P": "#0072b2", "S": "#d55e00"}
LEVELS = np.linspace(0.05, 0.95, 19)
HALF_S = 0.5
Threshold = tuple[float, float]


def pictures(outcome: Outcome, threshold: Threshold) -> list[Picture]:
    """Records with all methods' picks, residuals, precision and recall, and F1 by dataset.

    threshold : least height of a pick, of P and of S
    """
    told = outcome, threshold
    return [_records(*told), _residuals(*told), _precision_recall(*told), _by_dataset(outcome)]


def shown(name: str) -> str:
    """A dataset as a reader sees it."""
    return name.replace("_", " ")


def examples(outcome: Outcome) -> list[int]:
    """Of each dataset the windows with the lowest, and the median, height of the model's P curve at the onset.

    Those of noise alone are left out, and, where some have it, those without a reference S.
    """
    onsets, found = outcome.examples.rows["onsets"], []
    for _, own in outcome.index.groupby("dataset", sort=False):
        places = own.index[np.isfinite(onsets[own.index, 0])]
        both = places[np.isfinite(onsets[places, 1])]
        places = both if len(both) else places
        height = np.array([_near(outcome.model[i, 0], onsets[i, 0]) for i in places])
        order = np.argsort(height, kind="stable")
        found += [int(places[order[(len(order) - 1) // 2]]), int(places[order[0]])]
    return found


def _near(curve: np.ndarray, onset: float) -> float:
    return float(curve[max(int(onset) - 10, 0) : int(onset) + 11].max())


@styled
def _records(outcome: Outcome, threshold: Threshold) -> Picture:
    rows, chosen = outcome.examples.rows, examples(outcome)
    methods = {"model": outcome.model, **outcome.baselines}
    figure, axes = style.grid(len(chosen) // 2, 2, 2.5 * (len(chosen) // 2))
    for panel, i, kind in zip(axes.flat, chosen, ["median", "hardest"] * (len(chosen) // 2), strict=True):
        row, rate = outcome.index.iloc[i], float(rows["rate_hz"][i])
        time = np.arange(rows["window"].shape[-1]) / rate
        first, last = _span(rows["onsets"][i], len(time))
        inside = slice(first, last)
        for place, (component, trace) in enumerate(zip("NEZ", rows["window"][i], strict=True)):
            trace = trace[inside] / np.abs(rows["window"][i][:, inside]).max()
            panel.plot(time[inside], trace - 1.3 * place, color=INK, lw=0.5, rasterized=True)
            panel.text(-0.01, -1.3 * place, component, transform=panel.get_yaxis_transform(), ha="right", va="center")
        for k, phase in enumerate(PHASES):
            if np.isfinite(onset := rows["onsets"][i, k]):
                panel.axvline(onset / rate, color=COLOURS[phase], lw=6, alpha=0.25)
            for place, (name, curves) in enumerate(methods.items()):
                at, _ = peaks(curves[i, k], threshold[k])
                at = at[(at >= first) & (at < last)]
                panel.plot(at / rate, np.full(len(at), -4 - 0.8 * place), "|", color=COLOURS[phase], ms=9, mew=2)
                if k == 0:
                    where = panel.get_yaxis_transform()
                    panel.text(-0.01, -4 - 0.8 * place, name, transform=where, ha="right", va="center", fontsize=7)
        panel.set(yticks=[], xlim=(time[first], time[last - 1]), xlabel="Time in the window (s)")
        panel.spines["left"].set_visible(False)
        panel.set_title(f"{shown(row['dataset'])}, {kind}: {_where(row)}")
    handles = [Line2D([], [], color=COLOURS[p], lw=6, alpha=0.3) for p in PHASES]
    handles += [Line2D([], [], color=COLOURS[p], marker="|", ls="", ms=9, mew=2) for p in PHASES]
    names = [f"reference {p}" for p in PHASES] + [f"picked {p}" for p in PHASES]
    figure.legend(handles, names, loc="outside upper right", ncols=4)
    caption = (
        "Test windows as every method sees them, about the reference arrivals, chosen by rule: of each dataset the "
        "window in which the model's P curve is of median height at the reference (left) and lowest (right). Pale "
        "bars: reference, derived but for the coal mine, whose picks are an analyst's. Ticks below: each method's "
        "picks in the stretch that is shown. All three components share their scale."
    )
    return Picture("Records and picks", caption, figure)


def _span(onsets: np.ndarray, samples: int) -> tuple[int, int]:
    known = onsets[np.isfinite(onsets)]
    half = max(150, int(0.8 * np.ptp(known)))
    return int(max(known.min() - half, 0)), int(min(known.max() + half, samples))


def _where(row: pd.Series) -> str:
    noise = "" if np.isnan(row["snr_db"]) else f", {row['snr_db']:+.0f} dB".replace("-", "\N{MINUS SIGN}")
    return f"station {row['station']}{noise}"


@styled
def _residuals(outcome: Outcome, threshold: Threshold) -> Picture:
    rows, names = outcome.examples.rows, list(dict.fromkeys(outcome.index["dataset"]))
    methods = {"model": outcome.model, **outcome.baselines}
    found, edges = style.colours(methods), np.linspace(-HALF_S, HALF_S, 41)
    figure, axes = style.grid(len(names), 2, 1.9 * len(names), sharex=True)
    for k, phase in enumerate(PHASES):
        for name, curves in methods.items():
            off = picking.every(curves, rows["onsets"], threshold, rows["rate_hz"])[0][:, k]
            for panel, dataset in zip(axes[:, k], names, strict=True):
                own = off[(outcome.index["dataset"] == dataset).to_numpy() & np.isfinite(off)]
                front = {"lw": 2.0, "zorder": 3} if name == "model" else {"lw": 1.1}
                panel.stairs(np.histogram(own, edges)[0], edges, color=found[name], label=name, **front)
        for panel, dataset in zip(axes[:, k], names, strict=True):
            panel.axvline(0, color=MUTED, lw=0.8, ls=":")
            count = int(np.isfinite(rows["onsets"][(outcome.index["dataset"] == dataset).to_numpy(), k]).sum())
            panel.set_title(f"{phase}, {shown(dataset)}: {count} reference arrivals")
            panel.set_ylabel("Picks")
        axes[-1, k].set_xlabel("Pick minus reference (s)")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=len(methods))
    caption = (
        "Nearest pick minus the reference arrival, in steps of 25 ms; what lies farther than half a second is not "
        "shown. Records of Chile have a sample each 50 ms. At the mine S follows P by less than 0.25 s, so the wings "
        "hold picks of the other phase."
    )
    return Picture("How far from the reference", caption, figure)


@styled
def _precision_recall(outcome: Outcome, threshold: Threshold) -> Picture:
    rows = outcome.examples.rows
    methods = {"model": outcome.model, **outcome.baselines}
    found = style.colours(methods)
    figure, axes = style.grid(1, 2, 3.6, sharey=True)
    for k, (panel, phase) in enumerate(zip(axes[0], PHASES, strict=True)):
        for name, curves in methods.items():
            points = np.array([_at_level(curves, rows, k, level) for level in LEVELS])
            panel.plot(points[:, 1], points[:, 0], "-", color=found[name], lw=2 if name == "model" else 1.2, label=name)
            own = _at_level(curves, rows, k, threshold[k])
            panel.plot(own[1], own[0], "D" if name == "model" else "o", color=found[name], ms=6)
        panel.set(xlabel="Recall", title=phase, xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        style.light_grid(panel)
    axes[0, 0].set_ylabel("Precision")
    axes[0, 0].legend(loc="lower left")
    caption = (
        "Precision and recall of picks within 0.1 s over all test windows while the least height of a pick changes. "
        "Marks: the threshold of the scores."
    )
    return Picture("Precision and recall", caption, figure)


def _at_level(curves: np.ndarray, rows: dict[str, np.ndarray], k: int, level: float) -> tuple[float, float]:
    """Precision and recall of one phase at a threshold."""
    judged = rows["judged"][:, k]
    own = (curves[judged, k : k + 1], rows["onsets"][judged, k : k + 1], (level,), rows["rate_hz"][judged])
    off, count = picking.every(*own)
    hits, wanted = (np.abs(off) <= picking.WITHIN_S[0]).sum(), np.isfinite(own[1]).sum()
    return hits / count.sum() if count.sum() else np.nan, hits / wanted


@styled
def _by_dataset(outcome: Outcome) -> Picture:
    methods = ["model", *outcome.baselines]
    found = style.colours(methods)
    table = outcome.scores[outcome.scores["score"] == "f1_by_arrival"]
    slices = list(dict.fromkeys(table["slice"]))
    figure, ((panel,),) = style.grid(1, 1, 3.4)
    for place, name in enumerate(methods):
        own = table[table["method"] == name].set_index("slice").loc[slices]
        at = np.arange(len(slices)) + 0.14 * (place - (len(methods) - 1) / 2)
        ends = np.clip([own["value"] - own["low"], own["high"] - own["value"]], 0, None)
        marker = "D" if name == "model" else "o"
        panel.errorbar(at, own["value"], yerr=ends, fmt=marker, color=found[name], ms=5, lw=1.6, label=name)
    _between(panel, len(slices))
    panel.set_xticks(range(len(slices)), [_words(outcome, name) for name in slices])
    panel.set(ylabel="F1 of picks within 0.1 s", ylim=(-0.03, 1.03), xlim=(-0.5, len(slices) - 0.5))
    panel.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    style.light_grid(panel, "y")
    caption = (
        "F1 by dataset and phase; bars are 95 % intervals from resampling stations (Oklahoma) and events (Chile, coal "
        "mine), of which the mine has five. The mine was in no method's training or tuning. Below each: reference "
        "arrivals in the test windows."
    )
    return Picture("In and out of the domain", caption, figure)


def _between(panel: Axes, count: int) -> None:
    for place in range(2, count, 2):
        panel.axvline(place - 0.5, color=MUTED, lw=0.6)


def _words(outcome: Outcome, name: str) -> str:
    dataset, phase = name.split(", ")
    own = (outcome.index["dataset"] == dataset).to_numpy()
    count = int(np.isfinite(outcome.examples.rows["onsets"][own, PHASES.index(phase)]).sum())
    return f"{shown(dataset)}\n{phase} ({count})"
