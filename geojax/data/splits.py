"""Which examples train, validate and test a model, and the audit that nothing leaks between them."""

from itertools import pairwise
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


def audit(index: pd.DataFrame, split: dict[str, Any], reference: list[str]) -> list[str]:
    """What leaks from one split into another; an empty list means nothing.

    index : with the column `split`; `content`, a digest of the raw example, where the task gives one
    reference : parts that the scaling was fitted on
    """
    leaks = []
    counts = index["split"].value_counts()
    leaks += [f"split {name!r} has no examples" for name in SPLITS if name not in counts]
    for group, splits in index.groupby("group")["split"].unique().items():
        if len(splits) > 1:
            leaks.append(f"group {group} stands in {' and '.join(sorted(splits))}")
    inside = {part for part, splits in index.groupby("part")["split"].unique().items() if list(splits) == ["train"]}
    outside = [part for part in reference if part not in inside]
    leaks += [f"part {part} is a reference of the scaling but not in the training split" for part in outside]
    if split["by"] == "time":
        leaks += _embargo(index, split.get("embargo_days", 0))
    if "content" in index:
        for content, splits in index.groupby("content")["split"].unique().items():
            if len(splits) > 1:
                parts = ", ".join(sorted(index.loc[index["content"] == content, "part"].unique()))
                leaks.append(f"the same content stands in {' and '.join(sorted(splits))} (parts {parts})")
    return leaks


def _embargo(index: pd.DataFrame, days: int) -> list[str]:
    spans = {name: (rows["time"].min(), rows["time"].max()) for name, rows in index.groupby("split")}
    ordered = sorted(spans, key=lambda name: spans[name][0])
    leaks = []
    for earlier, later in pairwise(ordered):
        gap = spans[later][0] - spans[earlier][1]
        if gap <= pd.Timedelta(days=days):
            leaks.append(f"{gap.days} days lie between {earlier} and {later}; more than {days} are required")
    return leaks
