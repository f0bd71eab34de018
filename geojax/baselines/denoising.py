"""Classical denoising of three-component windows that begin with noise alone.

Examples hold `noisy` and `clean` (example, component, sample). Settings are those with the highest mean ratio of
signal to error over the validation examples, in dB, as the model's loss has it: grids are searched one setting after
the other, round after round, until nothing gets better.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.ndimage import uniform_filter1d
from scipy.signal import butter, sosfiltfilt
from threadpoolctl import threadpool_limits

from geojax.data.seismology.stft import STFT
from geojax.scores.denoising import snr_db
from geojax.task import Examples

Chosen = dict[str, Any]
Grid = Mapping[str, Sequence[Any]]


class AsRecorded:
    """The noisy window as it is: what the gain is counted from."""

    def fit(self, train: Examples, validation: Examples) -> Chosen:
        return {}

    def predict(self, examples: Examples) -> np.ndarray:
        return examples.rows["noisy"]


class _Tuned:
    """A method whose settings are searched over a grid, from the first of each on."""

    grid: Grid
    settings: Chosen

    def fit(self, train: Examples, validation: Examples) -> Chosen:
        noisy, clean = validation.rows["noisy"], validation.rows["clean"]
        self.settings, ratio = search(lambda found: self.denoise(noisy, **found), clean, self.grid)
        return self.settings | {"validation_snr_db": ratio}

    def predict(self, examples: Examples) -> np.ndarray:
        return self.denoise(examples.rows["noisy"], **self.settings)

    def denoise(self, noisy: np.ndarray, **settings: Any) -> np.ndarray:
        """Windows of the same shape."""
        raise NotImplementedError


class BandPass(_Tuned):
    """Butterworth band-pass, forwards and backwards, so that nothing is delayed."""

    grid: Grid = {  # noqa: RUF012 (never changed)
        "low_hz": (2.0, 0.5, 1.0, 3.0, 4.0, 5.0, 6.0, 8.0),
        "high_hz": (30.0, 10.0, 15.0, 20.0, 25.0, 40.0, 50.0),
        "order": (2, 1, 4),
    }

    def __init__(self, rate_hz: float) -> None:
        self.rate_hz = rate_hz
        fits = tuple(high for high in self.grid["high_hz"] if high < 0.49 * rate_hz)
        self.grid = {**self.grid, "high_hz": fits}

    def denoise(self, noisy: np.ndarray, **settings: Any) -> np.ndarray:
        band = settings["low_hz"], settings["high_hz"]
        sections = butter(settings["order"], band, "bandpass", fs=self.rate_hz, output="sos")
        return sosfiltfilt(sections, noisy, axis=-1).astype("float32")


class _Masking(_Tuned):
    """A gain between 0 and 1 for each cell of the short-time spectrum, from the noise before the event.

    The mean over horizontals as they are and turned by 45°, which a quarter turn more would not change: the model's
    windows are means over azimuths too.
    """

    def __init__(self, quiet: int) -> None:
        self.quiet = quiet

    def denoise(self, noisy: np.ndarray, **settings: Any) -> np.ndarray:
        stft, samples = STFT(settings["frame"], settings["frame"] // 4), noisy.shape[-1]
        spectra = stft.forward(noisy)
        turned = _turn(self._masked(stft, _turn(spectra, 1), settings), -1)
        return stft.inverse((self._masked(stft, spectra, settings) + turned) / 2, samples)

    def _masked(self, stft: STFT, spectra: np.ndarray, settings: Chosen) -> np.ndarray:
        power = (spectra**2).sum(-2)
        gain = self.gain(power, power[..., stft.inside(0, self.quiet), :], settings)
        return spectra * gain[..., None, :].astype("float32")

    def gain(self, power: np.ndarray, before: np.ndarray, settings: Chosen) -> np.ndarray:
        """From power (example, component, frame, bin) of all frames and of those before the event."""
        raise NotImplementedError


class Wiener(_Masking):
    """Wiener filter that follows the signal in time: gain 1 - over × noise / power, to an exponent.

    Noise is the mean power before the event, smoothed over `noise_bins`; power is smoothed over `frames` and `bins`
    and drawn by `pooled` towards the mean of the three components, as they hold one signal.
    source : Wiener (1949); over-subtraction of Berouti et al. (1979), doi:10.1109/ICASSP.1979.1170788; exponent of
        Lim & Oppenheim (1979), doi:10.1109/PROC.1979.11540
    """

    grid: Grid = {  # noqa: RUF012 (never changed)
        "frame": (32, 16, 24, 48, 64, 96),
        "over": (2.0, 0.5, 1.0, 1.5, 3.0, 4.0, 6.0),
        "frames": (3, 1, 5, 9, 15, 25),
        "bins": (3, 1, 5, 7),
        "pooled": (0.5, 0.0, 0.25, 0.75, 1.0),
        "exponent": (1.0, 0.5, 1.5, 2.0, 3.0),
        "noise_bins": (3, 1, 5, 9),
    }

    def gain(self, power: np.ndarray, before: np.ndarray, settings: Chosen) -> np.ndarray:
        ratio = power / _noise(before, settings["noise_bins"])
        for axis, size in ((-2, settings["frames"]), (-1, settings["bins"])):
            ratio = uniform_filter1d(ratio, size, axis=axis, mode="nearest") if size > 1 else ratio
        ratio = (1 - settings["pooled"]) * ratio + settings["pooled"] * ratio.mean(1, keepdims=True)
        return np.maximum(1 - settings["over"] / np.maximum(ratio, 1e-12), 0) ** settings["exponent"]


class Thresholding(_Masking):
    """Thresholds in time and frequency, as many deviations as `level` of each frequency's noise before the event.

    soft : amplitudes are made smaller by the threshold; hard : those above it stay; garrote : in between
    source : Donoho (1995), doi:10.1109/18.382009; Gao (1998), doi:10.1080/10618600.1998.10474789
    """

    grid: Grid = {  # noqa: RUF012 (never changed)
        "kind": ("garrote", "soft", "hard"),
        "level": (2.0, 0.5, 1.0, 1.5, 2.5, 3.0, 4.0, 5.0),
        "frame": (32, 16, 24, 48, 64, 96),
    }

    def gain(self, power: np.ndarray, before: np.ndarray, settings: Chosen) -> np.ndarray:
        # The median of a Rayleigh amplitude, squared, is 2 ln 2 times its deviation's square.
        deviation = np.sqrt(np.median(before, -2, keepdims=True) / (2 * np.log(2)))
        ratio = settings["level"] * deviation / np.sqrt(power + 1e-12)
        if settings["kind"] == "hard":
            return ratio < 1
        return np.maximum(1 - (ratio if settings["kind"] == "soft" else ratio**2), 0)


class LowRank(_Masking):
    """The Wiener gain of a spectrogram of low rank: the leading `rank` singular vectors of each window.

    Amplitudes over the noise's, less the one that noise alone would show, of the three components one below the other
    (component and frame, bin), are cut to their leading principal components; what those leave out is taken for noise.
    source : Eckart & Young (1936), doi:10.1007/BF02288367; rank reduction in the frequency domain against noise in
        seismic sections: Trickett (2003), doi:10.1190/1.1817453
    """

    grid: Grid = {  # noqa: RUF012 (never changed)
        "frame": (32, 16, 24, 48, 64, 96),
        "rank": (2, 1, 3, 4, 6, 8, 12),
        "over": (2.0, 0.5, 1.0, 1.5, 3.0, 4.0, 6.0),
        "exponent": (1.0, 0.5, 1.5, 2.0, 3.0),
        "noise_bins": (3, 1, 5, 9),
    }

    def gain(self, power: np.ndarray, before: np.ndarray, settings: Chosen) -> np.ndarray:
        noise = _noise(before, settings["noise_bins"])
        amplitude = np.sqrt(power / noise) - np.sqrt(np.pi) / 2  # the mean of a Rayleigh amplitude of unit power
        rows = amplitude.reshape(len(power), -1, power.shape[-1])
        with threadpool_limits(1):  # matrices this small lose to threads
            vectors = np.linalg.eigh(rows.swapaxes(1, 2) @ rows)[1][..., -settings["rank"] :]
        kept = np.maximum(rows @ vectors @ vectors.swapaxes(1, 2), 0).reshape(power.shape) + np.sqrt(np.pi) / 2
        return np.maximum(1 - settings["over"] / kept**2, 0) ** settings["exponent"]


def _turn(spectra: np.ndarray, sense: int) -> np.ndarray:
    """Spectra (example, component N E Z, …) with the horizontals turned by 45°, one way or back."""
    north, east, vertical = spectra.swapaxes(0, 1)
    half = np.float32(np.sqrt(0.5))
    return np.stack([half * (north - sense * east), half * (sense * north + east), vertical], 1)


def _noise(before: np.ndarray, bins: int) -> np.ndarray:
    """Mean power (example, component, 1, bin) before the event, smoothed over bins."""
    return uniform_filter1d(before.mean(-2, keepdims=True), bins, axis=-1, mode="nearest") + 1e-12


def search(
    denoise: Callable[[Chosen], np.ndarray], clean: np.ndarray, grid: Grid, rounds: int = 4
) -> tuple[Chosen, float]:
    """Settings with the highest mean ratio of signal to error, and that ratio in dB."""

    def ratio(settings: Chosen) -> float:
        key = tuple(settings.values())
        if key not in known:
            known[key] = float(snr_db(clean, denoise(settings)).mean())
        return known[key]

    known: dict[tuple[Any, ...], float] = {}
    best = {name: values[0] for name, values in grid.items()}
    for _ in range(rounds):
        before = best
        for name, values in grid.items():
            best = max(({**best, name: value} for value in values), key=ratio)
        if best == before:
            break
    return best, ratio(best)
