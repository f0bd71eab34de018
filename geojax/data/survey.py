"""What any raw data are asked on the way in, whatever reader brought them; and the verdict on all that was found."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from geojax.data import fills, findings, quality
from geojax.data.findings import Finding

REGULAR = 0.9  # share of steps near the median from which on a time axis counts as regular
NEAR = 0.15  # months differ by as much
LONG = 200  # samples from which on a series is searched for dead stretches and spikes


def judge(content: xr.Dataset, files: Mapping[str, Path], admit: Sequence[str]) -> dict[str, Any]:
    """What the manifest says of the quality of a part: `quality`, all findings, and `missing`, shares by variable.

    content : as its reader made it; what the reader found stands in attrs["quality"]
    raises UserError : something was found that the configuration does not admit
    """
    shown = ", ".join(str(path) for path in list(files.values())[:3])
    own = [Finding(**finding) for finding in content.attrs.get("quality", [])]
    told = {(finding.kind, finding.trace) for finding in own}  # a reader that looked itself is not counted twice
    further = [finding for finding in inspect(content, shown) if (finding.kind, finding.trace) not in told]
    found = findings.together([*own, *further])
    findings.judge(found, admit)
    content.attrs["quality"] = [finding.plain() for finding in found]
    missing = {str(name): round(float(array.isnull().mean()), 6) for name, array in _numbers(content).items()}
    return {"quality": content.attrs["quality"], "missing": missing}


def inspect(content: xr.Dataset, shown: str) -> list[Finding]:
    """Faults of the time axis and of the values; waveforms, whose reader looks closer, are asked only for the infinite.

    shown : what the findings name as the file
    """
    waveforms = "sampling_rate_hz" in content.attrs
    found = [] if waveforms else _times(content, shown)
    for name, array in _numbers(content).items():
        found += _values(str(name), array, shown, waveforms)
    return found


def _numbers(content: xr.Dataset) -> dict[Any, xr.DataArray]:
    return {name: array for name, array in content.data_vars.items() if array.dtype.kind in "iuf" and array.size}


def _times(content: xr.Dataset, shown: str) -> list[Finding]:
    if "time" not in content.dims or "time" not in content.coords or content.sizes["time"] < 2:
        return []
    times = content["time"].values
    steps = np.diff(times).astype("timedelta64[ns]").astype("int64")
    if (steps <= 0).any():
        first = int(np.argmax(steps <= 0)) + 1
        words = f"{int((steps <= 0).sum())} times do not follow the time before them"
        return [Finding("unsorted", shown, "time", int((steps <= 0).sum()), str(times[first]), words)]
    usual = float(np.median(steps))
    if (np.abs(steps - usual) <= NEAR * usual).mean() < REGULAR:
        return []
    wide = steps > (1 + 2 * NEAR) * usual
    if not wide.any():
        return []
    lacking = int(np.round(steps[wide] / usual - 1).sum())
    words = f"{int(wide.sum())} gaps, in which {lacking} steps of {usual / 1e9:g} s are missing"
    return [Finding("gap", shown, "time", int(wide.sum()), str(times[int(np.argmax(wide))]), words)]


def _values(name: str, array: xr.DataArray, shown: str, waveforms: bool) -> list[Finding]:
    values = array.values
    ends = low, high = fills.extremes(values)
    if np.isnan(low):
        return [Finding("empty", shown, name, values.size, _where(array, 0), "every value is missing")]
    if np.isinf(low) or np.isinf(high):
        lost = np.isinf(values)
        words = f"{int(lost.sum())} values are infinite"
        return [Finding("infinite", shown, name, int(lost.sum()), _where(array, int(lost.argmax())), words)]
    if waveforms:
        return []
    found = [fills.finding(fill, shown, name, _where(array, fill.first)) for fill in fills.find(values, ends)]
    return found + _series(name, array, shown)


def _series(name: str, array: xr.DataArray, shown: str) -> list[Finding]:
    """Dead stretches, clipping and spikes of series in time; a field has them checked by its range."""
    if "time" not in array.dims or array.ndim > 2 or array.sizes["time"] < LONG or array.dtype.kind != "f":
        return []
    found = []
    for row in array.transpose(..., "time").values.reshape(-1, array.sizes["time"]):
        for kind, count, first, words in quality.inspect(row):
            if kind != "fill":
                found.append(Finding(kind, shown, name, count, str(array["time"].values[first]), words))
    return found


def _where(array: xr.DataArray, flat: int) -> str:
    place = np.unravel_index(flat, array.shape)
    return ", ".join(
        f"{dim} {array[dim].values[i] if dim in array.coords else int(i)}"
        for dim, i in zip(array.dims, place, strict=True)
    )
