"""Many parts as one file, so that a stage that takes all of them has one input: each further one costs every run."""

import os
from collections.abc import Iterable
from pathlib import Path

from geojax import store
from geojax.errors import UserError


def write(manifests: Iterable[str | Path], path: str | Path) -> None:
    """List parts in their order, each by its manifest, seen from the folder of the list, and the digest of that."""
    every = [(os.path.relpath(each, Path(path).parent), store.digest(each)) for each in manifests]
    store.write_json({"parts": every}, path)


def read(path: str | Path) -> list[str]:
    """Manifests of the listed parts.

    raises UserError : the list cannot be read, or a part is no longer as it tells
    """
    every = [(str(Path(path).parent / name), digest) for name, digest in store.read_json(path)["parts"]]
    for manifest, digest in every:
        if not Path(manifest).exists() or store.digest(manifest) != digest:
            found = "has changed since" if Path(manifest).exists() else "is missing"
            raise UserError(f"{manifest}: must be as {path} tells, but {found}. Run snakemake, which lists it anew.")
    return [manifest for manifest, _ in every]
