"""The training loop: an epoch is one compiled call, and order is a pure function of seed and epoch."""

from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from flax import nnx

from geojax.config.run import Training
from geojax.log import logger
from geojax.task import Examples, Turn
from geojax.training import members, order
from geojax.training.checkpoints import Checkpoints
from geojax.training.devices import Layout
from geojax.training.feeding import Pools, Whole
from geojax.training.history import History
from geojax.training.members import Create, State
from geojax.training.progress import Progress
from geojax.training.steps import stepper

Loss = Callable[[Any, Any, jax.Array, bool], jax.Array]
Name = Callable[[int, np.ndarray], str]


def fit(
    create: Create | Sequence[Create],
    turns: Sequence[Turn],
    loss: Loss,
    train: Examples | Pools,
    validation: Examples,
    settings: Training,
    checkpoints: Checkpoints,
    start: Any = None,
    held: order.Held | None = None,
    name: Name = lambda epoch, rows: f"rows {', '.join(map(str, rows))}",
) -> tuple[Any, pd.DataFrame]:
    """Train all members at once and keep each one's best epoch on the validation examples.

    create : makes a member from its own random streams; with `held` one for each fold
    turns : what a step does; each loss is (model, batch, key, training) to a scalar
    loss : of validation, of the same form
    train : examples, resident on the device, or pools of them, one for each epoch
    validation : examples, resident on the device
    start : best parameters and other variables of an earlier training, as this returns them, to go on from; the
        optimizer starts anew
    held : which rows each fold trains on and is held out from, when there are folds
    name : what to call rows of the examples of an epoch
    returns : the best parameters and other variables (member, …); history, one row an epoch and member
    raises UserError : the loss is not finite, or diverges
    """
    updates = sum(turn.times for turn in turns)
    count = train.size if held is None else int((held.train >= 0).sum(1).min())
    steps = order.steps(count, settings, updates)
    shape = steps, updates, settings.batch_size
    layout = Layout.of(settings)
    folds = 1 if held is None else len(held.train)
    models = folds * settings.ensemble
    if held is not None and not isinstance(create, Sequence):
        create = [create] * folds
    graph, state = members.begin(create, turns, settings, steps, start)
    feed = train if isinstance(train, Pools) else Whole(layout.copied(train))
    held_out = layout.copied(validation)
    rows_of = _rows_of(settings, shape, count, held)
    epoch_of = _compile(graph, turns, loss, settings, steps, rows_of, layout, held)
    history = History(turns, models)
    if saved := checkpoints.restore(state):
        state, history = saved[1], History(turns, models, saved[2])
        logger.info("resumed after epoch %d from %s", history.epochs, checkpoints.path)
    first = history.epochs
    state = layout.copied(state)

    def identify(number: int, member: int, step: int) -> str:
        return name(number, np.unique(rows_of(number, member)[0][step]))

    shown = Progress(settings.epochs, steps * updates * settings.batch_size * models, first)
    with shown as progress, closing(feed):
        for number in range(first, settings.epochs):
            if history.waited >= settings.patience:
                logger.info("no member improved for %d epochs: stopped early", settings.patience)
                break
            state, losses, values = epoch_of(state, number, layout.copied(feed(number)), held_out)
            losses, values = np.asarray(losses), np.asarray(values)
            history.check(losses, checkpoints.told(), identify)
            history.add(losses, values)
            progress.advance(number, float(losses[..., -1].mean()), float(values.mean()))
            checkpoints.save(number + 1, state, history.rows)
    checkpoints.close()
    history.check_kept(np.asarray(state.best_loss))
    return jax.device_get(state.best), history.table()


def predictor(
    graph: nnx.GraphDef, best: Any, function: Callable[[Any, Any], jax.Array], batch: int
) -> Callable[[Examples], np.ndarray]:
    """Mean over the members of `function(model, batch)`, from examples to (example, …); compiled once."""

    @jax.jit
    def of_batch(weights: Any, rows: Examples) -> jax.Array:
        return jnp.mean(members.over(lambda m: function(nnx.merge(graph, *m), rows), weights), axis=0)

    def of_all(examples: Examples) -> np.ndarray:
        count = examples.size
        batches = (np.minimum(np.arange(i, i + batch), count - 1) for i in range(0, count, batch))  # of one shape
        pieces = [np.asarray(of_batch(best, examples.take(rows))) for rows in batches]
        return np.concatenate(pieces)[:count]

    return of_all


def predict(
    graph: nnx.GraphDef, best: Any, function: Callable[[Any, Any], jax.Array], examples: Examples, batch: int
) -> np.ndarray:
    """What `predictor` gives for all examples."""
    return predictor(graph, best, function, batch)(examples)


def _rows_of(
    settings: Training, shape: tuple[int, int, int], count: int, held: order.Held | None
) -> Callable[[Any, Any], tuple[jax.Array, jax.Array]]:
    """(epoch, member) to the rows (step, update, batch) that it sees, and keys (step, update)."""
    seeds = members.seeds(settings, 1 if held is None else len(held.train))

    def rows(number: Any, member: Any) -> tuple[jax.Array, jax.Array]:
        key = jax.random.fold_in(jax.random.key(seeds[member]), number)
        own = None if held is None else jnp.asarray(held.train)[member // settings.ensemble]
        keys = jax.random.split(jax.random.fold_in(key, 1), shape[:2])
        return order.rows(key, count, shape, own), keys

    return rows


def _compile(
    graph: nnx.GraphDef,
    turns: Sequence[Turn],
    loss: Loss,
    settings: Training,
    steps: int,
    rows_of: Callable[[Any, Any], Any],
    layout: Layout,
    held: order.Held | None = None,
) -> Callable[..., tuple[State, jax.Array, jax.Array]]:
    """(state, epoch, training, validation) to state, losses (member, step, turn) and validation losses (member,)."""
    step = stepper(graph, turns, settings, steps, layout.shared_out)

    def epoch(state: State, number: jax.Array, train: Examples, validation: Examples) -> Any:
        def one(own: tuple[State, jax.Array]) -> tuple[State, jax.Array, jax.Array]:
            state, member = own
            carry = state.params, state.average, state.rest, state.optimizers
            carry, losses = jax.lax.scan(lambda c, now: step(c, now, train), carry, rows_of(number, member))
            params, average, rest, optimizers = carry
            own_rows = None if held is None else jnp.asarray(held.validation)[member // settings.ensemble]
            judged = validation if own_rows is None else validation.take(own_rows)
            value = loss(nnx.merge(graph, average, rest, copy=True), judged, jax.random.key(0), False)
            better = value < state.best_loss
            best = jax.tree.map(lambda new, old: jnp.where(better, new, old), (average, rest), state.best)
            best_loss = jnp.where(better, value, state.best_loss)
            return State(params, average, rest, optimizers, best, best_loss), losses, value

        return members.over(one, (state, jnp.arange(len(state.best_loss))))

    return jax.jit(epoch, donate_argnums=0)
