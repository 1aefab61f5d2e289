"""TIFFs of every kind that microscopes and tifffile write: read whole, or refused, never read as less than they are."""

import contextlib
import struct
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tifffile

from tests.unet.formats.files import cut, noise, read, write_set
from unet.formats.completeness import require_whole
from unet.formats.readers import find_scenes, open_stack


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "float32", "int64", "uint64"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_a_plain_tiff_keeps_its_type_and_values(tmp_path, dtype, byteorder):
    image = noise(7, 9, dtype=dtype)
    tifffile.imwrite(tmp_path / "a.tif", image, byteorder=byteorder, metadata=None)
    opened, values = read(tmp_path / "a.tif")
    assert (opened.axes, opened.shape, opened.dtype, opened.channels) == ("yx", (7, 9), np.dtype(dtype), ("0",))
    assert values.dtype == opened.dtype
    assert opened.spacing == opened.units == {}
    np.testing.assert_array_equal(values, image)


def test_bits_become_bytes(tmp_path):
    image = noise(16, 16) > 50
    tifffile.imwrite(tmp_path / "a.tif", image)
    opened, values = read(tmp_path / "a.tif")
    assert opened.dtype == values.dtype == np.uint8
    np.testing.assert_array_equal(values, image)


def test_complex_pixels_are_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", noise(4, 4).astype("complex64"))
    with pytest.raises(ValueError, match="must be numbers or bits, got complex64"):
        read(tmp_path / "a.tif")


@pytest.mark.parametrize(
    "how", [{"metadata": None}, {}, {"compression": "zlib"}, {"truncate": True}, {"bigtiff": True}]
)
@pytest.mark.parametrize(("axis", "expected"), [(None, "zyx"), ("z", "zyx"), ("t", "tyx")])
def test_pages_that_do_not_say_run_along_z_or_as_told(tmp_path, how, axis, expected):
    image = noise(5, 8, 9)
    tifffile.imwrite(tmp_path / "a.tif", image, **how)
    opened, values = read(tmp_path / "a.tif", axis=axis)
    assert opened.axes == expected
    np.testing.assert_array_equal(values, image)


def test_a_plane_is_the_callers_to_change(tmp_path):
    image = noise(8, 9, 3, dtype=np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", image, photometric="rgb")
    with open_stack([str(tmp_path / "a.tif")]) as opened:
        opened.plane((1,))[:] = 0
        np.testing.assert_array_equal(opened.plane((1,)), image[..., 1])


@pytest.mark.parametrize("truncate", [False, True])
@pytest.mark.parametrize("unit", ["micron", "um", "nm", "\\u00B5m"])
def test_imagej_hyperstacks(tmp_path, truncate, unit):
    image = noise(2, 3, 4, 8, 9)
    said = {"axes": "TZCYX", "unit": unit, "spacing": 0.5, "finterval": 30.0}
    pixels = (4, 5)
    tifffile.imwrite(tmp_path / "a.tif", image, imagej=True, resolution=pixels, metadata=said, truncate=truncate)
    opened, values = read(tmp_path / "a.tif")
    assert (opened.axes, opened.shape) == ("tczyx", (2, 4, 3, 8, 9))
    assert opened.spacing == pytest.approx({"t": 30, "z": 0.5, "y": 1 / 5, "x": 1 / 4})
    assert opened.units == {"t": "second"} | dict.fromkeys("zyx", "nanometer" if unit == "nm" else "micrometer")
    np.testing.assert_array_equal(values, image.transpose(0, 2, 1, 3, 4))


def test_a_size_in_pixels_is_no_size(tmp_path):
    said = {"axes": "ZYX", "unit": "pixel", "spacing": 2.0}
    tifffile.imwrite(tmp_path / "a.tif", noise(3, 8, 9), imagej=True, resolution=(1, 1), metadata=said)
    opened, _ = read(tmp_path / "a.tif")
    assert opened.spacing == opened.units == {}


@pytest.mark.parametrize("axes", ["TCZYX", "ZCYX", "CTYX", "TZYX", "CYX", "YX"])
def test_ome_tiffs_of_any_order(tmp_path, axes):
    lengths = dict(zip("TCZYX", (2, 3, 4, 8, 9), strict=True))
    image = noise(*(lengths[a] for a in axes))
    said = {"axes": axes, "PhysicalSizeX": 0.2, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 0.3, "PhysicalSizeZ": 2}
    said |= {"TimeIncrement": 5, "TimeIncrementUnit": "min", "Channel": {"Name": ["DAPI", "488", "DAPI"]}}
    tifffile.imwrite(tmp_path / "a.ome.tif", image, metadata=said)
    opened, values = read(tmp_path / "a.ome.tif")
    ours = [a for a in "TCZYX" if a in axes]
    assert opened.axes == "".join(ours).lower()
    sizes = {"t": 5, "z": 2, "y": 0.3, "x": 0.2}
    units = {"t": "minute", "z": "micrometer", "y": "micrometer", "x": "nanometer"}
    assert opened.spacing == {a: sizes[a] for a in opened.axes if a != "c"}
    assert opened.units == {a: units[a] for a in opened.axes if a != "c"}
    assert opened.channels == (("DAPI", "488", "DAPI 2") if "C" in axes else ("DAPI",))
    np.testing.assert_array_equal(values, image.transpose([axes.index(a) for a in ours]))


def test_ome_sizes_that_say_nothing_are_absent(tmp_path):
    said = {"axes": "TYX", "PhysicalSizeX": 1, "PhysicalSizeXUnit": "reference frame", "TimeIncrement": 0.0}
    tifffile.imwrite(tmp_path / "a.ome.tif", noise(2, 8, 9), metadata=said)
    opened, _ = read(tmp_path / "a.ome.tif")
    assert opened.spacing == opened.units == {}


def test_axes_of_length_one_are_dropped(tmp_path):
    tifffile.imwrite(tmp_path / "a.ome.tif", noise(1, 3, 1, 8, 9), metadata={"axes": "TCZYX"})
    opened, _ = read(tmp_path / "a.ome.tif")
    assert (opened.axes, opened.shape) == ("cyx", (3, 8, 9))


def test_a_single_line_is_still_an_image(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", noise(3, 1, 9), photometric="minisblack")
    opened, _ = read(tmp_path / "a.tif")
    assert (opened.axes, opened.shape) == ("zyx", (3, 1, 9))


@pytest.mark.parametrize(("unit", "expected"), [("CENTIMETER", {"y": 2.5, "x": 5.0}), ("INCH", {}), ("NONE", {})])
def test_only_resolution_per_centimetre_is_believed(tmp_path, unit, expected):
    tifffile.imwrite(tmp_path / "a.tif", noise(8, 9), resolution=(2000, 4000), resolutionunit=unit, metadata=None)
    opened, _ = read(tmp_path / "a.tif")
    assert opened.spacing == pytest.approx(expected)
    assert opened.units == dict.fromkeys(expected, "micrometer")


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("pages", [1, 4])
@pytest.mark.parametrize("alpha", [False, True])
def test_rgb_samples_are_channels(tmp_path, planar, pages, alpha):
    image = noise(pages, 3 + alpha, 8, 9, dtype=np.uint8)
    if alpha:
        image[:, 3] = 255
    stored = image if planar == "separate" else image.transpose(0, 2, 3, 1)
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", planarconfig=planar, compression="zlib")
    opened, values = read(tmp_path / "a.tif")
    assert (opened.axes, opened.channels) == ("cyx" if pages == 1 else "czyx", ("red", "green", "blue"))
    np.testing.assert_array_equal(values, image[0, :3] if pages == 1 else image[:, :3].transpose(1, 0, 2, 3))


def test_rgb_in_ome_tiff(tmp_path):
    image = noise(8, 9, 3, dtype=np.uint8)
    tifffile.imwrite(tmp_path / "a.ome.tif", image, photometric="rgb", metadata={"axes": "YXS"})
    opened, values = read(tmp_path / "a.ome.tif")
    assert (opened.axes, opened.channels) == ("cyx", ("red", "green", "blue"))
    np.testing.assert_array_equal(values, image.transpose(2, 0, 1))


def test_axes_without_a_place_are_refused_unless_they_are_stated(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", noise(2, 3, 8, 9), photometric="minisblack")
    says = r"a\.tif must be some of T C Z Y X, each once, got QQYX of lengths 2 × 3 × 8 × 9; .* --axes tzyx"
    with pytest.raises(ValueError, match=says):
        read(tmp_path / "a.tif")
    opened, values = read(tmp_path / "a.tif", axes="ztyx")
    assert (opened.axes, opened.shape) == ("tzyx", (3, 2, 8, 9))
    np.testing.assert_array_equal(values, noise(2, 3, 8, 9).swapaxes(0, 1))


def test_series_are_scenes_but_levels_and_thumbnails_are_not(tmp_path):
    file = tmp_path / "a.ome.tif"
    images = noise(3, 64, 64), noise(2, 32, 48)
    with tifffile.TiffWriter(file) as tif:
        for number, image in enumerate(images):
            said = {"axes": "ZYX", "PhysicalSizeX": number + 1, "Name": f"scene {number}"}
            tif.write(image, subifds=1, metadata=said, tile=(16, 16))
            tif.write(image[:, ::2, ::2], subfiletype=1, tile=(16, 16))
    assert find_scenes(str(file)).number == 2
    for number, image in enumerate(images):
        opened, values = read(file, scene=number)
        np.testing.assert_array_equal(values, image)
        assert opened.spacing["x"] == number + 1
    with pytest.raises(ValueError, match="the scene must be given"):
        read(file)
    with pytest.raises(LookupError, match="scene must be less than 2"):
        read(file, scene=2)


def test_a_thumbnail_is_no_scene(tmp_path):
    file, image = tmp_path / "a.tif", noise(64, 64)
    with tifffile.TiffWriter(file) as tif:
        tif.write(image, metadata=None)
        tif.write(image[::4, ::4], subfiletype=1, metadata=None)
    assert find_scenes(str(file)).number == 1
    np.testing.assert_array_equal(read(file)[1], image)


def test_a_set_of_files_is_opened_by_its_first(tmp_path):
    image = write_set(tmp_path)
    files = [str(tmp_path / f"z{z}.ome.tif") for z in range(3)]
    assert [find_scenes(file) for file in files] == [(1, tuple(files[1:])), (0, ()), (0, ())]
    for z in range(3):
        np.testing.assert_array_equal(read(tmp_path / f"z{z}.ome.tif")[1], image)


def test_a_set_that_lacks_a_file_is_refused(tmp_path):
    write_set(tmp_path)
    (tmp_path / "z1.ome.tif").unlink()
    with pytest.raises(ValueError, match=r"z0\.ome\.tif must come with all planes of its set, got 2 of 3"):
        read(tmp_path / "z0.ome.tif")


@pytest.mark.parametrize(
    ("opener", "count"), [("z0.ome.tif", 0), ("gone.ome.tif", 1), ("companion.ome", 1), ("../z0.ome.tif", 0)]
)
def test_a_file_that_points_to_its_metadata_is_a_part(tmp_path, opener, count):
    (tmp_path / "companion.ome").touch()
    write_set(tmp_path)
    said = f'<OME><BinaryOnly MetadataFile="{opener}" UUID="urn:uuid:0"/></OME>'
    tifffile.imwrite(tmp_path / "part.ome.tif", noise(8, 9), description=said, metadata=None)
    assert find_scenes(str(tmp_path / "part.ome.tif")).number == count


WAYS = {
    "plain": {"metadata": None},
    "shaped": {},
    "zlib": {"compression": "zlib"},
    "big": {"bigtiff": True},
    "other-endian": {"byteorder": ">", "metadata": None},
    "one-directory": {"truncate": True},
    "imagej": {"imagej": True, "metadata": {"axes": "ZYX"}},
    "ome": {"ome": True, "metadata": {"axes": "ZYX"}},
    "tiled": {"tile": (16, 16), "compression": "lzw"},
}


@pytest.mark.parametrize("part", [0, 0.001, 0.02, 0.3, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("way", WAYS)
def test_a_file_that_was_cut_is_never_read_as_a_shorter_one(tmp_path, capfd, way, part):
    file = tmp_path / "a.tif"
    tifffile.imwrite(file, noise(6, 64, 64), **WAYS[way])
    cut(file, part)
    with pytest.raises(ValueError, match=r"a\.tif is not a readable TIFF \(.+\): copy it again from the microscope"):
        read(file)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("part", [0.2, 0.5, 0.9])
def test_pages_written_one_after_another_are_not_lost_when_cut(tmp_path, part):
    file = tmp_path / "a.tif"
    with tifffile.TiffWriter(file) as tif:
        for plane in noise(6, 64, 64):
            tif.write(plane, metadata=None, contiguous=False)
    cut(file, part)
    with pytest.raises(ValueError, match="not a readable TIFF"):
        read(file)


def test_planes_that_are_not_of_one_size_are_refused(tmp_path):
    tifffile.imwrite(file := tmp_path / "a.tif", noise(3, 8, 9), photometric="minisblack")
    with tifffile.TiffFile(file, mode="r+b") as tif:
        tif.pages[1].tags["ImageLength"].overwrite(4)
    with pytest.raises(ValueError, match=r"a\.tif must hold planes that are all \(8, 9\), got \(4, 9\) in plane 1"):
        read(file)


def test_directories_that_lead_in_a_circle_are_refused(tmp_path):
    """Left alone, tifffile follows them for as long as nobody stops it."""
    tifffile.imwrite(file := tmp_path / "a.tif", noise(3, 8, 8), photometric="minisblack", metadata=None)
    with tifffile.TiffFile(file) as tif:
        first, last = tif.pages[0].offset, tif.pages[2].offset
    content = bytearray(file.read_bytes())
    following = last + 2 + 12 * int.from_bytes(content[last : last + 2], "little")
    content[following : following + 4] = first.to_bytes(4, "little")
    file.write_bytes(content)
    with pytest.raises(ValueError, match=rf"a\.tif .*lead in a circle, back to byte {first}"):
        find_scenes(str(file))


def test_what_is_no_tiff_is_refused_when_counted_too(tmp_path):
    (tmp_path / "a.tif").write_bytes(b"GIF89a" * 100)
    with pytest.raises(ValueError, match=r"not a readable TIFF \(it does not begin as one\)"):
        find_scenes(str(tmp_path / "a.tif"))


@pytest.mark.parametrize("way", ["plain", "zlib", "imagej", "ome", "big"])
def test_a_damaged_file_raises_nothing_but_errors_of_value(tmp_path, way):
    file, random = tmp_path / "a.tif", np.random.default_rng(0)
    tifffile.imwrite(file, noise(6, 16, 16), **WAYS[way])
    whole = np.frombuffer(file.read_bytes(), np.uint8)
    for _ in range(50):
        damaged = whole.copy()
        damaged[random.integers(0, 400, 2)] = random.integers(0, 256, 2)
        file.write_bytes(damaged.tobytes())
        with contextlib.suppress(ValueError):
            read(file)


def test_a_vendors_private_tag_may_hold_anything(tmp_path):
    file, tag = tmp_path / "a.tif", 65000
    tifffile.imwrite(file, noise(8, 9), metadata=None, extratags=[(tag, 4, 3, (1, 2, 3), True)])
    data = bytearray(file.read_bytes())
    at = data.index(struct.pack("<HHI", tag, 4, 3))
    data[at + 8 : at + 12] = struct.pack("<I", 2**31)
    file.write_bytes(data)
    assert read(file)[0].shape == (8, 9)


@pytest.mark.parametrize("way", [*WAYS, "set"])
def test_planes_that_several_threads_read_at_once_are_those_of_one(tmp_path, way):
    file = tmp_path / ("z0.ome.tif" if way == "set" else "a.tif")
    if way == "set":
        write_set(tmp_path)
    else:
        tifffile.imwrite(file, noise(40, 64, 48), **WAYS[way])
    with open_stack([str(file)]) as opened, ThreadPoolExecutor(8) as pool:
        assert opened.is_shared
        indices = list(np.ndindex(opened.shape[:-2])) * 5
        read_at_once = list(pool.map(opened.plane, indices))
        assert all((plane == opened.plane(index)).all() for plane, index in zip(read_at_once, indices, strict=True))


def write_times(folder, times, count=10):
    """A set of OME-TIFFs, one a point in time, of which these are on the disk; returns all pixels."""
    pixels, ids = noise(count, 8, 9), [f"urn:uuid:{at:08}-0000-0000-0000-000000000000" for at in range(count)]
    files = "".join(
        f'<TiffData FirstT="{at}" IFD="0" PlaneCount="1"><UUID FileName="t{at}.ome.tif">{uuid}</UUID></TiffData>'
        for at, uuid in enumerate(ids)
    )
    for at in times:
        xml = (
            f'<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="{ids[at]}"><Image ID="Image:0">'
            '<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="9" SizeY="8" SizeZ="1" SizeC="1" '
            f'SizeT="{count}"><Channel ID="Channel:0:0" SamplesPerPixel="1"/>{files}</Pixels></Image></OME>'
        )
        tifffile.imwrite(folder / f"t{at}.ome.tif", pixels[at], description=xml, metadata=None)
    return pixels


def test_an_acquisition_that_was_stopped_early_is_as_long_as_it_is_and_says_so(tmp_path):
    pixels = write_times(tmp_path, range(6))
    opened, values = read(tmp_path / "t0.ome.tif")
    np.testing.assert_array_equal(values, pixels[:6])
    assert opened.notes == ("it has 6 of 10 points in time, as if it was stopped early",)
    with pytest.raises(ValueError, match="must come with all planes of its set, got 6 of 10"):
        require_whole([str(tmp_path / "t0.ome.tif")])  # who watches waits for the others


def test_a_point_in_time_that_is_lost_amid_others_is_refused(tmp_path):
    write_times(tmp_path, [0, 1, 3])
    with pytest.raises(ValueError, match="must come with all planes of its set, got 3 of 10"):
        read(tmp_path / "t0.ome.tif")


def test_an_ampersand_in_ome_xml_that_is_not_escaped_stands_for_itself(tmp_path):
    xml = (
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0" Name="Tom & Jerry &amp; I">'
        '<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="9" SizeY="8" SizeZ="2" SizeC="1" SizeT="1" '
        'PhysicalSizeX="0.3" PhysicalSizeY=""><Channel ID="Channel:0:0" Name="R&D" SamplesPerPixel="1"/><TiffData/>'
        "</Pixels></Image></OME>"
    )
    tifffile.imwrite(tmp_path / "a.ome.tif", noise(2, 8, 9), description=xml, metadata=None)
    opened, _ = read(tmp_path / "a.ome.tif")
    assert (opened.axes, opened.channels, dict(opened.spacing)) == ("zyx", ("R&D",), {"x": 0.3})
    assert opened.notes == ("size along y taken as unknown: '' is no number",)


def test_unflagged_levels_of_a_pyramid_are_no_stacks(tmp_path):
    image = noise(256, 256)
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for step in (1, 2, 4, 8):
            writer.write(image[::step, ::step], metadata=None)
    _, values = read(tmp_path / "a.tif")
    np.testing.assert_array_equal(values, image)
    assert find_scenes(str(tmp_path / "a.tif")).number == 1


@pytest.mark.parametrize("axes", ["TRYX", "RTCYX", "RZYX", "RYX"])
def test_positions_of_a_stage_are_scenes(tmp_path, axes):
    """As Micro-Manager has them."""
    image = noise(*[3 if axis == "T" else 2 for axis in axes[:-2]], 8, 9)
    tifffile.imwrite(tmp_path / "a.tif", image, metadata={"axes": axes})
    assert find_scenes(str(tmp_path / "a.tif")).number == 2
    for scene in range(2):
        with open_stack([str(tmp_path / "a.tif")], scene) as opened:
            assert opened.axes == axes.replace("R", "").lower()
            values = np.reshape([opened.plane(at) for at in np.ndindex(*opened.shape[:-2])], opened.shape)
            np.testing.assert_array_equal(values, image.take(scene, axes.index("R")))
        assert require_whole([str(tmp_path / "a.tif")], scene) == {str(tmp_path / "a.tif")}
    with pytest.raises(ValueError, match="the scene must be given"):
        read(tmp_path / "a.tif")
