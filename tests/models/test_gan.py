"""Adversarial pair: shapes, conditions, and a critic of limited slope."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from geojax.errors import UserError
from geojax.models.gan import GAN
from geojax.models.layers import Convolution
from geojax.models.spectral import SpectralNorm


def pair(*facts, **sizes):
    return GAN(*facts, **({"size": 8, "latent": 8, "width": 4} | sizes), rngs=nnx.Rngs(0))


@pytest.mark.parametrize("spectral", [False, True])
@pytest.mark.parametrize("size", [8, 32])
def test_noise_becomes_fields_and_fields_become_scores(size, spectral):
    net = pair(2, size=size, spectral=spectral)

    fields = jax.eval_shape(net, jax.ShapeDtypeStruct((3, 8), "float32"))

    assert fields.shape == (3, size, size, 2)
    assert jax.eval_shape(net.critic, fields).shape == (3,)


def test_fields_are_64_by_64_by_default_and_as_wide_as_the_source():
    net = nnx.eval_shape(lambda: GAN(3, rngs=nnx.Rngs(0)))

    assert [c.kernel.shape for c in net.generator.convolutions] == [
        (16 * 256, 512),
        (16 * 128, 256),
        (16 * 64, 128),
        (16 * 3, 64),
    ]
    assert [c.kernel.shape[1] for c in net.critic.convolutions] == [64, 128, 256, 512]


@pytest.mark.parametrize("size", [4, 20, 0, -8])
def test_a_size_that_halving_does_not_end_at_four_is_refused(size):
    with pytest.raises(UserError, match="power of two of at least 8"):
        pair(1, size=size)


def test_linear_output_is_not_bounded(rng):
    noise = jnp.asarray(rng.normal(size=(8, 8)), "float32")

    linear, bounded = (nnx.jit(lambda net: net(noise))(pair(1, output=form)) for form in ("linear", "tanh"))

    np.testing.assert_allclose(jnp.tanh(linear), bounded, atol=1e-6)
    assert jnp.abs(linear).max() > 1


@pytest.mark.parametrize("spectral", [False, True])
def test_every_parameter_of_both_players_gets_a_gradient_conditions_included(spectral, rng):
    net = pair(1, 3, 2, spectral=spectral)
    noise = jnp.asarray(rng.normal(size=(6, 8)), "float32")
    given = {"label": jnp.arange(6) % 3, "values": jnp.asarray(rng.normal(size=(6, 2)), "float32")}

    slope = nnx.jit(nnx.grad(lambda m: jnp.sum(m.critic(m(noise, **given), **given) ** 2)))(net)

    assert all(jnp.abs(leaf).max() > 0 for leaf in jax.tree.leaves(slope))


@pytest.mark.parametrize("other", [{"label": [1, 2]}, {"values": [[0.5], [2.0]]}])
def test_both_players_hear_each_condition(other, rng):
    net = pair(1, 3, 1)
    given = {"label": jnp.array([0, 0]), "values": jnp.ones((2, 1))}
    other = given | {name: jnp.asarray(value) for name, value in other.items()}
    noise = jnp.asarray(rng.normal(size=(2, 8)), "float32")
    make = nnx.jit(lambda net, given: net(noise, **given))
    judge = nnx.jit(lambda net, fields, given: net.critic(fields, **given))
    fields = make(net, given)

    assert not np.allclose(fields, make(net, other))
    assert not np.allclose(judge(net, fields, given), judge(net, fields, other))


def test_a_condition_that_is_missing_or_unannounced_is_an_error():
    noise = jnp.ones((1, 8))
    with pytest.raises(UserError, match="`label` is needed"):
        pair(1, 3)(noise)
    with pytest.raises(UserError, match="`values` must not be given"):
        pair(1)(noise, values=jnp.ones((1, 2)))


@pytest.mark.parametrize("spectral", [False, True])
def test_the_score_of_an_example_depends_on_it_alone(spectral, rng):
    net = pair(1, spectral=spectral)
    fields = jnp.asarray(rng.normal(size=(4, 8, 8, 1)), "float32")

    judge = nnx.jit(lambda net, fields: net.critic(fields))

    np.testing.assert_allclose(judge(net, fields)[:1], judge(net, fields[:1]), atol=1e-5)


def test_the_spectral_norm_is_the_largest_singular_value(rng):
    layer = Convolution(3, 8, (4, 4), 2, rngs=nnx.Rngs(0))
    limited = SpectralNorm(layer, rngs=nnx.Rngs(1))
    layer.kernel[...] = jnp.asarray(rng.normal(size=(48, 8)) * np.geomspace(4, 1, 8), "float32")
    x = jnp.asarray(rng.normal(size=(2, 8, 8, 3)), "float32")

    run = nnx.jit(lambda limited, key: limited(x, key=key))
    for key in jax.random.split(jax.random.key(0), 60):
        out = run(limited, key)

    largest = np.linalg.svd(np.asarray(layer.kernel[...]))[1][0]
    assert float(limited.singular_value()) == pytest.approx(largest, rel=1e-4)
    layer.kernel[...] = layer.kernel[...] / largest
    np.testing.assert_allclose(out, nnx.jit(lambda layer: layer(x))(layer), rtol=1e-3, atol=1e-4)


def test_the_gradient_of_the_spectral_norm_is_that_of_the_singular_value(rng):
    layer = nnx.Linear(6, 5, rngs=nnx.Rngs(0))
    limited = SpectralNorm(layer, rngs=nnx.Rngs(1))
    run = nnx.jit(lambda limited, key: limited(jnp.ones((1, 6)), key=key))
    for key in jax.random.split(jax.random.key(0), 200):
        run(limited, key)

    slope = nnx.grad(lambda m: m.singular_value())(limited)["layer"]["kernel"][...]

    left, _, right = np.linalg.svd(np.asarray(layer.kernel[...]))
    np.testing.assert_allclose(slope, np.outer(left[:, 0], right[0]), atol=1e-3)


def test_singular_vectors_move_only_with_a_key_and_inside_a_compiled_gradient(rng):
    net = pair(1, spectral=True)
    fields = jnp.asarray(rng.normal(size=(2, 8, 8, 1)), "float32")
    graph, params, rest = nnx.split(net.critic, nnx.Param, ...)
    moved = jax.tree.map(lambda leaf: 2 * leaf + 0.1, params)

    @jax.jit
    def after(params, key):
        def loss(params):
            critic = nnx.merge(graph, params, rest, copy=True)
            return jnp.sum(critic(fields, key=key)), nnx.state(critic, nnx.BatchStat)

        return jax.value_and_grad(loss, has_aux=True)(params)[0][1]

    before = nnx.filter_state(rest, nnx.BatchStat)
    assert jax.tree.all(jax.tree.map(lambda a, b: (a == b).all(), after(moved, None), before))
    now = after(moved, jax.random.key(0))
    assert any(not np.allclose(a, b) for a, b in zip(jax.tree.leaves(now), jax.tree.leaves(before), strict=True))


@pytest.mark.parametrize("spectral", [False, True])
def test_in_bfloat16_it_gives_nearly_the_same(spectral, rng):
    net = pair(1, 2, spectral=spectral)
    noise = jnp.asarray(rng.normal(size=(4, 8)), "float32")
    label = jnp.arange(4) % 2
    graph, params, rest = nnx.split(net, nnx.Param, ...)

    @jax.jit
    def run(params, noise):
        net = nnx.merge(graph, params, rest)
        fields = net(noise, label=label)
        return fields, net.critic(fields, label=label)

    exact = run(params, noise)
    rough = run(*jax.tree.map(lambda leaf: leaf.astype("bfloat16"), (params, noise)))

    for one, other in zip(rough, exact, strict=True):
        assert one.dtype == jnp.bfloat16
        np.testing.assert_allclose(one.astype("float32"), other, atol=0.15)
