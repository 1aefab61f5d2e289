"""What files hold is said of each scene, and what cannot be read is one line of it."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from tasks.tools.inspection import described, first_picture, inspected


@pytest.fixture
def folder(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.ome.tif") as tif:
        for length in (2, 3):
            said = {"axes": "CYX", "Channel": {"Name": ["DAPI", "GFP", "RFP"][:length]}, "PhysicalSizeX": 0.5}
            tif.write(np.zeros((length, 8, 9), np.uint16), metadata=said, photometric="minisblack")
    (tmp_path / "b.tif").write_bytes(b"II*\0")
    return tmp_path


def test_every_scene_and_what_cannot_be_read(folder):
    found = inspected(folder)
    assert [of.values.get("shape") for of in found] == [[2, 8, 9], [3, 8, 9], None]
    assert "b.tif is not a readable TIFF" in found[2].values["error"]
    lines = [line for of in found for line in described(of)]
    assert lines[:4] == [
        f"{folder.resolve()}/a.ome.tif, scene 0",
        "  2 × 8 × 9 (c y x) uint16",
        "  pixel size x 0.5 micrometer",
        "  channels DAPI, GFP",
    ]
    assert lines[-1].startswith("  cannot be read: ")


def test_a_file_alone_and_its_picture(folder):
    assert first_picture(inspected(folder / "a.ome.tif")).startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="a picture must be of a stack that can be read, got none"):
        first_picture(inspected(folder / "b.tif"))


def test_a_palette_shows_its_indices_and_their_colours_and_is_no_image(tmp_path):
    picture = Image.fromarray(np.array([[0, 1], [1, 1]], np.uint8), mode="P")
    picture.putpalette([0, 0, 0, 255, 136, 0])
    picture.save(tmp_path / "a.png")
    (found,) = inspected(tmp_path / "a.png")
    assert found.values["values"] == {"0 #000000": 0.25, "1 #ff8800": 0.75}
    assert found.values["notes"] == ["a palette is truth alone, by its indices or by its colours, and no image"]
    assert first_picture([found]).startswith(b"\x89PNG")


def test_what_is_no_image_is_refused(folder):
    (folder / "notes.txt").touch()
    with pytest.raises(LookupError, match=r"must hold image files, got none; known are"):
        inspected(folder / "notes.txt")


def test_few_values_are_shown_with_their_shares(tmp_path):
    values = np.zeros((8, 10), np.uint8)
    values[0], values[1, :2] = 1, 255
    tifffile.imwrite(tmp_path / "a.tif", values)
    tifffile.imwrite(tmp_path / "b.tif", np.arange(80, dtype=np.uint8).reshape(8, 10))
    tifffile.imwrite(tmp_path / "c.tif", values.astype(np.uint16))
    tifffile.imwrite(tmp_path / "d.tif", np.stack([values, values * 0, values * 0], -1), photometric="rgb")
    lines = [line for of in inspected(tmp_path) for line in described(of) if "holds" in line]
    assert lines == [
        "  its first plane holds 0 (85.0%), 1 (12.5%), 255 (2.5%)",
        "  its first plane holds #000000 (85.0%), #010000 (12.5%), #ff0000 (2.5%)",
    ]
