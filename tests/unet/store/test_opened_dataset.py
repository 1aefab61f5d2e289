"""A dataset that is opened for reading gives what its stages wrote, with axes and sizes, and says what is not there."""

import numpy as np
import pytest
import tifffile

import unet
from unet.dataset.folder import Dataset
from unet.dataset.record_file import set_values
from unet.ledger.results import image_of, labels_of, scores_of
from unet.store.opened_dataset import OpenedArray


@pytest.fixture(scope="module")
def opened(walked):
    return unet.open_dataset(f"{walked}/dataset")


@pytest.fixture(scope="module")
def files(walked):
    """Pixels of a stack's files, as the microscope wrote them."""
    return lambda kind, name: tifffile.imread(walked / f"files/{kind}/{name}.ome.tif")


def test_arrays_hold_what_the_files_held(opened, files):
    assert opened.stacks == ("a", "b", "c")
    np.testing.assert_array_equal(opened.image("a"), files("image", "a"))
    np.testing.assert_array_equal(opened.truth("b"), files("truth", "b"))
    assert opened.labels("a") == ("truth", "unet")
    assert opened.labels("c") == ("unet",)


def test_arrays_tell_axes_sizes_and_channels(opened):
    image = opened.image("a")
    assert (image.axes, image.shape, image.ndim, len(image)) == ("zyx", (2, 64, 64), 3, 2)
    assert image.spacing == {"z": 1.25, "y": 0.5, "x": 0.5}
    assert set(image.units.values()) == {"micrometer"}
    assert image.channels == ("0",)
    for labels in (opened.truth("a"), opened.segments("a")):
        assert (labels.axes, labels.spacing, labels.channels) == (image.axes, image.spacing, ())
    scores = opened.scores("a")
    assert scores.channels == ("object",)
    assert dict(zip(scores.axes, scores.shape, strict=True)) == {"c": 1, "z": 2, "y": 64, "x": 64}


@pytest.mark.parametrize("index", [0, (1, 5), (..., slice(3, 9)), (slice(None), slice(0, 64, 7)), (-1, -1, -1)])
def test_they_index_as_numpy_arrays_do(opened, files, index):
    np.testing.assert_array_equal(opened.image("a")[index], files("image", "a")[index])


def test_dask_takes_them_as_they_are(opened, files):
    import dask.array

    lazy = dask.array.from_array(opened.image("a"), chunks=(1, 32, 32))
    assert lazy.max().compute(scheduler="synchronous") == files("image", "a").max()


def test_tables_have_a_row_for_each_segment(opened):
    table, segments = opened.table("a"), np.asarray(opened.segments("a"))
    ids, pixels = np.unique(segments[segments > 0], return_counts=True)
    assert table["id"].to_pylist() == ids.tolist()
    assert table["area_px"].to_pylist() == pixels.tolist()


def test_models_tell_what_they_are_and_load(opened, walked):
    assert list(opened.models) == ["unet"]
    assert opened.models["unet"]["classes"] == ["background", "object"]
    model = unet.load_model(f"{walked}/dataset", "unet")
    assert model.network.architecture.base == opened.models["unet"]["architecture"]["base"]
    image = unet.normalise_image(opened.image("c")[0])
    assert unet.predict_image(model.network, image, tile=32).shape == (1, 64, 64)


def test_nothing_can_be_written(opened):
    with pytest.raises(TypeError, match="item assignment"):
        opened.image("a")[0] = 0


def test_opening_and_reading_leaves_the_folder_as_it_was(walked, opened):
    before = Dataset(f"{walked}/dataset").files()
    for array in (opened.image("a"), opened.truth("a"), opened.segments("a"), opened.scores("a")):
        assert isinstance(array, OpenedArray)
        np.asarray(array)
    opened.table("a")
    assert Dataset(f"{walked}/dataset").files() == before


def test_what_is_not_there_is_told_with_what_is(opened, tmp_path):
    with pytest.raises(LookupError, match=r"dataset\.yaml, got none.*init"):
        unet.open_dataset(str(tmp_path))
    with pytest.raises(LookupError, match=r"'d' must be a stack.*there are a, b, c"):
        opened.image("d")
    with pytest.raises(LookupError, match=r"c must have truth.*labels here are unet"):
        opened.truth("c")
    with pytest.raises(LookupError, match=r"segments of other; run `unet-flows segment`.*truth, unet"):
        opened.segments("a", "other")
    with pytest.raises(LookupError, match=r"scores of other.*run `unet-flows predict`"):
        opened.scores("a", "other")
    with pytest.raises(LookupError, match=r"a must be segmented by other"):
        opened.table("a", "other")
    with pytest.raises(LookupError, match=r"model 'other' must be in .*got unet"):
        unet.load_model(opened.place.url, "other")
    with pytest.raises(ValueError, match="stay within its folder"):
        opened.image("../a")


def test_a_stack_in_the_making_is_not_there_yet(dataset):
    opened = unet.open_dataset(dataset.url)
    (image_of(dataset, "a").folder / "zarr.json").remove()
    (labels_of(dataset, "b", "unet").folder / "zarr.json").remove()
    assert opened.stacks == ("b", "c")
    assert opened.labels("b") == ("truth",)
    with pytest.raises(LookupError, match="there are b, c"):
        opened.truth("a")


def test_scores_that_were_dropped_are_told(dataset):
    scores_of(dataset, "unet", "a").amend({"dropped": True})
    with pytest.raises(LookupError, match=r"keep_scores is off"):
        unet.open_dataset(dataset.url).scores("a")


def test_the_model_is_the_one_that_the_record_names(dataset):
    set_values(dataset, {"train.name": "second"})
    with pytest.raises(LookupError, match="segments of second"):
        unet.open_dataset(dataset.url).segments("a")


def test_what_a_person_drew_in_a_viewer_is_truth(dataset):
    """A label image without our stamp: nobody but its author made it."""
    truth = labels_of(dataset, "c", "truth")
    drawn = labels_of(dataset, "c", "unet")
    attributes = {key: value for key, value in drawn.attributes().items() if key != "unet-flows"}
    level = attributes["ome"]["multiscales"][0]["datasets"][0]["path"]
    attributes["ome"]["multiscales"][0]["datasets"] = attributes["ome"]["multiscales"][0]["datasets"][:1]
    for name in (drawn.folder / level).files():
        (truth.folder / level / name).write((drawn.folder / level / name).read())
    (truth.folder / "zarr.json").write_json({"zarr_format": 3, "node_type": "group", "attributes": attributes})
    opened = unet.open_dataset(dataset.url)
    np.testing.assert_array_equal(opened.truth("c"), opened.segments("c"))


def test_what_is_damaged_or_in_the_making_stops_nothing_else(dataset, caplog):
    (dataset / "models/junk/model.json").write(b"{")
    (dataset / "images/begun.ome.zarr/zarr.json").write(b'{"attributes": {}}')
    opened = unet.open_dataset(dataset.url)
    assert list(opened.models) == ["unet"]
    assert "junk is left out" in caplog.text
    assert opened.stacks == ("a", "b", "c")


def test_truth_is_nobodys_segments_and_an_empty_name_is_no_model(opened):
    with pytest.raises(ValueError, match="must be those of a model, got 'truth'"):
        opened.segments("a", "truth")
    with pytest.raises((LookupError, ValueError)):
        opened.segments("a", "")


def test_a_relative_path_is_that_of_when_it_was_opened(dataset, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path / "copy")
    opened = unet.open_dataset("dataset")
    monkeypatch.chdir(tmp_path)
    assert opened.stacks == ("a", "b", "c")
