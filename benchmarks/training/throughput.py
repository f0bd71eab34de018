"""Training throughput, data included, of geojax and of PyTorch, in turn: `throughput.py [NAME …] [--rounds N]`.

Whole epochs over examples in memory: geojax's compiled epoch, and a PyTorch loop that shuffles, takes batches by index
and never waits for a loss (kinder than its DataLoader), eager and by torch.compile; AdamW and clipping in all.
"""

import os
from collections.abc import Callable
from statistics import median
from typing import Annotated, Any

import jax
import numpy as np
import torch
import typer
from architectures import ARCHITECTURES, CLIP, DECAY, RATE, Architecture

from benchmarks.data.pairs import in_turn, machine
from geojax.config import Training
from geojax.task import Examples
from geojax.training import loop, members
from geojax.training.devices import Layout

MEMBERS = 8
Way = Callable[[], object]


def ours(case: Architecture, arrays: dict[str, np.ndarray], ensemble: int) -> tuple[Way, int]:
    """An epoch of geojax, and its number of parameters."""
    updates = sum(turn.times for turn in case.turns)
    own = Training(
        epochs=1000, batch_size=case.batch, learning_rate=RATE, clip_norm=CLIP, weight_decay=DECAY, ensemble=ensemble
    )
    graph, state = members.begin(case.model, case.turns, own, case.steps)
    rows_of = loop._rows_of(own, (case.steps, updates, case.batch), len(arrays["x"]), None)
    epoch = loop._compile(graph, case.turns, _no_loss, own, case.steps, rows_of, Layout(None))
    examples = jax.device_put(Examples(arrays))
    few = examples.take(np.arange(2))
    held = {"state": state, "number": 0}

    def run() -> None:
        held["state"], losses, _ = epoch(held["state"], held["number"], examples, few)
        held["number"] += 1
        if not np.isfinite(np.asarray(losses)).all():
            raise SystemExit(f"{case.title}: a loss of geojax is not finite")

    return run, sum(leaf.size for leaf in jax.tree.leaves(state.params)) // ensemble


def _no_loss(model: Any, batch: Any, key: Any, training: bool) -> Any:
    return jax.numpy.zeros(())  # PyTorch's loop does not validate either


def theirs(case: Architecture, arrays: dict[str, np.ndarray], compiled: bool) -> tuple[Way, int]:
    """An epoch of PyTorch, and its number of parameters."""
    modules = case.peer()
    optimizers = [torch.optim.AdamW(module.parameters(), RATE, weight_decay=DECAY, fused=True) for module in modules]
    called = [torch.compile(module) for module in modules] if compiled else modules
    data = {
        name: torch.from_numpy(np.ascontiguousarray(np.moveaxis(array, -1, 1) if name in case.swaps else array))
        for name, array in arrays.items()
    }
    taken = case.batch * sum(turn.times for turn in case.turns)

    def run() -> None:
        order = torch.randperm(len(data["x"]))
        for step in range(case.steps):
            rows = order[step * taken : (step + 1) * taken]
            case.step(called, optimizers, {name: array[rows] for name, array in data.items()})

    return run, sum(p.numel() for module in modules for p in module.parameters())


def main(
    names: Annotated[list[str] | None, typer.Argument(help=f"of {', '.join(ARCHITECTURES)}; all without")] = None,
    rounds: int = 7,
    single: Annotated[bool, typer.Option(help="leave out ensembles of eight")] = False,
) -> None:
    """Print a table in Markdown: examples a second, and how many times PyTorch geojax is."""
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    print(f"{machine()}, JAX {jax.__version__} on {jax.default_backend()}, PyTorch {torch.__version__}\n")
    print("| architecture | examples/s | times eager | times torch.compile | ensemble of 8, times eager |")
    print("|---|---|---|---|---|", flush=True)
    for name in names or ARCHITECTURES:
        case = ARCHITECTURES[name]
        taken = case.batch * sum(turn.times for turn in case.turns)
        arrays = case.data(np.random.default_rng(0), case.steps * taken)
        (one, size), (eager, peers_size), (fast, _) = (
            ours(case, arrays, 1),
            theirs(case, arrays, False),
            theirs(case, arrays, True),
        )
        if size + case.spare != peers_size:
            raise SystemExit(
                f"{name}: both must be of one size, but geojax has {size} parameters, PyTorch {peers_size}."
            )
        ways: dict[str, Way] = {"geojax": one, "eager": eager, "compile": fast}
        if not single:
            ways["ensemble"] = ours(case, arrays, MEMBERS)[0]
        costs = in_turn(ways, rounds, warm=2)
        rate = median(case.steps * case.batch / cost.wall_s for cost in costs["geojax"])
        times = {peer: _ratio(costs[peer], costs["geojax"]) for peer in ("eager", "compile")}
        several = "" if single else f"{MEMBERS * _ratio(costs['eager'], costs['ensemble']):.2f}"
        print(f"| {case.title} | {rate:,.0f} | {times['eager']:.2f} | {times['compile']:.2f} | {several} |", flush=True)


def _ratio(peer: list[Any], own: list[Any]) -> float:
    return median(a.wall_s / b.wall_s for a, b in zip(peer, own, strict=True))


if __name__ == "__main__":
    typer.run(main)
