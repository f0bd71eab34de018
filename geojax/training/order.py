"""Which examples a step sees: a pure function of seed, epoch and step, so that no loader has a state to keep."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from geojax.config.run import Training
from geojax.errors import UserError


class Held(NamedTuple):
    """Rows that members train on and are held out, when not all see all: (member, row); -1 fills up `train`."""

    train: np.ndarray
    validation: np.ndarray


def steps(count: int, settings: Training, updates: int = 1) -> int:
    """Steps of an epoch over `count` examples when each step makes as many updates.

    raises UserError : there are fewer examples than one batch
    """
    if count < settings.batch_size:
        raise UserError(
            f"training: batch_size must not exceed the {count} training examples, but is {settings.batch_size}. "
            "Make it smaller."
        )
    return settings.steps or max(1, count // (settings.batch_size * updates))


def rows(key: jax.Array, count: int, shape: tuple[int, int, int], own: jax.Array | None = None) -> jax.Array:
    """Rows (step, update, batch) of an epoch: each pass visits every example at most once.

    own : rows to choose from, (count or more,), -1 after the first `count`; all of `count` without
    """
    kept = count // shape[-1] * shape[-1]
    wanted = int(np.prod(shape))
    keys = jax.random.split(key, -(-wanted // kept))
    passes = [_shuffled(k, count, own)[:kept] for k in keys]
    return jnp.concatenate(passes)[:wanted].reshape(shape)


def _shuffled(key: jax.Array, count: int, own: jax.Array | None) -> jax.Array:
    if own is None:
        return jax.random.permutation(key, count)
    last = jnp.where(own < 0, 2.0, jax.random.uniform(key, own.shape))
    return own[jnp.argsort(last)]


def folds(groups: np.ndarray, count: int, seed: int) -> Held:
    """Whole groups dealt to `count` folds of about as many rows; member f trains on the rest and is held out from f.

    groups : (row,)
    raises UserError : there are fewer groups than folds
    """
    names, sizes = np.unique(groups, return_counts=True)
    if len(names) < count:
        raise UserError(
            f"training: folds must not exceed the {len(names)} groups of training and validation data, "
            f"but is {count}. Make it smaller."
        )
    shuffled = np.random.default_rng(seed).permutation(len(names))
    fold, filled = {}, np.zeros(count, int)
    for i in sorted(shuffled, key=lambda i: -sizes[i]):  # the largest first, each to the emptiest fold
        fold[names[i]] = int(np.argmin(filled))
        filled[fold[names[i]]] += sizes[i]
    of_row = np.array([fold[group] for group in groups])
    held = [np.flatnonzero(of_row == f) for f in range(count)]
    rest = [np.flatnonzero(of_row != f) for f in range(count)]
    width, height = max(map(len, rest)), max(map(len, held))
    train = np.stack([np.pad(own, (0, width - len(own)), constant_values=-1) for own in rest])
    # A loss is a mean over examples: a shorter fold goes round again, so that all have one shape.
    return Held(train, np.stack([np.resize(own, height) for own in held]))
