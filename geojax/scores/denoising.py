"""Scores of denoised seismograms against what lay under the noise.

All take windows (…, component, sample) or traces (…, sample) and give one number for each.
"""

import numpy as np
import xarray as xr

SILENCE_DB = 40.0  # a peak farther off than this counts as this far
NEAR_S = 0.1  # an onset that is no farther off counts as kept
WATER = 0.01  # share of a stretch's variance below which a picker hears nothing, 20 dB down
SEARCH_S = (1.0, 0.6)  # an onset is looked for so long before and after the true one


def snr_db(clean: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Ratio of the signal's sum of squares to that of what is left of noise, distortion included, in dB; (…,).

    The ratio that source separation calls SDR: Vincent et al. (2006), doi:10.1109/TSA.2005.858005, without the
    allowed changes of gain, as amplitude matters here.
    """
    left = ((found - clean) ** 2).sum((-2, -1), dtype="float64")
    return 10 * np.log10((clean**2).sum((-2, -1), dtype="float64") / np.maximum(left, 1e-30))


def correlation(clean: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Correlation over all components and samples, (…,); 0 where nothing but a constant was found."""
    a, b = (x - x.mean((-2, -1), keepdims=True, dtype="float64") for x in (clean, found))
    size = np.sqrt((a**2).sum((-2, -1)) * (b**2).sum((-2, -1)))
    return np.divide((a * b).sum((-2, -1)), size, out=np.zeros(size.shape), where=size > 0)


def peak_error_db(clean: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Size of the error of the largest amplitude of all components, in dB, at most SILENCE_DB; (…,)."""
    true, own = (np.abs(x).max((-2, -1)) for x in (clean, found))
    return np.minimum(np.abs(20 * np.log10(np.maximum(own, 1e-30) / true)), SILENCE_DB)


def aic_onset(traces: np.ndarray) -> np.ndarray:
    """Sample of the onset of each trace (trace, sample): the minimum of Maeda's (1985) AIC, (trace,).

    Variances are kept above WATER of the trace's. Else the criterion, a logarithm, takes for the onset what a mask
    lets through just before it, after a stretch that the mask made all but silent.
    source : doi:10.4294/zisin1948.38.3_365
    """
    x = traces - traces.mean(1, keepdims=True, dtype="float64")
    count, least = x.shape[1], WATER * x.var(1, keepdims=True) + 1e-30
    sums, squares = np.cumsum(x, 1), np.cumsum(x**2, 1)
    k = np.arange(2, count - 1)  # samples before the onset
    before = squares[:, k - 1] / k - (sums[:, k - 1] / k) ** 2
    rest = count - k
    after = (squares[:, -1:] - squares[:, k - 1]) / rest - ((sums[:, -1:] - sums[:, k - 1]) / rest) ** 2
    aic = k * np.log(np.maximum(before, least)) + (rest - 1) * np.log(np.maximum(after, least))
    return k[aic.argmin(1)]


def onset_shift(clean: np.ndarray, found: np.ndarray, onset: np.ndarray, rate_hz: float) -> np.ndarray:
    """How much later than in the clean window the vertical's onset is picked, in s; (example,).

    clean, found : (example, component N E Z, sample); onset : sample of the true one, about which a picker looks
    """
    before, after = (int(s * rate_hz) for s in SEARCH_S)
    columns = onset[:, None] + np.arange(-before, after)
    picks = [aic_onset(np.take_along_axis(x[:, 2], columns, 1)) for x in (found, clean)]
    return (picks[0] - picks[1]) / rate_hz


def sums(
    clean: np.ndarray, noisy: np.ndarray, found: np.ndarray, onset: np.ndarray, rate_hz: float,
    group: np.ndarray, level: np.ndarray,
) -> xr.Dataset:  # fmt: skip
    """Sums (group, snr_db) of what `means` makes scores of.

    group, level : (example,), the station and the ratio to the added noise in dB
    """
    shift = np.abs(onset_shift(clean, found, onset, rate_hz))
    values = {
        "gain": snr_db(clean, found) - snr_db(clean, noisy),
        "correlation": correlation(clean, found),
        "peak_error": peak_error_db(clean, found),
        "shift": shift,
        "near": shift <= NEAR_S,
        "count": np.ones(len(clean)),
    }
    groups, g = np.unique(np.asarray(group), return_inverse=True)
    levels, c = np.unique(level, return_inverse=True)
    total = {name: np.zeros((len(groups), len(levels))) for name in values}
    for name, value in values.items():
        np.add.at(total[name], (g, c), value)
    coords = {"group": groups, "snr_db": levels}
    return xr.Dataset({name: (("group", "snr_db"), own) for name, own in total.items()}, coords)


def level_name(level: float) -> str:
    """A ratio as one writes it, for instance −5 dB."""
    return f"{level:g} dB".replace("-", "\N{MINUS SIGN}")


def means(statistics: xr.Dataset) -> xr.Dataset:
    """Scores over all windows and by input SNR, from sums (…, snr_db)."""
    count = statistics["count"]
    every = statistics.sum("snr_db") / count.sum("snr_db")
    names = [level_name(level) for level in statistics["snr_db"].values]
    by = (statistics / count).rename(snr_db="SNR").assign_coords(SNR=names)
    return xr.Dataset(
        {
            "snr_gain": every["gain"],
            "snr_gain_by_SNR": by["gain"],
            "correlation": every["correlation"],
            "onset_shift_in_ms": 1000 * every["shift"],
            f"share_of_onsets_within_{1000 * NEAR_S:g}_ms": every["near"],
            "peak_amplitude_error_in_dB": every["peak_error"],
            "correlation_by_SNR": by["correlation"],
            f"share_of_onsets_within_{1000 * NEAR_S:g}_ms_by_SNR": by["near"],
        }
    )
