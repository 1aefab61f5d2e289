"""Laws of DeltaVision's files: what the library reads, we read; what was cut short is refused."""

import os
from pathlib import Path

import numpy as np
import pytest
from mrc import DVFile

from tests.unet.formats.files import cut, read

DATA = os.environ.get("UNET_FLOWS_DATA", "")
pytestmark = pytest.mark.skipif(not DATA, reason="a real DV file lies where UNET_FLOWS_DATA says, which is not set")
FILE = Path(DATA, "vendor_formats/toxo.dv")


def test_a_real_file():
    opened, values = read(FILE)
    assert (opened.axes, opened.shape, opened.channels) == ("czyx", (2, 17, 128, 128), ("525 nm", "632 nm"))
    assert opened.spacing == pytest.approx({"z": 0.3, "y": 0.13262, "x": 0.13262}, rel=1e-5)
    with DVFile(FILE) as said:
        np.testing.assert_array_equal(values, said.asarray())


@pytest.mark.parametrize("part", [0.0, 0.0005, 0.5, 0.999])
def test_a_file_that_was_cut_short_is_refused(tmp_path, part):
    (tmp_path / "a.dv").write_bytes(FILE.read_bytes())
    cut(tmp_path / "a.dv", part)
    with pytest.raises(ValueError, match=r"a\.dv is not a readable DeltaVision file"):
        read(tmp_path / "a.dv")
