"""Which raw data belong to each part. Light: it runs whenever Snakemake builds the DAG."""

import glob
import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from geojax.config.dataset import Dataset
from geojax.config.parts import PeriodParts, RegionParts, StationParts
from geojax.config.sources import FilesSource, ObjectsSource
from geojax.data.ranges import SHAPES, expand, span
from geojax.errors import UserError

WHOLE = "whole"  # the lot of raw data that serves every part


def files(dataset: Dataset) -> dict[str, list[str]]:
    """One's own raw files of each part.

    raises UserError : no file matches, a part could not name a store, or what stands for `{part}` is not certain or
        is no date
    """
    assert isinstance(dataset.source, FilesSource)
    found = matching(dataset.source.pattern)
    if not isinstance(dataset.parts, PeriodParts) or dataset.parts.date is None:
        return found
    section, grouped = dataset.parts, {}
    for name, paths in found.items():
        period = _period(section, name, paths[0])
        if (section.first or period) <= period <= (section.last or period):
            grouped.setdefault(period, []).extend(paths)
    if not grouped:
        raise UserError(f"{dataset.source.pattern}: no file lies between {section.first} and {section.last}.")
    return {period: sorted(paths) for period, paths in grouped.items()}


def _period(section: PeriodParts, name: str, path: str) -> str:
    assert section.date is not None
    try:
        return datetime.strptime(name, section.date).strftime(SHAPES[section.by]).zfill(4)
    except ValueError:
        raise UserError(
            f"{path}: `{name}` must be a date as `parts: date` says ({section.date}), but is none. "
            "Mend `date`, or `source: pattern` so that it leaves the file out."
        ) from None


def matching(pattern: str) -> dict[str, list[str]]:
    """The files in whose path the same stands in the place of `{part}`, for each of its values.

    raises UserError : no file matches, a part could not name a store, or what stands for `{part}` is not certain
    """
    every = pattern.replace("[", "[[]").replace("{part}", "*")
    shortest, longest = _expression(pattern, ""), _expression(pattern, "?")
    parts: dict[str, list[str]] = {}
    for path in sorted(set(glob.glob(every, recursive=True))):
        first, second = shortest.fullmatch(path), longest.fullmatch(path)
        if not (first and second) or (Path(path).is_dir() and not path.endswith(".zarr")):
            continue
        part = first.groupdict().get("part", WHOLE)
        if part != second.groupdict().get("part", WHOLE):
            raise UserError(
                f"{pattern}: {{part}} must be certain, but in {path} it could be `{part}` or `{second['part']}`. "
                "Write more of the name around it, as in *.D.{part}."
            )
        if not re.fullmatch(r"[A-Za-z0-9_.-]+", part):
            raise UserError(f"{path}: a part's name takes letters, digits, `_`, `-` and `.`; rename the file.")
        parts.setdefault(part, []).append(path)
    if not parts:
        raise UserError(f"{pattern}: no file matches. Mend `source: pattern`, or put the raw files there.")
    return parts


def _expression(pattern: str, lazy: str) -> re.Pattern[str]:
    """The pattern as a regular expression; wildcards take as much as they can, or with `?` as little.

    The first puts {part} as late and short as may be, the second as early and long: if they agree, it is certain.
    """
    part = f"(?P<part>[^/]+{'' if lazy else '?'})"
    known = {"**/": f"(?:[^/]+/)*{lazy}", "*": f"[^/]*{lazy}", "?": "[^/]", "{part}": part}
    pieces = re.split(r"(\*\*/|\*|\?|\{part\})", pattern)
    return re.compile("".join(known.get(piece, re.escape(piece)) for piece in pieces))


def lot(dataset: Dataset, part: str) -> str:
    """The lot of fetched raw data that a part is made from: the whole, or one of its own."""
    alone = dataset.source.kind == "fdsn" or dataset.parts.by == "file" or isinstance(dataset.source, ObjectsSource)
    return part if alone else WHOLE


def order(dataset: Dataset, lot: str, on: date | None = None) -> dict[str, Any]:
    """What is to be fetched for a lot: the section `source`, with nothing of the other lots in it.

    on : the day on which it is asked for, if not today
    returns : of a period that is not over also `until`, the day that its data can have reached, None before it begins:
        on a later day the order is another, so that the lot is fetched again
    """
    section = dataset.source.model_dump(mode="json")
    if lot == WHOLE:
        return section
    section["part"] = lot
    if isinstance(dataset.parts, PeriodParts):
        first, end = section["span"] = list(span(dataset.parts.by, lot))
        if (day := (on or today()).isoformat()) < end:
            section["until"] = day if first <= day else None
    if isinstance(section.get("sha256"), dict):
        section["sha256"] = section["sha256"][lot]
    if "{part}" in section.get("url", ""):
        section["url"] = section["url"].replace("{part}", lot)
    section.pop("parts", None)
    return section


def today() -> date:
    """As sources count days: in UTC."""
    return datetime.now(UTC).date()


def selection(dataset: Dataset, part: str) -> dict[str, Any]:
    """What of the raw data belongs to `part`: as {"span": [first, end]}; nothing means all.

    By station it is {"stations": […]}, by region {"region": {"lon": [first, end]}}, the end left out.
    """
    match dataset.parts:
        case PeriodParts(by=by, date=None):
            return {"span": list(span(by, part))}
        case StationParts(blocks=blocks):
            return {"stations": expand(blocks[part])}
        case RegionParts(regions=regions):
            return {"region": {axis: list(span) for axis, span in regions[part].items()}}
    return {}
