"""Transformer encoder: every token looks at every other."""

import math
from typing import Literal

import jax
import jax.numpy as jnp
from flax import nnx

from geojax.errors import UserError
from geojax.models.message_passing import masked, read_out


def attention(query: jax.Array, key: jax.Array, value: jax.Array, seen: jax.Array) -> jax.Array:
    """Scaled dot-product attention; a query that sees no key gets zero.

    query, key, value : (example, token, head, feature)
    seen : (example or 1, query, key) or what broadcasts to it, which keys a query may look at
    """
    scores = jnp.einsum("bqhd,bkhd->bhqk", query, key, preferred_element_type=jnp.float32) / math.sqrt(query.shape[-1])
    seen = seen[:, None]
    scores = jnp.where(seen, scores, jnp.finfo(scores.dtype).min)
    weights = jnp.where(seen, jax.nn.softmax(scores), 0)
    return jnp.einsum("bhqk,bkhd->bqhd", weights.astype(value.dtype), value)


def sinusoids(tokens: int, width: int) -> jax.Array:
    """Positions as sines and cosines, (token, width): of wavelengths from 2π tokens to 10,000 times that."""
    angle = jnp.arange(tokens)[:, None] * 10_000.0 ** (-jnp.arange(0, width, 2) / width)
    return jnp.stack([jnp.sin(angle), jnp.cos(angle)], -1).reshape(tokens, -1)[:, :width]


class Block(nnx.Module):
    """Attention, then a dense layer on each token alone; each on the normalized state, and added to it."""

    def __init__(self, width: int, heads: int, dropout: float, rngs: nnx.Rngs) -> None:
        self.heads = heads
        self.norm = nnx.LayerNorm(width, rngs=rngs)
        self.project = nnx.Linear(width, 3 * width, rngs=rngs)
        self.join = nnx.Linear(width, width, rngs=rngs)
        self.second_norm = nnx.LayerNorm(width, rngs=rngs)
        self.widen = nnx.Linear(width, 4 * width, rngs=rngs)
        self.narrow = nnx.Linear(4 * width, width, rngs=rngs)
        self.dropout = nnx.Dropout(dropout)

    def __call__(self, x: jax.Array, seen: jax.Array, key: jax.Array | None) -> jax.Array:
        first, second = (None, None) if key is None else jax.random.split(key)
        parts = jnp.split(self.project(self.norm(x)), 3, -1)
        query, asked, value = (p.reshape(*p.shape[:2], self.heads, -1) for p in parts)
        heard = attention(query, asked, value, seen)
        x += self.dropout(self.join(heard.reshape(x.shape)), deterministic=key is None, rngs=first)
        change = self.narrow(nnx.gelu(self.widen(self.second_norm(x))))
        return x + self.dropout(change, deterministic=key is None, rngs=second)


class Transformer(nnx.Module):
    """Transformer encoder (Vaswani et al. 2017, doi:10.48550/arXiv.1706.03762), pre-normalized (Xiong et al. 2020,
    doi:10.48550/arXiv.2002.04745).

    (example, token, inputs) to one output a token, (example, token, outputs), zero where masked; or with `readout`
    "pooled" one an example, (example, outputs), from the mean over its tokens.

    tokens : the most that an example has, of which positions are learned
    causal : no token looks at a later one
    position : how tokens know their order; with "none" and without `causal` it does not matter
    raises UserError : `width` is no multiple of `heads`
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        tokens: int,
        readout: Literal["token", "pooled"] = "token",
        *,
        width: int = 64,
        layers: int = 3,
        heads: int = 4,
        position: Literal["none", "sinusoidal", "learned"] = "sinusoidal",
        causal: bool = False,
        dropout: float = 0.0,
        rngs: nnx.Rngs,
    ) -> None:
        if width % heads:
            raise UserError(f"model: width must be a multiple of heads, but {width} is none of {heads}. Change either.")
        self.readout, self.position, self.causal, self.tokens = readout, position, causal, tokens
        self.enter = nnx.Linear(inputs, width, rngs=rngs)
        if position == "learned":
            self.place = nnx.Param(0.02 * jax.random.normal(rngs.params(), (tokens, width)))
        self.blocks = nnx.List([Block(width, heads, dropout, rngs) for _ in range(layers)])
        self.norm = nnx.LayerNorm(width, rngs=rngs)
        self.out = nnx.Linear(width, outputs, rngs=rngs)

    def __call__(self, x: jax.Array, mask: jax.Array | None = None, key: jax.Array | None = None) -> jax.Array:
        """Outputs; `mask` (example, token) is False for padding, which may be anything.

        raises UserError : there are more tokens than positions were learned for
        """
        known = jnp.ones(x.shape[:2], bool) if mask is None else mask
        x = self.enter(masked(x, known))
        x += self._places(x)
        seen = known[:, None, :]
        if self.causal:
            seen &= jnp.tri(x.shape[1], dtype=bool)
        for number, block in enumerate(self.blocks):
            x = block(x, seen, None if key is None else jax.random.fold_in(key, number))
        x = self.norm(x)
        return self.out(read_out(x, known)) if self.readout == "pooled" else masked(self.out(x), known)

    def _places(self, x: jax.Array) -> jax.Array:
        count, width = x.shape[1:]
        if self.position == "none":
            return jnp.zeros((), x.dtype)
        if self.position == "sinusoidal":
            return sinusoids(count, width).astype(x.dtype)
        if count > self.tokens:
            raise UserError(
                f"model: at most {self.tokens} tokens were expected, but {count} came. Shorten the examples, or "
                "write `position: sinusoidal`."
            )
        return self.place[:count]


MODEL = Transformer
