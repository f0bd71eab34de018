"""One module for each raw format, each with one function `read(files, selection, variables, **options) -> Dataset`.

files : what each raw file holds, or its name, and where it lies
selection : what of them belongs to the part, see geojax.data.raw.selection
variables : what each variable must be: name in the file, CF units and standard name, valid range
options : what this reader alone takes, as keyword-only arguments with defaults

What readers of one family share stands in the rooms beside them: seismic, fields, tables, wells, magnetic.
"""

import inspect
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import xarray as xr

from geojax import modules
from geojax.errors import UserError


class Read(Protocol):
    def __call__(
        self,
        files: Mapping[str, Path],
        selection: Mapping[str, Any],
        variables: Mapping[str, Mapping[str, Any]],
        **options: Any,
    ) -> xr.Dataset: ...


def load(name: str) -> Read:
    """The reader of a format.

    raises UserError : geojax has none of that name
    """
    if name not in names():
        raise UserError(f"reader: name: geojax has no reader `{name}`. It has: {', '.join(names())}.")
    return import_module(f"{__name__}.{name}").read


def only(files: Mapping[str, Path], reader: str) -> Path:
    """The one raw file of a part, for formats whose files are not joined.

    raises UserError : the part has several
    """
    if len(files) != 1:
        names = ", ".join(str(path) for path in list(files.values())[:3])
        raise UserError(
            f"source: a part must have one file to be read as {reader}, but has {len(files)} ({names}, …). "
            "Let `{part}` in `source: pattern` tell them apart."
        )
    (path,) = files.values()
    return path


def cf_attributes(variable: Mapping[str, Any]) -> dict[str, str]:
    """CF attributes of a variable as the configuration gives them."""
    return {key: variable[key] for key in ("standard_name", "long_name", "units") if variable.get(key)}


def check_options(name: str, options: Mapping[str, Any], path: str = "") -> None:
    """Refuse an option that the reader does not take.

    raises UserError : it names the options that there are
    """
    known = [a.name for a in inspect.signature(load(name)).parameters.values() if a.kind is a.KEYWORD_ONLY]
    if strange := sorted(set(options) - set(known)):
        raise UserError(
            f"{path}: reader: options: no setting `{strange[0]}`. Reader `{name}` knows: {', '.join(known) or 'none'}."
        )


def names() -> list[str]:
    """Names of all readers."""
    return modules.names("data/readers")
