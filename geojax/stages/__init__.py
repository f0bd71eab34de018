"""One function for each rule of the DAG: files in, files out. What is heavy is imported where it is used."""

from geojax.stages.evaluation import evaluate_run, write_page, write_report
from geojax.stages.prediction import fit_baselines, predict
from geojax.stages.preparation import (
    fetch_raw,
    fit_scaling,
    gather_parts,
    index_examples,
    ingest_part,
    normalize_part,
)
from geojax.stages.training import train_model

__all__ = [
    "evaluate_run", "fetch_raw", "fit_baselines", "fit_scaling", "gather_parts", "index_examples", "ingest_part",
    "normalize_part", "predict", "train_model", "write_page", "write_report",
]  # fmt: skip
