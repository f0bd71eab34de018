"""Moments of parts, measured once and kept: a further part rereads none of the others."""

import gzip
import io
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import xarray as xr

from geojax import store
from geojax.data import scaling
from geojax.log import logger

SETTINGS = ("center", "over")  # what of the section `scaling` moments depend on


def of_parts(parts: Iterable[str | Path], section: dict[str, Any], folder: str | Path, code: str) -> list[xr.Dataset]:
    """Moments of each part that is not set aside; those that `folder` keeps are not measured again.

    parts : manifests of the parts
    section : the dataset's section `scaling`
    folder : what no part here stands for any longer is removed from it
    code : digest of the code that measures
    """
    folder, kept = Path(folder), {}
    wanted = {key: section[key] for key in SETTINGS}
    found = [(path, *_kept(folder, [told["digest"], wanted, code])) for path, told in store.usable(parts)]
    for path, file, moments in found:
        kept[file] = moments
        if moments is None:
            with store.read(path) as part:
                measured = scaling.moments(part, section)
            measured.attrs = {}  # what is said of the part, its faults among it, is not said of the moments
            content = bytes(measured.to_netcdf(engine="scipy"))
            store.write_bytes(gzip.compress(content, mtime=0), file)
            kept[file] = _decoded(content)  # as they will be read: the file knows no whole numbers of 64 bits
    logger.info("%d parts measured, %d were known", *_counts(moments is None for *_, moments in found))
    for left in set(folder.glob("*.nc.gz")) - kept.keys():
        left.unlink()
    return list(kept.values())


def _kept(folder: Path, what: list[Any]) -> tuple[Path, xr.Dataset | None]:
    """The file of a part's moments, named by what they depend on, and what it holds, if it is whole."""
    file = folder / f"{store.digest_of(what)[:32]}.nc.gz"
    try:
        content = gzip.decompress(file.read_bytes())
        return file, _decoded(content) if content else None
    except (OSError, EOFError, zlib.error):  # absent, or damaged, which the sum inside the file shows
        return file, None


def _decoded(content: bytes) -> xr.Dataset:
    return xr.load_dataset(io.BytesIO(content), engine="scipy")


def _counts(flags: Iterable[bool]) -> tuple[int, int]:
    every = list(flags)
    return sum(every), len(every) - sum(every)
