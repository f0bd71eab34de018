"""Which examples train, validate and test a model."""

from typing import Any

import pandas as pd

from geojax.errors import UserError

SPLITS = ("train", "validation", "test")


def assign(index: pd.DataFrame, split: dict[str, Any]) -> pd.DataFrame:
    """Add the column `split`; rows that belong to none are left out.

    index : columns part, position, group, time and what the task adds
    split : the dataset's section `split`
    raises UserError : a group stands in no split
    """
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
