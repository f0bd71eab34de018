"""From examples to a model."""

from typing import Any

from geojax import store
from geojax.log import logger

Section = dict[str, Any]


def train_model(
    parts: str, scaling: str, index: str, zarr: str, history: str,
    task: str, examples: Section, model: Section, training: Section, checkpoints: str, finished: str, code: str,
) -> None:  # fmt: skip
    """Train the model and keep the weights of the best epoch of each member."""
    from geojax.config.run import Training
    from geojax.problem import Problem
    from geojax.training import devices, loop, updates, weights
    from geojax.training.checkpoints import Checkpoints

    device = devices.prepare()
    problem = Problem.open(parts, scaling, index, task, examples)
    settings = Training(**training)
    resident = settings.resident
    validation = problem.sample("validation", resident)
    train, few = _training_examples(problem, settings)
    logger.info("%d training and %d validation examples at once", train.size, validation.size)
    content = _training_content(problem, parts, scaling)
    groups = problem.index.groupby("split")["group"].unique()
    wanted = {
        "data": store.digest_of(content), "task": task, "examples": examples, "model": model,
        "ensemble": settings.ensemble, "scaling": store.read_json(scaling)["digest"],
        "groups": {split: sorted(map(str, own)) for split, own in groups.items()},
    }  # fmt: skip
    create = problem.creator(model, few)
    kept = updates.Finished(finished)
    origin, start = kept.start(wanted, create) if settings.update == "warm" else (updates.SCRATCH, None)
    if settings.update == "warm":
        logger.info("training starts from %s: %s", origin.key or "scratch", origin.reason)
    own = {name: value for name, value in training.items() if name != "update"}
    begun = [origin.facts["digest"]] if origin.key else []
    key = store.digest_of([content, task, examples, model, own, code, *begun])[:16]
    best, table = loop.fit(create, problem.loss, train, validation, settings, Checkpoints(checkpoints, key), start)
    found = weights.to_dataset(best, model=model, training=training)
    kept.keep(found, key, origin, wanted)
    lineage = updates.lineage(key, origin, wanted)
    facts = {"key": key, "start": origin.key, "update": settings.update, "reason": origin.reason, "lineage": lineage}
    store.write(found, zarr, device=device, **facts)
    store.write_table(table.assign(data=wanted["data"], start=origin.key or "scratch"), history)


def _training_content(problem: Any, parts: str, scaling: str) -> list[str]:
    """Digests of all that training and validation examples are made of; parts of the test alone change nothing.

    Of content, not of paths: a checkpoint belongs to what it was trained on.
    """
    import hashlib

    from geojax.data import gathered
    from geojax.data.parts import stem

    rows = problem.index[problem.index["split"] != "test"].drop(columns="example").reset_index(drop=True)
    read = set(rows["part"])
    digests = [
        store.read_json(path)["digest"] for path in (*(p for p in gathered.read(parts) if stem(p) in read), scaling)
    ]
    return [*digests, hashlib.sha256(rows.to_csv().encode()).hexdigest()]


def _training_examples(problem: Any, settings: Any) -> tuple[Any, Any]:
    """What the loop trains on, and examples that a model can be made of."""
    from functools import partial

    from geojax.training.feeding import Pools

    if problem.fits("train", settings.resident):
        whole = problem.examples("train")
        return whole, whole
    size, count = len(problem.pooled(settings.resident, settings.seed, 0)), len(problem.rows("train"))
    logger.info("%d training examples in pools of %d, one for each epoch", count, size)
    read = partial(problem.pool, settings.resident, settings.seed)
    return Pools(read, size, settings.epochs), problem.some_training(settings.resident)
