"""The models that are trained at once: an ensemble, one for each fold of a cross-validation, or just one."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from geojax.config.run import Training
from geojax.task import Turn
from geojax.training.steps import moved_by, optimizers

Create = Callable[[nnx.Rngs], nnx.Module]


class State(NamedTuple):
    """All that training carries from epoch to epoch; each leaf has the member as its first axis."""

    params: Any
    average: Any  # moving average of the parameters: what is validated and kept
    rest: Any  # what is neither trained nor structure: statistics, fixed matrices
    optimizers: tuple[Any, ...]  # a state for each turn
    best: tuple[Any, Any]  # params and rest of the best epoch
    best_loss: jax.Array  # (member,)


def seeds(settings: Training, folds: int = 1) -> jax.Array:
    """One for each member; the same member of every fold starts from the same weights."""
    return settings.seed + jnp.tile(jnp.arange(settings.ensemble), folds)


def begin(
    create: Create | Sequence[Create], turns: Sequence[Turn], settings: Training, steps: int, start: Any = None
) -> tuple[nnx.GraphDef, State]:
    """Structure of the model, and the state before the first epoch.

    create : makes a member from its own random streams; of folds one for each, for what they keep fixed differs
    start : best parameters and other variables (member, …) of an earlier training to go on from
    """
    creates = create if isinstance(create, Sequence) else [create]
    own = zip(np.repeat(np.arange(len(creates)), settings.ensemble), seeds(settings, len(creates)), strict=True)
    members = [nnx.split(creates[int(fold)](nnx.Rngs(int(seed))), nnx.Param, ...) for fold, seed in own]
    params, rest = (jax.tree.map(lambda *leaves: jnp.stack(leaves), *(m[i] for m in members)) for i in (1, 2))
    if start is not None:
        # What is learned goes on; what the model keeps fixed has just been made of the new examples.
        params, learned = jax.tree.map(jnp.array, (start[0], nnx.filter_state(start[1], nnx.BatchStat)))
        rest = nnx.merge_state(rest, learned)
    rules = zip(turns, optimizers(turns, settings, steps), strict=True)
    states = tuple(jax.vmap(rule.init)(moved_by(params, turn.player)) for turn, rule in rules)
    average, *best = (jax.tree.map(jnp.copy, tree) for tree in (params, params, rest))
    best_loss = jnp.full(len(members), jnp.inf, jnp.float32)
    return members[0][0], State(params, average, rest, states, tuple(best), best_loss)


def over(function: Callable[[Any], Any], members: Any) -> Any:
    """Apply to each member: one by one on a CPU, whose cores one member fills, else all at once."""
    each = jax.lax.map if jax.default_backend() == "cpu" else lambda f, xs: jax.vmap(f)(xs)
    return each(function, members)
