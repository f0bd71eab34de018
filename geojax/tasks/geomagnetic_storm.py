"""Flag the disturbed hours of a magnetic observatory by what an autoencoder of quiet windows cannot reconstruct.

To use another observatory: a dataset config whose reader gives the components (time,), in parts by day, with the
intervals of three hours of each split by name (2024-05-10T09), and a run config as config/runs/geomagnetic_storm.yaml
that tells the components and the Kp of these days. Training and validation must be quiet; Kp decides of the test alone.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import xarray as xr
from flax import nnx
from pydantic import Field

from geojax import models
from geojax.data.magnetism import observatory
from geojax.errors import UserError
from geojax.scores import detection
from geojax.task import Baseline, Examples, Outcome, Picture, Score, Settings, Task


class WindowSettings(Settings):
    """What a window is, what counts as a storm, and what is planted into validation windows."""

    components: tuple[str, ...] = ("field_h", "field_e", "field_z")
    average_s: int = Field(default=20, ge=1, description="seconds that are averaged to a step")
    steps: int = Field(default=60, ge=8, description="length of a window")
    training_stride: int = Field(default=6, ge=1, description="steps between the starts of training windows")
    medians_h: tuple[float, ...] = Field(default=(0.5, 1.0, 2.0, 4.0), description="running medians to choose from")
    planted_nt: tuple[float, float] = Field(default=(1.0, 10.0), description="size of what is planted in validation")
    kp: dict[str, str] = Field(description="date: its eight values of Kp, as 2o 3- 3+ …")
    storm_kp: str = Field(default="5-", description="least Kp of a storm")
    seed: int = 0


class GeomagneticStorm(Task[WindowSettings]):
    question = (
        "Which twenty minutes of a magnetic observatory belong to a storm, told by a detector that has only ever seen "
        "quiet hours? The label is planetary: Kp of the interval of three hours. There is one storm, so that the "
        "intervals say how surely its own hours are told apart, and nothing of other storms."
    )
    settings_type = WindowSettings
    models = ("dense_autoencoder",)
    headline = Score("roc_auc", "area under the ROC curve", "1", higher_is_better=True)
    predicted: ClassVar = {"long_name": "logarithm (base 10) of the anomaly score", "units": "1"}
    groups = "intervals of three hours of one storm"

    def index(self, part: xr.Dataset) -> pd.DataFrame:
        time = _times(part, self.settings)
        begins = observatory.intervals(time)
        starts = np.arange(0, len(time) - self.settings.steps + 1)
        own = starts[begins[starts] == begins[starts + self.settings.steps - 1]]  # no window lies in two intervals
        field = _field(part, self.settings)
        return pd.DataFrame(
            {
                "position": own,
                "group": np.datetime_as_string(begins[own], "h"),
                "time": time[own],
                "end": time[own + self.settings.steps - 1],
                "station": str(part["station"].item()) if "station" in part.coords else "one",
                "content": [hashlib.sha256(field[i : i + self.settings.steps].tobytes()).hexdigest() for i in own],
                "kp": observatory.activity(time[own], self.settings.kp),
            }
        )

    def expand(self, index: pd.DataFrame) -> pd.DataFrame:
        """Windows side by side; those of training overlap, those of validation come plain and planted."""
        place = index.groupby("group")["position"].transform(lambda own: own - own.min())
        stride = np.where(index["split"] == "train", self.settings.training_stride, self.settings.steps)
        kept = index[place % stride == 0].assign(planted=False)
        planted = kept[kept["split"] == "validation"].assign(planted=True)
        storm = kept["kp"] >= observatory.kp(self.settings.storm_kp) - 1e-6
        if (wrong := kept[storm & (kept["split"] != "test")]).size:
            raise UserError(f"split: training and validation must be quiet, but Kp is {wrong['kp'].iloc[0]:.2f} in "
                            f"{wrong['group'].iloc[0]}. Mend `split`.")  # fmt: skip
        return pd.concat([kept, planted], ignore_index=True)

    def examples(self, index: pd.DataFrame, parts: Mapping[str, xr.Dataset], scaling: xr.Dataset) -> Examples:
        spread = np.array([float(scaling[f"{name}_spread"]) for name in self.settings.components])
        count = len(self.settings.medians_h), self.settings.steps, len(self.settings.components)
        window = np.empty((len(index), *count[1:]), "float32")
        departure = np.empty((len(index), *count), "float32")
        for part, rows in index.groupby("part", sort=False):
            field = _field(parts[str(part)], self.settings) * spread
            lengths = [round(3600 * hours / self.settings.average_s) for hours in self.settings.medians_h]
            others = np.stack([field - observatory.running_median(field, length) for length in lengths])
            for place, row in zip(rows.index, rows.itertuples(), strict=True):
                own = slice(row.position, row.position + self.settings.steps)
                plain, changed = field[own], field[own]
                if row.planted:
                    generator = np.random.default_rng([self.settings.seed, row.position])
                    (changed,) = observatory.plant(
                        generator, plain[None], self.settings.average_s, self.settings.planted_nt
                    )
                window[place] = changed - changed.mean(0)
                departure[place] = others[:, own] + changed - plain
        event = (index["kp"] >= observatory.kp(self.settings.storm_kp) - 1e-6).to_numpy("float32")
        rows = {"window": window, "departure": departure, "planted": index["planted"].to_numpy("float32")}
        return Examples(rows | {"event": event})

    def model(self, name: str, sizes: dict[str, Any], train: Examples, rngs: nnx.Rngs) -> nnx.Module:
        scale = train.rows["window"].std((0, 1))
        return Scaled(models.load(name)(self.settings.steps * len(scale), **sizes, rngs=rngs), scale)

    def loss(self, model: Any, batch: Examples, key: jax.Array, training: bool) -> jax.Array:
        """Mean square of what is not reconstructed of plain windows; in training, windows are turned over at random."""
        window, plain = batch.rows["window"], 1 - batch.rows["planted"]
        if training:
            turn, key = jax.random.split(key)
            window = window * jax.random.rademacher(turn, (len(window), 1, 1), jnp.float32)
        return jnp.sum(plain * model(window, key if training else None)) / jnp.maximum(jnp.sum(plain), 1)

    def predict(self, model: Any, batch: Examples) -> jax.Array:
        return jnp.log10(model(batch.rows["window"]) + 1e-12)

    def baselines(self) -> Mapping[str, Baseline]:
        from geojax.baselines import anomalies

        return {
            "running median": anomalies.RunningMedian(self.settings.medians_h),
            "range": anomalies.Range(),
            "principal components": anomalies.PrincipalComponents(),
            "isolation forest": anomalies.IsolationForest(),
        }

    def statistics(
        self, index: pd.DataFrame, examples: Examples, predictions: np.ndarray, scaling: xr.Dataset
    ) -> xr.Dataset:
        event = examples.rows["event"] > 0
        counted = detection.counts(predictions, event, index["group"].to_numpy(str))
        return counted.assign_coords(
            stratum=("group", np.where(counted["events"].sum("threshold") > 0, "storm", "quiet"))
        )

    def score(self, statistics: xr.Dataset) -> xr.Dataset:
        return xr.Dataset(
            {
                "roc_auc": detection.roc_auc(statistics),
                "average_precision": detection.average_precision(statistics),
                "share_flagged_at_5_%_false_alarms": detection.sensitivity(statistics, 0.05),
            }
        )

    def pictures(self, outcome: Outcome) -> list[Picture]:
        from geojax.report import observatory as pictures

        return pictures.storm_pictures(outcome)


class Scaled(nnx.Module):
    """Mean square of what an autoencoder leaves of windows (example, step, component), each in units of `scale`."""

    def __init__(self, autoencoder: nnx.Module, scale: np.ndarray) -> None:
        self.autoencoder = autoencoder
        self.scale = nnx.Variable(jnp.asarray(scale, jnp.float32))

    def __call__(self, window: jax.Array, key: jax.Array | None = None) -> jax.Array:
        flat = (window / self.scale[...]).reshape(len(window), -1)
        return jnp.mean((self.autoencoder(flat, key) - flat) ** 2, -1)


TASK = GeomagneticStorm


def _times(part: xr.Dataset, settings: WindowSettings) -> np.ndarray:
    """The first moment of each step.

    raises UserError : samples are not a second apart
    """
    time = part["time"].values
    if (np.diff(time) != np.timedelta64(1, "s")).any():
        raise UserError(f"part {part.attrs['part']}: samples must be one second apart. Bring missing ones as NaN.")
    return time[: len(time) // settings.average_s * settings.average_s : settings.average_s]


def _field(part: xr.Dataset, settings: WindowSettings) -> np.ndarray:
    """Steps (step, component) of a part, in its own units.

    raises UserError : a step has no sample at all
    """
    samples = np.stack([part[name].values for name in settings.components], 1)
    field = observatory.average(samples, settings.average_s)
    if not np.isfinite(field).all():
        raise UserError(
            f"part {part.attrs['part']}: each {settings.average_s} s must have a sample. Leave the day out."
        )
    return field
