"""Laws of a first look: what a stack is stands in one line, and its truth is shown as it would be read."""

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
