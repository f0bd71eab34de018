"""Features of three-component windows for a classical phase classifier.

STA/LTA: Allen (1978), BSSA 68(5), 1521-1532. Polarization: Jurkevics (1988), BSSA 78(5), 1725-1743, from the
eigenvalues of the covariance of the three components.
"""

import numpy as np
from obspy.signal.filter import bandpass
from obspy.signal.trigger import classic_sta_lta

BANDS_HZ = ((2, 5), (5, 10), (10, 20), (20, 40), (40, 80))
SIGNAL_BAND_HZ = (5.0, 25.0)  # where a local event exceeds the noise
TRIGGERS_S = ((0.1, 0.8), (0.05, 0.3))  # short and long averages
SEGMENTS = 8
TINY = 1e-9


def phase_features(windows: np.ndarray, rate: float) -> np.ndarray:
    """Features (window, feature), float32, of windows (window, component N E Z, sample) at `rate` in Hz."""
    windows = windows - windows.mean(-1, keepdims=True)
    filtered = bandpass(windows, *SIGNAL_BAND_HZ, rate, corners=2)
    count, _, samples = filtered.shape
    horizontal = np.hypot(filtered[:, 0], filtered[:, 1])
    triggers = [sta_lta(traces, rate, *pair) for traces in (filtered[:, 2], horizontal) for pair in TRIGGERS_S]
    segments = filtered[..., : samples // SEGMENTS * SEGMENTS].reshape(count, 3, SEGMENTS, -1)
    polar = [polarization(filtered)] + [polarization(segments[:, :, k]) for k in range(SEGMENTS)]
    parts = [*triggers, *polar, spectrum(windows, rate), envelope(segments), kurtosis(filtered)]
    return np.concatenate(parts, axis=1).astype("float32")


def sta_lta(traces: np.ndarray, rate: float, sta_s: float, lta_s: float) -> np.ndarray:
    """Maximum of STA/LTA and its place as a share of the window: (window, 2)."""
    ratios = np.stack([classic_sta_lta(t, int(sta_s * rate), int(lta_s * rate)) for t in traces])
    return np.stack([ratios.max(1), ratios.argmax(1) / ratios.shape[1]], 1)


def polarization(windows: np.ndarray) -> np.ndarray:
    """Rectilinearity, planarity, |cos incidence| and vertical share of the energy: (window, 4)."""
    centred = windows - windows.mean(-1, keepdims=True)
    covariance = centred @ centred.swapaxes(1, 2) / (windows.shape[-1] - 1)
    values, vectors = np.linalg.eigh(covariance)
    small, middle, large = np.maximum(values, TINY).T
    vertical = covariance[:, 2, 2] / (np.trace(covariance, axis1=1, axis2=2) + TINY)
    shape = [1 - (small + middle) / (2 * large), 1 - 2 * small / (large + middle)]
    return np.stack([*shape, abs(vectors[:, 2, -1]), vertical], 1)


def spectrum(windows: np.ndarray, rate: float) -> np.ndarray:
    """Centroid and spread in Hz and log share of each band, for each component: (window, 21)."""
    power = np.abs(np.fft.rfft(windows * np.hanning(windows.shape[-1]))) ** 2
    frequency = np.fft.rfftfreq(windows.shape[-1], 1 / rate)
    share = power / (power.sum(-1, keepdims=True) + TINY)
    centroid = share @ frequency
    spread = np.sqrt(np.maximum(share @ frequency**2 - centroid**2, 0))
    bands = [share[..., (frequency >= low) & (frequency < high)].sum(-1) for low, high in BANDS_HZ]
    return np.concatenate([centroid, spread, *(np.log(band + 1e-6) for band in bands)], 1)


def envelope(segments: np.ndarray) -> np.ndarray:
    """Log energy of each segment relative to the window's, and where and how wide the energy lies.

    segments : (window, 3, segment, sample)
    """
    energy = (segments**2).mean(-1)
    relative = np.log(energy / (energy.mean((1, 2), keepdims=True) + TINY) + 1e-6)
    total = energy.sum(1)
    share = total / (total.sum(1, keepdims=True) + TINY)
    place = np.arange(share.shape[1])
    centre = share @ place
    width = np.sqrt((share * (place - centre[:, None]) ** 2).sum(1))
    return np.concatenate([relative.reshape(len(share), -1), np.stack([centre, width, share.max(1)], 1)], 1)


def kurtosis(windows: np.ndarray) -> np.ndarray:
    """Excess kurtosis of each component: an onset is heavy-tailed, noise is not."""
    return (windows**4).mean(-1) / ((windows**2).mean(-1) ** 2 + TINY) - 3
