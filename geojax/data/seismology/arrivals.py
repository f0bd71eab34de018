"""Three-component records of single events with their P and S onsets, whatever reader brought them."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from scipy.signal import resample_poly

from geojax.data.seismology import regional_onsets
from geojax.errors import UserError

COMPONENTS = "NEZ"
ALIASES = {"1": "N", "2": "E"}
MARGIN_S = 0.1  # noise that is lent ends so long before the onset
SPAN = 60  # samples from the onset over which the level of a signal is measured


class Records(NamedTuple):
    """Waveforms (record, component N E Z, sample) at `rate_hz`, and of each record what is known."""

    waveforms: np.ndarray
    rate_hz: float
    onsets: np.ndarray  # (record, P and S) in samples, NaN where nobody tells one
    station: np.ndarray
    unit: np.ndarray  # what is resampled: the station of one event, or the event
    time: np.ndarray  # of the first sample
    group: np.ndarray  # what must not be split: the part; each record, where nothing tells which share an event


def records(part: xr.Dataset, rates_hz: Mapping[float, float], rate_hz: float) -> Records:
    """The records of a part, brought to the rate that `rates_hz` gives for theirs, else to `rate_hz`.

    raises UserError : a component is missing, or neither onsets nor hypocentres are told
    """
    own, rate = _as_recorded(part)
    onsets = _onsets(part, own, rate)
    wanted = rates_hz.get(rate, rate_hz)
    if "station" in part.dims:
        station = unit = part["station"].values.astype(str)
        time = part["time"].values
    else:
        station = part["station_code"].values.astype(str)
        unit = part["event" if "event" in part.coords else "trace"].values.astype(str)
        time = part["trace_start_time"].values
    alone = "station" not in part.dims and "event" not in part.coords
    group = unit if alone else np.full(len(unit), part.attrs["part"])
    return Records(resampled(own, rate, wanted), wanted, onsets * wanted / rate, station, unit, time, group)


def waveforms(part: xr.Dataset, rates_hz: Mapping[float, float], rate_hz: float) -> np.ndarray:
    """The waveforms of `records` alone, without a search for onsets."""
    own, rate = _as_recorded(part)
    return resampled(own, rate, rates_hz.get(rate, rate_hz))


def _as_recorded(part: xr.Dataset) -> tuple[np.ndarray, float]:
    """Waveforms (record, component N E Z, sample) and their rate in Hz; 0 where a sample is missing."""
    (name,) = (str(n) for n, own in part.data_vars.items() if "sample" in own.dims)
    order = [ALIASES.get(str(c), str(c)) for c in part[str(part[name].dims[1])].values]
    if absent := [c for c in COMPONENTS if c not in order]:
        raise UserError(f"part {part.attrs['part']}: records must have N, E and Z, but {absent[0]} is missing.")
    own = part[name].values[:, [order.index(c) for c in COMPONENTS]]
    return np.nan_to_num(own.astype("float32")), float(part.attrs["sampling_rate_hz"])


def resampled(waveforms: np.ndarray, rate_hz: float, wanted_hz: float) -> np.ndarray:
    """Waveforms (…, sample) at another rate, behind a linear-phase low-pass, without their means; float32."""
    values = (waveforms - waveforms.mean(-1, keepdims=True)).astype("float32")
    if rate_hz == wanted_hz:
        return values
    ratio = Fraction(wanted_hz / rate_hz).limit_denominator(1000)
    return resample_poly(values, ratio.numerator, ratio.denominator, axis=-1).astype("float32")


def _onsets(part: xr.Dataset, waveforms: np.ndarray, rate: float) -> np.ndarray:
    for names in (("p_onset", "s_onset"), ("trace_p_arrival_sample", "trace_s_arrival_sample"),
                  ("trace_P_arrival_sample", "trace_S_arrival_sample")):  # fmt: skip
        if all(name in part.variables for name in names):
            return np.stack([part[name].values.astype("float64") for name in names], 1)
    needed = ("source_latitude_deg", "source_longitude_deg", "source_depth_km", "station_latitude_deg",
              "station_longitude_deg")  # fmt: skip
    if absent := [name for name in needed if name not in part.variables]:
        raise UserError(
            f"part {part.attrs['part']}: must tell p_onset and s_onset, or hypocentres to derive them from, but lacks "
            f"{absent[0]}. Bring its reader's columns of arrivals."
        )
    columns = np.stack([part[name].values for name in needed], 1)
    expected = regional_onsets.travel_times(columns[:, :3], columns[:, 3:])
    if "source_origin_time" in part.variables:  # else the records start at the origin, which `derive` checks
        late = part["source_origin_time"].values - part["trace_start_time"].values
        expected = expected + (late / np.timedelta64(1, "s"))[:, None]
    return regional_onsets.derive(waveforms, rate, expected) * rate


def place(p: Any, s: Any, samples: int, margin: int) -> tuple[int, int]:
    """Least and most samples of a window before P, so that S is in it too where it can be."""
    after = s - p if np.isfinite(s) else samples // 3
    room = samples - margin - after
    return margin, int(room) if room > margin else samples // 4


def draw(records: pd.DataFrame, settings: Any) -> pd.DataFrame:
    """Windows of the records of one part to evaluate on: with onsets, and of noise alone where that is long enough.

    Where a neighbour of the same part can lend real noise it is added, to all but the first window; other records
    stay as they were made.
    records : rows with unit, position, p and s (samples, NaN where not told), length
    returns : columns of `records` with start, donor (position; -1 for none), donor_start, snr_db
    """
    lending = records[records["lends"]]
    rows = []
    for record in records.itertuples():
        generator = np.random.default_rng([settings.seed, *str(record.unit).encode(), *str(record.station).encode()])
        others = lending[lending["position"] != record.position] if record.lends else lending.iloc[:0]
        quiet = quiet_until(record.p, settings.samples, record.rate_hz)
        kinds = ["as recorded", *["noisy"] * (settings.evaluation_windows - 1), "noise"] if len(others) else ["alone"]
        for kind in kinds:
            low, high = place(record.p, record.s, settings.samples, settings.margin)
            start = int(record.p) - int(generator.integers(low, high + 1))
            start = int(generator.integers(0, quiet)) if kind == "noise" else start
            own = {"start": int(np.clip(start, 0, record.length - settings.samples))}
            own |= {"donor": -1, "donor_start": 0, "snr_db": np.nan, "kind": kind}
            if kind == "noisy":
                donor = others.iloc[int(generator.integers(len(others)))]
                lent = quiet_until(donor["p"], settings.samples, donor["rate_hz"])
                own |= {"donor": int(donor["position"]), "donor_start": int(generator.integers(0, lent))}
                own |= {"snr_db": generator.uniform(*settings.snr_db)}
            rows.append(record._asdict() | own)
    return pd.DataFrame(rows).drop(columns="Index")


def quiet_until(p: Any, samples: int, rate_hz: float) -> Any:
    """Last start of a window of noise before an onset at sample p."""
    return int(p) - samples - int(MARGIN_S * rate_hz)


def cut(waveforms: np.ndarray, rows: pd.DataFrame, samples: int) -> np.ndarray:
    """Windows (row, 3, sample), noise added where it is lent, at unit deviation over all components.

    waveforms : (record, 3, sample) of one part
    """
    windows = np.empty((len(rows), 3, samples), "float32")
    rows = rows.astype(dict.fromkeys(("start", "donor", "donor_start"), "int64"))  # training rows have none
    for i, row in enumerate(rows.itertuples()):
        window = _demeaned(waveforms[row.position, :, row.start : row.start + samples])
        if row.donor >= 0:
            noise = _demeaned(waveforms[row.donor, :, row.donor_start : row.donor_start + samples])
            onset = min(int(row.p) - row.start, samples - SPAN)
            level = window[:, onset : onset + SPAN].std()
            window = window + noise * (level / max(noise.std(), 1e-12) * 10 ** (-row.snr_db / 20))
        windows[i] = window / max(window.std(), 1e-12)
    return windows


def _demeaned(window: np.ndarray) -> np.ndarray:
    return window - window.mean(1, keepdims=True)
