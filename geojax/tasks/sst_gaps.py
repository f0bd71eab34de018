"""Fill gaps in sea surface temperature, each month from its own observed cells.

To use your own field: a dataset config whose reader gives one variable (time, lat, lon), with `scaling: center: month`
and parts by year, and a run config as config/runs/sst_gaps.yaml. The gaps are artificial, so that what they hide is
known.
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
from geojax.baselines import gap_filling
from geojax.data import gaps, likeness
from geojax.scores import regression
from geojax.task import Baseline, Examples, Outcome, Picture, Score, Settings, Task


class GapSettings(Settings):
    """Which gaps are drawn, and how the training years are cross-fitted."""

    variable: str = "sst"
    coverages: tuple[float, ...] = Field(default=(0.25, 0.5, 0.75, 0.9), description="hidden shares that are scored")
    training_coverage: tuple[float, float] = Field(default=(0.2, 0.93), description="range that training draws from")
    training_gaps: int = Field(default=48, ge=1, description="gaps of each training year")
    evaluation_gaps: int = Field(default=4, ge=1, description="gaps of each evaluated year and coverage")
    folds: int = Field(default=5, ge=2, description="blocks of training years; each is restored by the others")
    corrected_months: int = Field(default=8, ge=1, description="months that the U-Net sees of each training example")
    penalty: float = Field(default=1.6e-3, ge=0, description="weight of the covariance's departures from stationarity")
    seed: int = 0


class SSTGaps(Task[GapSettings]):
    question = (
        "What is the sea surface temperature anomaly under artificial, cloud-like gaps that hide 25 to 90 % of the "
        "ocean, given only what the same month shows outside them?"
    )
    settings_type = GapSettings
    models = ("gap_filler",)
    headline = Score("rmse", "RMSE of hidden cells", "K", higher_is_better=False, slices="coverage")
    predicted: ClassVar = {"long_name": "restored anomaly from the monthly climatology", "units": "K"}
    groups = "years"

    def index(self, part: xr.Dataset) -> pd.DataFrame:
        year, fields = int(part["time"].dt.year[0]), part[self.settings.variable].values
        return pd.DataFrame(
            {
                "position": [0],
                "group": [str(year)],
                "time": part["time"].values[:1],
                "end": part["time"].values[-1:],
                "year": [year],
                "content": [hashlib.sha256(fields.tobytes()).hexdigest()],
                "fingerprint": [likeness.fingerprint(fields)],  # one of each month
            }
        )

    def expand(self, index: pd.DataFrame) -> pd.DataFrame:
        rows = []
        for row in index.to_dict("records"):
            if row["split"] == "train":
                generator = np.random.default_rng([self.settings.seed, row["year"]])
                share = generator.uniform(*self.settings.training_coverage, self.settings.training_gaps)
                rows += [row | {"coverage": c, "draw": i} for i, c in enumerate(share)]
            else:
                several = range(self.settings.evaluation_gaps)
                rows += [row | {"coverage": c, "draw": i} for c in self.settings.coverages for i in several]
        return pd.DataFrame(rows)

    def examples(self, index: pd.DataFrame, parts: Mapping[str, xr.Dataset], scaling: xr.Dataset) -> Examples:
        return self.pool(index, index, parts, scaling)

    def pool(
        self, index: pd.DataFrame, whole: pd.DataFrame, parts: Mapping[str, xr.Dataset], scaling: xr.Dataset
    ) -> Examples:
        # Training draws on the months of all training years at once: of them only the gaps come in pools.
        training = bool((index["split"] == "train").all())
        name = self.settings.variable
        known = xr.ufuncs.isfinite(scaling[f"{name}_center"]).all("month").values
        ocean = known & (scaling[f"{name}_spread"] > 0).values
        spread = np.broadcast_to(scaling[f"{name}_spread"].values, ocean.shape)[ocean]
        read = (whole if training else index)["part"].unique()
        years = {part: parts[part][name].values[:, ocean] * spread for part in read}
        hidden = np.stack([_gap(ocean, row, self.settings) for row in index.itertuples()])
        lat, lon = np.meshgrid(scaling["lat"], scaling["lon"], indexing="ij")
        places = np.stack([lat[ocean], lon[ocean]], -1)
        rows = {"hidden": hidden, "coverage": index["coverage"].to_numpy("float32")}
        shared = {"weight": np.cos(np.radians(places[:, 0])).astype("float32")}
        if training:
            blocks = np.array_split(sorted(years), self.settings.folds)
            fold = {part: i for i, block in enumerate(blocks) for part in block}
            rows["fold"] = index["part"].map(fold).to_numpy("int32")
            return Examples(rows, shared | _cross_fitted(years, blocks) | {"places": places, "ocean": ocean})
        others = (parts[part].sizes["time"] for part in whole["part"].unique() if part not in years)
        length = max([*map(len, years.values()), *others])
        fields = np.full((len(index), length, ocean.sum()), np.nan, "float32")
        for i, part in enumerate(index["part"]):
            fields[i, : len(years[part])] = years[part]
        return Examples(rows | {"fields": fields, "year": index["year"].to_numpy("int32")}, shared)

    def model(self, name: str, sizes: dict[str, Any], train: Examples, rngs: nnx.Rngs) -> nnx.Module:
        shared = train.shared
        months = shared["months"]
        sample = months.T @ months / len(months)
        return models.load(name)(shared["ocean"], shared["places"], sample, months.std(0), **sizes, rngs=rngs)

    def loss(self, model: Any, batch: Examples, key: jax.Array, training: bool) -> jax.Array:
        weight = batch.shared["weight"]
        if not training:
            fields, hidden = batch.rows["fields"], batch.rows["hidden"]
            restored = jax.lax.map(lambda row: model(jnp.nan_to_num(row[0]), row[1]).corrected, (fields, hidden))
            return _mean_log_error(restored - fields, hidden, batch.rows["coverage"], weight, self.settings)
        rows = {**batch.rows, "key": jax.random.split(key, len(batch.rows["fold"]))}
        errors = jax.lax.map(lambda row: _row_error(model, row, batch.shared, self.settings), rows)
        return jnp.mean(errors) + self.settings.penalty * model.covariance.penalty()

    def predict(self, model: Any, batch: Examples) -> jax.Array:
        rows = jnp.nan_to_num(batch.rows["fields"]), batch.rows["hidden"]
        return jax.lax.map(lambda row: model(*row).corrected, rows)

    def baselines(self) -> Mapping[str, Baseline]:
        return {
            "climatology": gap_filling.Climatology(),
            "EOF regression": gap_filling.EOFRegression(modes=10),
            "DINEOF": gap_filling.DINEOF(),
            "optimal interpolation": gap_filling.OptimalInterpolation(),
        }

    def statistics(
        self, index: pd.DataFrame, examples: Examples, predictions: np.ndarray, scaling: xr.Dataset
    ) -> xr.Dataset:
        fields, hidden = examples.rows["fields"], examples.rows["hidden"]
        weight = np.where(np.isfinite(fields), hidden[:, None] * examples.shared["weight"], 0.0)
        group, coverage = index["group"].to_numpy(), index["coverage"].to_numpy()
        return regression.squared_error(fields, predictions, weight, group, coverage, "coverage")

    def score(self, statistics: xr.Dataset) -> xr.Dataset:
        every = regression.root_mean_square(statistics.mean("coverage"))  # weighs coverages by their hidden cells
        return xr.Dataset({"rmse": every, "rmse_by_coverage": regression.root_mean_square(statistics)})

    def pictures(self, outcome: Outcome) -> list[Picture]:
        from geojax.report import maps

        return maps.gap_pictures(outcome)


TASK = SSTGaps


def _gap(ocean: np.ndarray, row: Any, settings: GapSettings) -> np.ndarray:
    """The gap of a row of the index: the same whatever other rows there are."""
    kind = {"train": 0, "validation": 1, "test": 2}[row.split]
    seed = [settings.seed, kind, row.year, row.draw, round(1000 * row.coverage)]
    return gaps.draw(np.random.default_rng(seed), ocean, row.coverage)


def _cross_fitted(years: dict[str, np.ndarray], blocks: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Held blocks and the covariance of the rest, both about the climatology of the rest.

    Recentring takes a held block as far from its reference as years that no method has seen.
    """
    cells = next(iter(years.values())).shape[1]
    held, samples = [], []
    for block in blocks:
        rest = np.stack([fields for part, fields in years.items() if part not in block])
        mean = rest.mean(0)
        flat = (rest - mean).reshape(-1, cells)
        samples.append(flat.T @ flat / len(flat))
        held.append(np.concatenate([years[part] - mean for part in block]))
    length = min(map(len, held))
    months = np.concatenate(list(years.values()))
    blocks_of = np.stack([block[-length:] for block in held]).astype("float32")
    return {"blocks": blocks_of, "samples": np.stack(samples).astype("float32"), "months": months}


def _row_error(
    model: Any, row: dict[str, jax.Array], shared: Mapping[str, jax.Array], settings: GapSettings
) -> jax.Array:
    """Error of one gap over its held block: the analysis by its own, the network by what the analysis leaves."""
    fields, hidden, weight = shared["blocks"][row["fold"]], row["hidden"], shared["weight"]
    analysis, deviation = model.analyse(shared["samples"][row["fold"]], fields, hidden)
    linear = _relative_error(analysis - fields, hidden, row["coverage"], weight)
    mixed = _mix_months(row["key"], settings.corrected_months, fields, jax.lax.stop_gradient(analysis))
    left = (model.correct(mixed[0], hidden, mixed[1], deviation) - mixed[0]) ** 2
    share = weight * hidden
    return linear + jnp.sum(share * left) / jnp.sum(share * deviation**2) / len(left)


def _mix_months(key: jax.Array, count: int, fields: jax.Array, analysis: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Months of one gap mixed in pairs by random angles; as the analysis is linear, its mixture is exact."""
    pick, turn = jax.random.split(key)
    one, two = jax.random.randint(pick, (2, count), 0, len(fields))
    angle = jax.random.uniform(turn, (count, 1), maxval=2 * jnp.pi)
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    return cos * fields[one] + sin * fields[two], cos * analysis[one] + sin * analysis[two]


def _relative_error(error: jax.Array, hidden: jax.Array, coverage: jax.Array, weight: jax.Array) -> jax.Array:
    """Weighted mean square (month, cell) over hidden cells, relative to what is usual at the coverage."""
    share = weight * hidden
    return jnp.sum(share * error**2) / jnp.sum(share) / len(error) / (0.02 + 0.1 * coverage**2)


def _mean_log_error(
    error: jax.Array, hidden: jax.Array, coverage: jax.Array, weight: jax.Array, settings: GapSettings
) -> jax.Array:
    """Mean over coverages of the log of the RMSE, errors (example, month, cell); absent months are NaN."""
    share = jnp.where(jnp.isfinite(error), (weight * hidden)[:, None], 0.0)
    square, total = (jnp.sum(x, (1, 2)) for x in (share * jnp.nan_to_num(error) ** 2, share))
    logs = [
        0.5 * jnp.log(jnp.sum(square * own) / jnp.sum(total * own))
        for own in (jnp.abs(coverage - c) < 1e-6 for c in settings.coverages)
    ]
    return jnp.mean(jnp.stack(logs))
