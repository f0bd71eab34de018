"""Take noise off three-component seismograms, by a mask in time and frequency.

Semi-synthetic: what is called clean is a record of an event that stands far above its noise, and what is called noisy
is that record with real noise of another station, from before the event, added at a known ratio. So the truth is known.

To use your own records: a reader that gives `waveform` (station, component N E Z, sample) and `p_onset` (sample) of
events well above the noise, a dataset config that names blocks of stations for each split, and a run config as
config/runs/seismic_denoising.yaml with `rate_hz` and a `thinning` under which the band of the events still fits.
`geojax apply RUN FILES` takes the noise off continuous three-component records, as miniSEED, at the thinned rate or
any higher one; what lies above half the thinned rate is gone from them.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import xarray as xr
from flax import nnx
from pydantic import Field

from geojax import models
from geojax.data.seismology import mixtures, windows
from geojax.data.seismology.stft import STFT
from geojax.errors import UserError
from geojax.scores import denoising, resampling
from geojax.task import Baseline, Data, Examples, Outcome, Picture, Score, Settings, Task
from geojax.training import augment
from geojax.training.objectives import log_error

ANGLES = tuple(np.radians([0.0, 45.0, 90.0, 135.0]))  # the model's windows are means over these azimuths


class DenoisingSettings(Settings):
    """What a window is, and how much noise is added."""

    samples: int = Field(default=700, ge=256, description="length of a window, at the thinned rate")
    rate_hz: float = Field(default=250.0, gt=0, description="sampling rate of the records")
    thinning: int = Field(default=3, ge=1, description="one sample in so many is kept, behind a low-pass")
    lead_s: tuple[float, float] = Field(default=(3.0, 4.5), description="least and most of a window before the P onset")
    snr_db: tuple[float, float] = Field(default=(-12.0, 12.0), description="range that training draws ratios from")
    levels_db: tuple[float, ...] = Field(default=(-10.0, -5.0, 0.0, 5.0, 10.0), description="ratios that are scored")
    frame: int = Field(default=44, ge=4, description="samples of a frame of the model's short-time transform")
    hop: int = Field(default=11, ge=1, description="samples from one frame to the next; divides a frame")
    train_windows: int = Field(default=1, ge=1, description="examples of each station; each is drawn anew at each step")
    evaluation_windows: int = Field(default=1, ge=1, description="windows of each station and level")
    seed: int = 0

    @property
    def thinned_hz(self) -> float:
        """Sampling rate of the windows."""
        return self.rate_hz / self.thinning

    @property
    def lead(self) -> tuple[int, int]:
        """Least and most samples of a window before its onset."""
        low, high = (int(s * self.thinned_hz) for s in self.lead_s)
        return low, high

    @property
    def quiet(self) -> int:
        """Samples at the beginning of every window that hold noise alone."""
        return self.lead[0] - int(mixtures.MARGIN_S * self.thinned_hz)


class SeismicDenoising(Task[DenoisingSettings]):
    question = (
        "What did the ground do under the noise? Semi-synthetic: records of one strong event at stations that no "
        "method has seen, with real noise of other stations, from before the event, added at -10 to 10 dB. Each window "
        "begins with noise alone, which every method may look at."
    )
    settings_type = DenoisingSettings
    models = ("mask_denoiser",)
    headline = Score("snr_gain", "gain in signal-to-noise ratio", "dB", higher_is_better=True, slices="SNR")
    predicted: ClassVar = {"long_name": "denoised ground motion, in deviations of the noisy window", "units": "1"}
    groups = "stations, within each test block"
    unit = "station"

    def index(self, part: xr.Dataset) -> pd.DataFrame:
        if (rate := part.attrs["sampling_rate_hz"]) != self.settings.rate_hz:
            raise UserError(
                f"examples: rate_hz must be the records' own, {rate:g} in part {part.attrs['part']}, but is "
                f"{self.settings.rate_hz:g}. Change it, and `thinning` with it."
            )
        rows = windows.stations(part)
        length = part.sizes["sample"] // self.settings.thinning
        return rows.assign(p=rows["p"] // self.settings.thinning, length=length, rate_hz=self.settings.thinned_hz)

    def expand(self, index: pd.DataFrame) -> pd.DataFrame:
        pieces = []
        for _, block in index.groupby("group", sort=False):
            training = block["split"].iloc[0] == "train"
            levels = (0.0,) if training else self.settings.levels_db  # training draws its own
            repeats = self.settings.train_windows if training else self.settings.evaluation_windows
            pieces.append(mixtures.draw(block, levels, repeats, self.settings.seed, self.settings))
        return pd.concat(pieces, ignore_index=True)

    def examples(self, index: pd.DataFrame, parts: Mapping[str, xr.Dataset], scaling: xr.Dataset) -> Examples:
        training = bool((index["split"] == "train").all())
        noisy, clean = np.empty((2, 0 if training else len(index), 3, self.settings.samples), "float32")
        station, kept, count = np.zeros(len(index), "int32"), [], 0
        for part, rows in index.groupby("part", sort=False):
            records = mixtures.thin(parts[str(part)]["waveform"].values, self.settings.thinning)
            own, place = np.unique(rows["position"], return_inverse=True)
            station[rows.index] = count + place
            count += len(own)
            if training:
                kept.append(records[own])
            else:
                noisy[rows.index], clean[rows.index] = mixtures.mix(records, rows, self.settings.samples)
        if not training:
            return Examples({"noisy": noisy, "clean": clean, "onset": index["onset"].to_numpy("int32")})
        first = index.assign(place=station).drop_duplicates("place").sort_values("place")
        quiet = mixtures.quiet_until(first["p"].to_numpy(), self.settings.samples, self.settings.thinned_hz)
        shared = {"waveforms": np.concatenate(kept), "quiet_until": quiet.astype("int32")}
        shared["lenders"] = windows.lenders(first, self.settings.seed)
        return Examples({"station": station, "p": index["p"].to_numpy("int32")}, shared)

    def model(self, name: str, sizes: dict[str, Any], train: Examples, rngs: nnx.Rngs) -> nnx.Module:
        return models.load(name)(
            3, STFT(self.settings.frame, self.settings.hop), self.settings.quiet, **sizes, rngs=rngs
        )

    def loss(self, model: Any, batch: Examples, key: jax.Array, training: bool) -> jax.Array:
        if not training:
            return log_error(model(batch.rows["noisy"]), batch.rows["clean"])
        draw, drop = jax.random.split(key)
        keys = jax.random.split(draw, len(batch.rows["p"]))
        noisy, clean = jax.vmap(partial(_fresh_mixture, self.settings, batch.shared))(keys, batch.rows)
        return log_error(model(noisy, drop), clean)

    def predict(self, model: Any, batch: Examples) -> jax.Array:
        noisy = batch.rows["noisy"]
        views = [augment.turn(model(augment.turn(noisy, angle)), -angle) for angle in ANGLES]
        return jnp.mean(jnp.stack(views), 0)

    def baselines(self) -> dict[str, Baseline]:
        from geojax.baselines import denoising as classical

        return {
            "as recorded": classical.AsRecorded(),
            "band-pass": classical.BandPass(self.settings.thinned_hz),
            "low-rank spectrogram": classical.LowRank(self.settings.quiet),
            "thresholding": classical.Thresholding(self.settings.quiet),
            "Wiener filter": classical.Wiener(self.settings.quiet),
        }

    def statistics(
        self, index: pd.DataFrame, examples: Examples, predictions: np.ndarray, scaling: xr.Dataset
    ) -> xr.Dataset:
        clean, noisy, onset = (examples.rows[name] for name in ("clean", "noisy", "onset"))
        rate, station, level = (index[name].to_numpy() for name in ("rate_hz", "station", "snr_db"))
        sums = denoising.sums(clean, noisy, predictions, onset, float(rate[0]), station, level)
        return resampling.within_blocks(sums, index)

    def score(self, statistics: xr.Dataset) -> xr.Dataset:
        return denoising.means(statistics)

    def pictures(self, outcome: Outcome) -> list[Picture]:
        from geojax.report import denoising as drawn

        return drawn.pictures(outcome)

    def apply(
        self, predict: Callable[[Examples], np.ndarray], files: Sequence[Path], output: Path, data: Data
    ) -> list[Path]:
        from geojax.data.seismology import denoised
        from geojax.report import records

        return denoised.denoise(predict, records.before_and_after, files, output, self.settings)


TASK = SeismicDenoising


def _fresh_mixture(
    settings: DenoisingSettings, shared: Mapping[str, jax.Array], key: jax.Array, row: dict[str, jax.Array]
) -> tuple[jax.Array, jax.Array]:
    """A noisy window (3, sample) of a row's station and the signal in it: new start, lender, azimuths and level."""
    keys = jax.random.split(key, 6)
    start = row["p"] - jax.random.randint(keys[0], (), settings.lead[0], settings.lead[1] + 1)
    donor = jax.random.choice(keys[1], shared["lenders"][row["station"]])
    lent = jax.random.randint(keys[2], (), 0, shared["quiet_until"][donor])
    cut = partial(augment.cut, shared["waveforms"], samples=settings.samples)
    signal = augment.turn_and_flip(keys[3], cut(row["station"], start))
    noise = augment.turn_and_flip(keys[4], cut(donor, lent))
    level = jax.random.uniform(keys[5], (), minval=settings.snr_db[0], maxval=settings.snr_db[1])
    return augment.mixture(signal, noise, level)
