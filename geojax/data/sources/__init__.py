"""Where raw files come from: one module for each kind, with one function `fetch(order, directory)`.

order : the dataset's section `source`, narrowed to one lot (see geojax.data.raw.order): `part` and `span` if it
    has any, and `until`, the day of asking, if the span is not over: the source gives what it has of the span by then
directory : empty; what is fetched goes there, each file under its name
returns : digest of each file, by name
raises UserError : what to do about it; NothingThereError where the source answered that it has nothing for the lot
"""

import shutil
from importlib import import_module
from pathlib import Path
from typing import Any

from geojax import store
from geojax.errors import NothingThereError, UserError


def fetch(order: dict[str, Any], directory: Path) -> dict[str, str]:
    """Fetch one lot of raw files and return their digests by name; `directory` appears with all of them or not at all.

    What a killed fetch has left beside it is removed. Where the source has nothing for the lot, `directory` is empty.
    """
    beside = directory.with_name(f".{directory.name}.fetching")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    try:
        digests = import_module(f"{__name__}.{order['kind']}").fetch(order, beside)
    except NothingThereError:
        shutil.rmtree(beside)
        beside.mkdir()
        _replace(directory, beside)
        raise
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    _replace(directory, beside)
    return digests


def _replace(directory: Path, beside: Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    beside.rename(directory)


def check_digest(path: Path, required: str, shown: str) -> None:
    """Refuse a file whose content is not what the configuration promised."""
    came = store.digest(path)
    if came != required:
        raise UserError(
            f"{shown}: sha256 must be {required}, but is {came}. Either the download was damaged or altered, "
            "or `source: sha256` is wrong; nothing of it was kept."
        )
