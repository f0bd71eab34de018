"""Pools, blocks and samples: all rows are seen, none twice in a pool, few parts at a time, always the same."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geojax.data import pools
from geojax.errors import UserError


def rows(parts: int, stations: int, windows: int) -> pd.DataFrame:
    every = [(f"p{p}", f"s{p}.{s}") for p in range(parts) for s in range(stations) for _ in range(windows)]
    return pd.DataFrame(every, columns=["part", "station"])


@given(st.integers(1, 7), st.integers(1, 5), st.integers(1, 4), st.integers(1, 40), st.integers(0, 3))
def test_a_round_of_pools_sees_every_row_and_all_pools_are_as_large(parts, stations, windows, resident, seed):
    table = rows(parts, stations, windows)
    resident = max(resident, windows)
    held = min(resident // windows, parts * stations)
    turn = -(-parts * stations // held)
    for first in (0, turn):  # the first round and the second
        found = [pools.pool(table, resident, "station", seed, first + n) for n in range(turn)]
        assert {len(own) for own in found} == {held * windows}
        assert all(len(set(own)) == len(own) for own in found)
        assert set(np.concatenate(found)) == set(range(len(table)))
        assert all((table["station"].iloc[own].value_counts() == windows).all() for own in found)


def test_pools_come_again_the_same_and_rounds_differ():
    table = rows(6, 10, 1)
    first, again, next_round = (pools.pool(table, 20, None, 0, n) for n in (1, 1, 4))

    assert (first == again).all()
    assert not np.array_equal(first, next_round)
    assert not np.array_equal(first, pools.pool(table, 20, None, 1, 1))


def test_a_pool_lies_in_few_parts():
    table = rows(20, 10, 1)

    assert max(table["part"].iloc[pools.pool(table, 20, None, 0, n)].nunique() for n in range(30)) <= 3


def test_units_of_different_sizes_make_no_pools():
    table = pd.concat([rows(1, 2, 3), rows(2, 1, 2).iloc[2:]])

    with pytest.raises(UserError, match="each station must have as many examples as every other, but they have 2 to 3"):
        pools.pool(table, 6, "station", 0, 0)


def test_less_than_one_unit_is_refused():
    with pytest.raises(UserError, match="must hold the 5 examples of one station, but is 4"):
        pools.pool(rows(1, 2, 5), 4, "station", 0, 0)
    with pytest.raises(UserError, match="must hold the examples of one station, but is 4"):
        pools.sample(rows(1, 2, 5), 4, "station")


def test_a_sample_holds_whole_units_of_all_parts_and_is_always_the_same():
    table = rows(4, 50, 2)
    found = pools.sample(table, 101, "station")

    assert len(found) == 100
    assert (table["station"].iloc[found].value_counts() == 2).all()
    assert table["part"].iloc[found].nunique() == 4
    assert (found == pools.sample(table, 101, "station")).all()


def test_blocks_are_all_rows_in_order():
    assert [np.arange(10)[own].tolist() for own in pools.blocks(10, 4)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert list(pools.blocks(10, None)) == [slice(0, 10)]
