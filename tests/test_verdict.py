"""The verdict says what the interval says: better, worse, or neither."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geojax.scores import verdict
from geojax.task import BEFORE, Score

F1 = Score("macro_f1", "macro F1", "1", higher_is_better=True)
RMSE = Score("rmse", "RMSE of hidden cells", "K", higher_is_better=False, slices="coverage")


def table(score: Score, model: float, rivals: dict[str, tuple[float, float, float]]) -> pd.DataFrame:
    """As from `resampling.table`: of each rival its value and the interval of model minus rival."""
    keys = ("difference", "difference_low", "difference_high")
    rows = [{"method": "model", "value": model}]
    rows += [
        {"method": name, "value": value} | dict(zip(keys, (model - value, low, high), strict=True))
        for name, (value, low, high) in rivals.items()
    ]
    frame = pd.DataFrame(rows).assign(score=score.name, slice="all")
    frame = frame.assign(low=frame["value"], high=frame["value"])
    extra = frame.assign(score="something else", value=-1e9)
    return pd.concat([extra, frame], ignore_index=True)


def say(score: Score, model: float, rivals: dict[str, tuple[float, float, float]]) -> str:
    return verdict.summarize(table(score, model, rivals), score, "a run", "years", 9)["verdict"]


@pytest.mark.parametrize(
    ("score", "model", "rival", "word"),
    [
        (F1, 0.80, (0.70, 0.06, 0.14), "better than forest"),
        (F1, 0.60, (0.70, -0.14, -0.06), "worse than forest"),
        (F1, 0.71, (0.70, -0.03, 0.05), "no better than forest"),
        (RMSE, 0.20, (0.25, -0.07, -0.03), "better than forest"),
        (RMSE, 0.30, (0.25, 0.03, 0.07), "worse than forest"),
        (RMSE, 0.24, (0.25, -0.03, 0.01), "no better than forest"),
    ],
)
def test_the_verdict_is_better_worse_or_no_better_in_both_directions_of_the_score(score, model, rival, word):
    assert say(score, model, {"forest": rival}).startswith(word)


@pytest.mark.parametrize("score", [F1, RMSE])
@pytest.mark.parametrize("interval", [(0.0, 0.0), (-0.1, 0.0), (0.0, 0.1)])
def test_an_interval_that_touches_zero_is_no_better_and_no_worse(score, interval):
    assert say(score, 0.5, {"twin": (0.5, *interval)}).startswith("no better than twin")


@given(low=st.floats(-1, 1), width=st.floats(0, 1), higher=st.booleans())
def test_only_an_interval_wholly_on_one_side_of_zero_decides(low, width, higher):
    score = F1 if higher else RMSE
    found = say(score, (low + width / 2), {"rival": (0.0, low, low + width)})

    if low > 0:
        assert found.startswith("better" if higher else "worse")
    elif low + width < 0:
        assert found.startswith("worse" if higher else "better")
    else:
        assert found.startswith("no better")


def test_the_verdict_is_against_the_best_rival_whatever_the_order():
    rivals = {"climatology": (0.9, -0.7, -0.5), "kriging": (0.31, -0.02, 0.01), "eof": (0.4, -0.2, -0.1)}

    for order in (rivals, dict(reversed(rivals.items()))):
        found = verdict.summarize(table(RMSE, 0.3, order), RMSE, "a run", "years", 9)
        assert found["best_baseline"] == "kriging"
        assert found["verdict"].startswith("no better than kriging")

    assert verdict.summarize(table(F1, 0.3, rivals), F1, "a run", "years", 9)["best_baseline"] == "climatology"


@pytest.mark.parametrize("difference", [0.1, 0.11, 0.011, 0.21])
def test_the_size_of_a_dimensionless_difference_keeps_all_its_digits(difference):
    found = say(F1, 0.5 + difference, {"forest": (0.5, 0.01, 0.3)})

    assert f"{difference:.2g} (" in found


def test_units_stand_beside_the_size():
    assert "0.05 K (0.03 to 0.07)" in say(RMSE, 0.20, {"kriging": (0.25, -0.07, -0.03)})
    per_metre = Score("rmse", "RMSE", "kg m-1", higher_is_better=False)
    assert "0.05 kg m-1 (" in say(per_metre, 0.20, {"kriging": (0.25, -0.07, -0.03)})


def test_the_direction_is_told_in_words():
    assert "is lower by" in say(RMSE, 0.20, {"kriging": (0.25, -0.07, -0.03)})
    assert "is higher by" in say(RMSE, 0.30, {"kriging": (0.25, 0.03, 0.07)})
    assert "is higher by" in say(F1, 0.80, {"forest": (0.70, 0.06, 0.14)})


def test_the_summary_tells_model_rivals_and_what_the_intervals_are_from():
    found = verdict.summarize(table(F1, 0.8, {"forest": (0.7, 0.06, 0.14)}), F1, "a run", "stations", 57)

    assert found["model"] == {"value": 0.8, "low": 0.8, "high": 0.8}
    assert found["baselines"]["forest"]["difference_low"] == 0.06
    assert (found["run"], found["units"], found["higher_is_better"]) == ("a run", "1", True)
    assert found["intervals"] == "95 %, from resampling 57 stations"


def test_the_headline_is_the_score_over_all_slices_together():
    frame = table(RMSE, 0.3, {"kriging": (0.4, -0.2, -0.1)})
    slices = frame.assign(slice="0.25", value=np.nan)

    found = verdict.summarize(pd.concat([slices, frame]), RMSE, "a run", "years", 9)

    assert found["model"]["value"] == 0.3


def test_the_model_before_an_update_is_shown_but_is_no_baseline():
    rivals = {BEFORE: (0.79, -0.01, 0.03), "forest": (0.7, 0.06, 0.14)}
    found = verdict.summarize(table(F1, 0.8, rivals), F1, "a run", "stations", 57, [BEFORE])

    assert found["best_baseline"] == "forest"
    assert list(found["baselines"]) == ["forest"]
    assert found["others"][BEFORE]["difference_low"] == -0.01
    assert found["verdict"].startswith("better than forest")
    assert found["verdicts"][BEFORE].startswith(f"no better than {BEFORE}")
