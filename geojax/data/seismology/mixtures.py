"""Signals with real noise of another station added at known ratios, so that what lies under the noise is known.

The ratio is that of the sums of squares of signal and noise over the whole window and all three components.
"""

from typing import Any

import numpy as np
import pandas as pd
from scipy.signal import resample_poly

from geojax.errors import UserError

MARGIN_S = 0.2  # noise that is lent ends so long before the onset


def quiet_until(p: Any, samples: int, rate_hz: float) -> Any:
    """Last start of a window of noise before onsets at samples p."""
    return p - samples - int(MARGIN_S * rate_hz)


def draw(stations: pd.DataFrame, levels: tuple[float, ...], repeats: int, seed: int, settings: Any) -> pd.DataFrame:
    """`repeats` mixtures at each level of noise for each station of one block.

    stations : rows with station, position, p (onset, sample of the thinned record) and length (samples of it)
    levels : ratios of signal to noise in dB
    settings : samples of a window; lead, least and most samples before the onset; thinned_hz
    returns : columns of `stations` with start, onset (sample in the window), donor (position of the station that
        lends its noise), donor_start, snr_db
    raises UserError : a station is alone in its block, or its record leaves no room for noise or for a window
    """
    for station in stations.itertuples():
        check_room(station, len(stations), settings)
    rows = []
    for station in stations.itertuples():
        # Seeded by what the station is, not by its place in a list.
        generator = np.random.default_rng([seed, *str(station.station).encode(), station.p])
        others = stations[stations["position"] != station.position]
        for level in levels:
            for _ in range(repeats):
                onset = int(generator.integers(settings.lead[0], settings.lead[1] + 1))
                donor = others.iloc[int(generator.integers(len(others)))]
                quiet = quiet_until(donor["p"], settings.samples, settings.thinned_hz)
                own = {"start": station.p - onset, "onset": onset, "snr_db": float(level)}
                own |= {"donor": donor["position"], "donor_start": int(generator.integers(0, quiet))}
                rows.append(station._asdict() | own)
    return pd.DataFrame(rows).drop(columns="Index")


def check_room(station: Any, count: int, settings: Any) -> None:
    """Whether a station can lend and be lent to.

    raises UserError : it cannot
    """
    if count < 2:
        raise UserError(
            f"station {station.station}: must share its block with another station that lends it noise, but is alone. "
            "Join its block with a neighbour in `parts: blocks`."
        )
    last = station.p - settings.lead[0] + settings.samples
    if quiet_until(station.p, settings.samples, settings.thinned_hz) <= 0 or last > station.length:
        raise UserError(
            f"station {station.station}: a window of {settings.samples} samples of noise must fit before its onset, "
            f"and one that holds the onset after it, but P is at sample {station.p} of {station.length} at "
            f"{settings.thinned_hz:g} Hz. Bring longer records, or make `examples: samples` smaller."
        )


def thin(records: np.ndarray, factor: int) -> np.ndarray:
    """Records (…, sample) at a rate `factor` times lower, behind a linear-phase low-pass; float32."""
    if factor == 1:
        return records.astype("float32")
    level = records.mean(-1, keepdims=True)  # an offset would ring at both ends
    return resample_poly((records - level).astype("float32"), 1, factor, axis=-1).astype("float32")


def mix(records: np.ndarray, rows: pd.DataFrame, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Noisy windows (row, 3, sample) and the signals in them, divided by the deviation of the noisy ones.

    records : (station, 3, sample) of one block
    rows : as from `draw`
    """
    noisy, clean = np.empty((2, len(rows), 3, samples), "float32")
    for i, row in enumerate(rows.itertuples()):
        signal = _demeaned(records[row.position, :, row.start : row.start + samples])
        noise = _demeaned(records[row.donor, :, row.donor_start : row.donor_start + samples])
        noisy[i] = signal + noise * (signal.std() / noise.std() * 10 ** (-row.snr_db / 20))
        clean[i] = signal
    scale = noisy.std((1, 2), keepdims=True)
    return noisy / scale, clean / scale


def _demeaned(window: np.ndarray) -> np.ndarray:
    return window - window.mean(1, keepdims=True)
