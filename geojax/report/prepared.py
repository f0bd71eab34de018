"""What the page of a run tells of a dataset: card, parts, raw files, condition, drift."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from geojax import store
from geojax.config import Dataset
from geojax.data import parts as partition_of
from geojax.report import condition, partition

RAW_SHOWN = 5  # raw files whose digests the page tells; all stand in the manifests


@dataclass(frozen=True)
class Prepared:
    """A dataset, as its stages left it."""

    name: str
    config: dict[str, Any]
    names: list[str]  # of the parts
    lots: list[str]
    raw: dict[str, str]  # digest of each raw file, by its name
    condition: condition.Condition
    spans: partition.Spans
    drift: dict[str, dict[str, dict[str, float]]]  # of each part: variable, mean and deviation

    @property
    def folder(self) -> Path:
        return Path("data") / self.name

    @property
    def raw_shown(self) -> list[tuple[str, str]]:
        """The first of the raw files with their digests."""
        return list(self.raw.items())[:RAW_SHOWN]

    @property
    def scaled(self) -> str:
        """What its scaling was fitted on, in words."""
        reference = self.config["scaling"]["reference"]
        return f"scaling fitted on {', '.join(reference).replace('_', ' ')}" if reference else "values as they came"

    @property
    def source(self) -> str:
        """Where its raw files come from, in words."""
        source = self.config["source"]
        return f"{source['kind']} {source.get('pattern') or source.get('url') or source.get('base_url') or ''}".strip()


def gather(name: str, config: dict[str, Any]) -> Prepared:
    """Gather a dataset from conventional paths below the working directory."""
    data, configured = Path("data") / name, Dataset.model_validate(config)
    names = partition_of.names(configured)
    normalized = {part: store.read_json(data / "normalized" / f"{part}.manifest.json") for part in names}
    entered = {part: store.read_json(data / "parts" / f"{part}.manifest.json") for part in names}
    return Prepared(
        name, config, names, partition_of.lots(configured), condition.raw_files(entered), condition.of_parts(entered),
        _spans(normalized), {part: own["drift"] for part, own in normalized.items()},
    )  # fmt: skip


def _spans(manifests: dict[str, dict[str, Any]]) -> partition.Spans:
    spans = {part: own.get("time_span") for part, own in manifests.items()}
    return {part: (pd.Timestamp(span[0]), pd.Timestamp(span[1])) for part, span in spans.items() if span}
