import os
import re
from pathlib import Path

import pytest

from unet.settings.ingest import Source
from unet.sources.search import Known, find_stacks
from unet.sources.source_files import source_files
from unet.sources.stacks import Catalogue, Scenes


def write(root, *paths):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()


def one_scene(file):
    return Scenes(1)


def set_of_two(part):
    """A set of two files, one of which is opened by the other."""
    return lambda file: Scenes(0) if file == str(part) else Scenes(1, (str(part),))


def find(root, *sources, find_scenes=one_scene) -> Catalogue:
    return find_stacks(sources, root, find_scenes)


def names(catalogue):
    return [stack.name for stack in catalogue.stacks]


def below(root, files):
    return [Path(file).relative_to(root.resolve()).as_posix() for file in files]


def test_every_file_is_a_stack_named_by_its_path(tmp_path):
    write(tmp_path, "raw/b.ome.tif", "raw/day 1/grün.TIFF", "raw/a.png")
    catalogue = find(tmp_path, Source("raw"))
    assert names(catalogue) == ["a", "b", "day_1__grun"]
    assert [stack.scene for stack in catalogue.stacks] == [None] * 3
    assert all(Path(file).is_absolute() for stack in catalogue.stacks for file in stack.files)


def test_hidden_files_other_kinds_and_our_datasets_are_no_images(tmp_path):
    write(tmp_path, "a.tif", "._a.tif", ".cache/b.tif", "c.bmp", "notes.txt")
    write(tmp_path, "cells/dataset.yaml", "cells/reports/unet/curve.png")
    assert names(find(tmp_path, Source("."))) == ["a"]


def test_a_file_is_a_source_too(tmp_path):
    write(tmp_path, "raw/a.tif", "raw/b.tif", "drawn.png")
    (stack,) = find(tmp_path, Source("raw/a.tif", "drawn.png", foreground=255)).stacks
    assert (stack.name, stack.foreground) == ("a", 255)
    assert below(tmp_path, stack.truth) == ["drawn.png"]


def test_absolute_paths_do_not_start_at_the_root(tmp_path):
    write(tmp_path, "raw/a.tif")
    assert names(find(Path("/nowhere"), Source(str(tmp_path / "raw")))) == ["a"]


def test_scenes_become_stacks(tmp_path):
    write(tmp_path, "raw/a.tif", "raw/b.tif", "truth/a-s1.tif")
    catalogue = find(
        tmp_path, Source("raw", "truth"), find_scenes=lambda file: Scenes(2 if file.endswith("a.tif") else 1)
    )
    assert [(stack.name, stack.scene) for stack in catalogue.stacks] == [("a-s0", 0), ("a-s1", 1), ("b", None)]
    assert [len(stack.truth) for stack in catalogue.stacks] == [0, 1, 0]


def test_parts_of_a_set_are_no_stacks(tmp_path):
    write(tmp_path, "raw/a1.tif", "raw/a2.tif")
    catalogue = find(tmp_path, Source("raw"), find_scenes=set_of_two(tmp_path / "raw/a2.tif"))
    assert names(catalogue) == ["a1"]
    assert below(tmp_path, catalogue.stacks[0].files) == ["raw/a1.tif", "raw/a2.tif"]
    with pytest.raises(LookupError, match=r"'raw/a2.tif' must hold all files of a set"):
        find(tmp_path, Source("raw/a2.tif"), find_scenes=lambda file: Scenes(0))


def test_parts_of_a_set_of_truth_are_of_its_stack(tmp_path):
    write(tmp_path, "raw/a.tif", "truth/a.tif", "truth/a2.tif", "truth/b.tif")
    part = tmp_path / "truth/a2.tif"
    catalogue = find(
        tmp_path,
        Source("raw", "truth"),
        find_scenes=lambda file: Scenes(1, (str(part),) if file.endswith("truth/a.tif") else ()),
    )
    assert below(tmp_path, catalogue.stacks[0].truth) == ["truth/a.tif", "truth/a2.tif"]
    assert below(tmp_path, catalogue.unmatched) == ["truth/b.tif"]


def test_a_broken_file_is_left_to_the_reader(tmp_path):
    write(tmp_path, "raw/a.tif", "raw/b.tif")

    def count(file):
        if file.endswith("a.tif"):
            raise ValueError("broken")
        return Scenes(1)

    assert names(find(tmp_path, Source("raw"), find_scenes=count)) == ["a", "b"]


@pytest.mark.parametrize("axis", ["z", "t"])
def test_each_folder_of_slices_is_a_stack_in_natural_order(tmp_path, axis):
    write(tmp_path, *(f"raw/{place}z{z}.tif" for place in ("", "day/a/") for z in (10, 1, 2)))
    write(tmp_path, *(f"truth/day/a/{z:02}.png" for z in (1, 2, 10)))
    catalogue = find(tmp_path, Source("raw", "truth", slices=axis))
    assert [(stack.name, stack.axis, stack.scene) for stack in catalogue.stacks] == [
        ("day__a", axis, None),
        ("raw", axis, None),
    ]
    day, raw = catalogue.stacks
    assert below(tmp_path, day.files) == [f"raw/day/a/z{z}.tif" for z in (1, 2, 10)]
    assert below(tmp_path, day.truth) == [f"truth/day/a/{z:02}.png" for z in (1, 2, 10)]
    assert raw.truth == ()


def test_slices_lying_directly_in_the_sources_match(tmp_path):
    write(tmp_path, "image/0.tif", "image/1.tif", "label/0.tif", "label/1.tif")
    (stack,) = find(tmp_path, Source("image", "label", slices="z")).stacks
    assert (stack.name, len(stack.truth)) == ("image", 2)


def test_slices_without_their_truth_are_refused_with_both_counts(tmp_path):
    write(tmp_path, "raw/1.tif", "raw/2.tif", "truth/1.tif")
    (stack,) = find(tmp_path, Source("raw", "truth", slices="z")).stacks
    assert re.search(r"got 2 files in .*raw but 1 in .*truth, none of 2.tif; add", stack.refused)


@pytest.mark.parametrize(
    ("images", "truth", "suffix", "says"),
    [
        (["a_1", "a_2", "a_10"], ["a_1", "a_10"], None, "truth/s, none of a_2.tif;"),
        (["a_1", "a_2", "a_10"], ["a_1_mask", "a_2_mask"], "_mask", "truth/s, none of a_10.tif;"),
        (["a_01", "a_02", "a_03"], ["m1", "m3"], None, "truth/s, none of a_02.tif;"),
        (["a_1", "a_2"], ["a_1", "a_2", "a_3"], None, "truth/s, a_3.tif of none;"),
        (["a", "b"], ["c"], None, "truth/s; add"),
    ],
)
def test_the_first_slice_without_truth_is_named(tmp_path, images, truth, suffix, says):
    write(tmp_path, *(f"raw/s/{name}.tif" for name in images), *(f"truth/s/{name}.tif" for name in truth))
    (stack,) = find(tmp_path, Source("raw", "truth", slices="z", suffix=suffix)).stacks
    assert says in stack.refused


def test_two_files_of_truth_for_one_stack_are_refused_as_that_stack(tmp_path):
    write(tmp_path, "raw/a.tif", "raw/b.tif", "truth/a.tif", "truth/a.png", "truth/b.png")
    a, b = find(tmp_path, Source("raw", "truth")).stacks
    assert re.search(r"truth of a stack must be one file, got .*a\.png and .*a\.tif", a.refused)
    assert (b.refused, len(b.truth)) == ("", 1)


def test_truth_is_matched_by_path_whatever_its_suffix(tmp_path):
    write(tmp_path, "raw/a/x.ome.tif", "raw/b/x.tif", "raw/c.tif", "truth/a/x.png", "truth/d.tif")
    catalogue = find(tmp_path, Source("raw", "truth"))
    assert [below(tmp_path, stack.truth) for stack in catalogue.stacks] == [["truth/a/x.png"], [], []]
    assert below(tmp_path, catalogue.unmatched) == ["truth/d.tif"]


def test_composed_and_decomposed_names_match(tmp_path):
    write(tmp_path, "raw/gr\u00fcn.tif", "truth/gru\u0308n.tif")
    assert len(find(tmp_path, Source("raw", "truth")).stacks[0].truth) == 1


@pytest.mark.parametrize(("images", "truth"), [("X", "X/masks"), ("X/raw", "X"), ("X/raw", "X/masks")])
def test_truth_among_images_is_not_taken_for_images(tmp_path, images, truth):
    write(tmp_path, f"{images}/a.tif", f"{truth}/a.tif")
    catalogue = find(tmp_path, Source(images, truth))
    assert names(catalogue) == ["a"]
    assert below(tmp_path, catalogue.stacks[0].truth) == [f"{truth}/a.tif"]


def test_one_file_of_truth_among_images_is_not_taken_for_an_image(tmp_path):
    write(tmp_path, "X/a.tif", "X/drawn.tif")
    (stack,) = find(tmp_path, Source("X", "X/drawn.tif")).stacks
    assert (stack.name, len(stack.truth)) == ("a", 1)


def test_a_folder_behind_a_link_is_looked_into(tmp_path):
    write(tmp_path, "disk/a.tif", "raw/b.tif")
    (tmp_path / "raw/more").symlink_to(tmp_path / "disk")
    assert names(find(tmp_path, Source("raw"))) == ["b", "more__a"]


@pytest.mark.parametrize(
    "paths",
    [
        ("one/a.tif", "one/a.png"),
        ("one/a b.tif", "one/a_b.tif"),
        ("one/a.tif", "two/a.tif"),
        ("one/a.tif", "two/A.tif"),
        ("one/x__y.tif", "one/x/y.tif"),
    ],
)
def test_colliding_names_are_told_apart(tmp_path, paths):
    write(tmp_path, "one/zzz.tif", "two/yyy.tif", *paths)
    catalogue = find(tmp_path, Source("one"), Source("two"))
    assert len({name.lower() for name in names(catalogue)}) == 4
    (note,) = catalogue.notes
    assert any(note.startswith(f"{tmp_path.resolve() / path} is called ") for path in paths)


def test_a_stack_keeps_its_name_whatever_comes_beside_it(tmp_path):
    write(tmp_path, "one/a b.tif")
    known = Known(lambda name: False, {(str(tmp_path.resolve() / "one/a b.tif"), None): "a_b"})
    for more in ("one/a_b.tif", "one/A_B.tif"):
        write(tmp_path, more)
        catalogue = find_stacks([Source("one")], tmp_path, one_scene, known)
        named = {Path(stack.files[0]).name: stack.name for stack in catalogue.stacks}
        assert named["a b.tif"] == "a_b"
        assert named[Path(more).name].startswith(f"{Path(more).stem}-")


def test_a_prefix_tells_the_files_of_two_days_apart(tmp_path):
    write(tmp_path, "one/a.tif", "two/a.tif")
    assert names(find(tmp_path, Source("one"), Source("two", prefix="two-"))) == ["a", "two-a"]


def test_a_source_named_twice_is_two_stacks_each(tmp_path):
    write(tmp_path, "one/a.tif")
    assert len(set(names(find(tmp_path, *[Source("one")] * 3)))) == 3


def test_a_scene_does_not_take_the_name_of_a_file(tmp_path):
    write(tmp_path, "raw/a.tif", "raw/a-s1.tif")
    catalogue = find(tmp_path, Source("raw"), find_scenes=lambda file: Scenes(2 if file.endswith("a.tif") else 1))
    assert len(set(names(catalogue))) == 3


def test_a_source_that_is_away_stops_no_other_where_a_dataset_is_there(tmp_path):
    write(tmp_path, "one/a.tif", "empty/notes.txt")
    known = Known(lambda name: False, {("b", None): "b"})
    sources = [Source("one"), Source("two", "truth"), Source("empty")]
    catalogue = find_stacks(sources, tmp_path, one_scene, known)
    assert names(catalogue) == ["a"]
    assert [note.endswith("; what was taken from it before is kept") for note in catalogue.notes] == [True, True]
    assert below(tmp_path, source_files(sources, tmp_path)) == ["one/a.tif"]


@pytest.mark.parametrize("written", ["~nobody-here/raw", "circle"])
def test_a_path_that_leads_nowhere_is_told_as_written(tmp_path, written):
    (tmp_path / "circle").symlink_to("circle")
    write(tmp_path, "raw/a.tif")
    with pytest.raises(LookupError, match=rf"'{written}' must name an existing folder or file, got: "):
        find(tmp_path, Source(written))


def test_missing_and_empty_folders_are_named_as_written(tmp_path):
    write(tmp_path, "raw/a.bmp", "good/a.tif", "a.bmp")
    with pytest.raises(LookupError, match=r"images must name an existing folder or file, got '\.\./rw'"):
        find(tmp_path, Source("../rw"))
    with pytest.raises(LookupError, match="truth must name an existing folder or file, got 'drawn'"):
        find(tmp_path, Source("good", "drawn"))
    for path in ("raw", "a.bmp"):
        with pytest.raises(LookupError, match=rf"images '{path}' must hold image files.*\.ome\.tif.*\.png"):
            find(tmp_path, Source(path))
    with pytest.raises(LookupError, match="truth must be another folder"):
        find(tmp_path, Source("good", "./good"))


def test_truth_that_fits_nothing_is_refused_with_an_example_of_each(tmp_path):
    write(tmp_path, "raw/a.tif", "truth/a_mask.tif")
    with pytest.raises(ValueError, match=r"a_mask.tif in 'truth', but 'a' in 'raw'"):
        find(tmp_path, Source("raw", "truth"))


def test_no_sources_no_stacks(tmp_path):
    assert find(tmp_path) == Catalogue((), ())


def links(catalogue, root):
    """Notes without the folder that the test works in."""
    return [note.replace(f"{root.resolve()}/", "") for note in catalogue.notes]


def test_a_link_to_the_parent_folder_multiplies_nothing(tmp_path):
    write(tmp_path, "project/raw/a.tif", "project/raw/day1/b.tif", "project/other/c.tif")
    (tmp_path / "project/raw/up").symlink_to("..")
    (tmp_path / "project/raw/day1/top").symlink_to(tmp_path / "project/raw")
    catalogue = find(tmp_path, Source("project/raw"))
    assert names(catalogue) == ["a", "day1__b"]
    assert links(catalogue, tmp_path) == [
        "project/raw/up is a link to project, a folder around it, and is not followed"
    ]


def test_truth_behind_a_link_among_images_is_not_taken_for_images(tmp_path):
    write(tmp_path, "raw/a.tif", "truth/a.tif", "truth/day1/b.tif")
    for name, to in (("whole", "../truth"), ("part", "../truth/day1"), ("one.tif", "../truth/day1/b.tif")):
        (tmp_path / "raw" / name).symlink_to(to)
    assert names(find(tmp_path, Source("raw", "truth"))) == ["a"]


def test_links_that_lead_nowhere_stop_nothing_and_are_told(tmp_path):
    write(tmp_path, "raw/a.tif", "truth/a.tif")
    for link in ("raw/b.tif", "truth/c.tif"):
        (tmp_path / link).symlink_to("/nowhere/at/all.tif")
    (tmp_path / "raw/d.tif").symlink_to("d.tif")
    catalogue = find(tmp_path, Source("raw", "truth"))
    assert names(catalogue) == ["a"]
    assert links(catalogue, tmp_path) == [
        f"{link} is a link to what is not there; mend or remove it"
        for link in ("raw/b.tif", "raw/d.tif", "truth/c.tif")
    ]


def test_one_mask_may_be_the_truth_of_many_images(tmp_path):
    write(tmp_path, "raw/a.tif", "raw/b.tif", "truth/a.tif")
    (tmp_path / "truth/b.tif").symlink_to("a.tif")
    stacks = find(tmp_path, Source("raw", "truth")).stacks
    assert [below(tmp_path, stack.truth) for stack in stacks] == [["truth/a.tif"], ["truth/b.tif"]]


AWAY = {
    "the folder is gone": lambda truth: truth.rename(truth.with_name("elsewhere")),
    "the folder is empty": lambda truth: [file.unlink() for file in truth.iterdir()],
    "it is a link to what is not there": lambda truth: (
        truth.rename(truth.with_name("elsewhere")),
        truth.symlink_to("/nowhere/at/all"),
    ),
}


@pytest.mark.parametrize("way", AWAY)
def test_truth_that_is_away_is_a_note_where_it_was_known_and_refused_else(tmp_path, way):
    write(tmp_path, "raw/a.tif", "raw/b.tif", "truth/a.tif")
    AWAY[way](tmp_path / "truth")
    for known in (None, Known(lambda name: False)):
        with pytest.raises(LookupError, match="truth "):
            find_stacks([Source("raw", "truth")], tmp_path, one_scene, known)
    catalogue = find_stacks([Source("raw", "truth")], tmp_path, one_scene, Known(lambda name: name == "a"))
    assert [(stack.name, stack.truth, stack.is_truth_away) for stack in catalogue.stacks] == [
        ("a", (), True),
        ("b", (), True),
    ]
    assert [note.endswith("is kept, unless its line is removed from dataset.yaml") for note in catalogue.notes] == [
        True
    ]


def test_truth_behind_a_link_that_leads_nowhere_is_away_and_other_truth_is_not(tmp_path):
    write(tmp_path, "raw/a.tif", "raw/b.tif", "raw/c.tif", "truth/a.tif")
    (tmp_path / "truth/b.png").symlink_to("/nowhere/at/all.png")
    stacks = find_stacks([Source("raw", "truth")], tmp_path, one_scene, Known(lambda name: True)).stacks
    assert [stack.is_truth_away for stack in stacks] == [False, True, False]


@pytest.mark.parametrize("slices", [None, "z"])
@pytest.mark.parametrize("is_link", [False, True])
def test_truth_below_a_folder_that_is_empty_or_a_link_to_nothing_is_away(tmp_path, slices, is_link):
    write(tmp_path, *(f"raw/day{day}/a.tif" for day in (1, 2, 11)), "truth/day2/a.tif")
    if is_link:
        (tmp_path / "truth/day1").symlink_to("/nowhere/at/all")
    else:
        (tmp_path / "truth/day1").mkdir()
    (tmp_path / "truth/nobody").mkdir()
    catalogue = find_stacks([Source("raw", "truth", slices=slices)], tmp_path, one_scene, Known(lambda name: True))
    assert [note.split(" is ")[0] for note in catalogue.notes] == [f"{tmp_path.resolve()}/truth/day1"]
    assert {stack.name[:5].strip("_"): stack.is_truth_away for stack in catalogue.stacks} == {
        "day1": True,
        "day2": False,
        "day11": False,
    }


def test_truth_of_which_nothing_fits_any_more_is_unmatched_where_it_was_known(tmp_path):
    write(tmp_path, "raw/a.tif", "truth/a_mask.tif")
    catalogue = find_stacks([Source("raw", "truth")], tmp_path, one_scene, Known(lambda name: True))
    assert below(tmp_path, catalogue.unmatched) == ["truth/a_mask.tif"]
    assert catalogue.stacks[0].truth == ()
    assert not catalogue.stacks[0].is_truth_away


def test_files_that_links_lead_to_are_looked_at_too_and_truth_that_is_away_has_none(tmp_path):
    write(tmp_path, "raw/a.tif", "disk/b.tif")
    (tmp_path / "raw/more").symlink_to("../disk")
    (tmp_path / "raw/up").symlink_to("..")
    assert below(tmp_path, source_files([Source("raw", "truth")], tmp_path)) == ["raw/a.tif", "raw/more/b.tif"]
    with pytest.raises(LookupError, match="images must name an existing folder"):
        source_files([Source("rw", "truth")], tmp_path)


def test_a_folder_that_cannot_be_read_is_left_out_and_truth_below_it_is_away(tmp_path, monkeypatch):
    write(tmp_path, "raw/a.tif", "raw/secret/b.tif", "drawn/a.tif", "drawn/hidden/c.tif", "raw/hidden/c.tif")
    scan = os.scandir

    def scandir(folder):
        if Path(folder) in (tmp_path.resolve() / "raw/secret", tmp_path.resolve() / "drawn/hidden"):
            raise PermissionError(13, "Permission denied", str(folder))
        return scan(folder)

    monkeypatch.setattr(os, "scandir", scandir)
    catalogue = find(tmp_path, Source("raw", "drawn"))
    assert names(catalogue) == ["a", "hidden__c"]
    assert [bool(stack.truth) for stack in catalogue.stacks] == [True, False]
    assert [stack.is_truth_away for stack in catalogue.stacks] == [False, True]
    root = tmp_path.resolve()
    assert catalogue.notes == tuple(
        f"{root}/{folder} must be a folder that can be read, got: Permission denied; mend its rights"
        for folder in ("raw/secret", "drawn/hidden")
    )


def test_many_names_that_collide_are_told_in_a_line_a_source(tmp_path):
    write(tmp_path, *(f"{day}/{name}.tif" for day in ("one", "two") for name in range(30)))
    catalogue = find(tmp_path, Source("one"), Source("two"))
    assert len(set(names(catalogue))) == 60
    (note,) = catalogue.notes
    assert "and 29 more of 'two' likewise; a `prefix` of the source" in note


def test_names_that_were_told_apart_stay_when_sources_move(tmp_path):
    for place in ("here", "there"):
        write(tmp_path / place, "one/a.tif", "one/a.png", "one/a b.tif", "one/a_b.tif")
    here, there = (names(find(tmp_path / place, Source("one"))) for place in ("here", "there"))
    assert here == there


def test_many_links_to_nothing_are_told_in_a_few_lines(tmp_path):
    write(tmp_path, "raw/a.tif")
    for number in range(99):
        (tmp_path / f"raw/{number}.tif").symlink_to("nowhere.tif")
    notes = find(tmp_path, Source("raw")).notes
    assert len(notes) == 11
    assert notes[-1] == "89 more links lead nowhere in the same way"


def test_a_file_that_a_link_leads_to_is_found_once_though_its_folder_is_linked_too(tmp_path):
    write(tmp_path, "raw/a.tif", "out/c.tif")
    (tmp_path / "raw/c.tif").symlink_to("../out/c.tif")
    (tmp_path / "raw/out").symlink_to("../out")
    catalogue = find(tmp_path, Source("raw"))
    assert names(catalogue) == ["a", "c"]
    (note,) = catalogue.notes
    assert note.endswith(
        "raw/out/c.tif leads to " + f"{tmp_path.resolve()}/out/c.tif, which is taken already, and is left out"
    )
