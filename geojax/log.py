"""What a job says: plainly on the terminal, in full in its log file."""

import contextlib
import logging
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

from geojax.errors import UserError

logger = logging.getLogger("geojax")


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
        sys.exit(f"\n{type(error).__name__}: {error}\nThis was not foreseen; the full story is in {path}.\n")
    finally:
        logger.removeHandler(handler)
        handler.close()
