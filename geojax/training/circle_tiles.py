"""Tiles of pictures with their circles, fresh at every step, from geojax.data.imagery.circle_examples."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from geojax.training import augment


class Change(NamedTuple):
    """How a tile may differ from the picture.

    turn : degrees either way; zoom, contrast (of the first channel) : logarithms of factors either way
    noise : deviation
    flip : whether half of the tiles are upside down; aimed : share that lies about a circle, wherever that is
    """

    turn: float = 0.0
    zoom: float = 0.0
    contrast: float = 0.0
    noise: float = 0.0
    flip: bool = False
    aimed: float = 0.0


def fresh(
    key: jax.Array, row: Mapping[str, Any], shared: Mapping[str, Any], side: int, most: int, change: Change
) -> tuple[jax.Array, jax.Array]:
    """A tile (side, side, channel) near that of a row, changed at random, and its circles (most, 3)."""
    keys = jax.random.split(key, 8)
    half, every = shared["inner"] / 2, jnp.asarray(shared["circles"])
    aim = every[jax.random.randint(keys[6], (), 0, len(every))]
    aimed = jax.random.uniform(keys[7]) < change.aimed
    picture = jnp.where(aimed, aim[0].astype(int), row["picture"])
    middle = jnp.where(aimed, aim[1:3], row["origin"] + half - 0.5) + shared["margin"]
    middle = middle + half * jax.random.uniform(keys[0], (2,), minval=-1)
    angle = jnp.radians(change.turn) * jax.random.uniform(keys[1], (), minval=-1)
    scale = jnp.exp(change.zoom * jax.random.uniform(keys[2], (), minval=-1))
    upright = jnp.where(jax.random.uniform(keys[3]) < 0.5 * change.flip, -1.0, 1.0)
    c, s = jnp.cos(angle), jnp.sin(angle)
    turn = scale * jnp.array([[c, -s], [s, c]]) * jnp.array([upright, 1.0])
    step = jnp.arange(side) - (side - 1) / 2
    grid = jnp.stack(jnp.meshgrid(step, step, indexing="ij"), -1)
    seen = augment.sample(jnp.asarray(shared["pictures"]), picture, middle + grid @ turn.T)
    gain = jnp.exp(change.contrast * jax.random.uniform(keys[4], (), minval=-1))
    seen = seen.at[..., 0].multiply(gain) + change.noise * jax.random.normal(keys[5], seen.shape)
    return seen, near(shared, picture, middle, turn, side, most)


def near(
    shared: Mapping[str, Any], picture: jax.Array, middle: jax.Array, turn: jax.Array, side: int, most: int
) -> jax.Array:
    """Circles (most, 3) of a tile about `middle`, the nearest first; radius 0 where there are no more.

    turn : (2, 2), from steps of the tile to steps of the picture
    """
    every = jnp.asarray(shared["circles"])
    own = (every[:, 1:3] + shared["margin"] - middle) @ jnp.linalg.inv(turn).T
    radius = every[:, 3] / jnp.sqrt(jnp.abs(jnp.linalg.det(turn)))
    edge = jnp.max(jnp.abs(own), 1)
    beyond = (every[:, 0] != picture) | (edge > side / 2)
    nearest = jax.lax.top_k(-jnp.where(beyond, jnp.inf, edge), min(most, len(radius)))[1]
    inside = jnp.where(beyond, 0.0, radius)[nearest]
    return jnp.concatenate([own[nearest] + (side - 1) / 2, inside[:, None]], 1)
