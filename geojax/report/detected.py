"""Picture of a detector that was kept with a generator."""

import numpy as np
import pandas as pd
import xarray as xr

from geojax.report import rounding, style
from geojax.report.style import INK, MUTED, styled
from geojax.scores import detection, made_detector
from geojax.task import Picture

ODDS = (-20.0, 12.0)  # natural logarithms that are shown


@styled
def detector_picture(
    real: np.ndarray,
    made: dict[str, np.ndarray],
    names: list[str],
    detector: xr.Dataset,
    scores: pd.DataFrame,
    what: str,
) -> Picture:  # fmt: skip
    """What the detector says of real and made examples of the test, and which property alone would tell them apart.

    real : properties (example, property); made : the same of each method, the model first
    names : of the properties
    scores : as in an Outcome
    what : what examples are called, in the plural
    """
    found = style.colours(made)
    figure, ((left, middle, right),) = style.grid(1, 3, 3.4, width_ratios=[1.15, 1, 0.95])
    odds = {name: made_detector.log_odds(own, detector) for name, own in made.items()}
    own = made_detector.log_odds(real, detector)
    threshold = detector.attrs["threshold"]
    for name, values in {f"real {what}": own, **odds}.items():
        thick = {"color": found[name], "lw": 1.5} if name in found else {"color": INK, "lw": 2.2, "ls": (0, (4, 2))}
        share = 1 - np.arange(len(values)) / len(values)
        left.step([*np.sort(values), 1e3], [*share, 0], label=name, where="pre", **thick)
    left.axvline(np.log(threshold / (1 - threshold)), color=MUTED, lw=1, ls=":")
    left.set(xlabel="Log odds that the model made it", ylabel=f"Share of {what} with these or more", xlim=ODDS)
    left.set_title("What it says")
    for name, values in odds.items():
        counted = _counted(values, own)
        hit, alarm = (np.append(0, np.cumsum(counted[kind].values[::-1]) / counted[kind].values.sum())
                      for kind in ("events", "others"))  # fmt: skip
        middle.step(alarm, hit, where="post", color=found[name], lw=2.2 if name == "model" else 1.3)
    middle.plot([0, 1], [0, 1], color=MUTED, lw=0.8, ls=":")
    middle.plot(_above(own, threshold), _above(odds["model"], threshold), "D", mfc="white",
                color=found["model"], ms=6, mew=1.6, zorder=4)  # fmt: skip
    middle.set(xlabel=f"Share of real {what} taken for made", ylabel=f"Share of made {what} found")
    middle.set_title("Hits against false alarms")
    alone = [_area(made["model"][:, place], real[:, place]) for place in range(len(names))]
    order = np.argsort(alone)[::-1][:10]
    right.plot([alone[i] for i in order], range(len(order)), "D", color=found["model"], ms=4.5)
    right.set_yticks(range(len(order)), [names[i].capitalize() for i in order])
    right.invert_yaxis()
    right.set(xlabel="Area under the ROC curve", xlim=(0.48, 1.0))
    right.set_title("One property alone")
    for panel in (left, middle, right):
        style.light_grid(panel)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=len(made) + 1)
    alarms, hits = (100 * detector.attrs[f"validation_{kind}"] for kind in ("false_alarms", "hits"))
    area = scores[(scores["score"] == "detector_auc") & (scores["method"] == "model")].iloc[0]
    caption = (
        f"Fitted to training {what} and to {what} that the model made of their seeds, tuned on validation {what}, and "
        f"judged here on test {what} that it has not seen: area under the ROC curve {rounding.value(area)}. Left: its "
        "natural log odds; dotted, the threshold. Diamond: at the threshold it takes "
        f"{_percent(odds['model'], threshold)} of the model's {what} for made ({hits:.0f} % on validation), and "
        f"{_percent(own, threshold)} of the real ones ({alarms:.0f} %, by which the threshold was chosen). It was not "
        "shown what other methods make; where their curves are low, it takes that for real, for it knows this model "
        "alone. Right: the ten properties that would tell the model's best, each by itself."
    )
    return Picture("The detector that is kept with the model", caption, figure)


def _above(odds: np.ndarray, threshold: float) -> float:
    return float((1 / (1 + np.exp(-odds)) > threshold).mean())


def _percent(odds: np.ndarray, threshold: float) -> str:
    return f"{100 * _above(odds, threshold):.0f} %"


def _area(one: np.ndarray, other: np.ndarray) -> float:
    """Chance that a property tells which of two examples was made, in whichever sense it does."""
    area = float(detection.roc_auc(_counted(one, other)))
    return max(area, 1 - area)


def _counted(made: np.ndarray, real: np.ndarray) -> xr.Dataset:
    """Both samples by a number, as events and others."""
    both = np.concatenate([made, real])
    return detection.counts(both, np.arange(len(both)) < len(made), np.zeros(len(both))).sum("group")
