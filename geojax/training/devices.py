"""What JAX runs on, how arrays lie on it, and where it keeps what it compiled."""

import os
from pathlib import Path
from typing import Any, NamedTuple

import jax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from geojax.config.run import Training
from geojax.errors import UserError
from geojax.log import logger
from geojax.task import Examples
from geojax.training import processes


def prepare(device: str = "auto") -> str:
    """Choose the devices, switch on the compilation cache that jobs share, and say what was found.

    device : auto, cpu, gpu or tpu; `auto` takes an accelerator where there is one
    raises UserError : there is no such device
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "geojax" / "compiled"
    jax.config.update("jax_compilation_cache_dir", str(cache))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
    if device != "auto":
        jax.config.update("jax_platforms", device)
    processes.join()
    try:
        devices = jax.devices(None if device == "auto" else device)
    except RuntimeError as error:
        raise UserError(
            f"training: device: {device} was asked for, but JAX finds none ({error}). Write `device: auto`, or install "
            "JAX for it as its documentation says."
        ) from None
    kinds = sorted({each.device_kind for each in devices})
    text = f"{len(devices)} × {', '.join(kinds)} ({jax.default_backend()}), JAX {jax.__version__}"
    if jax.process_count() > 1:
        text += f", {jax.process_count()} processes"
    logger.info("device: %s (`device: %s`); compiled code is kept in %s", text, device, cache)
    return text


class Layout(NamedTuple):
    """Devices over which the examples of a batch are shared out; weights and data are on each."""

    mesh: Mesh | None

    @classmethod
    def of(cls, settings: Training) -> "Layout":
        """All devices that were found.

        raises UserError : a batch cannot be shared out evenly
        """
        count = jax.device_count()
        if count == 1:
            return cls(None)
        if settings.batch_size // settings.accumulate % count:
            raise UserError(
                f"training: batch_size (by accumulate: {settings.batch_size // settings.accumulate}) must be a "
                f"multiple of the {count} devices found. Change it, or hide some of them "
                "(CUDA_VISIBLE_DEVICES, JAX_NUM_CPU_DEVICES)."
            )
        return cls(jax.make_mesh((count,), ("data",), axis_types=(AxisType.Auto,)))

    def copied(self, tree: Any) -> Any:
        """The tree's arrays, whole on every device."""
        return jax.device_put(tree, None if self.mesh is None else NamedSharding(self.mesh, PartitionSpec()))

    def shared_out(self, batch: Examples) -> Examples:
        """The batch with an equal share of its examples on each device; under jit."""
        if self.mesh is None:
            return batch
        share = NamedSharding(self.mesh, PartitionSpec("data"))
        return Examples(jax.lax.with_sharding_constraint(batch.rows, share), batch.shared)
