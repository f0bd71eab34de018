"""What the scores say, in words, for a win as for a loss."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from geojax.task import Score


def summarize(
    table: pd.DataFrame, headline: Score, run: str, groups: str, count: int, others: Sequence[str] = ()
) -> dict[str, Any]:
    """The headline of a run: model, each baseline, the best of them, and the verdict.

    table : as from `resampling.table`
    others : methods that are compared with, and are no baselines: the model before an update, another run
    """
    rows = table[table["score"] == headline.name]
    by_method = {str(name): _headline(own) for name, own in rows.groupby("method", sort=False)}
    model = by_method.pop("model")
    compared = {name: by_method.pop(name) for name in others}
    best = (max if headline.higher_is_better else min)(by_method, key=lambda name: by_method[name]["value"])
    return {
        "run": run,
        "score": headline.name,
        "long_name": headline.long_name,
        "units": headline.units,
        "higher_is_better": headline.higher_is_better,
        "intervals": f"95 %, from resampling {count} {groups}",
        "model": model,
        "others": compared,
        "verdicts": {name: _verdict(rows, headline, name) for name in others},
        "baselines": by_method,
        "best_baseline": best,
        "verdict": _verdict(rows, headline, best),
    }


def _headline(rows: pd.DataFrame) -> dict[str, float]:
    """The score over all slices together."""
    whole = rows[rows["slice"] == "all"]
    row = (whole if len(whole) else rows).iloc[0]
    keys = ("value", "low", "high", "difference", "difference_low", "difference_high")
    return {key: float(row[key]) for key in keys if key in row and pd.notna(row[key])}


def _verdict(rows: pd.DataFrame, headline: Score, best: str) -> str:
    own = _headline(rows[rows["method"] == best])
    low, high = own["difference_low"], own["difference_high"]
    units = "" if headline.units == "1" else f" {headline.units}"
    if low <= 0 <= high:
        return (
            f"no better than {best}: {headline.long_name} differs by {own['difference']:+.2g}{units} "
            f"({low:+.2g} to {high:+.2g}), an interval that holds zero"
        )
    word = "better" if headline.better(own["difference"]) else "worse"
    move = "higher" if low > 0 else "lower"
    near, far = sorted((abs(low), abs(high)))
    return (
        f"{word} than {best}: {headline.long_name} is {move} by {abs(own['difference']):.2g}{units} "
        f"({near:.2g} to {far:.2g})"
    )
