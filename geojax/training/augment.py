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


def mixture(signal: jax.Array, noise: jax.Array, snr_db: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Signal with noise at a ratio of their sums of squares over the whole window, and the signal in it.

    Both are divided by the deviation of the former over all components.
    """
    mixed = signal + noise * (signal.std() / jnp.maximum(noise.std(), 1e-12) * 10 ** (-snr_db / 20))
    scale = jnp.maximum(mixed.std(), 1e-12)
    return mixed / scale, signal / scale


def turn_square(key: jax.Array, field: jax.Array) -> jax.Array:
    """One of the eight turns and reflections of a square field (side, side, …), drawn at random."""
    views = [jnp.rot90(each, quarter) for each in (field, field.swapaxes(0, 1)) for quarter in range(4)]
    return jnp.stack(views)[jax.random.randint(key, (), 0, len(views))]


def shift(key: jax.Array, x: jax.Array, axis: int, most: int) -> jax.Array:
    """Moved by up to `most` places either way along an axis that closes on itself, as longitude does."""
    return jnp.roll(x, jax.random.randint(key, (), -most, most + 1), axis)


def scale(key: jax.Array, x: jax.Array, low: float, high: float) -> jax.Array:
    """Multiplied by a factor between `low` and `high`, both above zero, drawn evenly in its logarithm."""
    return x * jnp.exp(jax.random.uniform(key, (), x.dtype, jnp.log(low), jnp.log(high)))


def blank(key: jax.Array, x: jax.Array, length: int, fill: ArrayLike = 0.0) -> jax.Array:
    """A stretch of `length` along the first axis, at a random place, set to `fill`, as where a record is missing."""
    start = jax.random.randint(key, (), 0, len(x) - length + 1)
    place = jnp.arange(len(x)).reshape(-1, *(1,) * (x.ndim - 1))
    return jnp.where((place >= start) & (place < start + length), fill, x)


def mix(key: jax.Array, batch: jax.Array, label: jax.Array, alpha: float) -> tuple[jax.Array, jax.Array]:
    """Each example of (example, …) mixed with another, and its soft labels (example, class) alike.

    source : Zhang et al. (2018), arXiv:1710.09412
    """
    draw, order = jax.random.split(key)
    share = jax.random.beta(draw, alpha, alpha, (len(batch),), batch.dtype)
    other = jax.random.permutation(order, len(batch))

    def of(x: jax.Array) -> jax.Array:
        own = share.reshape(-1, *(1,) * (x.ndim - 1))
        return own * x + (1 - own) * x[other]

    return of(batch), of(label)


def sample(pictures: jax.Array, number: jax.Array, place: jax.Array) -> jax.Array:
    """Values (…, channel) of one of several pictures (picture, row, column, channel) between its pixels, bilinear.

    place : (…, 2), row and column; beyond the border the border's values
    """
    _, rows, columns, channels = pictures.shape
    most = jnp.array([rows - 1, columns - 1], place.dtype)
    place = jnp.clip(place, 0, most)
    low = jnp.minimum(jnp.floor(place), most - 1)
    share = (place - low)[..., None]
    start = (number * rows + low[..., 0].astype(int)) * columns + low[..., 1].astype(int)
    flat = pictures.reshape(-1, channels)
    corners = [flat[start + step] for step in (0, 1, columns, columns + 1)]
    above, below = (a + share[..., 1, :] * (b - a) for a, b in (corners[:2], corners[2:]))
    return above + share[..., 0, :] * (below - above)
