"""Tell the class of an earthquake from itself and from the events before it that lie near.

To use your own catalogue: a dataset config whose reader gives `longitude`, `latitude`, `depth` (km) and `magnitude`
on `event`, with `time` and the words of a class as coordinates, scaled with `center: mean`, `over: [event]`; and a
run config as config/runs/event_graph.yaml whose `examples` name the `classes`.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pandas as pd
import xarray as xr
from flax import nnx
from pydantic import Field

from geojax import models
from geojax.data.events import catalogues, event_index
from geojax.errors import UserError
from geojax.scores import classification
from geojax.task import Examples, Outcome, Picture, Score, Settings, Task
from geojax.training.objectives import balanced

if TYPE_CHECKING:
    from geojax.baselines.classifiers import FeatureClassifier


class EventSettings(Settings):
    """What an event and its neighbourhood are."""

    classes: tuple[str, ...] = Field(default=("UP", "P1", "P2", "P3", "ID"), min_length=2)
    most: int | None = Field(default=None, ge=1, description="events asked for in each split; null for all")
    unclassified: tuple[str, ...] = Field(
        default=("NN", ""), description="words of no class: such events are not asked"
    )
    own_depth: bool = Field(default=True, description="whether the depth of the event itself is known")
    known_until: date = Field(description="last day of known classes, that of the training split")
    near: int = Field(default=8, ge=1, description="earlier events of known class nearest in space")
    recent: int = Field(default=8, ge=0, description="earlier events nearest in space and time")
    speed_km_day: float = Field(default=1.0, gt=0, description="kilometres that count as much as a day among `recent`")
    balance: float = Field(default=0.5, ge=0, le=1, description="0: every event counts alike, 1: every class does")
    smoothing: float = Field(default=0.05, ge=0, lt=1, description="label smoothing")
    dropped: float = Field(default=0.2, ge=0, lt=1, description="share of neighbours that training leaves out")


class EventGraph(Task[EventSettings]):
    question = (
        "Which class does an earthquake belong to, given where and when it happened, how large it was, and the events "
        "before it that lie nearest in space and time, and the nearest of those whose class is known, which are the "
        "training events? The run says whether its own depth is known; those of its neighbours are."
    )
    settings_type = EventSettings
    models = ("graph_attention", "graph_network")
    headline = Score("macro_f1", "macro F1", "1", higher_is_better=True)
    predicted: ClassVar = {"long_name": "probability of each class", "units": "1"}
    groups = "weeks"

    def index(self, part: xr.Dataset) -> pd.DataFrame:
        return event_index.index(part, self.settings.classes, self.settings.unclassified)

    def expand(self, index: pd.DataFrame) -> pd.DataFrame:
        return event_index.thinned(index, self.settings.most)

    def examples(self, index: pd.DataFrame, parts: Mapping[str, xr.Dataset], scaling: xr.Dataset) -> Examples:
        return self.pool(index, index, parts, scaling)

    def pool(
        self, index: pd.DataFrame, whole: pd.DataFrame, parts: Mapping[str, xr.Dataset], scaling: xr.Dataset
    ) -> Examples:
        # Parts before those of the rows are read, too: neighbours may lie in them. Later ones never count.
        events = catalogues.gather(parts, scaling, index["time"].max())
        known = np.datetime64(self.settings.known_until + timedelta(days=1), "ns") - 1
        if (index["split"] != "train").any() and index["time"].min() <= known:
            raise UserError(
                f"examples: known_until: must lie before all events that are asked for, but {index['time'].min()} is "
                f"not after {self.settings.known_until}. Give the last day of the training split."
            )
        own = self.settings
        rows = catalogues.stars(
            events, events.numbers(index), own.near, own.recent, speed_km_day=own.speed_km_day,
            depth=own.own_depth, classes=own.classes, known_until=known,
        )  # fmt: skip
        weight = balanced(whole["label"].to_numpy(), len(self.settings.classes)) ** self.settings.balance
        label = index["label"].to_numpy("int32")
        return Examples(rows | {"label": label, "weight": weight[label]})

    def model(self, name: str, sizes: dict[str, Any], train: Examples, rngs: nnx.Rngs) -> nnx.Module:
        inputs, along = (train.rows[key].shape[-1] for key in ("nodes", "edge_features"))
        return models.load(name)(inputs, len(self.settings.classes), along, "node", **sizes, rngs=rngs)

    def loss(self, model: Any, batch: Examples, key: jax.Array, training: bool) -> jax.Array:
        rows, drop = batch.rows, None
        wanted = jax.nn.one_hot(rows["label"], len(self.settings.classes))
        if training:
            thin, drop = jax.random.split(key)
            kept = jax.random.bernoulli(thin, 1 - self.settings.dropped, rows["mask"].shape).at[:, 0].set(True)
            rows = rows | {"mask": rows["mask"] & kept}
            wanted = optax.smooth_labels(wanted, self.settings.smoothing)
        each = optax.softmax_cross_entropy(_logits(model, rows, drop), wanted)
        return jnp.average(each, weights=rows["weight"])

    def predict(self, model: Any, batch: Examples) -> jax.Array:
        return jax.nn.softmax(_logits(model, batch.rows))

    def baselines(self) -> "dict[str, FeatureClassifier]":
        from geojax.baselines import event_classifiers

        return event_classifiers.tuned()

    def statistics(
        self, index: pd.DataFrame, examples: Examples, predictions: np.ndarray, scaling: xr.Dataset
    ) -> xr.Dataset:
        own = examples.rows["label"], predictions.argmax(1), index["group"]
        return classification.confusion(*own, self.settings.classes).to_dataset(name="counts")

    def score(self, statistics: xr.Dataset) -> xr.Dataset:
        return classification.precision_recall_f1(statistics["counts"])

    def pictures(self, outcome: Outcome) -> list[Picture]:
        from geojax.report import events

        return events.class_pictures(outcome, self.settings.classes)


TASK = EventGraph


def _logits(model: Any, rows: Mapping[str, jax.Array], key: jax.Array | None = None) -> jax.Array:
    """Of the centres, (example, class): all neighbours speak to their centre, in every round."""
    examples, nodes = rows["mask"].shape
    edges = np.stack([np.arange(1, nodes), np.zeros(nodes - 1, int)], -1).astype("int32")
    edges = jnp.broadcast_to(edges, (examples, *edges.shape))
    found = model(rows["nodes"], edges, rows["edge_features"], rows["mask"], rows["mask"][:, 1:], key)
    return found[:, 0]
