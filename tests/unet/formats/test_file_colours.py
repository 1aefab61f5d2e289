"""Colours that files give their channels: read as the software that wrote them shows them, and never in the way."""

import numpy as np
import pytest
import tifffile

from tests.unet.formats.files import noise, read
from unet.formats.file_colours import imagej_colours

SIGNED = {"FF0000": -16776961, "00FF00": 16711935, "0000FF": 65535, "FFFFFF": -1}
"""Numbers as OME's schema has them: red, green, blue, opacity, in 32 bits with a sign."""


def ramp(*rgb):
    """A look-up table of ImageJ's, from black to a colour."""
    return (np.arange(256)[None] * np.array(rgb)[:, None] // 255).astype(np.uint8)


def ome_tiff(path, channels, image):
    """An OME-TIFF of which each channel has these attributes."""
    tifffile.imwrite(path, image, ome=True, photometric="minisblack", metadata={"axes": "CYX"})
    with tifffile.TiffFile(path) as tif:
        text = tif.ome_metadata
    for number, said in enumerate(channels):
        text = text.replace(f'<Channel ID="Channel:0:{number}"', f'<Channel ID="Channel:0:{number}" {said}')
    tifffile.tiffcomment(path, text.encode())


def test_ome_colours(tmp_path):
    file, image = tmp_path / "a.ome.tif", noise(4, 8, 9)
    ome_tiff(file, [f'Color="{SIGNED[colour]}"' for colour in ("FF0000", "00FF00", "0000FF", "FFFFFF")], image)
    opened, values = read(file)
    assert opened.colours == ("FF0000", "00FF00", "0000FF", "FFFFFF")
    np.testing.assert_array_equal(values, image)


@pytest.mark.parametrize("nonsense", ["", 'Color=""', 'Color="red"', 'Color="0"', 'Color="255"', 'Color="1.5"'])
def test_a_channel_without_a_colour_or_with_nonsense_has_none(nonsense, tmp_path):
    ome_tiff(tmp_path / "a.ome.tif", ['Color="65535"', nonsense], noise(2, 8, 9))
    opened, _ = read(tmp_path / "a.ome.tif")
    assert opened.colours == ("0000FF", "")


def test_imagej_look_up_tables(tmp_path):
    image = noise(3, 8, 9)
    tables = [ramp(255, 0, 255), ramp(0, 255, 255), ramp(255, 255, 255)]
    tifffile.imwrite(tmp_path / "a.tif", image, imagej=True, metadata={"axes": "CYX", "LUTs": tables})
    opened, values = read(tmp_path / "a.tif")
    assert opened.colours == ("FF00FF", "00FFFF", "FFFFFF")
    np.testing.assert_array_equal(values, image)
    assert imagej_colours({"LUTs": [ramp(255, 0, 0)[:, ::-1], np.zeros((3, 16), np.uint8)]}) == ("", "")
    assert imagej_colours({"LUTs": None}) == ()


@pytest.mark.parametrize("how", [{"imagej": True}, {"ome": True}, {"metadata": None}])
def test_files_that_say_nothing(how, tmp_path):
    tifffile.imwrite(tmp_path / "a.ome.tif", noise(8, 9), **how)
    opened, _ = read(tmp_path / "a.ome.tif")
    assert not any(opened.colours)


def test_slices_have_the_colours_of_the_first(tmp_path):
    for number in range(3):
        ome_tiff(tmp_path / f"{number}.ome.tif", ['Color="65535"', 'Color="-1"'], noise(2, 8, 9))
    opened, _ = read(*(tmp_path / f"{number}.ome.tif" for number in range(3)), axis="z")
    assert opened.colours == ("0000FF", "FFFFFF")
