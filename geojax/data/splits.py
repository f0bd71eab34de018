"""Which examples train, validate and test a model."""

from typing import Any

import numpy as np
import pandas as pd

from geojax.errors import UserError

SPLITS = ("train", "validation", "test")


def assign(index: pd.DataFrame, split: dict[str, Any]) -> pd.DataFrame:
    """Add the column `split`; rows that belong to none are left out. By fold all test, each row in its `fold`.

    index : columns part, position, group, time and what the task adds
    split : the dataset's section `split`
    raises UserError : a group stands in no split, or there are fewer groups than folds
    """
    if split["by"] == "fold":
        fold = deal(index["group"].to_numpy(str), split["folds"], split["seed"])
        return index.assign(split="test", fold=fold).reset_index(drop=True)
    if split["by"] == "group":
        of = {group: name for name in SPLITS for group in split[name]}
        if strangers := sorted(set(index["group"]) - set(of)):
            raise UserError(
                f"split: {', '.join(strangers)} must stand in train, validation or test, but stand in none. "
                "Add them to the dataset's `split`."
            )
        return index.assign(split=index["group"].map(of)).reset_index(drop=True)
    chosen = pd.Series(pd.NA, index=index.index, dtype="object")
    for name in SPLITS:
        first, last = split[name]
        inside = index["time"] >= pd.Timestamp(first)
        if last is not None:
            inside &= index["time"] < pd.Timestamp(last) + pd.Timedelta(days=1)
        chosen[inside] = name
    return index.assign(split=chosen)[chosen.notna()].reset_index(drop=True)


def compared(index: pd.DataFrame) -> pd.DataFrame:
    """The index as the audit compares it: what must be apart has another `split`, be it a split or a fold."""
    return index.assign(split=[f"fold {fold + 1}" for fold in index["fold"]]) if "fold" in index else index


def rank(split: str) -> int:
    """Where a split, or a fold, stands among its kind: training first."""
    return SPLITS.index(split) if split in SPLITS else int(split.removeprefix("fold "))


def deal(groups: np.ndarray, count: int | None, seed: int) -> np.ndarray:
    """The fold (row,) of each row: whole groups dealt to folds of about as many rows.

    groups : (row,)
    count : number of folds; None for one of each group
    raises UserError : there are fewer groups than folds
    """
    names, place, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    wanted = count or len(names)
    if len(names) < max(wanted, 3):
        raise UserError(
            f"split: folds: must be from 3 to the number of groups, but there are {len(names)} groups and "
            f"{count or 'a fold for each'} is asked for. Change `folds`, or bring more groups."
        )
    if count is None:
        return place
    fold, filled = np.empty(len(names), int), np.zeros(count, int)
    shuffled = np.random.default_rng(seed).permutation(len(names))
    for i in sorted(shuffled, key=lambda i: -sizes[i]):  # the largest first, each to the emptiest fold
        fold[i] = np.argmin(filled)
        filled[fold[i]] += sizes[i]
    return fold[place]
