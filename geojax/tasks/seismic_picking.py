"""Pick P and S arrivals in three-component seismograms.

To use your own records: any reader that gives records (trace or station, component, sample) of single events with
`p_onset` and `s_onset` (samples): `picked_events` for waveforms with QuakeML, `seisbench` for STEAD, INSTANCE and their
like, or for records that tell hypocentres alone, from which onsets are derived. Datasets of one run may differ in
their sampling rate: `rates_hz` says what records of each rate are brought to. The network counts in samples, so a rate
tells it how large events are: give records of small, near ones a high rate.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pandas as pd
import xarray as xr
from flax import nnx
from pydantic import Field

from geojax import models
from geojax.data import likeness
from geojax.data.seismology import arrivals
from geojax.scores import picking, resampling
from geojax.scores.picking import PHASES
from geojax.task import Baseline, Data, Examples, Outcome, Picture, Score, Settings, Task
from geojax.training import augment

ANGLES = (0.0, np.pi / 2)  # the model's curves are means over these azimuths
SMOOTH = 51  # samples of a running mean; without it slow ground noise is gone


class PickingSettings(Settings):
    """What a window is, how it is varied, and when a peak is a pick."""

    samples: int = Field(default=1500, ge=512, description="length of a window")
    rate_hz: float = Field(default=100.0, gt=0, description="rate that records are brought to")
    rates_hz: dict[float, float] = Field(
        default={20.0: 50.0, 500.0: 500.0}, description="the same for records of one sampling rate, if another"
    )
    margin: int = Field(default=100, ge=1, description="least samples from the ends of a window to an onset")
    snr_db: tuple[float, float] = Field(default=(-5.0, 15.0), description="lowest and highest ratio to added noise")
    stretch: float = Field(default=2.0, ge=1, description="records run up to so many times faster or slower")
    spread: float = Field(default=5.0, gt=0, description="deviation in samples of the bell about an onset")
    evaluation_windows: int = Field(default=3, ge=1, description="windows of each record that can be lent noise")
    threshold: tuple[float, float] = Field(default=(0.3, 0.3), description="least probability of a P and an S pick")
    seed: int = 0


class SeismicPicking(Task[PickingSettings]):
    question = (
        "When do P and S arrive in three-component seismograms? In the domain of training: stations of an Oklahoma "
        "array that no method has seen, with real noise added, and later events below northern Chile, both with "
        "derived onsets. Out of it: an analyst's picks at a coal mine."
    )
    settings_type = PickingSettings
    models = ("unet1d",)
    headline = Score("f1", "F1 of picks within 0.1 s", "1", higher_is_better=True, slices="dataset")
    predicted: ClassVar = {"long_name": "probability of P and S at each sample", "units": "1"}
    groups = "stations and events, within each part"
    unit = "unit"

    def index(self, part: xr.Dataset) -> pd.DataFrame:
        own = arrivals.records(part, self.settings.rates_hz, self.settings.rate_hz)
        rows = pd.DataFrame(
            {
                "position": np.arange(len(own.unit)),
                "group": own.group,
                "time": own.time,
                "end": own.time + pd.Timedelta(seconds=own.waveforms.shape[-1] / own.rate_hz),
                "station": own.station,
                "unit": own.unit,
                "content": [hashlib.sha256(w.tobytes()).hexdigest() for w in own.waveforms],
                "fingerprint": list(likeness.fingerprint(likeness.spectrum(own.waveforms), demean=False)),
                "p": own.onsets[:, 0],
                "s": own.onsets[:, 1],
                "length": own.waveforms.shape[-1],
                "rate_hz": own.rate_hz,
            }
        )
        rows = rows[rows["p"].notna()]  # a record begins at its P onset: without one nothing of it is known
        lends = [arrivals.quiet_until(p, self.settings.samples, own.rate_hz) > 0 for p in rows["p"]]
        return rows.assign(lends=lends)

    def expand(self, index: pd.DataFrame) -> pd.DataFrame:
        pieces = []
        for (_, split), rows in index.groupby(["part", "split"], sort=False):
            if split == "train":
                pieces.append(rows[rows["s"].notna()])
            else:
                pieces.append(arrivals.draw(rows, self.settings))
        return pd.concat(pieces, ignore_index=True)

    def examples(self, index: pd.DataFrame, parts: Mapping[str, xr.Dataset], scaling: xr.Dataset) -> Examples:
        training = bool((index["split"] == "train").all())
        window = np.empty((0 if training else len(index), 3, self.settings.samples), "float32")
        length = int(index["length"].max())
        waveforms = np.zeros((len(index) if training else 0, 3, length), "float32")
        for part, rows in index.groupby("part", sort=False):
            own = arrivals.waveforms(parts[str(part)], self.settings.rates_hz, self.settings.rate_hz)
            if training:
                waveforms[rows.index, :, : own.shape[-1]] = own[rows["position"]]
            else:
                window[rows.index] = arrivals.cut(own, rows, self.settings.samples)
        if training:
            rows = {"record": np.arange(len(index), dtype="int32"), "length": index["length"].to_numpy("int32")}
            rows |= {name: index[name].to_numpy("float32") for name in ("p", "s")}
            lending = np.flatnonzero(index["lends"])
            quiet = [
                arrivals.quiet_until(r.p, self.settings.samples, r.rate_hz) for r in index.iloc[lending].itertuples()
            ]
            shared = {"waveforms": waveforms, "lending": lending.astype("int32"), "quiet": np.array(quiet, "int32")}
            return Examples(rows, shared)
        onsets = index[["p", "s"]].to_numpy("float64") - index[["start"]].to_numpy()
        inside = (onsets >= 0) & (onsets < self.settings.samples) & (index[["kind"]] != "noise").to_numpy()
        judged = index[["p", "s"]].notna().to_numpy() | (index[["kind"]] == "noise").to_numpy()
        rate = index["rate_hz"].to_numpy("float32")
        onsets = np.where(inside, onsets, np.nan).astype("float32")
        return Examples({"window": window, "onsets": onsets, "judged": judged, "rate_hz": rate})

    def model(self, name: str, sizes: dict[str, Any], train: Examples, rngs: nnx.Rngs) -> nnx.Module:
        return models.load(name)(6, 1 + len(PHASES), **sizes, rngs=rngs)

    def loss(self, model: Any, batch: Examples, key: jax.Array, training: bool) -> jax.Array:
        if training:
            draw, key = jax.random.split(key)
            keys = jax.random.split(draw, len(batch.rows["p"]))
            window, onsets = jax.vmap(partial(_fresh_window, self.settings, batch.shared))(keys, batch.rows)
            logits = model(_inputs(window), key)
        else:
            onsets = batch.rows["onsets"]
            logits = model(_inputs(batch.rows["window"]))
        return optax.softmax_cross_entropy(logits, _bells(onsets, self.settings)).mean()

    def predict(self, model: Any, batch: Examples) -> jax.Array:
        windows = (augment.turn(batch.rows["window"], angle) for angle in ANGLES)
        views = [jax.nn.softmax(model(_inputs(window)))[..., 1:] for window in windows]
        return jnp.swapaxes(jnp.mean(jnp.stack(views), 0), 1, 2)

    def baselines(self) -> dict[str, Baseline]:
        from geojax.baselines import picking as classical

        return {
            "AIC": classical.Aic(self.settings.threshold),
            "Baer & Kradolfer": classical.BaerKradolfer(self.settings.threshold),
            "STA-LTA": classical.StaLta(self.settings.threshold),
        }

    def statistics(
        self, index: pd.DataFrame, examples: Examples, predictions: np.ndarray, scaling: xr.Dataset
    ) -> xr.Dataset:
        rows = examples.rows
        off, count = picking.every(predictions, rows["onsets"], self.settings.threshold, rows["rate_hz"])
        sums = picking.sums(off, count, rows["onsets"], rows["judged"], index["unit"], index["dataset"])
        return resampling.within_blocks(sums, index.assign(group=index["part"]), "unit")

    def score(self, statistics: xr.Dataset) -> xr.Dataset:
        return picking.scores(statistics)

    def pictures(self, outcome: Outcome) -> list[Picture]:
        from geojax.report import picking as drawn

        return drawn.pictures(outcome, self.settings.threshold)

    def apply(
        self, predict: Callable[[Examples], np.ndarray], files: Sequence[Path], output: Path, data: Data
    ) -> list[Path]:
        from geojax.data.seismology import continuous

        finders = {p: partial(picking.peaks, threshold=t) for p, t in zip(PHASES, self.settings.threshold, strict=True)}
        return continuous.pick(predict, finders, files, output, self.settings)


TASK = SeismicPicking


def _inputs(window: jax.Array) -> jax.Array:
    """What the network sees, (example, sample, 6): a window (example, 3, sample), and it without its running mean."""
    total = jnp.pad(jnp.cumsum(window, -1), ((0, 0), (0, 0), (1, 0)))
    place, reach = np.arange(window.shape[-1]), SMOOTH // 2
    first, last = np.maximum(place - reach, 0), np.minimum(place + reach + 1, window.shape[-1])
    fast = window - (total[..., last] - total[..., first]) / (last - first)
    fast = fast / (fast.std((1, 2), keepdims=True) + 1e-6)
    return jnp.swapaxes(jnp.concatenate([window, fast], 1), 1, 2)


def _bells(onsets: jax.Array, settings: PickingSettings) -> jax.Array:
    """Probabilities (example, sample, none P S) that a model is to give: a bell of height 1 about each onset."""
    off = (jnp.arange(settings.samples)[:, None] - onsets[:, None, :]) / settings.spread
    bells = jnp.where(jnp.isfinite(off), jnp.exp(-0.5 * jnp.square(jnp.nan_to_num(off))), 0.0)
    bells = bells / jnp.maximum(bells.sum(-1, keepdims=True), 1.0)
    return jnp.concatenate([1 - bells.sum(-1, keepdims=True), bells], -1)


def _fresh_window(
    settings: PickingSettings, shared: Mapping[str, jax.Array], key: jax.Array, row: dict[str, jax.Array]
) -> tuple[jax.Array, jax.Array]:
    """A window (3, sample) of a row's record and its onsets (2,): new start, speed, azimuth, sign, noise and level.

    One in eight holds noise alone, one in eight begins anywhere, one in four has no noise added.
    """
    keys = jax.random.split(key, 9)
    samples, onsets = settings.samples, jnp.stack([row["p"], row["s"]])
    log = jnp.log(settings.stretch)
    speed = jnp.exp(jax.random.uniform(keys[0], (), minval=-log, maxval=log))
    speed = jnp.minimum(speed, (row["length"] - 2) / samples)
    last = row["length"] - 1 - samples * speed
    depth = jax.random.uniform(keys[1], (), minval=settings.margin, maxval=0.6 * samples)
    kind = jax.random.uniform(keys[2], ())
    anywhere = jax.random.uniform(keys[3], (), maxval=1.0) * last
    start = jnp.clip(jnp.where(kind < 0.125, anywhere, row["p"] - depth * speed), 0, last)
    place = start + speed * jnp.arange(samples)
    whole = place.astype("int32")
    record, share = shared["waveforms"][row["record"]], place - whole
    signal = (1 - share) * record[:, whole] + share * record[:, whole + 1]
    signal = augment.turn_and_flip(keys[4], signal - signal.mean(1, keepdims=True))
    onsets = (onsets - start) / speed
    donor = jax.random.randint(keys[5], (), 0, len(shared["lending"]))
    lent = jax.random.randint(keys[6], (), 0, shared["quiet"][donor])
    noise = augment.cut(shared["waveforms"], shared["lending"][donor], lent, samples)
    noise = augment.turn_and_flip(keys[7], noise)
    level = jax.random.uniform(keys[8], (), minval=settings.snr_db[0], maxval=settings.snr_db[1])
    level = jnp.where(kind > 0.75, 60.0, level)
    alone = (kind >= 0.125) & (kind < 0.25)
    first = jnp.clip(onsets[0], 0, samples - arrivals.SPAN).astype("int32")
    mixed = augment.add_noise(signal, noise, first, arrivals.SPAN, level)
    window = jnp.where(alone, noise / (noise.std() + 1e-6), mixed)
    hidden = alone | (onsets < 0) | (onsets >= samples)
    return window, jnp.where(hidden, -1e4, onsets)
