"""Raw files, examples and near-copies of them that stand in several splits."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from geojax.data import likeness
from geojax.data.audit.telling import Check, both, each, torn_apart

RAW = Mapping[str, Mapping[str, str]]  # digest of each raw file that a part alone was made from: part, file


def raw_files(index: pd.DataFrame, raw: RAW) -> Check:
    """One raw file, by its digest, behind parts of several splits."""
    if not any(raw.values()):
        return Check("raw files told twice", None)
    files = pd.DataFrame(
        [(part, name, digest) for part, own in raw.items() for name, digest in own.items()],
        columns=["part", "raw_name", "raw_digest"],
    )
    rows = index.drop_duplicates(["part", "split"]).merge(files, on="part")
    every = (own for _, own in torn_apart(rows, "raw_digest"))
    torn = [own for own in every if own["part"].nunique() > 1]  # no part is a copy of itself
    leaks = [f"the same raw file: {each(own, 'raw_name')}" for own in torn]
    words = f"no raw file stands in two splits, by its digest ({files['raw_digest'].nunique()} files)"
    return Check("raw files told twice", words, leaks, "take one of the copies out of the raw files")


def same_content(index: pd.DataFrame) -> Check:
    """Examples that are equal to the bit."""
    if "content" not in index:
        return Check("the same content twice", None)
    leaks = [f"the same content: {each(own)}" for _, own in torn_apart(index, "content")]
    words = f"no raw example stands in two splits, by the digest of its content ({index['content'].nunique()} examples)"
    return Check("the same content twice", words, leaks, "take one of the copies out of the raw files")


def near_copies(index: pd.DataFrame, least: float | None) -> Check:
    """Examples whose fingerprints correlate by `least` or more."""
    if "fingerprint" not in index or least is None:
        return Check("near-duplicates", None)
    rows = index[~index["fingerprint"].map(id).duplicated()].dropna(subset="fingerprint")  # repeated rows share it
    found, compared, flat = likeness.pairs(rows["fingerprint"], rows["split"], least)
    leaks = []
    for pair in found:
        one, other = (next(rows.iloc[[place]].itertuples()) for place in (pair.one, pair.other))
        if "content" in index and one.content == other.content:
            continue  # told as the same
        several = max(np.ndim(one.fingerprint), np.ndim(other.fingerprint)) > 1
        pieces = f" (piece {pair.piece_of_one} of one, {pair.piece_of_other} of the other)" if several else ""
        leaks.append(f"nearly the same content, correlation {pair.correlation:.4f}: {both(one, other)}{pieces}")
    words = f"no two examples of different splits correlate by {least} or more, by {compared} fingerprints"
    words += f", of which {flat} are of constant or empty examples and say nothing" if flat else ""
    mend = "take one of the copies out of the raw files, or let `split: near_duplicates` say how alike examples may be"
    return Check("near-duplicates", words, leaks, mend)
