"""A nonstationary covariance that is learned through the analysis it gives."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

# Adam moves every parameter about as far in a step; a covariance may move further than a network's weight.
SPEED = 5.0


def squared_distances(points: jax.Array) -> jax.Array:
    """Squared distances (point, point) of points (point, dimension)."""
    return jnp.sum((points[:, None] - points[None]) ** 2, axis=-1)


class LearnedCovariance(nnx.Module):
    """Localized sample covariance plus two exponential ones and an offset, (cell, cell) in K².

    Distances are taken in a learned deformation of the map (Sampson and Guttorp 1992,
    doi:10.1080/01621459.1992.10475181) with two extra dimensions, and amplitudes and observation noise vary by
    cell, so that shrinkage differs by place and basins on both sides of land come apart.

    places : (cell, 2), latitude and longitude in degrees
    """

    def __init__(self, places: np.ndarray) -> None:
        cells = len(places)
        plane = jnp.asarray(places[:, ::-1] / [20.0, 10.0], jnp.float32)
        self.plane = nnx.Variable(jnp.pad(plane, ((0, 0), (0, 2))))
        self.shift = nnx.Param(jnp.zeros((cells, 4)))
        self.log_gain = nnx.Param(jnp.zeros(cells))
        self.log_std = nnx.Param(jnp.full(cells, jnp.log(0.1) / SPEED))
        self.log_noise = nnx.Param(jnp.full(cells, jnp.log(0.09) / SPEED))
        rates = jnp.array([[0.1, 0.16, 1, 1], [1, 1, 1, 1], [0.5, 0.7, 1, 1]])
        self.rates = nnx.Param(jnp.log(rates) / SPEED)
        self.weights = nnx.Param(jnp.array([1.5, -1.6, jnp.log(0.08)]) / SPEED)

    def __call__(self, sample: jax.Array) -> jax.Array:
        """Covariance from the sample covariance of the training months."""
        points = self.plane[...] + SPEED * self.shift[...]
        taper, near, extra = (squared_distances(points * rate) for rate in jnp.exp(SPEED * self.rates[...]))
        gain = jnp.exp(SPEED * self.log_gain[...]) * jnp.sqrt(jnp.diag(sample))
        std = jnp.exp(SPEED * self.log_std[...])
        share, ratio, offset = SPEED * self.weights[...]
        covariance = jax.nn.sigmoid(share) * sample * jnp.exp(-0.5 * taper)
        covariance += jnp.exp(ratio) * jnp.outer(gain, gain) * jnp.exp(-jnp.sqrt(near + 1e-6))
        covariance += jnp.outer(std, std) * jnp.exp(-jnp.sqrt(extra + 1e-6))
        return covariance + jnp.exp(2 * offset)

    @property
    def noise(self) -> jax.Array:
        """Standard deviation of the observation noise, (cell,) in K."""
        return jnp.exp(SPEED * self.log_noise[...])

    def penalty(self) -> jax.Array:
        """Squared departures from a stationary model, summed."""
        logs = (self.log_std[...], self.log_noise[...])
        spread = sum(jnp.sum((x - x.mean()) ** 2) for x in logs)
        return SPEED**2 * (2 * jnp.sum(self.shift[...] ** 2) + jnp.sum(self.log_gain[...] ** 2) + spread)


def analyse(
    covariance: jax.Array, noise: jax.Array, fields: jax.Array, hidden: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Conditional mean (month, cell) and standard deviation (cell,) at all cells given the observed ones.

    covariance : (cell, cell); noise : (cell,); fields : (month, cell); hidden : (cell,), True where not observed.
    No gradient flows through the deviation. Hidden cells enter as rows and columns of the identity, so that every
    gap has the same shape.
    source : Gandin (1963); Bretherton et al. (1976), doi:10.1016/0011-7471(76)90001-2
    """
    seen = jnp.where(hidden, 0.0, 1.0)
    system = covariance * jnp.outer(seen, seen) + jnp.diag(jnp.where(hidden, 1.0, noise**2))
    root = jnp.linalg.cholesky(system)
    weights = jax.scipy.linalg.cho_solve((root, True), (seen * jnp.where(hidden, 0, fields)).T)
    mean = (seen[:, None] * weights).T @ covariance
    fixed, shaped = jax.lax.stop_gradient((covariance, root))  # solving for every cell is dear to differentiate
    whitened = jax.scipy.linalg.solve_triangular(shaped, seen[:, None] * fixed, lower=True)
    variance = jnp.diag(fixed) - jnp.sum(whitened**2, axis=0)
    return mean, jnp.sqrt(jnp.maximum(variance, 1e-6))
