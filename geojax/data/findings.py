"""What was found wrong with raw data: named, counted, kept on record, and judged by what the configuration admits."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from geojax.errors import UserError
from geojax.log import logger

REMEDIES = {
    "gap": "Bring the missing samples",
    "overlap": "Bring the record without samples told twice",
    "duplicate": "Remove the copy",
    "order": "Sort the file by time",
    "misaligned": "Bring records of one clock",
    "empty": "Remove the trace without samples",
    "not_finite": "Bring the record with numbers alone",
    "fill": "Bring the record without fill values",
    "flat": "Leave the dead channel or day out",
    "clip": "Leave the clipped record out",
    "spike": "Leave the record out or bring a sound one",
    "short": "Bring a longer record, or raise the corners of `pre_filter`",
    "metadata": "Bring the metadata that tell it",
    "ambiguous": "Let the file tell which one counts",
    "rejected": "Leave them out with `reader: options: picks: without: [rejected]`",
    "warning": "Look into the file",
    "unproven": "Bring it in a format that tells its end, such as miniSEED or Parquet",
}  # kinds that a configuration may admit: the numbers are as the file gives them
FATAL = {
    "contradiction": "Keep the file of the source that you trust, and remove the other.",
    "infinite": "Bring the record with finite numbers.",
    "damage": "Fetch the file again.",
    "unsorted": "Sort the file by time, with each time once.",
}  # no configuration may admit them: which numbers are right cannot be told


@dataclass(frozen=True)
class Finding:
    """One kind of fault of one trace: how often, where first (sample or time), and in words."""

    kind: str
    file: str
    trace: str
    count: int
    first: str
    detail: str

    def plain(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        remedy = FATAL.get(self.kind) or (
            f"{REMEDIES[self.kind]}, or write `quality: admit: [{self.kind}]` in the dataset's configuration, "
            "which keeps it on record."
        )
        return f"{self.file}: {self.trace}: {self.kind}: {self.detail}, first at {self.first}. {remedy}"


def together(findings: Iterable[Finding]) -> list[Finding]:
    """One finding for each kind, file and trace, with all counts, told by the first."""
    found: dict[tuple[str, str, str], list[Finding]] = {}
    for finding in findings:
        found.setdefault((finding.kind, finding.file, finding.trace), []).append(finding)
    more = {key: f" (and {len(every) - 1} more)" if every[1:] else "" for key, every in found.items()}
    return [
        replace(every[0], count=sum(f.count for f in every), detail=every[0].detail + more[key])
        for key, every in found.items()
    ]


def by_file(findings: Iterable[Finding]) -> list[Finding]:
    """Findings of single traces as those of their file, for formats whose files hold many short ones."""
    return [
        replace(f, trace="all", detail=f.detail if f.trace == "all" else f"{f.trace}: {f.detail}") for f in findings
    ]


def record(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Findings as a part keeps them: one for each kind, file and trace, told in the log.

    raises UserError : one is of a kind that no configuration may admit
    """
    every = together(findings)
    _refuse([finding for finding in every if finding.kind in FATAL])
    for finding in every:
        logger.warning("%s: %s: %s: %s", finding.file, finding.trace, finding.kind, finding.detail)
    return [finding.plain() for finding in every]


def judge(findings: Iterable[Finding | Mapping[str, Any]], admit: Sequence[str]) -> None:
    """Let pass only what the configuration admits.

    findings : as a reader recorded them, or plain as a manifest holds them
    admit : kinds of REMEDIES, or "all" for all of these
    raises UserError : a finding is of another kind, or no configuration may admit a kind that is named
    """
    if strange := [kind for kind in admit if kind not in REMEDIES and kind != "all"]:
        never = f"; {', '.join(FATAL)} never may" if strange[0] in FATAL else ""
        raise UserError(f"quality: admit: {strange[0]!r} must be all or one of {', '.join(REMEDIES)}{never}.")
    admitted = set(REMEDIES) if "all" in admit else set(admit)
    every = [f if isinstance(f, Finding) else Finding(**f) for f in findings]
    _refuse([finding for finding in every if finding.kind not in admitted])


def _refuse(findings: list[Finding]) -> None:
    if findings:
        kinds = ", ".join(sorted({f"{f.trace} {f.kind}" for f in findings[1:]})[:5])
        rest = f" ({len(findings) - 1} more: {kinds}.)" if findings[1:] else ""
        raise UserError(f"{findings[0]}{rest}")
