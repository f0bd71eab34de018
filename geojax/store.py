"""The only module that touches Zarr: whole stores, written beside and renamed, with a manifest."""

import hashlib
import io
import json
import os
import re
import shutil
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
import zarr

from geojax.errors import UserError

FORMAT = 1
CHUNK = 2**26  # bytes, at most, of a chunk that blocks are written in


def write(dataset: xr.Dataset, path: str | Path, **facts: Any) -> None:
    """Write `dataset` as the Zarr v3 store X.zarr and its X.manifest.json; both appear whole or not at all.

    facts : what else the manifest says, for instance the digests of the raw files
    """
    path = Path(path)
    dataset = dataset.drop_encoding()
    with _beside(path) as beside:
        with warnings.catch_warnings():
            # Consolidated metadata spare every reader a listing; the v3 specification has yet to name them.
            warnings.filterwarnings("ignore", message="Consolidated metadata")
            warnings.filterwarnings("ignore", message=".*does not have a Zarr V3 specification")
            dataset.to_zarr(beside, mode="w-", zarr_format=3, consolidated=True)
        content = describe(dataset, beside) | facts
        # A store counts from its manifest on: never may the old one vouch for the new store.
        manifest_of(path).unlink(missing_ok=True)
        if path.exists():
            path.rename(path.with_name(f".{path.name}.old.{os.getpid()}"))
        beside.rename(path)
    write_json(content, manifest_of(path))


def write_blocks(blocks: Iterable[xr.Dataset], path: str | Path, **facts: Any) -> None:
    """As `write`, block after block, so that the whole is never in memory.

    blocks : variables without coordinates; one that an earlier block had goes on along its first dimension
    """
    path = Path(path)
    with _beside(path) as beside:
        group = zarr.open_group(beside, mode="w", zarr_format=3)
        arrays: dict[str, zarr.Array] = {}
        for block in blocks:
            for name, array in block.data_vars.items():
                values = np.asarray(array.values)
                if str(name) not in arrays:
                    rows = max(1, min(len(values), CHUNK // max(1, values[:1].nbytes)))
                    arrays[str(name)] = group.create_array(
                        str(name), shape=(0, *values.shape[1:]), chunks=(rows, *values.shape[1:]), dtype=values.dtype,
                        dimension_names=[str(dim) for dim in array.dims], attributes=dict(array.attrs),
                    )  # fmt: skip
                arrays[str(name)].append(values)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Consolidated metadata")
            zarr.consolidate_metadata(beside)
        content = describe(xr.open_zarr(beside, consolidated=True, chunks=None), beside) | facts
        manifest_of(path).unlink(missing_ok=True)  # as in `write`
        if path.exists():
            path.rename(path.with_name(f".{path.name}.old.{os.getpid()}"))
        beside.rename(path)
    write_json(content, manifest_of(path))


def read(path: str | Path) -> xr.Dataset:
    """Open the store X.zarr, named by itself or by X.manifest.json; arrays are read when they are used.

    raises UserError : there is no store, it lacks files or parts of them, or it cannot be read
    """
    path = beside(path, ".zarr")
    _check_whole(path)
    try:
        return xr.open_zarr(path, consolidated=True, chunks=None)
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{path}: must be a Zarr store of geojax, but cannot be read ({error}). Rebuild it.") from error


def describe(dataset: xr.Dataset, path: Path) -> dict[str, Any]:
    """What a manifest says of a store: digests of its files, arrays and whole, counts, time span, versions."""
    files = {str(file.relative_to(path)): digest(file) for file in _files(path)}
    arrays = {}
    for name, array in dataset.variables.items():
        own = {file: code for file, code in files.items() if file.split("/")[0] == name}
        arrays[str(name)] = {
            "shape": dict(zip(map(str, array.dims), array.shape, strict=True)),
            "dtype": str(array.dtype),
            "digest": digest_of(own),
        }
    return {
        "format": FORMAT,
        "digest": digest_of(files),
        "arrays": arrays,
        "files": files,
        "bytes": sum(file.stat().st_size for file in _files(path)),
        "time_span": _time_span(dataset),
        "versions": {name: version(name) for name in ("geojax", "numpy", "xarray", "zarr")},
    }


def differences(path: str | Path) -> list[str]:
    """Compare a store with its manifest by reading every byte; an empty list means that they agree."""
    path = beside(path, ".zarr")
    expected = read_json(manifest_of(path))["files"]
    found = {str(file.relative_to(path)): digest(file) for file in _files(path)}
    missing = [f"{path}/{file}: missing" for file in sorted(expected.keys() - found.keys())]
    extra = [f"{path}/{file}: not in the manifest" for file in sorted(found.keys() - expected.keys())]
    changed = [
        f"{path}/{f}: content differs" for f in sorted(expected.keys() & found.keys()) if expected[f] != found[f]
    ]
    return missing + extra + changed


def beside(path: str | Path, ending: str) -> Path:
    """What stands beside a store or manifest under the same name: X.zarr, X.parquet."""
    path = Path(path)
    return path.with_name(path.name.removesuffix(".zarr").removesuffix(".manifest.json") + ending)


def manifest_of(path: str | Path) -> Path:
    """The manifest of a store."""
    return beside(path, ".manifest.json")


def write_table(table: pd.DataFrame, path: str | Path) -> None:
    """Write a Parquet table, whole or not at all."""
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False)
    write_bytes(buffer.getvalue(), path)


def write_json(content: Mapping[str, Any], path: str | Path) -> None:
    """Write `content` as JSON, whole or not at all."""
    write_bytes((json.dumps(content, indent=1, sort_keys=True) + "\n").encode(), path)


def read_json(path: str | Path) -> dict[str, Any]:
    """Read a manifest or a score table.

    raises UserError : the file is missing or not JSON
    """
    try:
        return json.loads(Path(path).read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: must be JSON written by geojax, but cannot be read ({error}). Rebuild it.") from error


def write_bytes(content: bytes, path: str | Path) -> None:
    """Write a file, whole or not at all."""
    path = Path(path)
    with _beside(path) as beside:
        beside.write_bytes(content)
        os.replace(beside, path)


def digest(path: str | Path) -> str:
    """SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of(content: Any) -> str:
    """SHA-256 of anything that JSON can hold, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def _files(path: Path) -> list[Path]:
    """The files of a store; Snakemake's own mark, which it leaves inside, is none of them."""
    return sorted(p for p in path.rglob("*") if p.is_file() and p.name != ".snakemake_timestamp")


def _check_whole(path: Path) -> None:
    """Compare number and size of files with the manifest: a lost chunk would else be read as fill values."""
    if not manifest_of(path).exists():
        return
    told = read_json(manifest_of(path))
    found = _files(path)
    size = sum(file.stat().st_size for file in found)
    if (len(found), size) != (len(told["files"]), told.get("bytes", size)):
        raise UserError(
            f"{path}: must be a Zarr store of {len(told['files'])} files and {told.get('bytes')} bytes, as its "
            f"manifest says, but has {len(found)} files and {size} bytes. Remove it and run snakemake again."
        )


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A free name beside `path` to write to; what is left there, by this or by a killed writer, is removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path)
    try:
        yield path.with_name(f".{path.name}.{os.getpid()}")
    finally:
        _sweep(path)


def _sweep(path: Path) -> None:
    for left in path.parent.iterdir():
        if re.fullmatch(rf"\.{re.escape(path.name)}\.(old\.)?\d+", left.name):
            shutil.rmtree(left) if left.is_dir() else left.unlink()


def _time_span(dataset: xr.Dataset) -> list[str] | None:
    if "time" not in dataset.coords or dataset["time"].size == 0:
        return None
    times = np.sort(np.atleast_1d(dataset["time"].values))
    return [str(times[0]), str(times[-1])]
