"""Classical denoising of three-component windows that begin with noise alone.

Examples hold `noisy` and `clean` (example, component, sample). Settings are those with the highest mean ratio of
signal to error over the validation examples, in dB, as the model's loss has it: grids are searched one setting after
the other, round after round, until nothing gets better.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from scipy.ndimage import uniform_filter1d
from scipy.signal import butter, sosfiltfilt
from threadpoolctl import threadpool_limits

from geojax.data.stft import STFT
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

    grid: ClassVar[Grid]
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

    grid: ClassVar[Grid] = {
        "low_hz": (2.0, 0.5, 1.0, 3.0, 4.0, 5.0, 6.0, 8.0),
        "high_hz": (30.0, 10.0, 15.0, 20.0, 25.0, 40.0, 50.0),
        "order": (2, 1, 4),
    }

    def __init__(self, rate_hz: float) -> None:
        self.rate_hz = rate_hz

    def denoise(self, noisy: np.ndarray, **settings: Any) -> np.ndarray:
        band = settings["low_hz"], settings["high_hz"]
        sections = butter(settings["order"], band, "bandpass", fs=self.rate_hz, output="sos")
        return sosfiltfilt(sections, noisy, axis=-1).astype("float32")


class _Masking(_Tuned):
    """A gain between 0 and 1 for each cell of the short-time spectrum, from the noise before the event."""

    def __init__(self, quiet: int) -> None:
        self.quiet = quiet

    def denoise(self, noisy: np.ndarray, **settings: Any) -> np.ndarray:
        stft = STFT(settings["frame"], settings["frame"] // 4)
        spectra = stft.forward(noisy)
        power = (spectra**2).sum(-2)
        gain = self.gain(power, power[..., stft.inside(0, self.quiet), :], settings)
        return stft.inverse(spectra * gain[..., None, :].astype("float32"), noisy.shape[-1])

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

    grid: ClassVar[Grid] = {
        "frame": (64, 32, 128),
        "over": (2.0, 0.5, 1.0, 1.5, 3.0, 4.0, 6.0),
        "frames": (3, 1, 5, 9, 15, 25),
        "bins": (3, 1, 5, 7),
        "pooled": (0.5, 0.0, 0.25, 0.75, 1.0),
        "exponent": (1.0, 0.5, 1.5, 2.0, 3.0),
        "noise_bins": (3, 1, 5, 9),
    }

    def gain(self, power: np.ndarray, before: np.ndarray, settings: Chosen) -> np.ndarray:
        noise = uniform_filter1d(before.mean(-2, keepdims=True), settings["noise_bins"], axis=-1, mode="nearest")
        ratio = power / (noise + 1e-12)
        for axis, size in ((-2, settings["frames"]), (-1, settings["bins"])):
            ratio = uniform_filter1d(ratio, size, axis=axis, mode="nearest") if size > 1 else ratio
        ratio = (1 - settings["pooled"]) * ratio + settings["pooled"] * ratio.mean(1, keepdims=True)
        return np.maximum(1 - settings["over"] / np.maximum(ratio, 1e-12), 0) ** settings["exponent"]


class Thresholding(_Masking):
    """Thresholds in time and frequency, as many deviations as `level` of each frequency's noise before the event.

    soft : amplitudes are made smaller by the threshold; hard : those above it stay; garrote : in between
    source : Donoho (1995), doi:10.1109/18.382009; Gao (1998), doi:10.1080/10618600.1998.10474789
    """

    grid: ClassVar[Grid] = {
        "kind": ("garrote", "soft", "hard"),
        "level": (2.0, 0.5, 1.0, 1.5, 2.5, 3.0, 4.0, 5.0),
        "frame": (64, 32, 128),
    }

    def gain(self, power: np.ndarray, before: np.ndarray, settings: Chosen) -> np.ndarray:
        # The median of a Rayleigh amplitude, squared, is 2 ln 2 times its deviation's square.
        deviation = np.sqrt(np.median(before, -2, keepdims=True) / (2 * np.log(2)))
        ratio = settings["level"] * deviation / np.sqrt(power + 1e-12)
        if settings["kind"] == "hard":
            return ratio < 1
        return np.maximum(1 - (ratio if settings["kind"] == "soft" else ratio**2), 0)


class SingularSpectrum:
    """Band-pass, then the leading `rank` principal components of all delays up to `delays` of the three components.

    Multichannel singular spectrum analysis; the band is tuned first, rank and delays after it.
    source : Broomhead & King (1986), doi:10.1016/0167-2789(86)90031-X; rank reduction of Hankel matrices in seismic
        processing: Oropeza & Sacchi (2011), doi:10.1190/1.3552706
    """

    delays: int  # both chosen by `fit`
    rank: int

    def __init__(
        self, rate_hz: float, delays: Sequence[int] = (16, 32, 64), ranks: Sequence[int] = (1, 2, 4, 6, 8, 12, 16, 24)
    ) -> None:
        self.band, self.candidates, self.ranks = BandPass(rate_hz), delays, ranks

    def fit(self, train: Examples, validation: Examples) -> Chosen:
        chosen = self.band.fit(train, validation)
        filtered, clean = self.band.predict(validation), validation.rows["clean"]
        ratios = np.array([np.mean(self._ratios(filtered, clean, delays), 0) for delays in self.candidates])
        i, j = divmod(int(ratios.argmax()), len(self.ranks))
        self.delays, self.rank = self.candidates[i], self.ranks[j]
        found = {"delays": self.delays, "rank": self.rank, "validation_snr_db": float(ratios.max())}
        return {key: chosen[key] for key in BandPass.grid} | found

    def predict(self, examples: Examples) -> np.ndarray:
        with threadpool_limits(1):  # matrices this small lose to threads
            pieces = [reduced(x, self.delays, [self.rank])[0] for x in self.band.predict(examples)]
        return np.stack(pieces).astype("float32")

    def _ratios(self, filtered: np.ndarray, clean: np.ndarray, delays: int) -> list[np.ndarray]:
        with threadpool_limits(1):
            return [snr_db(c, reduced(x, delays, self.ranks)) for x, c in zip(filtered, clean, strict=True)]


def reduced(window: np.ndarray, delays: int, ranks: Sequence[int]) -> np.ndarray:
    """A window (component, sample) from its leading principal components of delays: (rank, component, sample).

    ranks : ascending
    """
    count, samples = window.shape
    columns = samples - delays + 1
    views = np.lib.stride_tricks.sliding_window_view(window, columns, axis=1)  # (component, delay, column)
    delayed = views.reshape(count * delays, columns)
    vectors = np.linalg.eigh(delayed @ delayed.T)[1][:, ::-1]
    total, found = np.zeros((count, samples)), []
    for first, last in zip([0, *ranks[:-1]], ranks, strict=True):
        own = vectors[:, first:last]
        part = (own @ (own.T @ delayed)).reshape(count, delays, columns)
        for delay in range(delays):
            total[:, delay : delay + columns] += part[:, delay]
        found.append(total.copy())
    times = np.minimum(np.minimum(np.arange(samples) + 1, samples - np.arange(samples)), min(delays, columns))
    return np.stack(found) / times


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
