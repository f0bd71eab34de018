"""One function for each rule of the DAG: files in, files out. What is heavy is imported where it is used."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from geojax import store
from geojax.errors import NothingThereError, UserError
from geojax.log import logger

Section = dict[str, Any]
Paths = Iterable[str]


def fetch_raw(directory: str, manifest: str, order: Section) -> None:
    """Bring one lot of a dataset's raw files here, checked against the digests that the configuration gives."""
    from geojax.data import sources

    content: Section = {"source": order, "files": {}}
    Path(manifest).unlink(missing_ok=True)  # never may the old one vouch for new files
    try:
        content["files"] = sources.fetch(order, Path(directory))
    except NothingThereError as answer:
        content["nothing"] = str(answer)
        logger.warning("%s", answer)
    store.write_json(content, manifest)
    for name, digest in content["files"].items():
        logger.info("fetched %s (sha256 %s)", name, digest)


def ingest_part(
    raw: str | Paths, zarr: str, part: str, selection: Section, reader: Section, quality: Section,
    names: Mapping[str, str] | None = None,
) -> None:  # fmt: skip
    """Turn one part of the raw data into a Zarr store, or set it aside with the reason."""
    import xarray as xr

    from geojax.data import readers, survey
    from geojax.data.steadiness import steady

    read, options = readers.load(reader["name"]), reader.get("options", {})
    facts: Section
    given = [Path(path) for path in ([raw] if isinstance(raw, str) else raw)]
    files, told = _raw_files(given)
    # Names of raw files that no other part may have; several fetched together may share one, as of responses.
    own = [] if selection or (told and len(told) > 1) else sorted(files)
    files |= {name: Path(path) for name, path in (names or {}).items()}
    with steady(files, told) as digests:
        try:
            if not files:
                raise NothingThereError(store.read_json(given[0])["nothing"])
            content = read(files, selection, reader["variables"], **options).load()
            facts = survey.judge(content, files, quality["admit"])
        except UserError as error:
            if quality["policy"] != "quarantine":
                raise
            logger.warning("part %s is set aside: %s", part, error)
            content, facts = xr.Dataset(attrs={"quarantined": str(error)}), {"quarantined": str(error)}
    content.attrs |= {"Conventions": "CF-1.12", "part": part}
    store.write(content, zarr, raw=digests, own=own, **facts)
    logger.info("part %s: %s", part, dict(content.sizes))


def _raw_files(raw: list[Path]) -> tuple[dict[str, Path], dict[str, str] | None]:
    """Where the raw files lie; `raw` is those of one part or the manifest of what was fetched, with its digests."""
    if raw[0].name.endswith(".manifest.json"):
        digests = store.read_json(raw[0])["files"]
        return {name: store.beside(raw[0], "") / name for name in digests}, digests
    if absent := [path for path in raw if not path.exists()]:
        raise UserError(f"{absent[0]}: the raw file must exist, but does not. Put it there, or mend `source`.")
    alone = len({path.name for path in raw}) == len(raw)
    return {path.name if alone else str(path): path for path in raw}, None


def fit_scaling(parts: Paths, zarr: str, scaling: Section, kept: str, code: str) -> None:
    """Fit centre and spread on the reference parts, from moments that are measured once for each part."""
    from geojax.data import moments
    from geojax.data import scaling as fitting

    found = moments.of_parts(parts, scaling, kept, code)
    store.write(fitting.fit(fitting.merge(found), scaling), zarr, parts=len(found))
    logger.info("scaling fitted on %d reference parts", len(found))


def normalize_part(part: str, scaling: str, zarr: str) -> None:
    """Apply the scaling to one part."""
    from geojax.data import scaling as fitting

    if reason := store.set_aside(part):
        return store.write(store.read(part).load(), zarr, quarantined=reason, drift={})
    fitted = store.read(scaling).load()
    normalized = fitting.apply(store.read(part), fitted)
    store.write(normalized, zarr, drift=fitting.drift(normalized, fitted))


def index_examples(
    parts: Paths, index: str, task: str, examples: Section, split: Section, reference: list[str]
) -> None:
    """List every example with its part, group, time and split; fail if anything leaks from split to split."""
    import pandas as pd

    from geojax import task as tasks
    from geojax.data import audit, splits
    from geojax.data.parts import stem

    chosen = tasks.load(task)
    settings = tasks.settings_of(chosen, examples)
    pieces, raw = [], {}
    for path in store.usable(parts):
        with store.read(path) as part:
            pieces.append(chosen.index(part, settings).assign(part=part.attrs["part"]))
            told = store.read_json(store.manifest_of(path))
            raw[part.attrs["part"]] = {name: told["raw"][name] for name in told.get("own", [])}
    rows = chosen.expand(splits.assign(pd.concat(pieces, ignore_index=True), split), settings)
    rows.insert(0, "example", range(len(rows)))
    reasons = {stem(path): store.set_aside(path) for path in parts}
    aside = {part: reason for part, reason in reasons.items() if reason}
    checks = audit.examine(rows, split, [part for part in reference if part not in aside], raw)
    audit.refuse(checks)
    store.write_table(rows.drop(columns="fingerprint", errors="ignore"), index)
    counts = rows["split"].value_counts().to_dict()
    content = {"digest": store.digest(index), "examples": counts, "groups": sorted(map(str, rows["group"].unique()))}
    content["audit"] = audit.summary(checks)
    content |= {"set_aside": aside} if aside else {}
    store.write_json(content, store.beside(Path(index).with_suffix(""), ".manifest.json"))
    logger.info("examples: %s; no leakage found", counts)


def train_model(
    parts: Paths, scaling: str, index: str, zarr: str, history: str,
    task: str, examples: Section, model: Section, training: Section, checkpoints: str, finished: str, code: str,
) -> None:  # fmt: skip
    """Train the model and keep the weights of the best epoch of each member."""
    from geojax.config.run import Training
    from geojax.training import devices, loop, updates, weights
    from geojax.training.checkpoints import Checkpoints

    device = devices.prepare()
    problem = _problem(parts, scaling, index, task, examples)
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


def _training_content(problem: Any, parts: Paths, scaling: str) -> list[str]:
    """Digests of all that training and validation examples are made of; parts of the test alone change nothing.

    Of content, not of paths: a checkpoint belongs to what it was trained on.
    """
    import hashlib

    from geojax.data.parts import stem

    rows = problem.index[problem.index["split"] != "test"].drop(columns="example").reset_index(drop=True)
    read = set(rows["part"])
    digests = [store.read_json(path)["digest"] for path in (*(p for p in parts if stem(p) in read), scaling)]
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


def predict(
    parts: Paths, scaling: str, index: str, weights: str, zarr: str,
    task: str, examples: Section, model: Section, batch_size: int, finished: str, resident: int | None = None,
) -> None:  # fmt: skip
    """Predict the validation and test examples; the test examples also with the weights before an update."""
    from geojax.training import devices, loop, updates
    from geojax.training.weights import from_dataset

    devices.prepare()
    problem = _problem(parts, scaling, index, task, examples)
    create = problem.creator(model, problem.some_training(resident))
    start = store.read_json(weights).get("start")
    stored = {"now": store.read(weights)} | ({"before": updates.Finished(finished).read(start)} if start else {})
    functions = {
        name: loop.predictor(*from_dataset(create, own), problem.task.predict, batch_size)
        for name, own in stored.items()
    }

    def blocks() -> Iterator[dict[str, Any]]:
        for split in ("validation", "test"):
            for _, own in problem.blocks(split, resident):
                wanted = {split: "now"} | ({"before": "before"} if split == "test" and start else {})
                yield {name: functions[which](own) for name, which in wanted.items()}

    _write_predictions(blocks(), zarr, problem.task.predicted, {"validation": "validation"})


def fit_baselines(
    parts: Paths, scaling: str, index: str, zarr: str, task: str, examples: Section, resident: int | None = None
) -> None:
    """Fit and tune the classical methods on the same examples, and predict the test examples."""
    import time

    problem = _problem(parts, scaling, index, task, examples)
    train, validation = (problem.sample(split, resident) for split in ("train", "validation"))
    counts = {name: (own.size, len(problem.rows(name))) for name, own in (("train", train), ("validation", validation))}
    sampled = {name: list(pair) for name, pair in counts.items() if pair[0] < pair[1]}
    for name, (size, of) in sampled.items():
        logger.info("baselines see a fixed sample of %d of the %d %s examples", size, of, name)
    baselines = problem.task.baselines(problem.settings)
    chosen = {}
    for name, baseline in baselines.items():
        start = time.monotonic()
        chosen[name] = baseline.fit(train, validation)
        logger.info("%s: %s (%.1f s)", name, chosen[name], time.monotonic() - start)
    blocks = (
        {name: baseline.predict(own) for name, baseline in baselines.items()}
        for _, own in problem.blocks("test", resident)
    )
    _write_predictions(blocks, zarr, problem.task.predicted, {}, chosen=chosen, sampled=sampled)


def evaluate_run(
    parts: Paths, scaling: str, index: str, predictions: str, baselines: str, scores: str, table: str,
    task: str, examples: Section, evaluation: Section, run: str, resident: int | None = None,
) -> None:  # fmt: skip
    """Score the model against each baseline, with intervals from resampling whole groups."""
    import numpy as np

    from geojax.scores import resampling, sums, verdict
    from geojax.task import BEFORE

    problem = _problem(parts, scaling, index, task, examples)
    rows, predicted = problem.rows("test"), store.read(predictions)
    methods = {"model": predicted["test"]}
    methods |= {BEFORE: predicted["before"]} if "before" in predicted else {}
    methods |= {str(name): array for name, array in store.read(baselines).data_vars.items()}
    pieces: dict[str, list[Any]] = {name: [] for name in methods}
    for own, test in problem.blocks("test", resident):
        values = {name: array[own].values for name, array in methods.items()}
        if broken := [name for name, found in values.items() if not np.isfinite(found).all()]:
            raise UserError(f"{', '.join(broken)}: predictions must be finite, but some are not. Look at its log.")
        index_of = rows.iloc[own].reset_index(drop=True)
        for name, found in values.items():
            pieces[name].append(problem.task.statistics(index_of, test, found, problem.scaling))
    statistics = {name: sums.add(own) for name, own in pieces.items()}
    headline = problem.task.headline
    found = resampling.table(statistics, problem.task.score, evaluation["resamples"], evaluation["seed"])
    store.write_table(found, table)
    told = store.read_json(baselines)
    count = statistics["model"].sizes["group"]
    content = verdict.summarize(found, headline, run, problem.task.groups, count)
    content |= {"chosen": told["chosen"], "sampled": told["sampled"]}
    content |= {"examples": len(rows), "warning": resampling.doubt(statistics["model"])}
    store.write_json(content, scores)
    logger.info("%s", content["verdict"])
    if content["warning"]:
        logger.warning("%s", content["warning"])


def write_report(runs: Mapping[str, Section], page: str) -> None:
    """Write one page that shows every run: question, data, split, learning, scores, pictures."""
    from geojax.report import page as pages

    sections = [pages.section(name, **found) for name, found in runs.items()]
    store.write_bytes(pages.render(sections).encode(), page)
    logger.info("report: %s", page)


def _problem(parts: Paths, scaling: str, index: str, task: str, examples: Section) -> Any:
    from geojax.problem import Problem

    return Problem.open(parts, scaling, index, task, examples)


def _write_predictions(
    blocks: Iterable[Mapping[str, Any]], zarr: str, attributes: Section, first: Mapping[str, str], **facts: Any
) -> None:
    """Write predictions (example, …) block by block; `first` names the split of those that are not of the test.

    Dimensions are named by split, for sizes differ between splits.
    """
    import xarray as xr

    def dataset(values: Mapping[str, Any]) -> xr.Dataset:
        dims = {name: (f"{first.get(name, 'test')}_example", *(f"axis_{i}" for i in range(1, own.ndim)))
                for name, own in values.items()}  # fmt: skip
        return xr.Dataset({name: (dims[name], own, attributes) for name, own in values.items()})

    store.write_blocks(map(dataset, blocks), zarr, **facts)
