"""Forecast an index of the ring current some hours ahead from its own past.

To use another index (Dst, SYM-H at any step, an observatory's own): a dataset config whose reader gives series (time,)
without gaps in their times, in parts much longer than `spin_up`, as years, and a run config as
config/runs/storm_forecast.yaml that names the variable to forecast, those to forecast from, and the leads in steps.
Other drivers on the same times, such as the solar wind, may stand among the inputs. `geojax apply RUN FILES` forecasts
from every step of files of the same form at which the last `spin_up` steps are known.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import xarray as xr
from flax import nnx
from pydantic import Field

from geojax import models
from geojax.baselines import boosted_forecasts
from geojax.baselines import forecasts as classical
from geojax.data import likeness
from geojax.data.magnetism import storms, stretches
from geojax.errors import UserError
from geojax.scores import forecasts, regression
from geojax.task import Baseline, Data, Examples, Outcome, Picture, Score, Settings, Task


class StormSettings(Settings):
    """What is forecast, from what, and how far ahead; lengths are in steps of the series, here hours."""

    target: str = "rc"
    inputs: tuple[str, ...] = ("rc_external", "rc_internal")
    leads: tuple[int, ...] = Field(default=(1, 3, 6, 12, 24), min_length=1, description="steps ahead")
    spin_up: int = Field(default=96, ge=1, description="steps seen before the first forecast of a stretch")
    origins: int = Field(default=96, ge=1, description="forecasts of each stretch, one at each step")
    lags: int = Field(default=24, ge=1, description="steps that the linear forecast under the model looks back")
    ridge: float = Field(default=1e-5, ge=0, description="penalty of the linear forecast under the model")
    trees: int = Field(default=300, ge=1, description="trees of a boosted machine, at most")
    storm: float = Field(default=-50.0, lt=0, description="at or below this value, nT, is a storm")

    @property
    def length(self) -> int:
        return self.spin_up + self.origins + max(self.leads)


class StormForecast(Task[StormSettings]):
    question = (
        "What will the index of the ring current be 1 to 24 hours from now, given its own last days alone? Without the "
        "solar wind the beginning of a storm cannot be foreseen; its recovery can."
    )
    settings_type = StormSettings
    models = ("residual_lstm",)
    headline = Score("rmse", "RMSE of the forecasts", "nT", higher_is_better=False, slices="lead")
    predicted: ClassVar = {"long_name": "forecast of the index at each origin and lead", "units": "nT"}
    groups = "calendar months"

    def index(self, part: xr.Dataset) -> pd.DataFrame:
        times, series = part["time"].values, part[self.settings.target].values
        _check_steps(part.attrs["part"], times)
        if self.settings.lags > self.settings.spin_up + 1:
            raise UserError(
                f"examples: lags ({self.settings.lags}) must fit into spin_up ({self.settings.spin_up}). Mend one."
            )
        start = stretches.starts(len(times), self.settings.length, self.settings.origins)
        own = (
            np.lib.stride_tricks.sliding_window_view(series, self.settings.length)[start]
            if start.size
            else series[:0, None]
        )
        return pd.DataFrame(
            {
                "position": start,
                "group": times[start].astype("M8[M]").astype(str),
                "time": times[start],
                "end": times[start + self.settings.length - 1],
                "content": [hashlib.sha256(each.tobytes()).hexdigest() for each in own],
                "fingerprint": list(likeness.fingerprint(own)) if start.size else [],
            }
        )

    def examples(self, index: pd.DataFrame, parts: Mapping[str, xr.Dataset], scaling: xr.Dataset) -> Examples:
        return self.pool(index, index, parts, scaling)

    def pool(
        self, index: pd.DataFrame, whole: pd.DataFrame, parts: Mapping[str, xr.Dataset], scaling: xr.Dataset
    ) -> Examples:
        # A series is small beside the stretches that are cut from it: all of it is shared, of rows only some come.
        pieces = {part: _series(parts[part], scaling, self.settings) for part in whole["part"].unique()}
        counts = {part: len(piece["target"]) for part, piece in pieces.items()}
        before = dict(zip(counts, np.cumsum([0, *counts.values()]), strict=False))
        offset = index["part"].map(before).to_numpy()
        start = offset + index["position"].to_numpy()
        last = offset + index["part"].map(counts).to_numpy() - self.settings.length
        shared = {
            name: np.concatenate([piece[name] for piece in pieces.values()]) for name in next(iter(pieces.values()))
        }
        step_h = np.diff(shared["minute"][:2]) / 60
        shared |= {"step_h": step_h.astype("float32"), "threshold": np.array([self.settings.storm], "float32")}
        shared["leads"] = np.array(self.settings.leads, "int32")
        shared["spin_up"] = np.arange(self.settings.spin_up, dtype="int32")
        shared["origins"] = self.settings.spin_up + np.arange(self.settings.origins, dtype="int32")
        rows = {"start": start, "latest": np.minimum(start + self.settings.origins, last)}
        return Examples({name: own.astype("int32") for name, own in rows.items()}, shared)

    def model(self, name: str, sizes: dict[str, Any], train: Examples, rngs: nnx.Rngs) -> nnx.Module:
        (weight,) = classical.regression(train, self.settings.lags, [self.settings.ridge])
        count = self.settings.lags * len(self.settings.inputs)
        kernel = weight[:count].reshape(self.settings.lags, len(self.settings.inputs), -1)
        places = stretches.origins(train).ravel()[::7]
        linear = stretches.lagged(train, self.settings.lags, places) @ weight[:-1] + weight[-1]
        truth = train.shared["target"][places[:, None] + train.shared["leads"]]
        spread = np.sqrt(np.nanmean((linear - truth) ** 2, 0))
        return models.load(name)(kernel, weight[count:-1], weight[-1], spread, **sizes, rngs=rngs)

    def loss(self, model: Any, batch: Examples, key: jax.Array, training: bool) -> jax.Array:
        """Mean square error of each lead in units of the linear forecast's, averaged over leads."""
        start, shared = batch.rows["start"], batch.shared
        if training:
            draw, key = jax.random.split(key)
            start = jax.random.randint(draw, start.shape, start, jnp.maximum(batch.rows["latest"], start) + 1)
        predicted = _forecast(model, start, shared, key if training else None)
        truth = shared["target"][start[:, None, None] + shared["origins"][:, None] + shared["leads"]]
        known = jnp.isfinite(truth)
        square = jnp.where(known, (predicted - jnp.where(known, truth, 0)) / model.spread[...], 0) ** 2
        return jnp.sum(square) / jnp.maximum(jnp.sum(known), 1)

    def predict(self, model: Any, batch: Examples) -> jax.Array:
        return _forecast(model, batch.rows["start"], batch.shared, None)

    def baselines(self) -> Mapping[str, Baseline]:
        return {
            "persistence": classical.Persistence(),
            "relaxation": classical.Relaxation(),
            "ridge autoregression": classical.RidgeAutoregression(),
            "boosted trees": boosted_forecasts.BoostedTrees(trees=self.settings.trees),
        }

    def statistics(
        self, index: pd.DataFrame, examples: Examples, predictions: np.ndarray, scaling: xr.Dataset
    ) -> xr.Dataset:
        shared, origin = examples.shared, stretches.origins(examples)[..., None]
        series, leads, (step_h,) = shared["target"], shared["leads"], shared["step_h"]
        target = origin + leads
        truth, present = series[target], np.broadcast_to(series[origin], target.shape)
        found = storms.find(series, float(shared["threshold"][0]), round(24 / step_h))
        slices = {
            "lead": ([f"{lead * step_h:g} h" for lead in leads], np.arange(len(leads))),
            "phase": (storms.PHASES, storms.phases(found, np.broadcast_to(origin, target.shape), target, len(series))),
            "disturbance": (storms.CLASSES, storms.intensity(truth)),
        }
        month = np.broadcast_to(shared["minute"][origin].astype("M8[m]").astype("M8[M]"), target.shape)
        return forecasts.sums(truth, predictions, present, month.astype(str), slices)

    def score(self, statistics: xr.Dataset) -> xr.Dataset:
        found = {}
        for kept in ("", "lead", "phase", "disturbance"):
            summed = statistics.sum([d for d in ("lead", "phase", "disturbance") if d != kept])
            suffix = f"_by_{kept}" if kept else ""
            found |= {f"rmse{suffix}": regression.root_mean_square(summed), f"skill{suffix}": forecasts.skill(summed)}
        return xr.Dataset(found)

    def pictures(self, outcome: Outcome) -> list[Picture]:
        from geojax.report import ring_current

        return ring_current.storm_pictures(outcome)

    def apply(
        self, predict: Callable[[Examples], np.ndarray], files: Sequence[Path], output: Path, data: Data
    ) -> list[Path]:
        from geojax.data.magnetism import outlook

        return outlook.write(predict, files, output, data, self.settings)


TASK = StormForecast


def _check_steps(part: str, times: np.ndarray) -> None:
    if len(times) > 1 and (steps := np.unique(np.diff(times))).size > 1:
        raise UserError(
            f"part {part}: times must be equally far apart, but lie {steps.min()} to {steps.max()} apart. "
            "Bring the missing ones as missing values."
        )


def _series(part: xr.Dataset, scaling: xr.Dataset, settings: StormSettings) -> dict[str, np.ndarray]:
    """What all examples share of one part, along its times."""
    center, spread = (scaling[f"{settings.target}_{of}"] for of in ("center", "spread"))
    if "month" in center.dims:
        center = center.sel(month=part["time"].dt.month)
    values = np.stack([part[name].values for name in settings.inputs], 1)
    times = part["time"].values
    return {
        "target": (part[settings.target].values * spread.values + center.values).astype("float32"),
        "values": np.nan_to_num(values).astype("float32"),
        "clock": stretches.clock(times),
        "minute": times.astype("M8[m]").astype("int32"),
    }


def _forecast(model: Any, start: jax.Array, shared: Mapping[str, jax.Array], key: jax.Array | None) -> jax.Array:
    """Forecasts (example, origin, lead) of stretches that begin at `start` (example,)."""
    places = start[:, None] + jnp.concatenate([shared["spin_up"], shared["origins"]])
    return model(shared["values"][places], shared["clock"][places], len(shared["origins"]), key)
