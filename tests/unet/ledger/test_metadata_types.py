"""Law of types: JSON of ours holds what it must, or a sentence names the file, the value and what it should be."""

import json

import pytest

from unet.dataset.folder import Folder
from unet.ledger.generations import Result
from unet.ledger.metadata_file import KEY
from unet.ledger.metadata_types import Facts
from unet.ledger.stamp import Recipe

RECIPE = Recipe("ingest", 1, {}, {"source": "3f2a"})


@pytest.fixture
def result(tmp_path):
    result = Result(Folder(str(tmp_path / "a.zarr")))
    result.commit(result.begin(RECIPE, {}), {"ome": {"version": "0.5"}}, {"axes": "yx", "shape": [3, 4]})
    return result


def put(result, where, value):
    """Another value at a dotted place of the metadata file."""
    file = result.folder / "zarr.json"
    values = file.read_json()
    *path, last = where.split(".")
    place = values
    for step in path:
        place = place[step]
    place[last] = value
    file.write_json(values)


def test_what_is_as_it_should_be_is_taken(result):
    facts = result.committed().facts
    assert {name: facts[name] for name in ("axes", "shape")} == {"axes": "yx", "shape": [3, 4]}
    result.amend({"seconds": 3})
    assert result.committed().facts["seconds"] == 3


@pytest.mark.parametrize("value", [3, "x", [1], None, {"a": 1}, True, 1e300])
@pytest.mark.parametrize(
    "where",
    ["ome", f"{KEY}", f"{KEY}.recipe", f"{KEY}.plan", f"{KEY}.facts", f"{KEY}.facts.axes", f"{KEY}.facts.shape"],
)
def test_values_of_another_type_are_told_with_the_file(result, where, value):
    put(result, f"attributes.{where}", value)
    said = ""
    try:
        facts = result.committed().facts
        assert (type(facts.get("axes", "")), type(facts.get("shape", []))) == (str, list)
    except (ValueError, LookupError) as error:
        said = str(error)
    assert said == "" or result.folder.url in said


def test_a_fact_that_is_missing_is_told_with_the_file(result):
    put(result, f"attributes.{KEY}.facts", {})
    with pytest.raises(ValueError, match=r"a\.zarr/zarr\.json is damaged: it must say axes, got nothing"):
        result.committed().facts["axes"]
    assert result.committed().facts.get("axes") is None


def test_facts_are_written_as_a_dictionary():
    assert json.loads(json.dumps(Facts({"a": 1}))) == {"a": 1}
