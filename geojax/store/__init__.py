"""The only module that touches Zarr: whole stores, written beside and renamed, with a manifest."""

import io
import json
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
import zarr
from xarray.backends import ZarrStore

from geojax.errors import UserError
from geojax.store import backend, encoding, manifests, shards
from geojax.store.manifests import beside, differences, digest, digest_of, manifest_of, read_json, set_aside, usable
from geojax.store.staging import staged

__all__ = [
    "beside", "differences", "digest", "digest_of", "manifest_of", "read", "read_json",
    "set_aside", "usable", "write", "write_blocks", "write_bytes", "write_json", "write_table",
]  # fmt: skip
BLOCK = 2**26  # bytes, at most, of a chunk that blocks are written in


def write(dataset: xr.Dataset, path: str | Path, chunks: Mapping[str, int] | None = None, **facts: Any) -> None:
    """Write `dataset` as the Zarr v3 store X.zarr and its X.manifest.json; both appear whole or not at all.

    chunks : dimension to the length along it that is read at once; without, chunks of about 1 MiB
    facts : what else the manifest says, for instance the digests of the raw files
    raises UserError : the disk is full, another process writes the same store, `chunks` does not fit, or a name holds a
        slash
    """
    _check_names(dataset)
    dataset = dataset.drop_encoding()
    layout = shards.encoding(dataset, chunks)
    with _appearing(Path(path)) as (new, manifest), _without_remarks():
        target = ZarrStore.open_group(new, "w-", consolidate_on_close=True, zarr_format=3)
        writer = encoding.Writer(new)
        dataset.dump_to_store(target, writer=writer, encoder=encoding.regular_times, encoding=layout)
        target.close()
        manifest.write_bytes(_plain(manifests.describe(dataset, new, layout, writer.written) | facts))


def write_blocks(blocks: Iterable[xr.Dataset], path: str | Path, **facts: Any) -> None:
    """As `write`, block after block, so that the whole is never in memory.

    blocks : variables without coordinates; one that an earlier block had goes on along its first dimension. What any
        block has as attributes the store has too
    """
    with _appearing(Path(path)) as (new, manifest), _without_remarks():
        group = zarr.open_group(new, mode="w", zarr_format=3)
        arrays: dict[str, zarr.Array] = {}
        for block in blocks:
            _check_names(block)
            group.update_attributes(dict(block.attrs))
            for name, array in block.data_vars.items():
                values = np.asarray(array.values)
                if str(name) not in arrays:
                    rows = max(1, min(len(values), BLOCK // max(1, values[:1].nbytes)))
                    arrays[str(name)] = group.create_array(
                        str(name), shape=(0, *values.shape[1:]), chunks=(rows, *values.shape[1:]), dtype=values.dtype,
                        dimension_names=[str(dim) for dim in array.dims], attributes=dict(array.attrs),
                        compressors=shards.compressors(),
                    )  # fmt: skip
                arrays[str(name)].append(values)
        zarr.consolidate_metadata(new)
        with xr.open_zarr(new, consolidated=True, chunks=None) as written:
            layout = {str(name): {"shards": None} for name in written.variables}
            manifest.write_bytes(_plain(manifests.describe(written, new, layout) | facts))


def _check_names(dataset: xr.Dataset) -> None:
    """A slash makes a group of what stands before it, and the variable would be missing when it is read."""
    if slashed := next((name for name in dataset.variables if "/" in str(name)), None):
        raise UserError(f"variable `{slashed}`: a name must not hold a slash. Write a hyphen, or a word.")


@contextmanager
def _appearing(path: Path) -> Iterator[tuple[Path, Path]]:
    """Where to write a store and its manifest; in the end both take the place of those at `path`."""
    with staged(path) as folder:
        new, manifest = folder / "new", folder / "manifest"
        yield new, manifest
        # A store counts from its manifest on: never may the old one vouch for the new store.
        manifest_of(path).unlink(missing_ok=True)
        if path.exists():
            path.rename(folder / "old")
        new.rename(path)
        manifest.rename(manifest_of(path))


@contextmanager
def _without_remarks() -> Iterator[None]:
    """Consolidated metadata spare every reader a listing; the v3 specification has yet to name them."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Consolidated metadata")
        warnings.filterwarnings("ignore", message=".*does not have a Zarr V3 specification")
        yield


def read(path: str | Path) -> xr.Dataset:
    """Open the store X.zarr, named by itself or by X.manifest.json; arrays are read when they are used.

    raises UserError : there is no store, it lacks files or parts of them, or it cannot be read
    """
    path = beside(path, ".zarr")
    files = manifests.check_whole(path)
    try:
        return backend.open_dataset(path, files)
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
