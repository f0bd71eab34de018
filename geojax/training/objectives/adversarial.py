"""Games of a generator and its critic: each builder returns the turns of a training step, the critic's first.

A model has attributes `generator`, called with noise (example, generator.latent), and `critic`, which gives scores
(example,); both take `key` and the conditions by name. A builder takes

real : from a batch to real samples (example, …), scaled as the generator's are
condition : from a batch to the conditions of its examples, for instance {"label": (example,)}
critic_steps : updates of the critic in one step, each on a batch of its own
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from geojax.task import Examples, Turn

Real = Callable[[Examples], jax.Array]
Condition = Callable[[Examples], dict[str, jax.Array]]
Scored = Callable[[jax.Array, jax.Array], jax.Array]  # scores of real and of generated samples to a loss


def unconditional(batch: Examples) -> dict[str, jax.Array]:
    """No conditions."""
    return {}


def dcgan(
    real: Real, condition: Condition = unconditional, *, smoothing: float = 0.0, critic_steps: int = 1
) -> tuple[Turn, Turn]:
    """Logistic critic and non-saturating generator (Goodfellow et al. 2014, arXiv:1406.2661).

    smoothing : how far below 1 the label of real samples lies (one-sided, Salimans et al. 2016, arXiv:1606.03498)
    """

    def judged(of_real: jax.Array, of_made: jax.Array) -> jax.Array:
        return logistic(of_real, of_made, smoothing)

    return (
        Turn(_critic_loss(real, condition, judged), "critic", critic_steps),
        Turn(_generator_loss(real, condition, lambda scores: jnp.mean(jax.nn.softplus(-scores))), "generator"),
    )


def wgan_gp(
    real: Real, condition: Condition = unconditional, *, penalty: float = 10.0, critic_steps: int = 5
) -> tuple[Turn, Turn]:
    """Wasserstein game with gradient penalty (Gulrajani et al. 2017, arXiv:1704.00028)."""
    return (
        Turn(_critic_loss(real, condition, wasserstein, penalty), "critic", critic_steps),
        Turn(_generator_loss(real, condition, lambda scores: -jnp.mean(scores)), "generator"),
    )


def hinge(real: Real, condition: Condition = unconditional, *, critic_steps: int = 1) -> tuple[Turn, Turn]:
    """Hinge loss, for a critic with spectral normalization (Miyato et al. 2018, arXiv:1802.05957)."""
    return (
        Turn(_critic_loss(real, condition, margin), "critic", critic_steps),
        Turn(_generator_loss(real, condition, lambda scores: -jnp.mean(scores)), "generator"),
    )


def logistic(of_real: jax.Array, of_made: jax.Array, smoothing: float = 0.0) -> jax.Array:
    """Cross-entropy of logits of real samples against 1 − smoothing, and of generated ones against 0."""
    right = (1 - smoothing) * jax.nn.softplus(-of_real) + smoothing * jax.nn.softplus(of_real)
    return jnp.mean(right) + jnp.mean(jax.nn.softplus(of_made))


def wasserstein(of_real: jax.Array, of_made: jax.Array) -> jax.Array:
    """Mean score of generated samples less that of real ones: minus the distance that the critic sees."""
    return jnp.mean(of_made) - jnp.mean(of_real)


def margin(of_real: jax.Array, of_made: jax.Array) -> jax.Array:
    """How far real samples lie below 1, and generated ones above −1, in the mean."""
    return jnp.mean(jax.nn.relu(1 - of_real)) + jnp.mean(jax.nn.relu(1 + of_made))


def gradient_penalty(
    critic: Callable[[jax.Array], jax.Array], real: jax.Array, made: jax.Array, key: jax.Array
) -> jax.Array:
    """Mean squared departure from 1 of the critic's slope, at random points between real and generated samples.

    real, made : (example, …), paired
    """
    share = jax.random.uniform(key, (len(real), *[1] * (real.ndim - 1)), real.dtype)
    slope = jax.grad(lambda x: jnp.sum(critic(x).astype(jnp.float32)))(share * real + (1 - share) * made)
    square = jnp.sum(slope.astype(jnp.float32) ** 2, range(1, real.ndim))
    return jnp.mean((jnp.sqrt(square + 1e-12) - 1) ** 2)  # the root of 0 has no slope


def _made(model: Any, like: jax.Array, given: dict[str, jax.Array], key: jax.Array, training: bool) -> jax.Array:
    """As many samples of the generator as there are real ones."""
    noise, own = jax.random.split(key)
    latent = jax.random.normal(noise, (len(like), model.generator.latent), like.dtype)
    return model.generator(latent, key=own if training else None, **given)


def _critic_loss(real: Real, condition: Condition, judged: Scored, penalty: float = 0.0) -> Callable[..., jax.Array]:
    def loss(model: Any, batch: Examples, key: jax.Array, training: bool) -> jax.Array:
        first, second, third = jax.random.split(key, 3)
        x, given = real(batch), condition(batch)
        made = jax.lax.stop_gradient(_made(model, x, given, first, training)).astype(x.dtype)
        twice = {name: jnp.concatenate([value, value]) for name, value in given.items()}
        scores = model.critic(jnp.concatenate([x, made]), key=second if training else None, **twice)
        of_real, of_made = jnp.split(scores.astype(jnp.float32), 2)
        value = judged(of_real, of_made)
        if penalty:
            value += penalty * gradient_penalty(lambda between: model.critic(between, **given), x, made, third)
        return value

    return loss


def _generator_loss(
    real: Real, condition: Condition, judged: Callable[[jax.Array], jax.Array]
) -> Callable[..., jax.Array]:
    def loss(model: Any, batch: Examples, key: jax.Array, training: bool) -> jax.Array:
        first, second = jax.random.split(key)
        given = condition(batch)
        made = _made(model, real(batch), given, first, training)
        scores = model.critic(made, key=second if training else None, **given)
        return judged(scores.astype(jnp.float32))

    return loss
