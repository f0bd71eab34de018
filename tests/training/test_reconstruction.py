"""Losses of reconstruction: closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import huber
from scipy.stats import norm

from geojax.training.objectives import evidence_lower_bound, kl_divergence, masked_huber, masked_reconstruction


def test_huber_is_that_of_scipy_over_what_is_observed(rng):
    target = 3 * rng.normal(size=(4, 7))
    predicted = rng.normal(size=(4, 7))
    observed = rng.random((4, 7)) < 0.6
    expected = huber(1.5, (predicted - target)[observed]).mean()
    target[~observed] = np.nan

    value, slope = jax.value_and_grad(masked_huber)(jnp.asarray(predicted), jnp.asarray(target), observed, 1.5)

    assert float(value) == pytest.approx(expected, rel=1e-5)
    assert (slope[~observed] == 0).all()
    assert jnp.isfinite(slope).all()


@pytest.mark.parametrize(("delta", "expected"), [(None, 9.0), (1.0, 2.5)])
def test_all_that_is_observed_counts_where_nothing_is_hidden(delta, expected, rng):
    x = jnp.asarray(rng.normal(size=(2, 6)), "float32").at[:, 0].set(jnp.nan)

    value = masked_reconstruction(lambda seen: seen + 3.0, x, ~jnp.isnan(x), delta=delta)

    assert float(value) == pytest.approx(expected, rel=1e-5)


def test_what_is_hidden_is_not_shown_and_only_it_counts(rng):
    x = jnp.asarray(rng.normal(size=(200, 50)) + 5, "float32").at[:, 0].set(jnp.nan)
    observed = ~jnp.isnan(x)
    shown = []

    def restore(seen):
        shown.append(seen)
        return jnp.where(seen == 0, 0.0, 1e6)  # far off where it need not be right

    value = masked_reconstruction(restore, x, observed, jax.random.key(0), hidden=0.25)

    seen = np.asarray(shown[0] != 0)
    away = np.asarray(observed) & ~seen
    assert away.sum() / observed.sum() == pytest.approx(0.25, abs=0.02)
    assert (np.asarray(shown[0])[seen] == np.asarray(x)[seen]).all()
    assert float(value) == pytest.approx((np.asarray(x)[away] ** 2).mean(), rel=1e-4)


def test_the_divergence_of_gaussians_is_the_integral_that_defines_it():
    grid = np.linspace(-30, 30, 200001)
    mean, log_variance, prior_mean, prior_log_variance = 0.7, -0.4, -1.1, 0.9
    p = norm(mean, np.exp(0.5 * log_variance))
    q = norm(prior_mean, np.exp(0.5 * prior_log_variance))
    expected = np.trapezoid(p.pdf(grid) * (p.logpdf(grid) - q.logpdf(grid)), grid)

    own = [jnp.full((1, 3), v) for v in (mean, log_variance, prior_mean, prior_log_variance)]

    assert float(kl_divergence(*own)[0]) == pytest.approx(3 * expected, rel=1e-5)
    assert float(kl_divergence(own[0], own[1], own[0], own[1])[0]) == pytest.approx(0, abs=1e-6)


def test_the_divergence_from_a_standard_normal_is_that_of_the_source(rng):
    mean, log_variance = rng.normal(size=(2, 5, 4))

    value = kl_divergence(jnp.asarray(mean), jnp.asarray(log_variance))

    np.testing.assert_allclose(value, -0.5 * (1 + log_variance - mean**2 - np.exp(log_variance)).sum(1), rtol=1e-5)


def test_the_bound_is_the_log_density_less_beta_times_the_divergence(rng):
    x, made = rng.normal(size=(2, 5, 3, 2))
    mean, log_variance = rng.normal(size=(2, 5, 4))
    observed = np.ones(x.shape, bool)
    observed[0, 0] = False
    density = np.where(observed, norm.logpdf(x, made, 0.5), 0).sum((1, 2))
    x[~observed] = np.nan

    bound = evidence_lower_bound(
        jnp.asarray(x), jnp.asarray(made), jnp.asarray(mean), jnp.asarray(log_variance), observed, noise=0.5, beta=3.0
    )

    np.testing.assert_allclose(bound, density - 3 * kl_divergence(mean, log_variance), rtol=1e-5)


def test_losses_of_bfloat16_are_summed_in_float32():
    ones = jnp.ones((4, 5000), jnp.bfloat16)

    assert float(masked_huber(2 * ones, ones, ones)) == pytest.approx(0.5)
    assert float(kl_divergence(ones, 0 * ones)[0]) == 2500
    assert evidence_lower_bound(ones, ones, ones, ones).dtype == jnp.float32
