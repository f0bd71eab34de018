"""A trained model, applied to raw files outside the workflow."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from geojax import store
from geojax.config import Dataset, Run
from geojax.data import readers, scaling, survey
from geojax.errors import UserError
from geojax.predictions import unpacked
from geojax.problem import Problem
from geojax.task import Data, Examples


def apply(name: str, run: Run, datasets: Mapping[str, Dataset], files: Sequence[Path], output: Path) -> list[Path]:
    """Apply the model of a run, as the workflow trained it below the working directory, to files of one's own.

    datasets : by name, those of the run among them
    returns : the files that were written
    raises UserError : the run has not been trained, a file is not there, or its task does not say how to read it
    """
    from geojax.training import devices
    from geojax.training.weights import predictors

    if absent := [path for path in files if not path.exists()]:
        raise UserError(f"{absent[0]}: must be a file or a folder, but there is none. Correct the path.")
    results = Path("results") / name
    weights, index = (str(results / f"{kind}.manifest.json") for kind in ("model", "index"))
    predictions = results / "predictions.manifest.json"
    if not (Path(weights).exists() and predictions.exists()):
        raise UserError(f"{weights}: there is no trained model yet. Run: snakemake --cores all --config runs={name}")
    devices.prepare(run.training.device)
    lists, scalings = (
        [f"data/{dataset}/{kind}" for dataset in run.datasets] for kind in ("normalized.json", "scaling.manifest.json")
    )
    problem = Problem.open(lists, scalings, index, run.task, run.examples, unpacked(store.read(predictions)))
    if problem.folded:
        raise UserError(f"{name}: its models are those of a cross-validation, none of which saw all groups.")
    model = run.model.model_dump(mode="json")
    creates = problem.creators(model, problem.some_training(run.training.resident))
    (predict,) = predictors(creates, store.read(weights), problem.task.predict, run.training.batch_size)
    chosen = store.read_json(predictions).get("chosen", {})

    def decided(examples: Examples) -> np.ndarray:
        return problem.task.decide(predict(examples), chosen)

    output.mkdir(parents=True, exist_ok=True)
    own = [datasets[each] for each in run.datasets]
    data = Data(problem.parts, problem.scaling, partial(read, own, problem.scaling))
    return problem.task.apply(decided, files, output, data)


def read(datasets: Sequence[Dataset], fitted: xr.Dataset, files: Sequence[Path], without: Sequence[str]) -> xr.Dataset:
    """Raw files as one part: read, asked for faults and normalized as those of the run's dataset were.

    files : also folders, all files of which are taken
    without : variables that the files need not hold, which so are not read
    raises UserError : the run has several datasets, or the files are not as the dataset's configuration says
    """
    if len(datasets) != 1:
        raise UserError("apply: a run of several datasets does not tell which one's files these are. Name another run.")
    (dataset,), every = (
        datasets,
        [own for path in files for own in (sorted(path.rglob("*")) if path.is_dir() else [path])],
    )
    raw = {str(path): path for path in every if path.is_file()}
    raw |= {name: Path(path) for name, path in getattr(dataset.source, "shared", {}).items()}
    wanted = dataset.reader.model_dump(mode="json")["variables"]
    variables = {name: told for name, told in wanted.items() if name not in without}
    content = readers.load(dataset.reader.name)(raw, {}, variables, **dataset.reader.options).load()
    survey.judge(content, raw, [*dataset.quality.admit, "gap"])  # where something lacks, nothing is found
    content.attrs["part"] = ", ".join(map(str, files))
    return scaling.apply(content, _of_these(fitted, content))


def _of_these(fitted: xr.Dataset, content: xr.Dataset) -> xr.Dataset:
    """The scaling of the places that a part has.

    raises UserError : it has one that the run was not trained on
    """
    for dim in set(fitted.dims) & set(content.coords):
        places = pd.Index(map(str, fitted[dim].values)).get_indexer([str(own) for own in content[dim].values])
        if (places < 0).any():
            known = ", ".join(map(str, fitted[dim].values[:10]))
            raise UserError(
                f"{content.attrs['part']}: {dim} {content[dim].values[places < 0][0]} must be one that the run was "
                f"trained on ({known}{', …' * (fitted.sizes[dim] > 10)}), as each is scaled by its own values. Leave "
                "it out, or train a run with it."
            )
        fitted = fitted.isel({dim: places}).assign_coords({dim: content[dim]})
    return fitted
