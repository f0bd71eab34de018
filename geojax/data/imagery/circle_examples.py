"""Pictures with marked circles as examples: tiles to train and judge on, and how what was found compares.

An example is a tile. It tells the circles whose centre lies in its inner square, and sees a margin around that.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from geojax.data.imagery import circles
from geojax.task import Examples

MATCH = 0.5  # overlap from which on a circle is found
DOUBLES = 0.3  # overlap from which on two found circles are one


def together(
    pictures: Sequence[np.ndarray], marked: Sequence[np.ndarray], number: np.ndarray, origin: np.ndarray, *,
    inner: int, margin: int, span: float, tiles: bool,
) -> Examples:  # fmt: skip
    """Tiles of pictures (row, column) with their circles (n, 3).

    number, origin : (tile,), (tile, 2), picture and first pixel of the inner square of each tile
    tiles : whether to cut them; a training cuts its own
    returns : rows picture, origin and tile (side, side, channel); shared are all `pictures` as a network sees them
        with their margins, their `sizes`, the `margin`, the side `inner` and the `circles` (n, 4) as picture, row,
        column and radius
    """
    seen = [circles.padded(circles.views(own, span), inner, margin) for own in pictures]
    whole = np.zeros((len(seen), *np.max([own.shape for own in seen], 0)), "float32")
    for place, own in zip(whole, seen, strict=True):
        place[: own.shape[0], : own.shape[1]] = own
    every = [np.column_stack([np.full(len(own), i), own]) for i, own in enumerate(marked)]
    rows: dict[str, Any] = {"picture": number.astype("int32"), "origin": origin.astype("int32")}
    if tiles:
        side = inner + 2 * margin
        cut = [whole[p, r : r + side, c : c + side] for p, (r, c) in zip(number, origin, strict=True)]
        rows["tile"] = np.stack(cut)
    shared = {
        "pictures": whole, "sizes": np.array([own.shape for own in pictures], "int32"),
        "circles": np.concatenate(every).astype("float32").reshape(-1, 4),
        "margin": np.int32(margin), "inner": np.int32(inner),
    }  # fmt: skip
    return Examples(rows, shared)


def brightness(examples: Examples) -> list[np.ndarray]:
    """Each picture (row, column) without its margins, in its own deviations."""
    margin = int(examples.shared["margin"])
    pairs = zip(np.asarray(examples.shared["pictures"]), np.asarray(examples.shared["sizes"]), strict=True)
    return [own[margin : margin + rows, margin : margin + columns, 0] for own, (rows, columns) in pairs]


def marked(examples: Examples) -> list[np.ndarray]:
    """The circles (n, 3) of each picture whose centre lies in a tile's inner square."""
    every = np.asarray(examples.shared["circles"])
    return [own[_told(examples, i, own)] for i, own in _each_picture(examples, every)]


def tabled(examples: Examples, found: Sequence[np.ndarray], most: int) -> np.ndarray:
    """What was found on whole pictures, (n, 4) with its score, as tables of tiles (example, most, 4)."""
    inner = int(examples.shared["inner"])
    place = {
        (p, *o): i
        for i, (p, o) in enumerate(zip(examples.rows["picture"], map(tuple, examples.rows["origin"]), strict=True))
    }
    example, kept = [], []
    for picture, own in enumerate(found):
        start = np.floor((own[:, :2] + 0.5) / inner).astype(int) * inner
        for circle, (row, column) in zip(own, start, strict=True):
            tile = place.get((picture, row, column))
            if tile is not None:
                example.append(tile)
                kept.append([circle[0] - row, circle[1] - column, *circle[2:]])
    return circles.listed(np.array(example, int), np.array(kept).reshape(-1, 4), examples.size, most)


def merged(examples: Examples, tables: np.ndarray) -> list[np.ndarray]:
    """Circles of each picture (found, 4), best first and each once, from tables of its tiles."""
    picture, origin = np.asarray(examples.rows["picture"]), np.asarray(examples.rows["origin"])
    sizes = np.asarray(examples.shared["sizes"])
    return [circles.merged(tables[picture == i], origin[picture == i], size, DOUBLES) for i, size in enumerate(sizes)]


def compared(examples: Examples, tables: np.ndarray, least: float = -np.inf) -> pd.DataFrame:
    """Every circle that was found with a score of `least` or more, or missed.

    tables : (example, n, 4)
    returns : picture; row, column and radius, those marked unless it is false; found_row, found_column, found_radius
        and score, NaN if missed; kind, which is hit, false or missed; the found ones of a picture first, best first
    """
    pieces = []
    for picture, (found, true) in enumerate(zip(merged(examples, tables), marked(examples), strict=True)):
        found = found[found[:, 3] >= least]
        taken = circles.match(found[:, :3], true, MATCH)
        missed = true[np.setdiff1d(np.arange(len(true)), taken)]
        place = np.concatenate(
            [np.where(taken[:, None] >= 0, true[taken] if len(true) else found[:, :3], found[:, :3]), missed]
        )
        own = pd.DataFrame(place, columns=["row", "column", "radius"])
        names = ["found_row", "found_column", "found_radius", "score"]
        own[names] = np.concatenate([found, np.full((len(missed), 4), np.nan)])
        own["kind"] = [*np.where(taken >= 0, "hit", "false"), *["missed"] * len(missed)]
        pieces.append(own.assign(picture=picture))
    return pd.concat(pieces, ignore_index=True)


def tuned(examples: Examples, tables: np.ndarray) -> tuple[float, float]:
    """The threshold of best F1 on these examples, and that F1."""
    every = compared(examples, tables)
    found = every[every["kind"] != "missed"].sort_values("score", ascending=False, kind="stable")
    hit = (found["kind"] == "hit").to_numpy()
    return circles.threshold(found["score"].to_numpy(), hit, int((every["kind"] != "false").sum()))


def above(tables: np.ndarray, threshold: float) -> np.ndarray:
    """Tables whose scores are those above the threshold; empty places stay below it."""
    moved = tables.copy()
    moved[..., 3] = np.where(tables[..., 2] > 0, tables[..., 3] - threshold, -1)
    return moved


def _each_picture(examples: Examples, every: np.ndarray) -> list[tuple[int, np.ndarray]]:
    return [(i, every[every[:, 0] == i, 1:].astype("float64")) for i in range(len(examples.shared["sizes"]))]


def _told(examples: Examples, picture: int, own: np.ndarray) -> np.ndarray:
    """Whether the centre of each circle (n, 3) lies on the picture, in the inner square of one of its tiles."""
    inner = int(examples.shared["inner"])
    size = np.asarray(examples.shared["sizes"])[picture]
    inside = ((own[:, :2] >= -0.5) & (own[:, :2] < size - 0.5)).all(1)
    start = np.floor((own[:, :2] + 0.5) / inner).astype(int) * inner
    here = np.asarray(examples.rows["origin"])[np.asarray(examples.rows["picture"]) == picture]
    return inside & (start[:, None] == here[None]).all(-1).any(1)
