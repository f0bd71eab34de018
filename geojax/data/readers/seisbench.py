"""Labelled seismograms in SeisBench's format: metadata{chunk}.csv and waveforms{chunk}.hdf5.

source : Woollam et al. (2022), doi:10.1785/0220210324
"""

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from geojax.data.findings import Finding, by_file, record
from geojax.data.quality import FLAT, inspect
from geojax.data.readers import cf_attributes
from geojax.data.readers.seismic.chunks import column, opened, pairs
from geojax.data.readers.seismic.traces import AGREE, traces
from geojax.data.segments import exact
from geojax.errors import UserError

COLUMNS = ("trace_*", "source_*", "station_*", "path_*", "split")


def read(
    files: Mapping[str, Path],
    selection: Mapping[str, Any],
    variables: Mapping[str, Mapping[str, Any]],
    *,
    columns: Sequence[str] = COLUMNS,
    flat: int = FLAT,
) -> xr.Dataset:
    """Read one variable (trace, channel, sample): float32 if that holds every sample exactly, else float64.

    files : pairs of metadata and waveforms; a file `chunks` may list them
    columns : metadata that become coordinates (trace,), with wildcards: times, numbers (units by suffix), else text
    flat : equal samples in a row from which on a channel counts as dead
    returns : NaN after a trace's own end, which `samples` (trace,) tells, and for components that it lacks; what was
        found in attrs["quality"], one finding for each kind and file
    raises UserError : a file cannot be read to its end, contradicts its counterpart or the declared units, traces
        differ in sampling rate, or none belongs to the part
    """
    if len(variables) != 1:
        raise UserError(f"reader: variables: `seisbench` reads one variable, but {len(variables)} are named.")
    if strange := sorted(set(selection) - {"stations"}):
        raise UserError(
            f"parts: by: {strange[0]}: `seisbench` cannot be cut so; take a file or stations for each part."
        )
    ((name, wanted),) = variables.items()
    found: list[Finding] = []
    tables = []
    for chunk in pairs(files):
        table = traces(chunk, wanted["units"], found)
        if (stations := selection.get("stations")) is not None:
            if "station_code" not in table:
                raise UserError(
                    f"{chunk.metadata}: must have a column station_code to be cut by station, but has none."
                )
            table = table[table["station_code"].isin(stations)]
        tables.append(table)
    rows = pd.concat(tables, ignore_index=True).fillna("")
    shown = ", ".join(str(path) for path in list(files.values())[:3])
    if rows.empty:
        raise UserError(f"{shown}: must hold traces of the part, but holds none of them. Correct `parts`.")
    rates = {float(rate): trace for rate, trace in zip(rows["_rate"], rows["trace"], strict=True)}
    if max(rates) - min(rates) > AGREE * max(rates):
        told = ", ".join(f"{trace} {rate:g} Hz" for rate, trace in sorted(rates.items())[:5])
        raise UserError(f"{shown}: traces of one part must share their sampling rate, but come as {told}. Split them.")
    names = list(dict.fromkeys(component for order in rows["_order"] for component in order))
    values = _values(rows, names, flat, found)
    if (limits := wanted.get("valid_range")) and (outside := int(((values < limits[0]) | (values > limits[1])).sum())):
        raise UserError(f"{shown}: `{name}` must lie in {limits[0]} … {limits[1]}, but {outside} samples do not.")
    rows = rows.drop(columns="trace_name")  # it is the coordinate trace
    own = [c for c in rows if any(fnmatchcase(str(c), pattern) for pattern in columns) and str(c)[0] != "_"]
    coords: dict[str, Any] = {str(c): column(rows, str(c), shown) for c in own}
    return xr.Dataset(
        {name: (("trace", "channel", "sample"), values, cf_attributes(wanted))},
        coords=coords
        | {
            "trace": ("trace", rows["trace"].to_numpy(str), {"long_name": "chunk/trace_name of SeisBench"}),
            "channel": names,
            "sample": ("sample", np.arange(values.shape[2], dtype="int32"), {"units": "1"}),
            "samples": (
                "trace",
                rows["_samples"].to_numpy("int32"),
                {"units": "1", "long_name": "length of the trace"},
            ),
        },
        attrs={"sampling_rate_hz": max(rates), "quality": record(by_file(found))},
    )


def _values(rows: pd.DataFrame, names: list[str], flat: int, found: list[Finding]) -> np.ndarray:
    """Samples (trace, channel, sample), NaN where a trace has none; one bucket is in memory at a time."""
    values = np.full((len(rows), len(names), max(rows["_samples"])), np.nan, "float32")
    for row, samples in _samples(rows):
        for kind in ("float32", "float64"):
            if exact(samples, kind):
                break
        else:
            raise UserError(
                f"{rows['_file'][row]}: {rows['trace'][row]}: samples must be exact in float64, but are not."
            )
        if kind == "float64" and values.dtype != kind:
            values = values.astype(kind)
        order, trace, file = rows["_order"][row], rows["trace"][row], rows["_file"][row]
        if lacking := [component for component in names if component not in order]:
            found.append(Finding("gap", file, trace, 1, trace, f"component {', '.join(lacking)} is missing"))
        for component, own in zip(order, samples, strict=True):
            values[row, names.index(component), : len(own)] = own
            if holes := int(np.isnan(own).sum()):
                found.append(Finding("not_finite", file, trace, holes, trace, f"{holes} samples are no numbers"))
            known = own.astype(values.dtype)
            found += [
                Finding(kind, file, trace, count, f"{trace} sample {first}", f"{component}: {words}")
                for kind, count, first, words in inspect(known, flat)
            ]
    return values


def _samples(rows: pd.DataFrame) -> Iterator[tuple[int, np.ndarray]]:
    """Each row with its samples (channel, sample), as the file holds them."""
    for path, own in rows.groupby("_file", sort=False):
        with opened(Path(str(path))) as file:
            buckets = own["_place"].map(lambda place: place.dataset)
            for dataset, members in own.groupby(buckets, sort=False):
                content = file["data"][dataset][()]
                if content.dtype.kind not in "iuf":
                    raise UserError(f"{path}: {dataset}: samples must be numbers, but are {content.dtype}.")
                for row, place, axes in zip(members.index, members["_place"], members["_axes"], strict=True):
                    samples = content if place.row is None else content[place.row]
                    samples = samples[tuple(slice(size) for size in place.sizes)]
                    yield row, samples.T if axes == "WC" else np.atleast_2d(samples)
