"""One training step: each turn's gradient on a batch of its own, and its player's update."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from geojax.config.run import Training
from geojax.task import Examples, Turn
from geojax.training import precision
from geojax.training.optimizers import optimizer

Place = Callable[[Examples], Examples]
Carry = tuple[Any, Any, Any, tuple[Any, ...]]  # parameters, their average, the rest, an optimizer's state a turn


def optimizers(turns: Sequence[Turn], settings: Training, steps: int) -> list[optax.GradientTransformation]:
    """One for each turn."""
    return [optimizer(settings, settings.epochs * steps * turn.times, turn.player) for turn in turns]


def moved_by(params: Any, player: str | None) -> Any:
    """Parameters that a player's turn moves."""
    return params if player is None else params[player]


def stepper(
    graph: nnx.GraphDef, turns: Sequence[Turn], settings: Training, steps: int, place: Place
) -> Callable[..., tuple[Carry, jax.Array]]:
    """A step: (carry, (rows (update, batch), keys (update,)), examples) to carry and mean losses (turn,).

    place : lays a batch out over the devices
    """
    rules = optimizers(turns, settings, steps)
    slopes = [_slope(graph, turn, settings, place) for turn in turns]

    def step(carry: Carry, now: tuple[jax.Array, jax.Array], data: Examples) -> tuple[Carry, jax.Array]:
        params, average, rest, states = carry
        batches = iter(zip(*now, strict=True))
        states, losses = list(states), []
        for i, turn in enumerate(turns):
            values = []
            for _ in range(turn.times):
                rows, key = next(batches)
                value, rest, slope = slopes[i](params, rest, data.take(rows), key)
                own = moved_by(params, turn.player)
                change, states[i] = rules[i].update(slope, states[i], own)
                params = _put(params, turn.player, optax.apply_updates(own, change))
                values.append(value)
            losses.append(sum(values) / turn.times)
        average = optax.incremental_update(params, average, 1 - settings.average)
        return (params, average, rest, tuple(states)), jnp.stack(losses)

    return step


def _slope(graph: nnx.GraphDef, turn: Turn, settings: Training, place: Place) -> Callable[..., tuple[Any, Any, Any]]:
    """(params, rest, batch, key) to loss, rest as the model left it, and gradient for what the turn's player moves."""
    low = settings.precision == "bfloat16"

    def objective(own: Any, params: Any, rest: Any, batch: Examples, key: jax.Array) -> tuple[jax.Array, Any]:
        whole = _put(params, turn.player, own)
        model = nnx.merge(graph, precision.cast(whole, precision.LOW) if low else whole, rest, copy=True)
        value = turn.loss(precision.Low(model) if low else model, batch, key, True)
        return value.astype(jnp.float32), nnx.state(model, nnx.Not(nnx.Param))

    differentiated = jax.value_and_grad(
        jax.checkpoint(objective) if settings.rematerialize else objective, has_aux=True
    )

    def of_batch(params: Any, rest: Any, batch: Examples, key: jax.Array) -> tuple[Any, Any, Any]:
        (value, rest), slope = differentiated(moved_by(params, turn.player), params, rest, place(batch), key)
        return value, rest, slope

    def of_pieces(params: Any, rest: Any, batch: Examples, key: jax.Array) -> tuple[Any, Any, Any]:
        count = settings.accumulate
        pieces = {name: x.reshape(count, len(x) // count, *x.shape[1:]) for name, x in batch.rows.items()}

        def add(carry: tuple[Any, Any], now: Any) -> tuple[tuple[Any, Any], None]:
            (rest, sums), (rows, key) = carry, now
            value, rest, slope = of_batch(params, rest, Examples(rows, batch.shared), key)
            return (rest, jax.tree.map(jnp.add, sums, (value, slope))), None

        zero = jnp.zeros(()), jax.tree.map(jnp.zeros_like, moved_by(params, turn.player))
        (rest, sums), _ = jax.lax.scan(add, (rest, zero), (pieces, jax.random.split(key, count)))
        value, slope = jax.tree.map(lambda x: x / count, sums)
        return value, rest, slope

    return of_batch if settings.accumulate == 1 else of_pieces


def _put(params: Any, player: str | None, own: Any) -> Any:
    """Parameters with a player's own in their place."""
    if player is None:
        return own
    changed = nnx.State(dict(params.raw_mapping))
    changed[player] = own
    return changed
