"""What docs/data.md shows of `source` and `quality` is what the configuration takes; it names every reader."""

import re

import pytest
import yaml
from conftest import ROOT

from geojax.config import Dataset
from geojax.data import parts, raw, readers

PAGE = (ROOT / "docs" / "data.md").read_text()
EVERY = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]
SNIPPETS = [snippet for snippet in EVERY if "source" in snippet]


@pytest.mark.parametrize("snippet", SNIPPETS, ids=[snippet["source"]["kind"] for snippet in SNIPPETS])
def test_every_example_is_a_source_of_parts_whose_lots_can_be_ordered(dataset, snippet):
    section = Dataset.model_validate(dataset | snippet)

    if section.source.kind != "files":
        lots = parts.lots(section)
        orders = [raw.order(section, lot) for lot in lots]
        assert all(order["kind"] == section.source.kind for order in orders)
        assert len({str(order) for order in orders}) == len(lots)


def test_there_is_one_example_of_each_kind():
    kinds = {path.stem for path in (ROOT / "geojax/data/sources").glob("[a-z]*.py")} | {"files"}

    assert sorted(snippet["source"]["kind"] for snippet in SNIPPETS) == sorted(kinds)


def test_every_other_example_is_a_section_of_a_dataset(dataset):
    for snippet in EVERY:
        Dataset.model_validate(dataset | snippet)


def test_every_reader_is_named():
    named = set(re.findall(r"^\| `(\w+)`", PAGE, re.MULTILINE))

    assert named == set(readers.names())
