"""Graph attention: a node weighs its neighbours by what both of them hold."""

from typing import Literal

import jax
import jax.numpy as jnp
from flax import nnx

from geojax.errors import UserError
from geojax.models.message_passing import Links, RoundsOnGraphs, segment_softmax, segment_sum

SLOPE = 0.2  # of the leaky ReLU below zero, as in the paper


class Round(nnx.Module):
    """One round of attention in several heads, added to the state (node, width)."""

    def __init__(self, width: int, edge_inputs: int, heads: int, dropout: float, rngs: nnx.Rngs) -> None:
        self.heads = heads
        self.norm = nnx.LayerNorm(width, rngs=rngs)
        self.ends = nnx.Linear(width, 2 * width, rngs=rngs)
        self.along = nnx.Linear(edge_inputs, width, use_bias=False, rngs=rngs) if edge_inputs else None
        self.score = nnx.Param(nnx.initializers.lecun_normal()(rngs.params(), (width // heads, heads)).T)
        self.out = nnx.Linear(width, width, rngs=rngs)
        self.dropout = nnx.Dropout(dropout)

    def __call__(self, x: jax.Array, features: jax.Array | None, links: Links, key: jax.Array | None) -> jax.Array:
        first, second = (None, None) if key is None else jax.random.split(key)
        sent, received = jnp.split(self.ends(self.norm(x)), 2, -1)
        told = sent[links.sender]
        both = told + received[links.receiver]
        if self.along is not None and features is not None:
            both += self.along(features)
        scores = jnp.sum(self._in_heads(nnx.leaky_relu(both, SLOPE)) * self.score[...], -1)
        weights = self.dropout(segment_softmax(scores, links), deterministic=key is None, rngs=first)
        heard = segment_sum((weights[..., None] * self._in_heads(told)).reshape(told.shape), links)
        return x + self.dropout(self.out(nnx.elu(heard)), deterministic=key is None, rngs=second)

    def _in_heads(self, x: jax.Array) -> jax.Array:
        return x.reshape(len(x), self.heads, x.shape[-1] // self.heads)


class GraphAttention(RoundsOnGraphs):
    """Graph attention network (GATv2: Brody et al. 2022, doi:10.48550/arXiv.2105.14491), residual and pre-normalized.

    Padded graphs to one output a node, (example, node, outputs), zero where masked; or with `readout` "graph" one a
    graph, (example, outputs), from the mean over its nodes. Neither the order of nodes and edges nor the amount of
    padding matters.

    inputs, edge_inputs : features of a node and of an edge; 0 if edges have none
    raises UserError : `width` is no multiple of `heads`
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        edge_inputs: int = 0,
        readout: Literal["node", "graph"] = "node",
        *,
        width: int = 64,
        layers: int = 3,
        heads: int = 4,
        dropout: float = 0.0,
        rngs: nnx.Rngs,
    ) -> None:
        if width % heads:
            raise UserError(f"model: width must be a multiple of heads, but {width} is none of {heads}. Change either.")
        rounds = [Round(width, edge_inputs, heads, dropout, rngs) for _ in range(layers)]
        super().__init__(inputs, outputs, edge_inputs, readout, width, rounds, rngs)


MODEL = GraphAttention
