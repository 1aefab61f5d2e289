"""Laws of JPEG: what the codec decodes is read, with a note; a picture that its bytes cannot be is refused."""

import imagecodecs
import numpy as np
import pytest

from tests.unet.formats.files import cut, read

SMOOTH = np.add.outer(np.arange(40), np.arange(60)).astype(np.uint8)


@pytest.mark.parametrize("pixels", [SMOOTH, np.stack([SMOOTH, 255 - SMOOTH, SMOOTH // 2], axis=-1)])
def test_what_the_codec_decodes_is_read_with_a_note(tmp_path, pixels):
    (tmp_path / "a.JPG").write_bytes(imagecodecs.jpeg8_encode(pixels, level=90))
    opened, values = read(tmp_path / "a.JPG")
    assert (opened.axes, opened.channels) == (("cyx", ("red", "green", "blue")) if pixels.ndim == 3 else ("yx", ("0",)))
    stored = imagecodecs.jpeg8_decode((tmp_path / "a.JPG").read_bytes())
    np.testing.assert_array_equal(values, np.moveaxis(stored, -1, 0) if pixels.ndim == 3 else stored)
    assert opened.notes[0].startswith("a JPEG: its grey values were changed when it was saved")


@pytest.mark.parametrize("part", [0.0, 0.01, 0.1])
def test_a_file_without_its_header_is_refused(tmp_path, part):
    (tmp_path / "a.jpg").write_bytes(imagecodecs.jpeg8_encode(SMOOTH, level=90))
    cut(tmp_path / "a.jpg", part)
    with pytest.raises(ValueError, match=r"a\.jpg is not a readable JPEG"):
        read(tmp_path / "a.jpg")


def test_a_file_that_was_cut_short_is_not_filled_with_grey(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (200, 200)).astype(np.uint8)
    (tmp_path / "a.jpg").write_bytes(imagecodecs.jpeg8_encode(noise, level=90))
    cut(tmp_path / "a.jpg", 0.5)
    with pytest.raises(ValueError, match=r"a\.jpg is not a readable JPEG"):
        read(tmp_path / "a.jpg")


def test_a_picture_that_its_bytes_cannot_be_is_refused(tmp_path):
    content = bytearray(imagecodecs.jpeg8_encode(SMOOTH, level=90))
    at = content.index(b"\xff\xc0") + 5
    content[at : at + 4] = b"\xff\xf0" * 2
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(ValueError, match=r"claims 65520 × 65520 pixels, which its .* bytes cannot be"):
        read(tmp_path / "a.jpg")
