"""The front page: what came of each run, in a line, with a link to its page."""

from collections.abc import Mapping, Sequence
from typing import Any

from geojax.report import templates
from geojax.report.verdicts import Verdict


def render(scores: Sequence[dict[str, Any]], titles: Mapping[str, str]) -> str:
    """The front page, with nothing to be loaded from elsewhere.

    scores : what `scores.json` of each run tells
    titles : of all runs, also of those that are not told here
    """
    told = {own["run"]: Verdict(own) for own in scores}
    absent = {name: title for name, title in titles.items() if name not in told}
    return templates.render("front.html.j2", verdicts=told, titles=titles, absent=absent)
