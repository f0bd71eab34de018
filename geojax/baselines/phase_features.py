"""Features of a three-component window for a classical phase classifier.

STA/LTA: Allen (1978), BSSA 68(5), 1521-1532.  Polarization: Jurkevics (1988), BSSA 78(5),
1725-1743 (eigenvalues of the covariance of the three components).
"""

import numpy as np
from obspy.signal.filter import bandpass
from obspy.signal.trigger import classic_sta_lta

BANDS = ((2, 5), (5, 10), (10, 20), (20, 40), (40, 80))  # Hz
SIGNAL_BAND = (5.0, 25.0)  # Hz, where the event exceeds the noise
N_SEGMENTS = 8
EPSILON = 1e-9


def sta_lta(trace, rate, sta=0.1, lta=0.8):
    """Maximum of STA/LTA and where it is (fraction of the window), past the first LTA."""
    ratio = classic_sta_lta(trace, int(sta * rate), int(lta * rate))
    return ratio.max(), np.argmax(ratio) / len(trace)


def polarization(window):
    """Rectilinearity, planarity, |cos incidence| and vertical share of the energy."""
    covariance = np.cov(window)
    values, vectors = np.linalg.eigh(covariance)
    small, middle, large = np.maximum(values, EPSILON)
    return (
        1 - (small + middle) / (2 * large),
        1 - 2 * small / (large + middle),
        abs(vectors[2, -1]),
        covariance[2, 2] / (np.trace(covariance) + EPSILON),
    )


def spectrum(window, rate):
    """Per component: spectral centroid [Hz], spread [Hz] and log share of each band."""
    power = np.abs(np.fft.rfft(window * np.hanning(window.shape[1]))) ** 2
    frequency = np.fft.rfftfreq(window.shape[1], 1 / rate)
    share = power / (power.sum(1, keepdims=True) + EPSILON)
    centroid = share @ frequency
    spread = np.sqrt(np.maximum(share @ frequency**2 - centroid**2, 0))
    bands = [share[:, (frequency >= a) & (frequency < b)].sum(1) for a, b in BANDS]
    return np.concatenate([centroid, spread, np.log(np.array(bands) + 1e-6).ravel()])


def envelope(segments):
    """Log energy of each of (3, segment, sample) relative to the window's, and its shape."""
    energy = (segments**2).mean(-1)
    total = energy.sum(0)
    shares = np.log(energy / (energy.mean() + EPSILON) + 1e-6)
    share = total / (total.sum() + EPSILON)
    place = np.arange(len(share))
    centre = share @ place
    return np.concatenate([shares.ravel(), [centre, np.sqrt(share @ (place - centre) ** 2), share.max()]])


def kurtosis(window):
    """Excess kurtosis of each component: onsets are heavy-tailed, noise is not."""
    return (window**4).mean(1) / ((window**2).mean(1) ** 2 + EPSILON) - 3


def phase_features(window, rate):
    """Feature vector of a normalised window (3, sample): north, east, vertical."""
    window = window - window.mean(1, keepdims=True)
    filtered = bandpass(window, *SIGNAL_BAND, rate, corners=2)
    horizontal = np.hypot(filtered[0], filtered[1])
    triggers = [sta_lta(t, rate, *w) for t in (filtered[2], horizontal) for w in ((0.1, 0.8), (0.05, 0.3))]
    segments = filtered[:, : filtered.shape[1] // N_SEGMENTS * N_SEGMENTS].reshape(3, N_SEGMENTS, -1)
    polar = [polarization(filtered)] + [polarization(segments[:, k]) for k in range(N_SEGMENTS)]
    return np.concatenate(
        [np.ravel(triggers), np.ravel(polar), spectrum(window, rate), envelope(segments), kurtosis(filtered)]
    ).astype(np.float32)
