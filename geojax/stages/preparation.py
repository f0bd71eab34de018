"""From raw files to normalized parts and an audited index."""

from collections.abc import Iterable, Mapping
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
    names: Mapping[str, str] | None = None, chunks: Mapping[str, int] | None = None,
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
            chunks = None
    content.attrs |= {"Conventions": "CF-1.12", "part": part}
    store.write(content, zarr, chunks, raw=digests, own=own, **facts)
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


def fit_scaling(parts: str, zarr: str, scaling: Section, kept: str, code: str) -> None:
    """Fit centre and spread on the reference parts, from moments that are measured once for each part."""
    from geojax.data import gathered, moments
    from geojax.data import scaling as fitting

    found = moments.of_parts(gathered.read(parts), scaling, kept, code)
    store.write(fitting.fit(fitting.merge(found), scaling), zarr, parts=len(found))
    logger.info("scaling fitted on %d reference parts", len(found))


def normalize_part(part: str, scaling: str, zarr: str, chunks: Mapping[str, int] | None = None) -> None:
    """Apply the scaling to one part."""
    from geojax.data import scaling as fitting

    if reason := store.set_aside(part):
        return store.write(store.read(part).load(), zarr, quarantined=reason, drift={})
    fitted = store.read(scaling).load()
    normalized = fitting.apply(store.read(part), fitted)
    store.write(normalized, zarr, chunks, drift=fitting.drift(normalized, fitted))


def gather_parts(parts: Paths, listed: str) -> None:
    """List many parts in one file, with the digests of their manifests."""
    from geojax.data import gathered

    gathered.write(parts, listed)


def index_examples(parts: Paths, index: str, task: str, examples: Section, splits: Mapping[str, Section]) -> None:
    """List every example with its part, group, time and split; fail if anything leaks from split to split.

    splits : for each dataset how it is split, and on which parts its scaling is fitted
    """
    import pandas as pd

    from geojax import task as tasks
    from geojax.data import audit, gathered
    from geojax.data.gathered import stem
    from geojax.data.splits import assign

    chosen = tasks.configured(task, examples)
    every = gathered.read(parts)
    pieces, raw, aside = [], {}, set[str | Path](every)
    for path, told in store.usable(every):
        with store.read(path) as part:
            own = chosen.index(part).assign(part=part.attrs["part"], dataset=Path(path).parts[-3])
            pieces.append(own)
            raw[part.attrs["part"]] = {name: told["raw"][name] for name in told.get("own", [])}
        aside.remove(path)
    every_row = pd.concat(pieces, ignore_index=True)
    of_dataset = [assign(own, splits[str(name)]["split"]) for name, own in every_row.groupby("dataset", sort=False)]
    rows = chosen.expand(pd.concat(of_dataset, ignore_index=True))
    rows.insert(0, "example", range(len(rows)))
    reasons = {stem(path): store.set_aside(path) for path in aside}
    checks = audit.examine_each(rows, splits, raw, reasons)
    audit.refuse(checks)
    store.write_table(rows.drop(columns="fingerprint", errors="ignore"), index)
    counts = rows["split"].value_counts().to_dict()
    content = {"digest": store.digest(index), "examples": counts, "groups": sorted(map(str, rows["group"].unique()))}
    content["audit"] = audit.summary(checks)
    content |= {"set_aside": reasons} if reasons else {}
    store.write_json(content, store.beside(Path(index).with_suffix(""), ".manifest.json"))
    logger.info("examples: %s; no leakage found", counts)
