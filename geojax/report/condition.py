"""The condition of the raw data: faults that were admitted, parts that were set aside, shares that are missing."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from geojax.report.tables import Table, capital

LISTED = 20  # parts set aside that are told one by one


@dataclass(frozen=True)
class Condition:
    """What the page says of the raw data's faults."""

    summary: str
    faults: Table | None
    aside: Table | None


def of_parts(manifests: Mapping[str, Mapping[str, Any]]) -> Condition:
    """Gather what the manifests of the parts tell."""
    aside = {part: str(own["quarantined"]) for part, own in manifests.items() if own.get("quarantined")}
    found: dict[str, dict[str, list[Mapping[str, Any]]]] = {}
    for part, own in manifests.items():
        for finding in own.get("quality", []):
            found.setdefault(finding["kind"], {}).setdefault(part, []).append(finding)
    return Condition(_summary(manifests, found, aside), _faults(found), _aside(aside))


def _summary(manifests: Mapping[str, Any], found: Mapping[str, Any], aside: Mapping[str, str]) -> str:
    checked = sum("quality" in own for own in manifests.values())
    faulty = len({part for parts in found.values() for part in parts})
    told = [f"{checked} of {len(manifests)} parts were checked on the way in and taken"]
    told.append(f"{faulty} of them with faults that the configuration admits" if faulty else "no fault was found")
    if aside:
        told.append(f"{len(aside)} {'parts are' if len(aside) > 1 else 'part is'} set aside and in no result")
    shares = [(share, name) for own in manifests.values() for name, share in own.get("missing", {}).items()]
    highest = {name: max(share for share, own in shares if own == name) for name in sorted({n for _, n in shares})}
    if missing := {name: share for name, share in highest.items() if share}:
        shown = ", ".join(f"{100 * share:.3g} % of {name}" for name, share in missing.items())
        told.append(f"at most {shown} is missing in a part")
    return capital("; ".join(told)) + "."


def _faults(found: Mapping[str, Mapping[str, list[Mapping[str, Any]]]]) -> Table | None:
    if not found:
        return None
    rows = []
    for kind, parts in sorted(found.items()):
        part, (first, *_) = next(iter(parts.items()))
        count = sum(finding["count"] for every in parts.values() for finding in every)
        told = f"{part}: {first['trace']}: {first['detail']}"
        rows.append([kind.replace("_", " "), str(len(parts)), str(count), told])
    return Table("Faults found and admitted", ["Fault", "Parts", "Count", "The first"], rows)


def _aside(aside: Mapping[str, str]) -> Table | None:
    if not aside:
        return None
    rows = [[part, reason] for part, reason in list(aside.items())[:LISTED]]
    if len(aside) > LISTED:
        rows.append([f"{len(aside) - LISTED} more", "see `quarantined` in their manifests"])
    return Table("Parts set aside", ["Part", "Reason"], rows)


def raw_files(entered: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Digest of each raw file; where parts have files of one name, their names tell the part."""
    every = [(part, name, digest) for part, own in entered.items() for name, digest in own.get("raw", {}).items()]
    several = Counter(name for name, _ in {(name, digest) for _, name, digest in every})
    return {f"{name} of {part}" if several[name] > 1 else name: digest for part, name, digest in every}
