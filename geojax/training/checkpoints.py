"""What a killed training goes on from: outside the rule's outputs, keyed by data and configuration."""

import shutil
import time
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp


class Checkpoints:
    """The last state of a training; written in the background, whole or not at all."""

    def __init__(self, directory: str | Path, key: str, interval_s: float = 5.0) -> None:
        directory = Path(directory).absolute()
        for other in directory.glob("*"):
            if other.name != key:  # of other data or another configuration: of no use to anyone
                shutil.rmtree(other, ignore_errors=True)
        self.path = directory / key
        self.interval_s, self.saved = interval_s, time.monotonic()
        self.manager = ocp.CheckpointManager(
            self.path, options=ocp.CheckpointManagerOptions(max_to_keep=1, create=True)
        )

    def restore(self, like: Any) -> tuple[int, Any, list[dict[str, float]]] | None:
        """Epochs done, state and history of the last checkpoint, or None if there is none."""
        epoch = self.manager.latest_step()
        if epoch is None:
            return None
        args = ocp.args.Composite(
            state=ocp.args.StandardRestore(jax.tree.map(ocp.utils.to_shape_dtype_struct, _plain(like))),
            history=ocp.args.JsonRestore(),
        )
        found = self.manager.restore(epoch, args=args)
        leaves = jax.tree.leaves(found["state"])
        return epoch, jax.tree.unflatten(jax.tree.structure(like), leaves), found["history"]["rows"]

    def save(self, epoch: int, state: Any, history: list[dict[str, float]]) -> None:
        """Keep the state after `epoch` epochs, unless one was kept moments ago."""
        if time.monotonic() - self.saved < self.interval_s:
            return
        self.saved = time.monotonic()
        args = ocp.args.Composite(
            state=ocp.args.StandardSave(_plain(jax.device_get(state))), history=ocp.args.JsonSave({"rows": history})
        )
        self.manager.save(epoch, args=args)

    def close(self) -> None:
        """Wait until the last one stands on the disk."""
        self.manager.wait_until_finished()
        self.manager.close()


def _plain(state: Any) -> list[Any]:
    """Leaves only: the tree's own classes need not survive in the file."""
    return jax.tree.leaves(state)
