"""What a job says: plainly on the terminal, in full in its log file."""

import contextlib
import inspect
import logging
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from geojax.errors import UserError

logger = logging.getLogger("geojax")
logger.propagate = False  # libraries that set up the root logger would say everything twice


@contextlib.contextmanager
def plainly(kind: type[BaseException]) -> Iterator[None]:
    """Turn a UserError into `kind`, an exception that the caller's host shows without a traceback."""
    try:
        yield
    except UserError as error:
        raise kind(str(error)) from None


def arguments(job: Any, stage: Callable[..., None]) -> dict[str, Any]:
    """What of a job's inputs, outputs and parameters its stage takes, by name.

    A rule also names what only Snakemake looks at: manifests, and the digest that reruns a job after an edit.
    """
    taken = inspect.signature(stage).parameters
    every = [pair for group in (job.input, job.output, job.params) for pair in group.items()]
    every += job.params.get("settings", {}).items()  # several that a rule asks for together
    return {name: str(value) if isinstance(value, str) else value for name, value in every if name in taken}


@contextlib.contextmanager
def to_file(path: str | Path) -> Iterator[None]:
    """Write messages to `path` while a stage runs; end the job with one plain message if it fails.

    raises SystemExit : the stage failed; the log file holds the traceback
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, mode="w")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    except UserError as error:
        logger.error("%s", error)
        sys.exit(f"\n{error}\n")
    except Exception as error:
        logger.error("%s\n%s", error, traceback.format_exc())
        remedy = f"Not foreseen: the full story is in {path}. If a store was damaged, `geojax verify` names it."
        sys.exit(f"\n{type(error).__name__}: {error}\n{remedy}\n")
    finally:
        logger.removeHandler(handler)
        handler.close()
