"""Claims of a CZI that end libCZI's process: each is refused before it is asked, and whole files pass."""

import struct

import pytest

from tests.unet.formats import vendor_files
from tests.unet.formats.files import noise, planes
from unet.formats.readers import open_stack
from unet.vendors.czi_segments import require_sound

pytest.importorskip("pylibCZIrw.czi", reason="pylibCZIrw, of the extra vendor, is not installed")
TILE = b"ZISRAWSUBBLOCK"


def a_czi():
    return vendor_files.czi(noise(3, 24, 20))


def with_number(content, at, kind, number):
    changed = bytearray(content)
    struct.pack_into(kind, changed, at, number)
    return bytes(changed)


@pytest.mark.parametrize(
    ("segment", "behind", "kind", "number"),
    [
        (TILE, 32 + 16 + 28, "<i", -7),  # dimensions of a tile: what ended the process
        (TILE, 32 + 16 + 28, "<i", 2**30),
        (TILE, 32 + 16 + 32 + 8, "<i", 2**30),  # sides of a tile, as pixels and as they are stored
        (TILE, 32 + 16 + 32 + 16, "<i", 2**30),
        (TILE, 32 + 16 + 32 + 8, "<i", -5),
        (TILE, 32, "<i", -1),
        (TILE, 32 + 4, "<i", 2**31 - 1),
        (TILE, 32 + 8, "<q", 2**40),
        (b"ZISRAWDIRECTORY", 32, "<i", 2**30),
        (b"ZISRAWDIRECTORY", 32 + 128 + 28, "<i", -1),
        (b"ZISRAWDIRECTORY", 32 + 128 + 6, "<q", -5),
        (b"ZISRAWDIRECTORY", 32 + 128 + 6, "<q", 2**50),
        (b"ZISRAWDIRECTORY", 32 + 128 + 32 + 8, "<i", 2**26 + 20),  # a side, not as it is stored
        (b"ZISRAWFILE", 32 + 52, "<q", 7),
    ],
)
def test_a_number_that_cannot_be_is_refused_in_a_sentence(tmp_path, segment, behind, kind, number):
    whole = a_czi()
    file = tmp_path / "a.czi"
    file.write_bytes(with_number(whole, whole.rindex(segment) + behind, kind, number))
    with pytest.raises(ValueError, match=r"a\.czi is not a readable CZI"), open_stack([str(file)]) as opened:
        planes(opened)


def test_whole_files_pass(tmp_path):
    (tmp_path / "a.czi").write_bytes(a_czi())
    with (tmp_path / "a.czi").open("rb") as file:
        require_sound(file)


def test_a_file_without_a_directory_is_left_to_the_library(tmp_path):
    (tmp_path / "a.czi").write_bytes(with_number(a_czi(), 32 + 52, "<q", 0))
    with (tmp_path / "a.czi").open("rb") as file:
        require_sound(file)
