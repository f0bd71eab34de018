"""A task with its data at hand: what training, prediction, baselines, evaluation and report all open."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd
import xarray as xr

from geojax import store
from geojax import task as tasks
from geojax.data.parts import stem
from geojax.task import Examples, Settings, Task


@dataclass(frozen=True)
class Problem:
    """Normalized parts, scaling, index and the task that makes examples of them."""

    task: Task[Any]
    settings: Settings
    parts: Mapping[str, xr.Dataset]
    scaling: xr.Dataset
    index: pd.DataFrame

    @classmethod
    def open(cls, parts: Iterable[str], scaling: str, index: str, task: str, examples: dict[str, Any]) -> "Problem":
        """Open what the manifests stand for; arrays are read when examples are made of them."""
        chosen = tasks.load(task)
        return cls(
            chosen,
            tasks.settings_of(chosen, examples),
            {stem(path): store.read(path) for path in store.usable(parts)},
            store.read(scaling).load(),
            pd.read_parquet(store.beside(index, ".parquet")),
        )

    def rows(self, split: str) -> pd.DataFrame:
        """The index of one split."""
        return self.index[self.index["split"] == split].reset_index(drop=True)

    def examples(self, split: str) -> Examples:
        """The examples of one split, in the order of its rows."""
        return self.task.examples(self.rows(split), self.parts, self.scaling, self.settings)

    def creator(self, model: dict[str, Any], train: Examples) -> Callable[[Any], Any]:
        """What makes a new model from random streams."""
        sizes = {key: value for key, value in model.items() if key != "name"}
        return partial(self.task.model, model["name"], sizes, train, self.settings)

    def loss(self, model: Any, batch: Examples, key: Any, training: bool) -> Any:
        """The task's loss under its settings."""
        return self.task.loss(model, batch, key, training, self.settings)
