"""The `geojax` command."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from geojax import ending, log, store, workflow
from geojax.errors import UserError

app = typer.Typer(help="From raw geophysical data to an evaluated, documented model.", no_args_is_help=True)
console = Console()
Directory = Annotated[Path, typer.Option("--config", help="Folder that holds datasets/ and runs/.")]


@app.command()
def tasks() -> None:
    """List the tasks, what each asks and which models it takes."""
    from geojax import task

    for name in task.names():
        found = task.load(name)
        console.print(f"[bold]{name}[/bold] ({', '.join(found.models)}): {found.question}")


@app.command()
def readers(name: Annotated[str, typer.Argument(help="One of them, told in full.")] = "") -> None:
    """List the readers of raw formats, or tell what one takes."""
    import inspect

    from geojax.data import readers as formats

    if not name:
        for known in formats.names():
            told = inspect.getdoc(inspect.getmodule(formats.load(known))) or ""
            console.print(f"[bold]{known}[/bold]: {told.splitlines()[0]}")
        return
    read = formats.load(name)
    for text in (inspect.getdoc(inspect.getmodule(read)), inspect.getdoc(read)):
        console.print(f"{text}\n", markup=False, highlight=False)


@app.command()
def check(config: Directory = Path("config")) -> None:
    """Check every configuration without running anything."""
    plan = workflow.read(config)
    workflow.check_inside(plan, config)
    console.print(f"{len(plan.runs)} runs and {len(plan.datasets)} datasets are in order.")


@app.command()
def scores() -> None:
    """Print the scores of the runs that have ended, and where the report is."""
    ending.show(workflow.read().runs)


@app.command()
def times() -> None:
    """Print what each stage took when it last ran: jobs, seconds, most memory."""
    table = Table("of", "stage", "jobs", "seconds", "most memory (MB)")
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for path in Path("logs").rglob("*.tsv"):
        of, stage = ("all runs", *path.relative_to("logs").with_suffix("").parts[:2])[-2:]
        row = dict(zip(*(line.split("\t") for line in path.read_text().splitlines()), strict=True))
        memory = 0.0 if row["max_rss"] in ("-", "NA") else float(row["max_rss"])  # too short to be sampled
        found.setdefault((of, stage), []).append((float(row["s"]), memory))
    for (of, stage), jobs in sorted(found.items()):
        seconds, memory = zip(*jobs, strict=True)
        table.add_row(of, stage, str(len(jobs)), f"{sum(seconds):.1f}", f"{max(memory):.0f}")
    console.print(table)


@app.command()
def schema(directory: Annotated[Path, typer.Argument(help="Where the JSON schemas go.")] = Path("config")) -> None:
    """Export JSON schemas, by which an editor completes and checks config/**/*.yaml."""
    from geojax import schemas

    for name, content in (("dataset", schemas.dataset()), ("run", schemas.run())):
        path = directory / f"{name}.schema.json"
        store.write_bytes((json.dumps(content, indent=1) + "\n").encode(), path)
        console.print(str(path))


@app.command()
def verify(paths: Annotated[list[Path], typer.Argument(help="Zarr stores, or folders that hold some.")]) -> None:
    """Recompute every digest of stores and name what differs from their manifests."""
    stores = sorted({found for path in paths for found in ([path] if path.suffix == ".zarr" else path.rglob("*.zarr"))})
    if not stores:
        raise UserError(f"{', '.join(map(str, paths))}: must hold Zarr stores, but holds none.")
    wrong = [line for path in stores for line in store.differences(path)]
    for line in wrong:
        console.print(line, style="red", soft_wrap=True)
    console.print(f"{len(stores)} stores read, {len(wrong)} differences")
    if wrong:
        console.print("Remove the stores that differ and run snakemake again: it rebuilds them and what follows.")
        raise typer.Exit(1)


def main() -> None:
    """Run the command; what a user can mend ends in one plain message."""
    with log.plainly(SystemExit):
        app()


if __name__ == "__main__":
    sys.exit(main())
