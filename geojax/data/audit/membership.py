"""Splits without examples, groups in several of them, and references of the scaling outside training."""

import pandas as pd

from geojax.data.audit.telling import Check, in_order, names, torn_apart
from geojax.data.splits import SPLITS

EMPTY = "empty splits"


def complete(index: pd.DataFrame) -> Check:
    """Splits that have no examples."""
    wanted = () if "fold" in index else SPLITS  # folds are dealt: none can be empty
    absent = [f"split {name!r} has no examples" for name in wanted if not (index["split"] == name).any()]
    return Check(EMPTY, f"every split has examples, {len(index)} in all", absent)


def groups(index: pd.DataFrame) -> Check:
    """Groups that stand in several splits."""
    leaks = [
        f"group {group} stands in {' and '.join(in_order(own['split'].unique()))} (parts {names(own['part'])})"
        for group, own in torn_apart(index, "group")
    ]
    return Check("shared groups", f"no group stands in two splits ({index['group'].nunique()} groups)", leaks)


def references(index: pd.DataFrame, reference: list[str]) -> Check:
    """Parts that the scaling was fitted on, and that are not all training."""
    inside = set(index["part"]) - set(index.loc[index["split"] != "train", "part"])
    leaks = [
        f"part {part} is a reference of the scaling but not in the training split"
        for part in reference
        if part not in inside
    ]
    words = f"no reference part of the scaling lies outside training ({len(reference)} parts)"
    return Check("references outside training", words, leaks, "mend `split` or `scaling: reference`")
