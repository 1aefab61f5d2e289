"""Laws of GeoJSON: polygons with their holes on the plane that they name; what is broken is told in a sentence."""

import json

import numpy as np
import pytest

from tests.unet.formats.test_label_channel import truth_of
from unet.formats import geojson
from unet.formats.completeness import require_whole

SQUARE = [[1, 1], [5, 1], [5, 4], [1, 4], [1, 1]]
HOLE = [[2, 2], [3, 2], [3, 3], [2, 3], [2, 2]]


def polygon(*rings, **plane):
    return {"type": "Polygon", "coordinates": list(rings), **({"plane": plane} if plane else {})}


def feature(geometry, **properties):
    return {"type": "Feature", "geometry": geometry, "properties": {"objectType": "annotation", **properties}}


def written(path, values):
    (path / "a.geojson").write_text(values if isinstance(values, str) else json.dumps(values))
    return path / "a.geojson"


def test_polygons_with_holes_by_hand(tmp_path):
    other = {
        "type": "MultiPolygon",
        "coordinates": [[[[6, 0], [8, 0], [8, 1], [6, 1]]], [[[6, 3], [7, 3], [7, 4], [6, 4]]]],
    }
    features = [feature(polygon(SQUARE, HOLE)), feature(other), feature({"type": "Point", "coordinates": [1, 2]})]
    file = written(tmp_path, {"type": "FeatureCollection", "features": features})
    opened, found = truth_of(file, sizes={"y": 5, "x": 8})
    assert found.tolist() == [
        [0, 0, 0, 0, 0, 0, 2, 2],
        [0, 1, 1, 1, 1, 0, 0, 0],
        [0, 1, 0, 1, 1, 0, 0, 0],
        [0, 1, 1, 1, 1, 0, 2, 0],
        [0, 0, 0, 0, 0, 0, 0, 0],
    ]
    assert opened.notes == (f"1 Point of {file} left out, as they enclose nothing",)
    assert require_whole([str(file)]) == {str(file)}


@pytest.mark.parametrize("wrap", [lambda of: of, lambda of: {"features": of}, lambda of: of[0]])
def test_collections_lists_and_single_features(tmp_path, wrap):
    parts = {"type": "GeometryCollection", "geometries": [polygon(SQUARE)]}
    _, found = truth_of(written(tmp_path, wrap([feature(parts)])))
    assert found.sum() == 12


def test_each_lies_on_its_plane_and_on_the_first_where_it_names_none(tmp_path):
    features = [feature(polygon(SQUARE, c=-1, z=1, t=0)), feature(polygon(HOLE))]
    _, found = truth_of(written(tmp_path, features), sizes={"c": 2, "z": 3, "y": 8, "x": 9})
    assert [np.unique(plane).tolist() for plane in found] == [[0, 2], [0, 1], [0]]


def test_overlaps_and_what_lies_outside_are_told(tmp_path):
    beside = [[100, 100], [101, 100], [101, 101]]
    file = written(tmp_path, [feature(polygon(SQUARE)), feature(polygon(HOLE)), feature(polygon(beside))])
    opened, found = truth_of(file)
    assert (found[2, 2], np.unique(found).tolist()) == (2, [0, 1, 2])
    assert opened.notes == (
        f"1 of the 3 outlines of {file} hold no pixel's centre of the image",
        f"outlines of {file} overlap by 1 pixels, where the later one lies on top",
    )


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ("", "is no readable file of outlines"),
        ('{"features": [', "is no readable file of outlines"),
        ("[" * 100_000, "is no readable file of outlines"),
        ({"a": 1}, "it must hold features with a geometry, as GeoJSON does"),
        ([], "must hold outlines of objects, got none; draw areas"),
        ([feature({"type": "Point", "coordinates": [1, 2]})], "must hold outlines of objects, got 1 Point; draw areas"),
        ([feature(None)], "got 1 object without a geometry"),
        ('[{"geometry": {"type": "Polygon", "coordinates": [[[NaN, 1], [2, 3], [4, 5]]]}}]', "got nan in object 1"),
        ([feature(polygon([[1, 1], [1e300, 2], [3, 3]]))], "must hold corners in pixels, got 1e+300 in object 1"),
        ([feature(polygon([[1, 1], [10**400, 2], [3, 3]]))], "is no readable file of outlines"),
        ([feature(polygon([[1, 1], ["a", 2], [3, 3]]))], "is no readable file of outlines"),
        ([feature(polygon([[99, 99], [120, 99], [99, 120]]))], "got 1 outlines beside it; corners must be in pixels"),
        ([feature(polygon(SQUARE, z=7), name="cell 3")], "must lie on its image, got cell 3 on z 8 of 1"),
        ([feature(polygon(SQUARE, z="x"))], "is no readable file of outlines"),
    ],
)
def test_what_is_broken_is_told_in_a_sentence(tmp_path, values, says):
    file = written(tmp_path, values)
    with pytest.raises(ValueError, match=r"^[^\n]+$") as error:
        truth_of(file)
    assert says in str(error.value)
    assert str(file) in str(error.value)


def test_a_file_too_large_to_be_held_is_refused(tmp_path, monkeypatch):
    file = written(tmp_path, [feature(polygon(SQUARE))])
    monkeypatch.setattr(geojson, "LARGEST", 20)
    with pytest.raises(ValueError, match="it holds more than 20 bytes; export fewer objects a file"):
        truth_of(file)
