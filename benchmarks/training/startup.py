"""Seconds from the start of a process to the end of its first step: `startup.py [--rounds N]`.

The 1-D CNN of the throughput table, in geojax with nothing compiled before, in geojax with the cache that jobs
share, and in PyTorch eager; each in processes of their own, in turn.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Annotated

import typer

from benchmarks.data.pairs import machine

FOLDER = Path(__file__).parent


def one_step(way: str) -> None:
    """What a child process does: import everything, and train for one step."""
    import numpy as np

    random = np.random.default_rng(0)
    x, label = random.normal(size=(64, 1004, 3)).astype("float32"), random.integers(0, 4, 64).astype("int32")
    if way == "PyTorch":
        import peers
        import torch

        module = peers.CNN1D()
        rule = torch.optim.AdamW(module.parameters(), 1e-3)
        logits = module(torch.from_numpy(np.ascontiguousarray(x.swapaxes(1, 2))))
        torch.nn.functional.cross_entropy(logits, torch.from_numpy(label).long()).backward()
        rule.step()
        return
    from geojax import models
    from geojax.config import Training
    from geojax.task import Examples, Turn
    from geojax.training import devices, loop
    from geojax.training.checkpoints import Checkpoints
    from geojax.training.objectives import cross_entropy

    def loss(model, batch, key, training):
        return cross_entropy(model(batch.rows["x"]), batch.rows["label"])

    def create(rngs):
        return models.load("cnn")(3, 4, widths=(16, 32), windows=(24, 8), strides=(4, 2), norm=False, rngs=rngs)

    devices.prepare()
    examples, own = Examples({"x": x, "label": label}), Training(epochs=1, batch_size=64, learning_rate=1e-3)
    with tempfile.TemporaryDirectory() as folder:
        loop.fit(create, (Turn(loss),), loss, examples, examples, own, Checkpoints(folder, "key"))


def main(rounds: int = 5, way: Annotated[str, typer.Option(hidden=True)] = "") -> None:
    """Print medians in Markdown."""
    if way:
        one_step(way)
        return
    with tempfile.TemporaryDirectory() as kept:
        seconds: dict[str, list[float]] = {}
        for number in range(rounds + 1):
            for name in ("geojax, nothing compiled", "geojax, compiled before", "PyTorch"):
                cache = kept if "before" in name else tempfile.mkdtemp(dir=kept)
                start = time.perf_counter()
                told = [sys.executable, __file__, "--way", name.split(",")[0]]
                subprocess.run(told, env=os.environ | {"XDG_CACHE_HOME": cache}, check=True, capture_output=True)
                if number:  # the first round fills the cache and warms the disk
                    seconds.setdefault(name, []).append(time.perf_counter() - start)
    print(machine() + "\n\n| way | seconds to the end of the first step |\n|---|---|")
    for name, each in seconds.items():
        print(f"| {name} | {median(each):.1f} |")


if __name__ == "__main__":
    typer.run(main)
