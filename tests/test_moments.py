"""Moments of parts are measured once and kept."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from geojax import store
from geojax.data import moments, scaling

SECTION = {"center": "month", "spread": "all", "over": ["time"], "reference": []}


def year(folder, number, rng):
    times = np.arange(f"{number}-01", f"{number + 1}-01", dtype="datetime64[M]").astype("datetime64[ns]")
    attributes = {"part": str(number), "quality": [{"kind": "metadata", "count": 1}]}  # as ingestion leaves them
    fields = xr.Dataset({"sst": (("time", "lat"), rng.normal(size=(12, 3)))}, {"time": times}, attributes)
    store.write(fields, folder / f"{number}.zarr")
    return folder / f"{number}.manifest.json"


@pytest.fixture
def parts(tmp_path, rng):
    return [year(tmp_path, number, rng) for number in (1991, 1992, 1993)]


@pytest.fixture
def measured(monkeypatch):
    """Parts whose moments were measured, rather than known."""
    found, measure = [], scaling.moments
    monkeypatch.setattr(scaling, "moments", lambda part, section: found.append(part) or measure(part, section))
    return found


def test_a_further_part_rereads_none_of_the_others_and_gives_what_all_give_anew(tmp_path, rng, parts, measured):
    moments.of_parts(parts, SECTION, tmp_path / "kept", "code")
    parts.append(year(tmp_path, 1994, rng))
    measured.clear()

    known = moments.of_parts(parts, SECTION, tmp_path / "kept", "code")
    assert len(measured) == 1

    anew = moments.of_parts(parts, SECTION, tmp_path / "other", "code")
    assert scaling.merge(known).identical(scaling.merge(anew))
    for one, other in zip(known, anew, strict=True):
        assert {n: v.dtype for n, v in one.variables.items()} == {n: v.dtype for n, v in other.variables.items()}


@pytest.mark.parametrize("change", [{"center": "mean"}, {"over": ["time", "lat"], "center": "mean"}])
def test_another_setting_measures_anew(tmp_path, parts, measured, change):
    moments.of_parts(parts, SECTION, tmp_path / "kept", "code")
    measured.clear()

    moments.of_parts(parts, SECTION | change, tmp_path / "kept", "code")

    assert len(measured) == 3


def test_what_moments_do_not_depend_on_measures_nothing(tmp_path, parts, measured):
    moments.of_parts(parts, SECTION, tmp_path / "kept", "code")
    measured.clear()

    moments.of_parts(parts, SECTION | {"spread": "point", "reference": ["1991"]}, tmp_path / "kept", "code")

    assert measured == []


def test_another_code_or_content_measures_anew(tmp_path, rng, parts, measured):
    moments.of_parts(parts, SECTION, tmp_path / "kept", "code")
    moments.of_parts(parts, SECTION, tmp_path / "kept", "edited")
    year(tmp_path, 1992, rng)
    measured.clear()

    moments.of_parts(parts, SECTION, tmp_path / "kept", "edited")

    assert len(measured) == 1


@pytest.mark.parametrize("share", np.linspace(0, 0.99, 12))
def test_a_file_cut_short_or_with_a_flipped_bit_is_measured_anew(tmp_path, parts, measured, share):
    expected = moments.of_parts(parts, SECTION, tmp_path / "kept", "code")
    one, other, _ = sorted((tmp_path / "kept").iterdir())
    content = bytearray(one.read_bytes())
    one.write_bytes(content[: int(share * len(content))])
    flipped = bytearray(other.read_bytes())
    flipped[10 + int(share * (len(flipped) - 10))] ^= 4
    other.write_bytes(flipped)
    measured.clear()

    found = moments.of_parts(parts, SECTION, tmp_path / "kept", "code")

    assert len(measured) == 2
    assert all(a.identical(b) for a, b in zip(found, expected, strict=True))


def test_what_no_part_stands_for_any_longer_is_removed(tmp_path, parts):
    moments.of_parts(parts, SECTION, tmp_path / "kept", "code")
    moments.of_parts(parts[:1], SECTION, tmp_path / "kept", "code")

    assert len(list((tmp_path / "kept").iterdir())) == 1


def test_moments_that_are_known_cost_one_look_at_each_manifest(tmp_path, parts, monkeypatch):
    moments.of_parts(parts, SECTION, tmp_path / "kept", "code")
    looked = []
    monkeypatch.setattr(Path, "read_text", lambda path, own=Path.read_text: looked.append(path) or own(path))

    moments.of_parts(parts, SECTION, tmp_path / "kept", "code")

    assert looked == parts
