"""Pictures of wells: logs and facies against depth."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.patches import Patch

from geojax.report import figures, style
from geojax.report.style import INK, styled
from geojax.task import Outcome, Picture

# From sand over silt and shale to carbonates: yellow, browns and greys, blues and greens.
COLOURS = ("#f4d03f", "#dca06d", "#b5651d", "#7d6b5d", "#9aa7b5", "#4d7fb8", "#c39bd3", "#2a9d8f", "#14532d")
TRACKS = (
    ("gamma_ray", "Gamma\nray (API)"), ("resistivity", "log10\nresistiv."), ("porosity", "Porosity\n(%)"),
)  # fmt: skip
SHOWN = 3


def facies_pictures(outcome: Outcome, facies: tuple[str, ...]) -> list[Picture]:
    """Wells with their logs and facies, confusion, and how far each well is told right."""
    label, guess = outcome.examples.rows["label"], outcome.model.argmax(1)
    other = outcome.baselines[outcome.best_baseline].argmax(1)
    rows = outcome.index.assign(label=label, model=guess, other=other)
    return [_wells(outcome, rows, facies), _by_well(outcome, rows), _confusion(outcome, rows, facies)]


@styled
def _wells(outcome: Outcome, rows: pd.DataFrame, facies: tuple[str, ...]) -> Picture:
    right = (rows["model"] == rows["label"]).groupby(rows["well"]).mean().sort_values()
    chosen = dict(zip(("worst", "middle", "best"), right.index[[0, len(right) // 2, -1]], strict=True))
    figure, axes = style.grid(1, SHOWN * 6, 7.2, width_ratios=[1.2, 1.2, 1.2, 0.8, 0.8, 0.8] * SHOWN, sharey="row")
    for place, (rank, well) in enumerate(chosen.items()):
        own = rows[rows["well"] == well].sort_values("position")
        panels = axes[0, 6 * place : 6 * place + 6]
        top, bottom = own["depth"].min(), own["depth"].max()
        # Depths as share of the well's own span, so that wells of different depth stand side by side.
        part = outcome.parts[str(own["part"].iloc[0])]
        height = 1 - (own["depth"].to_numpy() - top) / (bottom - top)
        for panel, (name, words) in zip(panels, [t for t in TRACKS if t[0] in part], strict=False):
            panel.plot(part[name].values[own["position"]], height, color=INK, lw=0.5)
            panel.set_title(words, fontsize=6.5, weight="normal", rotation=0)
            panel.tick_params(labelsize=6, length=2)
        strips = {"cores": "label", "model": "model", outcome.best_baseline: "other"}
        for panel, (words, column) in zip(panels[3:], strips.items(), strict=True):
            _strip(panel, own[column].to_numpy(), len(facies))
            panel.set_title(words.replace(" ", "\n"), fontsize=6.5, weight="normal")
        panels[0].set_ylabel(f"{well}, {rank}: {100 * right[well]:.0f} % right; {top:.0f} to {bottom:.0f} ft")
        for panel in panels:
            panel.set(ylim=(0, 1), yticks=[])
    palette = COLOURS[: len(facies)]
    handles = [Patch(color=colour, label=name) for colour, name in zip(palette, facies, strict=False)]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    caption = (
        f"The wells in which the model is least often right, in the middle, and most often: three logs, the facies "
        f"that geologists saw on cores, and those that the model and {outcome.best_baseline} tell, each from wells "
        "other than this one. Depth runs from top to bottom of each well."
    )
    return Picture("Wells from top to bottom", caption, figure)


def _strip(panel: Axes, codes: np.ndarray, count: int) -> None:
    colours = ListedColormap([COLOURS[i % len(COLOURS)] for i in range(count)])
    extent = (0.0, 1.0, 0.0, 1.0)
    panel.imshow(codes[:, None], aspect="auto", cmap=colours, vmin=0, vmax=count - 1, extent=extent,
                 interpolation="nearest")  # fmt: skip
    panel.set_xticks([])


@styled
def _by_well(outcome: Outcome, rows: pd.DataFrame) -> Picture:
    methods = {"model": outcome.model, **outcome.baselines}
    found = style.colours(methods)
    right = pd.DataFrame({name: each.argmax(1) == rows["label"] for name, each in methods.items()})
    share = right.groupby(rows["well"].to_numpy()).mean().sort_values("model")
    figure, ((panel,),) = style.grid(1, 1, 0.6 + 0.36 * len(share), 7.5)
    for name in methods:
        marker, size = ("D", 6) if name == "model" else ("o", 4.5)
        panel.plot(
            share[name], np.arange(len(share)), marker, color=found[name], ms=size, label=name, mec="white", mew=0.4
        )
    panel.set_yticks(range(len(share)), [f"{well.title()} ({(rows['well'] == well).sum()})" for well in share.index])
    panel.set(xlabel="Share of depths told right (micro F1 of the well)")
    panel.legend(loc="upper left", bbox_to_anchor=(1.01, 1))
    style.light_grid(panel)
    caption = (
        "Each well by methods that were fitted and tuned on the others; in brackets its number of depths. Wells differ "
        "far more than methods do, which is why the intervals come from resampling wells. The contest's winner reached "
        "0.639 on two further wells that stayed hidden (Hall & Hall 2017, doi:10.1190/tle36030267.1)."
    )
    return Picture("Well by well", caption, figure)


@styled
def _confusion(outcome: Outcome, rows: pd.DataFrame, facies: tuple[str, ...]) -> Picture:
    figure, axes = style.grid(1, 2, 5.0, 10.5)
    for panel, (title, column) in zip(axes[0], {"Model": "model", outcome.best_baseline: "other"}.items(), strict=True):
        counts = np.zeros((len(facies), len(facies)))
        np.add.at(counts, (rows["label"], rows[column]), 1)
        figures.confusion(panel, counts, facies)
        for text in panel.texts:
            text.set_fontsize(6)
        panel.set_title(title[0].upper() + title[1:])
    caption = (
        "Depths of all wells by true and predicted facies: counts, and percent of the row. SS sandstone, CSiS and FSiS "
        "coarse and fine siltstone, SiSh marine siltstone and shale, MS mudstone, WS wackestone, D dolomite, PS "
        "packstone-grainstone, BS bafflestone; facies that stand next to each other grade into one another."
    )
    return Picture("Which facies are mistaken for which", caption, figure)
