"""Pictures of a run that makes relief."""

from dataclasses import replace

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LightSource, Normalize
from matplotlib.ticker import FixedLocator

from geojax.data.relief import DEGREE_KM
from geojax.report import detected, style
from geojax.report.style import INK, MUTED, styled
from geojax.scores import relief, terrain
from geojax.scores.two_samples import counts
from geojax.task import Outcome, Picture

COLUMNS = 7
COLOURS = "gist_earth"
REAL = "real, unseen"


def terrain_pictures(outcome: Outcome, detector: xr.Dataset | None = None) -> list[Picture]:
    """Tiles of each method, their spectra, distributions and properties, the nearest training tiles, and the detector.

    detector : of the model's tiles, as geojax.scores.made_detector fits it
    """
    tiles = {REAL: terrain.metres(outcome.examples.rows), "model": outcome.model, **outcome.baselines}
    return [
        _sheet(outcome, tiles),
        _scales(outcome, tiles),
        _distributions(tiles),
        _properties(outcome, tiles),
        _nearest(outcome, tiles),
    ] + ([] if detector is None else [_detector(outcome, tiles, detector)])


def _detector(outcome: Outcome, tiles: dict[str, np.ndarray], detector: xr.Dataset) -> Picture:
    described = {name: relief.descriptors(own) for name, own in tiles.items()}
    real = described.pop(REAL)
    picture = detected.detector_picture(real, described, relief.names(), detector, outcome.scores, "tiles")
    other = " The classifier among the scores is another: trees, fitted anew for each method, to other test blocks."
    return replace(picture, caption=picture.caption + other)


def _cell_km(outcome: Outcome) -> float:
    lat = next(iter(outcome.parts.values()))["lat"].values
    return DEGREE_KM * float(np.median(np.diff(lat)))


def _alike(tiles: dict[str, np.ndarray], ranks: np.ndarray) -> dict[str, np.ndarray]:
    """Tiles of each method with the same ranks of relief among its own, so that no method shows its steepest."""
    order = {name: np.argsort(relief.relief(own), kind="stable") for name, own in tiles.items()}
    return {name: own[order[name][(ranks * (len(own) - 1)).round().astype(int)]] for name, own in tiles.items()}


def _colours(method: str, tiles: dict[str, np.ndarray]) -> str:
    return INK if method == REAL else style.colours(name for name in tiles if name != REAL)[method]


def _shade(panel: Axes, tile: np.ndarray, bound: float, cell_km: float) -> None:
    """A tile under light from the north-west, slopes exaggerated, coloured by elevation about its mean."""
    light = LightSource(azdeg=315, altdeg=45)
    image = light.shade(
        tile[::-1].astype(float), colormaps[COLOURS], vmin=-bound, vmax=bound, blend_mode="soft", vert_exag=12,
        dx=1000 * cell_km, dy=1000 * cell_km,
    )  # fmt: skip
    panel.imshow(image, interpolation="nearest", rasterized=True)
    panel.set_xticks([])
    panel.set_yticks([])
    panel.spines[:].set_visible(False)


@styled
def _sheet(outcome: Outcome, tiles: dict[str, np.ndarray]) -> Picture:
    cell = _cell_km(outcome)
    shown = _alike(tiles, np.linspace(0.05, 0.97, COLUMNS))
    bound = style.limit(tiles[REAL], 0.99)
    figure, axes = style.grid(len(shown), COLUMNS, 1.31 * len(shown))
    for row, (name, own) in zip(axes, shown.items(), strict=True):
        for panel, tile in zip(row, own, strict=True):
            _shade(panel, tile, bound, cell)
            panel.set_xlabel(f"{relief.relief(tile[None])[0]:.0f} m", fontsize=7.5, labelpad=1.5)
        row[0].set_ylabel(
            name.replace("-", "-\n").replace(" ", "\n"), fontsize=8, color=_colours(name, tiles), fontweight="bold"
        )
    bar = ScalarMappable(Normalize(-bound, bound), COLOURS)
    figure.colorbar(bar, ax=axes, label="Elevation about the mean of the tile (m)", extend="both", aspect=45, pad=0.01)
    caption = (
        f"Tiles of {outcome.model.shape[1]} cells of {cell:.1f} km on a side, one row for each method, chosen by rule "
        "and not by eye: in each row those whose relief (the number below, one standard deviation) has the same ranks, "
        "from low to high. First row: real tiles of the test blocks, which no method has seen; all others are "
        "generated. One scale of colours; light from the north-west, slopes 12 times as steep."
    )
    return Picture("Real and generated relief", caption, figure)


@styled
def _scales(outcome: Outcome, tiles: dict[str, np.ndarray]) -> Picture:
    cell, size = _cell_km(outcome), tiles[REAL].shape[1]
    figure, axes = style.grid(1, 2, 3.4)
    length = size * cell / np.arange(1, size // 2)
    lag = np.array(relief.LAGS) * cell
    panels = ((axes[0, 0], length, relief.spectrum), (axes[0, 1], lag, relief.variogram))
    for panel, places, measure in panels:
        band = np.quantile(measure(tiles[REAL]), [0.1, 0.9], axis=0)
        panel.fill_between(places, *10**band, color="#d5d9de", lw=0, label="real, 80 % of tiles")
        for name, own in tiles.items():
            thick = {"lw": 2.2, "ls": (0, (4, 2)), "zorder": 3} if name == REAL else {"lw": 1.5}
            panel.plot(places, 10 ** measure(own).mean(0), color=_colours(name, tiles), label=name, **thick)
        panel.set(xscale="log", yscale="log")
        style.light_grid(panel)
        panel.xaxis.set_major_locator(FixedLocator([20, 50, 100, 200, 500]))
        panel.xaxis.set_major_formatter("{x:g}")
        panel.xaxis.set_minor_formatter("")
    axes[0, 0].invert_xaxis()
    axes[0, 0].set(xlabel="Wavelength (km)", ylabel="Power (m²)", title="Spectrum")
    axes[0, 1].set(xlabel="Distance (km)", ylabel="Semivariance (m²)", title="Semivariogram")
    axes[0, 1].legend(loc="lower right", frameon=True, framealpha=0.9)
    caption = (
        "Radially averaged power under a Hann window, and semivariance along both axes: geometric means over all test "
        "tiles. What a method has here, most of its tiles could still lack."
    )
    return Picture("Relief by scale", caption, figure)


@styled
def _distributions(tiles: dict[str, np.ndarray]) -> Picture:
    figure, axes = style.grid(1, 4, 2.8)
    labels = {
        "elevation": "Elevation (deviations of its tile)",
        "slope": "Slope (m per cell)",
        "skewness": "Skewness of elevation, by tile",
        "relief": "Relief of a tile (m)",
    }
    for panel, (name, label) in zip(axes[0], labels.items(), strict=True):
        few = 40 if name in ("skewness", "relief") else 100
        edges = np.linspace(terrain.EDGES[name][0], terrain.EDGES[name][-1], few + 1)
        middle = (edges[1:] + edges[:-1]) / 2
        places = np.sinh(middle) if name == "skewness" else 10**middle if name in ("slope", "relief") else middle
        for method, own in tiles.items():
            values = terrain.quantities(own)[name]
            number = counts(values, np.zeros(len(values), int), edges)[0]
            thick = {"lw": 2.2, "ls": (0, (4, 2)), "zorder": 3} if method == REAL else {"lw": 1.4}
            panel.plot(places, number / number.sum(), color=_colours(method, tiles), label=method, **thick)
        panel.set_xlabel(label)
        panel.set_yticks([])
        panel.set_ylim(bottom=0)
        if name in ("slope", "relief"):
            panel.set_xscale("log")
        style.light_grid(panel, "x")
    axes[0, 0].set(ylabel="Frequency", xlim=(-3.5, 3.5))
    axes[0, 2].set(xlim=(-5, 5), xticks=[-4, -2, 0, 2, 4])
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=len(tiles))
    caption = (
        "Hypsometry, slopes, skewness and relief over all test tiles. A Gaussian tile has a skewness near zero; real "
        "plains with a few summits, and plateaus with a few valleys, have not. Relief is drawn by each method from the "
        "training tiles."
    )
    return Picture("Distributions", caption, figure)


@styled
def _properties(outcome: Outcome, tiles: dict[str, np.ndarray]) -> Picture:
    center, spread = outcome.examples.shared["center"], outcome.examples.shared["spread"]
    names = relief.names()
    figure, ((one, two),) = style.grid(1, 2, 4.6, sharey=True)
    for name, own in tiles.items():
        found = (relief.descriptors(own) - center) / spread
        marks = {"marker": "D" if name == "model" else "|" if name == REAL else "o", "ls": ""}
        marks |= {"ms": 11, "mew": 2} if name == REAL else {"ms": 4.5}
        for panel, values in ((one, found.mean(0)), (two, found.std(0))):
            panel.plot(values, range(len(names)), color=_colours(name, tiles), label=name, **marks)
    one.set_yticks(range(len(names)), [n.capitalize() for n in names])
    one.invert_yaxis()
    one.set(xlabel="Mean (training spreads from the training mean)", title="Mean over tiles")
    two.set(xlabel="Standard deviation (training spreads)", title="Spread between tiles")
    for panel in (one, two):
        style.light_grid(panel)
    figure.legend(*one.get_legend_handles_labels(), loc="outside lower center", ncols=len(tiles))
    caption = (
        "The properties of tiles that the discrepancy compares. A method should have the mean and the spread of the "
        "real tiles (bars), which differ from those of the training tiles (0 and 1) by what other places are like."
    )
    return Picture("Properties of tiles", caption, figure)


@styled
def _nearest(outcome: Outcome, tiles: dict[str, np.ndarray]) -> Picture:
    cell, count = _cell_km(outcome), 6
    trained = outcome.examples.shared["trained"]
    coarse = terrain.coarse(trained)
    shown = _alike({name: tiles[name] for name in ("model", REAL)}, np.linspace(0.2, 0.95, count))
    figure, axes = style.grid(4, count, 6.4)
    bound = style.limit(tiles[REAL], 0.99)
    for block, (name, own) in enumerate(shown.items()):
        distance, place = terrain.nearest(own, coarse)
        for i in range(count):
            above, below, like = axes[2 * block, i], axes[2 * block + 1, i], trained[place[i]]
            _shade(above, own[i], bound, cell)
            _shade(below, terrain.views(like[None])[terrain.turn_of(own[i], like)][0], bound, cell)
            below.set_xlabel(f"distance {distance[i]:.2f}", fontsize=7.5, labelpad=1.5, color=MUTED)
        axes[2 * block, 0].set_ylabel(name.replace(" ", "\n"), color=_colours(name, tiles), fontweight="bold")
        axes[2 * block + 1, 0].set_ylabel("nearest\nin training", color=MUTED)
    far = {name: terrain.nearest(tiles[name], coarse)[0] for name in ("model", REAL)}
    caption = (
        "Below each generated tile the training tile that correlates with it most, turned and mirrored to fit, by "
        f"shape at {terrain.LEAF} × {terrain.LEAF} cells; below that the same for real tiles that were not trained on. "
        f"Median distance of all generated tiles {np.median(far['model']):.2f}, of all real ones "
        f"{np.median(far[REAL]):.2f} (0 would be a copy, √2 no likeness). A generator that repeats its training tiles "
        "would come closer than real tiles do."
    )
    return Picture("Nearest training tiles", caption, figure)
