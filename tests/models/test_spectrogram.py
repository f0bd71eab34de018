"""Spectrograms before a network: where a tone stands, what a gain changes, what comes out."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from geojax.data.seismology.stft import STFT
from geojax.models.cnn2d import CNN2D
from geojax.models.spectrogram import Spectrogram


@pytest.fixture
def model():
    network = CNN2D(3, 4, widths=(2, 2), hidden=3, rngs=nnx.Rngs(0))
    return Spectrogram(network, STFT(126, 14), 64)


def test_a_tone_is_loudest_at_its_own_frequency_and_component(model):
    tone = np.zeros((1, 1004, 3), "float32")
    tone[0, :, 1] = np.sin(2 * np.pi * 20 / 126 * np.arange(1004))

    field = model.fields(jnp.array(tone))

    assert field.shape == (1, 64, 64, 3)
    assert (np.asarray(field[0, :60, :, 1]).argmax(1) == 20).all()
    assert field[..., 1].max() > field[..., 0].max() + 7


def test_a_gain_changes_nothing_and_silence_is_finite(model, rng):
    x = jnp.array(rng.normal(size=(2, 1004, 3)), jnp.float32)

    np.testing.assert_allclose(model(1e4 * x), model(x), atol=1e-3)
    assert np.isfinite(model(0 * x)).all()
    assert model(x).shape == (2, 4)
