"""Departures from what is known: targets and labels."""

import jax
import jax.numpy as jnp
import optax


def masked_mean_square(predicted: jax.Array, target: jax.Array, observed: jax.Array) -> jax.Array:
    """Mean of squared departures where the target is known.

    predicted, target : any one shape; target may be NaN where it is not known
    observed : weights of that shape (or one that broadcasts to it), 0 where the target does not count
    """
    weight = jnp.broadcast_to(observed, predicted.shape).astype(predicted.dtype)
    departure = jnp.where(weight > 0, predicted - jnp.where(weight > 0, target, 0), 0)
    return jnp.sum(weight * departure**2) / jnp.maximum(jnp.sum(weight), 1e-12)


def cross_entropy(logits: jax.Array, label: jax.Array, smoothing: float = 0.0) -> jax.Array:
    """Mean cross-entropy of logits (example, class) against integer labels (example,)."""
    wanted = optax.smooth_labels(jax.nn.one_hot(label, logits.shape[-1]), smoothing)
    return jnp.mean(optax.softmax_cross_entropy(logits, wanted))
