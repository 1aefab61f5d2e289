"""Laws of truth of which the classes lie apart: each file is of one class, and none is lost."""

import pytest

from tests.unet.sources.test_search import below, find, names, write
from unet.settings.ingest import Source
from unet.sources.search import Known, find_stacks
from unet.sources.source_files import source_files, source_folders
from unet.sources.stacks import Scenes

FOLDERS = {"nucleus": "n", "mitosis": "m"}


def test_each_class_has_its_files_and_a_stack_may_lack_one(tmp_path):
    write(tmp_path, "raw/a.tif", "raw/b.tif", "raw/c.tif", "n/a.png", "n/b.png", "m/b.png", "m/d.png")
    found = find(tmp_path, Source("raw", FOLDERS))
    assert names(found) == ["a", "b", "c"]
    assert [below(tmp_path, stack.truth) for stack in found.stacks] == [["n/a.png"], ["n/b.png", "m/b.png"], []]
    assert [[name for name, _ in stack.truth_by_class] for stack in found.stacks] == [
        ["nucleus"],
        ["nucleus", "mitosis"],
        [],
    ]
    assert {stack.classes for stack in found.stacks} == {(("nucleus", "nucleus"), ("mitosis", "mitosis"))}
    assert below(tmp_path, found.unmatched) == ["m/d.png"]
    assert len(source_files([Source("raw", FOLDERS)], tmp_path)) == 7
    assert {tmp_path / "n", tmp_path / "m"} <= set(source_folders([Source("raw", FOLDERS)], tmp_path))


@pytest.mark.parametrize("place", ["types", "truth", "raw"])
def test_tables_of_classes_lie_in_a_folder_of_their_own_or_beside(tmp_path, place):
    write(tmp_path, "raw/a.tif", "raw/b.tif", "truth/a.png", f"{place}/a.csv", f"{place}/c.csv")
    source = Source("raw", "truth", class_of=place, classes={1: "nucleus"})
    found = find(tmp_path, source)
    assert names(found) == ["a", "b"]
    stack = found.stacks[0]
    assert below(tmp_path, stack.truth) == ["truth/a.png", f"{place}/a.csv"]
    assert below(tmp_path, stack.class_of) == [f"{place}/a.csv"]
    assert below(tmp_path, found.unmatched) == [f"{place}/c.csv"]
    assert f"{tmp_path}/{place}/a.csv" in source_files([source], tmp_path)


def test_names_of_tables_may_have_the_suffix_of_truth(tmp_path):
    write(tmp_path, "raw/a.tif", "raw/b.tif", "truth/a_mask.png", "truth/b_mask.png", "t/a.csv", "t/b_mask.csv")
    found = find(tmp_path, Source("raw", "truth", suffix="_mask", class_of="t", classes={1: "nucleus"}))
    assert [below(tmp_path, stack.class_of) for stack in found.stacks] == [["t/a.csv"], ["t/b_mask.csv"]]


def test_ids_without_classes_are_refused_and_classes_without_ids_told(tmp_path):
    write(tmp_path, "raw/a.tif", "raw/b.tif", "truth/a.png", "t/b.csv")
    found = find(tmp_path, Source("raw", "truth", class_of="t", classes={1: "nucleus"}))
    assert found.stacks[0].refused == (
        "its truth must have the class of each id in 't', got no file of its name there; add one"
    )
    assert (found.stacks[1].truth, below(tmp_path, found.unmatched)) == ((), ["t/b.csv"])


def test_a_class_that_is_away_makes_all_truth_away(tmp_path):
    write(tmp_path, "raw/a.tif", "n/a.png")
    with pytest.raises(LookupError, match="truth must name an existing folder or file, got 'm'"):
        find(tmp_path, Source("raw", FOLDERS))
    known = Known(lambda name: True, {(str(tmp_path / "raw/a.tif"), None): "a"})
    (stack,) = (found := find_stacks([Source("raw", FOLDERS)], tmp_path, lambda file: Scenes(1), known)).stacks
    assert (stack.truth, stack.is_truth_away) == ((), True)
    assert "truth that was taken from it before is kept" in found.notes[0]


def test_slices_of_one_class_must_be_as_many_as_those_of_the_image(tmp_path):
    write(tmp_path, "raw/a/0.tif", "raw/a/1.tif", "n/a/0.png", "n/a/1.png", "m/a/0.png")
    (stack,) = find(tmp_path, Source("raw", FOLDERS, slices="z")).stacks
    assert "each slice must have its truth, got 2 files" in stack.refused


def test_one_folder_may_be_of_the_only_class(tmp_path):
    write(tmp_path, "raw/a.tif", "n/a.png")
    (stack,) = find(tmp_path, Source("raw", {"nucleus": "n"})).stacks
    assert [(name, below(tmp_path, files)) for name, files in stack.truth_by_class] == [("nucleus", ["n/a.png"])]
    assert stack.truth_parts == (stack.truth,)


def test_a_place_without_tables_is_told_by_the_setting_that_names_it(tmp_path):
    write(tmp_path, "raw/a.tif", "truth/a.png", "types/a.txt")
    with pytest.raises(
        LookupError, match=r"class_of 'types' must hold tables or image files, got none; known are \.csv, "
    ):
        find(tmp_path, Source("raw", "truth", class_of="types", classes={1: "nucleus"}))
