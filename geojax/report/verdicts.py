"""A verdict as pages show it: a word with its colour, and the whole sentence."""

from dataclasses import dataclass
from typing import Any

from geojax.report import rounding


@dataclass(frozen=True)
class Verdict:
    """What the scores of a run say of its model."""

    scores: dict[str, Any]

    @property
    def text(self) -> str:
        return rounding.minus(self.scores["verdict"])

    @property
    def best(self) -> dict[str, float]:
        """The row of the best baseline."""
        return self.scores["baselines"][self.scores["best_baseline"]]

    @property
    def share(self) -> str:
        """The difference from the best baseline as a share of its value, in percent."""
        if not self.best["value"]:
            return "undefined, as a share"
        return f"{100 * abs(self.best['difference'] / self.best['value']):.2g} %"

    @property
    def word(self) -> str:
        """Better, worse or no better: the first words of the verdict."""
        verdict = self.scores["verdict"]
        # "better" stands in "no better" too, so the longer comes first.
        return next(word for word in ("no better", "better", "worse") if verdict.startswith(word))

    @property
    def style(self) -> str:
        return "even" if self.word == "no better" else self.word
