"""Message passing on graphs of stations, events, cells or particles."""

from typing import Literal

import jax
import jax.numpy as jnp
from flax import nnx

from geojax.models.message_passing import AGGREGATIONS, Links, RoundsOnGraphs


class Round(nnx.Module):
    """One round: what a node hears, aggregated, changes its state (node, width).

    A message is silu(A sender + B receiver + C edge feature). A and B are applied to nodes, of which there are fewer
    than edges; the products are then gathered.
    """

    def __init__(self, width: int, edge_inputs: int, aggregation: str, dropout: float, rngs: nnx.Rngs) -> None:
        self.norm = nnx.LayerNorm(width, rngs=rngs)
        self.ends = nnx.Linear(width, 3 * width, rngs=rngs)
        self.along = nnx.Linear(edge_inputs, width, use_bias=False, rngs=rngs) if edge_inputs else None
        self.heard = nnx.Linear(width, width, use_bias=False, rngs=rngs)
        self.change = nnx.Linear(width, width, rngs=rngs)
        self.dropout = nnx.Dropout(dropout)
        self.aggregation = aggregation

    def __call__(self, x: jax.Array, features: jax.Array | None, links: Links, key: jax.Array | None) -> jax.Array:
        sent, received, own = jnp.split(self.ends(self.norm(x)), 3, -1)
        message = sent[links.sender] + received[links.receiver]
        if self.along is not None and features is not None:
            message += self.along(features)
        heard = AGGREGATIONS[self.aggregation](nnx.silu(message), links)
        change = self.change(nnx.silu(own + self.heard(heard)))
        return x + self.dropout(change, deterministic=key is None, rngs=key)


class GraphNetwork(RoundsOnGraphs):
    """Message-passing network (Gilmer et al. 2017, doi:10.48550/arXiv.1704.01212; in the terms of Battaglia et al.
    2018, doi:10.48550/arXiv.1806.01261, with edges that keep their features).

    Padded graphs to one output a node, (example, node, outputs), zero where masked; or with `readout` "graph" one a
    graph, (example, outputs), from the mean over its nodes. Neither the order of nodes and edges nor the amount of
    padding matters.

    inputs, edge_inputs : features of a node and of an edge; 0 if edges have none
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
        aggregation: Literal["sum", "mean", "max"] = "mean",
        dropout: float = 0.0,
        rngs: nnx.Rngs,
    ) -> None:
        rounds = [Round(width, edge_inputs, aggregation, dropout, rngs) for _ in range(layers)]
        super().__init__(inputs, outputs, edge_inputs, readout, width, rounds, rngs)


MODEL = GraphNetwork
