"""Windows of three-component records around P and S onsets, with real noise of a neighbour added.

A local event recorded close by is far above the noise, so windows as they are would be told apart at a glance.
Noise recorded before the event by another station of the same block is added at a drawn signal-to-noise ratio;
every block stands by itself.
"""

import hashlib
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from geojax.data import likeness
from geojax.errors import UserError

CLASSES = ("noise", "P", "S", "coda")  # named by the first onset inside; coda starts after S
SPAN_S = 0.6  # the signal's level is measured over this, from the first onset; shorter than the least S - P
MARGIN_S = 0.1  # between an onset and the border of a class
CODA_S = 8.0  # coda windows start within this after S
LENDERS = 32  # stations of its block that may lend a station noise while training


def stations(part: xr.Dataset) -> pd.DataFrame:
    """One row for each station of a part, with its P onset and what the audit looks at."""
    waveforms, rate = part["waveform"].values, part.attrs["sampling_rate_hz"]
    return pd.DataFrame(
        {
            "position": np.arange(part.sizes["station"]),
            "group": part.attrs["part"],
            "time": part["time"].values,
            "end": part["time"].values + pd.Timedelta(seconds=part.sizes["sample"] / rate),
            "station": part["station"].values.astype(str),
            "content": [hashlib.sha256(w.tobytes()).hexdigest() for w in waveforms],
            "fingerprint": list(likeness.fingerprint(likeness.spectrum(waveforms), demean=False)),
            "p": part["p_onset"].values,
            "rate_hz": rate,
            "lat": part["lat"].values,
            "lon": part["lon"].values,
        }
    )


def lenders(stations: pd.DataFrame, seed: int) -> np.ndarray:
    """Places (station, LENDERS) of stations that lend each one noise: drawn from its block, never itself.

    stations : one row for each, with place (0, 1, …, in this order) and group
    raises UserError : there is only one
    """
    if len(stations) < 2:
        raise UserError("training: resident must hold the examples of two stations or more. Make it larger.")
    generator = np.random.default_rng(seed)
    found = np.empty((len(stations), LENDERS), "int32")
    for row in stations.itertuples():
        others = stations["place"][(stations["group"] == row.group) & (stations["place"] != row.place)]
        if others.empty:  # alone of its block in a pool
            others = stations["place"][stations["place"] != row.place]
        found[row.place] = generator.choice(others, LENDERS)
    return found


def start_range(label: str, p: int, s: int, samples: int, rate: float) -> tuple[int, int]:
    """Lowest and highest start of a window of a class, for onsets at samples p and s.

    P and S onsets lie equally deep in their windows, so that position tells nothing. S - P is shorter than a
    window here: a P window may also hold S, an S window holds no P onset.
    """
    margin = int(MARGIN_S * rate)
    depth = s - p - margin
    return {
        "noise": (0, p - samples - margin),
        "P": (p - depth, p - margin),
        "S": (s - depth, s - margin),
        "coda": (s + margin, s + int(CODA_S * rate)),
    }[label]


def draw(stations: pd.DataFrame, repeats: int, seed: int, settings: Any) -> pd.DataFrame:
    """`repeats` windows of each class for each station of one block.

    stations : rows with position, p and s (samples from the start of the trace) and rate_hz
    settings : samples of a window, and snr_db, lowest and highest ratio of signal to added noise
    returns : columns of `stations` with label, start, onset (sample in the window where the measured signal
        begins), donor (position of the station that lends its noise), donor_start, snr_db
    raises UserError : a station is alone in its block, or its onsets leave no room for a class
    """
    rows = []
    for station in stations.itertuples():
        _check_room(station, len(stations), settings.samples)
        # Seeded by what the station is, not by its place in a list.
        generator = np.random.default_rng([seed, *str(station.station).encode(), station.p, station.s])
        others = stations[stations["position"] != station.position]
        for label, name in enumerate(CLASSES):
            low, high = start_range(name, station.p, station.s, settings.samples, station.rate_hz)
            spread = np.linspace(low, high, repeats + 1).astype(int)
            for k in range(repeats):
                first, last = (spread[k], spread[k + 1]) if name in ("noise", "coda") else (low, high)
                if name == "noise" and last - first > settings.samples:
                    last -= settings.samples  # the noise windows of a station share no sample
                start = int(generator.integers(first, max(last, first + 1)))
                donor = others.iloc[int(generator.integers(len(others)))]
                quiet = start_range("noise", donor["p"], donor["s"], settings.samples, station.rate_hz)[1]
                rows.append(
                    station._asdict()
                    | {
                        "label": label,
                        "start": start,
                        "onset": {"P": station.p - start, "S": station.s - start}.get(name, 0),
                        "donor": donor["position"],
                        "donor_start": int(generator.integers(0, quiet)),
                        "snr_db": generator.uniform(*settings.snr_db),
                    }
                )
    return pd.DataFrame(rows).drop(columns="Index")


def _check_room(station: Any, count: int, samples: int) -> None:
    if count < 2:
        raise UserError(
            f"station {station.station}: must share its block with another station that lends it noise, but is alone. "
            "Join its block with a neighbour in `parts: blocks`."
        )
    for name, onset in zip(CLASSES, (None, station.p, station.s, None), strict=True):
        low, high = start_range(name, station.p, station.s, samples, station.rate_hz)
        inside = onset is None or onset - low + int(SPAN_S * station.rate_hz) <= samples
        if not (0 <= low < high and inside):
            raise UserError(
                f"station {station.station}: no {name} window of {samples} samples fits its onsets, P at sample "
                f"{station.p} and S at {station.s}. Change `examples: samples`, or leave the station out of `parts`."
            )


def cut(waveforms: np.ndarray, rows: pd.DataFrame, samples: int) -> np.ndarray:
    """Windows (row, 3, sample), noise added, divided by the deviation of the three components together.

    waveforms : (station, 3, sample) of one block
    rows : as from `draw`
    raises UserError : a window ends after the record
    """
    windows = np.empty((len(rows), 3, samples), "float32")
    for i, row in enumerate(rows.itertuples()):
        if row.start + samples > waveforms.shape[-1]:
            raise UserError(
                f"station {row.station}: its record of {waveforms.shape[-1]} samples ends before a window that starts "
                f"at {row.start}. Bring longer records, or leave the station out of `parts`."
            )
        signal = _demeaned(waveforms[row.position, :, row.start : row.start + samples])
        noise = _demeaned(waveforms[row.donor, :, row.donor_start : row.donor_start + samples])
        level = signal[:, row.onset : row.onset + int(SPAN_S * row.rate_hz)].std()
        windows[i] = signal + noise * (level / noise.std() * 10 ** (-row.snr_db / 20))
    return windows / windows.std((1, 2), keepdims=True)


def _demeaned(window: np.ndarray) -> np.ndarray:
    return window.astype("float32") - window.mean(1, keepdims=True)
