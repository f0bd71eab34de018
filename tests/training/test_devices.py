"""Devices of one host, and several processes: the same training, wherever it runs."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from geojax.errors import UserError
from geojax.training import processes
from geojax.training.processes import Seat

TRAINER = Path(__file__).with_name("trainer.py")


def start(directory, *changes, **environment):
    directory.mkdir(exist_ok=True)
    told = {"env": os.environ | environment, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen([sys.executable, TRAINER, "supervised", directory, "epochs=8", *changes], **told)


def ended(process):
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said


def losses(directory):
    return pd.read_parquet(directory / "history.parquet")[["train_loss", "validation_loss"]].to_numpy()


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    directory = tmp_path_factory.mktemp("alone")
    ended(start(directory))
    return losses(directory)


@pytest.mark.parametrize("count", [2, 4])
def test_devices_of_a_host_share_a_batch_and_follow_the_same_losses(count, alone, tmp_path):
    ended(start(tmp_path, JAX_NUM_CPU_DEVICES=str(count)))

    np.testing.assert_allclose(losses(tmp_path), alone, rtol=1e-3)


def test_two_processes_follow_the_same_losses_as_one(alone, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {"GEOJAX_COORDINATOR": f"127.0.0.1:{port}", "GEOJAX_PROCESSES": "2"}
    both = [start(tmp_path, **own, GEOJAX_PROCESS=str(i)) for i in range(2)]
    for process in both:
        ended(process)

    np.testing.assert_allclose(losses(tmp_path), alone, rtol=1e-3)


def test_a_batch_that_devices_cannot_share_evenly_is_refused(tmp_path):
    process = start(tmp_path, "batch_size=15", JAX_NUM_CPU_DEVICES="2")
    said, _ = process.communicate(timeout=300)

    assert process.returncode != 0
    assert "multiple of the 2 devices found" in said


def test_a_device_that_is_not_there_is_named(tmp_path):
    code = "from geojax.training import devices; devices.prepare('tpu')"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)

    assert "device: tpu was asked for, but JAX finds none" in process.stderr


def test_a_seat_is_told_by_hand_or_by_srun():
    assert processes.seat({}) is None
    assert processes.seat({"SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0"}) is None
    assert processes.seat({"SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": "3"}) == Seat(None, 4, 3)
    by_hand = {"GEOJAX_COORDINATOR": "a:1", "GEOJAX_PROCESSES": "2", "GEOJAX_PROCESS": "1"}
    assert processes.seat(by_hand) == Seat("a:1", 2, 1)


@pytest.mark.parametrize("given", [{"GEOJAX_PROCESS": "1"}, {"GEOJAX_COORDINATOR": "a:1", "GEOJAX_PROCESSES": "two"}])
def test_half_a_seat_is_refused(given):
    with pytest.raises(UserError, match="Set all three, or none"):
        processes.seat(given)
