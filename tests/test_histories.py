"""A history is complete where nothing of it lacks, and nowhere before it could be."""

import numpy as np
import pytest

from geojax.data import histories


@pytest.mark.parametrize("count", [1, 3, 12])
def test_a_history_is_complete_where_each_of_its_steps_is_known(count, rng):
    known = rng.random((2, 10)) < 0.8

    found = histories.complete(known, count)

    for row, own in zip(known, found, strict=True):
        assert own.tolist() == [i + 1 >= count and row[i + 1 - count : i + 1].all() for i in range(10)]
        np.testing.assert_array_equal(histories.complete(row, count), own)
