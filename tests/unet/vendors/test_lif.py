"""Laws of Leica's files: what the vendor's numbers are, ours are, upright; what is not there is told."""

import os
from pathlib import Path

import liffile
import numpy as np
import pytest

from tests.unet.formats.files import cut, noise, read
from tests.unet.formats.vendor_files import leica, lif
from unet.formats.readers import find_scenes

DATA = os.environ.get("UNET_FLOWS_DATA", "")
pytestmark = pytest.mark.skipif(not DATA, reason="real LIF files lie where UNET_FLOWS_DATA says, which is not set")

RED_GREEN = ("00FF00", "FF0000")
SIDEWAYS, UPRIGHT = "scanned in x and z: its y is depth", "scanned in x and z, one scan after another along y: read as"
REAL = {
    "xz-example.lif": [
        ("tcyx", (20, 2, 128, 128), RED_GREEN, {"t": 0.53, "y": 0.140279, "x": 0.14028}, "TCZX", SIDEWAYS),
        ("czyx", (2, 128, 23, 128), RED_GREEN, {"z": 0.140279, "y": 0.229062, "x": 0.14028}, "CZYX", UPRIGHT),
        ("cyx", (2, 512, 512), RED_GREEN, {"y": 0.102697, "x": 0.102697}, "CZX", SIDEWAYS),
    ],
    "Multiposition.lif": [("cyx", (3, 512, 512), (), {"y": 0.758317, "x": 0.758317}, "CYX", "")] * 3,
}
SCENES = [(name, scene) for name, scenes in REAL.items() for scene in range(len(scenes))]


@pytest.mark.parametrize(("name", "scene"), SCENES)
def test_real_files_are_what_the_vendors_library_reads(name, scene):
    file, (axes, shape, colours, sizes, order, note) = Path(DATA, "vendor_formats", name), REAL[name][scene]
    opened, values = read(file, scene=scene)
    assert (opened.axes, opened.shape, opened.colours) == (axes, shape, colours)
    assert opened.spacing == pytest.approx(sizes, rel=1e-5)
    assert opened.units == {axis: "second" if axis == "t" else "micrometer" for axis in sizes}
    assert all(said.startswith(note) for said in opened.notes)
    assert len(opened.notes) == bool(note)
    assert find_scenes(str(file)).number == len(REAL[name])
    with liffile.LifFile(file) as said:
        image = said.images[scene]
        np.testing.assert_array_equal(values, image.asarray().transpose([image.dims.index(axis) for axis in order]))


@pytest.mark.parametrize("part", [0.0, 0.001, 0.02, 0.5, 0.999])
def test_a_file_that_was_cut_short_is_refused(tmp_path, part):
    (tmp_path / "a.lif").write_bytes(Path(DATA, "vendor_formats/Multiposition.lif").read_bytes())
    cut(tmp_path / "a.lif", part)
    for way in (lambda file: read(file, scene=0), lambda file: find_scenes(str(file))):
        with pytest.raises(ValueError, match=r"a\.lif is not a readable LIF"):
            way(tmp_path / "a.lif")


def test_wavelengths_are_channels_or_named_by_a_person_where_there_are_others(tmp_path):
    image, file = noise(2, 3, 8, 9), tmp_path / "a.lif"
    said = leica(image, f'<Memory Size="{image.nbytes}" MemoryBlockID="MemBlock_1"/>').replace('ID="3"', 'ID="5"')
    file.write_bytes(lif(image, said))
    with pytest.raises(ValueError, match=r"a\.lif must be .*, got λ c y x of lengths 3 × 2 × 8 × 9; .* --axes tcyx$"):
        read(file)
    opened, values = read(file, axes="zcyx")
    assert opened.axes == "czyx"
    np.testing.assert_array_equal(values, image)
    alone = image[:1]
    said = leica(alone, f'<Memory Size="{alone.nbytes}" MemoryBlockID="MemBlock_1"/>').replace('ID="3"', 'ID="5"')
    file.write_bytes(lif(alone, said))
    opened, values = read(file)
    assert opened.axes == "cyx"
    np.testing.assert_array_equal(values, alone[0])
