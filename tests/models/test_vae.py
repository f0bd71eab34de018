"""Variational autoencoder: chance only with a key, and a bound that is a bound."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from scipy.stats import multivariate_normal, norm

from geojax.models.vae import VAE
from geojax.training.objectives import evidence_lower_bound


@pytest.fixture(params=[(), (20,), (8, 6)], ids=str)
def shape(request):
    return request.param


@pytest.fixture
def net(shape):
    return VAE(3, shape, code=4, hidden=(16,), width=4, depth=2, rngs=nnx.Rngs(0))


@pytest.fixture
def x(shape, rng):
    return jnp.asarray(rng.normal(size=(5, *shape, 3)), "float32")


def test_without_a_key_the_code_is_the_mean_and_with_one_it_is_drawn(net, x):
    run = nnx.jit(lambda net, key: net(x, key))
    out = run(net, None)

    assert out.reconstruction.shape == x.shape
    assert out.mean.shape == out.log_variance.shape == (5, 4)
    np.testing.assert_allclose(out.reconstruction, nnx.jit(lambda net: net.decode(out.mean))(net), atol=1e-5)
    drawn = [run(net, jax.random.key(seed)).reconstruction for seed in range(2)]
    assert not np.allclose(*drawn)


def test_codes_are_drawn_with_the_mean_and_deviation_that_are_told():
    net = VAE(3, code=1, hidden=(), rngs=nnx.Rngs(0))
    net.decoder.layers[0].kernel[...] = jnp.ones((1, 3))  # the reconstruction is the code
    x = jnp.tile(jnp.array([[0.5, -1.0, 2.0]]), (40000, 1))

    out = net(x, jax.random.key(0))

    assert float(out.reconstruction[:, 0].mean()) == pytest.approx(float(out.mean[0, 0]), abs=0.05)
    spread = float(jnp.exp(0.5 * out.log_variance[0, 0]))
    assert float(out.reconstruction[:, 0].std()) == pytest.approx(spread, rel=0.02)


def test_the_gradient_reaches_every_parameter_through_the_drawn_code(net, x):
    def loss(net):
        out = net(x, jax.random.key(0))
        return -jnp.mean(evidence_lower_bound(x, *out))

    assert all(jnp.abs(leaf).max() > 0 for leaf in jax.tree.leaves(nnx.jit(nnx.grad(loss))(net)))


def test_the_bound_agrees_with_monte_carlo_and_lies_below_the_density_of_a_linear_one(rng):
    """A linear decoder x = W z + noise has the density N(0, W Wᵀ + noise²)."""
    noise = 0.7
    net = VAE(3, code=2, hidden=(), rngs=nnx.Rngs(1))
    x = rng.normal(size=(4, 3)).astype("float32")
    draws = 20000
    mean, log_variance = (np.asarray(a, float) for a in net.encode(jnp.asarray(x)))
    code = mean + np.exp(0.5 * log_variance) * rng.normal(size=(draws, 4, 2))
    weight = np.asarray(net.decoder.layers[0].kernel[...], float)
    log_joint = norm.logpdf(x, code @ weight, noise).sum(-1) + norm.logpdf(code).sum(-1)
    expected = (log_joint - norm.logpdf(code, mean, np.exp(0.5 * log_variance)).sum(-1)).mean(0)

    def once(key):
        return evidence_lower_bound(x, *net(x, key), noise=noise)

    bound = np.asarray(jax.vmap(once)(jax.random.split(jax.random.key(0), draws))).mean(0)

    density = multivariate_normal(np.zeros(3), weight.T @ weight + noise**2 * np.eye(3)).logpdf(x)
    np.testing.assert_allclose(bound, expected, rtol=0.02)
    assert (bound < density).all()


def test_the_bound_reaches_the_density_where_the_posterior_is_the_true_one(rng):
    noise, weight = 0.7, np.array([[1.0, 0.5, -0.3]])
    x = rng.normal(size=(4, 3))
    variance = 1 / (1 + (weight @ weight.T).item() / noise**2)
    mean = x @ weight.T * variance / noise**2
    spread = np.full_like(mean, np.log(variance))
    draws = 40000
    codes = mean + np.sqrt(variance) * rng.normal(size=(draws, 4, 1))

    bound = jax.vmap(lambda z: evidence_lower_bound(jnp.asarray(x), z @ weight, mean, spread, noise=noise))(
        jnp.asarray(codes)
    ).mean(0)

    density = multivariate_normal(np.zeros(3), weight.T @ weight + noise**2 * np.eye(3)).logpdf(x)
    np.testing.assert_allclose(bound, density, rtol=0.02)


def test_in_bfloat16_it_gives_nearly_the_same(net, x):
    graph, state = nnx.split(net)

    run = jax.jit(lambda state, x: nnx.merge(graph, state)(x))
    half = run(*jax.tree.map(lambda leaf: leaf.astype("bfloat16"), (state, x)))

    for rough, exact in zip(half, run(state, x), strict=True):
        assert rough.dtype == jnp.bfloat16
        np.testing.assert_allclose(rough.astype("float32"), exact, atol=0.15)


def test_ten_examples_are_learned_by_heart(net, x, rng):
    import optax

    x = jnp.asarray(rng.normal(size=(10, *x.shape[1:])), "float32")
    graph, params, rest = nnx.split(net, nnx.Param, ...)
    optimizer = optax.adam(1e-2)
    error = nnx.jit(lambda net: jnp.mean((net(x).reconstruction - x) ** 2))
    start = float(error(net))

    def loss(params, key):
        return -jnp.mean(evidence_lower_bound(x, *nnx.merge(graph, params, rest, copy=True)(x, key), noise=0.1))

    def step(carry, key):
        params, moments = carry
        change, moments = optimizer.update(jax.grad(loss)(params, key), moments)
        return (optax.apply_updates(params, change), moments), None

    keys = jax.random.split(jax.random.key(0), 600)
    (params, _), _ = jax.jit(lambda c: jax.lax.scan(step, c, keys))((params, optimizer.init(params)))

    assert float(error(nnx.merge(graph, params, rest))) < 0.35 * start
