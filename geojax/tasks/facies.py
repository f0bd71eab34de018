"""Lithofacies at each depth of a well from its wireline logs, in wells that no method has seen.

To use your own wells: a dataset config like config/datasets/seg_facies.yaml (the reader `table`, or `las` for logs
with core facies beside them) with one part for each well, the variables below as far as you have them, and
`split: {by: fold}`; a run config like config/runs/facies.yaml, whose `examples: logs` and `facies` name yours.
"""

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import jax
import numpy as np
import pandas as pd
import xarray as xr
from flax import nnx
from pydantic import Field

from geojax import models
from geojax.data import logs
from geojax.errors import UserError
from geojax.models.scaled import Scaled
from geojax.scores import classification
from geojax.task import Examples, Outcome, Picture, Score, Settings, Task
from geojax.training.objectives import cross_entropy

if TYPE_CHECKING:
    from geojax.baselines.classifiers import FeatureClassifier

# Facies that grade into one another, by the contest: Hall (2016), The Leading Edge 35, doi:10.1190/tle35100906.1
FACIES = ("SS", "CSiS", "FSiS", "SiSh", "MS", "WS", "D", "PS", "BS")
ADJACENT = ((1,), (0, 2), (1,), (4,), (3, 5), (4, 6, 7), (5, 7), (5, 6, 8), (6, 7))
LOGS = (
    "gamma_ray", "resistivity", "porosity_difference", "porosity", "photoelectric", "marine", "relative_position",
)  # fmt: skip


class FaciesSettings(Settings):
    """What a method sees of a well, and how training varies it."""

    logs: tuple[str, ...] = Field(default=LOGS, description="variables that methods see; a value may be missing")
    facies: tuple[str, ...] = Field(default=FACIES, description="names of the classes 1, 2, …")
    reach: int = Field(default=8, ge=0, description="samples above and below the depth that are seen with it")
    calibration: float = Field(
        default=0.2, ge=0, description="deviations by which training shifts each log of a window, as wells differ"
    )
    noise: float = Field(default=0.1, ge=0, description="deviations of noise that training adds")
    smoothing: float = Field(default=0.1, ge=0, lt=1, description="label smoothing")
    trials: int | None = Field(default=None, ge=1, description="settings tried of each baseline; null: all")


class Facies(Task[FaciesSettings]):
    question = (
        "Which of nine lithofacies lies at a depth, by the wireline logs of half a dozen feet around it? Each well is "
        "tested once, by methods that were fitted and tuned on other wells."
    )
    settings_type = FaciesSettings
    models = ("mlp", "cnn", "gru", "lstm")
    headline = Score("micro_f1", "micro F1", "1", higher_is_better=True)
    predicted: ClassVar = {"long_name": "probability of each facies", "units": "1"}
    groups = "wells"
    unit = "well"

    def index(self, part: xr.Dataset) -> pd.DataFrame:
        if absent := [name for name in (*self.settings.logs, "facies") if name not in part]:
            raise UserError(
                f"part {part.attrs['part']}: must hold {', '.join(absent)}, but holds {', '.join(map(str, part))}. "
                "Name its logs under `examples: logs`, or correct `reader: variables`."
            )
        values = np.stack([part[name].values for name in self.settings.logs], 1)
        label = part["facies"].values.astype(int) - 1
        if not ((label >= 0) & (label < len(self.settings.facies))).all():
            raise UserError(
                f"part {part.attrs['part']}: facies must lie from 1 to {len(self.settings.facies)}, but run from "
                f"{label.min() + 1} to {label.max() + 1}. Name all under `examples: facies`."
            )
        return pd.DataFrame(
            {
                "position": np.arange(part.sizes["sample"]),
                "group": part["well"].values.astype(str),
                "well": part["well"].values.astype(str),
                "time": pd.NaT,
                "depth": part["depth"].values,
                "label": label,
                "content": [hashlib.sha256(row.tobytes()).hexdigest() for row in values],
            }
        )

    def examples(self, index: pd.DataFrame, parts: Mapping[str, xr.Dataset], scaling: xr.Dataset) -> Examples:
        window = np.empty((len(index), 2 * self.settings.reach + 1, len(self.settings.logs)), "float32")
        for part, rows in index.groupby("part", sort=False):
            values = np.stack([parts[str(part)][name].values for name in self.settings.logs], 1)
            window[rows.index] = logs.windows(values, rows["position"].to_numpy(), self.settings.reach)
        return Examples({"window": window, "label": index["label"].to_numpy("int32")})

    def model(self, name: str, sizes: dict[str, Any], train: Examples, rngs: nnx.Rngs) -> nnx.Module:
        center, spread = logs.moments(train.rows["window"][:, self.settings.reach])
        inputs, classes = 2 * len(self.settings.logs), len(self.settings.facies)
        if name == "mlp":
            inputs *= 2 * self.settings.reach + 1
        if name in ("gru", "lstm"):  # they read the window from both ends to the depth in its middle
            sizes = {"bidirectional": True, "sequence": True} | sizes
        return Scaled(models.load(name)(inputs, classes, **sizes, rngs=rngs), center, spread)

    def loss(self, model: Any, batch: Examples, key: jax.Array, training: bool) -> jax.Array:
        window, label = batch.rows["window"], batch.rows["label"]
        if not training:
            return cross_entropy(_logits(model, window), label)
        level, grain, drop = jax.random.split(key, 3)
        shift = self.settings.calibration * jax.random.normal(level, (len(window), 1, window.shape[2]))
        noise = self.settings.noise * jax.random.normal(grain, window.shape)
        window = window + (shift + noise) * model.spread[...]
        return cross_entropy(_logits(model, window, drop), label, self.settings.smoothing)

    def predict(self, model: Any, batch: Examples) -> jax.Array:
        return jax.nn.softmax(_logits(model, batch.rows["window"]))

    def baselines(self) -> dict[str, "FeatureClassifier"]:
        from geojax.baselines import facies

        return facies.classifiers(len(self.settings.facies), self.settings.trials)

    def statistics(
        self, index: pd.DataFrame, examples: Examples, predictions: np.ndarray, scaling: xr.Dataset
    ) -> xr.Dataset:
        own = examples.rows["label"], predictions.argmax(1), index["well"]
        return classification.confusion(*own, self.settings.facies).to_dataset(name="counts")

    def score(self, statistics: xr.Dataset) -> xr.Dataset:
        counts = statistics["counts"]
        found = classification.precision_recall_f1(counts).rename(accuracy="micro_f1")
        if self.settings.facies != FACIES:  # of other facies it is not known which are adjacent
            return found
        return found.assign(adjacent_accuracy=classification.adjacent_accuracy(counts, ADJACENT))

    def pictures(self, outcome: Outcome) -> list[Picture]:
        from geojax.report import wells

        return wells.facies_pictures(outcome, self.settings.facies)


TASK = Facies


def _logits(model: Any, window: jax.Array, key: jax.Array | None = None) -> jax.Array:
    """Logits (example, class); networks that give a series of them are read in its middle."""
    found = model(window, key)
    return found[:, found.shape[1] // 2] if found.ndim == 3 else found
