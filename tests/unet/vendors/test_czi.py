"""Laws of Zeiss's files: what the vendor's numbers are, ours are; tiles far apart are images of their own."""

import itertools
import os
from pathlib import Path

import numpy as np
import pytest

from tests.unet.formats.files import cut, read
from unet.formats.completeness import require_whole
from unet.formats.readers import find_scenes
from unet.formats.stack import UnknownAxesError

czi = pytest.importorskip("pylibCZIrw.czi", reason="pylibCZIrw, of the extra vendor, is not installed")

DATA = os.environ.get("UNET_FLOWS_DATA", "")
real = pytest.mark.skipif(not DATA, reason="real CZI files lie where UNET_FLOWS_DATA says, which is not set")
POLARISATIONS = ["Bright", *(f"Pol_{angle}" for angle in range(0, 90, 15))]
REAL = {
    "CD_s_1_t_3_c_2_z_5.czi": (
        ("tczyx", (3, 2, 5, 170, 240), "uint16", ("LED555", "LED470"), ("FF7E00", "00FF33")),
        {"t": 60.075, "z": 0.32, "y": 0.0905767, "x": 0.0905767},
    ),
    "RGB-multichannel.czi": (
        ("cyx", (21, 81, 147), "uint8", tuple(f"{n} {c}" for n in POLARISATIONS for c in ("red", "green", "blue")), ()),
        {"y": 2.95849, "x": 2.95849},
    ),
    "mosaic_test.czi": (("yx", (624, 1756), "uint16", ("EGFP",), ("00FF5B",)), {"y": 1.0833333, "x": 1.0833333}),
    "newCZI_compressed.czi": (("yx", (512, 512), "uint16", ("0",), ()), {}),
    "nuc_small_new_red.czi": (("yx", (240, 320), "uint8", ("nuclei",), ("FF0000",)), {"y": 0.1, "x": 0.1}),
}


@real
@pytest.mark.parametrize("name", REAL)
def test_real_files_are_what_the_vendors_library_reads(name):
    file, (expected, sizes) = str(Path(DATA, "vendor_formats", name)), REAL[name]
    opened, values = read(file)
    assert (opened.axes, opened.shape, opened.dtype.name, opened.channels, opened.colours) == expected
    assert opened.spacing == pytest.approx(sizes, rel=1e-5)
    assert opened.units == {axis: "second" if axis == "t" else "micrometer" for axis in sizes}
    assert (find_scenes(file).number, opened.notes) == (1, ())
    with czi.open_czi(file) as said:
        times, channels, planes = (range(said.total_bounding_box.get(a, (0, 1))[1]) for a in "TCZ")
        asked = itertools.product(times, channels, planes)
        stored = np.stack([said.read(plane={"T": t, "C": c, "Z": z}) for t, c, z in asked])
    samples = stored.shape[-1]
    stored = np.moveaxis(stored[..., ::-1], -1, 1) if samples > 1 else stored[..., 0]
    np.testing.assert_array_equal(values.reshape(-1, *values.shape[-2:]), stored.reshape(-1, *values.shape[-2:]))


def value(scene, t, z, tile):
    return 1000 * scene + 100 * t + 10 * z + tile


def draw(file, corners, missing=(), times=2, gap=0):
    """Two tiles of 20 × 30 in each of some scenes, at 2 z of some time points; each pixel tells where it belongs."""
    with czi.create_czi(str(file)) as writer:
        every = itertools.product(enumerate(corners), range(times), range(2), range(2))
        for (scene, (x, y)), t, z, tile in every:
            if (scene, t, z, tile) not in missing:
                pixels = np.full((20, 30, 1), value(scene, t, z, tile), np.uint16)
                at = {"T": t, "Z": z, "C": 0}
                writer.write(pixels, plane=at, location=(x + (30 + gap) * tile, y), scene=scene)
        writer.write_metadata("drawn", channel_names={0: "DAPI"}, scale_x=1e-7, scale_y=1e-7, scale_z=5e-7)
    return file


def test_scenes_far_apart_and_at_negative_places_are_images_of_their_own(tmp_path):
    file = draw(tmp_path / "a.czi", [(-5000, -7000), (900000, 3)])
    assert find_scenes(str(file)).number == 2
    for scene in range(2):
        opened, values = read(file, scene=scene)
        assert (opened.axes, opened.shape, opened.channels) == ("tzyx", (2, 2, 20, 60), ("DAPI",))
        assert opened.spacing == pytest.approx({"z": 0.5, "y": 0.1, "x": 0.1})
        for t, z, tile in itertools.product(range(2), repeat=3):
            assert (values[t, z, :, 30 * tile : 30 * tile + 30] == value(scene, t, z, tile)).all()


def test_tiles_that_do_not_touch_are_images_of_their_own(tmp_path):
    file = draw(tmp_path / "a.czi", [(0, 0)], gap=1000)
    assert find_scenes(str(file)).number == 2
    for tile in range(2):
        opened, values = read(file, scene=tile)
        assert (opened.shape, int(values[1, 1, 0, 0])) == ((2, 2, 20, 30), value(0, 1, 1, tile))


def draw_views(file, letter, times=1):
    """Two views, or what else a letter says, of three z: channels of the writer, which knows no others, renamed."""
    with czi.create_czi(str(file)) as writer:
        for t, z, view in itertools.product(range(times), range(3), range(2)):
            pixels = np.full((20, 30, 1), value(view, t, z, 0), np.uint16)
            writer.write(pixels, plane={"T": t, "Z": z, "C": view}, location=(0, 0))
    file.write_bytes(file.read_bytes().replace(b"C\0\0\0", letter + b"\0\0\0"))
    return file


@pytest.mark.parametrize(("letter", "axes"), [(b"V", "czyx"), (b"I", "tzyx"), (b"R", "czyx"), (b"B", "tzyx")])
def test_dimensions_that_no_network_knows_are_named_by_a_person(tmp_path, letter, axes):
    file = draw_views(tmp_path / "a.czi", letter)
    says = rf"the axes of .*a\.czi must be .*, got {letter.decode()} z y x of lengths 2 × 3 × 20 × 30; .* --axes czyx$"
    with pytest.raises(UnknownAxesError, match=says):
        read(file)
    assert require_whole([str(file)]) == {str(file)}  # so that nobody waits for it
    opened, values = read(file, axes=axes)
    assert (opened.axes, opened.shape) == (axes, (2, 3, 20, 30))
    assert values[..., 0, 0].tolist() == [[value(view, 0, z, 0) for z in range(3)] for view in range(2)]


def test_phases_are_channels(tmp_path):
    opened, values = read(draw_views(tmp_path / "a.czi", b"H", times=2))
    assert (opened.axes, opened.channels) == ("tczyx", ("phase 1", "phase 2"))
    assert values[1, :, 2, 0, 0].tolist() == [value(view, 1, 2, 0) for view in range(2)]


def test_of_an_experiment_that_was_stopped_whole_time_points_are_taken(tmp_path):
    file = draw(tmp_path / "a.czi", [(0, 0)], missing=[(0, 2, 1, 1)], times=3)
    opened, values = read(file)
    assert opened.notes == ("it was stopped early: 2 of 3 time points are whole, and are taken",)
    assert (values.shape, int(values[1, 1, 0, 59])) == ((2, 2, 20, 60), value(0, 1, 1, 1))


def test_a_first_time_point_that_lacks_a_tile_is_refused(tmp_path):
    file = draw(tmp_path / "a.czi", [(0, 0)], missing=[(0, 0, 1, 1)])
    with pytest.raises(ValueError, match=r"a\.czi is not a readable CZI \(its first time point lacks tiles"):
        read(file)


@pytest.mark.parametrize("part", [0.0, 0.01, 0.5, 0.99])
def test_a_file_that_was_cut_short_is_refused(tmp_path, part):
    cut(draw(tmp_path / "a.czi", [(0, 0)]), part)
    for way in (read, lambda file: find_scenes(str(file))):
        with pytest.raises(ValueError, match=r"a\.czi is not a readable CZI"):
            way(tmp_path / "a.czi")
