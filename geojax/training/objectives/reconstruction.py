"""Departures of a reconstruction from what it was made of, and of a posterior from its prior."""

from collections.abc import Callable

import jax
import jax.numpy as jnp


def masked_huber(predicted: jax.Array, target: jax.Array, observed: jax.Array, delta: float = 1.0) -> jax.Array:
    """Mean Huber loss where the target is known: half the square within `delta`, linear beyond.

    predicted, target : any one shape; target may be NaN where it is not known
    observed : weights of that shape (or one that broadcasts to it), 0 where the target does not count
    source : Huber (1964), doi:10.1214/aoms/1177703732
    """
    weight = jnp.broadcast_to(observed, predicted.shape).astype(jnp.float32)
    size = jnp.abs(_departure(predicted, target, weight))
    inner = jnp.minimum(size, delta)
    return jnp.sum(weight * inner * (size - 0.5 * inner)) / jnp.maximum(jnp.sum(weight), 1e-12)


def log_error(restored: jax.Array, x: jax.Array) -> jax.Array:
    """Mean over examples of the log ratio of squared error to the square of x, in dB; (example, …) both.

    Each example counts alike, whatever its size and however hard it is: minus the mean ratio of signal to error.
    """
    own = range(1, x.ndim)
    error, size = (jnp.sum(y.astype(jnp.float32) ** 2, own) for y in (restored - x, x))
    return 10 * jnp.mean(jnp.log10(jnp.maximum(error, 1e-12)) - jnp.log10(jnp.maximum(size, 1e-12)))


def masked_reconstruction(
    restore: Callable[[jax.Array], jax.Array],
    x: jax.Array,
    observed: jax.Array,
    key: jax.Array | None = None,
    *,
    hidden: float = 0.0,
    delta: float | None = None,
) -> jax.Array:
    """Mean loss of restoring x from what is observed of it.

    With a key, a random share of what is observed is hidden from the model too, and only that counts
    (Vincent et al. 2008, doi:10.1145/1390156.1390294; He et al. 2022, arXiv:2111.06377); else all that is observed.

    restore : from an array like x, zero where nothing is shown, to its reconstruction
    x : any shape; may be NaN where not observed
    observed : booleans that broadcast to x
    hidden : share from 0 to 1; at 0 nothing more is hidden
    delta : of the Huber loss; without it the loss is the mean square
    """
    observed = jnp.broadcast_to(observed, x.shape).astype(bool)
    counts, shown = observed, observed
    if key is not None and hidden > 0:
        counts = observed & jax.random.bernoulli(key, hidden, x.shape)
        shown = observed & ~counts
    restored = restore(jnp.where(shown, x, 0))
    if delta is not None:
        return masked_huber(restored, x, counts, delta)
    weight = counts.astype(jnp.float32)
    return jnp.sum(_departure(restored, x, weight) ** 2) / jnp.maximum(jnp.sum(weight), 1e-12)


def kl_divergence(
    mean: jax.Array,
    log_variance: jax.Array,
    prior_mean: jax.Array | float = 0.0,
    prior_log_variance: jax.Array | float = 0.0,
) -> jax.Array:
    """Kullback-Leibler divergence of Gaussians with diagonal covariance from others, (example,) in nats.

    mean, log_variance : (example, dimension); those of the prior broadcast to it, standard normal by default
    """
    mean, log_variance = mean.astype(jnp.float32), log_variance.astype(jnp.float32)
    apart = log_variance - prior_log_variance
    scaled = (mean - prior_mean) ** 2 * jnp.exp(-jnp.asarray(prior_log_variance, jnp.float32))
    return 0.5 * jnp.sum(jnp.exp(apart) + scaled - 1 - apart, -1)


def evidence_lower_bound(
    x: jax.Array,
    reconstruction: jax.Array,
    mean: jax.Array,
    log_variance: jax.Array,
    observed: jax.Array | bool = True,
    *,
    noise: float = 1.0,
    beta: float = 1.0,
) -> jax.Array:
    """Lower bound of the log-density of x under a variational autoencoder, (example,) in nats; to be made large.

    Gaussian log-likelihood with standard deviation `noise`, summed over what is observed, less `beta` times the
    divergence of the posterior from a standard normal prior; a bound only for beta of 1 or more.

    x, reconstruction : (example, …), the latter from a code drawn from the posterior; x may be NaN where not observed
    mean, log_variance : (example, code), the posterior's
    observed : weights that broadcast to x
    source : Kingma and Welling (2014), arXiv:1312.6114; beta of Higgins et al. (ICLR 2017)
    """
    weight = jnp.broadcast_to(observed, x.shape).astype(jnp.float32)
    square = (_departure(reconstruction, x, weight) / noise) ** 2
    likelihood = -0.5 * weight * (square + jnp.log(2 * jnp.pi * noise**2))
    return jnp.sum(likelihood, range(1, x.ndim)) - beta * kl_divergence(mean, log_variance)


def _departure(predicted: jax.Array, target: jax.Array, weight: jax.Array) -> jax.Array:
    """predicted − target in float32, 0 where the weight is."""
    known = weight > 0
    apart = predicted.astype(jnp.float32) - jnp.where(known, target, 0).astype(jnp.float32)
    return jnp.where(known, apart, 0)
