"""Arithmetic in bfloat16 between weights, losses and updates that stay float32."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

LOW = jnp.bfloat16


def cast(tree: Any, dtype: Any) -> Any:
    """The tree with its floating-point arrays as `dtype`; integers, masks and keys as they are."""
    return jax.tree.map(lambda x: x.astype(dtype) if _is_float(x) else x, tree)


class Low:
    """A model whose weights are bfloat16, seen from a loss that knows float32 only.

    Whatever is called of it gets its arrays as bfloat16 and returns float32.
    """

    def __init__(self, called: Any) -> None:
        self._called = called

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        args, kwargs = cast((args, kwargs), LOW)
        return cast(self._called(*args, **kwargs), jnp.float32)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._called, name)
        return Low(found) if isinstance(found, nnx.Module) or callable(found) else found


def _is_float(x: Any) -> bool:
    return hasattr(x, "dtype") and jnp.issubdtype(x.dtype, jnp.floating)
