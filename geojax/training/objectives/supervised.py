"""Departures from what is known: targets and labels."""

import jax
import jax.numpy as jnp
import numpy as np
import optax


def masked_mean_square(predicted: jax.Array, target: jax.Array, observed: jax.Array) -> jax.Array:
    """Mean of squared departures where the target is known.

    predicted, target : any one shape; target may be NaN where it is not known
    observed : weights of that shape (or one that broadcasts to it), 0 where the target does not count
    """
    weight = jnp.broadcast_to(observed, predicted.shape).astype(predicted.dtype)
    departure = jnp.where(weight > 0, predicted - jnp.where(weight > 0, target, 0), 0)
    return jnp.sum(weight * departure**2) / jnp.maximum(jnp.sum(weight), 1e-12)


def cross_entropy(
    logits: jax.Array, label: jax.Array, smoothing: float = 0.0, weights: jax.Array | None = None
) -> jax.Array:
    """Mean cross-entropy of logits (…, class) against integer labels (…); a label below zero does not count.

    smoothing : share of each label that is spread over all classes
    weights : (class,), how much an example of each class counts, as `balanced` gives them
    """
    wanted = optax.smooth_labels(jax.nn.one_hot(label, logits.shape[-1]), smoothing)
    each = optax.softmax_cross_entropy(logits, wanted)
    counts = jnp.where(label < 0, 0.0, 1.0 if weights is None else weights[label])
    return jnp.sum(counts * each) / jnp.maximum(jnp.sum(counts), 1e-12)


def balanced(label: np.ndarray, classes: int) -> np.ndarray:
    """Weights (class,) under which all classes that occur count alike in sum; 0 for one that does not occur.

    label : integer labels of the training examples, any shape; below zero where there is none
    """
    counts = np.bincount(label[label >= 0], minlength=classes)
    known = counts > 0
    return np.where(known, counts.sum() / (known.sum() * np.maximum(counts, 1)), 0.0).astype("float32")
