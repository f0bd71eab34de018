"""Group earthquakes into clusters without their classes, and ask how far both agree.

To use your own catalogue: a dataset config as for `event_graph` (see its file), with `class` among the coordinates
as words to compare with, and a run config as config/runs/event_clusters.yaml.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import xarray as xr
from flax import nnx
from pydantic import Field

from geojax import models
from geojax.data.events import catalogues, event_index
from geojax.errors import UserError
from geojax.scores import clustering
from geojax.task import Examples, Outcome, Picture, Score, Settings, Task
from geojax.training.objectives import sharpening

if TYPE_CHECKING:
    from geojax.baselines.clustering import Clustering

Input = Literal["longitude", "latitude", "depth", "magnitude", "height", "spacing"]
Start = Literal["k-means", "Gaussian mixture", "spectral clustering"]


class ClusterSettings(Settings):
    """What is clustered, and into how many."""

    classes: tuple[str, ...] = Field(default=("UP", "P1", "P2", "P3", "ID"), min_length=2)
    unclassified: tuple[str, ...] = Field(default=("NN", ""), description="words of no class: left out")
    most: int | None = Field(default=None, ge=1, description="events asked for in each split; null for all")
    inputs: tuple[Input, ...] = Field(
        default=("longitude", "depth", "height", "spacing"), min_length=2, description="what every method is given"
    )
    neighbours: int = Field(default=16, ge=1, description="earlier events that height and spacing are relative to")
    clusters: int = Field(default=5, ge=2, description="how many; every method is given this number")
    start: Start = Field(default="k-means", description="which clusters of the inputs the model begins with")
    code: int = Field(default=2, ge=2, description="dimensions of the latent space")
    sharpening: float = Field(default=0.1, ge=0, description="weight of clusters against reconstruction")
    evenness: float = Field(
        default=1.0, ge=0, le=1, description="1: clusters are drawn towards one size; 0: they are not"
    )


class EventClusters(Task[ClusterSettings]):
    question = (
        "Into which groups do earthquakes fall by where they lie across the strike of the subduction zone and relative "
        "to earlier events around them, when nobody tells the classes? Every method is given the number of clusters "
        "and chooses all else without labels; the adjusted Rand index tells how far clusters of later events agree "
        "with the classes."
    )
    settings_type = ClusterSettings
    models = ("deep_clustering",)
    headline = Score("adjusted_rand", "adjusted Rand index", "1", higher_is_better=True)
    predicted: ClassVar = {"long_name": "membership of each cluster, then the place in the latent space", "units": "1"}
    groups = "weeks"

    def index(self, part: xr.Dataset) -> pd.DataFrame:
        return event_index.index(part, self.settings.classes, self.settings.unclassified)

    def expand(self, index: pd.DataFrame) -> pd.DataFrame:
        return event_index.thinned(index, self.settings.most)

    def examples(self, index: pd.DataFrame, parts: Mapping[str, xr.Dataset], scaling: xr.Dataset) -> Examples:
        # Parts before those of the rows are read, too: events around may lie in them. Later ones never count.
        events = catalogues.gather(parts, scaling, index["time"].max())
        centres = events.numbers(index)
        known: dict[str, np.ndarray] = dict(zip(catalogues.COLUMNS, events.scaled[centres].T, strict=True))
        if {"height", "spacing"} & set(self.settings.inputs):
            known |= catalogues.surroundings(events, centres, self.settings.neighbours)
        inputs = np.stack([known[name] for name in self.settings.inputs], -1).astype("float32")
        return Examples({"inputs": inputs, "label": index["label"].to_numpy("int32")})

    def model(self, name: str, sizes: dict[str, Any], train: Examples, rngs: nnx.Rngs) -> nnx.Module:
        from geojax.baselines import clustering as methods

        inputs = train.rows["inputs"]
        if self.settings.code > inputs.shape[1]:
            raise UserError(
                f"examples: code: must not exceed the {inputs.shape[1]} inputs, but is {self.settings.code}. Lower it."
            )
        _, axes = np.linalg.eigh(np.cov(inputs.T))
        axes = axes[:, ::-1][:, : self.settings.code]
        cluster = methods.starts(self.settings.clusters)[self.settings.start].fit(inputs).predict(inputs)
        centres, radii = methods.moments(inputs @ axes, cluster, self.settings.clusters)
        return models.load(name)(axes, centres, radii, **sizes, rngs=rngs)

    def loss(self, model: Any, batch: Examples, key: jax.Array, training: bool) -> jax.Array:
        inputs = batch.rows["inputs"]
        code, restored = model(inputs, key if training else None)
        sharp = sharpening(model.memberships(code), self.settings.evenness)
        return jnp.mean((restored - inputs) ** 2) + self.settings.sharpening * sharp

    def predict(self, model: Any, batch: Examples) -> jax.Array:
        code = model.encode(batch.rows["inputs"])
        return jnp.concatenate([model.memberships(code), code], -1)

    def baselines(self) -> "Mapping[str, Clustering]":
        from geojax.baselines import clustering as methods

        return methods.methods(self.settings.clusters, len(self.settings.inputs), self.settings.code)

    def statistics(
        self, index: pd.DataFrame, examples: Examples, predictions: np.ndarray, scaling: xr.Dataset
    ) -> xr.Dataset:
        clusters, label = self.settings.clusters, examples.rows["label"]
        cluster = predictions[:, :clusters].argmax(1)
        counts = clustering.contingency(label, cluster, index["group"], self.settings.classes, clusters)
        apart = pd.Series(clustering.silhouettes(examples.rows["inputs"], cluster)).groupby(index["group"]).sum()
        silhouette = ("group", apart.loc[counts["group"].values].to_numpy())
        return xr.Dataset({"counts": counts, "silhouette": silhouette})

    def score(self, statistics: xr.Dataset) -> xr.Dataset:
        counts = statistics["counts"]
        silhouette = statistics["silhouette"] / counts.sum(("true", "cluster"))
        return xr.Dataset({"adjusted_rand": clustering.adjusted_rand(counts), "silhouette": silhouette})

    def pictures(self, outcome: Outcome) -> list[Picture]:
        from geojax.report import clusters

        return clusters.pictures(outcome, self.settings.classes, self.settings.clusters)


TASK = EventClusters
