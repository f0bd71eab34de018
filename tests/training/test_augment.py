"""Augmentation: pure functions of a key that keep what they promise to keep."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.training import augment

KEYS = jax.random.split(jax.random.key(0), 200)


def test_turned_horizontals_keep_their_length_and_the_vertical(rng):
    window = jnp.asarray(rng.normal(size=(3, 50)), "float32")

    turned = augment.turn(window, 0.7)

    np.testing.assert_allclose((turned[:2] ** 2).sum(0), (window[:2] ** 2).sum(0), rtol=1e-5)
    np.testing.assert_array_equal(turned[2], window[2])
    np.testing.assert_allclose(augment.turn(turned, -0.7), window, atol=1e-6)


def test_noise_comes_at_the_ratio_that_was_asked_for(rng):
    signal, noise = (jnp.asarray(rng.normal(size=(3, 4000)) * s, "float32") for s in (5.0, 0.1))

    mixed = augment.add_noise(signal, noise, jnp.array(1000), 2000, jnp.array(6.0))

    share = np.linalg.lstsq(np.stack([np.ravel(signal), np.ravel(noise)], 1), np.ravel(mixed))[0]
    ratio = (share[0] * 5.0) / (share[1] * 0.1)
    assert 20 * np.log10(ratio) == pytest.approx(6.0, abs=0.3)
    assert mixed.std() == pytest.approx(1.0, abs=1e-3)


def test_a_square_is_seen_from_all_its_eight_sides():
    field = jnp.arange(9.0).reshape(3, 3)

    views = {tuple(np.ravel(view)) for view in jax.vmap(lambda k: augment.turn_square(k, field))(KEYS)}

    assert len(views) == 8
    assert all(view[4] == 4.0 and sorted(view) == list(range(9)) for view in views)


def test_a_shift_moves_no_farther_than_asked_and_loses_nothing():
    x = jnp.arange(10.0)

    moved = jax.vmap(lambda k: augment.shift(k, x, 0, 2))(KEYS)

    assert {int(row[0]) for row in moved} == {8, 9, 0, 1, 2}
    assert (jnp.sort(moved, 1) == x).all()


def test_factors_lie_in_their_range_evenly_in_the_logarithm():
    factors = jax.vmap(lambda k: augment.scale(k, jnp.ones(()), 0.25, 4.0))(KEYS)

    assert 0.25 <= factors.min() < 0.35
    assert 3.0 < factors.max() <= 4.0
    assert jnp.log(factors).mean() == pytest.approx(0.0, abs=0.2)


def test_a_blank_stretch_has_its_length_wherever_it_falls():
    blanked = jax.vmap(lambda k: augment.blank(k, jnp.ones((20, 2)), 5, jnp.nan))(KEYS)

    gone = jnp.isnan(blanked).all(2)
    assert (gone.sum(1) == 5).all()
    assert (jnp.diff(gone.astype(int), axis=1) == 1).sum(1).max() == 1  # in one piece
    assert gone.any(0).all()  # everywhere, both ends included


def test_mixed_examples_and_labels_are_mixed_alike(rng):
    label = jnp.eye(4)[jnp.arange(32) % 4]
    field = jnp.asarray(rng.normal(size=(4, 6)), "float32")

    mixed, soft = augment.mix(KEYS[0], label @ field, label, 0.4)

    np.testing.assert_allclose(soft.sum(1), 1.0, rtol=1e-5)
    np.testing.assert_allclose(mixed, soft @ field, rtol=1e-4, atol=1e-5)
    assert 0.0 < float(soft.max(1).min()) < 0.99
