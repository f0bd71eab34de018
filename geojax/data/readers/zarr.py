"""Zarr v2 and v3 stores on disk with CF conventions, of others or of geojax itself."""

import warnings
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from lzma import LZMAError
from pathlib import Path
from typing import Any

import xarray as xr
import zarr
from zarr.errors import ZarrUserWarning

from geojax import store
from geojax.data.findings import Finding
from geojax.data.readers.fields import cf, grid
from geojax.errors import UserError


def read(
    files: Mapping[str, Path],
    selection: Mapping[str, Any],
    variables: Mapping[str, Mapping[str, Any]],
    *,
    group: str = "",
    level: float | None = None,
    fill: Sequence[float] = (),
    calendar: str = "standard",
) -> xr.Dataset:
    """Read fields (time, depth, lat, lon) from directories; see geojax.data.readers.netcdf.read for what is the same.

    group : path of the group inside the store
    returns : where chunks are absent, which stands for fill values as for chunks lost, attrs["quality"] says so
    raises UserError : also where a store of geojax differs from its manifest
    """
    grid.check_selection(selection, "zarr", cuts=True)
    options = {"level": level, "fill": fill, "calendar": calendar}
    inside = [wanted.get("name") or name for name, wanted in variables.items()]
    found: list[Finding] = []
    with warnings.catch_warnings(), ExitStack() as stack:
        opened = {}
        for path in files.values():
            _check_manifest(path)
            with _trouble(path):
                warnings.simplefilter(
                    "ignore", ZarrUserWarning
                )  # of what is no array: if it should be, it is missed below
                found += _check_chunks(path, group, inside)
                opened[path] = stack.enter_context(
                    xr.open_zarr(path, group=group or None, consolidated=False, chunks=None, decode_timedelta=False)
                )
        content = cf.read(opened, selection, variables, _trouble, **options)
    content.attrs["quality"] += [finding.plain() for finding in found]
    return content


def _check_manifest(path: Path) -> None:
    if not path.is_dir():
        raise UserError(f"{path}: must be a Zarr store, a directory, but is none. Unpack it, or mend `source`.")
    manifest = store.manifest_of(path)
    told = store.read_json(manifest) if path.suffix == ".zarr" and manifest.exists() else {}
    if isinstance(told, dict) and "files" in told and (differing := store.differences(path)):
        more = f" ({len(differing) - 1} more)" if differing[1:] else ""
        raise UserError(f"{differing[0]}, as {manifest} tells{more}. Rebuild the store, or fetch it again.")


def _check_chunks(path: Path, group: str, inside: Sequence[str]) -> list[Finding]:
    """Chunks that are not there: a chunk of fill values alone need not be written, so one that was lost looks alike.

    raises UserError : a chunk of a coordinate is absent
    raises EOFError : a chunk is cut short
    """
    root = zarr.open_group(path, mode="r", path=group, use_consolidated=False)
    found = []
    for name, array in root.arrays():
        if name in inside or array.ndim == 1:
            in_blosc = array.shards is None and "blosc" in str(array.compressors[-1:]).lower()
            _check_length(path / group / name, in_blosc)
        written, whole = array.nchunks_initialized, array.nchunks
        if written >= whole or array.ndim == 0:
            continue
        words = f"{whole - written} of {whole} chunks are absent: either fill values alone, or lost"
        if name in inside:
            found.append(Finding("unproven", str(path), name, whole - written, "its chunks", words))
        elif array.ndim == 1:
            raise UserError(f"{path}: coordinate `{name}` must be whole, but {words}. Fetch the store again.")
    return found


def _check_length(folder: Path, in_blosc: bool) -> None:
    """Refuse what is passed over in silence: a shard without a byte, and in Blosc a chunk shorter than its header says.

    raises EOFError : a chunk is cut short
    source : C-Blosc, README_HEADER.rst: the compressed size stands in bytes 12 to 15
    """
    for chunk in folder.rglob("*"):
        if chunk.is_file() and chunk.name[0] not in ".z":
            with chunk.open("rb") as file:
                begin = file.read(16)
            promised = int.from_bytes(begin[12:], "little") if in_blosc else chunk.stat().st_size
            if not begin or promised != chunk.stat().st_size:
                raise EOFError(f"chunk {chunk} must have {promised or 'some'} bytes, but has {chunk.stat().st_size}")


@contextmanager
def _trouble(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, EOFError, RuntimeError, ValueError, KeyError, TypeError, zlib.error, LZMAError) as error:
        raise UserError(
            f"{path}: must be a Zarr store that can be read to its end, but is not ({' '.join(str(error).split())}). "
            "Fetch it again."
        ) from error
