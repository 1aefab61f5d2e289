"""Laws of sources that are away: a place is away where nobody can tell what lies there, and nowhere else."""

import os

import pytest

from unet.settings.ingest import Source
from unet.sources.presence import is_there, places_away


@pytest.fixture
def root(tmp_path):
    for file in ("raw/day1/a.tif", "raw/b.tif", "drawn/b.tif"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    return tmp_path.resolve()


def away(root):
    return {os.path.relpath(place, root): said for place, said in places_away([Source("raw", "drawn")], root).items()}


def test_nothing_is_away_that_can_be_looked_into(root):
    assert away(root) == {}


@pytest.mark.parametrize("place", ["raw", "drawn"])
def test_a_source_that_is_not_there_or_empty_is_away(root, place):
    (root / place).rename(root / "elsewhere")
    assert list(away(root)) == [place]
    (root / place).mkdir()
    (said,) = away(root).values()
    assert said.endswith("holds no image files now; what was taken from it before is kept")


def test_folders_below_that_are_empty_lead_nowhere_or_cannot_be_read_are_away(root, monkeypatch):
    (root / "raw/day1/a.tif").unlink()
    (root / "raw/day2").symlink_to("nowhere")
    (root / "raw/day3").mkdir()
    scan = os.scandir

    def scandir(folder):
        if str(folder).endswith("day3"):
            raise PermissionError(13, "Permission denied", str(folder))
        return scan(folder)

    monkeypatch.setattr(os, "scandir", scandir)
    assert sorted(away(root)) == ["raw/day1", "raw/day2", "raw/day3"]


def test_whether_something_is_there_never_raises(root, monkeypatch):
    def stat(*_, **__):
        raise PermissionError(13, "Permission denied")

    assert is_there(root / "raw")
    monkeypatch.setattr(os, "stat", stat)
    assert not is_there(root / "raw")
