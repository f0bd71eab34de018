"""Continuous records denoised window by window: same ids, times, rate and units, gaps where gaps were."""

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from io import BytesIO
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import obspy
from scipy.signal import resample_poly

from geojax import store
from geojax.data.seismology import overlaps, streams
from geojax.data.seismology.streams import Stretch
from geojax.errors import UserError
from geojax.log import logger
from geojax.task import Examples

BLOCK = 128  # windows that are looked at together
NEAR_S = 60.0  # noise is looked for so far before and after a window
QUIETER = 0.25  # share of the stretches of noise there that hold less power than the one that is taken
Predict = Callable[[Examples], np.ndarray]
Draw = Callable[[Stretch, np.ndarray, Path], None]


def denoise(predict: Predict, draw: Draw, files: Sequence[Path], output: Path, settings: Any) -> list[Path]:
    """Write a file of miniSEED, float32, and a picture for each instrument.

    predict : windows (window, 3, sample) that begin with noise alone, of unit deviation, to the signal in them
    draw : a stretch, what was found of it (component, sample), where a PNG is to be written
    files : waveforms, or folders of which everything that ObsPy reads as waveforms is taken
    settings : samples of a window, thinned_hz, quiet, samples of noise that it begins with, and frame, of its transform
    raises UserError : nothing can be denoised: components lack, stretches are too short, or the rate is too low

    What of the records is not denoised is left out, and told in the log.
    """
    written = []
    every = (stretch for stretch in streams.stretches(streams.load(files)) if _is_taken(stretch, settings))
    for name, stretches in groupby(every, key=lambda stretch: stretch.name):
        traces, shown = [], (0.0, None, np.empty(0))
        for stretch in stretches:
            found = of_stretch(predict, stretch, settings)
            for values, header in zip(found, stretch.headers, strict=True):
                traces.append(obspy.Trace(values.astype("float32"), _plain(header)))
            fastest = float(np.abs(np.diff(found)).max())
            if fastest >= shown[0]:
                shown = fastest, stretch, found
        content = BytesIO()
        obspy.Stream(traces).write(content, format="MSEED", encoding="FLOAT32")
        paths = [output / f"{name}.mseed", output / f"{name}.png"]
        store.write_bytes(content.getvalue(), paths[0])
        assert shown[1] is not None
        draw(shown[1], shown[2], paths[1])
        logger.info("%s: %d stretches without a gap", name, len(traces) // 3)
        written += paths
    if not written:
        raise UserError(
            f"{', '.join(map(str, files[:3]))}: must hold N, E and Z of one instrument at the same time, at least "
            f"{settings.samples / settings.thinned_hz:.1f} s long, at {settings.thinned_hz:.4g} samples per second "
            "or more, but do not; the log tells each record. Bring others."
        )
    return written


def of_stretch(predict: Predict, stretch: Stretch, settings: Any) -> np.ndarray:
    """Denoised ground motion (3, sample) of a stretch, at its own rate, float64, in its own units.

    What is faster than half the rate of the windows is not in it; an offset, and what is slower than a window, is as
    it came, as training windows told nothing of it.
    """
    level = stretch.samples.mean(1, keepdims=True)
    ratio = Fraction(settings.thinned_hz / stretch.rate_hz).limit_denominator(1000)
    slow = _resampled(stretch.samples - level, ratio)
    found = windowed(predict, slow, settings.samples, settings.quiet, settings.frame, settings.thinned_hz)
    return level + _resampled(found, 1 / ratio)[:, : stretch.samples.shape[1]]


def windowed(predict: Predict, record: np.ndarray, samples: int, quiet: int, frame: int, rate_hz: float) -> np.ndarray:
    """Denoised record (3, sample), from windows that overlap.

    Nobody knows where in a record a window may begin with noise alone. So each is given noise to begin with, from
    near by, which turns into the record over the `frame` samples before those that are asked of the window. What a
    model says of a sample depends on where in a window it lies; so the record is mirrored at its ends, where else
    samples would lie at the beginning or end of windows alone.
    """
    lead = quiet + frame
    asked = samples - lead
    margin = asked // 2
    padded = np.concatenate([record[:, margin + frame : 0 : -1], record, record[:, -2 : -margin - 2 : -1]], 1)
    starts = overlaps.starts(record.shape[1] + 2 * margin, asked, asked // 2)
    noise = quietest(record, lead, starts - margin, int(NEAR_S * rate_hz))
    rise = np.sqrt(np.linspace(0, 1, frame + 2)[1:-1])  # powers, of what is not alike, add up to one

    def window(start: int, lent: int) -> np.ndarray:
        own, before = padded[:, start : start + frame + asked].copy(), record[:, lent : lent + lead]
        level = own.mean(1, keepdims=True)
        before = before - before.mean(1, keepdims=True) + level
        own[:, :frame] = level + rise * (own[:, :frame] - level) + rise[::-1] * (before[:, quiet:] - level)
        return np.concatenate([before[:, :quiet], own], 1)

    def pieces() -> Iterator[tuple[int, np.ndarray]]:
        for first in range(0, len(starts), BLOCK):
            own, lent = starts[first : first + BLOCK], noise[first : first + BLOCK]
            every = np.stack([window(start, at) for start, at in zip(own, lent, strict=True)])
            level = every.mean(2, keepdims=True)
            size = (every - level).std((1, 2), keepdims=True)
            size = np.where(size > 0, size, 1.0)
            found = predict(Examples({"noisy": ((every - level) / size).astype("float32")}))
            yield from zip(own, (found * size + level)[..., lead:], strict=True)

    whole = overlaps.joined(pieces(), overlaps.triangle(asked), record.shape[1] + 2 * margin)
    return whole[:, margin : margin + record.shape[1]]


def quietest(record: np.ndarray, length: int, starts: np.ndarray, reach: int) -> np.ndarray:
    """Where the noise begins that a window is given, (window,): a stretch of `length` within `reach` of its start.

    Not the quietest, which would tell of less noise than there is, but one that a quarter of those near by undercut.
    """
    place = np.arange(0, record.shape[1] - length + 1, max(length // 2, 1))
    power = np.array([record[:, at : at + length].var(1).sum() for at in place])
    first, last = np.searchsorted(place, starts - reach), np.searchsorted(place, starts + reach, side="right")
    taken = []
    for low, high in zip(np.minimum(first, len(place) - 1), np.maximum(last, 1), strict=True):
        order = np.argsort(power[low:high], kind="stable")
        taken.append(place[low + order[int(QUIETER * (len(order) - 1))]])
    return np.array(taken)


def _is_taken(stretch: Stretch, settings: Any) -> bool:
    """Whether a stretch can be denoised; told in the log if not."""
    if stretch.rate_hz < 0.999 * settings.thinned_hz:
        logger.warning(
            "%s: left out, as it must have at least %.4g samples per second, as the run's windows, but has %g",
            stretch, settings.thinned_hz, stretch.rate_hz,
        )  # fmt: skip
        return False
    if (stretch.samples.shape[1] - 1) / stretch.rate_hz * settings.thinned_hz < settings.samples:
        seconds = settings.samples / settings.thinned_hz
        logger.warning("%s: left out, as it must be at least %.1f s long between gaps", stretch, seconds)
        return False
    return True


def _resampled(values: np.ndarray, ratio: Fraction) -> np.ndarray:
    """Values (…, sample) at `ratio` times their rate, behind a linear-phase low-pass; the first sample stays."""
    if ratio == 1:
        return values
    return resample_poly(values, ratio.numerator, ratio.denominator, axis=-1, padtype="line")


def _plain(header: Any) -> dict[str, Any]:
    return {name: header[name] for name in ("network", "station", "location", "channel", "sampling_rate", "starttime")}
