"""Several processes that train one model, under Slurm's srun or started by hand."""

import os
from typing import NamedTuple

import jax

from geojax.errors import UserError
from geojax.log import logger

PATIENCE_S = 120


class Seat(NamedTuple):
    """A process among others: who coordinates (host:port, None for Slurm's own), how many there are, which it is."""

    coordinator: str | None
    processes: int
    number: int


def seat(environment: dict[str, str]) -> Seat | None:
    """Where this process sits by its environment, or None if it is alone.

    GEOJAX_COORDINATOR, GEOJAX_PROCESSES and GEOJAX_PROCESS, by hand, or what srun sets for a step of several tasks.
    raises UserError : only some are set, or they are not numbers
    """
    names = ("GEOJAX_COORDINATOR", "GEOJAX_PROCESSES", "GEOJAX_PROCESS")
    given = [environment.get(name) for name in names]
    if any(given):
        coordinator, *numbers = given
        if not (coordinator and all(each and each.isdigit() for each in numbers)):
            told = ", ".join(f"{name}={value}" for name, value in zip(names, given, strict=True))
            raise UserError(
                f"several processes: GEOJAX_COORDINATOR must be host:port and the others numbers, but {told}. "
                "Set all three, or none."
            )
        return Seat(coordinator, *map(int, numbers))  # pyright: ignore[reportArgumentType]
    tasks = int(environment.get("SLURM_STEP_NUM_TASKS", 1))
    return Seat(None, tasks, int(environment["SLURM_PROCID"])) if tasks > 1 else None


def join() -> None:
    """Meet the other processes, if there are any; nothing to do twice.

    raises UserError : they did not come
    """
    own = seat(dict(os.environ))
    if own is None or jax.distributed.is_initialized():
        return
    where = own.coordinator or "the first node of the Slurm job"
    logger.info("process %d waits up to %d s for all %d at %s", own.number, PATIENCE_S, own.processes, where)
    by_hand = {"coordinator_address": own.coordinator, "num_processes": own.processes, "process_id": own.number}
    try:
        jax.distributed.initialize(**(by_hand if own.coordinator else {}), initialization_timeout=PATIENCE_S)
    except Exception as error:  # the runtime raises its own kinds
        raise UserError(
            f"several processes: all {own.processes} must meet at {where} within {PATIENCE_S} s, but process "
            f"{own.number} could not ({error}). Is every process started, and does the host's name resolve from each "
            "node?"
        ) from None


def leads() -> bool:
    """Whether this process is the one that writes results."""
    return jax.process_index() == 0
