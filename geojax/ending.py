"""What the workflow says on the terminal when it has ended. Light: a run with nothing to do imports it too."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


PAGES = ("report/index.html", "report/all_tasks.html")


def show(runs: Iterable[str], pages: Iterable[str] = PAGES) -> None:
    """Print a line for each run that has ended, what was set aside, and where the reports are."""
    from rich.table import Table

    console = _console()
    table = Table("run", "score", "model", "best baseline", "model minus it", "the model is", title_justify="left")
    for run in (known := [run for run in runs if _path(run).exists()]):
        table.add_row(run, *_line(json.loads(_path(run).read_text())))
    if known:
        console.print(table)
    for run in known:
        _tell_set_aside(console, run, json.loads((_path(run).parent / "index.manifest.json").read_text()))
    for page in map(Path, pages):
        if page.exists():
            console.print(f"report: {page.resolve()}", soft_wrap=True)


def detail(runs: Iterable[str]) -> None:
    """Print every method of each run that has ended, with 95 % intervals."""
    console = _console()
    for run in runs:
        if _path(run).exists():
            console.print(_table(json.loads(_path(run).read_text())))


def _path(run: str) -> Path:
    return Path("results") / run / "scores.json"


def _console() -> "Console":
    from rich.console import Console

    console = Console()
    console.width = max(console.width, 120)  # a log file has no width; wrapped numbers cannot be read
    return console


def _line(scores: dict[str, Any]) -> list[str]:
    best = scores["baselines"][scores["best_baseline"]]
    units = "" if scores["units"] == "1" else f" ({scores['units']})"
    verdict = next(word for word in ("no better", "better", "worse") if scores["verdict"].startswith(word))
    return [
        f"{scores['long_name']}{units}", f"{scores['model']['value']:.4f}",
        f"{best['value']:.4f} {scores['best_baseline']}",
        f"{best['difference']:+.4f} ({_interval(best, 'difference_', '+')})", verdict,
    ]  # fmt: skip


def _tell_set_aside(console: "Console", run: str, index: dict[str, Any]) -> None:
    aside = index.get("set_aside", {})
    for part, reason in list(aside.items())[:5]:
        console.print(f"{run}: part {part} is set aside: {reason}", style="yellow", soft_wrap=True)
    if len(aside) > 5:
        console.print(f"{run}: {len(aside) - 5} more parts are set aside; the report lists them", style="yellow")


def _table(scores: dict[str, Any]) -> "Table":
    from rich.table import Table

    units = "" if scores["units"] == "1" else f" ({scores['units']})"
    table = Table(title=f"{scores['run']}: {scores['verdict']}", title_justify="left")
    table.add_column("method")
    table.add_column(f"{scores['long_name']}{units}", justify="right")
    table.add_column("95 % interval", justify="right", no_wrap=True)
    table.add_column("model minus it", justify="right")
    table.add_column("95 % interval", justify="right", no_wrap=True)
    for name, row in _rows(scores):
        own = [name, f"{row['value']:.4f}", _interval(row, "")]
        other = [f"{row['difference']:+.4f}", _interval(row, "difference_", "+")] if "difference" in row else ["", ""]
        table.add_row(*own, *other, style="bold" if name == "model" else "")
    return table


def _rows(scores: dict[str, Any]) -> list[tuple[str, dict[str, float]]]:
    return [("model", scores["model"]), *scores["others"].items(), *scores["baselines"].items()]


def _interval(row: dict[str, float], prefix: str, sign: str = "") -> str:
    return f"{row[prefix + 'low']:{sign}.4f} to {row[prefix + 'high']:{sign}.4f}"
