"""Laws of PNG: values as they were written, of a palette its indices; files that were cut are refused."""

import struct
import zlib

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from tests.unet.formats.files import cut, noise, read
from unet.formats.readers import find_scenes, open_found
from unet.settings.ingest import Source
from unet.sources.search import find_stacks


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("samples", [1, 2, 3, 4])
def test_png(tmp_path, dtype, samples):
    image = noise(8, 9, samples, dtype=dtype)
    if samples in (2, 4):
        image[..., -1] = np.iinfo(dtype).max
    (tmp_path / "a.PNG").write_bytes(imagecodecs.png_encode(image.squeeze()))
    opened, values = read(tmp_path / "a.PNG")
    assert (opened.axes, opened.dtype) == ("yx" if samples < 3 else "cyx", np.dtype(dtype))
    assert opened.channels == (("0",) if samples < 3 else ("red", "green", "blue"))
    np.testing.assert_array_equal(values, image[..., 0] if samples < 3 else image[..., :3].transpose(2, 0, 1))
    assert find_scenes(str(tmp_path / "a.PNG")).number == 1


@pytest.mark.parametrize(("mode", "clear"), [("L", 3), ("RGB", (1, 2, 3))])
def test_a_colour_that_is_called_transparent_is_a_value_as_others(tmp_path, mode, clear):
    image = noise(8, 9, *([3] if mode == "RGB" else []), dtype=np.uint8)
    Image.fromarray(image).save(tmp_path / "a.png", transparency=clear)
    assert b"tRNS" in (tmp_path / "a.png").read_bytes()
    _, values = read(tmp_path / "a.png")
    np.testing.assert_array_equal(values, np.moveaxis(image, -1, 0) if mode == "RGB" else image)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_values_of_few_bits_are_those_that_were_written(tmp_path, bits):
    values = noise(9, 11, dtype=np.uint8) % 2**bits
    rows = [np.packbits(np.unpackbits(row[:, None], axis=1)[:, -bits:].ravel()).tobytes() for row in values]
    (tmp_path / "a.png").write_bytes(chunks((11, 9, bits, 0, 0, 0, 0), b"".join(b"\0" + row for row in rows)))
    opened, found = read(tmp_path / "a.png")
    np.testing.assert_array_equal(found, values)
    assert not opened.is_palette


def chunks(header, rows):
    """A PNG made by hand."""
    parts = [(b"IHDR", struct.pack(">IIBBBBB", *header)), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    packed = (struct.pack(">I", len(of)) + kind + of + struct.pack(">I", zlib.crc32(kind + of)) for kind, of in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


@pytest.mark.parametrize("colours", [2, 4, 16, 200])
@pytest.mark.parametrize("transparent", [None, 1])
def test_a_palette_is_its_indices_which_are_no_grey_values(tmp_path, colours, transparent):
    indices = noise(9, 11, dtype=np.uint8) % colours
    image = Image.frombytes("P", (11, 9), indices.tobytes())
    image.putpalette(np.random.default_rng(0).integers(0, 256, 3 * colours, np.uint8).tobytes())
    image.save(tmp_path / "a.png", **({} if transparent is None else {"transparency": transparent}))
    opened, found = read(tmp_path / "a.png")
    np.testing.assert_array_equal(found, indices)
    assert (opened.axes, opened.is_palette) == ("yx", True)
    (stack,) = find_stacks([Source(str(tmp_path / "a.png"))], tmp_path, find_scenes).stacks
    with pytest.raises(ValueError, match="must hold grey or RGB values, got a palette"), open_found(stack):
        pass


def test_a_type_of_colours_that_no_png_has_is_refused(tmp_path):
    data = bytearray(imagecodecs.png_encode(noise(8, 9, dtype=np.uint8)))
    data[25] = 5
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(ValueError, match="it claims colours of type 5"):
        read(tmp_path / "a.png")


def test_a_depth_that_no_png_has_is_refused(tmp_path):
    data = bytearray(imagecodecs.png_encode(noise(8, 9, dtype=np.uint8)))
    data[16:20], data[24] = b"\x7f\xff\xff\xff", 0
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(ValueError, match="it claims 0 bits a sample"):
        read(tmp_path / "a.png")


@pytest.mark.parametrize("part", [0, 0.05, 0.5])
def test_a_cut_png_is_refused(tmp_path, part):
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(noise(64, 64, dtype=np.uint8)))
    cut(tmp_path / "a.png", part)
    with pytest.raises(ValueError, match=r"a\.png is not a readable PNG"):
        read(tmp_path / "a.png")


def test_what_is_shorter_than_a_header_is_said_to_be_no_png(tmp_path):
    (tmp_path / "a.png").write_text("<html>")
    with pytest.raises(ValueError, match=r"a\.png is not a readable PNG \(it does not begin as one\)"):
        read(tmp_path / "a.png")
