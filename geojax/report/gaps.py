"""Errors of filled gaps, as the maps show them."""

import numpy as np
import pandas as pd
import xarray as xr

from geojax.task import Outcome


class Fields:
    """Truth, model and baselines (example, month, cell) in K, with the grid that the cells belong to."""

    def __init__(self, outcome: Outcome) -> None:
        rows, scaling = outcome.examples.rows, outcome.scaling
        name = next(str(v) for v in scaling.data_vars if str(v).endswith("_center")).removesuffix("_center")
        known = xr.ufuncs.isfinite(scaling[f"{name}_center"]).all("month").values
        self.ocean = known & (scaling[f"{name}_spread"] > 0).values  # the cells, as in the task's examples
        self.lat, self.lon = scaling["lat"].values, scaling["lon"].values
        self.truth, self.hidden, self.coverage = rows["fields"], rows["hidden"], rows["coverage"]
        self.weight, self.year = outcome.examples.shared["weight"], rows["year"]
        self.index, self.best = outcome.index, outcome.best_baseline
        self.model, self.baseline = outcome.model, outcome.baselines[outcome.best_baseline]
        self.methods = {"model": outcome.model, **outcome.baselines}
        self.coverages = sorted(float(c) for c in np.unique(self.coverage))

    def grid(self, cells: np.ndarray) -> np.ndarray:
        """Values (cell,) on the grid (lat, lon), NaN on land."""
        field = np.full(self.ocean.shape, np.nan)
        field[self.ocean] = cells
        return field

    def _shares(self) -> np.ndarray:
        """Weights (example, month, cell) of the scored cells."""
        return np.where(np.isfinite(self.truth), (self.hidden * self.weight)[:, None], 0.0)

    def rmse(self, values: np.ndarray) -> np.ndarray:
        """RMSE (example, month) over the hidden cells; NaN for months that are absent."""
        share = self._shares()
        total = share.sum(-1)
        square = (share * np.nan_to_num(values - self.truth) ** 2).sum(-1)
        return np.sqrt(np.divide(square, total, out=np.full(total.shape, np.nan), where=total > 0))

    def typical(self, coverage: float) -> tuple[int, int]:
        """Example and month with the median RMSE of the model among those of a coverage."""
        error = np.where(np.isclose(self.coverage, coverage)[:, None], self.rmse(self.model), np.nan)
        order = np.argsort(error, axis=None, kind="stable")  # NaN last
        middle = order[(np.isfinite(error).sum() - 1) // 2]
        example, month = np.unravel_index(middle, error.shape)
        return int(example), int(month)

    def rmse_by_cell(self, values: np.ndarray) -> np.ndarray:
        """RMSE (cell,) over the months and gaps that hide the cell."""
        share = np.where(np.isfinite(self.truth), self.hidden[:, None], 0.0)
        total = share.sum((0, 1))
        square = (share * np.nan_to_num(values - self.truth) ** 2).sum((0, 1))
        return np.sqrt(np.divide(square, total, out=np.full(total.shape, np.nan), where=total > 0))

    def rmse_by_year(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Years and the RMSE of each."""
        share = self._shares()
        square = share * np.nan_to_num(values - self.truth) ** 2
        years = np.unique(self.year)
        return years, np.array([np.sqrt(square[self.year == y].sum() / share[self.year == y].sum()) for y in years])

    def date(self, example: int, month: int) -> str:
        """Name of a month of an example, for instance March 2016."""
        first = pd.Timestamp(self.index["time"].iloc[example])
        return (first + pd.DateOffset(months=month)).strftime("%B %Y")
