"""Pictures of continuous records before and after."""

from pathlib import Path

import numpy as np
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

from geojax.data.seismology.streams import Stretch
from geojax.report import style
from geojax.report.style import INK, MODEL

SPAN_S, BEFORE_S = 60.0, 15.0  # what is shown, and how much of it before the fastest motion
ORDER = (("Vertical", 2), ("North", 0), ("East", 1))


@style.styled
def before_and_after(stretch: Stretch, after: np.ndarray, path: Path) -> None:
    """Save a minute of a record (component N E Z, sample), about its fastest motion after denoising, as PNG."""
    fastest = int(np.abs(np.diff(after)).max(0).argmax())
    count = min(int(SPAN_S * stretch.rate_hz), after.shape[1])
    first = int(np.clip(fastest - BEFORE_S * stretch.rate_hz, 0, after.shape[1] - count))
    shown = slice(first, first + count)
    start = np.datetime64(stretch.start.datetime, "ns") + np.timedelta64(round(first / stretch.rate_hz * 1e9), "ns")
    times = start + (np.arange(count) / stretch.rate_hz * 1e9).astype("m8[ns]")
    figure, axes = style.grid(3, 2, 4.6, sharex=True, sharey="row")
    for row, (title, component) in zip(axes, ORDER, strict=True):
        for panel, values, colour in zip(row, (stretch.samples, after), (INK, MODEL), strict=True):
            own = values[component, shown]
            panel.plot(times, own - own.mean(), color=colour, lw=0.5)
            style.light_grid(panel)
        row[0].set_ylabel(f"{title} ({stretch.headers[component].channel})")
    axes[0, 0].set_title(f"{stretch.name} as recorded")
    axes[0, 1].set_title("Denoised")
    for panel in axes[-1]:
        locator = AutoDateLocator()
        panel.xaxis.set_major_locator(locator)
        panel.xaxis.set_major_formatter(ConciseDateFormatter(locator))
        panel.set_xlim(times[0], times[-1])
        panel.set_xlabel("Time (UTC)", loc="left")
    figure.supylabel("Amplitude in the units of the file, without its mean", fontsize=8)
    figure.savefig(path, dpi=150, facecolor="white")
