"""Which rows are held in memory at once: pools to train on, blocks to go through, a sample to fit on."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from geojax.errors import UserError


def pool(rows: pd.DataFrame, resident: int, unit: str | None, seed: int, number: int) -> np.ndarray:
    """Numbers of the rows of a pool, ascending; a pure function of what it takes.

    A round of pools visits every row at least once. It goes part by part in an order of its own, shuffled within
    each part, so that few parts are read for a pool; the last pool of a round reaches back to be as large as all.

    rows : index of one split
    unit : column of the index whose equal rows stay together, for instance station
    raises UserError : not one unit fits, or units have different numbers of rows, so that pools would differ in shape
    """
    units = _units(rows, unit)
    sizes = {len(own) for own in units}
    if len(sizes) > 1:
        raise UserError(
            f"training: resident: each {unit} must have as many examples as every other, but they have {min(sizes)} "
            f"to {max(sizes)}. Write `resident: null`."
        )
    held = min(resident // max(sizes), len(units))
    if held == 0:
        raise UserError(f"training: resident must hold the {max(sizes)} examples of one {unit}, but is {resident}.")
    turn, place = divmod(number, -(-len(units) // held))
    generator = np.random.default_rng([seed, turn])
    part = pd.factorize(rows["part"].to_numpy()[[own[0] for own in units]])[0]
    rank = generator.permutation(part.max() + 1)[part]
    order = np.lexsort((generator.random(len(units)), rank))
    first = min(place * held, len(units) - held)
    return np.sort(np.concatenate([units[i] for i in order[first : first + held]]))


def few(rows: pd.DataFrame, unit: str | None) -> np.ndarray:
    """Numbers of the rows of the first two units: enough to see what examples are like."""
    return np.sort(np.concatenate(_units(rows, unit)[:2]))


def blocks(count: int, resident: int | None) -> Iterator[slice]:
    """Slices of `count` rows in their order, of at most `resident` each."""
    step = resident or max(count, 1)
    return (slice(first, min(first + step, count)) for first in range(0, count, step))


def sample(rows: pd.DataFrame, resident: int, unit: str | None, seed: int = 0) -> np.ndarray:
    """Numbers of at most `resident` rows, ascending: whole units drawn from all parts, always the same ones."""
    units = _units(rows, unit)
    order = np.random.default_rng(seed).permutation(len(units))
    room = np.cumsum([len(units[i]) for i in order]) <= resident
    if not room.any():
        raise UserError(f"training: resident must hold the examples of one {unit}, but is {resident}. Make it larger.")
    return np.sort(np.concatenate([units[i] for i in order[room]]))


def _units(rows: pd.DataFrame, unit: str | None) -> list[np.ndarray]:
    """Row numbers of each unit, in the order of the index."""
    if unit is None:
        return list(np.arange(len(rows))[:, None])
    code = rows.groupby(["part", unit], sort=False).ngroup().to_numpy()
    return np.split(np.argsort(code, kind="stable"), np.cumsum(np.bincount(code))[:-1])
