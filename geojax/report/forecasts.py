"""Forecasts of rates of earthquakes and what came, as the pictures show them."""

import numpy as np
import pandas as pd

from geojax.data.events.cells import Catalogue, Cells
from geojax.scores import rates
from geojax.task import Outcome

LAT, LON = np.arange(-78.75, 80, 0.5), np.arange(20.25, 380, 0.5)  # the Pacific in the middle
LARGE = 7.8  # from this magnitude on an earthquake is named in the pictures


class Forecasts:
    """Counts, forecasts (month, cell) and events of the test months."""

    def __init__(self, outcome: Outcome) -> None:
        month, shared = outcome.examples.rows["month"], outcome.examples.shared
        self.counts, self.reference = shared["counts"][month], shared["reference"][month]
        self.earlier = shared["counts"][: month.min()].sum(1)  # events of each month before the test
        self.model, self.best = outcome.model, outcome.best_baseline
        self.baseline = outcome.baselines[self.best]
        self.methods = {"model": outcome.model, **outcome.baselines}
        self.times = pd.DatetimeIndex(outcome.index["time"])
        self.cells: Cells = shared["cells"]
        whole: Catalogue = shared["catalogue"]
        inside = np.searchsorted(shared["edges"], whole.time, "right") - 1
        tested = np.isin(inside, month)
        self.events = Catalogue(*(column[tested] for column in whole))
        self.month = np.searchsorted(month, inside[tested])  # as a split by time stands in order
        self.gain = {
            name: rates.log_likelihood(self.counts, own) - rates.log_likelihood(self.counts, self.reference)
            for name, own in self.methods.items()
        }

    def grid(self, values: np.ndarray) -> np.ndarray:
        """Values (cell,) on the map (lat, lon); NaN elsewhere."""
        lat, lon = np.meshgrid(LAT, LON, indexing="ij")
        return np.append(values[:-1], np.nan)[self.cells.of(lat.ravel(), lon.ravel())].reshape(lat.shape)

    @property
    def large(self) -> pd.DataFrame:
        """The large events of the test months."""
        table = pd.DataFrame(self.events._asdict()).assign(month=self.month)
        return table[table["magnitude"] >= LARGE]
