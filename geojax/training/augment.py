"""Fresh examples on the device at every step, as pure functions of a key."""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike


def cut(waveforms: jax.Array, station: jax.Array, start: jax.Array, samples: int) -> jax.Array:
    """A demeaned window (3, samples) of waveforms (station, 3, sample)."""
    window = jax.lax.dynamic_slice(waveforms, (station, 0, start), (1, 3, samples))[0]
    return window - window.mean(1, keepdims=True)


def turn(window: jax.Array, angle: ArrayLike) -> jax.Array:
    """Horizontals (first two of (…, 3, sample)) turned by `angle` in radians."""
    c, s = jnp.cos(angle), jnp.sin(angle)
    north, east, vertical = (window[..., i, :] for i in range(3))
    return jnp.stack([c * north - s * east, s * north + c * east, vertical], -2)


def turn_and_flip(key: jax.Array, window: jax.Array) -> jax.Array:
    """Horizontals turned by a random angle, and the sign of all three drawn at random."""
    angle, sign = jax.random.uniform(key, (2,))
    return turn(window, 2 * jnp.pi * angle) * jnp.where(sign < 0.5, -1.0, 1.0)


def add_noise(signal: jax.Array, noise: jax.Array, onset: jax.Array, span: int, snr_db: jax.Array) -> jax.Array:
    """Signal with noise at a ratio measured over `span` samples from `onset`; unit deviation over all components."""
    level = jax.lax.dynamic_slice(signal, (0, onset), (signal.shape[0], span)).std()
    mixed = signal + noise * (level / (noise.std() + 1e-6) * 10 ** (-snr_db / 20))
    return mixed / (mixed.std() + 1e-6)
