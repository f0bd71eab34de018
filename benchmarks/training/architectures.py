"""What is trained in turn by geojax and by PyTorch: data, model and step of each, of one size."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import optax
import peers
import torch
from torch.nn import functional

from geojax import models
from geojax.task import Turn
from geojax.training.objectives import adversarial

Arrays = dict[str, np.ndarray]
RATE, CLIP, DECAY = 1e-3, 1.0, 1e-4


class Architecture(NamedTuple):
    """One line of the table.

    data : random generator and number of examples to arrays (example, …), as geojax lays them out
    model : random streams to a Flax module; turns, loss : as the training loop takes them
    peer : makes what PyTorch trains; step : (modules, optimizers, batch) does one step of it
    swaps : arrays whose channels PyTorch wants first
    spare : biases that PyTorch's recurrent layers have twice, and only they
    """

    title: str
    batch: int
    steps: int
    data: Callable[[np.random.Generator, int], Arrays]
    model: Callable[[Any], Any]
    turns: tuple[Turn, ...]
    peer: Callable[[], list[torch.nn.Module]]
    step: Callable[[list[Any], list[Any], dict[str, torch.Tensor]], None]
    swaps: tuple[str, ...] = ()
    spare: int = 0


def normal(shape: tuple[int, ...], classes: int = 0, target: tuple[int, ...] = ()) -> Callable[..., Arrays]:
    """Random examples with labels, or with targets."""

    def make(random: np.random.Generator, count: int) -> Arrays:
        made = {"x": random.normal(size=(count, *shape)).astype("float32")}
        if classes:
            made["label"] = random.integers(0, classes, (count, *target)).astype("int32")
        elif target:
            made["y"] = random.normal(size=(count, *target)).astype("float32")
        return made

    return make


def graphs(random: np.random.Generator, count: int) -> Arrays:
    """Graphs of 64 nodes with 8 neighbours each."""
    sender = random.integers(0, 64, (count, 64 * 8))
    receiver = np.broadcast_to(np.repeat(np.arange(64), 8), sender.shape)
    nodes = random.normal(size=(count, 64, 8)).astype("float32")
    return {
        "x": nodes,
        "edges": np.stack([sender, receiver], -1).astype("int32"),
        "label": random.integers(0, 4, (count, 64)).astype("int32"),
    }


def classified(model: Any, batch: Any, key: Any, training: bool) -> Any:
    logits = model(batch.rows["x"], *([batch.rows["edges"]] if "edges" in batch.rows else []))
    return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, batch.rows["label"]))


def squared(model: Any, batch: Any, key: Any, training: bool) -> Any:
    return jnp.mean((model(batch.rows["x"]) - batch.rows.get("y", batch.rows["x"])) ** 2)


def move(loss: torch.Tensor, module: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """One update, with gradients clipped as geojax clips them."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(module.parameters(), CLIP)
    optimizer.step()


def classify(modules: list[Any], optimizers: list[Any], batch: dict[str, torch.Tensor]) -> None:
    given = [batch["x"], *([batch["edges"].long()] if "edges" in batch else [])]
    logits, label = modules[0](*given), batch["label"].long()
    if logits.ndim > 2 and "edges" in batch:
        logits, label = logits.flatten(0, 1), label.flatten()
    move(functional.cross_entropy(logits, label), modules[0], optimizers[0])


def regress(modules: list[Any], optimizers: list[Any], batch: dict[str, torch.Tensor]) -> None:
    move(functional.mse_loss(modules[0](batch["x"]), batch.get("y", batch["x"])), modules[0], optimizers[0])


def play(modules: list[Any], optimizers: list[Any], batch: dict[str, torch.Tensor]) -> None:
    """The critic's turn on half of the examples given, the generator's on as many made ones."""
    generator, critic = modules
    real = batch["x"][: len(batch["x"]) // 2]
    with torch.no_grad():
        made = generator(torch.randn(len(real), 100))
    loss = functional.softplus(-critic(real)).mean() + functional.softplus(critic(made)).mean()
    move(loss, critic, optimizers[1])
    move(functional.softplus(-critic(generator(torch.randn(len(real), 100)))).mean(), generator, optimizers[0])


def load(name: str, *facts: Any, **sizes: Any) -> Callable[[Any], Any]:
    return lambda rngs: models.load(name)(*facts, **sizes, rngs=rngs)


WIDTHS = [1, 32, 64, 128, 256]
ARCHITECTURES = {
    "cnn1d": Architecture(
        "1-D CNN, 3 × 1,004 samples, 16 and 32 wide, batch 64", 64, 12, normal((1004, 3), 4),
        load("cnn", 3, 4, widths=(16, 32), windows=(24, 8), strides=(4, 2), norm=False, dropout=0.0),
        (Turn(classified),), lambda: [peers.CNN1D()], classify, ("x",),
    ),
    "cnn2d": Architecture(
        "2-D CNN, 64 × 64, 32, 64 and 128 wide, batch 32", 32, 6, normal((64, 64, 1), 4),
        load("cnn2d", 1, 4, norm=False, dropout=0.0), (Turn(classified),), lambda: [peers.CNN2D()], classify, ("x",),
    ),
    "autoencoder": Architecture(
        "dense autoencoder, 1,024–64–1,024, batch 256", 256, 30, normal((1024,)),
        load("dense_autoencoder", 1024, code=64), (Turn(squared),), lambda: [peers.Autoencoder(1024, 64)], regress,
    ),
    "small_autoencoder": Architecture(
        "dense autoencoder, 64–16–64, batch 32", 32, 200, normal((64,)),
        load("dense_autoencoder", 64, code=16), (Turn(squared),), lambda: [peers.Autoencoder(64, 16)], regress,
    ),
    "lstm100": Architecture(
        "LSTM, 64 hidden, 100 steps, batch 64", 64, 8, normal((100, 5), target=(1,)),
        load("lstm", 5, 1), (Turn(squared),), lambda: [peers.LSTM()], regress, spare=256,
    ),
    "lstm365": Architecture(
        "LSTM, 64 hidden, 365 steps, batch 256", 256, 2, normal((365, 5), target=(1,)),
        load("lstm", 5, 1), (Turn(squared),), lambda: [peers.LSTM()], regress, spare=256,
    ),
    "gru100": Architecture(
        "GRU, 64 hidden, 100 steps, batch 64", 64, 8, normal((100, 5), target=(1,)),
        load("gru", 5, 1), (Turn(squared),), lambda: [peers.GRU()], regress, spare=128,
    ),
    "unet1d": Architecture(
        "U-Net of PhaseNet's size, 3 × 3,001 samples, batch 64", 64, 2, normal((3001, 3), 3, (3001,)),
        load("unet1d", 3, 3), (Turn(classified),), lambda: [peers.UNet1D()], classify, ("x",),
    ),
    "dcgan": Architecture(
        "DCGAN, 64 × 64, 32 to 256 wide, batch 32, one turn each", 32, 2, normal((64, 64, 1)),
        load("gan", 1, size=64, latent=100, width=32), adversarial.dcgan(real=lambda batch: batch.rows["x"]),
        lambda: [peers.Generator(WIDTHS[::-1], 100), peers.Critic(WIDTHS)], play, ("x",),
    ),
    "graph": Architecture(
        "graph network, 64 nodes × 8 neighbours, 64 wide, 3 rounds, batch 32", 32, 8, graphs,
        load("graph_network", 8, 4), (Turn(classified),), lambda: [peers.GraphNetwork()], classify,
    ),
}  # fmt: skip
