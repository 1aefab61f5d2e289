"""Laws of labels told by colours: one number a colour, however the picture stores it; what is not seen has none."""

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from tests.unet.formats.files import noise, planes
from unet.formats.readers import open_truth
from unet.formats.stack import CLEAR
from unet.sources.stacks import Stack

TABLE = (("#ff8800", "nucleus"),)


def colours_of(*files, axis=None):
    stack = Stack("a", (), None, axis, tuple(map(str, files)), "classes", TABLE)
    with open_truth(stack, {"y": 8, "x": 9}) as opened:
        return opened, planes(opened)


def packed(picture):
    return picture[..., :3].astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("samples", [3, 4])
def test_a_picture_is_a_number_a_colour_and_nothing_where_it_is_not_seen(tmp_path, suffix, samples):
    picture, path = noise(8, 9, samples, dtype=np.uint8), tmp_path / f"a{suffix}"
    if samples == 4:
        picture[:4, :, 3] = 0
    if suffix == ".png":
        path.write_bytes(imagecodecs.png_encode(picture))
    else:
        tifffile.imwrite(path, picture, photometric="rgb", extrasamples=["unassalpha"][: samples - 3])
    opened, found = colours_of(path)
    assert (opened.axes, opened.dtype, opened.channels) == ("yx", np.uint32, ("0",))
    expected = packed(picture)
    if samples == 4:
        expected[picture[..., 3] == 0] = CLEAR
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_a_palette_is_its_colours(tmp_path, suffix):
    values, palette = noise(8, 9, dtype=np.uint8) % 5, noise(256, 3, dtype=np.uint8)
    image = Image.frombytes("P", (9, 8), values.tobytes())
    image.putpalette(palette.ravel().tolist())
    image.save(tmp_path / f"a.{suffix}")
    np.testing.assert_array_equal(colours_of(tmp_path / f"a.{suffix}")[1], packed(palette[values]))


def test_an_index_that_is_transparent_is_not_seen(tmp_path):
    image = Image.frombytes("P", (9, 8), bytes([0, 1, 2] * 24))
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    image.save(tmp_path / "a.png", transparency=1)
    _, found = colours_of(tmp_path / "a.png")
    assert found[0, :3].tolist() == [0xFF0000, CLEAR, 0x0000FF]


def test_slices_may_be_saved_in_different_ways(tmp_path):
    picture = noise(8, 9, 3, dtype=np.uint8)
    (tmp_path / "0.png").write_bytes(imagecodecs.png_encode(picture))
    (tmp_path / "1.png").write_bytes(imagecodecs.png_encode(np.full((8, 9), 128, np.uint8)))
    opened, found = colours_of(tmp_path / "0.png", tmp_path / "1.png", axis="z")
    assert opened.axes == "zyx"
    np.testing.assert_array_equal(found, [packed(picture), np.full((8, 9), 0x808080)])


@pytest.mark.parametrize("shape", [(8, 9), (8, 9, 3)])
def test_more_than_8_bits_are_no_colours(tmp_path, shape):
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(noise(*shape, dtype=np.uint16)))
    with pytest.raises(ValueError, match=r"a\.png must hold colours, .* of 8 bits each, got [13] channels of uint16"):
        colours_of(tmp_path / "a.png")
