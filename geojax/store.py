"""The only module that touches Zarr: whole stores, written beside and renamed, with a manifest."""

import io
import json
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from geojax import manifests, shards
from geojax.errors import UserError
from geojax.manifests import beside, differences, digest, digest_of, manifest_of, read_json, set_aside, usable
from geojax.staging import staged

__all__ = [
    "beside", "differences", "digest", "digest_of", "manifest_of", "read", "read_json",
    "set_aside", "usable", "write", "write_bytes", "write_json", "write_table",
]  # fmt: skip


def write(dataset: xr.Dataset, path: str | Path, chunks: Mapping[str, int] | None = None, **facts: Any) -> None:
    """Write `dataset` as the Zarr v3 store X.zarr and its X.manifest.json; both appear whole or not at all.

    chunks : dimension to the length along it that is read at once; without, chunks of about 1 MiB
    facts : what else the manifest says, for instance the digests of the raw files
    raises UserError : the disk is full, another process writes the same store, or `chunks` does not fit
    """
    path = Path(path)
    dataset = dataset.drop_encoding()
    layout = shards.encoding(dataset, chunks)
    with staged(path) as folder:
        new, manifest = folder / "new", folder / "manifest"
        with warnings.catch_warnings():
            # Consolidated metadata spare every reader a listing; the v3 specification has yet to name them.
            warnings.filterwarnings("ignore", message="Consolidated metadata")
            warnings.filterwarnings("ignore", message=".*does not have a Zarr V3 specification")
            dataset.to_zarr(new, mode="w-", zarr_format=3, consolidated=True, encoding=layout)
        manifest.write_bytes(_plain(manifests.describe(dataset, new, layout) | facts))
        # A store counts from its manifest on: never may the old one vouch for the new store.
        manifest_of(path).unlink(missing_ok=True)
        if path.exists():
            path.rename(folder / "old")
        new.rename(path)
        manifest.rename(manifest_of(path))


def read(path: str | Path) -> xr.Dataset:
    """Open the store X.zarr, named by itself or by X.manifest.json; arrays are read when they are used.

    raises UserError : there is no store, it lacks files or parts of them, or it cannot be read
    """
    path = beside(path, ".zarr")
    manifests.check_whole(path)
    try:
        return xr.open_zarr(path, consolidated=True, chunks=None)
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{path}: must be a Zarr store of geojax, but cannot be read ({error}). Rebuild it.") from error


def write_table(table: pd.DataFrame, path: str | Path) -> None:
    """Write a Parquet table, whole or not at all."""
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False)
    write_bytes(buffer.getvalue(), path)


def write_json(content: Mapping[str, Any], path: str | Path) -> None:
    """Write `content` as JSON, whole or not at all."""
    write_bytes(_plain(content), path)


def write_bytes(content: bytes, path: str | Path) -> None:
    """Write a file, whole or not at all.

    raises UserError : the disk is full, or another process writes the same file
    """
    path = Path(path)
    with staged(path) as folder:
        (folder / "new").write_bytes(content)
        os.replace(folder / "new", path)


def _plain(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=1, sort_keys=True) + "\n").encode()
