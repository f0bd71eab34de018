"""Find craters, as circles, on a planetary picture lit from one side.

To use your own pictures: a dataset config like config/datasets/pycda_tile.yaml whose source is
`{kind: files, pattern: "/craters/{part}.*"}`, a picture and a table of its craters for each part, with `parts:
{by: file}` and whole pictures in each split; a run config like config/runs/craters.yaml. Pictures should be lit from
the left, as the network is told where they look like a bowl so lit: turn or mirror them first. `geojax apply RUN
PICTURE` writes the craters of a PGM, PNG, JPEG or GeoTIFF as a table and a picture.
"""

import hashlib
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
from geojax.baselines import craters as classical
from geojax.data.imagery import circle_examples, circles, pictures
from geojax.scores import circles as circles_scores
from geojax.task import Baseline, Data, Examples, Outcome, Picture, Score, Settings, Task
from geojax.training import circle_tiles
from geojax.training.objectives import circle_loss
from geojax.training.objectives.heat_maps import targets

START = (-4.0, 2.0, 0.0, 0.0)  # logit of the heat, logarithm of the radius and place before training
CELL = 224  # pixels; side of the squares whose craters are resampled together


class CraterSettings(Settings):
    """How a picture is tiled, and how training varies it."""

    image: str = Field(default="image", description="variable that holds the picture")
    inner: int = Field(default=80, ge=16, description="pixels; side of the square whose craters a tile tells")
    margin: int = Field(default=24, ge=0, description="pixels that are seen around it")
    span: float = Field(default=24.0, gt=0, description="pixels; surroundings by which contrast is evened out")
    flip: bool = Field(default=True, description="train on pictures upside down too, as light from the left allows")
    turn: float = Field(default=20.0, ge=0, description="degrees by which training turns pictures either way at most")
    zoom: float = Field(default=0.35, ge=0, description="logarithm by which training scales pictures at most")
    contrast: float = Field(default=0.3, ge=0, description="logarithm by which training scales contrast at most")
    aimed: float = Field(default=0.6, ge=0, le=1, description="share of training tiles that lie about a crater")
    noise: float = Field(default=0.05, ge=0, description="deviations of noise that training adds")
    size: float = Field(default=1.0, ge=0, description="weight of place and radius in the loss")
    near: int = Field(default=24, ge=1, description="most circles that a training tile can hold")
    most: int = Field(default=32, ge=1, description="most circles that a tile can tell")
    least: float = Field(default=0.05, gt=0, lt=1, description="heat from which on a peak may be a crater")
    trials: int | None = Field(default=None, ge=1, description="settings tried of each baseline; null: all")

    @property
    def side(self) -> int:
        """Pixels of a tile with its margins."""
        return self.inner + 2 * self.margin

    @property
    def change(self) -> circle_tiles.Change:
        """How training varies a tile."""
        return circle_tiles.Change(self.turn, self.zoom, self.contrast, self.noise, self.flip, self.aimed)


class Craters(Task[CraterSettings]):
    question = (
        "Where are the craters of a planetary picture, and how large? A circle counts as found where it shares half "
        "of the area that it covers together with one that was marked by hand."
    )
    settings_type = CraterSettings
    models = ("unet",)
    headline = Score("f1", "F1 of craters", "1", higher_is_better=True, slices="diameter")
    predicted: ClassVar = {
        "long_name": "row, column, radius (pixels from the tile) and score above threshold",
        "units": "1",
    }
    groups = f"squares of {CELL} pixels"
    unit = "part"

    def index(self, part: xr.Dataset) -> pd.DataFrame:
        values = _picture(part, self.settings)
        origin = circles.origins(values.shape, self.settings.inner)
        tiles = [values[r : r + self.settings.inner, c : c + self.settings.inner] for r, c in origin]
        return pd.DataFrame(
            {
                "position": np.arange(len(origin)),
                "group": part.attrs["part"],
                "time": pd.NaT,
                "row": origin[:, 0],
                "column": origin[:, 1],
                # What is black or white throughout is the same anywhere.
                "content": [hashlib.sha256(t.tobytes()).hexdigest() if np.ptp(t) > 0 else None for t in tiles],
            }
        )

    def examples(self, index: pd.DataFrame, parts: Mapping[str, xr.Dataset], scaling: xr.Dataset) -> Examples:
        names = list(index["part"].unique())
        opened = [parts[name] for name in names]
        marked = [
            np.stack([part["row"] - part["y"].values[0], part["column"] - part["x"].values[0], part["diameter"] / 2], 1)
            for part in opened
        ]
        number = index["part"].map({name: i for i, name in enumerate(names)}).to_numpy("int32")
        origin, trains = index[["row", "column"]].to_numpy("int32"), bool((index["split"] == "train").all())
        return _together(
            [_picture(part, self.settings) for part in opened], marked, number, origin, self.settings, not trains
        )

    def model(self, name: str, sizes: dict[str, Any], train: Examples, rngs: nnx.Rngs) -> nnx.Module:
        return models.load(name)(train.shared["pictures"].shape[-1], 4, **sizes, rngs=rngs)

    def loss(self, model: Any, batch: Examples, key: jax.Array, training: bool) -> jax.Array:
        shared, side, most = batch.shared, self.settings.side, self.settings.near
        if training:
            draw, drop = jax.random.split(key)
            vary = partial(circle_tiles.fresh, shared=shared, side=side, most=most, change=self.settings.change)
            seen, around = jax.vmap(vary)(jax.random.split(draw, batch.size), batch.rows)
        else:
            seen, drop = batch.rows["tile"], None
            middle = batch.rows["origin"] + self.settings.margin + (self.settings.inner - 1) / 2
            here = partial(circle_tiles.near, shared, turn=jnp.eye(2), side=side, most=most)
            around = jax.vmap(lambda picture, own: here(picture, own))(batch.rows["picture"], middle)
        wanted = jax.vmap(lambda own: targets(own, side))(around)
        return circle_loss(_maps(model, seen, drop), wanted, self.settings.size)

    def predict(self, model: Any, batch: Examples) -> jax.Array:
        maps = _maps(model, batch.rows["tile"])
        return maps.at[..., 0].set(jax.nn.sigmoid(maps[..., 0]))

    def tune(self, predict: Callable[[Examples], np.ndarray], validation: Examples) -> dict[str, Any]:
        threshold, f1 = circle_examples.tuned(validation, _circles(predict(validation), self.settings))
        return {"threshold": threshold, "validation_f1": f1}

    def decide(self, predicted: np.ndarray, chosen: Mapping[str, Any]) -> np.ndarray:
        return circle_examples.above(_circles(predicted, self.settings), chosen["threshold"])

    def baselines(self) -> Mapping[str, Baseline]:
        return {
            "template matching": classical.TemplateMatching(self.settings.most, self.settings.trials),
            "templates and boosted trees": classical.BoostedCandidates(self.settings.most, self.settings.trials),
        }

    def statistics(
        self, index: pd.DataFrame, examples: Examples, predictions: np.ndarray, scaling: xr.Dataset
    ) -> xr.Dataset:
        found = circle_examples.compared(examples, predictions, 0.0)
        names = index["part"].unique()[found["picture"]]
        cells = (found[["row", "column"]].clip(lower=0) // CELL).astype(int)
        return circles_scores.counts(found.assign(group=[*map(_cell, names, cells["row"], cells["column"])]))

    def score(self, statistics: xr.Dataset) -> xr.Dataset:
        return circles_scores.scores(statistics)

    def pictures(self, outcome: Outcome) -> list[Picture]:
        from geojax.report import planetary

        return planetary.crater_pictures(outcome, CELL)

    def apply(
        self, predict: Callable[[Examples], np.ndarray], files: Sequence[Path], output: Path, data: Data
    ) -> list[Path]:
        from geojax.report import planetary

        written = []
        for path in files:
            part = pictures.opened(path, self.settings.image)
            values = part[self.settings.image].values
            origin = circles.origins(values.shape, self.settings.inner)
            number = np.zeros(len(origin), int)
            examples = _together([values], [np.empty((0, 3))], number, origin, self.settings, tiles=True)
            (found,) = circle_examples.merged(examples, predict(examples))
            found = found[found[:, 3] >= 0]
            table, shown = output / f"{path.stem}_craters.csv", output / f"{path.stem}_craters.png"
            pictures.located(part, found).to_csv(table, index=False, float_format="%.10g")
            planetary.overview(values, found, shown)
            written += [table, shown]
        return written


TASK = Craters


def _picture(part: xr.Dataset, settings: CraterSettings) -> np.ndarray:
    return part[settings.image].values


def _together(
    pictures: Sequence[np.ndarray], marked: Sequence[np.ndarray], number: np.ndarray, origin: np.ndarray,
    settings: CraterSettings, tiles: bool,
) -> Examples:  # fmt: skip
    sizes = {"inner": settings.inner, "margin": settings.margin, "span": settings.span}
    return circle_examples.together(pictures, marked, number, origin, tiles=tiles, **sizes)


def _cell(part: str, row: int, column: int) -> str:
    return f"{part} {row}-{column}"


def _maps(model: Any, seen: jax.Array, key: jax.Array | None = None) -> jax.Array:
    """Logit of the heat, logarithm of the radius in pixels, and place in radii: (example, row, column, 4)."""
    return model(seen, key) + jnp.array(START)


def _circles(predicted: np.ndarray, settings: CraterSettings) -> np.ndarray:
    """Tables (example, n, 4) of the peaks of maps in the inner squares, scored by their heat."""
    example, row, column = circles.peaks(predicted[..., 0], settings.least)
    first, end = settings.margin, settings.margin + settings.inner
    own = (row >= first) & (row < end) & (column >= first) & (column < end)
    example, row, column = example[own], row[own], column[own]
    heat, size, down, right = np.moveaxis(predicted[example, row, column], -1, 0)
    radius = np.exp(np.clip(size, -1, 6))
    place = [row + down * radius - settings.margin, column + right * radius - settings.margin]
    return circles.listed(example, np.stack([*place, radius, heat], 1), len(predicted), settings.most)
