"""Many parts as one file, so that a stage that takes all of them has one input: each further one costs every run."""

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from geojax import store
from geojax.errors import UserError

Paths = str | Path | Iterable[str]  # of a run's dataset, or of each of its datasets


def write(manifests: Iterable[str | Path], path: str | Path) -> None:
    """List parts in their order, each by its manifest, seen from the folder of the list, and the digest of that."""
    every = [(os.path.relpath(each, Path(path).parent), store.digest(each)) for each in manifests]
    store.write_json({"parts": every}, path)


def listed(paths: Paths) -> list[str]:
    """One path or several, as a list."""
    return [str(paths)] if isinstance(paths, str | Path) else list(paths)


def read(paths: Paths) -> list[str]:
    """Manifests of the parts that one list tells, or several, each of a dataset.

    raises UserError : a list cannot be read, a part is no longer as it tells, or two parts have one name
    """
    every = [manifest for path in listed(paths) for manifest in _read(path)]
    if twice := next((name for name, count in Counter(map(stem, every)).items() if count > 1), None):
        both = [manifest for manifest in every if stem(manifest) == twice]
        raise UserError(f"{' and '.join(both)}: parts of one run must have names of their own. Rename one of them.")
    return every


def _read(path: str) -> list[str]:
    every = [(str(Path(path).parent / name), digest) for name, digest in store.read_json(path)["parts"]]
    for manifest, digest in every:
        if not Path(manifest).exists() or store.digest(manifest) != digest:
            found = "has changed since" if Path(manifest).exists() else "is missing"
            raise UserError(f"{manifest}: must be as {path} tells, but {found}. Run snakemake, which lists it anew.")
    return [manifest for manifest, _ in every]


def stem(path: str | Path) -> str:
    """Name of the part that a store, or its manifest, belongs to."""
    return Path(path).name.removesuffix(".zarr").removesuffix(".manifest.json")
