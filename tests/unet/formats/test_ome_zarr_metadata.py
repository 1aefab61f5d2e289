"""What OME-Zarr says of an image, in each version's own way."""

import pytest

from unet.formats.ome_zarr_metadata import Axis, channels_of, known_axes, multiscale_of, sizes_of

SPACE = [{"name": a, "type": "space", "unit": "micrometer"} for a in "yx"]
BARE = [{"name": a, "type": "space"} for a in "yx"]
HALVES = {"type": "scale", "scale": [0.5, 0.25]}


def ome(level, **more):
    return {"multiscales": [{"datasets": [{"path": 0, "coordinateTransformations": level}], **more}]}


def test_scales_of_the_level_and_of_all_levels_are_multiplied():
    found = multiscale_of(ome([HALVES], axes=SPACE, coordinateTransformations=[{"type": "scale", "scale": [2, 2]}]))
    assert found == ("0", (Axis("y", "micrometer"), Axis("x", "micrometer")), (1.0, 0.5))
    assert sizes_of(found) == {"y": (1.0, "micrometer"), "x": (0.5, "micrometer")}


def systems(*steps, first="own", axes=BARE):
    named = {"own": {"name": "own", "axes": axes}, "physical": {"name": "physical", "axes": SPACE}}
    level = {"input": {"path": "0"}, "output": {"name": "own"}, **steps[0]}
    further = [{"input": {"name": "own"}, "output": {"name": "physical"}, **step} for step in steps[1:]]
    order = [named.pop(first), *named.values()]
    return multiscale_of(ome([level], coordinateSystems=order, coordinateTransformations=further))


def test_sizes_are_those_in_the_first_system_that_scales_lead_to():
    doubled = {"type": "sequence", "transformations": [{"type": "translation", "translation": [1, 1]},
                                                       {"type": "scale", "scale": [2, 2]}]}  # fmt: skip
    assert systems(HALVES, doubled).scale == (0.5, 0.25)
    assert systems(HALVES, doubled, first="physical") == ("0", known_axes(SPACE), (1.0, 0.5))
    turned = {"type": "rotation", "rotation": [[0, 1], [-1, 0]]}
    assert systems(HALVES, turned, first="physical") == ("0", known_axes(BARE), (0.5, 0.25))
    assert systems({"type": "identity"}).scale == (1.0, 1.0)


@pytest.mark.parametrize("said", [{}, {"multiscales": []}, {"multiscales": [{"datasets": [3]}]},
                                  ome([3], axes=SPACE), ome([HALVES], axes=3),
                                  ome([HALVES], coordinateSystems=[3]), ome([{"type": "scale", "scale": ["a", {}]}],
                                                                          axes=SPACE)])  # fmt: skip
def test_nonsense_is_refused_in_a_sentence(said):
    with pytest.raises(ValueError, match="must name a level as OME-Zarr asks"):
        multiscale_of(said)


def test_channels_have_names_and_colours_where_the_image_has_them():
    assert channels_of({}) == ([], ())
    said = [{"label": "DAPI", "color": "#0000ff"}, {"color": "000000"}, {"label": 3, "color": "nonsense"}]
    assert channels_of({"omero": {"channels": said}}) == (["DAPI", "", "3"], ("0000FF", "", ""))
    assert channels_of({"omero": 3}) == channels_of({"omero": {"channels": [3]}}) == ([], ())
