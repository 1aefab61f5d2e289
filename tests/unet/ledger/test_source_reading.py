"""Law of reading: what is kept of a source is of one moment, whatever somebody writes into it meanwhile, and when."""

import os

import pytest

from unet.dataset.folder import Folder
from unet.ledger.fingerprint import of_files
from unet.ledger.generations import Result
from unet.ledger.source_reading import SourceReading
from unet.ledger.stamp import Recipe
from unet.sources.arrivals import UnfinishedError

A, B = b"a" * 100, b"b" * 100


@pytest.fixture
def source(tmp_path):
    (tmp_path / "a.tif").write_bytes(A)
    return tmp_path / "a.tif"


@pytest.fixture
def result(tmp_path):
    return Result(Folder(str(tmp_path / "a.zarr")))


def recipe_of(source):
    return Recipe("ingest", 1, {}, {"source": of_files([str(source)]).content})


def put(source, content):
    """Other bytes, though size and time of change stay, as `cp -p` and `rsync -t` leave them."""
    stat = source.stat()
    source.write_bytes(content)
    os.utime(source, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_a_file_that_nobody_touched_is_kept(source, result):
    recipe, reading = recipe_of(source), SourceReading((str(source),))
    generation = reading.begin(result, recipe)
    assert reading.finish(result, generation, recipe.inputs["source"]).content == recipe.inputs["source"]
    assert generation.folder.names() == ["zarr.json"]


@pytest.mark.parametrize("contents", [(B,), (B, A), (A,)])
def test_a_file_that_was_another_one_while_it_was_read_is_not(source, result, contents):
    recipe, reading = recipe_of(source), SourceReading((str(source),))
    generation = reading.begin(result, recipe)
    for content in contents:
        put(source, content)
    with pytest.raises(UnfinishedError, match=r"a\.tif changed while it was read"):
        reading.finish(result, generation, recipe.inputs["source"])
    assert result.folder.names() == []


@pytest.mark.parametrize(("contents", "is_kept"), [((), True), ((B, A), False)])
def test_what_a_killed_run_read_is_taken_on_unless_the_file_was_touched_since(source, result, contents, is_kept):
    recipe = recipe_of(source)
    (SourceReading((str(source),)).begin(result, recipe).folder / "shard").write(b"what it read")
    for content in contents:
        put(source, content)
    again = SourceReading((str(source),)).begin(result, recipe)
    assert (again.folder / "shard").exists() is is_kept
