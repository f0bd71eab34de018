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


def held(fold: np.ndarray) -> Held:
    """What each fold's members train on and are judged by: fold f tests, the next validates, the others train.

    fold : (row,) from 0 on
    """
    count = int(fold.max()) + 1
    after = (np.arange(count) + 1) % count
    judged = [np.flatnonzero(fold == f) for f in after]
    rest = [np.flatnonzero((fold != f) & (fold != next_)) for f, next_ in enumerate(after)]
    width, height = max(map(len, rest)), max(map(len, judged))
    train = np.stack([np.pad(own, (0, width - len(own)), constant_values=-1) for own in rest])
    # A loss is a mean over examples: a shorter fold goes round again, so that all have one shape.
    return Held(train, np.stack([np.resize(own, height) for own in judged]))
