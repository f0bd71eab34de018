"""What JAX runs on, and where it keeps what it compiled."""

import os
from pathlib import Path

import jax

from geojax.log import logger


def prepare() -> str:
    """Switch on the compilation cache that jobs share, and say which devices were found."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "geojax" / "compiled"
    jax.config.update("jax_compilation_cache_dir", str(cache))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
    devices = jax.devices()
    kinds = sorted({device.device_kind for device in devices})
    text = f"{len(devices)} × {', '.join(kinds)} ({jax.default_backend()}), JAX {jax.__version__}"
    logger.info("device: %s; compiled code is kept in %s", text, cache)
    return text
