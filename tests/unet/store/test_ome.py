"""What is written is OME-Zarr 0.5, as others read it, and says where every pixel lies."""

import tempfile

import ngff_zarr
import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from ome_zarr_models import open_ome_zarr
from ome_zarr_models._cli import validate

from tests.conftest import shrink_shards
from unet.dataset.folder import Dataset, Folder
from unet.images.channel_statistics import Statistics
from unet.images.normalisation import statistics_of
from unet.ledger.generations import Generation
from unet.ledger.results import image_of, labels_of
from unet.ledger.stamp import Recipe
from unet.store import ome
from unet.store.arrays import create, open_array
from unet.store.pyramid import pyramid
from unet.store.shards import Level, averaged, plane_layout, pyramid_shapes, sampled, stack_layout

SPACING = {"t": 60.0, "z": 1.5, "y": 0.325, "x": 0.65}
UNITS = {"t": "second", "z": "micrometer", "y": "micrometer", "x": "micrometer"}
GREY = Statistics(low=1, high=200, min=0, max=255, mean=7, std=3)
RECIPE = Recipe("ingest", 1, {}, {})


def write(result, name, values, axes, plan, attributes):
    """A committed pyramid, as ingest writes it."""
    generation, layout = result.begin(RECIPE, {}), plane_layout if plan is sampled else stack_layout
    stored = create(generation.level(0), layout(values.shape, values.itemsize), values.dtype, axes)
    for region in stored.missing():
        stored.write(region, values[region])
    levels = pyramid(generation.level, plan, axes)
    result.commit(generation, attributes(ome.multiscales(generation, name, axes, levels, SPACING, UNITS)))


def write_image(dataset, pixels, axes):
    """An image named a, of one channel or two."""
    channels = ["DAPI", "GFP"][: 1 + ("c" in axes)]

    def attributes(scales):
        return ome.image_attributes(scales, channels, [GREY] * len(channels), ["0000FF", "00FF00"][: len(channels)])

    write(image_of(dataset, "a"), "a", pixels, axes, averaged, attributes)


def write_labels(dataset, name, ids, axes):
    ome.list_label(dataset.image("a") / "labels", name)
    write(labels_of(dataset, "a", name), name, ids, axes, sampled, ome.label_attributes)


@pytest.mark.parametrize("axes", ["yx", "cyx", "zyx", "tczyx"])
def test_an_image_with_labels_is_valid_for_others(axes, tmp_path, small_shards, capsys):
    dataset, shape = Dataset(str(tmp_path)), tuple({"y": 50, "x": 90}.get(axis, 2) for axis in axes)
    pixels = np.arange(np.prod(shape), dtype=np.uint16).reshape(shape)
    write_image(dataset, pixels, axes)
    flat = axes.replace("c", "")
    for name in ("truth", "unet"):
        ids = np.zeros([n for n, axis in zip(shape, axes, strict=True) if axis != "c"], np.uint32)
        write_labels(dataset, name, ids, flat)

    for folder in (dataset.image("a"), dataset.labels("a", "truth"), dataset.labels("a", "unet")):
        validate(folder.url)
        assert "Valid OME-Zarr" in capsys.readouterr().out
    opened = open_ome_zarr(zarr.open_group(dataset.image("a").url, mode="r"))
    assert [axis.name for axis in opened.attributes.ome.multiscales[0].axes] == list(axes)
    assert len(opened.attributes.ome.multiscales[0].datasets) == len(pyramid_shapes(shape)) == 3
    assert opened.attributes.ome.multiscales[0].name == "a"
    assert sorted(opened.labels.attributes.ome.labels) == ["truth", "unet"]
    for name in ("truth", "unet"):
        label = open_ome_zarr(zarr.open_group(dataset.labels("a", name).url, mode="r"))
        assert type(label).__name__ == "ImageLabel"
        assert label.attributes.ome.multiscales[0].name == name
        assert label.attributes.ome.image_label.source.image == "../../"

    attributes = image_of(dataset, "a").attributes()
    assert ome.axes_of(attributes) == axes
    level = zarr.open_array((dataset.image("a") / ome.first_level(attributes)).url, mode="r")
    np.testing.assert_array_equal(level[...], pixels)


def places(result, axis):
    """Of each level the size of its pixels, where its metadata has each pixel's middle, and what it holds there."""
    described = result.attributes()["ome"]["multiscales"][0]
    at = [each["name"] for each in described["axes"]].index(axis)
    for level in described["datasets"]:
        steps = {step["type"]: step[step["type"]][at] for step in level["coordinateTransformations"]}
        values = open_array(result.folder / level["path"])[...]
        middles = steps["scale"] * np.arange(values.shape[at]) + steps.get("translation", 0)
        yield steps["scale"], middles, np.moveaxis(values, at, 0)


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 340), st.integers(1, 340), st.sampled_from("yx"))
def test_pixels_lie_where_their_metadata_has_them(height, width, axis):
    """Each pixel of the full level holds its own place, so that each of a coarser one tells where it was taken."""
    with pytest.MonkeyPatch.context() as patched, tempfile.TemporaryDirectory() as folder:
        shrink_shards(128, patched.setattr)
        dataset = Dataset(folder)
        own = np.indices((height, width))["yx".index(axis)]
        write_image(dataset, own.astype(np.float64), "yx")
        write_labels(dataset, "truth", own.astype(np.uint32), "yx")
        image, labels = (places(result, axis) for result in (image_of(dataset, "a"), labels_of(dataset, "a", "truth")))
        for (pixel, expected, averages), (same, stated, sampled_at) in zip(image, labels, strict=True):
            assert pixel == same
            np.testing.assert_allclose(sampled_at * SPACING[axis], np.broadcast_to(stated[:, None], sampled_at.shape))
            assert np.abs(stated - expected).max() < pixel / 2
            inner = averages[:-1]  # the last may be the mean of fewer pixels, at an odd edge
            np.testing.assert_allclose(inner * SPACING[axis], np.broadcast_to(expected[:-1, None], inner.shape))


def test_for_another_reader_an_object_lies_at_one_place_in_each_level(tmp_path, small_shards):
    """Centroids in µm of a drawn disc, in the image, its truth and its segments."""
    dataset, centre = Dataset(str(tmp_path)), (140.3, 201.7)
    y, x = np.indices((301, 420))
    disc = ((y - centre[0]) ** 2 + (x - centre[1]) ** 2 < 90**2).astype(np.uint32)
    write_image(dataset, (200 * disc).astype(np.uint8), "yx")
    for name in ("truth", "unet"):
        write_labels(dataset, name, 7 * disc, "yx")
    exact = np.array([np.average(index, weights=disc) for index in (y, x)]) * [SPACING["y"], SPACING["x"]]
    for folder in (dataset.image("a"), dataset.labels("a", "truth"), dataset.labels("a", "unet")):
        levels = ngff_zarr.from_ome_zarr(folder.url, validate=True).images
        assert len(levels) == 5
        for level in levels:
            values = np.asarray(level.data)
            found = [
                level.scale[axis] * np.average(index, weights=values) + level.translation[axis]
                for axis, index in zip("yx", np.indices(values.shape), strict=True)
            ]
            assert level.axes_units["y"] == "micrometer"
            assert np.abs((found - exact) / [level.scale["y"], level.scale["x"]]).max() < 0.1  # pixels of the level


@pytest.mark.parametrize(("cells", "end"), [(0, 9), (4, 600)])
def test_a_viewer_shows_a_few_cells_on_zeros_and_a_hot_pixel(cells, end):
    image = np.zeros((1, 512, 512), np.uint16)
    image[0, 300, 300] = 9
    for n in range(cells):
        image[0, 100 * n : 100 * n + 20, 40:60] = 600
    window = ome.image_attributes([], ["a"], statistics_of(image), ["FFFFFF"])["ome"]["omero"]["channels"][0]["window"]
    assert (window["start"], window["end"], window["max"]) == (0, end, image.max())


def test_unknown_sizes_are_1_without_a_unit():
    scales = ome.multiscales(Generation(Folder("g"), RECIPE, {}), "a", "cyx", [Level((1, 8, 8), (0, 0))], {}, {})[0]
    assert scales["axes"] == [{"name": "c", "type": "channel"}, *({"name": a, "type": "space"} for a in "yx")]
    assert scales["datasets"][0]["coordinateTransformations"] == [{"type": "scale", "scale": [1.0, 1.0, 1.0]}]


def test_a_list_of_labels_mends_itself(tmp_path):
    labels = Dataset(str(tmp_path)).image("a") / "labels"
    ome.list_label(labels, "killed")
    (labels / "drawn" / "zarr.json").write_json({})
    ome.list_label(labels, "truth")
    listed = (labels / "zarr.json").read_json()["attributes"]["ome"]["labels"]
    assert listed == ["drawn", "truth"]


@pytest.mark.parametrize("attributes", [{}, {"ome": {}}, {"ome": {"multiscales": []}}])
def test_a_group_that_is_no_image(attributes):
    with pytest.raises(LookupError, match="must have multiscales, got none; run `unet-flows ingest`"):
        ome.first_level(attributes)


def test_classes_of_too_many_ids_are_not_described():
    ids = range(1, ome.MOST_DESCRIBED + 2)
    few = ome.label_attributes([], ids[1:], [1] * (len(ids) - 1), ["nucleus"])["ome"]["image-label"]
    assert len(few["colors"]) == len(few["properties"]) == ome.MOST_DESCRIBED
    assert few["colors"][0] == {"label-value": 2, "rgba": [230, 159, 0, 255]}
    many = ome.label_attributes([], ids, [1] * len(ids), ["nucleus"])
    assert many == ome.label_attributes([])
