"""Which parts a dataset has. Light: it runs whenever Snakemake builds the DAG."""

import re

from geojax.config.dataset import Dataset
from geojax.config.parts import PeriodParts, RegionParts, StationParts
from geojax.config.sources import FilesSource, HttpSource, ObjectsSource
from geojax.data import raw
from geojax.data.ranges import expand, periods
from geojax.errors import UserError


def names(dataset: Dataset) -> list[str]:
    """Names of all parts, in order.

    raises UserError : the no file matches the source's pattern
    """
    match dataset.parts, dataset.source:
        case _, FilesSource(pattern=pattern) if "{part}" in pattern:
            return sorted(raw.files(dataset))
        case PeriodParts(by=by, first=str(first), last=str(last)), _:
            return periods(by, first, last)
        case StationParts(blocks=blocks), _:
            return list(blocks)
        case RegionParts(regions=regions), _:
            return list(regions)
        case _, HttpSource(sha256=dict(digests)):
            return list(digests)
        case _, ObjectsSource(parts=listed):
            return list(dict.fromkeys(expand(listed)))
    raise AssertionError(dataset)  # the configuration admits no other


def lots(dataset: Dataset) -> list[str]:
    """All lots that are fetched; none for one's own files."""
    if dataset.source.kind == "files":
        return []
    return list(dict.fromkeys(raw.lot(dataset, part) for part in names(dataset)))


def reference(dataset: Dataset, of: list[str] | None = None) -> list[str]:
    """The parts that the scaling is fitted on.

    of : names of all parts, where they are known already
    raises UserError : the config names a part that the dataset does not have
    """
    names_ = of or names(dataset)
    known = set(names_)
    items = [[item] if item in known else _range(item, names_) for item in dataset.scaling.reference]
    wanted = list(dict.fromkeys(part for item in items for part in item))  # each weighs once
    if absent := [part for part in wanted if part not in known]:
        raise UserError(
            f"scaling: reference: {', '.join(absent[:5])} must be parts of the dataset, but its parts are "
            f"{names_[0]} … {names_[-1]} ({len(names_)} in all). Correct `reference`, or bring the missing raw files."
        )
    return wanted


def _range(item: str, known: list[str]) -> list[str]:
    """What an item of `reference` stands for: years as 1991-2010, or `first … last` for any parts in their order."""
    ends = [end.strip() for end in re.split(r"\.\.\.|…", item)]
    if len(ends) == 2 and set(ends) <= set(known):
        return known[known.index(ends[0]) : known.index(ends[1]) + 1]
    return expand([item])
