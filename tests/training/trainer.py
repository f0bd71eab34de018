"""A small training in a process of its own: `trainer.py KIND DIRECTORY [SETTING=VALUE …]`; tests start and kill it.

Writes DIRECTORY/result.npz (weights) and DIRECTORY/history.parquet at its end, and epochs to its standard output.
"""

import json
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from geojax.config import Training
from geojax.task import Examples, Turn
from geojax.training import devices, loop, processes
from geojax.training.checkpoints import Checkpoints


class Net(nnx.Module):
    def __init__(self, inputs, outputs, rngs):
        self.first = nnx.Linear(inputs, 32, rngs=rngs)
        self.norm = nnx.BatchNorm(32, momentum=0.9, rngs=rngs)
        self.last = nnx.Linear(32, outputs, rngs=rngs)

    def __call__(self, x, training):
        return self.last(nnx.gelu(self.norm(self.first(x), use_running_average=not training)))


class Players(nnx.Module):
    def __init__(self, rngs):
        self.generator = Net(2, 3, rngs)
        self.critic = Net(3, 1, rngs)


def supervised(model, batch, key, training):
    noise = 0.01 * jax.random.normal(key, batch.rows["x"].shape) if training else 0.0
    return jnp.mean((model(batch.rows["x"] + noise, training) - batch.rows["y"]) ** 2)


def made(model, key, count, training):
    return model.generator(jax.random.normal(key, (count, 2)), training)


def of_critic(model, batch, key, training):
    false = made(model, key, len(batch.rows["x"]), training)
    return jnp.mean(nnx.softplus(-model.critic(batch.rows["x"], True)) + nnx.softplus(model.critic(false, True)))


def of_generator(model, batch, key, training):
    return jnp.mean(nnx.softplus(-model.critic(made(model, key, len(batch.rows["x"]), training), True)))


def distance(model, batch, key, training):
    return jnp.sum((made(model, key, 64, False).mean(0) - batch.rows["x"].mean(0)) ** 2)


KINDS = {
    "supervised": (lambda rngs: Net(3, 1, rngs), (Turn(supervised),), supervised, {}),
    "ensemble": (lambda rngs: Net(3, 1, rngs), (Turn(supervised),), supervised, {"ensemble": 3}),
    "adversarial": (Players, (Turn(of_critic, "critic", 2), Turn(of_generator, "generator")), distance, {}),
}


def main(kind, directory, *changes):
    create, turns, loss, own = KINDS[kind]
    given = {"epochs": 60, "batch_size": 16, "learning_rate": 0.01, "average": 0.9, "patience": 1000}
    settings = Training(**given | own | {k: json.loads(v) for k, v in (change.split("=") for change in changes)})
    devices.prepare()
    random = np.random.default_rng(0)
    x = random.normal(size=(256, 3)).astype("float32")
    examples = Examples({"x": x, "y": np.sin(x.sum(1, keepdims=True))})
    marks = Checkpoints(Path(directory) / "checkpoints", "key", 0.0)
    best, history = loop.fit(create, turns, loss, examples, examples.take(slice(0, 64)), settings, marks)
    if processes.leads():
        leaves = jax.tree.leaves(best)
        np.savez(Path(directory) / "half.npz", *leaves)
        history.to_parquet(Path(directory) / "history.parquet")
        (Path(directory) / "half.npz").rename(Path(directory) / "result.npz")


if __name__ == "__main__":
    main(*sys.argv[1:])
