"""A training killed at random moments ends with the bits of one that nobody disturbed."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

TRAINER = Path(__file__).with_name("trainer.py")
KILLS = 4  # of each kind


def start(kind, directory):
    directory.mkdir(exist_ok=True)
    with open(directory / "said.txt", "a") as said:
        return subprocess.Popen([sys.executable, TRAINER, kind, directory], stdout=said, stderr=said)


def result(directory):
    with np.load(directory / "result.npz") as found:
        return [found[name] for name in found.files], pd.read_parquet(directory / "history.parquet")


def kill(process, directory, checkpoints, delay_s):
    """SIGKILL a moment after it has written some checkpoints more."""
    kept = directory / "checkpoints" / "key"
    first = latest(kept)
    while latest(kept) < first + checkpoints:
        assert process.poll() is None, (directory / "said.txt").read_text()
        time.sleep(0.002)
    time.sleep(delay_s)
    process.kill()
    process.wait()


def latest(kept):
    return max((int(path.name) for path in kept.glob("*") if path.name.isdigit()), default=0)


@pytest.mark.parametrize("kind", ["supervised", "adversarial", "ensemble"])
def test_a_training_killed_at_random_moments_ends_with_the_same_bits(kind, tmp_path):
    assert start(kind, tmp_path / "whole").wait(300) == 0, (tmp_path / "whole/said.txt").read_text()
    random = np.random.default_rng(len(kind))
    for _ in range(KILLS):
        kill(start(kind, tmp_path / "broken"), tmp_path / "broken", random.integers(1, 4), random.uniform(0, 0.05))
    assert not (tmp_path / "broken" / "result.npz").exists()
    assert start(kind, tmp_path / "broken").wait(300) == 0, (tmp_path / "broken/said.txt").read_text()

    weights, history = result(tmp_path / "whole")
    again, retold = result(tmp_path / "broken")
    assert all(np.array_equal(a, b) for a, b in zip(weights, again, strict=True))
    assert history.equals(retold)
    assert len(history) == 60 * (3 if kind == "ensemble" else 1)
