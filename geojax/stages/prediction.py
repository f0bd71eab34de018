"""From models and baselines to their predictions."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from geojax import store
from geojax.data.gathered import Paths
from geojax.log import logger

Section = dict[str, Any]


def predict(
    parts: Paths, scaling: Paths, index: str, weights: str, zarr: str,
    task: str, examples: Section, model: Section, batch_size: int, finished: str, resident: int | None = None,
    device: str = "auto",
) -> None:  # fmt: skip
    """Predict the validation and test examples; the test examples also with the weights before an update.

    What the task keeps with its model is fitted here, and stored with the predictions.
    """
    from geojax.problem import Problem
    from geojax.training import devices, updates
    from geojax.training.weights import predictors

    devices.prepare(device)
    problem = Problem.open(parts, scaling, index, task, examples)
    creates = problem.creators(model, problem.some_training(resident))
    start = store.read_json(weights).get("start")
    stored = {"now": store.read(weights)} | ({"before": updates.Finished(finished).read(start)} if start else {})
    every = {name: predictors(creates, own, problem.task.predict, batch_size) for name, own in stored.items()}
    tuned = {name: _tuned(problem, own, resident) for name, own in every.items()}
    every = {name: own for name, (own, _) in tuned.items()}
    functions = {name: own[0] for name, own in every.items()}

    def of_folds() -> Iterator[dict[str, Any]]:
        pairs = list(zip(every["now"], problem.folds, strict=True))
        found = {split: [of(own.examples(split)) for of, own in pairs] for split in ("validation", "test")}
        yield {split: problem.in_order(split, pieces) for split, pieces in found.items()}

    def blocks() -> Iterator[dict[str, Any]]:
        for split in ("validation", "test"):
            for _, own in problem.blocks(split, resident):
                wanted = {split: "now"} | ({"before": "before"} if split == "test" and start else {})
                yield {name: functions[which](own) for name, which in wanted.items()}

    told = of_folds() if problem.folded else blocks()
    chosen = {"chosen": _of_folds(now)} if any(now := tuned["now"][1]) else {}
    maker = f"model {model['name']}, weights {store.read_json(weights)['digest']}"
    _write_predictions(
        told, zarr, problem, index, maker, {"validation": "validation"}, _kept(problem, functions["now"], resident),
        **chosen,
    )  # fmt: skip


def _kept(problem: Any, predict: Callable[..., Any], resident: int | None) -> list[Any]:
    """What the task keeps with its model, as a block of its store; none of most tasks."""
    from geojax import predictions

    if not problem.task.has_own("fit_beside"):
        return []
    kept = problem.task.fit_beside(predict, *(problem.sample(split, resident) for split in ("train", "validation")))
    return [] if kept is None else [predictions.packed(kept)]


def _tuned(
    problem: Any, functions: Sequence[Callable[..., Any]], resident: int | None
) -> tuple[list[Callable[..., Any]], list[Section]]:
    """Predictions with what the task decides by them, and what each fold's model was tuned to on validation."""
    task = problem.task
    if not task.has_own("tune"):
        return list(functions), [{} for _ in functions]
    pairs = list(zip(functions, problem.folds, strict=True))
    chosen = [task.tune(of, fold.sample("validation", resident)) for of, fold in pairs]
    logger.info("tuned on validation: %s", _of_folds(chosen))

    def decided(of: Callable[..., Any], own: Section) -> Callable[..., Any]:
        return lambda examples: task.decide(of(examples), own)

    return [decided(of, own) for of, own in zip(functions, chosen, strict=True)], chosen


def fit_baselines(
    parts: Paths, scaling: Paths, index: str, zarr: str, task: str, examples: Section, resident: int | None = None
) -> None:
    """Fit and tune the classical methods on the same examples, and predict the test examples."""
    import time

    from geojax.problem import Problem

    problem = Problem.open(parts, scaling, index, task, examples)
    sampled = {
        split: [len(problem.sampled(split, resident)), len(problem.rows(split))]
        for split in ("train", "validation")
        if not problem.fits(split, resident)
    }
    for split, (size, of) in sampled.items():
        logger.info("baselines see a fixed sample of %d of the %d %s examples", size, of, split)

    def fitted(fold: Problem) -> tuple[Mapping[str, Any], Section]:
        train, validation = (fold.sample(split, resident) for split in ("train", "validation"))
        baselines, chosen = problem.task.baselines(), {}
        for name, baseline in baselines.items():
            start = time.monotonic()
            chosen[name] = baseline.fit(train, validation)
            logger.info("%s: %s (%.1f s)", name, chosen[name], time.monotonic() - start)
        return baselines, chosen

    every = [fitted(fold) for fold in problem.folds]
    chosen = {name: _of_folds([own[name] for _, own in every]) for name in every[0][1]}
    blocks: Iterable[Mapping[str, Any]]
    if problem.folded:
        tests = [fold.examples("test") for fold in problem.folds]
        pieces = {n: [own[n].predict(test) for (own, _), test in zip(every, tests, strict=True)] for n in chosen}
        blocks = [{name: problem.in_order("test", own) for name, own in pieces.items()}]
    else:
        blocks = (
            {name: baseline.predict(own) for name, baseline in every[0][0].items()}
            for _, own in problem.blocks("test", resident)
        )
    _write_predictions(blocks, zarr, problem, index, "baselines, each a variable", {}, chosen=chosen, sampled=sampled)


def _of_folds(chosen: list[Section]) -> Section:
    """What was chosen in each fold, setting by setting; once where all agree. Of several folds no lists of trials."""
    kept = [key for key, own in chosen[0].items() if len(chosen) == 1 or not isinstance(own, list)]
    told = {key: [own.get(key) for own in chosen] for key in kept}
    return {key: own[0] if all(each == own[0] for each in own) else own for key, own in told.items()}


def _write_predictions(
    blocks: Iterable[Mapping[str, Any]], zarr: str, problem: Any, index: str, maker: str,
    first: Mapping[str, str], besides: Iterable[Any] = (), **facts: Any,
) -> None:  # fmt: skip
    """Write predictions (example, …) block by block; `first` names the split of those that are not of the test.

    Dimensions are named by split, for sizes differ between splits. The store says who made them, and of which data.
    besides : datasets that are stored with them
    """
    import xarray as xr

    from geojax import predictions

    attributes = problem.task.predicted
    datasets = sorted(map(str, problem.index["dataset"].unique()))
    origin = predictions.origin(zarr, index, datasets, maker, attributes)

    def dataset(values: Mapping[str, Any]) -> xr.Dataset:
        dims = {name: (f"{first.get(name, 'test')}_example", *(f"axis_{i}" for i in range(1, own.ndim)))
                for name, own in values.items()}  # fmt: skip
        return xr.Dataset({name: (dims[name], own, attributes) for name, own in values.items()}, attrs=origin)

    store.write_blocks(chain(map(dataset, blocks), besides), zarr, **facts)
