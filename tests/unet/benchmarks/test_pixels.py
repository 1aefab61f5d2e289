"""Laws of reading: both forms hold the same pixels, and what cannot be meant is refused by its file."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from tests import drawn_benchmarks as draw
from unet.benchmarks.layouts import find_units
from unet.benchmarks.pixels import plane_count, read_cells, read_images, read_labels, read_truth
from unet.benchmarks.published import BENCHMARKS


def units(name, folder):
    return find_units(BENCHMARKS[name], folder)


def test_both_forms_of_sections_hold_the_same(tmp_path):
    image, ids = draw.drawn(6)
    for folder in (draw.isbi_volume(tmp_path / "a"), draw.isbi_slices(tmp_path / "b")):
        (unit,) = units("isbi2012", folder)
        assert plane_count(unit) == 6
        assert (read_images(unit, [1, 4]) == image[[1, 4]]).all()
        assert (read_cells(unit, range(6)) == (draw.membranes(ids) == 255)).all()


def test_both_forms_of_pictures_hold_the_same(tmp_path):
    for number, (plain, masked) in enumerate(
        zip(
            units("dsb2018", draw.pictures(tmp_path / "a")),
            units("dsb2018", draw.with_masks(tmp_path / "b")),
            strict=True,
        )
    ):
        image, ids = draw.drawn(1, number + 1)
        assert (read_images(plain, [0], to_grey=True) == image).all()
        assert (read_images(masked, [0], to_grey=True) == image).all()
        assert (read_truth(plain, [0]) == ids).all()
        found = read_truth(masked, [0])
        pairs = np.unique(np.stack([found.ravel(), ids.ravel()]), axis=1)
        assert pairs.shape[1] == np.unique(ids).size == np.unique(found).size


def rewritten(folder, name, change):
    """The unit that a file is of, after that file was changed; and its path."""
    path = folder / name
    tifffile.imwrite(path, change(tifffile.imread(path)), photometric="minisblack")
    return path


def sections_of(folder):
    (unit,) = units("isbi2012", folder)
    return read_images(unit, range(6)), read_cells(unit, range(6))


BROKEN = {
    "labels in floats": ("label/02.tif", lambda plane: plane / np.float32(255), "whole numbers"),
    "labels of three values": (
        "label/02.tif",
        lambda plane: np.where(plane[::-1] > 0, 7, plane),
        "one value for cells",
    ),
    "labels of another size": ("label/02.tif", lambda plane: plane[1:], "must be as large as"),
    "an image of another size": ("image/02.tif", lambda plane: plane[:, 1:], "64 × 64 uint8, got 64 × 63"),
    "an image of another type": ("image/02.tif", lambda plane: plane.astype(np.uint16), "got 64 × 64 uint16"),
    "negative labels": ("label/02.tif", lambda plane: np.where(plane > 0, -1, 0).astype(np.int16), "≥ 0"),
    "a stack for a section": ("image/02.tif", lambda plane: np.stack([plane] * 3), "02.tif must"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_cannot_be_meant_is_refused_by_its_file(tmp_path, case):
    name, change, said = BROKEN[case]
    folder = draw.isbi_slices(tmp_path / "a")
    rewritten(folder, name, change)
    with pytest.raises(ValueError, match=r"\.tif must ") as refused:
        sections_of(folder)
    assert said in str(refused.value)


def test_volumes_of_unlike_shape_are_refused(tmp_path):
    folder = draw.isbi_volume(tmp_path / "a")
    rewritten(folder, "train-labels.tif", lambda stack: stack[:4])
    with pytest.raises(ValueError, match=r"train-labels\.tif must hold plane 4"):
        sections_of(folder)
    rewritten(folder, "train-labels.tif", lambda stack: np.stack([plane[1:] for plane in stack]))
    with pytest.raises(ValueError, match=r"train-labels\.tif must be as large as"):
        sections_of(folder)


def test_a_damaged_file_is_named(tmp_path):
    folder = draw.isbi_slices(tmp_path / "a")
    (folder / "label/02.tif").write_bytes(b"II*\0not a picture")
    with pytest.raises(ValueError, match=r"label/02\.tif"):
        sections_of(folder)


def test_frames_and_their_labels_must_be_alike(tmp_path):
    folder = draw.tracking(tmp_path / "a")
    file = rewritten(folder, "01_GT/SEG/man_seg002.tif", lambda plane: plane[:-2])
    with pytest.raises(ValueError, match="must be as large as IMAGE, 128 × 128, got 126 × 128"):
        read_labels(str(file), (128, 128), "IMAGE")


def test_colours_become_grey_where_that_is_asked_for_alone(tmp_path):
    folder = draw.pictures(tmp_path / "a", 1)
    (folder / "image/000.tif").unlink()
    colours = np.zeros((64, 64, 3), np.uint8)
    colours[..., 0], colours[..., 1] = 30, 60
    Image.fromarray(colours).save(folder / "image/000.png")
    (unit,) = units("dsb2018", folder)
    assert (read_images(unit, [0], to_grey=True) == 30).all()
    with pytest.raises(ValueError, match="one grey channel, got 3"):
        read_images(unit, [0])


@pytest.mark.parametrize("planes", [5, 7])
def test_labels_of_more_or_fewer_planes_than_images_are_refused_before_anything_is_trained(tmp_path, planes):
    folder = draw.isbi_volume(tmp_path / "a")
    labels = tifffile.imread(folder / "train-labels.tif")
    tifffile.imwrite(folder / "train-labels.tif", np.resize(labels, (planes, *labels.shape[1:])))
    (unit,) = units("isbi2012", folder)
    with pytest.raises(ValueError, match=rf"train-labels.tif must hold as many planes as .*, 6, got {planes}"):
        plane_count(unit)
