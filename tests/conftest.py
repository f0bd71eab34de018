"""Fixtures that more than one test module uses."""

import numpy as np
import pytest


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers, the same for every run of a test."""
    return np.random.default_rng(20261121)
