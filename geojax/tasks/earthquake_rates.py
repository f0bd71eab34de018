"""Rates of earthquakes in the cells of the Earth for the next month, from all earlier events of a catalogue.

A forecast of rates, not a prediction of events. To use your own catalogue: a dataset config like
config/datasets/global_cmt.yaml, whose reader gives `magnitude` (event) with time, latitude, longitude and depth (the
reader `table`, or `quakeml`), parts by year and `split: {by: time}`; in a run config like
config/runs/earthquake_rates.yaml, `completeness` is the magnitude above which your catalogue is complete in all years.
"""

import hashlib
from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar, Self

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import xarray as xr
from flax import nnx
from pydantic import Field, model_validator

from geojax import models
from geojax.data import logs
from geojax.data.events import rate_maps
from geojax.data.events.cells import Catalogue, Cells, days
from geojax.errors import UserError
from geojax.models.modulated import Modulated
from geojax.scores import rates
from geojax.task import Baseline, Examples, Outcome, Picture, Score, Settings, Task

if TYPE_CHECKING:
    from jax import Array

EPOCH = np.datetime64("1970-01", "M")
NEEDED = ("latitude", "longitude", "depth")


class RateSettings(Settings):
    """Which events count, on which cells, and what a method sees of them."""

    completeness: float = Field(default=5.5, description="least magnitude of events that count, as input and target")
    cell: float = Field(default=2.0, gt=0, description="size of cells in degrees of latitude, and at the equator")
    warmup_years: int = Field(
        default=5, ge=3, description="first years of the catalogue, which are only looked back on"
    )
    level_years: int = Field(default=10, ge=1, description="years back that tell how many events to expect worldwide")
    neighbours: tuple[int, ...] = Field(
        default=(1, 2, 4), description="neighbours whose distance sets a kernel's width"
    )
    uniform: float = Field(default=3e-4, gt=0, lt=1, description="share of smoothed seismicity that is spread by area")
    reference: int = Field(default=1, ge=0, description="background of the reference: that which validation prefers")
    laws: tuple[tuple[float, float, float], ...] = Field(
        default=((0.2, 0.7, 3.0), (0.5, 1.05, 3.0), (0.8, 1.3, 3.0), (0.8, 1.3, 20.0)),
        description="alpha, p and width in km of the triggered rates that the model weighs",
    )
    window: int = Field(default=12, ge=2, description="months that the network steps through")
    judged: int = Field(default=6, ge=1, description="last months of a window that training judges")
    stride: int = Field(default=4, ge=1, description="training sees one of so many cells, others in each window")
    evaluations: int = Field(default=60, ge=5, description="trials of the constants of Omori's law")

    @model_validator(mode="after")
    def window_fits(self) -> Self:
        if not self.judged <= self.window <= 12 * self.warmup_years - 12:
            raise ValueError("judged must not exceed window, nor window warmup_years less one")
        return self


class EarthquakeRates(Task[RateSettings]):
    question = (
        "How many earthquakes are to be expected in each cell of the Earth in the next month, given all that came "
        "before it? A forecast of rates: it tells where and when events are more likely, and predicts none."
    )
    settings_type = RateSettings
    models = ("gru",)
    headline = Score("information_gain", "information gain over smoothed seismicity", "nats per event", True)
    predicted: ClassVar = {"long_name": "expected number of earthquakes of the month", "units": "1"}
    groups = "quarters"

    def index(self, part: xr.Dataset) -> pd.DataFrame:
        if absent := [name for name in ("magnitude", "time", *NEEDED) if name not in part.variables]:
            raise UserError(
                f"part {part.attrs['part']}: must hold {', '.join(absent)}, but holds "
                f"{', '.join(map(str, part.variables))}. Correct `reader` in the dataset's configuration."
            )
        events = Catalogue.gather([part], self.settings.completeness)
        year = part["time"].values.min().astype("datetime64[Y]")
        if part["time"].values.max().astype("datetime64[Y]") != year:
            raise UserError(f"part {part.attrs['part']}: must hold events of one year. Set `parts: by: year`.")
        last = part["time"].values.max().astype("datetime64[M]")  # a year that is not over ends with its last event
        months = np.arange(year.astype("datetime64[M]"), last + 1)
        place = np.searchsorted(events.time, days(np.append(months, last + 1)))
        own = [slice(*ends) for ends in pairwise(place)]
        table = np.stack(events, 1)
        times = pd.to_datetime(months.astype("datetime64[ns]"))
        return pd.DataFrame(
            {
                "position": np.arange(len(months)),
                "month": (months - EPOCH).astype(int),
                "group": times.to_period("Q").astype(str),
                "time": times,
                "end": times + pd.offsets.MonthBegin() - pd.Timedelta(seconds=1),
                "events": [o.stop - o.start for o in own],
                "content": [
                    hashlib.sha256(table[o].tobytes()).hexdigest() if o.stop > o.start else None for o in own
                ],  # a month without events tells nothing
            }
        )

    def expand(self, index: pd.DataFrame) -> pd.DataFrame:
        """Without the first years, and with the day before which cells may be known."""
        kept = index[index["time"] >= index["time"].min() + pd.DateOffset(years=self.settings.warmup_years)]
        return kept.reset_index(drop=True).assign(known=index.loc[index["split"] == "train", "end"].max())

    def examples(self, index: pd.DataFrame, parts: Mapping[str, xr.Dataset], scaling: xr.Dataset) -> Examples:
        return self.pool(index, index, parts, scaling)

    def pool(
        self, index: pd.DataFrame, whole: pd.DataFrame, parts: Mapping[str, xr.Dataset], scaling: xr.Dataset
    ) -> Examples:
        every = Catalogue.gather(parts.values(), self.settings.completeness)
        first = np.datetime64(int(every.time[0]), "D").astype("datetime64[Y]").astype("datetime64[M]")
        months = np.arange(first, EPOCH + int(whole["month"].max()) + 1)
        edges = days(np.append(months, months[-1] + 1))
        catalogue = every.before(edges[-1])
        learned = every.before(float(days(np.array([whole["known"].iloc[0]], "datetime64[ns]"))[0]))
        cells = Cells.around(learned.lat, learned.lon, self.settings.cell)
        month = (index["month"] - int((first - EPOCH).astype(int))).to_numpy("int32")
        begin = int(whole["month"].min()) - int((first - EPOCH).astype(int)) + 1 - self.settings.window
        wanted = self.settings.model_dump(include={"level_years", "neighbours", "uniform", "reference", "laws"})
        shared = rate_maps.known(
            catalogue, cells, edges, self.settings.completeness, max(begin, 0) // 12 * 12, **wanted
        )
        shared |= {"static": rate_maps.deep_shares(learned, cells)}
        return Examples({"month": month}, shared)

    def model(self, name: str, sizes: dict[str, Any], train: Examples, rngs: nnx.Rngs) -> nnx.Module:
        shared = train.shared
        rows = shared["inputs"][train.rows["month"]]
        center, spread = logs.moments(rows.reshape(-1, rows.shape[-1]))
        network = models.load(name)(
            rows.shape[-1], 2, shared["static"].shape[1], **({"sequence": True} | sizes), rngs=rngs
        )
        maps, laws = shared["background"].shape[-1], len(self.settings.laws)
        return Modulated(network, maps, laws, center, spread, productivity=0.01, window=self.settings.window)

    def loss(self, model: Any, batch: Examples, key: "Array", training: bool) -> "Array":
        """Minus the log-likelihood per event, but for what no forecast changes."""
        last, every = self.settings.judged if training else 1, batch.shared["counts"].shape[1]
        own = batch.rows["month"], jax.random.split(key, len(batch.rows["month"]))

        def of_month(row: tuple["Array", "Array"]) -> "Array":
            drop, pick = jax.random.split(row[1])
            some = self.settings.stride * jnp.arange(every // self.settings.stride)
            cells = (jax.random.randint(pick, (), 0, every) + some) % every if training else slice(None)
            expected = _forecast(model, batch.shared, row[0], last, cells, drop if training else None)
            counts = _last(batch.shared["counts"], row[0], last)[:, cells]
            return jnp.mean(expected - counts * jnp.log(expected)) * every

        usual = jnp.mean(jnp.sum(batch.shared["counts"], 1))
        return jnp.mean(jax.lax.map(of_month, own)) / usual

    def predict(self, model: Any, batch: Examples) -> "Array":
        return jax.lax.map(lambda month: _forecast(model, batch.shared, month, 1)[0], batch.rows["month"])

    def baselines(self) -> Mapping[str, Baseline]:
        from geojax.baselines import seismicity as classical

        return {
            "climatology": classical.Climatology(),
            "smoothed seismicity": classical.SmoothedSeismicity(),
            "Omori's law": classical.OmoriClusters(self.settings.completeness, self.settings.evaluations),
        }

    def statistics(
        self, index: pd.DataFrame, examples: Examples, predictions: np.ndarray, scaling: xr.Dataset
    ) -> xr.Dataset:
        counts, reference = (examples.shared[name][examples.rows["month"]] for name in ("counts", "reference"))
        return rates.sums(counts, predictions, reference, index["group"].to_numpy())

    def score(self, statistics: xr.Dataset) -> xr.Dataset:
        return xr.Dataset(
            {
                "information_gain": rates.information_gain(statistics),
                "log_likelihood_per_event": statistics["log_likelihood"] / statistics["events"],
                "expected_per_observed": statistics["expected"] / statistics["events"],
            }
        )

    def pictures(self, outcome: Outcome) -> list[Picture]:
        from geojax.report import seismicity as drawn

        return drawn.rate_pictures(outcome)


TASK = EarthquakeRates


def _last(series: "Array", month: "Array", count: int) -> "Array":
    """The last months up to and with `month`, (count, …)."""
    return jax.lax.dynamic_slice_in_dim(jnp.asarray(series), month + 1 - count, count)


def _forecast(
    model: Any, shared: Mapping[str, "Array"], month: "Array", last: int, cells: Any = slice(None), key: Any = None
) -> "Array":
    """Expected counts (last, cell) of the last months up to and with `month`."""
    inputs = _last(shared["inputs"], month, model.window)[:, cells].swapaxes(0, 1)
    maps = (_last(shared[name], month, last)[:, cells] for name in ("background", "triggered"))
    return model(inputs, jnp.asarray(shared["static"])[cells], *maps, key)
