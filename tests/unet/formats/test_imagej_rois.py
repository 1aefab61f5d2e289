"""Laws of ROIs of ImageJ: areas become ids on the planes that they name; what is broken is told in a sentence."""

import zipfile

import numpy as np
import pytest
from roifile import ROI_OPTIONS, ROI_TYPE, ImagejRoi

from tests.unet.formats.test_label_channel import truth_of
from unet.formats import imagej_rois
from unet.formats.completeness import require_whole

CORNERS = [[1, 1], [5, 1], [5, 4], [1, 4]]


def roi(points=CORNERS, kind=ROI_TYPE.POLYGON, **places):
    made = ImagejRoi.frompoints(points)
    made.roitype = kind
    for name, value in places.items():
        setattr(made, name, value)
    return made


def box(kind, left, top, right, bottom):
    made = ImagejRoi()
    made.roitype, made.left, made.top, made.right, made.bottom = kind, left, top, right, bottom
    return made


def saved(path, *rois):
    """A `.roi` of one, a set of several."""
    if len(rois) == 1:
        (path / "a.roi").write_bytes(rois[0].tobytes())
        return path / "a.roi"
    with zipfile.ZipFile(path / "RoiSet.zip", "w") as archive:
        for number, each in enumerate(rois):
            archive.writestr(f"{number}.roi", each.tobytes())
    return path / "RoiSet.zip"


@pytest.mark.parametrize("kind", [ROI_TYPE.POLYGON, ROI_TYPE.FREEHAND, ROI_TYPE.TRACED])
def test_polygons_by_hand(tmp_path, kind):
    opened, found = truth_of(saved(tmp_path, roi(kind=kind)), sizes={"y": 5, "x": 6})
    assert found.tolist() == [[0] * 6, *[[0, 1, 1, 1, 1, 0]] * 3, [0] * 6]
    assert (opened.dtype, opened.notes) == (np.uint32, ())


def test_rectangles_and_ovals(tmp_path):
    file = saved(tmp_path, box(ROI_TYPE.RECT, 0, 0, 2, 1), box(ROI_TYPE.OVAL, 3, 1, 7, 5))
    _, found = truth_of(file, sizes={"y": 6, "x": 8})
    assert found.tolist() == [
        [1, 1, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 2, 2, 0, 0],
        [0, 0, 0, 2, 2, 2, 2, 0],
        [0, 0, 0, 2, 2, 2, 2, 0],
        [0, 0, 0, 0, 2, 2, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0],
    ]
    assert require_whole([str(file)]) == {str(file)}


def test_an_oval_holds_the_pixels_whose_centres_are_in_the_ellipse(tmp_path):
    _, found = truth_of(saved(tmp_path, box(ROI_TYPE.OVAL, 3, 5, 84, 46)), sizes={"y": 50, "x": 90})
    y, x = np.mgrid[:50, :90] + 0.5
    away = ((x - 43.5) / 40.5) ** 2 + ((y - 25.5) / 20.5) ** 2 - 1
    np.testing.assert_array_equal(found[np.abs(away) > 1e-3] > 0, away[np.abs(away) > 1e-3] < 0)


def test_a_composite_keeps_its_holes(tmp_path):
    made = box(ROI_TYPE.RECT, 0, 0, 6, 6)
    path = [0, 0, 0, 1, 6, 0, 1, 6, 6, 1, 0, 6, 4, 0, 2, 2, 1, 4, 2, 1, 4, 4, 1, 2, 4, 4]
    made.shape_roi_size, made.multi_coordinates = len(path), np.array(path, np.float32)
    _, found = truth_of(saved(tmp_path, made))
    assert (found.sum(), found[1, 1], found[2, 3], found[5, 5]) == (32, 1, 0, 1)


def test_corners_between_pixels(tmp_path):
    made = roi(np.array([[1.6, 1], [4.4, 1], [4.4, 2], [1.6, 2]], np.float32))
    assert made.options & ROI_OPTIONS.SUB_PIXEL_RESOLUTION
    _, found = truth_of(saved(tmp_path, made))
    assert np.argwhere(found).tolist() == [[1, 2], [1, 3]]


@pytest.mark.parametrize(
    ("places", "planes"),
    [
        ({"z_position": 2, "t_position": 3}, {(2, 1)}),
        ({"z_position": 2}, {(0, 1), (1, 1), (2, 1)}),
        ({"position": 12}, {(2, 1)}),  # with two channels, of two z: t 2, z 1, the second channel is 4 · 2 + 2 · 1 + 2
        ({}, {(t, z) for t in range(3) for z in range(2)}),
    ],
)
def test_each_lies_on_the_planes_that_it_names(tmp_path, places, planes):
    opened, found = truth_of(saved(tmp_path, roi(**places)), sizes={"t": 3, "c": 2, "z": 2, "y": 8, "x": 9})
    assert {index for index in np.ndindex(3, 2) if found[index].any()} == planes
    spread = f"1 of the 1 outlines of {tmp_path}/a.roi say no plane, and lie on all along t z"
    assert opened.notes == ((spread,) if len(planes) > 1 else ())


def test_what_encloses_nothing_is_left_out_with_a_note(tmp_path):
    file = saved(tmp_path, roi(), roi(kind=ROI_TYPE.POINT), roi(kind=ROI_TYPE.POLYLINE), roi(kind=ROI_TYPE.POINT))
    opened, _ = truth_of(file)
    assert opened.notes == (f"2 point, 1 polyline of {file} left out, as they enclose nothing",)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is no readable file of outlines"),
        (b"Iout" + b"\0" * 30, "is no readable file of outlines"),
        (roi().tobytes()[:70], "is no readable file of outlines"),
        (roi(kind=ROI_TYPE.LINE).tobytes(), "must hold outlines of objects, got 1 line; draw areas"),
        (roi(z_position=9).tobytes(), "on z 9 of 1; give the outlines that were drawn on this image"),
        (roi(np.array(CORNERS) + 200).tobytes(), "got 1 outlines beside it; corners must be in pixels"),
    ],
)
def test_what_is_broken_is_told_in_a_sentence(tmp_path, content, says):
    (tmp_path / "a.roi").write_bytes(content)
    with pytest.raises(ValueError, match=r"^[^\n]+$") as error:
        truth_of(tmp_path / "a.roi")
    assert says in str(error.value)


def test_each_of_several_files_must_be_whole(tmp_path):
    files = [saved(tmp_path, roi()), tmp_path / "b.roi"]
    files[1].write_bytes(roi().tobytes()[:70])
    with pytest.raises(ValueError, match=r"b\.roi is no readable file of outlines"):
        require_whole([str(file) for file in files])


def test_what_is_no_set_or_would_fill_the_memory_is_refused(tmp_path, monkeypatch):
    file = saved(tmp_path, roi(), roi())
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.roi", bytes(100_000))
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("a.txt", b"")
    (tmp_path / "cut.zip").write_bytes(file.read_bytes()[:-30])
    monkeypatch.setattr(imagej_rois, "LARGEST", 50_000)
    says = {"bomb": "unpacked, it holds more than 50,000 bytes", "other": "it holds no .roi", "cut": "no readable file"}
    for name, words in says.items():
        with pytest.raises(ValueError, match=words):
            truth_of(tmp_path / f"{name}.zip")
