"""Plate-carrée maps with coastlines, and the pictures of a run that fills gaps.

Coastlines: Natural Earth 4.1.0, 1:110m land, public domain, from the npm package world-atlas 2.0.2 (land-110m.json,
TopoJSON, ISC), turned once into polylines of longitude and latitude in degrees, rounded to 0.01°, without the seams
at the dateline and the pole. They lie in coastline_110m.npz as `lonlat` (point, 2), NaN between two lines.
"""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from geojax.report import style
from geojax.report.gaps import Fields
from geojax.report.style import ANOMALY, DIFFERENCE, GAP, INK, LAND, SEQUENTIAL, styled
from geojax.task import Outcome, Picture


@cache
def coastlines(west: float = -180.0) -> np.ndarray:
    """Coastlines (point, lon and lat) in degrees, NaN between two lines; longitudes from `west` to `west` + 360."""
    with np.load(Path(__file__).parent / "coastline_110m.npz") as file:
        lonlat = file["lonlat"].astype("float64")
    lon = (lonlat[:, 0] - west) % 360 + west
    torn = np.flatnonzero(np.abs(np.diff(lon)) > 180) + 1  # a line that leaves on one side returns on the other
    return np.insert(np.stack([lon, lonlat[:, 1]], 1), torn, np.nan, axis=0)


def draw(panel: Axes, lon: np.ndarray, lat: np.ndarray, field: np.ndarray, **colour: Any) -> QuadMesh:
    """A field (lat, lon) on its grid in degrees; what is NaN stays grey."""
    mesh = panel.pcolormesh(lon, lat, np.ma.masked_invalid(field), shading="nearest", rasterized=True, **colour)
    half_lon, half_lat = (np.abs(np.diff(x)).mean() / 2 for x in (lon, lat))
    west, east = lon.min() - half_lon, lon.max() + half_lon
    panel.set_facecolor(LAND)
    south, north = lat.min() - half_lat, lat.max() + half_lat
    panel.plot(*_within(coastlines(float(west)), east, south, north).T, color=INK, lw=0.5)
    panel.set(xlim=(west, east), ylim=(south, north), aspect="equal")
    panel.spines[:].set_visible(True)
    panel.set_xticks([x for x in range(-180, 541, 60) if west <= x <= east])
    panel.xaxis.set_major_formatter(lambda x, _: _degrees(x, "E", "W"))
    panel.set_yticks([y for y in range(-90, 91, 20) if south <= y <= north])
    panel.yaxis.set_major_formatter(lambda y, _: _degrees(y, "N", "S"))
    panel.tick_params(length=2, labelsize=7)
    return mesh


def _within(lines: np.ndarray, east: float, south: float, north: float) -> np.ndarray:
    """Lines without what lies well outside the map; a figure of many maps would be large with it."""
    lon, lat = lines.T
    out = ~((lon <= east + 10) & (lat >= south - 10) & (lat <= north + 10))
    kept = ~(out & np.roll(out, 1))
    return np.where(out[:, None], np.nan, lines)[kept]


def gap_pictures(outcome: Outcome) -> list[Picture]:
    """Typical months, errors by cell and errors by year, of the model and the best baseline."""
    fields = Fields(outcome)
    return [*_months(fields), _by_cell(fields), _by_year(fields)]


def _months(fields: Fields) -> list[Picture]:
    chosen = [fields.typical(coverage) for coverage in fields.coverages]
    anomaly = style.limit(np.concatenate([fields.truth[i, m] for i, m in chosen]))
    errors = [each[i, m][fields.hidden[i]] - fields.truth[i, m][fields.hidden[i]]
              for each in (fields.model, fields.baseline) for i, m in chosen]  # fmt: skip
    error = style.limit(np.concatenate(errors))
    pictures = []
    for coverage, (i, m) in zip(fields.coverages, chosen, strict=True):
        model, baseline = (fields.rmse(each)[i, m] for each in (fields.model, fields.baseline))
        share = f"{100 * coverage:g}\N{NO-BREAK SPACE}%"
        caption = (
            f"{fields.date(i, m)}: of all test months and gaps with {share} of the ocean hidden, the one with the "
            "median RMSE of the model, chosen by this rule and not by eye. RMSE of its hidden cells: model "
            f"{model:.2f}\N{NO-BREAK SPACE}K, {fields.best} {baseline:.2f}\N{NO-BREAK SPACE}K."
        )
        if not pictures:
            caption += (
                " Anomalies from the monthly means of the reference years. Hatched: hidden from every method; dark "
                "grey: land, or no data. Errors are shown where cells were hidden, light grey where they were seen. "
                "All months share one scale of anomalies and one of errors."
            )
        figure = _month(fields, i, m, anomaly, error)
        pictures.append(Picture(f"A typical month, {share} hidden", caption, figure))
    return pictures


@styled
def _month(fields: Fields, i: int, m: int, anomaly: float, error: float) -> Figure:
    figure, axes = style.grid(3, 2, 4.4, sharex=True, sharey=True)
    truth, hidden = fields.truth[i, m], fields.hidden[i]
    panels = {
        "Truth": truth,
        "Input": np.where(hidden, np.nan, truth),
        "Model": fields.model[i, m],
        fields.best.capitalize() if fields.best.islower() else fields.best: fields.baseline[i, m],
        "Error of the model": np.where(hidden, fields.model[i, m] - truth, np.nan),
        f"Error of {fields.best}": np.where(hidden, fields.baseline[i, m] - truth, np.nan),
    }
    meshes = []
    for place, (panel, (title, field)) in enumerate(zip(axes.flat, panels.items(), strict=True)):
        bound = error if place >= 4 else anomaly
        mesh = draw(panel, fields.lon, fields.lat, fields.grid(field), cmap=ANOMALY, vmin=-bound, vmax=bound)
        meshes.append(mesh)
        panel.set_title(title)
        if title == "Input":
            _cover(panel, fields, hidden, hatch="//////", edgecolor="#9aa1ab")
        elif place >= 4:
            _cover(panel, fields, ~hidden)
    figure.colorbar(meshes[0], ax=axes[:2], label="Anomaly (K)", extend="both", aspect=25, pad=0.01)
    figure.colorbar(meshes[4], ax=axes[2:], label="Error (K)", extend="both", aspect=11, pad=0.01)
    return figure


def _cover(panel: Axes, fields: Fields, cells: np.ndarray, **shade: Any) -> None:
    """Lay a light grey, hatched on demand, over cells (cell,)."""
    covered = np.ma.masked_invalid(fields.grid(np.where(cells, 1.0, np.nan)))
    one = ListedColormap([GAP])
    panel.pcolor(fields.lon, fields.lat, covered, shading="nearest", cmap=one, lw=0, rasterized=True, **shade)


@styled
def _by_cell(fields: Fields) -> Picture:
    figure, axes = style.grid(2, 1, 4.6, 8.0, sharex=True)
    model, baseline = (fields.rmse_by_cell(each) for each in (fields.model, fields.baseline))
    top = float(np.nanquantile(model, 0.98))
    own = draw(axes[0, 0], fields.lon, fields.lat, fields.grid(model), cmap=SEQUENTIAL, vmin=0, vmax=top)
    bound = style.limit(model - baseline)
    gain = draw(
        axes[1, 0], fields.lon, fields.lat, fields.grid(model - baseline), cmap=DIFFERENCE, vmin=-bound, vmax=bound
    )
    axes[0, 0].set_title("RMSE of the model")
    axes[1, 0].set_title(f"RMSE of the model minus RMSE of {fields.best}")
    figure.colorbar(own, ax=axes[0, 0], label="RMSE (K)", extend="max", pad=0.01)
    figure.colorbar(gain, ax=axes[1, 0], label="Difference (K)", extend="both", pad=0.01)
    share = float(np.nanmean(model < baseline))
    caption = (
        "Errors of each cell over all test months and gaps that hide it. Below, purple cells are restored better by "
        f"the model, orange ones by {fields.best}: the model has the smaller RMSE in {100 * share:.0f} % of the cells. "
        "Grey: land, or no data."
    )
    return Picture("Where the errors are", caption, figure)


@styled
def _by_year(fields: Fields) -> Picture:
    figure, ((panel, gain),) = style.grid(1, 2, 3.2, width_ratios=(3, 2))
    found = style.colours(fields.methods)
    errors = {name: fields.rmse_by_year(values) for name, values in fields.methods.items()}
    for name, (years, rmse) in errors.items():
        front = {"lw": 2.2, "marker": "D", "zorder": 3} if name == "model" else {"lw": 1.2, "marker": "o"}
        panel.plot(years, rmse, color=found[name], ms=4, label=name, **front)
    panel.set(ylabel="RMSE of hidden cells (K)", ylim=(0, None))
    figure.legend(*panel.get_legend_handles_labels(), loc="outside upper left", ncols=len(errors))
    gain.axhline(0, color=style.MUTED, lw=1)
    years, rmse = errors["model"]
    gain.plot(years, rmse - errors[fields.best][1], "D", color=found["model"], ms=5)
    gain.set(ylabel=f"Model minus {fields.best} (K)")
    for each in (panel, gain):
        each.set_xlabel("Test year")
        each.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        style.light_grid(each)
    caption = (
        "RMSE over the hidden cells of all gaps of a year, weighted by the area of the cells; at right, below zero is "
        "better for the model. The last years lie furthest from those that the methods were trained on."
    )
    return Picture("Errors by year", caption, figure)


def _degrees(value: float, positive: str, negative: str) -> str:
    value = (value + 180) % 360 - 180 if positive == "E" else value
    side = "" if value in (0, -180) else positive if value > 0 else negative
    return f"{abs(value):.0f}°{side}"
