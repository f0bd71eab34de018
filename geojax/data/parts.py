"""Which parts a dataset has. Light: it runs whenever Snakemake builds the DAG."""

import glob
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from geojax.config import Dataset, FilesSource, StationParts, YearParts
from geojax.errors import UserError


def names(dataset: Dataset) -> list[str]:
    """Names of all parts, in order.

    raises UserError : the source's pattern matches no file
    """
    match dataset.parts:
        case YearParts(first=first, last=last):
            return [str(year) for year in range(first, last + 1)]
        case StationParts(blocks=blocks):
            return list(blocks)
    assert isinstance(dataset.source, FilesSource)
    return sorted(files(dataset.source))


def files(source: FilesSource) -> dict[str, list[str]]:
    """The raw files of each part: those in whose path the same stands in the place of `{part}`.

    raises UserError : no file matches, a part could not name a store, or what stands for `{part}` is not certain
    """
    pattern = source.pattern
    every = pattern.replace("[", "[[]").replace("{part}", "*")
    shortest, longest = _expression(pattern, ""), _expression(pattern, "?")
    parts: dict[str, list[str]] = {}
    for path in sorted(set(glob.glob(every, recursive=True))):
        first, second = shortest.fullmatch(path), longest.fullmatch(path)
        if not (first and second) or Path(path).is_dir():
            continue
        part = first["part"]
        if part != second["part"]:
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


def selection(dataset_parts: dict[str, Any], part: str) -> dict[str, Any]:
    """What of a raw file belongs to `part`: {"year": 1991}, {"stations": {…}} or nothing, which means all."""
    match dataset_parts["by"]:
        case "year":
            return {"year": int(part)}
        case "station":
            return {"stations": set(expand(dataset_parts["blocks"][part]))}
    return {}


def expand(items: Iterable[str]) -> list[str]:
    """Names, with each range such as 1991-2010 replaced by what it stands for.

    raises UserError : a range runs backwards
    """
    every: list[str] = []
    for item in items:
        if ends := re.fullmatch(r"(\d+)-(\d+)", item):
            if int(ends[2]) < int(ends[1]):
                raise UserError(f"{item}: a range must run upwards; write {ends[2]}-{ends[1]}.")
            width = len(ends[1])
            every += [str(n).zfill(width) for n in range(int(ends[1]), int(ends[2]) + 1)]
        else:
            every.append(item)
    return every


def reference(dataset: Dataset) -> list[str]:
    """The parts that the scaling is fitted on.

    raises UserError : the config names a part that the dataset does not have
    """
    known = names(dataset)
    items = [[item] if item in known else expand([item]) for item in dataset.scaling.reference]
    wanted = list(dict.fromkeys(part for item in items for part in item))  # each weighs once
    if absent := [part for part in wanted if part not in known]:
        raise UserError(
            f"scaling: reference: {', '.join(absent[:5])} must be parts of the dataset, but its parts are "
            f"{known[0]} … {known[-1]} ({len(known)} in all). Correct `reference`, or bring the missing raw files."
        )
    return wanted


def stem(path: str | Path) -> str:
    """Name of the part that a store, or its manifest, belongs to."""
    return Path(path).name.removesuffix(".zarr").removesuffix(".manifest.json")
