"""What the rules ask of the configuration. Light: it runs whenever Snakemake builds the DAG."""

import hashlib
import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from geojax import code, modules
from geojax.config import Dataset, Run, load
from geojax.data import parts, raw
from geojax.errors import UserError

Ask = Callable[[Any], Any]  # Snakemake calls it with the wildcards of a job
OF_WILDCARDS = inspect.Signature([inspect.Parameter("wildcards", inspect.Parameter.POSITIONAL_OR_KEYWORD)])
KEPT = ".snakemake/geojax"  # what need not be found out again in each run


@dataclass(frozen=True)
class Plan:
    """All runs and the datasets that they use."""

    runs: dict[str, Run]
    datasets: dict[str, Dataset]
    digest: Callable[..., str] = code.digest

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
        return _digest([(str(f), f.stat().st_size, f.stat().st_mtime_ns) for f in files]) if files else ""

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

    def parts_of_run(self, wildcards: Any) -> str:
        return f"data/{self.runs[wildcards.run].dataset}/parts.json"

    def normalized_of_run(self, wildcards: Any) -> str:
        return f"data/{self.runs[wildcards.run].dataset}/normalized.json"

    def scaling_of_run(self, wildcards: Any) -> str:
        return f"data/{self.runs[wildcards.run].dataset}/scaling.manifest.json"

    def reference_of_run(self, wildcards: Any) -> list[str]:
        return self.reference[self.runs[wildcards.run].dataset]

    def dataset_section(self, name: str) -> Ask:
        """One section of a job's dataset, so that a rule never depends on another's."""
        found = {dataset: plain(getattr(own, name)) for dataset, own in self.datasets.items()}

        def ask(wildcards: Any) -> Any:
            return found[wildcards.get("dataset") or self.runs[wildcards.run].dataset]

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

    def report_sections(self) -> dict[str, Any]:
        """What the page must know of each run's configuration."""
        return {
            name: {"run": plain(run), "dataset": plain(self.datasets[run.dataset]), "dataset_name": run.dataset}
            for name, run in self.runs.items()
        }

    def code_of_report(self) -> str:
        return self.digest("write_report", *sorted(f"tasks.{run.task}" for run in self.runs.values()))


def together(**asked: Ask) -> Ask:
    """Several parameters, or inputs, as one: for each job Snakemake inspects each function thrice, then calls it."""

    def ask(wildcards: Any) -> dict[str, Any]:
        return {name: own(wildcards) for name, own in asked.items()}

    ask.__signature__ = OF_WILDCARDS  # else it is found out anew each time
    return ask


def plain(section: Any) -> Any:
    """A section as what YAML and JSON can hold."""
    return section.model_dump(mode="json") if hasattr(section, "model_dump") else section


def read(directory: str | Path = "config", only: str | None = None, kept: str | Path | None = None) -> Plan:
    """Read and check every run and the datasets that they use.

    only : names of runs, comma-separated; all of them without
    kept : folder in which digests of the code are remembered from one run to the next
    raises UserError : a file says something that is not admitted, or names what there is not
    """
    directory = Path(directory)
    files = {path.stem: path for path in sorted((directory / "runs").glob("*.yaml"))}
    if only:
        wanted = [name.strip() for name in str(only).split(",")]
        if absent := [name for name in wanted if name not in files]:
            raise UserError(f"runs={only}: there is no {directory}/runs/{absent[0]}.yaml. Runs: {', '.join(files)}.")
        files = {name: files[name] for name in wanted}
    if not files:
        raise UserError(f"{directory}/runs: must hold at least one run as a .yaml file, but holds none.")
    runs = {name: load(Run, path) for name, path in files.items()}
    names = sorted({run.dataset for run in runs.values()})
    datasets = {name: load(Dataset, directory / "datasets" / f"{name}.yaml") for name in names}
    for name, run in runs.items():
        _check_names(files[name], run)
    for name, dataset in datasets.items():
        _check_dataset(directory / "datasets" / f"{name}.yaml", dataset)
    return Plan(runs, datasets, code.Kept(Path(kept) / "code.json") if kept else code.digest)


def _check_names(path: Path, run: Run) -> None:
    """Tasks and models are files; that one exists can be seen without importing it."""
    for kind, name in (("task", run.task), ("model", run.model.name)):
        if name not in (known := modules.names(f"{kind}s")):
            raise UserError(f"{path}: {kind}: there is no `{name}`. There are: {', '.join(known)}.")


def _check_dataset(path: Path, dataset: Dataset) -> None:
    if dataset.reader.name not in (known := modules.names("data/readers")):
        raise UserError(f"{path}: reader: name: there is no `{dataset.reader.name}`. There are: {', '.join(known)}.")
    try:
        parts.reference(dataset)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def check_inside(plan: Plan, directory: str | Path = "config") -> None:
    """Check what tasks, models and readers alone know: their own settings, sizes and options. Imports them.

    raises UserError : one is unknown or wrong
    """
    from geojax import models, task
    from geojax.data import readers

    directory = Path(directory)
    for name, run in plan.runs.items():
        path = str(directory / "runs" / f"{name}.yaml")
        chosen = task.load(run.task)
        task.settings_of(chosen, run.examples, path)
        models.check_sizes(run.model.name, run.model.sizes, path)
        if run.model.name not in chosen.models:
            raise UserError(f"{path}: model: name: {run.task} takes {', '.join(chosen.models)}, not {run.model.name}.")
    for name, dataset in plan.datasets.items():
        readers.check_options(dataset.reader.name, dataset.reader.options, str(directory / f"datasets/{name}.yaml"))


def check_once(plan: Plan, kept: str | Path = KEPT) -> None:
    """`check_inside`, unless this very configuration and code passed it before: it imports JAX, which takes seconds."""
    content = {name: plain(section) for each in (plan.runs, plan.datasets) for name, section in each.items()}
    used = {f"tasks.{run.task}" for run in plan.runs.values()} | {"models", "data.readers"}
    used |= {f"models.{run.model.name}" for run in plan.runs.values()}
    used |= {f"data.readers.{dataset.reader.name}" for dataset in plan.datasets.values()}
    mark = Path(kept) / _digest([content, plan.digest("write_report", *sorted(used))])
    if not mark.exists():
        check_inside(plan)
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
