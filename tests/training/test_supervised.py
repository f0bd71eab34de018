"""Departures from targets and labels, with answers known beforehand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from geojax.training import objectives


def test_masked_mean_square_ignores_unobserved_pixels(rng):
    predicted = rng.normal(size=(2, 4, 4, 1))
    observed = np.zeros(predicted.shape, dtype=bool)
    observed[0, 0, 0] = observed[1, 2, 3] = True
    target = np.where(observed, predicted + 3.0, np.nan)

    value, gradient = jax.value_and_grad(objectives.masked_mean_square)(predicted, target, observed)

    assert value == pytest.approx(9.0)
    assert (gradient[~observed] == 0).all()


def test_cross_entropy_of_sure_logits_is_zero_and_of_even_ones_log_of_the_classes():
    label = jnp.array([0, 2])

    assert objectives.cross_entropy(50.0 * jax.nn.one_hot(label, 4), label) == pytest.approx(0.0, abs=1e-6)
    assert objectives.cross_entropy(jnp.zeros((2, 4)), label) == pytest.approx(np.log(4))


def test_a_label_below_zero_does_not_count(rng):
    logits = jnp.asarray(rng.normal(size=(6, 3)))
    label = np.array([0, 1, 2, -1, -1, 1])

    known = objectives.cross_entropy(logits[label >= 0], label[label >= 0])
    assert objectives.cross_entropy(logits, label) == pytest.approx(float(known), rel=1e-6)


def test_balanced_weights_are_those_of_scikit_learn(rng):
    label = rng.choice(4, 200, p=[0.7, 0.2, 0.06, 0.04])

    expected = compute_class_weight("balanced", classes=np.arange(4), y=label)
    np.testing.assert_allclose(objectives.balanced(label, 4), expected, rtol=1e-6)


def test_under_balanced_weights_rare_classes_count_as_much_as_common_ones():
    label = np.array([0] * 90 + [1] * 10)
    logits = jnp.zeros((100, 3)).at[:, 0].set(5.0)  # always the common one, surely

    even = objectives.cross_entropy(logits, label, weights=jnp.asarray(objectives.balanced(label, 3)))
    single = [objectives.cross_entropy(logits[i : i + 1], label[i : i + 1]) for i in (0, 99)]
    assert even == pytest.approx(float(np.mean(single)), rel=1e-5)
    assert objectives.balanced(label, 3)[2] == 0.0
