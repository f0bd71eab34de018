"""The training loop: an epoch is one compiled call, and order is a pure function of seed and epoch."""

from collections.abc import Callable
from contextlib import closing
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pandas as pd
from flax import nnx

from geojax.config.run import Training
from geojax.errors import UserError
from geojax.log import logger
from geojax.task import Examples
from geojax.training import history
from geojax.training.checkpoints import Checkpoints
from geojax.training.feeding import Pools, Whole
from geojax.training.progress import Progress

Create = Callable[[nnx.Rngs], nnx.Module]
Loss = Callable[[Any, Any, jax.Array, bool], jax.Array]


class State(NamedTuple):
    """All that training carries from epoch to epoch; each leaf has the member as its first axis."""

    params: Any
    average: Any  # moving average of the parameters: what is validated and kept
    rest: Any  # what is neither trained nor structure: statistics, fixed matrices
    optimizer: Any
    best: tuple[Any, Any]  # params and rest of the best epoch
    best_loss: jax.Array  # (member,)


def fit(
    create: Create,
    loss: Loss,
    train: Examples | Pools,
    validation: Examples,
    settings: Training,
    checkpoints: Checkpoints,
    start: Any = None,
) -> tuple[Any, pd.DataFrame]:
    """Train an ensemble and keep each member's best epoch on the validation examples.

    create : makes a member from its own random streams
    loss : (model, batch, key, training) to a scalar
    train : examples, resident on the device, or pools of them, one for each epoch
    validation : examples, resident on the device
    start : best parameters and other variables of an earlier training, as this returns them, to go on from; the
        optimizer starts anew
    returns : the best parameters and other variables (member, …); history, one row an epoch and member
    raises UserError : the loss is not finite
    """
    steps = _steps(train.size, settings)
    graph, state = _start(create, settings, steps, start)
    feed = train if isinstance(train, Pools) else Whole(train)
    held_out = jax.device_put(validation)
    epoch_of = _compile(graph, loss, settings, steps)
    rows: list[dict[str, float]] = []
    first = 0
    if saved := checkpoints.restore(state):
        first, state, rows = saved
        logger.info("resumed after epoch %d from %s", first, checkpoints.path)
    with Progress(settings.epochs, steps * settings.batch_size * settings.ensemble, first) as progress, closing(feed):
        for number in range(first, settings.epochs):
            if history.waited(rows, number) >= settings.patience:
                logger.info("no member improved for %d epochs: stopped early", settings.patience)
                break
            state, train_loss, validation_loss = epoch_of(state, number, feed(number), held_out)
            train_loss, validation_loss = np.asarray(train_loss), np.asarray(validation_loss)
            history.check_finite(train_loss, number, steps)
            rows += history.rows(number, train_loss.mean(1), validation_loss, rows)
            progress.advance(number, float(train_loss.mean()), float(validation_loss.mean()))
            checkpoints.save(number + 1, state, rows)
    checkpoints.close()
    history.check_kept(np.asarray(state.best_loss))
    return jax.device_get(state.best), pd.DataFrame(rows)


def predictor(
    graph: nnx.GraphDef, best: Any, function: Callable[[Any, Any], jax.Array], batch: int
) -> Callable[[Examples], np.ndarray]:
    """Mean over the members of `function(model, batch)`, from examples to (example, …); compiled once."""

    @jax.jit
    def of_batch(members: Any, rows: Examples) -> jax.Array:
        return jnp.mean(_over_members(lambda m: function(nnx.merge(graph, *m), rows), members), axis=0)

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


def schedule(settings: Training, steps: int) -> optax.Schedule:
    """Linear warm-up, then a cosine to 1 % of the learning rate."""
    total = settings.epochs * steps
    warm = min(max(1, round(settings.warmup * total)), total - 1) if total > 1 else 0
    rate = settings.learning_rate
    return optax.warmup_cosine_decay_schedule(0.0 if warm else rate, rate, warm, max(total, 2), rate / 100)


def _optimizer(settings: Training, steps: int) -> optax.GradientTransformation:
    return optax.chain(
        optax.clip_by_global_norm(settings.clip_norm),
        optax.adamw(schedule(settings, steps), weight_decay=settings.weight_decay),
    )


def _steps(count: int, settings: Training) -> int:
    if count < settings.batch_size:
        raise UserError(
            f"training: batch_size must not exceed the {count} training examples, but is {settings.batch_size}. "
            "Make it smaller."
        )
    return settings.steps or count // settings.batch_size


def _start(create: Create, settings: Training, steps: int, start: Any = None) -> tuple[nnx.GraphDef, State]:
    members = [nnx.split(create(nnx.Rngs(settings.seed + m)), nnx.Param, ...) for m in range(settings.ensemble)]
    params, rest = (jax.tree.map(lambda *leaves: jnp.stack(leaves), *(m[i] for m in members)) for i in (1, 2))
    if start is not None:
        # What is learned goes on; what the model keeps fixed has just been made of the new examples.
        params, learned = jax.tree.map(jnp.array, (start[0], nnx.filter_state(start[1], nnx.BatchStat)))
        rest = nnx.merge_state(rest, learned)
    optimizer = jax.vmap(_optimizer(settings, steps).init)(params)
    average, *best = (jax.tree.map(jnp.copy, tree) for tree in (params, params, rest))
    best_loss = jnp.full(settings.ensemble, jnp.inf, jnp.float32)
    return members[0][0], State(params, average, rest, optimizer, tuple(best), best_loss)


def _over_members(function: Callable[[Any], Any], members: Any) -> Any:
    """Apply to each member: one by one on a CPU, whose cores one member fills, else all at once."""
    over = jax.lax.map if jax.default_backend() == "cpu" else lambda f, xs: jax.vmap(f)(xs)
    return over(function, members)


def _compile(graph: nnx.GraphDef, loss: Loss, settings: Training, steps: int) -> Callable[..., Any]:
    optimizer = _optimizer(settings, steps)

    def step(carry: Any, now: tuple[jax.Array, jax.Array], data: Examples) -> Any:
        params, average, rest, moments = carry
        rows, key = now
        batch = data.take(rows)

        def objective(params: Any) -> tuple[jax.Array, Any]:
            model = nnx.merge(graph, params, rest, copy=True)
            return loss(model, batch, key, True), nnx.state(model, nnx.Not(nnx.Param))

        (value, rest), gradient = jax.value_and_grad(objective, has_aux=True)(params)
        change, moments = optimizer.update(gradient, moments, params)
        params = optax.apply_updates(params, change)
        average = optax.incremental_update(params, average, 1 - settings.average)
        return (params, average, rest, moments), value

    def epoch(
        state: State, number: jax.Array, train: Examples, validation: Examples
    ) -> tuple[State, jax.Array, jax.Array]:
        def member(own: tuple[State, jax.Array]) -> Any:
            state, seed = own
            key = jax.random.fold_in(jax.random.key(seed), number)
            order = _order(key, train, settings, steps)
            keys = jax.random.split(jax.random.fold_in(key, 1), steps)
            carry, losses = jax.lax.scan(lambda c, now: step(c, now, train), tuple(state[:4]), (order, keys))
            params, average, rest, moments = carry
            value = loss(nnx.merge(graph, average, rest, copy=True), validation, jax.random.key(0), False)
            better = value < state.best_loss
            best = jax.tree.map(lambda new, old: jnp.where(better, new, old), (average, rest), state.best)
            best_loss = jnp.where(better, value, state.best_loss)
            return State(params, average, rest, moments, best, best_loss), losses, value

        seeds = settings.seed + jnp.arange(settings.ensemble)
        return _over_members(member, (state, seeds))

    return jax.jit(epoch, donate_argnums=0)


def _order(key: jax.Array, train: Examples, settings: Training, steps: int) -> jax.Array:
    """Rows (step, batch) of an epoch: each pass visits every example at most once."""
    count = train.size
    kept = count // settings.batch_size * settings.batch_size
    wanted = steps * settings.batch_size
    passes = [jax.random.permutation(k, count)[:kept] for k in jax.random.split(key, -(-wanted // kept))]
    return jnp.concatenate(passes)[:wanted].reshape(steps, settings.batch_size)
