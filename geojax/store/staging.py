"""Files and folders that appear whole or not at all, and a plain message where the disk is full."""

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from geojax.errors import UserError

FULL = {
    errno.ENOSPC: "no space is left on the disk",
    errno.EDQUOT: "the quota is used up",
    errno.EFBIG: "a file would become larger than the limit on the size of files",
}


@contextmanager
def staged(path: Path) -> Iterator[Path]:
    """A hidden folder beside `path`, to write to and rename from; it goes when this ends.

    Its name follows from `path` alone, so that what a killed writer left is found without a listing. It is locked
    while it is in use; the lock of a killed process ends with it.
    raises UserError : the disk is full, or another process is writing `path`
    """
    hidden = path.with_name(f".{path.name}.writing")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(hidden, path):
            _clear(hidden)
            try:
                yield hidden
            finally:
                shutil.rmtree(hidden, ignore_errors=True)
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise UserError(
            f"{path}: must be written whole, but {FULL[error.errno]} ({_free(path)}). Nothing of it was kept, and what "
            "stood there before still does. Make room or raise the limit, then run again."
        ) from error


@contextmanager
def _locked(hidden: Path, path: Path) -> Iterator[None]:
    """Make the folder and lock it; where the file system knows no locks, Snakemake's own has to do."""
    handle = _lock(hidden, path)
    while not _same(handle, hidden):  # its last writer removed it between the opening and the lock
        os.close(handle)
        handle = _lock(hidden, path)
    try:
        yield
    finally:
        os.close(handle)


def _lock(hidden: Path, path: Path) -> int:
    hidden.mkdir(exist_ok=True)
    try:
        handle = os.open(hidden, os.O_RDONLY)
    except FileNotFoundError:
        return _lock(hidden, path)
    with suppress(OSError):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise UserError(f"{path}: another process is writing it. Let that end, then run again.") from None
    return handle


def _same(handle: int, path: Path) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(handle), path.stat())
    return False


def _clear(folder: Path) -> None:
    for left in folder.iterdir():
        shutil.rmtree(left) if left.is_dir() else left.unlink()


def _free(path: Path) -> str:
    try:
        return f"{shutil.disk_usage(path.parent).free / 1e6:.1f} MB free"
    except OSError:
        return "its free space cannot be asked"
