"""A list of parts stands for the very manifests that it was made of, in their order."""

import shutil

import pytest

from geojax import store
from geojax.data import gathered
from geojax.errors import UserError


@pytest.fixture
def parts(tmp_path):
    every = [tmp_path / "data" / "parts" / f"{name}.manifest.json" for name in ("west", "east", "north")]
    for number, path in enumerate(every):
        store.write_json({"digest": str(number)}, path)
    return [str(path) for path in every]


def test_what_is_read_is_what_was_written_in_its_order(parts, tmp_path):
    gathered.write(parts, tmp_path / "data" / "reference.json")

    assert gathered.read(tmp_path / "data" / "reference.json") == parts


def test_a_list_goes_where_its_folder_goes(parts, tmp_path):
    gathered.write(parts, tmp_path / "data" / "parts.json")
    shutil.move(tmp_path / "data", tmp_path / "elsewhere")

    assert gathered.read(tmp_path / "elsewhere" / "parts.json") == [p.replace("/data/", "/elsewhere/") for p in parts]


def test_a_list_is_the_same_bytes_as_long_as_its_parts_are(parts, tmp_path):
    gathered.write(parts, tmp_path / "data" / "parts.json")
    before = (tmp_path / "data" / "parts.json").read_bytes()
    store.write_json({"digest": "1"}, parts[1])

    gathered.write(parts, tmp_path / "data" / "parts.json")

    assert (tmp_path / "data" / "parts.json").read_bytes() == before


def test_a_part_that_changed_or_went_after_it_was_listed_is_refused(parts, tmp_path):
    listed = tmp_path / "data" / "parts.json"
    gathered.write(parts, listed)

    store.write_json({"digest": "another"}, parts[1])
    with pytest.raises(UserError, match=r"east\.manifest\.json: must be as .*parts\.json tells, but has changed since"):
        gathered.read(listed)
    (tmp_path / "data" / "parts" / "east.manifest.json").unlink()
    with pytest.raises(UserError, match=r"east\.manifest\.json: must be as .*parts\.json tells, but is missing"):
        gathered.read(listed)


def test_a_list_that_cannot_be_read_is_refused(tmp_path):
    (tmp_path / "parts.json").write_text('{"parts": [')

    with pytest.raises(UserError, match="must be JSON written by geojax"):
        gathered.read(tmp_path / "parts.json")
