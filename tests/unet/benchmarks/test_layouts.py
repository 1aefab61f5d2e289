"""Laws of the challenges' folders: every form is found whole, and a file that is missing or renamed is named."""

import pytest

from tests import drawn_benchmarks as draw
from unet.benchmarks.layouts import all_files, find_units
from unet.benchmarks.published import BENCHMARKS


def units(name, folder):
    return find_units(BENCHMARKS[name], folder)


def test_both_forms_of_sections_are_one_stack(tmp_path):
    (volume,) = units("isbi2012", draw.isbi_volume(tmp_path / "a"))
    assert [path.rsplit("/", 1)[1] for path in volume.files] == ["train-volume.tif", "train-labels.tif"]
    for number, names in enumerate([("image", "label"), ("train/image", "train/label")]):
        (slices,) = units("isbi2012", draw.isbi_slices(tmp_path / f"b{number}", planes=11, names=names))
        assert [path[-6:] for path in slices.images] == [f"{n:02d}.tif" for n in range(11)]
        assert [path[-6:] for path in slices.truth] == [f"{n:02d}.tif" for n in range(11)]


def test_sections_are_in_the_order_of_their_numbers(tmp_path):
    folder = draw.isbi_slices(tmp_path / "a", planes=11)
    for kind in ("image", "label"):
        for n in range(11):
            (folder / kind / f"{n:02d}.tif").rename(folder / kind / f"{n}.tif")
    (unit,) = units("isbi2012", folder)
    assert [path.rsplit("/", 1)[1] for path in unit.images] == [f"{n}.tif" for n in range(11)]


@pytest.mark.parametrize("silver", [False, True])
@pytest.mark.parametrize("markers", [False, True])
def test_sequences_have_gold_of_some_frames_and_what_else_is_there(tmp_path, silver, markers):
    first, second = units("phc-u373", draw.tracking(tmp_path / "a", silver=silver, markers=markers))
    assert (first.name, second.name) == ("01", "02")
    assert first.frames == (0, 1, 2, 3)
    assert sorted(first.gold) == [0, 2]
    assert sorted(first.silver) == ([0, 1, 2, 3] if silver else [])
    assert sorted(first.markers) == ([0, 1, 2, 3] if markers else [])
    assert len(all_files([first, second])) == 2 * (4 + 2 + 4 * silver + 4 * markers)


def test_a_folder_that_holds_the_data_set_is_taken_too(tmp_path):
    draw.tracking(tmp_path / "a/PhC-C2DH-U373")
    assert len(units("phc-u373", tmp_path / "a")) == 2


def test_both_forms_of_pictures_are_found(tmp_path):
    found = units("dsb2018", draw.pictures(tmp_path / "a"))
    assert [(unit.name, len(unit.truth)) for unit in found] == [(f"{n:03d}", 1) for n in range(4)]
    masks = units("dsb2018", draw.with_masks(tmp_path / "b"))
    assert [unit.name for unit in masks] == [f"{n:064x}" for n in range(4)]
    assert all(unit.has_masks and len(unit.truth) > 1 for unit in masks)
    assert units("dsb2018", tmp_path / "b/stage1_train") == masks


def test_hidden_files_are_none(tmp_path):
    folder = draw.pictures(tmp_path / "a")
    (folder / "image/._000.tif").write_bytes(b"a desktop's")
    (folder / "image/notes.txt").write_text("a person's")
    assert len(units("dsb2018", folder)) == 4


DRAWN = {
    "isbi2012": draw.isbi_slices,
    "phc-u373": draw.tracking,
    "dic-hela": lambda folder: draw.tracking(folder, silver=True),
    "dsb2018": draw.pictures,
}
BROKEN = {
    "a volume without labels": ("isbi2012", draw.isbi_volume, "train-labels.tif", None, "must hold train-labels.tif"),
    "a volume with labels renamed": (
        "isbi2012", draw.isbi_volume, "train-labels.tif", "labels.tif", "labels.tif, ",
    ),
    "a section without label": ("isbi2012", draw.isbi_slices, "label/03.tif", None, "image/03.tif in image"),
    "a section renamed": ("isbi2012", draw.isbi_slices, "image/03.tif", "image/3b.tif", "must have one of its name"),
    "a frame missing": ("phc-u373", draw.tracking, "01/t001.tif", None, "none of number 1"),
    "a frame renamed": ("phc-u373", draw.tracking, "02/t001.tif", "02/frame1.tif", "frame1.tif must be called"),
    "gold of no frame": (
        "phc-u373", draw.tracking, "01_GT/SEG/man_seg002.tif", "01_GT/SEG/man_seg009.tif", "none of number 9",
    ),
    "gold renamed": ("dic-hela", draw.tracking, "02_GT/SEG/man_seg000.tif", "02_GT/SEG/seg000.tif", "seg000.tif must"),
    "a marker missing": ("phc-u373", draw.tracking, "01_GT/TRA/man_track003.tif", None, "none of number 3"),
    "a picture without label": ("dsb2018", draw.pictures, "label/002.tif", None, "image/002.tif"),
    "a label without picture": ("dsb2018", draw.pictures, "image/002.tif", None, "label/002.tif"),
    "no picture of an id": ("dsb2018", draw.with_masks, f"stage1_train/{0:064x}/images/{0:064x}.png", None, "images"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_a_file_that_is_missing_or_renamed_is_named(tmp_path, case):
    name, drawn, file, to, said = BROKEN[case]
    folder = drawn(tmp_path / "a")
    (folder / file).rename(folder / to if to else tmp_path / "away")
    with pytest.raises(LookupError) as refused:
        units(name, folder)
    assert said in str(refused.value)


def test_a_section_missing_from_both_folders_is_named(tmp_path):
    folder = draw.isbi_slices(tmp_path / "a")
    (folder / "image/03.tif").unlink()
    (folder / "label/03.tif").unlink()
    with pytest.raises(LookupError, match="none of number 3"):
        units("isbi2012", folder)


def test_a_sequence_without_gold_is_refused(tmp_path):
    folder = draw.tracking(tmp_path / "a")
    for file in (folder / "02_GT/SEG").iterdir():
        file.unlink()
    with pytest.raises(LookupError, match="02_GT/SEG must hold"):
        units("phc-u373", folder)
    (folder / "02").rename(folder / "03")
    with pytest.raises(LookupError, match="02 must hold frames"):
        units("phc-u373", folder)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_where_nothing_is_it_says_where_data_are_to_be_had_and_on_which_terms(tmp_path, name):
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(LookupError) as refused:
            units(name, folder)
        known = BENCHMARKS[name]
        assert all(words in str(refused.value) for words in (known.home, known.terms, known.cite, known.holds))


@pytest.mark.parametrize("name", DRAWN)
def test_what_is_found_is_there(tmp_path, name):
    found = units(name, DRAWN[name](tmp_path / "a"))
    assert all(path.startswith(str(tmp_path)) for path in all_files(found))
