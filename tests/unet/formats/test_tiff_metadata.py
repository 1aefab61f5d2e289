"""Sizes and units as ImageJ, OME-XML and the resolution tags have them: believed, or unknown with a note."""

import os
from pathlib import Path

import numpy as np
import pytest
import tifffile

from tests.unet.formats.files import noise, read
from tests.unet.formats.vendor_files import lsm, svs
from unet.formats.pixel_sizes import PRINTERS
from unet.formats.readers import find_scenes

DATA = os.environ.get("UNET_FLOWS_DATA", "")

SPELLINGS = [
    *(("micrometer", spelled) for spelled in ("micron", "um", "\\u00B5m", "microns", "Micrometer", "UM")),
    *(("nanometer", spelled) for spelled in ("nm", "nanometre", "NM")),
    *(("millimeter", spelled) for spelled in ("mm", "millimeters")),
    ("centimeter", "cm"),
]


def imagej(file, said, resolution=(4, 5), shape=(2, 3, 4, 8, 9), **how):
    said = {"axes": "TZCYX", **said}
    tifffile.imwrite(file, noise(*shape), imagej=True, resolution=resolution, metadata=said, **how)
    return read(file)[0]


def ome(file, said):
    tifffile.imwrite(file, noise(2, 3, 8, 9), ome=True, metadata={"axes": "TZYX"})
    xml = tifffile.tiffcomment(file).replace("<Pixels ", f"<Pixels {said} ")
    tifffile.tiffcomment(file, xml.encode())
    return read(file)[0]


@pytest.mark.parametrize(("unit", "spelled"), SPELLINGS)
def test_units_of_imagej_in_any_spelling(tmp_path, unit, spelled):
    opened = imagej(tmp_path / "a.tif", {"unit": spelled, "spacing": 0.5, "finterval": 30})
    assert opened.units == {"t": "second"} | dict.fromkeys("zyx", unit)
    assert opened.spacing == pytest.approx({"t": 30, "z": 0.5, "y": 1 / 5, "x": 1 / 4})
    assert opened.notes == ()


@pytest.mark.parametrize("spelled", [b"\xb5m", "µm".encode(), "μm".encode()], ids=["Latin-1", "micro", "mu"])
def test_a_greek_letter_in_the_description_of_imagej_in_any_encoding(tmp_path, spelled):
    imagej(tmp_path / "a.tif", {"unit": "micron"})
    said = tifffile.tiffcomment(tmp_path / "a.tif").encode()
    tifffile.tiffcomment(tmp_path / "a.tif", said.replace(b"micron", spelled))
    assert read(tmp_path / "a.tif")[0].units["x"] == "micrometer"


def test_each_axis_of_imagej_may_have_its_own_unit(tmp_path):
    said = {"unit": "nm", "yunit": "\\u00B5m", "zunit": "micron", "spacing": 0.5, "finterval": 0.25, "tunit": "min"}
    opened = imagej(tmp_path / "a.tif", said)
    assert opened.units == {"t": "minute", "z": "micrometer", "y": "micrometer", "x": "nanometer"}
    assert opened.spacing["z"] == 0.5


@pytest.mark.parametrize(
    ("said", "seconds"),
    [({"fps": 4.0}, 0.25), ({"fps": 10}, 0.1), ({"fps": 4.0, "finterval": 7.5}, 7.5), ({"fps": 0}, None), ({}, None)],
)
def test_frames_a_second_become_seconds_a_frame(tmp_path, said, seconds):
    opened = imagej(tmp_path / "a.tif", {"unit": "um", "tunit": "sec", **said})
    assert opened.spacing.get("t") == seconds
    assert opened.units.get("t") == (seconds and "second")


@pytest.mark.parametrize("unit", ["pixel", "pixels", "", " ", "Pixel"])
def test_pixels_are_no_unit_and_need_no_note(tmp_path, unit):
    opened = imagej(tmp_path / "a.tif", {"unit": unit, "spacing": 2.0})
    assert (opened.spacing, opened.units, opened.notes) == ({}, {}, ())


def test_imagej_without_a_unit_has_that_of_the_tags(tmp_path):
    opened = imagej(tmp_path / "a.tif", {}, (2000, 4000), resolutionunit="CENTIMETER")
    assert opened.spacing == pytest.approx({"y": 2.5, "x": 5.0})
    assert opened.units == dict.fromkeys("yx", "micrometer")


@pytest.mark.parametrize("dots", [*PRINTERS, 250])
def test_inches_of_printers_are_no_size(tmp_path, dots):
    tifffile.imwrite(tmp_path / "tags.tif", noise(8, 9), resolution=(dots, dots), resolutionunit="INCH", metadata=None)
    for opened in (
        read(tmp_path / "tags.tif")[0],
        imagej(tmp_path / "a.tif", {"unit": "inch"}, (dots, dots)),
        imagej(tmp_path / "b.tif", {"unit": "inches"}, (dots, dots), resolutionunit="INCH"),
        imagej(tmp_path / "c.tif", {}, (dots, dots), resolutionunit="INCH"),
    ):
        assert opened.spacing == opened.units == {}
        (note,) = opened.notes
        assert note.startswith(f"size along y and x taken as unknown: {dots} pixels an inch")


@pytest.mark.parametrize("dots", PRINTERS)
def test_a_printers_resolution_in_another_unit_is_none_either(tmp_path, dots):
    per_centimetre = dots / 2.54
    size = 25400 / dots
    tags = {"resolution": (per_centimetre, per_centimetre), "resolutionunit": "CENTIMETER", "metadata": None}
    tifffile.imwrite(tmp_path / "a.tif", noise(8, 9), **tags)
    said = f'PhysicalSizeX="{size:.4f}" PhysicalSizeY="{size:.4f}" PhysicalSizeZ="{size:.4f}"'
    for opened, kept in ((read(tmp_path / "a.tif")[0], set()), (ome(tmp_path / "b.ome.tif", said), {"z"})):
        assert set(opened.spacing) == kept
        assert opened.notes == (
            f"size along y and x taken as unknown: {dots} pixels an inch, which is a resolution of printers",
        )


@pytest.mark.parametrize(("unit", "size"), [("CENTIMETER", 2.5), ("MILLIMETER", 0.25), ("MICROMETER", 0.00025)])
def test_resolution_per_metric_unit_is_believed(tmp_path, unit, size):
    tifffile.imwrite(tmp_path / "a.tif", noise(8, 9), resolution=(4000, 4000), resolutionunit=unit, metadata=None)
    opened, _ = read(tmp_path / "a.tif")
    assert opened.spacing == pytest.approx({"y": size, "x": size})
    assert opened.units == dict.fromkeys("yx", "micrometer")


@pytest.mark.parametrize(("unit", "resolution"), [("NONE", (72, 72)), ("INCH", (1, 1)), ("CENTIMETER", (0, 0))])
def test_tags_that_say_nothing_need_no_note(tmp_path, unit, resolution):
    tifffile.imwrite(tmp_path / "a.tif", noise(8, 9), resolution=resolution, resolutionunit=unit, metadata=None)
    opened, _ = read(tmp_path / "a.tif")
    assert (opened.spacing, opened.notes) == ({}, ())


@pytest.mark.parametrize("name", ["", "µm", "nm", "mm", "Å", "pm"])
def test_units_of_ome_xml_are_micrometres_where_none_is_said(tmp_path, name):
    unit = f'PhysicalSizeXUnit="{name}" TimeIncrementUnit="ms"' if name else ""
    opened = ome(tmp_path / "a.ome.tif", f'PhysicalSizeX="0.25" TimeIncrement="5" {unit}')
    units = {"µm": "micrometer", "nm": "nanometer", "mm": "millimeter", "Å": "angstrom", "pm": "picometer"}
    assert opened.units == {"t": "millisecond" if name else "second", "x": units.get(name, "micrometer")}
    assert opened.spacing == {"t": 5, "x": 0.25}


@pytest.mark.parametrize("said", ["0", "-0.5", "NaN", "INF", "0,325", "", "1e30", "12345.6", "1e-9"])
def test_absurd_sizes_are_unknown_with_a_note(tmp_path, said):
    opened = ome(tmp_path / "a.ome.tif", f'PhysicalSizeX="{said}" PhysicalSizeY="0.5"')
    assert opened.spacing == {"y": 0.5}
    (note,) = opened.notes
    assert note.startswith("size along x taken as unknown: ")


@pytest.mark.parametrize(
    ("said", "word"),
    [('TimeIncrement="0"', "0 s is no size"), ('TimeIncrement="1e9"', "too long"), ('TimeIncrement="x"', "no number")],
)
def test_absurd_times_are_unknown_with_a_note(tmp_path, said, word):
    opened = ome(tmp_path / "a.ome.tif", said)
    assert "t" not in opened.spacing
    assert word in opened.notes[0]


@pytest.mark.parametrize(
    ("said", "word"),
    [({"spacing": 0}, "0 um is no size"), ({"zunit": "furlong"}, "of no known unit"), ({"zunit": "s"}, "wrong")],
)
def test_absurd_sizes_of_imagej_are_unknown_with_a_note(tmp_path, said, word):
    opened = imagej(tmp_path / "a.tif", {"unit": "um", "spacing": 2, **said})
    assert set(opened.spacing) == {"y", "x"}
    assert word in opened.notes[0]


def test_slices_have_the_sizes_and_notes_of_the_first(tmp_path):
    for z in range(2):
        tifffile.imwrite(tmp_path / f"{z}.tif", np.zeros((8, 9), np.uint8), resolution=(72, 72), resolutionunit="INCH")
    opened, _ = read(tmp_path / "0.tif", tmp_path / "1.tif", axis="z")
    assert len(opened.notes) == 1


def test_sizes_of_zeiss_lsm(tmp_path):
    (tmp_path / "a.lsm").write_bytes(lsm(noise(3, 32, 24)))
    opened, values = read(tmp_path / "a.lsm")
    assert (opened.axes, opened.shape, opened.dtype.name) == ("zyx", (3, 32, 24), "uint16")
    assert opened.spacing == pytest.approx({"z": 0.5, "y": 0.2, "x": 0.1})
    assert opened.units == dict.fromkeys("zyx", "micrometer")
    np.testing.assert_array_equal(values, noise(3, 32, 24))


def test_of_a_whole_slide_the_full_level_is_read_alone(tmp_path):
    slide = noise(96, 64, 3, dtype=np.uint8)
    (tmp_path / "a.svs").write_bytes(svs(slide))
    opened, values = read(tmp_path / "a.svs")
    assert (opened.axes, opened.channels) == ("cyx", ("red", "green", "blue"))
    assert opened.spacing == pytest.approx({"y": 0.499, "x": 0.499})
    np.testing.assert_array_equal(values, slide.transpose(2, 0, 1))
    assert find_scenes(str(tmp_path / "a.svs")).number == 1


REAL = {
    "scifio_test.stk": ("zyx", (5, 64, 64), {"z": 10, "y": 3.6260623, "x": 3.6260623}),
    "CMU-1-Small-Region.svs": ("cyx", (3, 2967, 2220), {"y": 0.499, "x": 0.499}),
}


@pytest.mark.skipif(not DATA, reason="real files lie where UNET_FLOWS_DATA says, which is not set")
@pytest.mark.parametrize("name", REAL)
def test_real_files_of_metamorph_and_aperio(name):
    file, (axes, shape, sizes) = Path(DATA, "vendor_formats", name), REAL[name]
    opened, values = read(file)
    assert (opened.axes, opened.shape) == (axes, shape)
    assert opened.spacing == pytest.approx(sizes)
    stored = tifffile.imread(file)
    np.testing.assert_array_equal(values, stored if axes == "zyx" else stored.transpose(2, 0, 1))


@pytest.mark.parametrize(("state", "spacing"), [("on", {"y": 1.3668, "x": 1.3668}), ("off", {})])
def test_sizes_that_metaxpress_notes(tmp_path, state, spacing):
    said = f'<prop id="spatial-calibration-state" type="bool" value="{state}"/>' + "".join(
        f'<prop id="spatial-calibration-{key}" type="{kind}" value="{value}"/>'
        for key, kind, value in (("x", "float", 1.3668), ("y", "float", 1.3668), ("units", "string", "um"))
    )
    tifffile.imwrite(
        tmp_path / "a.tif",
        noise(8, 9),
        description=f"<MetaData><PlaneInfo>{said}</PlaneInfo></MetaData>",
        software="MetaSeries",
        metadata=None,
    )
    opened = read(tmp_path / "a.tif")[0]
    assert opened.spacing == spacing
    assert set(opened.units.values()) <= {"micrometer"}
