"""Gaps hide exactly the share asked for, look like clouds, and depend on nothing but their own seed."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from geojax.data import gaps
from geojax.tasks.sst_gaps import TASK, GapSettings

OCEAN = np.ones((13, 57), dtype=bool)
OCEAN[:5, 10:20] = False


@given(
    shape=st.tuples(st.integers(1, 15), st.integers(1, 15)),
    coverage=st.floats(0, 1),
    seed=st.integers(0, 2**32),
    land=st.floats(0, 0.9),
)
def test_a_gap_hides_exactly_the_share_asked_for(shape, coverage, seed, land):
    ocean = np.random.default_rng(seed).random(shape) >= land

    hidden = gaps.draw(np.random.default_rng(seed), ocean, coverage)

    assert hidden.shape == (ocean.sum(),)
    assert hidden.sum() == round(coverage * ocean.sum())


def test_the_same_seed_gives_the_same_gap_and_another_another():
    one, again, other = (gaps.draw(np.random.default_rng(seed), OCEAN, 0.5) for seed in (1, 1, 2))

    np.testing.assert_array_equal(one, again)
    assert (one != other).any()


def test_of_gaps_of_one_seed_the_larger_holds_the_smaller():
    small, large = (gaps.draw(np.random.default_rng(5), OCEAN, coverage) for coverage in (0.25, 0.75))

    assert (large | ~small).all()


def test_a_gap_is_in_one_piece_like_a_cloud_and_not_scattered():
    def agreement(hidden):
        """Share of neighbouring cells that are both hidden or both seen; a half where cells are independent."""
        field = np.full(OCEAN.shape, np.nan)
        field[OCEAN] = hidden
        pairs = np.concatenate([(field[1:] - field[:-1]).ravel(), (field[:, 1:] - field[:, :-1]).ravel()])
        return 1 - np.nanmean(abs(pairs))

    drawn = [agreement(gaps.draw(np.random.default_rng(seed), OCEAN, 0.5)) for seed in range(30)]

    assert min(drawn) > 0.65
    assert agreement(np.random.default_rng(0).random(OCEAN.sum()) < 0.5) < 0.55


def test_every_cell_is_hidden_equally_often_at_the_border_as_in_the_middle():
    field = np.zeros(OCEAN.shape)
    for seed in range(400):
        field[OCEAN] += gaps.draw(np.random.default_rng(seed), OCEAN, 0.5) / 400
    border = OCEAN.copy()
    border[1:-1, 1:-1] = False

    assert field[border].mean() == pytest.approx(field[OCEAN & ~border].mean(), abs=0.04)
    assert abs(field[OCEAN] - 0.5).max() < 0.15  # five standard errors and a half


@pytest.fixture
def archive(rng):
    """A few years on a small grid, as the task meets them."""
    coords = {"lat": np.linspace(-20, 20, 9), "lon": np.linspace(100, 200, 21)}
    parts = {
        str(year): xr.Dataset({"sst": (("time", "lat", "lon"), rng.normal(size=(12, 9, 21)).astype("float32"))}, coords)
        for year in range(2013, 2018)
    }
    center = np.zeros((12, 9, 21))
    center[:, 0, 0] = np.nan  # land
    scaling = xr.Dataset({"sst_center": (("month", "lat", "lon"), center), "sst_spread": 0.7}, coords)
    rows = [
        {"part": part, "year": int(part), "group": part, "split": "test", "coverage": c, "draw": i}
        for part in parts for c in (0.25, 0.9) for i in range(3)
    ]  # fmt: skip
    return parts, scaling, pd.DataFrame(rows)


def test_the_gap_of_a_row_does_not_depend_on_the_other_rows(archive):
    parts, scaling, index = archive
    every = TASK(GapSettings()).examples(index, parts, scaling).rows["hidden"]

    some = index.sample(7, random_state=0).reset_index(drop=True)
    found = TASK(GapSettings()).examples(some, parts, scaling).rows["hidden"]

    where = [index.index[(index == row).all(axis=1)][0] for _, row in some.iterrows()]
    np.testing.assert_array_equal(found, every[where])


def test_gaps_differ_between_years_draws_splits_and_coverages(archive):
    parts, scaling, index = archive

    hidden = TASK(GapSettings()).examples(index, parts, scaling).rows["hidden"]
    validation = TASK(GapSettings()).examples(index.assign(split="validation"), parts, scaling).rows["hidden"]

    assert len(np.unique(hidden, axis=0)) == len(index)
    assert (hidden != validation).any(axis=1).all()


def test_a_gap_hides_ocean_only(archive):
    parts, scaling, index = archive

    assert TASK(GapSettings()).examples(index, parts, scaling).rows["hidden"].shape == (len(index), 9 * 21 - 1)
