"""Pictures of a run that simulates or forecasts discharge."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.ticker import LogLocator, NullFormatter

from geojax.report import style
from geojax.report.style import INK, MUTED, styled
from geojax.task import Outcome, Picture

UNITS = "mm/d"
RAIN = "#7fa7c9"


class Flows:
    """Test years as series (basin, time), of the longest lead where there are several."""

    def __init__(self, outcome: Outcome, lead: int) -> None:
        rows, shared, index = outcome.examples.rows, outcome.examples.shared, outcome.index
        self.lead = lead
        self.names, self.years = sorted(index["basin"].unique()), sorted(index["group"].unique())
        place = {name: i for i, name in enumerate(self.names)}
        first = index["time"].to_numpy("datetime64[D]")[0] - int(rows["start"][0])
        shape = len(self.names), shared["target"].shape[1]
        self.days = first + np.arange(shape[1])
        self.year = np.full(shape, "", index["group"].to_numpy(str).dtype)
        self.observed = np.full(shape, np.nan)
        self.rain = np.full(shape, np.nan)
        self.methods = {name: np.full(shape, np.nan) for name in ("model", *outcome.baselines)}
        self.best = outcome.best_baseline
        found = {"model": outcome.model, **outcome.baselines}
        for i, row in enumerate(index.itertuples()):
            own, length = place[row.basin], int(rows["days"][i])
            at = slice(start := int(rows["start"][i]), start + length)
            self.year[own, at] = row.group
            self.observed[own, at] = rows["flow"][i, :length]
            self.rain[own, at] = shared["weather"][0, rows["basin"][i], at]
            for name, values in found.items():
                self.methods[name][own, at] = values[i, :length, -1]

    @property
    def when(self) -> str:
        return f", {self.lead} days ahead" if self.lead else ""

    def nse(self, method: str) -> np.ndarray:
        """Of each basin and year, (basin, year), about the mean of that year."""
        found = np.full((len(self.names), len(self.years)), np.nan)
        for b, y in np.ndindex(found.shape):
            own = self.year[b] == self.years[y]
            found[b, y] = _nse(self.methods[method][b, own], self.observed[b, own])
        return found

    def peaks(self, values: np.ndarray) -> np.ndarray:
        """Greatest value of each basin and year, (basin, year)."""
        whole = np.where(np.isfinite(self.observed), values, -np.inf)
        return np.array(
            [[whole[b][self.year[b] == y].max(initial=-np.inf) for y in self.years] for b in range(len(self.names))]
        )


def _nse(simulated: np.ndarray, observed: np.ndarray) -> float:
    known = np.isfinite(observed)
    spread = ((observed[known] - observed[known].mean()) ** 2).sum() if known.any() else 0.0
    return float(1 - ((simulated[known] - observed[known]) ** 2).sum() / spread) if spread > 0 else np.nan


def flow_pictures(outcome: Outcome, lead: int) -> list[Picture]:
    """Best and worst year, flow-duration curves, yearly peaks and scores by year, at a lead of so many days."""
    flows = Flows(outcome, lead)
    return [_hydrographs(flows), _durations(flows), _peaks(flows), _years(flows)]


@styled
def _hydrographs(flows: Flows) -> Picture:
    figure, axes = style.grid(3, 1, 8.4)
    found, worth = style.colours(flows.methods), flows.nse("model")
    order = np.argsort(np.where(np.isfinite(worth), worth, np.inf), axis=None)
    order = order[: int(np.isfinite(worth).sum())]
    for panel, (word, flat) in zip(
        axes[:, 0], {"Best": order[-1], "Median": order[len(order) // 2], "Worst": order[0]}.items(), strict=True
    ):
        basin, year = (int(i) for i in np.unravel_index(flat, worth.shape))
        own = flows.year[basin] == flows.years[year]
        days, name = flows.days[own], flows.names[basin]
        panel.plot(days, flows.observed[basin, own], color=INK, lw=1.3, label="observed")
        for method in (flows.best, "model"):
            panel.plot(days, flows.methods[method][basin, own], color=found[method], lw=1.2, label=method)
        values = ", ".join(f"{m} {_number(flows.nse(m)[basin, year])}" for m in ("model", flows.best))
        panel.set_title(f"{word} year of the model: {name}, {flows.years[year]}; NSE: {values}")
        panel.set(ylabel=f"Discharge ({UNITS})", xlim=(days[0], days[-1]))
        top = 1.55 * np.nanmax([panel.get_ylim()[1]])
        panel.set_ylim(0, top)
        _rain(panel, days, flows.rain[basin, own])
        panel.xaxis.set_major_locator(locator := AutoDateLocator(minticks=6, maxticks=12))
        panel.xaxis.set_major_formatter(ConciseDateFormatter(locator))
        style.light_grid(panel)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper left", ncols=3)
    caption = (
        f"Discharge{flows.when} as depth of water over the basin, and precipitation, from above. Of all test years and "
        "gauges those with the highest, the median and the lowest NSE of the model, chosen by this rule; the NSE of "
        "one year is about that year's mean, so a year of little flow is judged harder than in the headline."
    )
    return Picture("Hydrographs", caption, figure)


def _number(value: float) -> str:
    return f"{value:.2f}".replace("-", "\N{MINUS SIGN}")


def _rain(panel: Axes, days: np.ndarray, rain: np.ndarray) -> None:
    above = panel.twinx()
    above.bar(days, rain, width=1.0, color=RAIN)
    above.set_ylim(3.2 * max(float(np.nanmax(rain)), 1.0), 0)
    above.set_ylabel(f"Rain, snow ({UNITS})", color=MUTED, loc="top")
    above.spines["right"].set_visible(True)
    above.set_yticks([tick for tick in above.get_yticks() if 0 <= tick <= 1.1 * np.nanmax(rain)])
    panel.set_zorder(above.get_zorder() + 1)
    panel.patch.set_visible(False)


@styled
def _durations(flows: Flows) -> Picture:
    columns = min(len(flows.names), 4)
    rows = -(-len(flows.names) // columns)
    figure, axes = style.grid(rows, columns, 0.5 + 2.6 * rows, sharex=True, sharey=True)
    found = style.colours(flows.methods)
    for panel, (basin, name) in zip(axes.flat, enumerate(flows.names), strict=False):
        known = np.isfinite(flows.observed[basin])
        share = 100 * (np.arange(known.sum()) + 0.5) / known.sum()
        curves = {"observed": (flows.observed, INK), flows.best: (flows.methods[flows.best], found[flows.best])}
        for label, (values, colour) in (curves | {"model": (flows.methods["model"], found["model"])}).items():
            panel.plot(share, np.maximum(np.sort(values[basin, known])[::-1], 1e-3), color=colour, lw=1.4, label=label)
        panel.set_yscale("log")
        panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        panel.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        panel.yaxis.set_minor_formatter(NullFormatter())
        panel.set_title(name)
        panel.set(xlim=(0, 100))
        style.light_grid(panel)
    for panel in axes.flat[len(flows.names) :]:
        panel.set_visible(False)
    figure.supxlabel("Days with at least this flow (%)", fontsize=9)
    figure.supylabel(f"Discharge ({UNITS})", fontsize=9)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper left", ncols=3)
    caption = (
        f"Flow-duration curves of all test days{flows.when}: at left floods, at right low flow. They "
        "ask whether there is as much water of each kind as there was, not whether it came on the right day."
    )
    return Picture("Flow-duration curves", caption, figure)


@styled
def _peaks(flows: Flows) -> Picture:
    figure, axes = style.grid(1, 2, 4.3, sharex=True, sharey=True)
    truth = flows.peaks(flows.observed)
    known = np.isfinite(truth)
    found = {method: flows.peaks(flows.methods[method]) for method in ("model", flows.best)}
    top = 1.08 * max(float(values[known].max()) for values in (truth, *found.values()))
    for panel, (method, guess) in zip(axes[0], found.items(), strict=True):
        panel.plot([0, top], [0, top], color=MUTED, lw=1)
        for basin, name in enumerate(flows.names):
            own = known[basin]
            look = {"color": style.OTHERS[basin % len(style.OTHERS)], "ms": 5, "mfc": "none", "mew": 1.3}
            panel.plot(truth[basin, own], guess[basin, own], "osD^v<>p"[basin % 8], label=name, **look)
        bias = 100 * (guess[known].sum() / truth[known].sum() - 1)
        panel.set_title(f"{method}: peaks {bias:+.0f} %".replace("-", "\N{MINUS SIGN}"))
        panel.set(xlim=(0, top), ylim=(0, top), aspect="equal", xlabel=f"Observed yearly peak ({UNITS})")
        style.light_grid(panel)
    axes[0, 0].set_ylabel(f"Yearly peak of the method ({UNITS})")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper left", ncols=len(flows.names))
    caption = (
        f"The highest daily flow of each test year and gauge{flows.when}, observed and by the method, which may have "
        "its peak on another day. On the line, both are equal; titles tell the bias of all peaks together."
    )
    return Picture("Yearly peaks", caption, figure)


@styled
def _years(flows: Flows) -> Picture:
    figure, ((panel,),) = style.grid(1, 1, 3.2)
    found, places = style.colours(flows.methods), np.arange(len(flows.years))
    for method in sorted(flows.methods, key=lambda name: name == "model"):
        front = {"lw": 2.2, "marker": "D", "zorder": 3} if method == "model" else {"lw": 1.2, "marker": "o"}
        panel.plot(places, np.nanmean(flows.nse(method), 0), color=found[method], ms=4, label=method, **front)
    panel.set_xticks(places, flows.years)
    panel.set(xlabel="Hydrological year", ylabel="NSE, mean of the gauges")
    low = float(min(np.nanmin(np.nanmean(flows.nse(method), 0)) for method in flows.methods))
    panel.set_ylim(max(low - 0.05, -1.0), 1)
    figure.legend(*panel.get_legend_handles_labels(), loc="outside upper left", ncols=len(flows.methods))
    style.light_grid(panel)
    caption = (
        f"NSE of each test year{flows.when}, about the mean of that year; below zero a method is worse than that mean. "
        "Years are what the intervals resample."
    ) + (" The axis ends at \N{MINUS SIGN}1." if low < -1 else "")
    return Picture("Scores by year", caption, figure)
