"""From examples to a model."""

from collections.abc import Callable
from typing import Any, NamedTuple

from geojax import store
from geojax.data import gathered
from geojax.data.gathered import Paths
from geojax.errors import UserError
from geojax.log import logger

Section = dict[str, Any]


def train_model(
    parts: Paths, scaling: Paths, index: str, zarr: str, history: str,
    task: str, examples: Section, model: Section, training: Section, checkpoints: str, finished: str, code: str,
) -> None:  # fmt: skip
    """Train the model and keep the weights of the best epoch of each member."""
    from geojax.config.run import Training
    from geojax.problem import Problem
    from geojax.training import devices, loop, processes, updates, weights
    from geojax.training.checkpoints import Checkpoints

    settings = Training(**training)
    device = devices.prepare(settings.device)
    problem = Problem.open(parts, scaling, index, task, examples)
    fed = _fed(problem, settings)
    logger.info("%d training and %d validation examples at once", fed.train.size, fed.validation.size)
    content = _training_content(problem, parts, scaling)
    groups = {split: problem.index["group"].unique() for split in ("train", "validation")}
    if not problem.folded:  # of folds each is trained on
        groups = problem.index.groupby("split")["group"].unique()
    wanted = {
        "data": store.digest_of(content), "task": task, "examples": examples, "model": model,
        "ensemble": settings.ensemble,
        "scaling": [store.read_json(path)["digest"] for path in gathered.listed(scaling)],
        "groups": {split: sorted(map(str, own)) for split, own in groups.items()},
    }  # fmt: skip
    creates = problem.creators(model, fed.few)
    kept = updates.Finished(finished)
    origin, start = kept.start(wanted, creates[0]) if settings.update == "warm" else (updates.SCRATCH, None)
    if settings.update == "warm":
        logger.info("training starts from %s: %s", origin.key or "scratch", origin.reason)
    own = {name: value for name, value in training.items() if name != "update"}
    of = {
        "data": content, "task": task, "examples": examples, "model": model, "training": own, "code": code,
        "start": origin.facts["digest"] if origin.key else None,
    }  # fmt: skip
    key = store.digest_of(of)[:16]
    best, table = loop.fit(
        creates, problem.task.turns(), problem.task.loss, fed.train, fed.validation, settings,
        Checkpoints(checkpoints, key, facts=of), start, fed.held, fed.name,
    )  # fmt: skip
    if not processes.leads():
        return
    found = weights.to_dataset(best, model=model, training=training)
    kept.keep(found, key, origin, wanted)
    lineage = updates.lineage(key, origin, wanted)
    facts = {"key": key, "start": origin.key, "update": settings.update, "reason": origin.reason, "lineage": lineage}
    store.write(found, zarr, device=device, **facts)
    store.write_table(table.assign(data=wanted["data"], start=origin.key or "scratch"), history)


class Fed(NamedTuple):
    """What the loop trains on and judges by."""

    train: Any
    few: Any  # examples that a model can be made of; of folds all
    validation: Any
    held: Any  # rows of each fold, or None
    name: Callable[[int, Any], str]  # what rows of the examples of an epoch are called


def _fed(problem: Any, settings: Any) -> Fed:
    from functools import partial

    from geojax.training import order
    from geojax.training.feeding import Pools

    if problem.folded:
        _admit_folds(settings)
        train, judged = problem.rotated()
        held = order.held(problem.index["fold"].to_numpy())
        return Fed(train, train, judged, held, lambda _, taken: _named(problem.index.iloc[taken]))
    rows, resident = problem.rows("train"), settings.resident
    validation = problem.sample("validation", resident)
    if problem.fits("train", resident):
        whole = problem.examples("train")
        return Fed(whole, whole, validation, None, lambda _, taken: _named(rows.iloc[taken]))
    pooled = partial(problem.pooled, resident, settings.seed)
    size = len(pooled(0))
    logger.info("%d training examples in pools of %d, one for each epoch", len(rows), size)
    pools = Pools(partial(problem.pool, resident, settings.seed), size, settings.epochs)
    few = problem.some_training(resident)
    return Fed(pools, few, validation, None, lambda epoch, taken: _named(rows.iloc[pooled(epoch)[taken]]))


def _admit_folds(settings: Any) -> None:
    if settings.resident or settings.update == "warm":
        raise UserError(
            "training: a dataset that is split by fold needs all examples at once and begins anew: leave out "
            "`resident` and `update: warm`."
        )


def _named(rows: Any) -> str:
    """A few rows of an index by example and part."""
    told = [f"{row.example} ({row.part})" for row in rows.head(8).itertuples()]
    return f"examples {', '.join(told)}" + (f" and {len(rows) - 8} more" if len(rows) > 8 else "")


def _training_content(problem: Any, parts: Paths, scaling: Paths) -> list[str]:
    """Digests of all that training and validation examples are made of; parts of the test alone change nothing.

    Of content, not of paths: a checkpoint belongs to what it was trained on. That are the parts which their rows lie
    in, and those that were opened besides, for what was before the first row.
    """
    import hashlib

    known = slice(None) if problem.folded else problem.index["split"] != "test"
    rows = problem.index[known].drop(columns="example").reset_index(drop=True)
    read = problem.opened.union(rows["part"])
    own = [path for path in gathered.read(parts) if gathered.stem(path) in read]
    digests = [store.read_json(path)["digest"] for path in (*own, *gathered.listed(scaling))]
    return [*digests, hashlib.sha256(rows.to_csv().encode()).hexdigest()]
