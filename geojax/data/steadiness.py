"""Raw files must stay as they are while they are read: what was half written yesterday is wrong for ever."""

import os
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path

from geojax import store
from geojax.errors import UserError

GRAIN_NS = 2_000_000_000  # the coarsest step of a modification time, on FAT and old NFS


@contextmanager
def steady(files: Mapping[str, Path], told: Mapping[str, str] | None = None) -> Iterator[dict[str, str]]:
    """Digests of raw files, taken while they are read here; on leaving, refuse what has changed meanwhile.

    told : digests that are known already, of files fetched and checked; without, each file is read to its end
    returns : digests by name, all of them there once it is left
    raises UserError : a file was written, replaced or removed while it was read
    """
    if absent := [path for path in files.values() if not path.exists()]:
        raise UserError(f"{absent[0]}: the raw file must exist, but does not. Put it there, or run geojax repair.")
    start = time.time_ns()
    states = {name: _state(path) for name, path in files.items()}
    # Whoever writes twice within a step of the clock leaves the same time: as git does, look at the content.
    recent = {name for name, state in states.items() if state[1] > start - GRAIN_NS}
    digests = dict(told) if told is not None else {name: store.digest(files[name]) for name in recent}

    def check(name: str, path: Path) -> None:
        if (
            not path.exists()
            or _state(path) != states[name]
            or (name in recent and store.digest(path) != digests[name])
        ):
            raise UserError(
                f"{path}: must stay as it is while it is read, but changed while it was read. "
                "Run again when its writer is done; nothing of it was kept."
            )

    with ThreadPoolExecutor(1) as pool:  # beside the reader, which waits for none of them
        rest = {name: pool.submit(store.digest, path) for name, path in files.items() if name not in digests}
        try:
            yield digests
        finally:  # also where the reader gave up: that the file was being written is then the reason
            wait(rest.values())
            for name, path in files.items():
                check(name, path)
        digests |= {name: found.result() for name, found in rest.items()}


def _state(path: Path) -> tuple[int, ...]:
    """What changes with the content: size, time, identity; of a folder, those of all its files."""
    if path.is_dir():
        every = [_state(file) for file in sorted(path.rglob("*")) if file.is_file()]
        return sum(one[0] for one in every), max((one[1] for one in every), default=0), hash(tuple(every))
    found = os.stat(path)
    return found.st_size, found.st_mtime_ns, found.st_ino, found.st_dev
