"""Laws of what a fold's dataset is made of: what is tested has no truth there, what trains has the challenge's."""

import numpy as np
import pytest
import tifffile

from tests import drawn_benchmarks as draw
from unet.benchmarks.folds import Fold, FoldPart, folds_of
from unet.benchmarks.layouts import BenchmarkUnit, find_units
from unet.benchmarks.partial_truth import UNJUDGED_ID
from unet.benchmarks.pixels import plane_count
from unet.benchmarks.published import BENCHMARKS
from unet.benchmarks.training_files import source_of, truth_in_words, write_files


@pytest.fixture
def written(tmp_path):
    """Writes the files of one fold: its source, its images and its truth by their names."""

    def write(name, folder, number, count="2"):
        benchmark = BENCHMARKS[name]
        units = find_units(benchmark, folder)
        planes = {unit.name: plane_count(unit) for unit in units}
        fold = folds_of(benchmark, units, planes, count)[number]
        write_files(benchmark, {unit.name: unit for unit in units}, fold, tmp_path / "files")
        found = {
            kind: {path.stem: tifffile.imread(path) for path in (tmp_path / "files" / kind).iterdir()}
            for kind in ("image", "truth")
        }
        return source_of(benchmark, units, fold, tmp_path / "files"), found["image"], found["truth"]

    return write


def test_sections_train_as_one_stack_and_are_tested_as_another(written, tmp_path):
    image, ids = draw.drawn(6)
    source, images, truth = written("isbi2012", draw.isbi_volume(tmp_path / "a"), 0, "3")
    assert (images["tested"] == image[:2]).all()
    assert (images["training"] == image[3:]).all()
    assert list(truth) == ["training"]
    assert (truth["training"] == draw.membranes(ids)[3:]).all()
    assert (source.foreground, source.ignore) == (255, None)
    assert source.pixel_size == {"z": 0.05, "y": 0.004, "x": 0.004}


def test_a_sequence_trains_by_gold_of_some_frames_and_is_tested_in_full(written, tmp_path):
    (image, ids), (other, _) = draw.drawn(4, 1, draw.WIDE), draw.drawn(4, 2, draw.WIDE)
    source, images, truth = written("phc-u373", draw.tracking(tmp_path / "a"), 1)
    assert (images["02"] == other).all()
    assert (images["01-training"] == image[[0, 2]]).all()
    assert list(truth) == ["01-training"]
    assert (truth["01-training"] == ids[[0, 2]]).all()
    assert source.ignore == UNJUDGED_ID


def test_cells_that_nobody_drew_are_unjudged(written, tmp_path):
    folder = draw.tracking(tmp_path / "a")
    _, ids = draw.drawn(4, 1, draw.WIDE)
    lost = int(ids[2].max())
    tifffile.imwrite(folder / "01_GT/SEG/man_seg002.tif", np.where(ids[2] == lost, 0, ids[2]))
    _, _, truth = written("phc-u373", folder, 1)
    found = truth["01-training"]
    assert (found[0] == ids[0]).all()
    assert (found[1][ids[2] == lost] == UNJUDGED_ID).all()


@pytest.mark.parametrize("markers", [False, True])
def test_silver_truth_trains_where_there_is_some_and_is_taken_as_it_is(written, tmp_path, markers):
    folder = draw.tracking(tmp_path / "a", silver=True, markers=markers)
    source, images, truth = written("dic-hela", folder, 0)
    assert (truth["02-training"] == draw.drawn(4, 2, draw.WIDE)[1]).all()
    assert images["02-training"].shape == (4, 128, 128)
    assert source.ignore is None


@pytest.mark.parametrize(
    ("unit", "said"),
    [
        (BenchmarkUnit("02", (), silver={0: "s"}, gold={0: "g"}), "silver truth of 1 frames of 02 trained."),
        (
            BenchmarkUnit("02", (), gold={0: "g"}, markers={0: "m"}),
            "gold truth of 1 frames of 02 trained, pixels around",
        ),
        (BenchmarkUnit("02", (), gold={0: "g"}), "trained, where what was not drawn counts as background."),
    ],
)
def test_which_truth_trained_is_said(unit, said):
    fold = Fold("01-tested", (FoldPart("02-training", "02", (0,)),), (FoldPart("01", "01", (0,)),))
    (words,) = truth_in_words({"02": unit}, fold)
    assert words.startswith("01 is tested by what ")
    assert said in words


@pytest.mark.parametrize("drawn", [draw.pictures, draw.with_masks])
def test_pictures_have_truth_but_for_the_tested(written, tmp_path, drawn):
    source, images, truth = written("dsb2018", drawn(tmp_path / "a"), 1)
    names = sorted(images)
    assert len(names) == 4
    assert sorted(truth) == names[0::2]
    assert all(np.unique(truth[name]).size > 2 and images[name].ndim == 2 for name in truth)
    assert (source.foreground, source.ignore, source.pixel_size) == ("ids", None, None)


def test_written_again_files_hold_the_same_bytes(written, tmp_path):
    folder = draw.isbi_volume(tmp_path / "a")
    written("isbi2012", folder, 0, "3")
    before = {path: path.read_bytes() for path in (tmp_path / "files").rglob("*.tif")}
    written("isbi2012", folder, 0, "3")
    assert {path: path.read_bytes() for path in (tmp_path / "files").rglob("*") if path.is_file()} == before


def test_ids_that_are_too_large_are_refused(written, tmp_path):
    folder = draw.pictures(tmp_path / "a")
    path = folder / "label/001.tif"
    tifffile.imwrite(path, tifffile.imread(path).astype(np.uint32) * 70000)
    with pytest.raises(ValueError, match=r"001\.tif must hold ids below 65535"):
        written("dsb2018", folder, 0)


UNSCORABLE = {
    "isbi2012": (draw.isbi_slices, "label/05.tif"),
    "dsb2018": (draw.pictures, "label/003.tif"),
    "phc-u373": (draw.tracking, "02_GT/SEG/man_seg002.tif"),
    "dic-hela": (draw.tracking, "02_GT/TRA/man_track003.tif"),
}


@pytest.mark.parametrize("name", UNSCORABLE)
def test_truth_of_what_is_tested_is_refused_before_anything_is_trained(written, tmp_path, name):
    drawn, file = UNSCORABLE[name]
    folder = drawn(tmp_path / "a")
    tifffile.imwrite(folder / file, tifffile.imread(folder / file).astype(np.float32))
    with pytest.raises(ValueError, match=rf"{file[-8:]} must hold labels in whole numbers, got float32"):
        written(name, folder, 1)
    assert not (tmp_path / "files").exists()
