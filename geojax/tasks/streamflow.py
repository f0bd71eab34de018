"""Discharge of rivers: simulated from weather alone, or forecast some days ahead from past flow and weather.

To use your own gauges, as of CAMELS: a table with a line for each day and basin, say `date, gauge_id, P, T, Q, area`,
in one file or in a file for each year, and a dataset config with

    reader:
      name: table
      variables:
        discharge: {name: Q, units: m3 s-1, standard_name: water_volume_transport_in_river_channel}
        precipitation: {name: P, units: mm, standard_name: lwe_thickness_of_precipitation_amount}
        temperature: {name: T, units: degree_Celsius, standard_name: air_temperature}
      options:
        time: date
        index: [time, basin]
        text: {basin: gauge_id}
        coordinates: {area: {units: km2}, latitude: {units: degrees_north}}
    parts: {by: year, first: 1980, last: 2014}

and as scaling, split and run those of lahn.yaml and streamflow.yaml. Parts are years, so that one file per basin needs
`from_name: {basin: "…"}` and a pattern without {part}. Discharge in mm per day is admitted, too; then area is not
needed. A day without a discharge is not scored; weather must be complete. Splits begin where hydrological years do,
and a year and more of weather must come before the first.
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
from pydantic import Field, model_validator

from geojax import models
from geojax.data import likeness
from geojax.data.rivers import basins, hydrology
from geojax.scores import hydrology as scores
from geojax.task import Baseline, Data, Examples, Outcome, Picture, Score, Settings, Task
from geojax.training.objectives import masked_mean_square

HORIZON = 366  # days of the longest row
HIGH, LOW = 2.0, 1 / 3  # high flow: mean and so many deviations of the reference years; low: this share of the mean


class FlowSettings(Settings):
    """What is known when, and how long a model looks back."""

    leads: tuple[int, ...] = Field(default=(0,), min_length=1, description="days ahead; [0] for a simulation")
    past_flow: bool = Field(default=False, description="whether discharge up to the day of the forecast is known")
    warmup: int = Field(default=365, ge=30, description="days of weather before the first that is scored")
    window: int = Field(default=365, ge=30, description="days after it that a training example is scored on")
    root: bool = Field(default=False, description="the network gives the root of flow, which so is never below zero")
    first_month: int = Field(default=11, ge=1, le=12, description="in which hydrological years begin")
    generations: int = Field(default=150, ge=1, description="of the calibration of HBV")
    latitude: float | None = Field(default=None, description="of basins whose data tell none, degrees")

    @model_validator(mode="after")
    def asks_what_is_not_given(self) -> "FlowSettings":
        if self.past_flow and not all(0 < lead < self.warmup for lead in self.leads):
            raise ValueError("leads must be days between 1 and warmup where past_flow is given, or the answer is known")
        if not self.past_flow and self.leads != (0,):
            raise ValueError("leads must be [0], a simulation, where no past_flow is given")
        return self


class Streamflow(Task[FlowSettings]):
    question = (
        "How much water does a river carry each day? Simulated from the weather up to that day, with no look at past "
        "flow; or forecast days ahead from past flow and past weather, with no weather of the days to come."
    )
    settings_type = FlowSettings
    models = ("lstm", "gru")
    headline = Score("nse", "NSE", "1", higher_is_better=True, slices="basin")
    predicted: ClassVar = {"long_name": "discharge as depth of water over the basin", "units": "mm d-1"}
    groups = "hydrological years"

    def index(self, part: xr.Dataset) -> pd.DataFrame:
        basins.check(part)
        times, month, rows = part["time"].values, self.settings.first_month, []
        for basin in part["basin"].values:
            own = np.stack([part[name].sel(basin=basin).values for name in basins.VARIABLES])
            for first, last in hydrology.runs_of_year(times, month):
                held = np.ascontiguousarray(own[:, first : last + 1])
                rows.append(
                    {
                        "position": first,
                        "group": str(hydrology.hydrological_year(times[first : first + 1], month)[0]),
                        "time": times[first],
                        "end": times[last],
                        "basin": str(basin),
                        "days": int((times[last] - times[first]) / basins.DAY) + 1,
                        "content": hashlib.sha256(held.tobytes()).hexdigest(),
                        "fingerprint": likeness.fingerprint(held[:1])[0],
                    }
                )
        return pd.DataFrame(rows)

    def examples(self, index: pd.DataFrame, parts: Mapping[str, xr.Dataset], scaling: xr.Dataset) -> Examples:
        return self.pool(index, index, parts, scaling)

    def pool(
        self, index: pd.DataFrame, whole: pd.DataFrame, parts: Mapping[str, xr.Dataset], scaling: xr.Dataset
    ) -> Examples:
        # Rows are windows of series that all of them share: the weather before a row lies in other parts.
        longest = max(HORIZON, self.settings.window)
        warmup, span = np.timedelta64(self.settings.warmup, "D"), np.timedelta64(longest, "D")
        first, last = whole["time"].min().to_datetime64() - warmup, whole["end"].max().to_datetime64() + span
        held = basins.gather(parts, scaling, first, last, self.settings.latitude)
        held.check_weather(whole, self.settings.warmup)
        scored = np.zeros(held.flow.shape, bool)
        for basin, start, days in zip(*held.places(whole), whole["days"], strict=True):
            scored[basin, start : start + days] = True
        target = np.where(scored, held.flow, np.nan).astype("float32")
        basin, start = held.places(index)
        day, length = np.arange(HORIZON), index["days"].to_numpy("int32")
        flow = np.where(day < length[:, None], target[basin[:, None], start[:, None] + day], np.nan)
        shared = {
            "weather": np.stack([held.precipitation, held.temperature, held.demand]).astype("float32"),
            "flow": np.where(held.days > whole["end"].max().to_datetime64(), np.nan, held.flow).astype("float32"),
            "target": target,
            "day_of_year": held.day_of_year,
            "center": held.center[2].astype("float32"),
            "spread": held.spread[2].astype("float32"),
            "inputs": held.inputs(self.settings.past_flow),
            "static": held.attributes(),
        }
        return Examples({"basin": basin, "start": start, "days": length, "flow": flow.astype("float32")}, shared)

    def model(self, name: str, sizes: dict[str, Any], train: Examples, rngs: nnx.Rngs) -> nnx.Module:
        inputs, static = train.shared["inputs"].shape[-1], train.shared["static"].shape[-1]
        network = models.load(name)(inputs, len(self.settings.leads), static, **sizes | {"sequence": True}, rngs=rngs)
        return Runoff(network, self.settings)

    def loss(self, model: Any, batch: Examples, key: jax.Array, training: bool) -> jax.Array:
        """Squared error over the variance of a basin's flow: Kratzert et al. (2019), doi:10.5194/hess-23-5089-2019."""
        rows, shared = batch.rows, batch.shared
        if not training:
            found, truth = model(rows, shared, rows["start"], HORIZON), rows["flow"]
        else:
            draw, drop = jax.random.split(key)
            days, last = self.settings.window, shared["target"].shape[1] - max(HORIZON, self.settings.window)
            middle = (
                rows["start"] + rows["days"] // 2 + jax.random.randint(draw, rows["start"].shape, -days // 2, days // 2)
            )
            start = jnp.clip(middle - days // 2, self.settings.warmup, max(self.settings.warmup, last - days))
            truth, found = cut(shared["target"], rows["basin"], start, days), model(rows, shared, start, days, drop)
        center, spread = (shared[name][rows["basin"]][:, None] for name in ("center", "spread"))
        target = ((truth - center) / spread)[..., None]
        return masked_mean_square(found, target, jnp.isfinite(target))

    def predict(self, model: Any, batch: Examples) -> jax.Array:
        rows, shared = batch.rows, batch.shared
        center, spread = (shared[name][rows["basin"]][:, None, None] for name in ("center", "spread"))
        return jnp.maximum(model(rows, shared, rows["start"], HORIZON) * spread + center, 0)

    def baselines(self) -> Mapping[str, Baseline]:
        from geojax.baselines import rainfall_runoff, streamflow

        leads = self.settings.leads
        if not self.settings.past_flow:
            ridge = streamflow.RidgeRegression(leads, streamflow.antecedent_weather)
            return {"HBV": rainfall_runoff.HBV(self.settings.generations), "ridge regression": ridge}
        return {
            "persistence": streamflow.Persistence(leads),
            "autoregression": streamflow.RidgeRegression(leads, streamflow.antecedent_flow),
            "ridge regression": streamflow.RidgeRegression(leads, streamflow.antecedent),
            "updated HBV": rainfall_runoff.UpdatedHBV(leads, self.settings.generations),
        }

    def statistics(
        self, index: pd.DataFrame, examples: Examples, predictions: np.ndarray, scaling: xr.Dataset
    ) -> xr.Dataset:
        center, spread = (examples.shared[name][examples.rows["basin"]] for name in ("center", "spread"))
        leads, limits = self.settings.leads, (center + HIGH * spread, LOW * center)
        return scores.sums(examples.rows["flow"], predictions, index["group"], index["basin"], leads, *limits)

    def score(self, statistics: xr.Dataset) -> xr.Dataset:
        return scores.table(statistics)

    def pictures(self, outcome: Outcome) -> list[Picture]:
        from geojax.report import hydrology as pictures

        return pictures.flow_pictures(outcome, self.settings.leads[-1])

    def apply(
        self, predict: Callable[[Examples], np.ndarray], files: Sequence[Path], output: Path, data: Data
    ) -> list[Path]:
        from geojax.data.rivers import discharge

        return discharge.write(predict, files, output, data, self.settings, HORIZON)


class Runoff(nnx.Module):
    """A recurrent network from the days up to each day to discharge some days ahead, in standard deviations."""

    def __init__(self, network: nnx.Module, settings: FlowSettings) -> None:
        self.network, self.leads, self.warmup, self.root = network, settings.leads, settings.warmup, settings.root

    def __call__(
        self,
        rows: Mapping[str, jax.Array],
        shared: Mapping[str, jax.Array],
        start: jax.Array,
        days: int,
        key: Any = None,
    ) -> jax.Array:
        """(row, day, lead) for so many days from `start`; what a lead of n says of a day was known n days before."""
        basin, warmup = rows["basin"], self.warmup
        x = cut(shared["inputs"], basin, start - warmup, warmup + days)
        found = self.network(x, key, static=shared["static"][basin])
        each = [found[:, warmup - lead : warmup - lead + days, i] for i, lead in enumerate(self.leads)]
        if not self.root:
            return jnp.stack(each, -1)
        ratio = (shared["center"] / shared["spread"])[basin][:, None, None]
        return ratio * ((1 + jnp.stack(each, -1)) ** 2 - 1)


TASK = Streamflow


def cut(series: jax.Array, basin: jax.Array, start: jax.Array, days: int) -> jax.Array:
    """Windows (row, day, …) of series (basin, time, …)."""
    of = jnp.asarray(series)
    return jax.vmap(lambda b, at: jax.lax.dynamic_slice_in_dim(of[b], at, days))(basin, start)
