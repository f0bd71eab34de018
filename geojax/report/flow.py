"""How the data flow, as a drawing: each stage with its number of jobs and the time that they took."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from markupsafe import Markup

from geojax.report import rounding

WIDE, HIGH, ACROSS, DOWN = 138, 60, 166, 88  # a box and the step from one to the next, in px
PLACES = {  # column, row
    "fetch_raw": (0, 1), "ingest_part": (1, 1), "fit_scaling": (2, 2), "normalize_part": (3, 1),
    "index_examples": (3, 0), "train_model": (4, 0), "fit_baselines": (4, 2), "predict": (5, 0),
    "evaluate_run": (6, 1), "write_page": (7, 1),
}  # fmt: skip
ARROWS = (
    ("fetch_raw", "ingest_part"), ("ingest_part", "index_examples"), ("ingest_part", "fit_scaling"),
    ("ingest_part", "normalize_part"), ("fit_scaling", "normalize_part"), ("normalize_part", "train_model"),
    ("normalize_part", "fit_baselines"), ("index_examples", "train_model"), ("index_examples", "fit_baselines"),
    ("train_model", "predict"), ("predict", "evaluate_run"), ("fit_baselines", "evaluate_run"),
    ("evaluate_run", "write_page"),
)  # fmt: skip


@dataclass(frozen=True)
class Stage:
    """A rule of the DAG: jobs, and what the measured ones of them took together."""

    name: str
    jobs: int
    measured: int
    time_s: float
    memory_mb: float  # highest of any job

    @property
    def took(self) -> str:
        return rounding.seconds(self.time_s) if self.measured else "not measured"


def stages(
    run: str, datasets: Sequence[tuple[str, list[str], list[str]]], compared: str, logs: str | Path = "logs"
) -> list[Stage]:
    """The stages in the order of flow, measured from Snakemake's benchmark files where there are any.

    datasets : name, names of the parts, names of the lots that are fetched
    compared : run whose baselines it shares, or itself
    """
    logs, found = Path(logs), []
    for name in PLACES:
        files = [logs / (compared if name == "fit_baselines" else run) / f"{name}.tsv"]
        if name == "fit_scaling":
            files = [logs / dataset / f"{name}.tsv" for dataset, *_ in datasets]
        elif name in ("fetch_raw", "ingest_part", "normalize_part"):
            jobs = [(own, each) for own, parts, lots in datasets for each in (lots if name == "fetch_raw" else parts)]
            files = [logs / dataset / name / f"{each}.tsv" for dataset, each in jobs]
        rows = [row for file in files if name != "write_page" for row in _rows(file)]
        memory = max((row[1] for row in rows), default=0.0)
        if files:
            found.append(Stage(name, len(files), len(rows), sum(row[0] for row in rows), memory))
    return found


def _rows(path: Path) -> Iterable[tuple[float, float]]:
    """Seconds and MB of each line of a benchmark file; Snakemake writes `-` or `NA` for jobs too short to watch."""
    if not path.exists():
        return
    with path.open(newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            yield _number(row.get("s")), _number(row.get("max_rss"))


def _number(text: str | None) -> float:
    try:
        return float(text or 0)
    except ValueError:
        return 0.0


def drawing(found: list[Stage]) -> Markup:
    """The stages as inline SVG; colours come from the page's style sheet."""
    names = {stage.name for stage in found}
    arrows = [_arrow(*pair) for pair in ARROWS if set(pair) <= names]
    width, height = 7 * ACROSS + WIDE + 2, 2 * DOWN + HIGH + 2
    told = "; ".join(f"{s.name}: {s.jobs} {'jobs' if s.jobs > 1 else 'job'}, {s.took}" for s in found)
    label = escape(f"Stages of the workflow. {told}")
    return Markup(
        f'<svg class="flow" viewBox="-1 -1 {width} {height}" role="img" aria-label="{label}">'
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 L8 4 L0 8 z" class="head"/></marker></defs>'
        f"{''.join(arrows)}{''.join(map(_box, found))}</svg>"
    )


def _box(stage: Stage) -> str:
    x, y = PLACES[stage.name][0] * ACROSS, PLACES[stage.name][1] * DOWN
    took = "this page" if stage.name == "write_page" else stage.took
    if stage.jobs > 1:
        took = f"{stage.jobs} jobs, {took}"
    middle = x + WIDE / 2
    return (
        f'<rect x="{x}" y="{y}" width="{WIDE}" height="{HIGH}" rx="6"/>'
        f'<text x="{middle}" y="{y + 25}" class="name">{escape(stage.name)}</text>'
        f'<text x="{middle}" y="{y + 45}" class="took">{escape(took)}</text>'
    )


def _arrow(start: str, end: str) -> str:
    (a, b), (c, d) = PLACES[start], PLACES[end]
    x, y, to_x, to_y = a * ACROSS + WIDE, b * DOWN + HIGH / 2, c * ACROSS, d * DOWN + HIGH / 2
    bend = (ACROSS - WIDE) * (1 if c - a == 1 else 1.6)
    curve = f"M{x} {y} C{x + bend} {y} {to_x - bend} {to_y} {to_x - 1} {to_y}"
    return f'<path class="arrow" d="{curve}" marker-end="url(#head)"/>'
