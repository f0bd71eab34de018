"""What a task keeps comes back from the store of its predictions as it was, and the store says who made them."""

import numpy as np
import pytest
import xarray as xr

from geojax import predictions, store


def kept(rng):
    arrays = {"weight": (("term", "other"), rng.normal(size=(3, 4))), "center": ("term", rng.normal(size=3))}
    return xr.Dataset(arrays, attrs={"threshold": 0.1 + 0.2, "names": "one; two"})


def test_what_was_kept_comes_back_to_the_bit_from_among_predictions(tmp_path, rng):
    own = kept(rng)
    predicted = xr.Dataset({"test": ("test_example", rng.normal(size=5))}, attrs={"title": "Predictions"})

    store.write_blocks([predicted, predictions.packed(own)], tmp_path / "x.zarr")
    stored = store.read(tmp_path / "x.zarr")

    xr.testing.assert_identical(predictions.unpacked(stored), own)
    assert stored.attrs["title"] == "Predictions"
    assert stored["test"].dims == ("test_example",)
    assert store.differences(tmp_path / "x.zarr") == []


def test_of_a_task_that_keeps_nothing_there_is_nothing(tmp_path):
    store.write_blocks([xr.Dataset({"test": ("test_example", np.ones(3))})], tmp_path / "x.zarr")

    assert predictions.unpacked(store.read(tmp_path / "x.zarr")) is None


def test_coordinates_which_would_be_lost_are_refused(rng):
    with pytest.raises(ValueError, match="must have no coordinates, but has term"):
        predictions.packed(kept(rng).assign_coords(term=[1, 2, 3]))
