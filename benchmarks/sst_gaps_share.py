"""What the learned covariance and the U-Net each give in run sst_gaps: RMSE in K with and without the U-Net.

Run it where `make run` has ended: python benchmarks/sst_gaps_share.py
"""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from geojax import store, workflow
from geojax.problem import Problem
from geojax.training import loop, weights


def main() -> None:
    run = workflow.read().runs["sst_gaps"]
    data = Path("data") / run.dataset
    scaling, results = str(data / "scaling.manifest.json"), Path("results/sst_gaps")
    problem = Problem.open(
        str(data / "normalized.json"), scaling, str(results / "index.manifest.json"), run.task, run.examples
    )
    create = problem.creator(run.model.model_dump(), problem.examples("train"))
    graph, best = weights.from_dataset(create, store.read(results / "model.zarr"))
    print("split       with U-Net  without   with minus without")
    for split in ("validation", "test"):
        examples, rows = problem.examples(split), problem.rows(split)
        scores = []
        for name in ("corrected", "analysis"):

            def restore(model, batch, name=name):
                pairs = jnp.nan_to_num(batch.rows["fields"]), batch.rows["hidden"]
                return jax.lax.map(lambda row: getattr(model(*row), name), pairs)

            predicted = loop.predict(graph, best, restore, examples, run.training.batch_size)
            statistics = problem.task.statistics(rows, examples, np.asarray(predicted), problem.scaling)
            scores.append(problem.task.score(statistics.sum("group")))
        whole = [float(score["rmse"]) for score in scores]
        print(f"{split:10}  {whole[0]:.4f}      {whole[1]:.4f}    {whole[0] - whole[1]:+.4f}")
        for coverage in scores[0]["coverage"].values:
            both = [float(score["rmse_by_coverage"].sel(coverage=coverage)) for score in scores]
            print(f"  {coverage:8.0%}  {both[0]:.4f}      {both[1]:.4f}    {both[0] - both[1]:+.4f}")


if __name__ == "__main__":
    main()
