"""What is said of stacks that the sources hold no more: of a place that is away, once, and of another name."""

import shutil

import numpy as np
import pytest

from flows.planning.plan import make_plan
from unet.dataset.record_file import read_record, set_values
from unet.ledger.results import image_of

KEPT = "; what was taken from it before is kept"


@pytest.fixture
def dataset(make, stage, tmp_path):
    """Stacks a and b in the source, and c, d in a folder that a link leads to."""
    pixels = np.arange(1, 4097, dtype=np.uint16).reshape(64, 64)
    made = make(dict.fromkeys(("a", "b", "day1/c", "day1/d"), (pixels, None)))
    (tmp_path / "files/image/day1").rename(tmp_path / "share")
    (tmp_path / "files/image/day1").symlink_to(tmp_path / "share")
    stage(made, "ingest")
    return made


@pytest.fixture
def notes(dataset):
    return lambda: make_plan(dataset, read_record(dataset)).notes


def test_a_folder_that_is_away_is_told_of_once_and_a_file_that_is_gone_by_itself(notes, tmp_path):
    assert notes() == ()
    (tmp_path / "share").rename(tmp_path / "elsewhere")
    (tmp_path / "files/image/a.ome.tif").unlink()
    gone, away = notes()
    assert gone == "a: its source is gone; its image is kept (`unet-flows remove` forgets it)"
    assert away == f"{tmp_path / 'files/image/day1'} is a link to what is not there; mend or remove it"


def test_a_folder_that_is_empty_is_told_of_though_nothing_else_does(notes, tmp_path):
    for file in (tmp_path / "share").iterdir():
        file.unlink()
    assert notes() == (f"{tmp_path / 'files/image/day1'} is empty{KEPT}",)


@pytest.mark.parametrize("is_mounted", [True, False])
def test_a_source_that_is_away_is_told_of_once(notes, tmp_path, is_mounted):
    (tmp_path / "files/image").rename(tmp_path / "away")
    if is_mounted:
        (tmp_path / "files/image").mkdir()
    (note,) = notes()
    assert note.endswith(KEPT)
    assert ("'../files/image' holds no image files now" if is_mounted else "must name an existing folder") in note


def test_an_excluded_stack_of_a_place_that_is_away_is_called_excluded(dataset, notes, tmp_path):
    (tmp_path / "files/image").rename(tmp_path / "away")
    set_values(dataset, {"exclude": ["a"]})
    assert "a: it is excluded; its image is kept (`unet-flows remove` forgets it)" in notes()
    assert len(notes()) == 2


def test_stacks_that_have_another_name_by_a_prefix_are_told_of_in_a_line(dataset, notes, stage):
    (source,) = read_record(dataset).sources
    set_values(dataset, {"sources": [{**vars(source), "prefix": "day2-"}]})
    said = (
        "a, b, day1__c, day1__d: its file is of a stack of another name now, such as day2-a; what was made under the "
        "old name counts beside it, until `unet-flows remove` forgets it"
    )
    assert notes() == (said,)
    stage(dataset, "ingest")
    assert notes() == (said,)
    for name in ("a", "b", "day1__c"):
        shutil.rmtree(image_of(dataset, name).folder.url)
    assert notes() == (said.replace("a, b, day1__c, day1__d", "day1__d").replace("such as day2-a", "day2-day1__d"),)


def test_planes_that_were_stacks_each_are_told_of_as_those_of_another_name(dataset, notes):
    set_values(dataset, {"sources": [{"images": "../files/image", "pattern": "{name}/{c}.ome.tif"}]})
    said = [note for note in notes() if "another name" in note]
    assert said[0].startswith("day1__c, day1__d: its file is of a stack of another name now, day1; what")
