"""Where raw files come from: one module for each kind, with one function `fetch(order, directory)`.

order : the dataset's section `source`, narrowed to one lot (see geojax.data.raw.order): `part` and `span` if it has any
directory : empty; what is fetched goes there, each file under its name
returns : digest of each file, by name
raises UserError : what to do about it; NothingThereError where the source answered that it has nothing for the lot
"""

from importlib import import_module
from pathlib import Path
from typing import Any

from geojax import store
from geojax.errors import UserError


def fetch(order: dict[str, Any], directory: Path) -> dict[str, str]:
    """Fetch one lot of raw files and return their digests by name."""
    directory.mkdir(parents=True, exist_ok=True)
    return import_module(f"{__name__}.{order['kind']}").fetch(order, directory)


def check_digest(path: Path, required: str, shown: str) -> None:
    """Refuse a file whose content is not what the configuration promised."""
    came = store.digest(path)
    if came != required:
        raise UserError(
            f"{shown}: sha256 must be {required}, but is {came}. Either the download was damaged or altered, "
            "or `source: sha256` is wrong; nothing of it was kept."
        )
