"""Pictures of a run that flags the disturbed hours of a magnetic observatory."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

from geojax.data.magnetism import observatory
from geojax.report import style
from geojax.report.style import GAP, INK, MUTED, styled
from geojax.scores import detection
from geojax.task import Outcome, Picture

COMPONENTS = ("#0072b2", "#d55e00", "#009e73")
ORDER = "xhyedzif"  # of components by the last letter of their names
FALSE_ALARMS = 0.05  # of quiet windows, at the threshold that pictures flag by
MEDIAN_MIN = 180  # minutes of the running median that parts the storm-time part from the fast one


class Flags:
    """Scores of every method over time, and the threshold of each that flags few quiet windows."""

    def __init__(self, outcome: Outcome) -> None:
        self.index, self.best = outcome.index, outcome.best_baseline
        self.event = outcome.examples.rows["event"] > 0
        self.methods = {"model": outcome.model, **outcome.baselines}
        self.middle = (self.index["time"] + (self.index["end"] - self.index["time"]) / 2).to_numpy()
        self.threshold = {name: float(np.quantile(own[~self.event], 1 - FALSE_ALARMS, method="higher"))
                          for name, own in self.methods.items()}  # fmt: skip

    def flagged(self, name: str) -> np.ndarray:
        return self.methods[name] > self.threshold[name]

    def storms(self) -> list[tuple[np.datetime64, np.datetime64]]:
        """Spans of intervals that count as storm."""
        begins = np.unique(self.index["group"].to_numpy(str)[self.event]).astype("M8[h]")
        return [(begin, begin + observatory.INTERVAL) for begin in begins]


def storm_pictures(outcome: Outcome) -> list[Picture]:
    """The field and its parts with the flags, scores over time, and the trade of hits against false alarms."""
    flags = Flags(outcome)
    return [_parts(outcome, flags), _scores(flags), _curves(flags)]


@styled
def _parts(outcome: Outcome, flags: Flags) -> Picture:
    components = [str(n)[: -len("_spread")] for n in outcome.scaling.data_vars if str(n).endswith("_spread")]
    components.sort(key=lambda name: ORDER.find(name[-1]))
    pieces = []
    for name in outcome.parts:
        part = outcome.parts[name]
        own = [part[c].values * float(outcome.scaling[f"{c}_spread"]) + float(outcome.scaling[f"{c}_center"])
               for c in components]  # fmt: skip
        pieces.append((part["time"].values[::60], observatory.average(np.stack(own, 1), 60)))
    time, field = (np.concatenate([piece[i] for piece in pieces]) for i in (0, 1))
    minutes = (time - time[0].astype("M8[D]")) / np.timedelta64(1, "m")
    quiet = time < flags.index["time"].min().to_datetime64()
    shares = observatory.decompose(minutes, field, quiet, MEDIAN_MIN)
    rows = {
        "Field less its slow part": field - shares.slow,
        "Daily part (Sq)": shares.daily,
        f"Storm-time part: longer than about {MEDIAN_MIN // 60} h": shares.storm,
        "Fast part: substorms, pulsations": shares.fast,
    }
    figure, axes = style.grid(len(rows) + 1, 1, 8.2, sharex=True, height_ratios=[3, 2, 3, 3, 0.9])
    for panel, (title, values) in zip(axes[:, 0], rows.items(), strict=False):
        for place, name in enumerate(components):
            label = name.removeprefix("field_").upper()
            panel.plot(time, values[:, place], color=COMPONENTS[place], lw=0.8, label=label, rasterized=True)
        panel.set_title(title)
        panel.set_ylabel("nT")
        _shade(panel, flags)
    axes[0, 0].legend(loc="lower left", ncols=3)
    strip = axes[-1, 0]
    found = style.colours(flags.methods)
    for row, name in enumerate(("model", flags.best)):
        strip.plot(
            flags.middle[flags.flagged(name)], np.full(flags.flagged(name).sum(), row), "|", color=found[name], ms=9
        )
    strip.set_yticks([0, 1], ["model", flags.best])
    strip.set_ylim(1.6, -0.6)
    _shade(strip, flags)
    _dates(strip)
    slow = ", ".join(
        f"{name.removeprefix('field_').upper()} {value:.0f} nT"
        for name, value in zip(components, shares.slow[0], strict=True)
    )
    caption = (
        f"One-minute means. Slow part: {slow}, one number each, as no secular variation shows in four days. Daily "
        "part: four harmonics of the day, fitted to the hours before the test span: the quiet day stands for all. "
        f"Storm-time part: running median of {MEDIAN_MIN // 60} h of the rest. Grey: intervals that count as storm by "
        "Kp. Ticks: test windows that are flagged, by the threshold of each method that flags 5 % of the quiet ones."
    )
    return Picture("The storm and what the field is made of", caption, figure)


@styled
def _scores(flags: Flags) -> Picture:
    figure, axes = style.grid(len(flags.methods), 1, 0.7 + 1.25 * len(flags.methods), sharex=True)
    found = style.colours(flags.methods)
    for panel, (name, own) in zip(axes[:, 0], flags.methods.items(), strict=True):
        panel.axhline(flags.threshold[name], color=INK, lw=1, ls="--")
        panel.plot(flags.middle, own, ".", color=found[name], ms=5)
        area = float(detection.roc_auc(detection.counts(own, flags.event, np.zeros(len(own))).sum("group")))
        panel.set_title(f"{name}: area under the ROC curve {area:.3f}")
        _shade(panel, flags)
    _dates(axes[-1, 0])
    figure.supylabel("Anomaly score (log10)", fontsize=9)
    caption = (
        "Scores of the test windows; each method has its own scale. Grey: intervals that count as storm by Kp. Dashed: "
        "the threshold that flags 5 % of the quiet test windows, drawn for sight; no score depends on it but the share "
        "flagged at 5 % false alarms."
    )
    return Picture("Anomaly scores over time", caption, figure)


@styled
def _curves(flags: Flags) -> Picture:
    figure, ((panel,),) = style.grid(1, 1, 3.8, 6.0)
    found = style.colours(flags.methods)
    for name, own in flags.methods.items():
        counted = detection.counts(own, flags.event, np.zeros(len(own))).sum("group")
        hit, alarm = (np.append(np.cumsum(counted[kind].values[::-1]) / counted[kind].values.sum(), 1.0)
                      for kind in ("events", "others"))  # fmt: skip
        front = {"lw": 2.2, "zorder": 3} if name == "model" else {"lw": 1.3}
        panel.step(np.insert(alarm, 0, 0), np.insert(hit, 0, 0), where="post", color=found[name], label=name, **front)
    panel.plot([0, 1], [0, 1], color=MUTED, lw=0.8, ls=":")
    panel.set(xlabel="Share of quiet windows flagged", ylabel="Share of storm windows flagged", aspect="equal")
    panel.legend(loc="lower right")
    style.light_grid(panel)
    caption = (
        f"Storm windows found against false alarms as the threshold falls: {int(flags.event.sum())} windows in storm "
        f"intervals, {int((~flags.event).sum())} in others. All are of one storm at one place."
    )
    return Picture("Hits against false alarms", caption, figure)


def _shade(panel: Axes, flags: Flags) -> None:
    for begin, end in flags.storms():
        panel.axvspan(begin, end, color=GAP, lw=0, zorder=0)  # pyright: ignore[reportArgumentType]
    style.light_grid(panel, "y")


def _dates(panel: Axes) -> None:
    locator = AutoDateLocator(minticks=4, maxticks=9)
    panel.xaxis.set_major_locator(locator)
    panel.xaxis.set_major_formatter(ConciseDateFormatter(locator))
