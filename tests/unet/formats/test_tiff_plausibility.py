"""Law of plausibility: a TIFF that claims more than its bytes can be is refused, at once and without memory for it."""

import tracemalloc

import numpy as np
import pytest
import tifffile

from tests.unet.formats.files import noise, read
from unet.formats.completeness import require_whole


def refused(file, why):
    """Both ways in refuse a file, and take no memory for what it claims."""
    tracemalloc.start()
    try:
        for way in (lambda: read(file), lambda: require_whole([str(file)])):
            with pytest.raises(ValueError, match=why) as error:
                way()
            assert str(file) in str(error.value)
        assert tracemalloc.get_traced_memory()[1] < 2**26
    finally:
        tracemalloc.stop()


def set_tag(file, name, *values):
    """Write other values over those of a tag of the first page."""
    with tifffile.TiffFile(file, mode="r+b") as tif:
        tif.pages[0].tags[name].overwrite(values[0] if len(values) == 1 else values)


@pytest.mark.parametrize("how", [{}, {"compression": "zlib"}, {"compression": "zstd"}, {"compression": "lzw"}])
def test_a_small_file_that_claims_a_huge_plane(tmp_path, how):
    tifffile.imwrite(tmp_path / "a.tif", noise(64, 64, dtype=np.uint8), tile=(32, 32), metadata=None, **how)
    for name in ("ImageWidth", "ImageLength"):
        set_tag(tmp_path / "a.tif", name, 60_000)
    refused(tmp_path / "a.tif", r"it claims 3,600,000,000 bytes of pixels, which its [\d,]+ bytes cannot be")


def test_thousands_of_tiles_that_are_one_and_the_same(tmp_path):
    """66 kB that claim 60,000 × 60,000: as large as their tiles, if each of those were another one."""
    side, tile = 60_000, 1024
    tifffile.imwrite(
        tmp_path / "a.tif", np.zeros((tile, tile), np.uint8), tile=(tile, tile), compression="zlib", bigtiff=True
    )
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        offset, size = tif.pages[0].dataoffsets[0], tif.pages[0].databytecounts[0]
    count = (-(-side // tile)) ** 2
    for name in ("ImageWidth", "ImageLength"):
        set_tag(tmp_path / "a.tif", name, side)
    set_tag(tmp_path / "a.tif", "TileOffsets", *[offset] * count)
    set_tag(tmp_path / "a.tif", "TileByteCounts", *[size] * count)
    assert (tmp_path / "a.tif").stat().st_size < 70_000
    refused(tmp_path / "a.tif", "it claims 3,600,000,000 bytes of pixels")


def test_a_tile_far_larger_than_its_image(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", noise(32, 32, dtype=np.uint8), tile=(32, 32), compression="zlib")
    for name in ("TileWidth", "TileLength"):
        set_tag(tmp_path / "a.tif", name, 65_520)
    refused(tmp_path / "a.tif", "it claims 4,292,870,400 bytes of pixels")


def test_blank_planes_are_no_bombs(tmp_path):
    for codec in ("zlib", "zstd", "lzw", "packbits", "lzma", None):
        image = np.zeros((2, 512, 512), np.uint16)
        tifffile.imwrite(tmp_path / f"{codec}.tif", image, compression=codec, tile=(256, 256), photometric="minisblack")
        np.testing.assert_array_equal(read(tmp_path / f"{codec}.tif")[1], image)


CLAIMS = {
    "size": ('SizeZ="3"', 'SizeZ="1000000000"'),
    "planes": ('PlaneCount="1"', 'PlaneCount="1000000000"'),
    "position": ('FirstZ="0"', 'FirstZ="1000000000"'),
    "width": ('SizeX="9"', 'SizeX="3000000000"'),
}


@pytest.mark.parametrize("claim", CLAIMS)
def test_ome_xml_that_speaks_of_a_billion_planes(tmp_path, claim):
    xml = (
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0"><Pixels ID="Pixels:0" '
        'DimensionOrder="XYZCT" Type="uint16" SizeX="9" SizeY="8" SizeZ="3" SizeC="1" SizeT="1">'
        '<TiffData IFD="0" FirstZ="0" PlaneCount="1"/><TiffData IFD="1" FirstZ="1" PlaneCount="1"/>'
        '<TiffData IFD="2" FirstZ="2" PlaneCount="1"/></Pixels></Image></OME>'
    )
    image = noise(3, 8, 9)
    tifffile.imwrite(tmp_path / "a.ome.tif", image, description=xml, metadata=None, photometric="minisblack")
    np.testing.assert_array_equal(read(tmp_path / "a.ome.tif")[1], image)
    tifffile.imwrite(
        tmp_path / "a.ome.tif",
        image,
        description=xml.replace(*CLAIMS[claim], 1),
        metadata=None,
        photometric="minisblack",
    )
    refused(tmp_path / "a.ome.tif", r"its OME-XML speaks of 1,000,000,00\d planes")


def test_a_step_of_nothing_along_an_axis(tmp_path):
    along = (
        '<StructuredAnnotations><XMLAnnotation ID="A:0" Namespace="openmicroscopy.org/omero/dimension/modulo"><Value>'
        '<Modulo><ModuloAlongT Type="lifetime" Start="0" End="1e9" Step="0.1"/></Modulo></Value></XMLAnnotation>'
        "</StructuredAnnotations>"
    )
    tifffile.imwrite(tmp_path / "a.ome.tif", noise(3, 8, 9), ome=True, photometric="minisblack")
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as tif:
        xml = tif.ome_metadata.replace("<Image", f"{along}<Image", 1)
    tifffile.imwrite(tmp_path / "a.ome.tif", noise(3, 8, 9), description=xml, metadata=None, photometric="minisblack")
    refused(tmp_path / "a.ome.tif", "its OME-XML speaks of 10,000,000,000 planes")


@pytest.mark.parametrize("whole", [1000, 999, 2, 1])
def test_an_imagej_stack_with_one_directory_is_whole_or_refused(tmp_path, whole):
    image = noise(1000, 8, 9)
    tifffile.imwrite(tmp_path / "a.tif", image, imagej=True, truncate=True)
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        first = tif.pages[0].dataoffsets[0]
    content = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(content[: first + whole * image[0].nbytes])
    if whole == len(image):
        np.testing.assert_array_equal(read(tmp_path / "a.tif")[1], image)
    else:
        refused(tmp_path / "a.tif", "of the 1,000 planes of which ImageJ's description speaks 1 can be read")


def test_a_colour_stack_with_one_directory_that_lost_its_end_is_no_single_plane(tmp_path):
    image = noise(3, 8, 9, 3, dtype=np.uint8)
    how = {"imagej": True, "truncate": True, "photometric": "rgb", "metadata": {"axes": "ZYXS"}}
    tifffile.imwrite(tmp_path / "a.tif", image, **how)
    assert read(tmp_path / "a.tif")[0].shape == (3, 3, 8, 9)
    content = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(content[: -image[0].nbytes])
    refused(tmp_path / "a.tif", "of the 3 planes of which ImageJ's description speaks 1 can be read")


@pytest.mark.parametrize("shape", [(5, 8, 9), (2, 3, 4, 8, 9), (8, 9), (4, 1, 8, 9, 3)])
@pytest.mark.parametrize("truncate", [True, False])
def test_whole_imagej_files_are_taken(tmp_path, shape, truncate):
    image = noise(*shape, dtype=np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", image, imagej=True, truncate=truncate)
    opened, _ = read(tmp_path / "a.tif")
    assert np.prod(opened.shape) == image.size


@pytest.mark.parametrize("lost", ["Offsets", "ByteCounts"])
@pytest.mark.parametrize("number", [0, 3])
@pytest.mark.parametrize("codec", [None, "zlib"])
@pytest.mark.parametrize("kind", ["Tile", "Strip"])
def test_a_tile_or_strip_of_nothing_is_no_background(tmp_path, kind, codec, number, lost):
    how = {"tile": (32, 32)} if kind == "Tile" else {"rowsperstrip": 16}
    tifffile.imwrite(tmp_path / "a.tif", noise(64, 64), compression=codec, metadata=None, **how)
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        values = list(tif.pages[0].tags[f"{kind}{lost}"].value)
    values[number] = 0
    set_tag(tmp_path / "a.tif", f"{kind}{lost}", *values)
    with pytest.raises(
        ValueError, match=r"a\.tif is not a readable TIFF \(only 3 of 4 tiles or strips of a plane are there"
    ):
        read(tmp_path / "a.tif")


@pytest.mark.parametrize("kind", ["Tile", "Strip"])
def test_a_list_of_tiles_or_strips_that_is_too_short(tmp_path, kind):
    how = {"tile": (32, 32)} if kind == "Tile" else {"rowsperstrip": 16}
    tifffile.imwrite(tmp_path / "a.tif", noise(64, 64), compression="zlib", metadata=None, **how)
    for name in (f"{kind}Offsets", f"{kind}ByteCounts"):
        with tifffile.TiffFile(tmp_path / "a.tif") as tif:
            values = tif.pages[0].tags[name].value
        set_tag(tmp_path / "a.tif", name, *values[:2])
    with pytest.raises(ValueError, match="only 2 of 4 tiles or strips"):
        read(tmp_path / "a.tif")
