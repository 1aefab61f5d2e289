"""Laws of file systems within a file: each chain of sectors ends, tables claim no more than there is."""

import itertools
import struct
from contextlib import suppress

import pytest

from tests.unet.formats.files import noise, read
from tests.unet.formats.vendor_files import compound, oib
from unet.formats.readers import find_scenes
from unet.vendors.compound_file import Compound

IMAGE = noise(2, 3, 2, 16, 24)


def test_files_are_those_that_were_put_in(tmp_path):
    files = {"small": b"a" * 100, "large": bytes(range(256)) * 40, "none": b""}
    (tmp_path / "a.oib").write_bytes(compound(files))
    with Compound(tmp_path / "a.oib") as opened:
        assert {name: opened.content(name) for name in opened.files()} == files


@pytest.mark.parametrize("sector", range(1, 40))
def test_sectors_that_lead_in_a_circle_end(tmp_path, sector):
    content = bytearray(oib(IMAGE))
    struct.pack_into("<I", content, 512 + 4 * sector, sector)
    (tmp_path / "a.oib").write_bytes(content)
    with suppress(ValueError):  # where the last of a stream leads is of no consequence
        read(tmp_path / "a.oib")
    with pytest.raises(ValueError, match="its sectors lead in a circle"):
        list(Compound._ending(Compound.__new__(Compound), itertools.cycle([b"sector"]), [0] * sector))


@pytest.mark.parametrize("at", [44, 64, 72])
def test_tables_that_claim_more_sectors_than_there_are_are_refused(tmp_path, at):
    content = bytearray(oib(IMAGE))
    struct.pack_into("<I", content, at, 2**31)
    (tmp_path / "a.oib").write_bytes(content)
    with pytest.raises(ValueError, match="it claims"):
        find_scenes(str(tmp_path / "a.oib"))
