"""The report: one page for all runs, each gathered from what its stages left."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from geojax import store
from geojax.config import Dataset
from geojax.data import parts as partition_of
from geojax.problem import Problem
from geojax.report import condition, figures, flow, partition, plates, rounding, tables
from geojax.report.plates import Plate
from geojax.report.tables import Table
from geojax.task import Outcome

RAW_SHOWN = 5  # raw files whose digests the page tells; all stand in the manifests


@dataclass(frozen=True)
class Section:
    """All that the page says of a run."""

    name: str
    title: str
    question: str
    scores: dict[str, Any]
    dataset_name: str
    dataset: dict[str, Any]
    parts: int
    raw: dict[str, str]  # digest of each raw file, by its name
    condition: condition.Condition
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
    drift: Plate
    device: str
    facts: list[tuple[str, str]]
    config: str
    sampled: str = ""  # what was seen of the examples if not all could be held at once

    @property
    def raw_shown(self) -> list[tuple[str, str]]:
        """The first of the raw files with their digests."""
        return list(self.raw.items())[:RAW_SHOWN]

    @property
    def drawing(self) -> Markup:
        return Markup(flow.drawing(self.stages))

    @property
    def verdict(self) -> str:
        """The verdict with true minus signs; hyphens inside names stay."""
        return re.sub(r"-(?=\d)", rounding.MINUS, self.scores["verdict"])

    @property
    def share(self) -> str:
        """The difference from the best baseline as a share of its value, in percent."""
        best = self.scores["baselines"][self.scores["best_baseline"]]
        return f"{100 * abs(best['difference'] / best['value']):.2g} %"

    @property
    def outcome(self) -> str:
        """Better, worse or no better: the first words of the verdict."""
        verdict = self.scores["verdict"]
        # "better" stands in "no better" too, so the longer comes first.
        return next(word for word in ("no better", "better", "worse") if verdict.startswith(word))


def section(name: str, run: dict[str, Any], dataset: dict[str, Any], dataset_name: str) -> Section:
    """Gather a run and draw its figures, from conventional paths below the working directory."""
    results, data = Path("results") / name, Path("data") / dataset_name
    configured = Dataset.model_validate(dataset)
    names = partition_of.names(configured)
    manifests = [str(data / "normalized" / f"{part}.manifest.json") for part in names]
    scaling, own_index = str(data / "scaling.manifest.json"), str(results / "index.manifest.json")
    problem = Problem.open(str(data / "normalized.json"), scaling, own_index, run["task"], run["examples"])
    scores, table = store.read_json(results / "scores.json"), pd.read_parquet(results / "scores.parquet")
    task, index, history = problem.task, problem.index, pd.read_parquet(results / "history.parquet")
    methods = figures.method_order(table, task.headline)
    normalized = {part: store.read_json(path) for part, path in zip(names, manifests, strict=True)}
    entered = {part: store.read_json(data / "parts" / f"{part}.manifest.json") for part in names}
    spans = _spans(normalized)
    model = store.read_json(results / "model.manifest.json")
    return Section(
        name=name, title=run["title"], question=task.question, scores=scores, dataset_name=dataset_name,
        dataset=dataset, parts=len(names), raw=condition.raw_files(entered), condition=condition.of_parts(entered),
        stages=flow.stages(name, dataset_name, names, partition_of.lots(configured)),
        split=partition.counts(index, spans),
        split_plate=plates.split(index, spans, dataset["split"]["by"]),
        audited=partition.audited(store.read_json(own_index)["audit"]),
        learning=plates.learning(history),
        training=_trained(history, run["training"], model),
        headline=tables.headline(table, task.headline, methods),
        score_plates=plates.scores(table, task.headline, methods, scores),
        details=tables.sliced(table, task.headline, methods),
        chosen=[(m, tables.settings(scores["chosen"].get(m, {}))) for m in methods if m in scores["baselines"]],
        sampled=_sampled(scores, index, resident := run["training"]["resident"]),
        pictures=[plates.plate(p) for p in task.pictures(_outcome(problem, results, scores, table, resident))],
        drift=plates.drift(index, {part: own["drift"] for part, own in normalized.items()}),
        device=model.get("device", "not recorded"),
        facts=_facts(results, data, model),
        config=yaml.safe_dump({"run": run, "dataset": dataset}, sort_keys=False, allow_unicode=True, width=110),
    )  # fmt: skip


def render(sections: list[Section]) -> str:
    """The page, with nothing to be loaded from elsewhere."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {"value": rounding.value, "difference": rounding.difference}
    environment.filters |= {"doi": link_dois, "stacked": _stacked}
    made = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return environment.get_template("page.html.j2").render(sections=sections, made=made)


def link_dois(text: str) -> Markup:
    """Text in which each `doi:…` is a link; the only links that leave the page."""
    pattern = re.compile(r"doi:(10\.\d{4,9}/[^\s,;]+[^\s,;.])")
    return Markup(pattern.sub(r'<a href="https://doi.org/\1">doi:\1</a>', str(escape(text))))


def _stacked(text: str) -> Markup:
    """A value with its interval on a line of its own."""
    middle, _, ends = text.partition(" (")
    return Markup('{}<br> <span class="muted">({}</span>').format(middle, ends)


def _outcome(
    problem: Problem, results: Path, scores: dict[str, Any], table: pd.DataFrame, resident: int | None
) -> Outcome:
    """What pictures are drawn of: the test examples, or a fixed sample of them if not all may be held."""
    taken = problem.sampled("test", resident)
    own = store.read(results / "baselines.zarr").data_vars.items()
    baselines = {str(name): array[taken].values for name, array in own}
    model = store.read(results / "predictions.zarr")["test"][taken].values
    best = scores["best_baseline"]
    rows, test = problem.rows("test").iloc[taken].reset_index(drop=True), problem.sample("test", resident)
    return Outcome(rows, problem.parts, problem.scaling, test, model, baselines, best, table)


def _spans(manifests: dict[str, dict[str, Any]]) -> partition.Spans:
    spans = {part: own.get("time_span") for part, own in manifests.items()}
    return {part: (pd.Timestamp(span[0]), pd.Timestamp(span[1])) for part, span in spans.items() if span}


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


def _facts(results: Path, data: Path, model: dict[str, Any]) -> list[tuple[str, str]]:
    """Digests of what the run made, and versions of what made it."""
    kept = {"scaling": data / "scaling", "index": results / "index", "model": results / "model"}
    kept |= {name: results / name for name in ("predictions", "baselines")}
    digests = [(name, store.read_json(f"{path}.manifest.json")["digest"]) for name, path in kept.items()]
    versions = ", ".join(f"{name} {number}" for name, number in model.get("versions", {}).items())
    return [*((f"digest of {name}", digest) for name, digest in digests), ("versions", versions)]
