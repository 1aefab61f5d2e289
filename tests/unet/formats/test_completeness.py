"""Law of wholeness: whatever is cut off the end of a file, it is not whole; and whole files are."""

import imagecodecs
import numpy as np
import pytest
import tifffile

from tests.unet.formats.files import SET, cut, write, write_set
from unet.formats.completeness import require_whole
from unet.formats.readers import find_scenes


def noise(*shape, dtype=np.uint16):
    return np.random.default_rng(0).integers(0, 9000, shape).astype(dtype)


GREY = "minisblack"
KINDS = {
    "plain.tif": lambda path: tifffile.imwrite(path, noise(3, 40, 50), photometric=GREY),
    "one.tif": lambda path: tifffile.imwrite(path, noise(40, 50)),
    "packed.tif": lambda path: tifffile.imwrite(
        path, noise(3, 40, 50), photometric=GREY, compression="zlib", rowsperstrip=8
    ),
    "tiled.tif": lambda path: tifffile.imwrite(
        path, noise(3, 64, 64), photometric=GREY, tile=(32, 32), compression="zlib"
    ),
    "big.tif": lambda path: tifffile.imwrite(path, noise(3, 40, 50), photometric=GREY, bigtiff=True),
    "imagej.tif": lambda path: tifffile.imwrite(path, noise(3, 40, 50), imagej=True),
    "ome.ome.tif": lambda path: tifffile.imwrite(path, noise(3, 40, 50), ome=True),
    "rgb.tif": lambda path: tifffile.imwrite(path, noise(40, 50, 3, dtype=np.uint8), photometric="rgb"),
    "a.png": lambda path: path.write_bytes(imagecodecs.png_encode(noise(40, 50))),
}


@pytest.mark.parametrize("name", KINDS)
def test_a_file_is_whole_to_its_last_byte(tmp_path, name):
    path = tmp_path / name
    KINDS[name](path)
    assert require_whole([str(path)]) == {str(path)}
    data = path.read_bytes()
    needed = len(data) - (16 if name in ("imagej.tif", "plain.tif") else 0)  # bytes that nothing in it speaks of
    for length in (needed - 1, *range(0, needed, max(1, needed // 37))):
        path.write_bytes(data[:length])
        with pytest.raises(ValueError, match=name):
            require_whole([str(path)])


def test_every_slice_must_be_whole(tmp_path):
    files = [str(tmp_path / f"{z}.png") for z in range(3)]
    for file in files:
        KINDS["a.png"](tmp_path / file)
    assert require_whole(files, each=True) == set(files)
    (tmp_path / "1.png").write_bytes((tmp_path / "1.png").read_bytes()[:-3])
    with pytest.raises(ValueError, match=r"1\.png must end as a PNG does"):
        require_whole(files, each=True)


def test_every_file_of_a_set_must_be_whole_though_only_its_first_can_be_opened(tmp_path):
    pixels = write_set(tmp_path)
    for z in (1, 2):
        pointing = f'<OME UUID="urn:uuid:{z}"><BinaryOnly MetadataFile="z0.ome.tif" UUID="urn:uuid:0"/></OME>'
        write(tmp_path / f"z{z}.ome.tif", pixels[z], pointing)
    number, parts = find_scenes(str(tmp_path / "z0.ome.tif"))
    files = [str(tmp_path / "z0.ome.tif"), *parts]
    assert (number, require_whole(files)) == (1, {str(tmp_path / name) for name in SET})
    cut(tmp_path / "z2.ome.tif", 0.9)
    with pytest.raises(ValueError, match=r"z2\.ome\.tif"):
        require_whole(files)


def test_every_scene_of_a_file_must_be_whole(tmp_path):
    path = tmp_path / "scenes.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as tif:
        tif.write(noise(2, 20, 30), metadata={"axes": "ZYX"})
        tif.write(noise(20, 30), metadata={"axes": "YX"})
    assert require_whole([str(path)], 0) == require_whole([str(path)], 1) == {str(path)}
    path.write_bytes(path.read_bytes()[:-1])
    for scene in (0, 1):
        with pytest.raises(ValueError, match="scenes"):
            require_whole([str(path)], scene)


@pytest.fixture
def pair(tmp_path):
    """A set of two files that name each other, one plane in each."""
    uuids = ["urn:uuid:00000000-0000-4000-8000-00000000000a", "urn:uuid:00000000-0000-4000-8000-00000000000b"]
    names = ["a.ome.tif", "b.ome.tif"]
    for name, uuid in zip(names, uuids, strict=True):
        blocks = "".join(
            f'<TiffData IFD="0" FirstZ="{z}" PlaneCount="1"><UUID FileName="{names[z]}">{uuids[z]}</UUID></TiffData>'
            for z in range(2)
        )
        xml = (
            '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
            f'UUID="{uuid}"><Image ID="Image:0" Name="pair"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" '
            f'SizeX="50" SizeY="40" SizeZ="2" SizeC="1" SizeT="1"><Channel ID="Channel:0:0" SamplesPerPixel="1"/>'
            f"{blocks}</Pixels></Image></OME>"
        )
        tifffile.imwrite(tmp_path / name, noise(40, 50), description=xml.encode(), metadata=None)
    return [tmp_path / name for name in names]


def test_a_set_is_whole_when_all_of_its_files_are(pair):
    first, second = pair
    assert require_whole([str(first)]) == {str(first), str(second)}
    data = second.read_bytes()
    second.write_bytes(data[:-1])
    with pytest.raises(ValueError, match=r"b.ome.tif"):
        require_whole([str(first)])
    second.unlink()
    with pytest.raises(ValueError, match="must come with all planes of its set, got 1 of 2"):
        require_whole([str(first)])
