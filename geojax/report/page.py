"""The page of a run, gathered from what its stages left."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from markupsafe import Markup

from geojax import store
from geojax.config import TINY
from geojax.predictions import unpacked
from geojax.problem import Problem
from geojax.report import figures, flow, partition, plates, prepared, tables, templates, verdicts
from geojax.report.plates import Plate
from geojax.report.prepared import Prepared
from geojax.report.tables import Table
from geojax.task import Outcome


@dataclass(frozen=True)
class Section:
    """All that the page says of a run."""

    name: str
    title: str
    question: str
    scores: dict[str, Any]
    datasets: list[Prepared]
    stages: list[flow.Stage]
    split: list[dict[str, str]]
    split_plate: Plate | None
    audited: str
    learning: Plate
    training: str
    headline: Table
    score_plates: list[Plate]
    details: list[Table]
    chosen: list[tuple[str, str]]
    pictures: list[Plate]
    drift: list[Plate]
    device: str
    facts: list[tuple[str, str]]
    config: str
    sampled: str = ""  # what was seen of the examples if not all could be held at once

    @property
    def front(self) -> str:
        """The page that leads to this one; trials have their own."""
        return f"index{TINY if self.name.endswith(TINY) else ''}.html"

    @property
    def drawing(self) -> Markup:
        return flow.drawing(self.stages)

    @property
    def verdict(self) -> verdicts.Verdict:
        return verdicts.Verdict(self.scores)


def section(name: str, run: dict[str, Any], datasets: Mapping[str, dict[str, Any]]) -> Section:
    """Gather a run and draw its figures, from conventional paths below the working directory."""
    results = Path("results") / name
    every = [prepared.gather(each, config) for each, config in datasets.items()]
    own_index = str(results / "index.manifest.json")
    problem = Problem.open(
        [str(own.folder / "normalized.json") for own in every],
        [str(own.folder / "scaling.manifest.json") for own in every],
        own_index, run["task"], run["examples"], unpacked(store.read(results / "predictions.zarr")),
    )  # fmt: skip
    scores, table = store.read_json(results / "scores.json"), pd.read_parquet(results / "scores.parquet")
    task, index, history = problem.task, problem.index, pd.read_parquet(results / "history.parquet")
    methods = figures.method_order(table, task.headline)
    spans = {part: span for own in every for part, span in own.spans.items()}
    ways = {config["split"]["by"] for config in datasets.values()}
    model = store.read_json(results / "model.manifest.json")
    resident = run["training"]["resident"]
    shown = {key: value for key, value in run.items() if key != "tiny"}
    config = {"run": shown, "datasets": dict(datasets)}
    return Section(
        name=name, title=run["title"], question=task.question, scores=scores, datasets=every,
        stages=flow.stages(name, [(own.name, own.names, own.lots) for own in every], scores["baselines_of"]),
        split=partition.counts(index, spans),
        split_plate=plates.split(index, spans, ways.pop() if len(ways) == 1 else "group"),
        audited=partition.audited(store.read_json(own_index)["audit"]),
        learning=plates.learning(history),
        training=_trained(history, run["training"], model),
        headline=tables.headline(table, task.headline, methods),
        score_plates=plates.scores(table, task.headline, methods, scores),
        details=tables.sliced(table, task.headline, methods),
        chosen=[(m, tables.settings(scores["chosen"][m])) for m in methods if m in scores["chosen"]],
        sampled=_sampled(scores, index, resident),
        pictures=[plates.plate(p) for p in task.pictures(_outcome(problem, results, scores, table, resident))],
        drift=[plates.drift(index, own.drift) for own in every if any(own.drift.values())],
        device=model.get("device", "not recorded"),
        facts=_facts(results, every, model, scores["baselines_of"]),
        config=yaml.safe_dump(config, sort_keys=False, allow_unicode=True, width=110),
    )  # fmt: skip


def render(section: Section) -> str:
    """The page, with nothing to be loaded from elsewhere."""
    return templates.render("page.html.j2", s=section)


def _outcome(
    problem: Problem, results: Path, scores: dict[str, Any], table: pd.DataFrame, resident: int | None
) -> Outcome:
    """What pictures are drawn of: the test examples, or a fixed sample of them if not all may be held."""
    taken = problem.sampled("test", resident)
    own = store.read(Path("results") / scores["baselines_of"] / "baselines.zarr").data_vars.items()
    baselines = {str(name): array[taken].values for name, array in own}
    model = store.read(results / "predictions.zarr")["test"][taken].values
    best = scores["best_baseline"]
    rows, test = problem.rows("test").iloc[taken].reset_index(drop=True), problem.sample("test", resident)
    return Outcome(rows, problem.parts, problem.scaling, test, model, baselines, best, table)


def _sampled(scores: dict[str, Any], index: pd.DataFrame, resident: int | None) -> str:
    """What baselines and pictures saw, in words, if not all."""
    told = [f"{n} of {of} {split} examples" for split, (n, of) in scores.get("sampled", {}).items()]
    seen = [f"Baselines were fitted and tuned on a fixed sample of {' and '.join(told)}."] if told else []
    count = int((index["split"] == "test").sum())
    if resident is not None and count > resident:
        seen.append(f"Scores are of all {count} test examples, pictures of a fixed sample of at most {resident}.")
    return " ".join(seen)


def _updated(model: dict[str, Any]) -> str:
    """How an updated model came to be, in words; nothing if it began from scratch."""
    lineage = model.get("lineage", [])
    if len(lineage) < 2:
        return f" Asked to go on from earlier weights, but from scratch: {model['reason']}." * (
            model.get("update") == "warm"
        )
    return (
        f" Training went on from the weights of an earlier one, on changed data; it is number {len(lineage)} in a row, "
        "and the scores show the model before it too."
    )


def _trained(history: pd.DataFrame, training: dict[str, Any], model: dict[str, Any]) -> str:
    best = 1 + history.loc[history.groupby("member")["validation_loss"].idxmin(), "epoch"]  # told from 1
    kept = str(best.iloc[0]) if best.nunique() == 1 else f"{best.min()} to {best.max()}"
    members, epochs = history["member"].nunique(), history["epoch"].nunique()
    who = f"{members} members" if members > 1 else "One model"
    return (
        f"{who}, {epochs} of at most {training['epochs']} epochs run; weights kept from epoch {kept}.{_updated(model)}"
    )


def _facts(results: Path, every: list[Prepared], model: dict[str, Any], compared: str) -> list[tuple[str, str]]:
    """Digests of what the run made, and versions of what made it."""
    several = len(every) > 1
    kept = {f"scaling of {own.name}" if several else "scaling": own.folder / "scaling" for own in every}
    kept |= {"index": results / "index", "model": results / "model"}
    kept |= {"predictions": results / "predictions", "baselines": Path("results") / compared / "baselines"}
    digests = [(name, store.read_json(f"{path}.manifest.json")["digest"]) for name, path in kept.items()]
    versions = ", ".join(f"{name} {number}" for name, number in model.get("versions", {}).items())
    return [*((f"digest of {name}", digest) for name, digest in digests), ("versions", versions)]
