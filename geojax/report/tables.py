"""Tables of scores and settings, as text."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from geojax.report import rounding
from geojax.report.figures import slice_name
from geojax.report.style import name_with_units
from geojax.task import Score


@dataclass(frozen=True)
class Table:
    """A table as text; the first cell of each row is its heading."""

    title: str
    columns: list[str]
    rows: list[list[str]]


def headline(scores: pd.DataFrame, score: Score, methods: list[str]) -> Table:
    """The headline of each method, and what the model gains on it."""
    own = scores[(scores["score"] == score.name)].drop_duplicates("method").set_index("method")
    digits = _digits(own)
    rows = []
    for method in methods:
        row = own.loc[method].to_dict()
        gain = "" if method == "model" else rounding.difference(row, score.units)
        rows.append([method, rounding.value(row, score.units, digits), gain])
    sense = "higher is better" if score.higher_is_better else "lower is better"
    return Table(f"{capital(score.long_name)}, {sense}", ["Method", "Value (95 %)", "Model minus method (95 %)"], rows)


def sliced(scores: pd.DataFrame, score: Score, methods: list[str]) -> list[Table]:
    """Other scores over all examples in one table; each score that has slices in one of its own.

    Each column has the decimals that the interval of the first method, the model, supports.
    """
    whole = scores[(scores["slice"] == "all") & (scores["score"] != score.name)]
    found = []
    if len(whole):
        names = list(dict.fromkeys(whole["score"]))
        found.append(_table("Other scores", whole, "score", {name: spoken(name) for name in names}, methods))
    for name, own in scores[scores["slice"] != "all"].groupby("score", sort=False):
        slices = list(dict.fromkeys(own["slice"]))
        dimension = own["dimension"].iloc[0]
        title = name_with_units(spoken(str(name), dimension), _units(str(name), score))
        found.append(_table(title, own, "slice", {s: slice_name(dimension, s) for s in slices}, methods))
    return found


def _table(title: str, rows: pd.DataFrame, column: str, shown: dict[str, str], methods: list[str]) -> Table:
    """shown : what each of the values of `column` is called"""
    at = rows.set_index(["method", column])
    digits = {name: _digits(rows[(rows[column] == name) & (rows["method"] == methods[0])]) for name in shown}
    cells = [[rounding.value(at.loc[(m, n)].to_dict(), digits=own) for n, own in digits.items()] for m in methods]
    return Table(title, ["Method", *shown.values()], [[m, *own] for m, own in zip(methods, cells, strict=True)])


def _digits(rows: pd.DataFrame) -> int:
    """One number of decimals for all rows."""
    return max(rounding.decimals(low, high) for low, high in zip(rows["low"], rows["high"], strict=True))


def slices_of(scores: pd.DataFrame, score: Score) -> str | None:
    """The sliced score that goes with the headline: `rmse_by_coverage` with rmse, `f1` with macro_f1."""
    names = dict.fromkeys(scores.loc[scores["slice"] != "all", "score"])
    return next((str(n) for n in names if str(n) in score.name or score.name in str(n)), None)


def spoken(name: str, dimension: str = "") -> str:
    """A score's name as one would say it: `rmse_by_coverage` is RMSE by coverage."""
    spelt = {word: word.upper() for word in ("rmse", "mae", "nse", "kge", "f1", "auc")} | {"db": "(dB)"}
    text = " ".join(spelt.get(word, word) for word in name.split("_"))
    if dimension and dimension not in text:
        text += f" by {dimension}"
    return capital(text)


def capital(text: str) -> str:
    """The text with its first letter large, the others as they are."""
    return text[:1].upper() + text[1:]


def settings(chosen: dict[str, Any]) -> str:
    """What was tuned, as text."""
    return "; ".join(f"{key.replace('_', ' ')}: {_short(value)}" for key, value in chosen.items()) or "nothing to tune"


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}".replace("-", rounding.MINUS)
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_short, value))
    if isinstance(value, dict):
        return ", ".join(f"{key} {_short(own)}" for key, own in value.items())
    return " ".join(str(value).split())


def _units(name: str, score: Score) -> str:
    return score.units if name.startswith(score.name) else "1"
