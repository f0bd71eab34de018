"""Sums over groups, gathered block by block."""

from collections.abc import Sequence

import numpy as np
import xarray as xr


def add(pieces: Sequence[xr.Dataset]) -> xr.Dataset:
    """Statistics (group, …) of all examples from those of blocks: sums add, whatever groups a block has.

    Along other dimensions (coverage) a block may lack what another has. Coordinates along group (stratum) are those
    of the group wherever it stands.
    """
    if len(pieces) == 1:
        return pieces[0]
    joined = xr.concat([_plain(piece) for piece in pieces], "group", join="outer", fill_value=0.0)
    groups, first, code = np.unique(joined["group"].values, return_index=True, return_inverse=True)
    summed = {}
    for name, array in joined.data_vars.items():
        values = array.transpose("group", ...)
        total = np.zeros((len(groups), *values.shape[1:]))
        np.add.at(total, code, values.values)
        summed[name] = (values.dims, total)
    return xr.Dataset(summed, joined.isel(group=first).coords)


def _plain(piece: xr.Dataset) -> xr.Dataset:
    """Coordinates as NumPy arrays: xarray does not join the strings of pandas."""
    return piece.assign_coords({str(name): (own.dims, np.asarray(own.values)) for name, own in piece.coords.items()})
