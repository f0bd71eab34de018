"""Which modules a room holds, seen without importing them. Light: it runs whenever Snakemake builds the DAG."""

from functools import cache
from pathlib import Path

# What tells a task, a model or a reader from its helpers in the same folder.
MARKS = {"tasks": "\nTASK = ", "models": "\nMODEL = ", "data/readers": "\ndef read(", "data/sources": "\ndef fetch("}


@cache
def names(room: str) -> list[str]:
    """Names of the modules in `geojax/{room}` that hold what the room is for."""
    folder = Path(__file__).parent / room
    return sorted(path.stem for path in folder.glob("*.py") if path.stem[0] != "_" and MARKS[room] in path.read_text())
