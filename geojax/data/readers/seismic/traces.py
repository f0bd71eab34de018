"""Where each trace of a chunk of SeisBench's files lies, and what it is: components, rate, length."""

from typing import Any

import h5py
import numpy as np
import pandas as pd

from geojax.data.findings import Finding
from geojax.data.readers.seismic.chunks import MOTION, Chunk, Place, data_format, opened, place_of, read_table
from geojax.errors import UserError

AGREE = 1e-4  # relative, as rates that SeisBench takes for the same


def traces(chunk: Chunk, units: str, found: list[Finding]) -> pd.DataFrame:
    """The metadata of a chunk with the rate, components and length of each trace; those without samples are told."""
    table = read_table(chunk.metadata)
    prefix = f"{chunk.name}/" if chunk.name else ""
    table = table.assign(trace=prefix + table["trace_name"], _file=str(chunk.waveforms))
    for again in table["trace"][table["trace"].duplicated()]:
        found.append(Finding("duplicate", str(chunk.metadata), again, 1, again, "the trace is told again"))
    with opened(chunk.waveforms) as file:
        told = data_format(file)
        _check_units(chunk, told, units, found)
        table = table.assign(_rate=_rates(chunk, table, told), _order=_orders(chunk, table, told))
        places = [place_of(name) for name in table["trace_name"]]
        shapes = _shapes(file)
        axes = str(told.get("dimension_order", "CW")).removeprefix("N")
        if axes not in ("CW", "WC", "W"):
            raise UserError(f"{chunk.waveforms}: dimension_order must be CW or WC, but is {axes!r}. Convert the file.")
        samples = []
        for trace, place, order in zip(table["trace"], places, table["_order"], strict=True):
            size = _size(place, shapes, chunk)
            if size is None:
                found.append(
                    Finding("empty", str(chunk.waveforms), trace, 1, trace, "metadata without samples are left out")
                )
            elif len(size) != len(axes) or (axes != "W" and size[axes.index("C")] != len(order)):
                raise UserError(
                    f"{chunk.waveforms}: {trace}: must have {len(order)} components {'/'.join(order)} on axes {axes}, "
                    f"but has shape {size}. Correct component_order or dimension_order."
                )
            samples.append(-1 if size is None else size[axes.index("W")])
    held: dict[str, set[int | None]] = {}
    for place in places:
        held.setdefault(place.dataset, set()).add(place.row)
    for bucket, shape in shapes.items():
        if bucket in held and len(shape) == len(axes) + 1 and (lost := shape[0] - len(held[bucket])) > 0:
            words = f"{lost} seismograms of {bucket} have no metadata"
            found.append(Finding("metadata", str(chunk.metadata), bucket, lost, bucket, words))
    table = table.assign(_place=places, _samples=samples, _axes=axes)
    return table[table["_samples"] >= 0]


def _check_units(chunk: Chunk, told: dict[str, Any], units: str, found: list[Finding]) -> None:
    unit = told.get("unit")
    if unit is None:
        found.append(Finding("metadata", str(chunk.waveforms), "all", 1, "no time", "the file tells no unit"))
    elif MOTION.get(str(unit), str(unit)) != units:
        raise UserError(
            f"{chunk.waveforms}: samples must be in {units!r}, but the file says {unit!r}. "
            "Correct `reader: variables: units`, or convert the file."
        )


def _rates(chunk: Chunk, table: pd.DataFrame, told: dict[str, Any]) -> np.ndarray:
    """Sampling rate of each trace, Hz."""
    common = float(told.get("sampling_rate") or np.nan)
    rates = np.full(len(table), np.nan)
    if "trace_sampling_rate_hz" in table:
        rates = pd.to_numeric(table["trace_sampling_rate_hz"], errors="coerce").to_numpy("float64")
    elif "trace_dt_s" in table:
        rates = 1 / pd.to_numeric(table["trace_dt_s"], errors="coerce").to_numpy("float64")
    if (np.abs(rates - common) > AGREE * common).any():
        raise UserError(
            f"{chunk.metadata}: sampling rates must be those of {chunk.waveforms.name}, {common:g} Hz, but are "
            f"{np.nanmin(rates):g} … {np.nanmax(rates):g} Hz. Correct one of the two."
        )
    rates = np.where(np.isnan(rates), common, rates)
    sound = (rates > 0) & np.isfinite(rates)
    if not sound.all():
        first = table["trace"].iloc[int((~sound).argmax())]
        raise UserError(
            f"{chunk.metadata}: each trace must have a sampling rate, but {first} has none. "
            f"Give it in a column trace_sampling_rate_hz or in /data_format of {chunk.waveforms.name}."
        )
    return rates


def _orders(chunk: Chunk, table: pd.DataFrame, told: dict[str, Any]) -> pd.Series:
    """Names of the components of each trace, in the order of its samples."""
    common = told.get("component_order")
    own = table["trace_component_order"] if "trace_component_order" in table else pd.Series("", table.index)
    orders = [tuple(order) or tuple(common or ()) for order in own]
    if not all(orders):
        raise UserError(
            f"{chunk.waveforms}: each trace must name its components, but one does not. "
            "Give component_order in /data_format, or a column trace_component_order."
        )
    return pd.Series(orders, table.index)


def _shapes(file: h5py.File) -> dict[str, tuple[int, ...]]:
    """Shape of each dataset in the group `data`; what lies in other files is passed over, as no digest covers it."""
    group = file["data"]
    own = [name for name in group if isinstance(group.get(name, getlink=True), h5py.HardLink)]
    return {name: group[name].shape for name in own if isinstance(group[name], h5py.Dataset)}


def _size(place: Place, shapes: dict[str, tuple[int, ...]], chunk: Chunk) -> tuple[int, ...] | None:
    """Shape of a trace; None where there is none."""
    shape = shapes.get(place.dataset)
    if shape is None or (place.row is not None and (not shape or place.row >= shape[0])):
        return None
    full = shape if place.row is None else shape[1:]
    if len(place.sizes) > len(full) or any(size > there for size, there in zip(place.sizes, full, strict=False)):
        raise UserError(
            f"{chunk.metadata}: {place}: must lie within {place.dataset} of {chunk.waveforms.name}, "
            f"but that has shape {shape}. The two files do not belong together: fetch both again."
        )
    return place.sizes + full[len(place.sizes) :]
