"""Dense autoencoder: linear it is PCA, and it denoises only in training."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from geojax.models.dense_autoencoder import DenseAutoencoder


def fit(net, x, steps, rate=1e-2):
    graph, params, rest = nnx.split(net, nnx.Param, ...)
    optimizer = optax.adam(optax.cosine_decay_schedule(rate, steps))

    def step(carry, _):
        params, moments = carry
        value, slope = jax.value_and_grad(lambda p: jnp.mean((nnx.merge(graph, p, rest, copy=True)(x) - x) ** 2))(
            params
        )
        change, moments = optimizer.update(slope, moments)
        return (optax.apply_updates(params, change), moments), value

    (params, _), values = jax.jit(lambda c: jax.lax.scan(step, c, None, length=steps))((params, optimizer.init(params)))
    return nnx.merge(graph, params, rest), values[-1]


@pytest.mark.parametrize("hidden", [(), (6,)])
def test_a_trained_linear_autoencoder_reaches_the_error_of_pca_and_spans_its_subspace(hidden, rng):
    turn = np.linalg.qr(rng.normal(size=(12, 12)))[0]
    deviations = np.array([4.0, 3.0, 2.0] + [0.3] * 9)
    x = (rng.normal(size=(400, 12)) * deviations) @ turn.T + rng.normal(size=12)
    values, vectors = np.linalg.eigh(np.cov(x.T, bias=True))  # ascending

    net = DenseAutoencoder(12, code=3, hidden=hidden, linear=True, rngs=nnx.Rngs(0))
    net, error = fit(net, jnp.asarray(x, "float32"), 2000, rate=3e-2)

    least = values[:9].sum() / 12  # what three components leave
    assert least * 0.999 < float(error) < least * 1.01
    span = net.decode(jnp.eye(3)) - net.decode(jnp.zeros((1, 3)))
    angles = np.linalg.svd(np.linalg.qr(np.asarray(span).T)[0].T @ vectors[:, 9:])[1]
    assert angles.min() > 0.999  # cosines of the principal angles


def test_a_nonlinear_one_is_not_bound_to_a_plane(rng):
    angle = rng.uniform(0, 2 * np.pi, 256)
    circle = jnp.asarray(np.stack([np.cos(angle), np.sin(angle), 0.5 * np.cos(2 * angle)], 1), "float32")

    _, error = fit(DenseAutoencoder(3, code=2, hidden=(32,), rngs=nnx.Rngs(0)), circle, 600)

    plane = np.linalg.eigvalsh(np.cov(circle.T, bias=True))[0] / 3
    assert float(error) < 0.05 * plane


def test_ten_examples_are_learned_by_heart_and_every_parameter_gets_a_gradient(rng):
    x = jnp.asarray(rng.normal(size=(10, 20)), "float32")
    net = DenseAutoencoder(20, code=12, hidden=(32,), rngs=nnx.Rngs(0))

    slope = nnx.jit(nnx.grad(lambda m: jnp.mean((m(x) - x) ** 2)))(net)

    assert net.encode(x).shape == (10, 12)
    assert net.decode(net.encode(x)).shape == x.shape
    assert all(jnp.abs(leaf).max() > 0 for leaf in jax.tree.leaves(slope))
    assert fit(net, x, 500)[1] < 0.01


def test_inputs_are_dropped_only_with_a_key(rng):
    net = DenseAutoencoder(20, code=4, dropout=0.5, rngs=nnx.Rngs(0))
    x = jnp.asarray(rng.normal(size=(3, 20)), "float32")

    assert (net(x) == net.decode(net.encode(x))).all()
    assert not np.allclose(net(x, jax.random.key(0)), net(x, jax.random.key(1)))


def test_in_bfloat16_it_gives_nearly_the_same(rng):
    net = DenseAutoencoder(20, code=8, hidden=(16,), rngs=nnx.Rngs(0))
    x = jnp.asarray(rng.normal(size=(4, 20)), "float32")
    graph, state = nnx.split(net)

    run = jax.jit(lambda state, x: nnx.merge(graph, state)(x))
    half = run(*jax.tree.map(lambda leaf: leaf.astype("bfloat16"), (state, x)))

    assert half.dtype == jnp.bfloat16
    np.testing.assert_allclose(half.astype("float32"), run(state, x), atol=0.1)
