"""A trained model, applied to raw files outside the workflow."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from geojax import store
from geojax.config import Run
from geojax.errors import UserError
from geojax.predictions import unpacked
from geojax.problem import Problem
from geojax.task import Examples


def apply(name: str, run: Run, files: Sequence[Path], output: Path) -> list[Path]:
    """Apply the model of a run, as the workflow trained it below the working directory, to files of one's own.

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
    return problem.task.apply(decided, files, output)
