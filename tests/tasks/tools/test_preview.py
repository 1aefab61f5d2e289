"""Laws of a first look: what a stack is stands in one line, and its truth is shown as it would be read."""

import imagecodecs
import numpy as np
import pytest
import tifffile

from tasks.tools.preview import preview_of
from unet.formats.readers import find_scenes
from unet.settings.ingest import Source
from unet.sources.search import find_stacks


def looked_at(folder, truth=None, **source):
    for kind, pixels in (("image", np.arange(2 * 6 * 8, dtype=np.uint16).reshape(2, 6, 8)), ("truth", truth)):
        if pixels is not None:
            (folder / kind).mkdir()
            tifffile.imwrite(folder / kind / "a.ome.tif", pixels, metadata={"axes": "ZYX", "PhysicalSizeX": 0.5})
    given = {"images": str(folder / "image")} | ({"truth": str(folder / "truth")} if truth is not None else {})
    (stack,) = find_stacks([Source(**given, **source)], folder, find_scenes).stacks
    return preview_of(stack)


def test_a_stack_without_truth_is_a_line(tmp_path):
    look = looked_at(tmp_path)
    assert look.words == "2 × 6 × 8 (z y x) uint16, pixel size x 0.5 micrometer"
    assert look.picture is None


@pytest.mark.parametrize(("foreground", "share"), [(255, 0.25), (0, 0.75), ("ids", 0.25)])
def test_the_share_of_objects_is_that_of_the_polarity(tmp_path, foreground, share):
    truth = np.zeros((2, 6, 8), np.uint8)
    truth[:, :3, :4] = 255
    look = looked_at(tmp_path, truth, foreground=foreground)
    assert (look.values, look.share) == (2, share)
    assert look.picture.startswith(b"\x89PNG")


def test_truth_of_another_form_has_no_picture_and_is_told(tmp_path):
    look = looked_at(tmp_path, np.zeros((2, 5, 8), np.uint8))
    assert look.picture is None
    (note,) = look.notes
    assert note == (
        "truth of a must have the image's shape 2 × 6 × 8 in one channel, got 2 × 5 × 8 (z y x); give the labels drawn "
        "on this image; it will be set aside"
    )


def test_a_size_that_is_not_believed_is_told(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((6, 8), np.uint8), resolution=(300, 300), resolutionunit="INCH")
    (stack,) = find_stacks([Source(str(tmp_path))], tmp_path, find_scenes).stacks
    assert preview_of(stack).words == (
        "6 × 8 (y x) uint8, pixel size unknown (size along y and x taken as unknown: 300 pixels an inch, which is a "
        "resolution of printers)"
    )


def test_each_class_has_its_share_and_a_colour(tmp_path):
    truth = np.zeros((2, 6, 8), np.uint8)
    truth[0, :3, :4], truth[0, 3:, :2], truth[1] = 1, 2, 2
    look = looked_at(tmp_path, truth, foreground="classes", classes={1: "nucleus", 2: "mitosis", 3: "debris"})
    assert look.classes == (("nucleus", 0.25), ("mitosis", 0.125), ("debris", 0.0))
    assert look.share == 0.375
    picture = imagecodecs.png_decode(look.picture).astype(int)
    assert len({tuple(picture[y, x]) for y, x in ((0, 0), (4, 0), (5, 7))}) == 3


@pytest.mark.parametrize(
    ("values", "likely"),
    [
        ([[0, 1, 0, 1, 0, 2, 0, 2]], (1, 2)),
        ([[1, 1, 1, 2, 2, 2, 0, 0]], (1, 2)),
        ([[0, 1, 1, 0, 2, 0, 0, 0]], ()),
        ([[0, 1, 0, 1, 0, 1, 0, 1]], ()),
        ([[1, 2, 3, 4, 5, 6, 7, 8]], (1, 2, 3, 4, 5, 6, 7, 8)),
    ],
)
def test_values_look_like_classes_where_they_are_few_and_on_many_areas_or_most_of_the_plane(tmp_path, values, likely):
    assert looked_at(tmp_path, np.repeat([values] * 2, 6, axis=1).astype(np.uint8)).likely == likely
