"""The digest of a raw directory, such as a Zarr store, as one of a file: what it holds, under which names."""

from pathlib import Path

from geojax import store


def digest_of_tree(path: Path) -> str:
    """SHA-256 of the names and contents of all files under `path`; of a file, its own.

    Empty directories and the order in which files were made do not count, nor does Snakemake's mark.
    """
    if not path.is_dir():
        return store.digest(path)
    files = sorted(p for p in path.rglob("*") if p.is_file() and p.name != ".snakemake_timestamp")
    return store.digest_of({p.relative_to(path).as_posix(): store.digest(p) for p in files})
