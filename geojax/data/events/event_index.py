"""Which events of a catalogue are asked for: rows of an index with their week and their class."""

import hashlib
from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from geojax.data.events.catalogues import COLUMNS
from geojax.errors import UserError


def index(part: xr.Dataset, classes: Sequence[str], unclassified: Sequence[str]) -> pd.DataFrame:
    """One row for each classified event of a part, with the week that it belongs to as its group.

    part : COLUMNS, and `class` and `time` as coordinates, (event,)
    raises UserError : an event's class is neither one of the classes nor a word for none
    """
    words, time = part["class"].values.astype(str), part["time"].values
    if strange := sorted(set(words) - {*classes, *unclassified}):
        raise UserError(
            f"part {part.attrs['part']}: classes must be {', '.join(classes)}, but `{strange[0]}` is another. "
            "Name it in `examples`, under `classes` or `unclassified`."
        )
    values = np.stack([part[name].values for name in COLUMNS], -1)
    found = {
        "position": np.arange(len(words)),
        "group": pd.DatetimeIndex(time).to_period("W").start_time.strftime("%Y-%m-%d"),
        "time": time,
        "content": [hashlib.sha256(own.tobytes()).hexdigest() for own in values],
        "label": pd.Index(list(classes)).get_indexer(pd.Index(words)).astype("int32"),
    }
    found |= dict(zip(COLUMNS, values.T, strict=True))
    return pd.DataFrame(found)[np.isin(words, list(classes))].reset_index(drop=True)


def thinned(index: pd.DataFrame, most: int | None) -> pd.DataFrame:
    """No more than `most` rows of each split, evenly taken; all without."""
    if most is None:
        return index
    step = index.groupby("split")["split"].transform(lambda own: -(-len(own) // most)).astype(int)
    return index[index.groupby("split").cumcount() % step == 0].reset_index(drop=True)
