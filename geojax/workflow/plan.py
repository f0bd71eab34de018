"""All runs and datasets, and what the rules ask of them. Light: it runs whenever Snakemake builds the DAG."""

import hashlib
import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic_core import to_jsonable_python

from geojax import code
from geojax.config import TINY, Dataset, Run
from geojax.data import parts, raw

Ask = Callable[[Any], Any]  # Snakemake calls it with the wildcards of a job
OF_WILDCARDS = inspect.Signature([inspect.Parameter("wildcards", inspect.Parameter.POSITIONAL_OR_KEYWORD)])


@dataclass(frozen=True)
class Plan:
    """All runs and the datasets that they use."""

    runs: dict[str, Run]
    datasets: dict[str, Dataset]
    digest: Callable[..., str] = code.digest
    named: tuple[str, ...] = ()  # runs that were asked for by name
    tiny: bool = False  # whether all runs are trials

    @property
    def wanted(self) -> list[str]:
        """Runs that a plain `snakemake` makes: those asked for, or all quick ones."""
        return list(self.named) or [name for name, run in self.runs.items() if run.quick] or list(self.runs)

    def front(self, selection: str = "index") -> str:
        """The page that tells of some runs: index of those that are wanted, all_tasks of all."""
        return f"report/{selection}{TINY if self.tiny else ''}.html"

    @cached_property
    def part_names(self) -> dict[str, list[str]]:
        return {name: parts.names(dataset) for name, dataset in self.datasets.items()}

    @cached_property
    def reference(self) -> dict[str, list[str]]:
        return {name: parts.reference(dataset, self.part_names[name]) for name, dataset in self.datasets.items()}

    @cached_property
    def own_files(self) -> dict[str, dict[str, list[str]]]:
        """One's own raw files of each part of each dataset that has them."""
        return {name: raw.files(dataset) for name, dataset in self.datasets.items() if dataset.source.kind == "files"}

    def raw_of_part(self, wildcards: Any) -> list[str]:
        """One's own raw files, or the manifest of what was fetched."""
        if own := self.own_files.get(wildcards.dataset):
            return own[wildcards.part] if wildcards.part in own else own[raw.WHOLE]
        lot = raw.lot(self.datasets[wildcards.dataset], wildcards.part)
        return [f"data/{wildcards.dataset}/raw/{lot}.manifest.json"]

    def state_of_raw(self, wildcards: Any) -> str:
        """Digest of names, sizes and times inside raw folders, such as Zarr stores; Snakemake sees their outside."""
        folders = [Path(path) for path in self.raw_of_part(wildcards) if path.endswith(".zarr")]
        files = sorted(file for folder in folders for file in folder.rglob("*") if file.is_file())
        return digest_of([(str(f), f.stat().st_size, f.stat().st_mtime_ns) for f in files]) if files else ""

    def shared_of_part(self, wildcards: Any) -> list[str]:
        """One's own files that every part needs, such as the stations' responses."""
        return list(self.shared_names(wildcards).values())

    def shared_names(self, wildcards: Any) -> dict[str, str]:
        return getattr(self.datasets[wildcards.dataset].source, "shared", {})

    def selection_of_part(self, wildcards: Any) -> dict[str, Any]:
        """What of its raw data belongs to a part: nothing of the other parts, whose change is not its own."""
        return raw.selection(self.datasets[wildcards.dataset], wildcards.part)

    def order_of_lot(self, wildcards: Any) -> dict[str, Any]:
        """What is to be fetched for a lot."""
        return raw.order(self.datasets[wildcards.dataset], wildcards.lot)

    def gathered(self, wildcards: Any) -> list[str]:
        """Manifests of all parts of a dataset as ingested or as normalized, or of those ingested for reference."""
        name, kind = wildcards.dataset, wildcards.kind
        folder, names = (kind, self.part_names) if kind != "reference" else ("parts", self.reference)
        return [f"data/{name}/{folder}/{part}.manifest.json" for part in names[name]]

    def parts_of_run(self, wildcards: Any) -> list[str]:
        return [f"data/{dataset}/parts.json" for dataset in self.runs[wildcards.run].datasets]

    def normalized_of_run(self, wildcards: Any) -> list[str]:
        return [f"data/{dataset}/normalized.json" for dataset in self.runs[wildcards.run].datasets]

    def scaling_of_run(self, wildcards: Any) -> list[str]:
        return [f"data/{dataset}/scaling.manifest.json" for dataset in self.runs[wildcards.run].datasets]

    def splits_of_run(self, wildcards: Any) -> dict[str, Any]:
        """How each of its datasets is split, and on which parts its scaling is fitted."""
        return {
            dataset: {"split": plain(self.datasets[dataset].split), "reference": self.reference[dataset]}
            for dataset in self.runs[wildcards.run].datasets
        }

    def rival_of_run(self, wildcards: Any) -> list[str]:
        """Manifests of the predictions, and of the index, of the run that it is compared with."""
        rival = self.runs[wildcards.run].against
        return [f"results/{rival}/{name}.manifest.json" for name in ("predictions", "index")] if rival else []

    def baselines_of_run(self, wildcards: Any) -> str:
        """Manifest of the baselines; a run that is compared with another has the same examples, and shares them."""
        run = wildcards.run
        while rival := self.runs[run].against:
            run = rival
        return f"results/{run}/baselines.manifest.json"

    def runs_of_report(self, wildcards: Any) -> list[str]:
        """Runs of the front page: all, or those that are wanted."""
        return list(self.runs) if wildcards.selection.removesuffix(TINY) == "all_tasks" else self.wanted

    def pages_of_report(self, wildcards: Any) -> list[str]:
        return [f"report/runs/{run}.html" for run in self.runs_of_report(wildcards)]

    def scores_of_report(self, wildcards: Any) -> list[str]:
        return [f"results/{run}/scores.json" for run in self.runs_of_report(wildcards)]

    def titles_of_report(self, wildcards: Any) -> dict[str, str]:
        """What each run is called, also of those that are not on the page."""
        return {name: run.title for name, run in self.runs.items()}

    def dataset_section(self, name: str) -> Ask:
        """One section of a job's dataset, so that a rule never depends on another's."""
        found = {dataset: plain(getattr(own, name)) for dataset, own in self.datasets.items()}

        def ask(wildcards: Any) -> Any:
            return found[wildcards.dataset]

        return ask

    def run_section(self, name: str) -> Ask:
        """One section of a job's run; `training.batch_size` reaches inside."""

        def ask(wildcards: Any) -> Any:
            found: Any = self.runs[wildcards.run]
            for step in name.split("."):
                found = getattr(found, step)
            return plain(found)

        return ask

    def code(self, stage: str) -> Ask:
        """Digest of the library's modules that the stage reaches, so that an edit reruns what it touches."""

        def ask(wildcards: Any) -> str:
            if run := wildcards.get("run"):
                chosen = self.runs[run]
                model = [f"models.{chosen.model.name}"] if stage in ("train_model", "predict") else []
                return self.digest(stage, f"tasks.{chosen.task}", *model)
            if stage == "ingest_part":
                return self.digest(stage, f"data.readers.{self.datasets[wildcards.dataset].reader.name}")
            return self.digest(stage)

        return ask

    def configuration_of_run(self, wildcards: Any) -> dict[str, Any]:
        """What a page must know of a run's configuration."""
        run = self.runs[wildcards.run]
        return {"run": plain(run), "datasets": {name: plain(self.datasets[name]) for name in run.datasets}}


def together(**asked: Ask) -> Ask:
    """Several parameters, or inputs, as one: for each job Snakemake inspects each function thrice, then calls it."""

    def ask(wildcards: Any) -> dict[str, Any]:
        return {name: own(wildcards) for name, own in asked.items()}

    ask.__signature__ = OF_WILDCARDS  # else it is found out anew each time
    return ask


def plain(section: Any) -> Any:
    """A section as what YAML and JSON can hold."""
    return to_jsonable_python(section)  # a date, as YAML reads one, becomes a word too


def digest_of(content: Any) -> str:
    """Digest of what JSON can hold."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
