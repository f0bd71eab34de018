"""From predictions to scores and the report."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from geojax import store
from geojax.data.gathered import Paths
from geojax.errors import UserError
from geojax.log import logger

Section = dict[str, Any]


def evaluate_run(
    parts: Paths, scaling: Paths, index: str, predictions: str, baselines: str, scores: str, table: str,
    task: str, examples: Section, evaluation: Section, run: str, resident: int | None = None, rival: Sequence[str] = (),
) -> None:  # fmt: skip
    """Score the model against each baseline, with intervals from resampling whole groups.

    rival : manifests of the predictions and of the index of another run on the same examples, to be compared with
    """
    import numpy as np

    from geojax.predictions import unpacked
    from geojax.problem import Problem
    from geojax.scores import resampling, sums, verdict
    from geojax.task import BEFORE

    predicted = store.read(predictions)
    problem = Problem.open(parts, scaling, index, task, examples, unpacked(predicted))
    rows = problem.rows("test")
    methods = {"model": predicted["test"]}
    methods |= {BEFORE: predicted["before"]} if "before" in predicted else {}
    methods |= {str(name): array for name, array in store.read(baselines).data_vars.items()}
    others = [BEFORE] if "before" in predicted else []
    if rival:
        _same_examples(index, rival[1])
        others.append(name := f"run {Path(rival[1]).parent.name}")
        methods[name] = store.read(rival[0])["test"]
    pieces: dict[str, list[Any]] = {name: [] for name in methods}
    for own, test in problem.blocks("test", resident):
        values = {name: array[own].values for name, array in methods.items()}
        if broken := [name for name, found in values.items() if not np.isfinite(found).all()]:
            raise UserError(f"{', '.join(broken)}: predictions must be finite, but some are not. Look at its log.")
        index_of = rows.iloc[own].reset_index(drop=True)
        for name, found in values.items():
            pieces[name].append(problem.task.statistics(index_of, test, found, problem.scaling))
    statistics = {name: sums.add(own) for name, own in pieces.items()}
    headline = problem.task.headline
    found = resampling.table(statistics, problem.task.score, evaluation["resamples"], evaluation["seed"])
    store.write_table(found, table)
    told, tuned = store.read_json(baselines), store.read_json(predictions).get("chosen")
    count = statistics["model"].sizes["group"]
    content = verdict.summarize(found, headline, run, problem.task.groups, count, others)
    content |= {
        "chosen": ({"model": tuned} if tuned else {}) | told["chosen"],
        "sampled": told["sampled"],
        "baselines_of": Path(baselines).parent.name,
    }
    content |= {"examples": len(rows), "warning": resampling.doubt(statistics["model"])}
    store.write_json(content, scores)
    for text in (content["verdict"], *content["verdicts"].values()):
        logger.info("%s", text)
    if content["warning"]:
        logger.warning("%s", content["warning"])


def _same_examples(index: str, other: str) -> None:
    """Methods are compared in pairs, example by example.

    raises UserError : the indexes differ
    """
    import pandas as pd

    both = [pd.read_parquet(store.beside(path, ".parquet")) for path in (index, other)]
    if not both[0].equals(both[1]):
        raise UserError(f"{other}: must list the same examples as {index}, but does not. Give both runs the same data.")


def write_page(page: str, name: str, run: Section, datasets: Mapping[str, Section]) -> None:
    """Write the page of a run: question, data, split, learning, scores, pictures."""
    from geojax.report import page as pages

    store.write_bytes(pages.render(pages.section(name, run, datasets)).encode(), page)
    logger.info("page: %s", page)


def write_report(scores: Sequence[str], titles: Mapping[str, str], page: str) -> None:
    """Write the front page: score, baseline, interval and verdict of every run.

    titles : of all runs, also of those that are not told here
    """
    from geojax.report import front

    store.write_bytes(front.render([store.read_json(path) for path in scores], titles).encode(), page)
    logger.info("report: %s", page)
