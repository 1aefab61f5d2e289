"""What is written is OME-Zarr 0.5, as others read it, and says where every pixel lies."""

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st
from ome_zarr_models import open_ome_zarr

from unet.dataset.folder import Dataset
from unet.images.normalisation import Statistics
from unet.ledger.results import image_of, labels_of
from unet.ledger.stamp import Recipe
from unet.store import ome
from unet.store.arrays import create
from unet.store.pyramid import average, nearest, pyramid
from unet.store.shards import plane_layout, pyramid_shapes, stack_layout

SPACING = {"t": 60.0, "z": 1.5, "y": 0.325, "x": 0.325}
UNITS = {"t": "second", "z": "micrometer", "y": "micrometer", "x": "micrometer"}
GREY = Statistics(low=1, high=200, min=0, max=255, mean=7, std=3)
RECIPE = Recipe("ingest", 1, {}, {})


def write(result, values, axes, layout, reduce, attributes):
    """A committed pyramid, as ingest writes it."""
    generation = result.begin(RECIPE, {})
    stored = create(generation.folder / "0", layout(values.shape, values.itemsize), values.dtype, axes)
    for region in stored.missing():
        stored.write(region, values[region])
    shapes = pyramid(generation.folder, reduce, axes)
    result.commit(generation, attributes(ome.multiscales(generation.name, axes, shapes, SPACING, UNITS)))


@pytest.fixture
def nested_paths(monkeypatch):
    """ome-zarr-models 1.7 looks for levels at `generation/0` in images and labels, but not in the list of labels."""
    monkeypatch.setattr("ome_zarr_models.v05.labels.check_array_spec", lambda spec, path: spec.to_flat()[f"/{path}"])


@pytest.mark.parametrize("axes", ["yx", "cyx", "zyx", "tczyx"])
def test_an_image_with_labels_is_valid_for_others(axes, tmp_path, small_shards, nested_paths):
    dataset, shape = Dataset(str(tmp_path)), tuple({"y": 50, "x": 90}.get(axis, 2) for axis in axes)
    pixels, channels = np.arange(np.prod(shape), dtype=np.uint16).reshape(shape), ["DAPI", "GFP"][: 1 + ("c" in axes)]
    image, flat = image_of(dataset, "a"), axes.replace("c", "")
    truth = np.zeros([n for n, axis in zip(shape, axes, strict=True) if axis != "c"], np.uint32)
    write(
        image, pixels, axes, stack_layout, average, lambda p: ome.image_attributes(p, channels, [GREY] * len(channels))
    )
    for name in ("truth", "unet"):
        ome.list_label(dataset.image("a") / "labels", name)
        write(labels_of(dataset, "a", name), truth, flat, plane_layout, nearest, ome.label_attributes)

    opened = open_ome_zarr(zarr.open_group(dataset.image("a").url, mode="r"))
    assert type(opened).__name__ == "Image"
    assert [axis.name for axis in opened.attributes.ome.multiscales[0].axes] == list(axes)
    assert len(opened.attributes.ome.multiscales[0].datasets) == len(pyramid_shapes(shape)) == 3
    assert sorted(opened.labels.attributes.ome.labels) == ["truth", "unet"]
    for name in ("truth", "unet"):
        label = open_ome_zarr(zarr.open_group(dataset.labels("a", name).url, mode="r"))
        assert type(label).__name__ == "ImageLabel"

    attributes = image.attributes()
    assert ome.axes_of(attributes) == axes
    level = zarr.open_array((image.folder / ome.first_level(attributes)).url, mode="r")
    np.testing.assert_array_equal(level[...], pixels)


@given(st.integers(0, 6), st.floats(0.01, 100), st.integers(0, 50))
def test_a_coarse_pixel_lies_in_the_middle_of_those_it_stands_for(level, size, index):
    datasets = ome.multiscales("g", "zyx", [(1, 1, 1)] * 7, {"z": 3.0, "y": size, "x": size}, {})[0]["datasets"]
    transformations = {t["type"]: t[t["type"]] for t in datasets[level]["coordinateTransformations"]}
    scale, shift = transformations["scale"], transformations.get("translation", [0, 0, 0])
    fine = np.arange(index * 2**level, (index + 1) * 2**level) * size
    assert scale[1] * index + shift[1] == pytest.approx(fine.mean())
    assert (scale[0], shift[0]) == (3.0, 0)
    assert datasets[level]["path"] == f"g/{level}"


def test_unknown_sizes_are_1_without_a_unit():
    scales = ome.multiscales("g", "cyx", [(1, 8, 8)], {}, {})[0]
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
