"""Laws of labels saved as pictures: grey ones are one channel, colours and JPEG are refused with the reason."""

import imagecodecs
import numpy as np
import pytest
import tifffile

from tests.unet.formats.files import noise, planes
from unet.formats.readers import open_truth
from unet.sources.stacks import Stack


def truth_of(path, foreground="ids", sizes=None):
    stack = Stack("a", (), None, None, (str(path),), foreground)
    with open_truth(stack, sizes or {"y": 8, "x": 9}) as opened:
        return opened, planes(opened)


@pytest.mark.parametrize("samples", [3, 4])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_three_equal_channels_are_one(tmp_path, samples, suffix):
    grey, path = noise(8, 9, dtype=np.uint8), tmp_path / f"a{suffix}"
    picture = np.stack([grey, grey, grey, np.full_like(grey, 255)][:samples], axis=-1)
    if suffix == ".png":
        path.write_bytes(imagecodecs.png_encode(picture))
    else:
        tifffile.imwrite(path, picture, photometric="rgb", extrasamples=["unassalpha"][: samples - 3])
    opened, found = truth_of(path)
    assert (opened.axes, opened.shape) == ("yx", (8, 9))
    np.testing.assert_array_equal(found, grey)


def test_colours_are_refused_with_the_first_one(tmp_path):
    picture = np.zeros((8, 9, 3), np.uint8)
    picture[2, 3] = 255, 0, 7
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(picture))
    with pytest.raises(ValueError, match=r"in one channel, got the colour \(255, 0, 7\) at y 2 x 3; save a number an"):
        truth_of(tmp_path / "a.png")


def test_a_jpeg_keeps_no_ids(tmp_path):
    (tmp_path / "a.jpg").write_bytes(imagecodecs.jpeg8_encode(noise(8, 9, dtype=np.uint8)))
    with pytest.raises(ValueError, match=r"a\.jpg must be truth of a kind that keeps its ids, got a JPEG"):
        truth_of(tmp_path / "a.jpg")
    assert truth_of(tmp_path / "a.jpg", foreground=255)[0].notes == ()


def test_a_palette_of_a_tiff_is_its_indices(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", noise(8, 9, dtype=np.uint8), colormap=noise(3, 256), photometric="palette")
    np.testing.assert_array_equal(truth_of(tmp_path / "a.tif")[1], noise(8, 9, dtype=np.uint8))
