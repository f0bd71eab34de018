"""Pictures of a run that clusters events: map and section, a map of likeness, the latent space, and contingency."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.optimize import linear_sum_assignment

from geojax.report import events, style
from geojax.report.style import SEQUENTIAL, styled
from geojax.task import Outcome, Picture

EMBEDDED = 1500  # events that t-SNE lays out at most


def pictures(outcome: Outcome, classes: tuple[str, ...], clusters: int) -> list[Picture]:
    """Clusters of the model and of the best baseline beside the classes."""
    label, best = outcome.examples.rows["label"], outcome.best_baseline
    found = {"Model": outcome.model, _titled(best): outcome.baselines[best]}
    code = {name: _matched(label, own[:, :clusters].argmax(1), len(classes), clusters) for name, own in found.items()}
    shown = {"Class": label} | code
    names = (
        [f"{name} or nearest cluster" for name in classes] if clusters == len(classes) else _numbered(classes, clusters)
    )
    latent = {"Model": outcome.model[:, clusters:], _titled(best): outcome.baselines[best][:, clusters:]}
    return [
        _on_the_map(outcome, shown, names),
        _by_likeness(outcome, shown, names),
        _latent(latent, label, code, names),
        _contingency(outcome, classes, clusters),
    ]


def _titled(name: str) -> str:
    return name[0].upper() + name[1:]


def _numbered(classes: tuple[str, ...], clusters: int) -> list[str]:
    return [classes[i] if i < len(classes) else f"cluster {i + 1}" for i in range(max(len(classes), clusters))]


def _matched(label: np.ndarray, cluster: np.ndarray, classes: int, clusters: int) -> np.ndarray:
    """Clusters renumbered by the class that each shares most events with, for the colours alone."""
    counts = np.zeros((max(classes, clusters), clusters))
    np.add.at(counts, (label, cluster), 1)
    own, matched = linear_sum_assignment(-counts)
    number = np.zeros(clusters, int)
    number[matched] = own
    return number[cluster]


@styled
def _on_the_map(outcome: Outcome, shown: dict[str, np.ndarray], names: list[str]) -> Picture:
    places = events.places(outcome)
    figure = Figure(figsize=(style.WIDTH, 7.5), layout="constrained")
    axes = events.map_and_section(figure, len(shown))
    for column, (title, code) in enumerate(shown.items()):
        events.scatter(axes[:, column], places, code)
        events.dress(axes[:, column], places, column == 0)
        axes[0, column].set_title(title)
    events.legend(figure, names)
    caption = (
        f"{len(places)} test events by epicentre and, below, on a section from west to east. A cluster has the colour "
        "of the class that it shares most events with, each class lending its colour once; no method saw the classes."
    )
    return Picture("Clusters on the map and at depth", caption, figure)


@styled
def _by_likeness(outcome: Outcome, shown: dict[str, np.ndarray], names: list[str]) -> Picture:
    from sklearn.manifold import TSNE

    inputs = outcome.examples.rows["inputs"]
    step = -(-len(inputs) // EMBEDDED)
    some = inputs[::step]
    plane = TSNE(perplexity=min(40, (len(some) - 1) / 3), init="pca", random_state=0, max_iter=600).fit_transform(some)
    figure = Figure(figsize=(style.WIDTH, 3.7), layout="constrained")
    axes = figure.subplots(1, len(shown), squeeze=False, sharex=True, sharey=True)
    for panel, (title, code) in zip(axes[0], shown.items(), strict=True):
        _dots(panel, plane, code[::step])
        panel.set_title(title)
        panel.set_xticks([])
        panel.set_yticks([])
        panel.spines[:].set_visible(True)
    events.legend(figure, names)
    caption = (
        f"The inputs of every {step}. test event, laid out by t-SNE (van der Maaten and Hinton 2008) so that events "
        "alike lie together; axes and distances between groups mean nothing. Colours as on the map."
    )
    return Picture("Events by likeness", caption, figure)


@styled
def _latent(latent: dict[str, np.ndarray], label: np.ndarray, code: dict[str, np.ndarray], names: list[str]) -> Picture:
    figure, axes = style.grid(2, 2, 6.6, sharex="col", sharey="col")
    for column, (name, place) in enumerate(latent.items()):
        what = "latent space" if name == "Model" else "principal components"
        for row, (colours, title) in enumerate(((label, "by class"), (code[name], "by cluster"))):
            panel = axes[row, column]
            _dots(panel, place[:, :2], colours)
            panel.set_title(f"{name}: {what}, {title}")
            panel.set(ylabel="second axis")
            style.light_grid(panel)
        axes[1, column].set(xlabel="first axis")
        low, high = np.quantile(place[:, :2], (0.002, 0.998), axis=0)
        pad = 0.08 * (high - low)
        axes[0, column].set(xlim=(low[0] - pad[0], high[0] + pad[0]), ylim=(low[1] - pad[1], high[1] + pad[1]))
    events.legend(figure, names)
    caption = (
        "Left, where the model's encoder puts the test events, of which clusters are drawn together; right, the "
        "leading principal components of the inputs, with the clusters of the best baseline."
    )
    return Picture("The latent space", caption, figure)


def _dots(panel: Axes, plane: np.ndarray, code: np.ndarray) -> None:
    for number in sorted(np.unique(code), key=lambda each: -(code == each).sum()):
        own = plane[code == number]
        panel.scatter(*own.T, s=5, lw=0, alpha=0.7, color=events.colour(int(number)), rasterized=True)


@styled
def _contingency(outcome: Outcome, classes: tuple[str, ...], clusters: int) -> Picture:
    label, best = outcome.examples.rows["label"], outcome.best_baseline
    figure, axes = style.grid(1, 2, 3.6)
    both = {"Model": outcome.model, _titled(best): outcome.baselines[best]}
    for panel, (title, found) in zip(axes[0], both.items(), strict=True):
        table = pd.crosstab(label, found[:, :clusters].argmax(1))
        table = table.reindex(index=range(len(classes)), columns=range(clusters), fill_value=0)
        order = table.to_numpy().argmax(0).argsort(kind="stable")
        _table(panel, table.to_numpy()[:, order], classes)
        panel.set_title(title)
    caption = (
        "Test events by class and by cluster: counts, and percent of the row. Clusters are put in the order of the "
        "class that most of their events have. A clustering that found the classes would have one full cell a row."
    )
    return Picture("Classes and clusters", caption, figure)


def _table(panel: Axes, counts: np.ndarray, classes: tuple[str, ...]) -> None:
    share = counts / counts.sum(1, keepdims=True).clip(1)
    panel.imshow(share, cmap=SEQUENTIAL, vmin=0, vmax=1, aspect="auto")
    for i, j in np.ndindex(counts.shape):
        ink = "black" if share[i, j] > 0.55 else "white"
        panel.text(j, i, f"{counts[i, j]:.0f}\n{100 * share[i, j]:.0f} %", ha="center", va="center", color=ink)
    panel.set_xticks(range(counts.shape[1]), [str(1 + i) for i in range(counts.shape[1])])
    panel.set_yticks(range(len(classes)), classes)
    panel.set(xlabel="Cluster", ylabel="Class")
    panel.tick_params(length=0)
    panel.spines[:].set_visible(False)
