"""What a manifest says of a store, and whether the store is still so."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from geojax.errors import UserError
from geojax.store import shards

if TYPE_CHECKING:
    from geojax.store.encoding import Shard

FORMAT = 2  # 1 had no digests of chunks


def describe(
    dataset: xr.Dataset,
    path: Path,
    layout: Mapping[str, Any],
    known: Mapping[str, "Shard"] | None = None,
) -> dict[str, Any]:
    """What a manifest says of a store: digests of its files, chunks, arrays and whole, sizes, time span, versions.

    layout : how its arrays were written, as from geojax.shards.encoding
    known : shards whose digests are known already, by their file
    """
    sizes, known = _sizes(path), known or {}
    files = {file: known[file].digest if file in known else digest(path / file) for file in sorted(sizes)}
    arrays = {}
    for name, array in dataset.variables.items():
        own = {file: code for file, code in files.items() if file.split("/")[0] == name}
        shape = dict(zip(map(str, array.dims), array.shape, strict=True))
        arrays[str(name)] = {"shape": shape, "dtype": str(array.dtype), "digest": digest_of(own)}
        shard = "/".join([str(name), "c", *("0" for _ in shape)])
        if layout[str(name)]["shards"] and shard in files:  # there is no file where nothing but fill values is
            arrays[str(name)]["chunks"] = shards.describe(
                path / shard, shape, layout[str(name)]["chunks"], known[shard].chunks if shard in known else None
            )
    return {
        "format": FORMAT,
        "digest": digest_of(files),
        "arrays": arrays,
        "files": files,
        "bytes": sum(sizes.values()),
        "time_span": _time_span(dataset),
        "versions": {name: version(name) for name in ("geojax", "numpy", "xarray", "zarr")},
    }


def differences(path: str | Path) -> list[str]:
    """Compare a store with its manifest by reading every byte; an empty list means that they agree.

    returns : a line for each file that is missing, too many or different, and in a shard for each such chunk
    raises UserError : the manifest is missing, cannot be read or is a newer geojax's
    """
    path = beside(path, ".zarr")
    told = _manifest(path)
    if not path.is_dir():
        return [f"{path}: missing"]
    expected, found = told["files"], {file: digest(path / file) for file in _sizes(path)}
    lines = [f"{path}/{file}: missing" for file in sorted(expected.keys() - found.keys())]
    lines += [f"{path}/{file}: not in the manifest" for file in sorted(found.keys() - expected.keys())]
    for file in sorted(file for file in expected.keys() & found.keys() if expected[file] != found[file]):
        name, _, inside = file.partition("/")
        array = told["arrays"].get(name, {})
        if inside.startswith("c/") and "chunks" in array:
            lines += shards.differences(path / file, array, _coordinates(path, array["shape"]))
        else:
            lines.append(f"{path}/{file}: content differs")
    return lines


def check_whole(path: Path) -> list[str]:
    """Compare number and size of files with the manifest: a lost chunk would else be read as fill values.

    returns : the files that there must be; none where no manifest tells
    raises UserError : the store lacks files or parts of them, or has too many
    """
    if not path.is_dir() or not manifest_of(path).exists():
        return []
    told, sizes = _manifest(path), _sizes(path)
    count, size = len(sizes), sum(sizes.values())
    if (count, size) != (len(told["files"]), told.get("bytes", size)):
        raise UserError(
            f"{path}: must be a Zarr store of {len(told['files'])} files and {told.get('bytes')} bytes, as its "
            f"manifest says, but has {count} files and {size} bytes. Rebuild it: geojax repair {path}"
        )
    return list(told["files"])


def _manifest(path: Path) -> dict[str, Any]:
    told = read_json(manifest_of(path))
    if told.get("format", 1) > FORMAT:
        raise UserError(
            f"{manifest_of(path)}: must be of format {FORMAT} or older, but is of {told['format']}. "
            "It was written by a newer geojax: update yours."
        )
    return told


def _sizes(path: Path) -> dict[str, int]:
    """Bytes of each file of a store; Snakemake's own mark, which it leaves inside, is none of them."""
    sizes, waiting = {}, [""]
    while waiting:
        below = waiting.pop()
        with os.scandir(f"{path}/{below}") as entries:
            for entry in entries:
                if entry.is_dir():
                    waiting.append(f"{below}{entry.name}/")
                elif entry.name != ".snakemake_timestamp":
                    sizes[below + entry.name] = entry.stat().st_size
    return sizes


def _coordinates(path: Path, dims: Iterable[str]) -> dict[str, np.ndarray]:
    """Values along the dimensions that have some, as far as a damaged store still gives them."""
    try:
        with xr.open_zarr(path, consolidated=True, chunks=None) as opened:
            return {dim: opened[dim].values for dim in dims if dim in opened.coords}
    except Exception:  # whatever is broken there is named by a line of its own
        return {}


def _time_span(dataset: xr.Dataset) -> list[str] | None:
    if "time" not in dataset.coords or dataset["time"].size == 0:
        return None
    times = np.atleast_1d(dataset["time"].values)
    if times.dtype.kind == "M":
        times = times if not np.isnat(times.min()) else times[~np.isnat(times)]
        return [str(times.min()), str(times.max())] if len(times) else None
    times = np.sort(times)
    return [str(times[0]), str(times[-1])]


def beside(path: str | Path, ending: str) -> Path:
    """What stands beside a store or manifest under the same name: X.zarr, X.parquet."""
    path = Path(path)
    return path.with_name(path.name.removesuffix(".zarr").removesuffix(".manifest.json") + ending)


def manifest_of(path: str | Path) -> Path:
    """The manifest of a store."""
    return beside(path, ".manifest.json")


def set_aside(path: str | Path) -> str | None:
    """Why the part behind a store or manifest was set aside, if it was."""
    return read_json(manifest_of(path)).get("quarantined")


def usable(paths: Iterable[str | Path]) -> Iterator[tuple[str | Path, dict[str, Any]]]:
    """The parts that were not set aside, one after the other, each with its manifest.

    raises UserError : at the end, if all of them were
    """
    reasons, kept = [], 0
    for path in paths:
        told = read_json(manifest_of(path))
        if reason := told.get("quarantined"):
            reasons.append(reason)
            continue
        kept += 1
        yield path, told
    if reasons and not kept:
        raise UserError(f"all {len(reasons)} parts are set aside; the first: {reasons[0]}")


def read_json(path: str | Path) -> dict[str, Any]:
    """Read a manifest or a score table.

    raises UserError : the file is missing or not JSON
    """
    try:
        return json.loads(Path(path).read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: must be JSON written by geojax, but cannot be read ({error}). Rebuild it.") from error


def digest(path: str | Path) -> str:
    """SHA-256 of a file; of a folder, such as a raw Zarr store, that of the names and digests of its files."""
    path = Path(path)
    if path.is_dir():
        return digest_of({name: digest(path / name) for name in _sizes(path)})
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of(content: Any) -> str:
    """SHA-256 of anything that JSON can hold, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
