"""Short-time Fourier transform of whole arrays as one matrix product, for NumPy and JAX arrays alike.

Real and imaginary parts stand side by side rather than as complex numbers, so that a transform and its way back are
products of real matrices. Synthesis is the least-squares inverse of Griffin & Lim (1984),
doi:10.1109/TASSP.1984.1164317: exact for spectra that nobody changed, the nearest signal for those that a mask did.
"""

from dataclasses import dataclass
from functools import cached_property, reduce
from operator import add
from typing import Any

import numpy as np

from geojax.errors import UserError


@dataclass(frozen=True)
class STFT:
    """Frames of `frame` samples, one every `hop`, under a Hann window; zeros before and after the signal.

    Every sample lies in frame / hop frames, those at both ends included.
    raises UserError : hop does not divide frame into two or more, or frame is odd
    """

    frame: int = 64
    hop: int = 16

    def __post_init__(self) -> None:
        if self.frame % 2 or self.hop < 1 or self.frame % self.hop or self.frame == self.hop:
            raise UserError(
                f"STFT: frame must be even and twice hop, or three times, …, but frame is {self.frame} and hop "
                f"{self.hop}. Change `examples: frame` or `hop`."
            )

    @property
    def bins(self) -> int:
        """Frequencies, from 0 to half the sampling rate."""
        return self.frame // 2 + 1

    @property
    def lead(self) -> int:
        """Zeros before the first sample."""
        return self.frame - self.hop

    def frames(self, samples: int) -> int:
        """Frames of a signal of so many samples."""
        return -(-(samples + self.lead) // self.hop)

    def inside(self, first: int, last: int) -> slice:
        """The frames that see nothing but the samples from `first` to before `last`."""
        return slice(-(-(first + self.lead) // self.hop), (last - self.frame + self.lead) // self.hop + 1)

    def centres(self, samples: int) -> np.ndarray:
        """Sample in the middle of each frame."""
        return np.arange(self.frames(samples)) * self.hop - self.lead + self.frame / 2

    def frequencies(self, rate_hz: float) -> np.ndarray:
        """Frequency of each bin in Hz."""
        return np.arange(self.bins) * rate_hz / self.frame

    def forward(self, x: Any) -> Any:
        """Signals (…, sample) to spectra (…, frame, 2, bin): real and imaginary parts."""
        *before, samples = x.shape
        rows, per = self.frames(samples), self.frame // self.hop
        ends = self.lead, (rows + per - 1) * self.hop - self.lead - samples
        xp = x.__array_namespace__()
        blocks = xp.pad(x, [(0, 0)] * len(before) + [ends]).reshape(*before, rows + per - 1, self.hop)
        seen = xp.concat([blocks[..., k : k + rows, :] for k in range(per)], axis=-1)
        return (seen @ self._matrices[0]).reshape(*before, rows, 2, self.bins)

    def inverse(self, spectra: Any, samples: int) -> Any:
        """Signals (…, sample) from spectra (…, frame, 2, bin), as many samples as they came from."""
        *before, rows, _, _ = spectra.shape
        per = self.frame // self.hop
        xp = spectra.__array_namespace__()
        pieces = (spectra.reshape(*before, rows, 2 * self.bins) @ self._matrices[1]).reshape(
            *before, rows, per, self.hop
        )
        none = [(0, 0)] * len(before)
        shifted = [xp.pad(pieces[..., k, :], [*none, (k, per - 1 - k), (0, 0)]) for k in range(per)]
        return reduce(add, shifted).reshape(*before, -1)[..., self.lead : self.lead + samples]

    @cached_property
    def _matrices(self) -> tuple[np.ndarray, np.ndarray]:
        """Windowed frames to spectra (frame, 2 bin), and spectra to frames to be added (2 bin, frame)."""
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(self.frame) / self.frame)
        angle = 2 * np.pi / self.frame * np.outer(np.arange(self.frame), np.arange(self.bins))
        analysis = np.concatenate([np.cos(angle), -np.sin(angle)], 1)
        twice = np.full(self.bins, 2.0)
        twice[[0, -1]] = 1.0  # the others stand for two frequencies, above and below zero
        share = window / np.tile((window**2).reshape(-1, self.hop).sum(0), self.frame // self.hop)
        synthesis = analysis.T * np.tile(twice, 2)[:, None] / self.frame
        return (window[:, None] * analysis).astype("float32"), (synthesis * share).astype("float32")
