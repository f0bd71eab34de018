"""The gate before training: what of one split stands in another, too, or tells of it."""

from collections.abc import Container, Mapping
from typing import Any

import pandas as pd

from geojax.data import splits
from geojax.data.audit import copies, membership, times
from geojax.data.audit.telling import Check, clock, place
from geojax.errors import UserError

SHOWN = 10  # leaks that a message lists
NEAR = 0.995  # correlation from which on two examples count as one, where the configuration says nothing


def examine(
    index: pd.DataFrame, split: dict[str, Any], reference: list[str], raw: copies.RAW | None = None
) -> list[Check]:
    """Every check of a split.

    index : columns part, group, time and split, one row for each example; where the task gives them also position,
        end (time after its last sample), trace or station (unique to what recorded it), content (digest of the raw
        example) and fingerprint (from `geojax.data.likeness`)
    split : the dataset's section `split`
    reference : parts that the scaling was fitted on
    raises UserError : an example ends before it begins
    """
    index = splits.compared(index)
    if "end" in index and len(wrong := index[index["end"] < index["time"]]):
        row = next(wrong.itertuples())
        raise UserError(f"{place(row)}: an example must end after it begins, but ends at {clock(row.end)}.")
    return [
        membership.complete(index),
        membership.groups(index),
        membership.references(index, reference),
        times.embargo(index, split.get("embargo_days", 0)) if split["by"] == "time" else times.traces(index, split),
        copies.raw_files(index, raw or {}),
        copies.same_content(index),
        copies.near_copies(index, split.get("near_duplicates", NEAR)),
    ]


def examine_each(
    index: pd.DataFrame, datasets: Mapping[str, Mapping[str, Any]], raw: copies.RAW, aside: Container[str] = ()
) -> list[Check]:
    """Every check of each dataset by its own split, and whether anything of one is told again in another.

    index : as for `examine`, and the column dataset
    datasets : for each its section `split`, and the parts that its scaling is fitted on as `reference`
    aside : parts that were set aside
    """
    every = []
    for name, own in datasets.items():
        reference = [part for part in own["reference"] if part not in aside]
        every.append(examine(index[index["dataset"] == name], own["split"], reference, raw))
    if len(every) == 1:
        return every[0]
    # One dataset may be of one split only, so all of them together must fill every split.
    apart = [check for checks in every for check in checks if check.name != membership.EMPTY]
    least = [own["split"]["near_duplicates"] for own in datasets.values() if own["split"]["near_duplicates"]]
    near = copies.near_copies(index, min(least, default=None))
    return [membership.complete(index), *apart, copies.raw_files(index, raw), copies.same_content(index), near]


def refuse(checks: list[Check]) -> None:
    """Stop if anything leaks.

    raises UserError : it lists the leaks, each in one line, and says what to mend
    """
    found = [leak for check in checks for leak in check.leaks]
    if not found:
        return
    # Each kind is heard: no one kind may crowd out the others.
    fair = sorted((rank, i) for i, check in enumerate(checks) for rank in range(len(check.leaks)))[:SHOWN]
    lines = [checks[i].leaks[rank] for rank, i in sorted(fair, key=lambda pair: pair[::-1])]
    more = [f"… and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
    mends = ", ".join(dict.fromkeys(check.mend for check in checks if check.leaks))
    raise UserError("the split leaks:\n  " + "\n  ".join([*lines, *more]) + f"\nWhat helps: {mends}.")


def summary(checks: list[Check]) -> dict[str, list[str]]:
    """For the index's manifest: what holds, by the checks that ran, and the names of those that could not."""
    return {
        "passed": [check.passed for check in checks if check.passed],
        "not_looked_for": [check.name for check in checks if check.passed is None],
    }
