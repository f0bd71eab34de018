"""How sure a clustering is of itself."""

import jax
import jax.numpy as jnp


def sharpening(memberships: jax.Array, evenness: float = 1.0) -> jax.Array:
    """Mean Kullback-Leibler divergence, in nats, of memberships (example, cluster) from sharper ones: a scalar.

    The sharper ones, which stay fixed, are the squares of the memberships, divided by the size of the cluster in the
    batch to the power of `evenness`: 1 as in the source, so that clusters grow alike; 0 leaves them as they are.
    source : Xie et al. (2016), arXiv:1511.06335, equations 2 and 3
    """
    wide = memberships.astype(jnp.float32)
    target = wide**2 / jnp.maximum(jnp.sum(wide, 0), 1e-12) ** evenness
    target = jax.lax.stop_gradient(target / jnp.sum(target, -1, keepdims=True))
    tiny = jnp.finfo(jnp.float32).tiny
    departure = target * (jnp.log(jnp.maximum(target, tiny)) - jnp.log(jnp.maximum(wide, tiny)))
    return jnp.mean(jnp.sum(departure, -1))
