"""What a killed training resumes from: outside the rule's outputs, keyed by data and configuration."""

import shutil
import time
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp

from geojax import store
from geojax.log import logger
from geojax.training import processes


class Checkpoints:
    """The last state of a training, which holds the best weights too; written in the background, whole or not at all.

    facts : what stands behind the key, so that a checkpoint of another one is refused with the difference
    """

    def __init__(
        self, directory: str | Path, key: str, interval_s: float = 5.0, facts: dict[str, Any] | None = None
    ) -> None:
        self.directory, self.key = Path(directory).absolute(), key
        self.path = self.directory / key
        self.interval_s, self.saved = interval_s, time.monotonic()
        for other in self._others():
            _tell(other, self.path, facts)
        if facts is not None and processes.leads():
            store.write_json(facts, self.directory / f"{key}.json")
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
        rows = list(history)  # which grows while this is written
        args = ocp.args.Composite(
            state=ocp.args.StandardSave(_plain(jax.device_get(state))), history=ocp.args.JsonSave({"rows": rows})
        )
        self.manager.save(epoch, args=args)

    def told(self) -> str:
        """Where the last good state is."""
        epoch = self.manager.latest_step()
        if epoch is None:
            return "There is no checkpoint before it."
        return f"The last good state, after epoch {epoch - 1}, is kept in {self.path}."

    def close(self) -> None:
        """Wait until the last one stands on the disk; those of other keys are then of no use to anyone."""
        self.manager.wait_until_finished()
        self.manager.close()
        for other in self._others() if processes.leads() else []:
            shutil.rmtree(other, ignore_errors=True)
            other.with_name(f"{other.name}.json").unlink(missing_ok=True)

    def _others(self) -> list[Path]:
        return [path for path in sorted(self.directory.glob("*")) if path.is_dir() and path.name != self.key]


def differences(before: Any, now: Any, name: str = "") -> list[str]:
    """Settings that differ between two nested sets of them, as `training.learning_rate: 0.01, now 0.02`."""
    if isinstance(before, dict) and isinstance(now, dict):
        keys = sorted(before.keys() | now.keys())
        inner = (differences(before.get(key), now.get(key), f"{name}.{key}" if name else key) for key in keys)
        return [each for several in inner for each in several]
    return [] if before == now else [f"{name}: {before}, now {now}"]


def _tell(other: Path, path: Path, facts: dict[str, Any] | None) -> None:
    """Say why the checkpoint of another key is not resumed from; it stays until this training has finished."""
    kept = other.with_name(f"{other.name}.json")
    told = differences(store.read_json(kept), facts) if facts is not None and kept.exists() else ["unknown"]
    logger.info("not resumed from checkpoint %s, for it is of something else: %s", other, "; ".join(told[:8]))


def _plain(state: Any) -> list[Any]:
    """Leaves only: the tree's own classes need not survive in the file."""
    return jax.tree.leaves(state)
