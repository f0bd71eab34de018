"""What recurrent models share: cells stepped over time, layers of them, padded steps, both directions."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Protocol

import jax
import jax.numpy as jnp
from flax import nnx
from jax.ad_checkpoint import checkpoint_name
from pydantic import Field

from geojax.errors import UserError

Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, lt=1)]
State = tuple[jax.Array, ...]  # the first is what a layer shows, each (example, *place, hidden)
KEPT = "what a step keeps for the backward pass"


class Cell(Protocol):
    """One step of a recurrent layer."""

    def start(self, x: jax.Array) -> State:
        """The state before the first step, zero; x : (example, time, *place, inputs)"""
        ...

    def offset(self, static: jax.Array | None) -> jax.Array:
        """What is added at every step: the bias and what comes of static features (example, feature)."""
        ...

    def __call__(self, state: State, x: jax.Array, offset: jax.Array) -> State:
        """The state after a step that sees x (example, *place, inputs)."""
        ...


def keep(x: jax.Array) -> jax.Array:
    """Mark what the backward pass reads again; of all else a step does, it keeps the state and computes the rest anew.

    A step's products are dear and its activations cheap, but a stack over time of every activation is memory
    traffic: to keep only the sums before activation takes three quarters of the time at 256 examples.
    """
    return checkpoint_name(x, KEPT)


def recur(
    cell: Cell,
    x: jax.Array,
    *,
    static: jax.Array | None = None,
    mask: jax.Array | None = None,
    state: State | None = None,
    reverse: bool = False,
    sequence: bool = True,
) -> tuple[jax.Array | None, State]:
    """Step a cell over time.

    x : (example, time, *place, inputs); static : (example, feature)
    mask : (example, time), False where a step is padding: it leaves the state as it was, whatever x holds there
    state : before the first step; zero if None
    reverse : from the last step to the first; what is shown still stands at its own time
    returns : what the state shows after each step, (example, time, *place, hidden), None unless `sequence`; the
        state after the last step
    """
    x = _blank(x, mask)
    first = cell.start(x)
    first = first if state is None else jax.tree.map(lambda own, zero: own.astype(zero.dtype), state, first)
    offset = cell.offset(static)

    @partial(jax.checkpoint, policy=jax.checkpoint_policies.save_only_these_names(KEPT), prevent_cse=False)
    def step(state: State, now: tuple[jax.Array, jax.Array | None]) -> State:
        x, valid = now
        after = cell(state, x, offset)
        return after if valid is None else jax.tree.map(partial(_where, valid), after, state)

    def body(state: State, now: Any) -> tuple[State, jax.Array | None]:
        state = step(state, now)
        return state, state[0].astype(x.dtype) if sequence else None

    steps = (x.swapaxes(0, 1), None if mask is None else mask.T)
    last, shown = jax.lax.scan(body, first, steps, reverse=reverse)
    return None if shown is None else shown.swapaxes(0, 1), last


class Layers(nnx.Module):
    """Recurrent layers, each over what the one below shows, with dropout between and after them.

    create : (inputs, static) to a cell
    """

    def __init__(
        self,
        create: Callable[[int, int], Any],
        inputs: int,
        static: int,
        *,
        hidden: int,
        layers: int,
        dropout: float,
        bidirectional: bool,
    ) -> None:
        directions = 2 if bidirectional else 1
        self.inputs, self.static, self.shown = inputs, static, directions * hidden
        plan = [(inputs, static), *[(self.shown, 0)] * (layers - 1)]
        self.cells = nnx.List([nnx.List([create(*sizes) for _ in range(directions)]) for sizes in plan])
        self.dropout = nnx.Dropout(dropout)

    def __call__(
        self,
        x: jax.Array,
        key: jax.Array | None,
        *,
        static: jax.Array | None = None,
        mask: jax.Array | None = None,
        states: list[list[State]] | None = None,
        sequence: bool,
    ) -> tuple[jax.Array, list[list[State]]]:
        """x, static, mask : as in `recur`; states : before the first step, by layer and direction

        returns : what the last layer shows, (example, time, …) or with `sequence` False after the last valid step,
            (example, …), forward beside backward; the states after the last step
        raises UserError : static or mask does not go with x, or with what the model was made for
        """
        self._check(x, static, mask)
        ends: list[list[State]] = []
        for number, cells in enumerate(self.cells):
            whole = sequence or number + 1 < len(self.cells)
            before = [None] * len(cells) if states is None else states[number]
            both = [
                recur(
                    cell,
                    x,
                    static=static if number == 0 else None,
                    mask=mask,
                    state=state,
                    reverse=way == 1,
                    sequence=whole,
                )
                for way, (cell, state) in enumerate(zip(cells, before, strict=True))
            ]
            x = jnp.concatenate([end[0].astype(x.dtype) if shown is None else shown for shown, end in both], -1)
            own = None if key is None else jax.random.fold_in(key, number)
            x = self.dropout(x, deterministic=key is None, rngs=own)
            ends.append([end for _, end in both])
        return x, ends

    def _check(self, x: jax.Array, static: jax.Array | None, mask: jax.Array | None) -> None:
        shapes = {
            "x": (x.shape, (*x.shape[:-1], self.inputs)),
            "static": (None if static is None else static.shape, (len(x), self.static) if self.static else None),
            "mask": (None if mask is None else mask.shape, None if mask is None else x.shape[:2]),
        }
        for name, (found, wanted) in shapes.items():
            if found != wanted:
                raise UserError(
                    f"model: `{name}` must be {wanted or 'left out'} with x of {x.shape}, as the model was made for "
                    f"{self.inputs} inputs and {self.static} static features, but is {found}. "
                    f"Pass what the model was made for, or make it for what you have."
                )


class Recurrent(nnx.Module):
    """Recurrent layers under a linear head: over the last valid state, or over each step's if `sequence`."""

    def __init__(self, layers: Layers, outputs: int, sequence: bool, rngs: nnx.Rngs) -> None:
        self.sequence = sequence
        self.layers = layers
        self.head = nnx.Linear(layers.shown, outputs, rngs=rngs)

    def __call__(
        self,
        x: jax.Array,
        key: jax.Array | None = None,
        *,
        static: jax.Array | None = None,
        mask: jax.Array | None = None,
    ) -> jax.Array:
        """mask : (example, time), False where a step is padding

        raises UserError : static or mask has not the shape that goes with x
        """
        return self.head(self.layers(x, key, static=static, mask=mask, sequence=self.sequence)[0])


def within(lengths: jax.Array, time: int) -> jax.Array:
    """The mask (example, time) of examples that are padded at the end to `time` steps; lengths : (example,)"""
    return jnp.arange(time) < jnp.asarray(lengths)[:, None]


def product(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """x @ kernel summed in float32, whatever they come in."""
    return jnp.matmul(x, kernel, preferred_element_type=jnp.float32)


def weights(rngs: nnx.Rngs, hidden: int, *shape: int) -> nnx.Param:
    """Initial weights, uniform within ± 1 / √hidden, as is usual of recurrent layers."""
    bound = hidden**-0.5
    return nnx.Param(jax.random.uniform(rngs.params(), shape, minval=-bound, maxval=bound))


def _blank(x: jax.Array, mask: jax.Array | None) -> jax.Array:
    """Zero where padded, lest a NaN there reach the gradient as 0 × NaN."""
    return x if mask is None else _where(mask, x, jnp.zeros_like(x))


def _where(valid: jax.Array, new: jax.Array, old: jax.Array) -> jax.Array:
    return jnp.where(valid.reshape(valid.shape + (1,) * (new.ndim - valid.ndim)), new, old)
