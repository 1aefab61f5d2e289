"""Laws of names of truth: with a suffix those of that ending are truth and no others; a convention is only offered."""

from pathlib import Path

import pytest

from unet.settings.ingest import Source
from unet.sources.search import Known, find_stacks
from unet.sources.source_files import source_files
from unet.sources.stacks import Scenes
from unet.sources.truth import offer_of
from unet.sources.truth_suffixes import CONVENTIONS, offered


def write(root, *paths):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()


def look(root, source, known=None):
    """Names of stacks with the names of their files of truth; unmatched ones; notes."""
    found = find_stacks([source], root, lambda file: Scenes(1), known)
    pairs = {stack.name: [Path(file).name for file in stack.truth] for stack in found.stacks}
    return pairs, [Path(file).name for file in found.unmatched], found.notes


@pytest.mark.parametrize("suffix", CONVENTIONS)
@pytest.mark.parametrize("truth", [None, "raw"])
def test_truth_beside_images(tmp_path, suffix, truth):
    write(tmp_path, "raw/a.tif", f"raw/a{suffix}.png", "raw/b.tif", f"raw/c{suffix}.tif", f"raw/day/a{suffix}.tif")
    write(tmp_path, "raw/day/a.tif")
    pairs, unmatched, notes = look(tmp_path, Source("raw", truth, suffix=suffix))
    assert pairs == {"a": [f"a{suffix}.png"], "b": [], "day__a": [f"a{suffix}.tif"]}
    assert (unmatched, notes) == ([f"c{suffix}.tif"], ())


def test_truth_in_a_folder_of_its_own(tmp_path):
    write(tmp_path, "raw/a.tif", "raw/b.tif", "masks/a_mask.png", "masks/b.png", "masks/c_mask.png")
    pairs, unmatched, _ = look(tmp_path, Source("raw", "masks", suffix="_mask"))
    assert pairs == {"a": ["a_mask.png"], "b": []}
    assert unmatched == ["c_mask.png", "b.png"]
    write(tmp_path, "raw/masks/a_mask.png")
    assert look(tmp_path, Source("raw", "raw/masks", suffix="_mask"))[0] == {"a": ["a_mask.png"], "b": []}


def test_slices_and_their_truth_in_one_folder_or_in_one_beside(tmp_path):
    write(tmp_path, *(f"raw/{name}.tif" for name in ("s/1", "s/2", "s/1_mask", "s/2_mask", "t/1", "t_mask/1")))
    pairs, _, _ = look(tmp_path, Source("raw", suffix="_mask", slices="z"))
    assert pairs == {"s": ["1_mask.tif", "2_mask.tif"], "t": ["1.tif"]}


def test_a_suffix_that_no_file_bears_is_refused_and_of_a_dataset_a_note(tmp_path):
    write(tmp_path, "raw/a.tif", "raw/a_mask.tif")
    source = Source("raw", suffix="_labels")
    with pytest.raises(LookupError, match=r"truth must have names that end in '_labels', as `suffix` says, got none"):
        look(tmp_path, source)
    names = {(str(tmp_path / "raw/a.tif"), None): "a"}
    _, _, notes = look(tmp_path, source, Known(lambda name: True, names))
    assert "truth that was taken from it before is kept" in notes[0]


def test_outlines_need_no_suffix(tmp_path):
    write(
        tmp_path,
        "raw/a.tif",
        "raw/b.tif",
        "raw/c.tif",
        "raw/a.geojson",
        "raw/b_RoiSet.zip",
        "raw/old.zip",
        "raw/c.json",
    )
    pairs, unmatched, _ = look(tmp_path, Source("raw", "raw"))
    assert (pairs, unmatched) == ({"a": ["a.geojson"], "b": ["b_RoiSet.zip"], "c": []}, [])
    assert look(tmp_path, Source("raw"))[0] == {"a": [], "b": [], "c": []}
    assert str(tmp_path / "raw/a.geojson") in source_files([Source("raw", "raw")], tmp_path)


def test_outlines_in_a_folder_of_their_own(tmp_path):
    write(tmp_path, "raw/a.tif", "raw/b.tif", "raw/c.tif", "rois/a.zip", "rois/b/RoiSet.zip", "rois/notes.json")
    write(tmp_path, "rois/c/0001-0022-0033.roi", "rois/c/0002-0022-0033.roi", "rois/d.roi")
    pairs, unmatched, _ = look(tmp_path, Source("raw", "rois"))
    assert pairs == {"a": ["a.zip"], "b": ["RoiSet.zip"], "c": ["0001-0022-0033.roi", "0002-0022-0033.roi"]}
    assert unmatched == ["d.roi"]


def test_labels_go_before_outlines_of_the_same_name(tmp_path):
    write(tmp_path, "raw/a.tif", "raw/b.tif", "truth/a.tif", "truth/a.json", "truth/b.tif", "truth/b.geojson")
    pairs, unmatched, notes = look(tmp_path, Source("raw", "truth"))
    assert (pairs, unmatched) == ({"a": ["a.tif"], "b": ["b.tif"]}, [])
    assert [note.endswith("truth/b.geojson is left out") for note in notes] == [True]


@pytest.mark.parametrize(
    ("files", "truth", "suffix", "words"),
    [
        (["raw/a.tif", "raw/a_mask.tif", "raw/b.tif"], None, "_mask", "1 of 2 images have truth by suffix `_mask`"),
        (["raw/a.tif", "raw/a_2.tif", "raw/b_mask.tif"], None, None, ""),
        (
            ["raw/a.tif", "raw/b.tif", "t/a_x_cells.png"],
            "t",
            "_x_cells",
            "have truth by suffix `_x_cells`",
        ),
        (["raw/a.tif", "raw/b.tif", "t/a_m.png", "t/b_n.png"], "t", "", "say `--suffix _m` (1) or `--suffix _n` (1)"),
        (["raw/a.tif", "raw/b.tif", "t/a.png", "t/b_m.png"], "t", None, ""),
        (["raw/a_0000.tif", "raw/a_0001.tif", "t/a.tif"], "t", "", "2 of 2 images have truth without the number"),
        (["raw/a.tif", "t/b.tif"], "t", None, ""),
    ],
)
def test_a_convention_is_offered_where_nothing_else_fits(tmp_path, files, truth, suffix, words):
    write(tmp_path, *files)
    source = Source("raw", truth)
    offer = offer_of(source, tmp_path)
    assert (offer and offer.suffix) == suffix
    assert words in (offer.words if offer else "")
    if truth and offer:
        with pytest.raises(ValueError, match=r"truth must bear the names of images") as error:
            look(tmp_path, source)
        assert offer.words in str(error.value)
    elif not truth:
        assert sum(len(of) for of in look(tmp_path, source)[0].values()) == 0  # and never taken


def test_nothing_is_offered_where_a_suffix_is_set_or_nothing_is_there(tmp_path):
    assert offered(Source("raw", suffix="_x"), ["a", "a_mask"], None) is None
    assert offer_of(Source("raw"), tmp_path) is None


@pytest.mark.parametrize("channels", [1, 2])
def test_folders_of_nnunet_fit_by_the_pattern_that_is_offered(tmp_path, channels):
    write(tmp_path, *(f"imagesTr/{name}_{c:04}.tif" for name in ("a", "b_0001") for c in range(channels)))
    write(tmp_path, "labelsTr/a.tif", "labelsTr/b_0001.tif")
    offer = offer_of(Source("imagesTr", "labelsTr"), tmp_path)
    assert offer is not None
    assert "--pattern '{name}_{c}.tif'" in offer.words
    pairs, unmatched, _ = look(tmp_path, Source("imagesTr", "labelsTr", pattern="{name}_{c}.tif"))
    assert (pairs, unmatched) == ({"a": ["a.tif"], "b_0001": ["b_0001.tif"]}, [])


def test_planes_of_a_pattern_have_truth_of_a_suffix_beside_them(tmp_path):
    write(tmp_path, *(f"raw/a_z{z}{suffix}.tif" for z in (1, 2) for suffix in ("_c1", "_c2", "_mask")))
    pairs, unmatched, notes = look(tmp_path, Source("raw", pattern="{name}_z{z}_c{c}.tif", suffix="_mask"))
    assert (pairs, unmatched, notes) == ({"a": ["a_z1_mask.tif", "a_z2_mask.tif"]}, [], ())
