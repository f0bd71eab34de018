"""Parts as examples are made of them: each opened when it is asked for, and none that begins later than they end."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd
import xarray as xr

from geojax import store


class Parts(Mapping[str, xr.Dataset]):
    """Stores of parts by name, each opened anew when it is asked for: what was read of it goes with its user."""

    def __init__(self, paths: Mapping[str, str | Path]) -> None:
        self.paths = paths

    def __getitem__(self, part: str) -> xr.Dataset:
        return store.read(self.paths[part])

    def __iter__(self) -> Iterator[str]:
        return iter(self.paths)

    def __len__(self) -> int:
        return len(self.paths)


class Known(Mapping[str, xr.Dataset]):
    """Those of the parts that examples may hear of, with a record of those that they were made of."""

    def __init__(self, parts: Mapping[str, xr.Dataset], names: Iterable[str], opened: set[str]) -> None:
        self.parts, self.names, self.opened = parts, dict.fromkeys(names), opened

    def __getitem__(self, part: str) -> xr.Dataset:
        if part not in self.names:
            raise KeyError(part)
        self.opened.add(part)
        return self.parts[part]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


def begins(spans: Mapping[str, Sequence[str] | None]) -> dict[str, pd.Timestamp]:
    """When each part begins that tells times of the common calendar.

    spans : first and last time by name, as manifests tell them
    """
    told = {name: pd.to_datetime(span[0], errors="coerce") for name, span in spans.items() if span}
    return {name: time for name, time in told.items() if not pd.isna(time)}
