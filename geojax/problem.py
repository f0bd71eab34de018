"""A task with its data at hand: what training, prediction, baselines, evaluation and report all open."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from geojax import store
from geojax import task as tasks
from geojax.data import gathered, pools
from geojax.data.gathered import Paths, stem
from geojax.data.opened import Known, Parts, begins
from geojax.errors import UserError
from geojax.task import Examples, Task


@dataclass(frozen=True)
class Problem:
    """Normalized parts, scaling, index and the task that makes examples of them.

    begins : the first time in each part that tells times
    opened : parts that examples were made of so far
    """

    task: Task[Any]
    parts: Mapping[str, xr.Dataset]
    scaling: xr.Dataset
    index: pd.DataFrame
    begins: Mapping[str, pd.Timestamp] = field(default_factory=dict)
    opened: set[str] = field(default_factory=set)

    @classmethod
    def open(
        cls, parts: Paths, scaling: Paths, index: str, task: str, examples: dict[str, Any],
        kept: xr.Dataset | None = None,
    ) -> "Problem":  # fmt: skip
        """Open what the lists of normalized parts and the manifests stand for; parts when examples are made of them.

        parts, scaling : of the run's dataset, or of each of its datasets, which are then not scaled
        kept : what the task kept with its model, once there is one
        """
        chosen = tasks.configured(task, examples)
        chosen.kept = kept
        usable = {stem(path): (path, told["time_span"]) for path, told in store.usable(gathered.read(parts))}
        return cls(
            chosen,
            Parts({name: path for name, (path, _) in usable.items()}),
            store.read(gathered.listed(scaling)[0]).load(),
            pd.read_parquet(store.beside(index, ".parquet")),
            begins({name: span for name, (_, span) in usable.items()}),
        )

    def rows(self, split: str) -> pd.DataFrame:
        """The index of one split."""
        return self.index[self.index["split"] == split].reset_index(drop=True)

    def known(self, rows: pd.DataFrame) -> Known:
        """The parts that these rows lie in, and all others that begin no later: examples hear of no later one.

        Where rows tell no times, or a part tells none, there is nothing later.
        """
        own = set(rows["part"].unique())
        told = rows["end" if "end" in rows else "time"].max() if "time" in rows else pd.NaT
        last = pd.Timestamp.max if pd.isna(told) else told
        names = [name for name in self.parts if name in own or self.begins.get(name, last) <= last]
        return Known(self.parts, names, self.opened)

    def examples(self, split: str) -> Examples:
        """The examples of one split, in the order of its rows."""
        rows = self.rows(split)
        return self.task.examples(rows, self.known(rows), self.scaling)

    def some(self, split: str, taken: np.ndarray | slice) -> Examples:
        """The examples of some rows of a split, in the order of the rows."""
        whole = self.rows(split)
        rows = whole.iloc[taken].reset_index(drop=True)
        return self.task.pool(rows, whole, self.known(whole), self.scaling)

    def fits(self, split: str, resident: int | None) -> bool:
        """Whether all examples of a split may be held at once."""
        return resident is None or int((self.index["split"] == split).sum()) <= resident

    def pool(self, resident: int, seed: int, number: int) -> Examples:
        """Pool `number` of the training examples."""
        return self.some("train", self.pooled(resident, seed, number))

    def pooled(self, resident: int, seed: int, number: int) -> np.ndarray:
        """Row numbers of that pool."""
        return pools.pool(self.rows("train"), resident, self.task.unit, seed, number)

    def some_training(self, resident: int | None) -> Examples:
        """Training examples that a model can be made of: all, or a few; of folds those of all rows."""
        if self.folded:
            return self.rotated()[0]
        if self.fits("train", resident):
            return self.examples("train")
        return self.some("train", pools.few(self.rows("train"), self.task.unit))

    def sampled(self, split: str, resident: int | None) -> np.ndarray:
        """Row numbers of a split: all if they may be held at once, else of a fixed sample."""
        rows = self.rows(split)
        if resident is None or self.fits(split, resident):
            return np.arange(len(rows))
        return pools.sample(rows, resident, self.task.unit)

    def sample(self, split: str, resident: int | None) -> Examples:
        """The examples of `sampled`."""
        return self.examples(split) if self.fits(split, resident) else self.some(split, self.sampled(split, resident))

    def blocks(self, split: str, resident: int | None) -> Iterator[tuple[slice, Examples]]:
        """All examples of a split in the order of its rows, at most `resident` at once, and where they stand."""
        if self.fits(split, resident):
            rows = self.rows(split)
            yield slice(0, len(rows)), self.examples(split)
            return
        for own in pools.blocks(len(self.rows(split)), resident):
            yield own, self.some(split, own)

    @property
    def folded(self) -> bool:
        """Whether each row is tested once, by what was trained without its fold."""
        return "fold" in self.index

    @cached_property
    def folds(self) -> list["Problem"]:
        """The problem of each fold; without folds the problem itself."""
        if not self.folded:
            return [self]
        count = int(self.index["fold"].max()) + 1
        return [replace(self, index=self.index.assign(split=rotated(self.index, f))) for f in range(count)]

    def in_order(self, split: str, pieces: Sequence[np.ndarray]) -> np.ndarray:
        """What was found for the rows of a split of each fold, in the order of the index, each row once."""
        rows = np.concatenate([np.flatnonzero(fold.index["split"] == split) for fold in self.folds])
        return np.concatenate(pieces)[np.argsort(rows)]

    def rotated(self) -> tuple[Examples, Examples]:
        """All rows as examples to train on and to be judged by, for folds that are trained at once.

        raises UserError : the task's training examples share what is made of all of them, so that a fold held out
            would be known to the others
        """
        train, judged = (
            self.task.examples(self.index.assign(split=split), self.known(self.index), self.scaling)
            for split in ("train", "validation")
        )
        if train.shared:
            raise UserError(
                f"split by fold: examples must share nothing, but those of the task share {', '.join(train.shared)}, "
                "which are made of all training data. Split by group or by time."
            )
        return train, judged

    def creator(self, model: dict[str, Any], train: Examples) -> Callable[[Any], Any]:
        """What makes a new model from random streams."""
        sizes = {key: value for key, value in model.items() if key != "name"}
        return partial(self.task.model, model["name"], sizes, train)

    def creators(self, model: dict[str, Any], every: Examples) -> list[Callable[[Any], Any]]:
        """For each fold what makes a new model: it knows the fold's training examples alone.

        every : as `some_training` gives them
        """
        if not self.folded:
            return [self.creator(model, every)]
        rows = (np.flatnonzero(fold.index["split"] == "train") for fold in self.folds)
        return [self.creator(model, every.take(own)) for own in rows]


def rotated(index: pd.DataFrame, fold: int) -> pd.Series:
    """The split of each row while `fold` is tested: the one after it validates."""
    after = (fold + 1) % (int(index["fold"].max()) + 1)
    return index["fold"].map({fold: "test", after: "validation"}).fillna("train")
