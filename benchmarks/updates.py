"""What an update costs: jobs that run and files that change after each kind of edit, for an archive of N small parts.

    python benchmarks/updates.py 100
    python benchmarks/updates.py 1000 --only noop

A copy of the workflow runs in a temporary folder on N monthly files of a synthetic sea surface temperature. Each edit
is made on top of the one before and run for real. Prints a table in Markdown, and the time of a run with
nothing to do beside that of a Snakemake of as many bare rules. `--real N` makes the first N edits for
real and asks Snakemake for the jobs of the others. `--only noop` measures the run with nothing to do alone, in a minute
or two, on outputs of no content that Snakemake is made to take for finished.
"""

import argparse
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import xarray as xr
import yaml

REPOSITORY = Path(__file__).resolve().parents[1]
BARE = """
PARTS = [f"{{i:04d}}" for i in range({parts})]
rule all:
    input: expand("b/{{p}}", p=PARTS)
rule one:
    output: "a/{{p}}"
    shell: "echo {{wildcards.p}} > {{output}}"
rule two:
    input: "a/{{p}}"
    output: "b/{{p}}"
    shell: "cp {{input}} {{output}}"
"""


# Touching waits a tenth of a second for each job.
TOUCH = "import snakemake.executors.touch as t; t.Executor.SLEEPING_TIME = 0; from snakemake.cli import main; main()"


def months(count: int) -> list[str]:
    return [str(m) for m in np.arange(count) + np.datetime64("1900-01")]


def write_month(path: Path, month: str, seed: int = 0) -> None:
    """One field of 6 x 8 cells: a season, patterns, noise."""
    generator = np.random.default_rng([int(month.replace("-", "")), seed])
    patterns = np.random.default_rng(0).normal(size=(3, 6, 8))
    season = 3 * np.cos(2 * np.pi * int(month[5:]) / 12)
    field = 20 + season + np.einsum("k,kij->ij", generator.normal(size=3), patterns)
    field += 0.5 * generator.normal(size=field.shape)
    coords = {"time": [np.datetime64(f"{month}-16", "ns")], "lat": np.linspace(-12.5, 12.5, 6), "lon": np.arange(8.0)}
    array = xr.DataArray(field[None], coords, ("time", "lat", "lon"), attrs={"units": "degree_Celsius"})
    array.to_dataset(name="sst").to_netcdf(path)


def configuration(names: list[str]) -> tuple[dict, dict]:
    years = len(names) // 12
    ends = 12 * int(0.6 * years), 12 * int(0.8 * years)  # a year stands in one split
    train, validation = names[: ends[0]], names[ends[0] : ends[1]]
    days = [(np.datetime64(m, "M") + 1).astype("datetime64[D]") - 1 for m in (train[-1], validation[-1])]
    dataset = {
        "card": dict.fromkeys(("title", "summary", "origin", "licence", "labels", "citation"), "synthetic"),
        "source": {"kind": "files", "pattern": "raw/sst_{part}.nc"},
        "reader": {"name": "netcdf", "variables": {"sst": {"units": "degree_Celsius", "long_name": "temperature"}}},
        "parts": {"by": "file"},
        "split": {
            "by": "time",
            "train": [f"{train[0]}-01", str(days[0])],
            "validation": [str(days[0] + 1), str(days[1])],
            "test": [str(days[1] + 1), None],
        },
        "scaling": {"center": "month", "spread": "all", "over": ["time"], "reference": [f"{train[0]} ... {train[-1]}"]},
    }
    run = {
        "dataset": "tiny", "task": "sst_gaps", "title": "tiny",
        "examples": {"training_gaps": 2, "evaluation_gaps": 2, "folds": 3, "coverages": [0.25, 0.75]},
        "model": {"name": "gap_filler", "width": 4, "depth": 1},
        "training": {"epochs": 2, "steps": 4, "batch_size": 4, "learning_rate": 0.002},
        "evaluation": {"resamples": 100},
    }  # fmt: skip
    return dataset, run


def prepare(folder: Path, names: list[str]) -> None:
    for name in ("Snakefile", "rules", "scripts", "profiles", "geojax"):
        kind = shutil.copytree if (REPOSITORY / name).is_dir() else shutil.copy
        kind(REPOSITORY / name, folder / name)
    for sub in ("raw", "config/datasets", "config/runs"):
        (folder / sub).mkdir(parents=True)
    for month in names:
        write_month(folder / f"raw/sst_{month}.nc", month)
    for path, content in zip(("datasets", "runs"), configuration(names), strict=True):
        (folder / f"config/{path}/tiny.yaml").write_text(yaml.safe_dump(content))


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"} | {"PYTHONPATH": str(folder)}
    return subprocess.run([sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True)


def fabricate(folder: Path) -> None:
    """Outputs of no content, which Snakemake is made to take for those of finished jobs."""
    for line in python(folder, "-m", "snakemake", "--summary").stdout.splitlines()[1:]:
        path = folder / line.split("\t")[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(exist_ok=True) if path.suffix == ".zarr" else path.write_text("{}")
    # What the workflow shows in the end cannot be made of scores without content, so that the status is not asked for.
    python(folder, "-c", TOUCH, "--touch", "--forceall", "--cores", "2")
    said = snakemake(folder, "-n")[2]
    if "Nothing to be done" not in said or "missing provenance" in said:
        sys.exit(f"fabricated in vain:\n{said[-3000:]}")


def snakemake(folder: Path, *arguments: str) -> tuple[Counter[str], float, str]:
    """Jobs that ran (or would, with -n), seconds, and all that was said."""
    start = time.monotonic()
    done = python(folder, "-m", "snakemake", "--cores", "2", *arguments)
    said, took = done.stdout + done.stderr, time.monotonic() - start
    if done.returncode:
        sys.exit(said[-3000:])
    ran = Counter(re.findall(r"Finished jobid: \d+ \(Rule: (\w+)\)", said))
    if "-n" in arguments:
        ran = Counter(re.findall(r"^rule (\w+):$", said, re.MULTILINE))
    ran.pop("all", None)
    return ran, took, said


def state(folder: Path) -> dict[Path, tuple[int, bytes]]:
    """Every file of the stores and results; checkpoints and what a warm start begins from are scratch."""
    found = [p for part in ("data", "results") for p in (folder / part).rglob("*") if p.is_file()]
    kept = [p for p in found if not {"checkpoints", "finished"} & set(p.parts) and p.name != ".snakemake_timestamp"]
    return {p: (p.stat().st_size, p.read_bytes()) for p in kept}


@contextmanager
def edited(path: Path, edit: Callable[[Path], object]) -> Iterator[None]:
    """The edit, undone in the end."""
    before = path.read_bytes() if path.exists() else None
    edit(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True) if before is None else path.write_bytes(before)


def setting(section: str, **changes: object) -> Callable[[Path], object]:
    def edit(path: Path) -> None:
        content = yaml.safe_load(path.read_text())
        content[section] = changes.pop("to") if "to" in changes else content.get(section, {}) | changes
        path.write_text(yaml.safe_dump(content))

    return edit


def code(old: str, new: str) -> Callable[[Path], object]:
    def edit(path: Path) -> None:
        text = path.read_text()
        assert old in text, (path, old)
        path.write_text(text.replace(old, new, 1))

    return edit


def append(path: Path) -> None:
    path.write_text(path.read_text() + "\nEDITED = True\n")


def edits(folder: Path, names: list[str]) -> dict[str, tuple[Path, Callable[[Path], object]]]:
    dataset, run, library = folder / "config/datasets/tiny.yaml", folder / "config/runs/tiny.yaml", folder / "geojax"
    new = months(len(names) + 1)[-1]
    variables = {"sst": {"units": "degree_Celsius", "long_name": "temperature", "valid_range": [-5, 50]}}
    card = dict.fromkeys(("title", "summary", "origin", "licence", "labels", "citation"), "other")
    old = configuration(names)[0]
    split = old["split"] | {"test": [str(np.datetime64(old["split"]["test"][0]) + 31), None]}
    reference = old["scaling"] | {"reference": [f"{names[0]} ... {names[12 * int(0.6 * (len(names) // 12)) - 2]}"]}
    return {
        "a further raw file": (folder / f"raw/sst_{new}.nc", lambda p: write_month(p, new)),
        "a raw file changed, of the test split": (
            folder / f"raw/sst_{names[-1]}.nc", lambda p: write_month(p, names[-1], 1)
        ),
        "a raw file deleted, of the test split": (folder / f"raw/sst_{names[-1]}.nc", Path.unlink),
        "a raw file changed, of the reference": (
            folder / f"raw/sst_{names[3]}.nc", lambda p: write_month(p, names[3], 1)
        ),
        "dataset: card": (dataset, setting("card", to=card)),
        "dataset: reader": (dataset, setting("reader", variables=variables)),
        "dataset: quality": (dataset, setting("quality", to={"admit": ["gap"]})),
        "dataset: split": (dataset, setting("split", to=split)),
        "dataset: scaling, one reference part fewer": (dataset, setting("scaling", to=reference)),
        "run: title": (run, setting("title", to="other")),
        "run: examples": (run, setting("examples", folds=2)),
        "run: model": (run, setting("model", width=5)),
        "run: training": (run, setting("training", learning_rate=0.001)),
        "run: evaluation": (run, setting("evaluation", resamples=200)),
        "code: the reader": (library / "data/readers/netcdf.py", append),
        "code: another reader": (library / "data/readers/waveforms.py", append),
        "code: scaling": (library / "data/scaling.py", append),
        "code: splits": (library / "data/splits.py", append),
        "code: training": (library / "training/loop.py", append),
        "code: the model": (library / "models/gap_filler.py", append),
        "code: a baseline": (library / "baselines/gap_filling.py", append),
        "code: scores": (library / "scores/resampling.py", append),
        "code: the report": (library / "report/page.py", append),
        "code: the task's loss": (
            library / "tasks/sst_gaps.py", code("weight = batch.shared", "None\n        weight = batch.shared")
        ),
        "code: the task's statistics": (
            library / "tasks/sst_gaps.py", code("return regression.", "None\n        return regression.")
        ),
        "code: a remark": (library / "store/__init__.py", lambda p: p.write_text(p.read_text() + "\n# a remark\n")),
    }  # fmt: skip


def told(ran: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" if count > 1 else name for name, count in sorted(ran.items())) or "nothing"


def nothing_to_do(folder: Path, parts: int, rounds: int) -> str:
    """What a run with nothing to do takes, and one of two bare rules a part; they take turns."""

    def taken(where: Path) -> tuple[float, float]:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        clock = snakemake(where)[1]
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return clock, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    with tempfile.TemporaryDirectory() as temporary:
        bare = Path(temporary)
        (bare / "Snakefile").write_text(BARE.format(parts=parts))
        fabricate(bare)
        found = np.array([[taken(folder), taken(bare)] for _ in range(rounds)])  # round, which of them, clock and CPU
    (ours, other), ratio = np.median(found, axis=0), np.median(found[:, 0] / found[:, 1], axis=0)
    return (
        f"nothing to do: {ours[0]:.2f} s, CPU {ours[1]:.2f}; a bare Snakemake with as many rules: {other[0]:.2f} s, "
        f"CPU {other[1]:.2f}; ratio {ratio[0]:.2f}, CPU {ratio[1]:.2f} (medians of {rounds} rounds)\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", type=int)
    parser.add_argument("--real", type=int, default=99, help="so many edits are run, the jobs of the others asked for")
    parser.add_argument("--only", choices=["noop"], help="measure the run with nothing to do alone")
    parser.add_argument("--rounds", type=int, default=5, help="of runs with nothing to do")
    parser.add_argument("--folder", type=Path, help="work here, and go on from what stands here")
    given = parser.parse_args()
    names = months(given.parts)
    folder = (given.folder or Path(tempfile.mkdtemp(prefix="updates-"))).resolve()
    if not (folder / "Snakefile").exists():
        folder.mkdir(parents=True, exist_ok=True)
        prepare(folder, names)
    if given.only:
        fabricate(folder)
        print(f"## {given.parts} parts\n\n{nothing_to_do(folder, given.parts, given.rounds)}")
        return finish(given.folder, folder)
    ran, took, _ = snakemake(folder)
    print(f"## {given.parts} parts\n\nfirst run: {sum(ran.values())} jobs, {took:.0f} s ({folder})\n", flush=True)
    print(nothing_to_do(folder, given.parts, given.rounds))
    print("| edit | jobs | files that changed | bytes in them | seconds |\n|---|---|---|---|---|", flush=True)
    before = state(folder)
    for number, (name, (path, edit)) in enumerate(edits(folder, names).items()):
        dry = number >= given.real
        if dry:
            with edited(path, edit):
                ran, took, _ = snakemake(folder, "-n")
        else:  # it stays: the next edit comes on top
            edit(path)
            ran, took, _ = snakemake(folder)
        after = before if dry else state(folder)
        changed = [p for p in after if before.get(p) != after[p]]
        count = "" if dry else f"{len(changed)} | {sum(after[p][0] for p in changed):,}"
        print(f"| {name} | {told(ran)} | {count or 'not run | '} | {took:.1f} |", flush=True)
        before = after
    finish(given.folder, folder)


def finish(wanted: Path | None, folder: Path) -> None:
    """Remove the folder unless it was asked for."""
    if not wanted:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
