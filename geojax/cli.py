"""The `geojax` command."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from geojax import ending, log, store, upkeep, workflow

app = typer.Typer(help="From raw geophysical data to an evaluated, documented model.", no_args_is_help=True)
console = Console()
Paths = Annotated[list[Path], typer.Argument(help="Stores, their manifests, or folders that hold some.")]
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
def models(name: Annotated[str, typer.Argument(help="One of them, told in full.")] = "") -> None:
    """List the models, or tell what one is and which sizes a run may set."""
    import inspect

    from geojax import models as rooms

    if not name:
        for known in rooms.names():
            told = inspect.getdoc(inspect.getmodule(rooms.load(known))) or ""
            console.print(f"[bold]{known}[/bold]: {told.splitlines()[0]}", highlight=False)
        return
    console.print(f"{inspect.getdoc(rooms.load(name))}\n", markup=False, highlight=False)
    sizes = {size: field.get_default() for size, field in rooms.sizes_schema(name).model_fields.items()}
    console.print(f"model: {json.dumps({'name': name, **sizes}, default=str)}", markup=False, highlight=False)


@app.command()
def check(config: Directory = Path("config")) -> None:
    """Check every configuration without running anything."""
    plan = workflow.read(config)
    for each in (plan, workflow.read(config, tiny=True)):
        workflow.check_inside(each, config)
    console.print(f"{len(plan.runs)} runs and {len(plan.datasets)} datasets are in order.")


@app.command()
def scores(
    runs: Annotated[list[str] | None, typer.Argument(help="Runs to tell in full; all without.")] = None,
    config: Directory = Path("config"),
) -> None:
    """Print every method's score of the runs that have ended, with intervals, and where the reports are."""
    plan = workflow.read(config, ",".join(runs or []))
    ending.detail(runs or plan.runs)
    ending.show(runs or plan.runs)


@app.command()
def apply(
    run: Annotated[str, typer.Argument(help="A run that the workflow has trained.")],
    files: Annotated[list[Path], typer.Argument(help="Raw files or folders, as the task reads them.")],
    output: Annotated[Path, typer.Option(help="Folder for what is found.")] = Path("applied"),
    config: Directory = Path("config"),
) -> None:
    """Apply the model of a run to files of your own: picks of a folder of miniSEED, forecasts, …"""
    from geojax import application

    plan = workflow.read(config, only=run)
    for path in application.apply(run, plan.runs[run], plan.datasets, files, output):
        console.print(str(path), soft_wrap=True)


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
def verify(paths: Paths) -> None:
    """Recompute every digest of stores, tables and raw files and name what differs from their manifests."""
    if _broken(upkeep.manifests(paths)):
        console.print("geojax repair rebuilds what differs, and that alone.")
        raise typer.Exit(1)


@app.command()
def repair(
    paths: Annotated[list[Path] | None, typer.Argument(help="As for verify; data and results without.")] = None,
    cores: Annotated[str, typer.Option(help="How many jobs Snakemake may run at once.")] = "all",
    snakefile: Annotated[Path | None, typer.Option(help="Another Snakefile than the one here.")] = None,
) -> None:
    """Verify, let Snakemake rebuild what differs, is missing or lacks its manifest, and verify that again."""
    broken = _broken(upkeep.manifests(paths or [Path("data"), Path("results")]))
    if not broken:
        return
    changed = upkeep.repair(broken, cores, snakefile)
    for path in changed:
        console.print(f"{path}: rebuilt with another content; the next snakemake reruns what follows.", soft_wrap=True)
    if _broken(broken):
        raise typer.Exit(1)


def _broken(manifests: list[Path]) -> list[Path]:
    """Those that do not agree with what they stand for; each difference is printed."""
    shown = track(manifests, "reading", console=console, transient=True, disable=not console.is_terminal)
    wrong = {path: lines for path in shown if (lines := upkeep.differences(path))}
    for line in (line for lines in wrong.values() for line in lines):
        console.print(line, style="red", soft_wrap=True, highlight=False, markup=False)
    console.print(f"{len(manifests)} manifests compared, {sum(map(len, wrong.values()))} differences")
    return list(wrong)


@app.command()
def tidy(
    config: Directory = Path("config"),
    remove: Annotated[bool, typer.Option("--remove", help="Remove them; without, they are only listed.")] = False,
) -> None:
    """List parts and raw files that were made once and that no configuration makes any longer."""
    from geojax.data import parts

    plan = workflow.read(config)
    found = upkeep.left_over(plan.part_names, {name: parts.lots(own) for name, own in plan.datasets.items()})
    for manifest in found:
        console.print(str(manifest).removesuffix(".manifest.json"), soft_wrap=True)
        if remove:
            upkeep.remove(manifest)
    done = "removed" if remove or not found else "left over; --remove removes them"
    console.print(f"{len(found)} {done}")


def main() -> None:
    """Run the command; what a user can mend ends in one plain message."""
    with log.plainly(SystemExit):
        app()


if __name__ == "__main__":
    sys.exit(main())
