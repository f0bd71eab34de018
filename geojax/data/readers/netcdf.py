"""NetCDF 3 and 4 with CF conventions."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import xarray as xr

from geojax.data.readers.fields import cf, grid
from geojax.data.readers.fields.classic import check_length
from geojax.errors import UserError


def read(
    files: Mapping[str, Path],
    selection: Mapping[str, Any],
    variables: Mapping[str, Mapping[str, Any]],
    *,
    level: float | None = None,
    fill: Sequence[float] = (),
    calendar: str = "standard",
) -> xr.Dataset:
    """Read fields (time, depth, lat, lon), those axes that there are, latitudes ascending; float32, NaN for none.

    files : those of one part: they follow one another in time, or hold a variable each
    level : value of the vertical axis, whatever it is called, at which a field is taken; without it `depth` is kept
    fill : values that stand for none, though the file does not say so
    calendar : noleap, to take dates of years without 29 February as they are
    returns : only what the selection holds is read; what was found is in attrs["quality"]
    raises UserError : a file cannot be read to its end, lacks a variable or an axis, has other units or none,
        another grid or times that another file has too, values outside the valid range, or no time step of the part
    """
    grid.check_selection(selection, "netcdf", cuts=True)
    with ExitStack() as stack:
        opened = {}
        for path in files.values():
            with _trouble(path):
                opened[path] = stack.enter_context(xr.open_dataset(path, engine="netcdf4", decode_timedelta=False))
                check_length(path)
        return cf.read(
            opened, selection, variables, _trouble,
            level=level, fill=fill, calendar=calendar,
        )  # fmt: skip


@contextmanager
def _trouble(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, EOFError, RuntimeError, ValueError) as error:
        raise UserError(
            f"{path}: must be a NetCDF file that can be read to its end, but is not ({error}). "
            "It may be truncated: fetch it again."
        ) from error
