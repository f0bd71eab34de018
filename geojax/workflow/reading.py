"""From the files of a configuration to a plan, checked. Light: it runs whenever Snakemake builds the DAG."""

from pathlib import Path
from typing import Any

from geojax import code, modules
from geojax.config import TINY, Dataset, Run, load, shrunk
from geojax.data import parts
from geojax.errors import UserError
from geojax.workflow.plan import Plan, digest_of, plain

KEPT = ".snakemake/geojax"  # what need not be found out again in each run


def read(
    directory: str | Path = "config", only: str | None = None, kept: str | Path | None = None, tiny: bool | str = False
) -> Plan:
    """Read and check every run and the datasets that they use.

    only : names of runs, comma-separated; all of them without
    tiny : in place of each run R one as small as its section `tiny` says, R.tiny, whose results lie beside R's
    kept : folder in which digests of the code are remembered from one run to the next
    raises UserError : a file says something that is not admitted, or names what there is not
    """
    if (said := str(tiny).lower()) not in ("true", "false"):
        raise UserError(f"tiny must be true or false, but is {tiny!r}.")
    directory = Path(directory)
    files = {path.stem: path for path in sorted((directory / "runs").glob("*.yaml"))}
    wanted = [name.strip() for name in str(only).split(",")] if only else []
    if absent := [name for name in wanted if name not in files]:
        raise UserError(f"runs={only}: there is no {directory}/runs/{absent[0]}.yaml. Runs: {', '.join(files)}.")
    if not files:
        raise UserError(f"{directory}/runs: must hold at least one run as a .yaml file, but holds none.")
    runs = _with_rivals(files, wanted or list(files))
    if said == "true":
        runs = {f"{name}{TINY}": shrunk(run, files[name]) for name, run in runs.items()}
        files, wanted = {f"{name}{TINY}": path for name, path in files.items()}, [f"{name}{TINY}" for name in wanted]
    names = sorted({name for run in runs.values() for name in run.datasets})
    datasets = {name: load(Dataset, directory / "datasets" / f"{name}.yaml") for name in names}
    for name, run in runs.items():
        _check_names(files[name], run)
        _check_together(files[name], run, datasets)
    for name, dataset in datasets.items():
        _check_dataset(directory / "datasets" / f"{name}.yaml", dataset)
    return Plan(
        runs, datasets, code.Kept(Path(kept) / "code.json") if kept else code.digest, tuple(wanted), said == "true"
    )


def _with_rivals(files: dict[str, Path], wanted: list[str]) -> dict[str, Run]:
    """The runs, and those that they are compared with.

    raises UserError : there is no such run, or it has other examples
    """
    runs: dict[str, Run] = {}
    for name in wanted:
        run = runs[name] = load(Run, files[name])
        if run.against is None:
            continue
        if run.against not in files or run.against == name:
            raise UserError(f"{files[name]}: against: must be another run, but is `{run.against}`.")
        rival = runs.setdefault(run.against, load(Run, files[run.against]))
        for section in ("dataset", "task", "examples"):
            if getattr(run, section) != getattr(rival, section):
                raise UserError(
                    f"{files[name]}: against: runs are compared in pairs on the same examples, but `{section}` differs "
                    f"from that of {files[run.against]}. Make them the same."
                )
    return {name: runs[name] for name in files if name in runs}


def _check_together(path: Path, run: Run, datasets: dict[str, Dataset]) -> None:
    """Several datasets of one run: each scaling would be by other statistics, and folds are dealt within one."""
    if len(run.datasets) > 1 and (folded := [n for n in run.datasets if datasets[n].split.by == "fold"]):
        raise UserError(f"{path}: dataset: {folded[0]} is split by fold, which is admitted for a dataset alone.")
    if len(run.datasets) > 1 and (scaled := [name for name in run.datasets if datasets[name].scaling.reference]):
        raise UserError(
            f"{path}: dataset: {scaled[0]} is scaled by statistics of its own, which cannot be mixed with those of "
            "others. Leave its `scaling` out, and let the task scale."
        )


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
        path = str(directory / "runs" / f"{name.removesuffix(TINY)}.yaml")
        chosen = task.configured(run.task, run.examples, path)
        models.check_sizes(run.model.name, run.model.sizes, path)
        if run.model.name not in chosen.models:
            raise UserError(f"{path}: model: name: {run.task} takes {', '.join(chosen.models)}, not {run.model.name}.")
        _check_single(path, run, chosen, plan.datasets)
    for name, dataset in plan.datasets.items():
        readers.check_options(dataset.reader.name, dataset.reader.options, str(directory / f"datasets/{name}.yaml"))


def _check_single(path: str, run: Run, chosen: Any, datasets: dict[str, Dataset]) -> None:
    """What can only be asked of one model is asked of one."""
    if run.training.ensemble > 1 and not chosen.averages:
        raise UserError(
            f"{path}: training: ensemble: must be 1, as the mean of what several models of {run.task} predict is no "
            f"prediction, but is {run.training.ensemble}. Leave it out."
        )
    folded = [name for name in run.datasets if datasets[name].split.by == "fold"]
    if folded and chosen.has_own("fit_beside"):
        raise UserError(
            f"{path}: dataset: must be split by group or by time, as {run.task} keeps something that is fitted to one "
            f"model, but {folded[0]} is split by fold, which trains a model for each. Mend `split` of the dataset."
        )


def check_once(plan: Plan, kept: str | Path = KEPT) -> None:
    """`check_inside`, unless this very configuration and code passed it before: it imports JAX, which takes seconds."""
    content = {name: plain(section) for each in (plan.runs, plan.datasets) for name, section in each.items()}
    used = {f"tasks.{run.task}" for run in plan.runs.values()} | {"models", "data.readers"}
    used |= {f"models.{run.model.name}" for run in plan.runs.values()}
    used |= {f"data.readers.{dataset.reader.name}" for dataset in plan.datasets.values()}
    mark = Path(kept) / digest_of([content, plan.digest("write_page", *sorted(used))])
    if not mark.exists():
        check_inside(plan)
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
