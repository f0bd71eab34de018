"""Tell noise, P, S and coda apart in short three-component windows.

To use your own records: a reader that gives `waveform` (station, component N E Z, sample) with `p_onset` and
`s_onset` (samples), a dataset config that names blocks of stations for each split, and a run config as
config/runs/seismic_phases.yaml.
"""

import weakref
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import xarray as xr
from flax import nnx
from pydantic import Field

from geojax import models
from geojax.data.seismology import windows
from geojax.data.seismology.stft import STFT
from geojax.data.seismology.windows import CLASSES
from geojax.models.spectrogram import Spectrogram
from geojax.scores import classification, resampling
from geojax.task import Examples, Outcome, Picture, Score, Settings, Task
from geojax.training import augment
from geojax.training.objectives import cross_entropy

if TYPE_CHECKING:
    from geojax.baselines.classifiers import FeatureClassifier

FRAME, FRAMES = (126, 14), 64  # samples of a frame and from one to the next, which make 64 frequencies; frames
ANGLES = tuple(np.radians([0.0, 45.0, 90.0, 135.0]))  # every method is averaged over these azimuths


class PhaseSettings(Settings):
    """What a window is, and how many are drawn."""

    samples: int = Field(default=1004, ge=256, description="length of a window")
    snr_db: tuple[float, float] = Field(default=(-8.0, 10.0), description="lowest and highest ratio to added noise")
    train_windows: int = Field(default=6, ge=1, description="windows of each class for each station")
    evaluation_windows: int = Field(default=3, ge=1, description="windows of each class for each station")
    smoothing: float = Field(default=0.05, ge=0, lt=1, description="label smoothing")
    rate_hz: float = Field(default=250.0, gt=0, description="sampling rate of the records")
    seed: int = 0

    @property
    def span(self) -> int:
        """Samples over which the level of a signal is measured."""
        return int(windows.SPAN_S * self.rate_hz)


class SeismicPhases(Task[PhaseSettings]):
    question = (
        "Which wave arrives first in a window of three-component ground motion: none (noise), P, S, or is the window "
        "coda? Windows of stations that no method has seen, with real noise of a neighbouring station added."
    )
    settings_type = PhaseSettings
    models = ("cnn", "cnn2d")
    headline = Score("macro_f1", "macro F1", "1", higher_is_better=True)
    predicted: ClassVar = {"long_name": "probability of noise, P, S and coda", "units": "1"}
    groups = "stations, within each test block"
    unit = "station"  # a pool holds the records of its stations

    def index(self, part: xr.Dataset) -> pd.DataFrame:
        return windows.stations(part).assign(s=part["s_onset"].values)

    def expand(self, index: pd.DataFrame) -> pd.DataFrame:
        pieces = []
        for _, block in index.groupby("group", sort=False):
            training = block["split"].iloc[0] == "train"
            repeats = self.settings.train_windows if training else self.settings.evaluation_windows
            pieces.append(windows.draw(block, repeats, self.settings.seed, self.settings))
        return pd.concat(pieces, ignore_index=True)

    def examples(self, index: pd.DataFrame, parts: Mapping[str, xr.Dataset], scaling: xr.Dataset) -> Examples:
        training = bool((index["split"] == "train").all())
        window = np.empty((len(index), 3, self.settings.samples), "float32")
        waveforms, station, count = np.empty(0), np.zeros(len(index), "int32"), 0
        stations = len(index[["part", "position"]].drop_duplicates())
        for part, rows in index.groupby("part", sort=False):
            records = parts[str(part)]["waveform"].values
            window[rows.index] = windows.cut(records, rows, self.settings.samples)
            own, place = np.unique(rows["position"], return_inverse=True)
            station[rows.index] = count + place
            if training:
                if not count:
                    waveforms = np.empty((stations, *records.shape[1:]), records.dtype)
                np.take(records, own, 0, waveforms[count : count + len(own)], mode="clip")  # without a copy between
                count += len(own)
        rows = {"window": window, "label": index["label"].to_numpy("int32")}
        if not training:
            return Examples(rows)
        ranges = [
            windows.start_range(CLASSES[row.label], row.p, row.s, self.settings.samples, row.rate_hz)
            for row in index.itertuples()
        ]
        onset = np.select([rows["label"] == 1, rows["label"] == 2], [index["p"], index["s"]], -1)
        rows |= {"station": station, "range": np.array(ranges, "int32"), "onset": onset.astype("int32")}
        first = index.assign(place=station).drop_duplicates("place").sort_values("place")
        quiet = [
            windows.start_range("noise", r.p, r.s, self.settings.samples, r.rate_hz)[1] for r in first.itertuples()
        ]
        lent = {"lenders": windows.lenders(first, self.settings.seed), "quiet_until": np.array(quiet, "int32")}
        return Examples(rows, {"waveforms": waveforms} | lent)

    def model(self, name: str, sizes: dict[str, Any], train: Examples, rngs: nnx.Rngs) -> nnx.Module:
        network = models.load(name)(3, len(CLASSES), **sizes, rngs=rngs)
        return Spectrogram(network, STFT(*FRAME), FRAMES) if name == "cnn2d" else network

    def loss(self, model: Any, batch: Examples, key: jax.Array, training: bool) -> jax.Array:
        if not training:
            return cross_entropy(model(_channels_last(batch.rows["window"])), batch.rows["label"])
        draw, drop = jax.random.split(key)
        origin = {name: batch.rows[name] for name in ("station", "range", "onset")}
        keys = jax.random.split(draw, len(batch.rows["label"]))
        inputs = jax.vmap(partial(_fresh_window, self.settings, batch.shared))(keys, origin)
        return cross_entropy(model(_channels_last(inputs), drop), batch.rows["label"], self.settings.smoothing)

    def predict(self, model: Any, batch: Examples) -> jax.Array:
        views = [model(_channels_last(augment.turn(batch.rows["window"], angle))) for angle in ANGLES]
        return jnp.mean(jax.nn.softmax(jnp.stack(views)), 0)

    def baselines(self) -> dict[str, "FeatureClassifier"]:
        from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        from geojax.baselines.classifiers import FeatureClassifier

        features = _Features(self.settings)
        forests = [
            RandomForestClassifier(100, min_samples_leaf=leaf, max_features=share, n_jobs=-1, random_state=0)
            for leaf in (1, 2, 4)
            for share in ("sqrt", 0.2)
        ]
        strengths = (1e-3, 1e-2, 3e-2, 0.1, 1.0, 10.0)
        linear = [make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=1000)) for c in strengths]
        boosted = [
            HistGradientBoostingClassifier(max_iter=n, max_leaf_nodes=k, l2_regularization=1.0, random_state=0)
            for n in (60, 120)
            for k in (5, 10, 20)
        ]
        trials = {"random forest": forests, "logistic regression": linear, "boosted trees": boosted}
        return {name: FeatureClassifier(features, each) for name, each in trials.items()}

    def statistics(
        self, index: pd.DataFrame, examples: Examples, predictions: np.ndarray, scaling: xr.Dataset
    ) -> xr.Dataset:
        counts = classification.confusion(examples.rows["label"], predictions.argmax(1), index["station"], CLASSES)
        return resampling.within_blocks(counts.to_dataset(name="counts"), index)

    def score(self, statistics: xr.Dataset) -> xr.Dataset:
        return classification.precision_recall_f1(statistics["counts"])

    def pictures(self, outcome: Outcome) -> list[Picture]:
        from geojax.report import seismology

        return seismology.phase_pictures(outcome, CLASSES)


TASK = SeismicPhases


def _channels_last(window: jax.Array) -> jax.Array:
    return jnp.swapaxes(window, 1, 2)


def _fresh_window(
    settings: PhaseSettings, shared: Mapping[str, jax.Array], key: jax.Array, row: dict[str, jax.Array]
) -> jax.Array:
    """A window (3, sample) of a row's station and class: new start, lender, noise level and azimuth."""
    keys = jax.random.split(key, 6)
    start = jax.random.randint(keys[0], (), *row["range"])
    onset = jnp.where(row["onset"] < 0, 0, row["onset"] - start)
    donor = jax.random.choice(keys[1], shared["lenders"][row["station"]])
    lent = jax.random.randint(keys[2], (), 0, shared["quiet_until"][donor])
    cut = partial(augment.cut, shared["waveforms"], samples=settings.samples)
    signal = augment.turn_and_flip(keys[3], cut(row["station"], start))
    noise = augment.turn_and_flip(keys[4], cut(donor, lent))
    level = jax.random.uniform(keys[5], (), minval=settings.snr_db[0], maxval=settings.snr_db[1])
    return augment.add_noise(signal, noise, onset, settings.span, level)


class _Features:
    """Features of windows, computed once for all classifiers: turned at random to train, at each azimuth else.

    They are known as long as the windows live: another array may come to lie in the same place.
    """

    def __init__(self, settings: PhaseSettings) -> None:
        self.seed, self.rate_hz = settings.seed, settings.rate_hz
        self.known: dict[int, list[np.ndarray]] = {}

    def __call__(self, examples: Examples, training: bool) -> list[np.ndarray]:
        from geojax.baselines.phase_features import phase_features  # ObsPy takes 80 MB that no other stage needs

        window = examples.rows["window"]
        if id(window) not in self.known:
            random = np.random.default_rng(self.seed).uniform(0, 2 * np.pi, (len(window), 1))
            angles = [random] if training else ANGLES
            turned = (np.asarray(augment.turn(window, angle)) for angle in angles)
            weakref.finalize(window, self.known.pop, id(window), None)
            self.known[id(window)] = [phase_features(view, self.rate_hz) for view in turned]
        return self.known[id(window)]
