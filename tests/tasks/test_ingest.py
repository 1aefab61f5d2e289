"""Laws of ingest: what the microscope wrote is kept, what people drew is never lost, and a bad stack stops no other."""

import os
from contextlib import contextmanager
from dataclasses import replace
from itertools import product
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
import zarr
from ome_zarr_models.v05.image import Image
from ome_zarr_models.v05.image_label import ImageLabel

from flows.planning.plan import make_plan
from tasks import ingest as ingest_tasks
from tasks.ingest import ingest_stack
from tests.conftest import make_dataset
from tests.unet.formats.files import write_set
from unet.dataset.folder import Dataset
from unet.dataset.record_file import read_record, set_values
from unet.formats.readers import find_scenes
from unet.ledger import fingerprint
from unet.ledger.recipes import weigh_recipe
from unet.ledger.results import image_of, labels_of, weights_of
from unet.settings.ingest import Ingest, Source
from unet.sources.search import find_stacks
from unet.store.pyramid import average


def noise(*shape, dtype=np.uint16):
    return np.random.default_rng(0).integers(0, 1000, shape).astype(dtype)


def squares(*shape):
    """Ids of squares that touch across a line."""
    labels = np.zeros(shape, np.uint16)
    labels[..., 4:12, 4:12], labels[..., 4:12, 12:20], labels[..., 20:26, 8:16] = 3, 7, 5
    return labels


def states(outcomes):
    return {outcome.name: outcome.state for outcome in outcomes}


def plan_of(dataset):
    return make_plan(dataset, read_record(dataset))


@pytest.mark.usefixtures("small_shards")
def test_an_ome_tiff_becomes_a_valid_ome_zarr_that_keeps_all_it_said(tmp_path, make, stage, level):
    image = noise(3, 2, 70, 50)
    dataset = make({"a": (image[:, 0], squares(3, 70, 50))})
    sizes = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.25, "PhysicalSizeZ": 1.25}
    said = {"axes": "ZCYX", **sizes, "PhysicalSizeXUnit": "µm", "PhysicalSizeYUnit": "µm", "PhysicalSizeZUnit": "nm"}
    said["Channel"] = {"Name": ["nuclei", "walls"], "Color": [0x0000FFFF, 0x00FF00FF]}
    tifffile.imwrite(tmp_path / "files/image/a.ome.tif", image, ome=True, photometric="minisblack", metadata=said)
    assert states(stage(dataset, "ingest")) == {"a": "done"}

    result = image_of(dataset, "a")
    np.testing.assert_array_equal(level(result), image.transpose(1, 0, 2, 3))
    shown = Image.from_zarr(zarr.open_group(result.folder.url, mode="r")).ome_attributes
    pyramid = shown.multiscales[0]
    assert pyramid.name == "a"
    assert [axis.name for axis in pyramid.axes] == ["c", "z", "y", "x"]
    assert [axis.unit for axis in pyramid.axes] == [None, "nanometer", "micrometer", "micrometer"]
    scales = [step.coordinateTransformations[0].scale for step in pyramid.datasets]
    assert scales == [[1, 1.25, 0.25, 0.5], [1, 1.25, 0.5, 1]]
    assert [(channel["label"], channel["color"]) for channel in shown.omero["channels"]] == [
        ("nuclei", "0000FF"),
        ("walls", "00FF00"),
    ]
    coarse = np.asarray(zarr.open_array(f"{result.folder.url}/{pyramid.datasets[1].path}", mode="r")[...])
    np.testing.assert_array_equal(coarse, average(level(result)))

    truth = labels_of(dataset, "a", "truth")
    label = ImageLabel.from_zarr(zarr.open_group(truth.folder.url, mode="r")).ome_attributes
    assert [axis.name for axis in label.multiscales[0].axes] == ["z", "y", "x"]
    np.testing.assert_array_equal(level(truth), squares(3, 70, 50))
    path = label.multiscales[0].datasets[1].path
    coarse = np.asarray(zarr.open_array(f"{truth.folder.url}/{path}", mode="r")[...])
    np.testing.assert_array_equal(coarse, squares(3, 70, 50)[:, ::2, ::2])
    assert zarr.open_group(f"{result.folder.url}/labels", mode="r").attrs["ome"]["labels"] == ["truth"]


@pytest.mark.usefixtures("small_shards")
def test_statistics_are_those_of_the_whole_stack(make, stage):
    image = noise(3, 70, 50)
    dataset = make({"a": (image, None)}, ingest__percentile_low=10.0, ingest__percentile_high=90.0)
    stage(dataset, "ingest")
    (kept,) = image_of(dataset, "a").committed().facts["statistics"]
    low, high = np.percentile(image, [10, 90], method="inverted_cdf")
    expected = {"low": low, "high": high, "min": image.min(), "max": image.max(), "mean": image.mean()}
    expected |= {"std": image.std(), "step": np.diff(np.unique(image)).min()}
    assert {key: kept[key] for key in expected} == pytest.approx(expected)


def test_multi_page_tiffs_and_pngs(tmp_path, make, stage, level):
    dataset = make({"a": (noise(2, 24, 32), None)})
    tifffile.imwrite(tmp_path / "files/image/pages.tif", noise(3, 24, 32), photometric="minisblack", metadata=None)
    (tmp_path / "files/image/one.png").write_bytes(imagecodecs.png_encode(noise(24, 32, dtype=np.uint8)))
    assert states(stage(dataset, "ingest")) == {"a": "done", "one": "done", "pages": "done"}
    np.testing.assert_array_equal(level(image_of(dataset, "pages")), noise(3, 24, 32))
    np.testing.assert_array_equal(level(image_of(dataset, "one")), noise(24, 32, dtype=np.uint8))
    facts = {name: image_of(dataset, name).committed().facts for name in ("pages", "one", "a")}
    assert {name: of["axes"] for name, of in facts.items()} == {"pages": "zyx", "one": "yx", "a": "zyx"}
    assert facts["pages"]["spacing"] == {}
    assert facts["a"]["spacing"] == {"z": 1.25, "y": 0.5, "x": 0.5}


def test_slices_in_natural_order_with_their_truth(tmp_path, make, stage, level):
    image, truth = noise(3, 32, 24), squares(3, 32, 24)
    truth[0] = 0
    for kind, pixels in (("image", image), ("truth", truth)):
        for number, plane in zip((2, 9, 10), pixels, strict=True):
            (tmp_path / f"files/{kind}/well").mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(tmp_path / f"files/{kind}/well/p{number}.tif", plane)
    dataset = make({}, {"slices": "z"})
    assert states(stage(dataset, "ingest")) == {"well": "done"}
    np.testing.assert_array_equal(level(image_of(dataset, "well")), image)
    np.testing.assert_array_equal(level(labels_of(dataset, "well", "truth")), truth)


@pytest.mark.parametrize(("foreground", "objects", "background"), [(255, 255, 0), (255, 1, 0), (0, 0, 255)])
def test_a_mask_of_either_polarity_becomes_objects_numbered_through_the_planes(
    make, stage, level, foreground, objects, background
):
    drawn = squares(2, 32, 24)
    mask = np.where(drawn > 0, objects, background).astype(np.uint8)
    dataset = make({"a": (noise(2, 32, 24), mask)}, {"foreground": foreground})
    assert states(stage(dataset, "ingest")) == {"a": "done"}
    found = level(labels_of(dataset, "a", "truth"))
    np.testing.assert_array_equal(found > 0, drawn > 0)
    assert [np.unique(plane).tolist() for plane in found] == [[0, 1, 2], [0, 3, 4]]


@pytest.mark.parametrize("values", [(1, 2, 0), (1, 2, 1)])
def test_a_mask_must_hold_nothing_and_something(make, stage, values):
    truth = np.resize(np.array(values, np.uint8), (32, 24))
    dataset = make({"a": (noise(32, 24), truth)}, {"foreground": 255})
    (outcome,) = stage(dataset, "ingest")
    assert outcome.state == "set aside"
    assert "truth of a read with foreground 255 must hold 0 and one other value, got" in outcome.why


def test_truth_of_another_shape_is_set_aside_until_it_is_mended_and_others_go_on(tmp_path, make, stage):
    good, bad = (noise(2, 32, 24), squares(2, 32, 24)), (noise(2, 32, 24), squares(2, 32, 20))
    dataset = make({"a": good, "bad": bad, "c": good})
    outcomes = stage(dataset, "ingest")
    assert states(outcomes) == {"a": "done", "bad": "set aside", "c": "done"}
    (why,) = [outcome.why for outcome in outcomes if outcome.name == "bad"]
    assert "truth of bad must have the image's shape 2 × 32 × 24 in one channel, got 2 × 32 × 20" in why
    assert stage(dataset, "ingest") == []  # nothing changed: not tried again
    assert plan_of(dataset).statuses["ingest", "bad"].why == why
    assert ("weigh", "bad") not in plan_of(dataset).statuses

    tifffile.imwrite(tmp_path / "files/truth/bad.ome.tif", squares(2, 32, 24), ome=True, metadata={"axes": "ZYX"})
    (outcome,) = stage(dataset, "ingest")
    assert (outcome.state, outcome.why) == ("done", "image, truth")
    assert plan_of(dataset).set_aside() == []


def test_a_file_cut_short_is_set_aside_and_others_go_on(tmp_path, make, stage):
    good = (noise(2, 32, 24), None)
    dataset = make({"a": good, "bad": good, "c": good})
    file = tmp_path / "files/image/bad.ome.tif"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    outcomes = stage(dataset, "ingest")
    assert states(outcomes) == {"a": "done", "bad": "set aside", "c": "done"}
    assert "copy it again from the microscope" in next(o.why for o in outcomes if o.name == "bad")
    file.write_bytes(whole)
    assert states(stage(dataset, "ingest")) == {"bad": "done"}


def edit(dataset, name):
    """A stroke in a viewer: some pixels of the truth change."""
    truth = labels_of(dataset, name, "truth")
    path = truth.attributes()["ome"]["multiscales"][0]["datasets"][0]["path"]
    array = zarr.open_array(f"{truth.folder.url}/{path}", mode="r+")
    array[..., 40:50, 2:12] = 99


def test_truth_edited_by_hand_is_kept_and_makes_weigh_and_train_stale(dataset, stage, level):
    edit(dataset, "a")
    cells = plan_of(dataset).statuses
    assert cells["ingest", "a"].state == "fresh"
    assert (cells["weigh", "a"].state, cells["weigh", "a"].why) == ("stale", "truth changed")
    assert (cells["train", "unet"].state, cells["train", "unet"].why) == ("stale", "after weigh")
    assert cells["weigh", "b"].state == "fresh"
    drawn = level(labels_of(dataset, "a", "truth"))
    stage(dataset, "ingest", force="ingest")
    np.testing.assert_array_equal(level(labels_of(dataset, "a", "truth")), drawn)
    stage(dataset, "weigh")
    assert plan_of(dataset).statuses["train", "unet"].why == "a image changed; a weights changed; b image changed"


def test_an_id_that_is_ignored_from_now_on_is_ignored_in_truth_that_was_edited_too(dataset, stage, level):
    edit(dataset, "a")
    drawn = level(labels_of(dataset, "a", "truth"))
    drawn_id = int(drawn.max())
    (source,) = read_record(dataset).sources
    set_values(dataset, {"sources": [{**vars(source), "ignore": drawn_id}]})
    status = plan_of(dataset).statuses["ingest", "a"]
    assert (status.state, status.why) == ("stale", f"ignore None → {drawn_id}")
    stage(dataset, "ingest")
    stage(dataset, "weigh")
    np.testing.assert_array_equal(level(labels_of(dataset, "a", "truth")), drawn)
    assert sum(weights_of(dataset, "a").committed().facts["ignored"]) == np.count_nonzero(drawn == drawn_id) > 0
    assert {plan_of(dataset).statuses[one, "a"].state for one in ("ingest", "weigh")} == {"fresh"}


def test_truth_that_is_kept_lies_on_its_image_though_that_has_pixels_of_another_size(tmp_path, make, stage):
    dataset = make({"a": (noise(2, 600, 600), squares(2, 600, 600))})
    stage(dataset, "ingest")
    weights, before = recipe_of_weights(dataset), truth_scales(dataset)
    file, said = tmp_path / "files/image/a.ome.tif", {"axes": "ZYX", "PhysicalSizeX": 0.25, "PhysicalSizeY": 0.25}
    tifffile.imwrite(file, noise(2, 600, 600), ome=True, metadata=said | {"PhysicalSizeZ": 2.0})
    assert states(stage(dataset, "ingest")) == {"a": "done"}
    levels = image_of(dataset, "a").attributes()["ome"]["multiscales"][0]
    assert truth_scales(dataset) == [step["coordinateTransformations"][0] for step in levels["datasets"]] != before
    assert labels_of(dataset, "a", "truth").attributes()["ome"]["multiscales"][0]["axes"] == levels["axes"]
    assert recipe_of_weights(dataset) == weights


def recipe_of_weights(dataset):
    return weigh_recipe(dataset, "a", read_record(dataset).weigh)


def truth_scales(dataset):
    (pyramid,) = labels_of(dataset, "a", "truth").attributes()["ome"]["multiscales"]
    return [step["coordinateTransformations"][0] for step in pyramid["datasets"]]


def test_truth_drawn_where_there_was_none_is_taken(tmp_path, make, stage):
    dataset = make({"a": (noise(2, 64, 64), None)})
    stage(dataset, "ingest")
    assert ("weigh", "a") not in plan_of(dataset).statuses
    labels = zarr.open_group(f"{dataset.image('a').url}/labels", mode="a", attributes={"ome": {"labels": ["truth"]}})
    drawn = labels.create_group("truth")
    drawn.create_array("0", data=squares(2, 64, 64))
    axes = [{"name": axis, "type": "space"} for axis in "zyx"]
    scale = [{"type": "scale", "scale": [1.0, 1.0, 1.0]}]
    drawn.attrs["ome"] = {
        "version": "0.5",
        "multiscales": [{"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": scale}]}],
    }
    assert states(stage(dataset, "weigh")) == {"a": "done"}
    assert weights_of(dataset, "a").committed().facts["shape"] == [2, 64, 64]


def test_a_changed_image_is_brought_in_again_and_its_labels_stay(tmp_path, dataset, stage, level):
    truth, segments = (level(labels_of(dataset, "a", labels)) for labels in ("truth", "unet"))
    before = image_of(dataset, "a").committed().generation
    changed = noise(2, 64, 64)
    tifffile.imwrite(tmp_path / "copy/files/image/a.ome.tif", changed, metadata={"axes": "ZYX"}, ome=True)
    assert plan_of(dataset).statuses["ingest", "a"].why == "source changed"
    assert states(stage(dataset, "ingest")) == {"a": "done"}
    np.testing.assert_array_equal(level(image_of(dataset, "a")), changed)
    np.testing.assert_array_equal(level(labels_of(dataset, "a", "truth")), truth)
    np.testing.assert_array_equal(level(labels_of(dataset, "a", "unet")), segments)
    assert not (dataset.image("a") / before).exists()
    assert plan_of(dataset).statuses["weigh", "a"].state == "fresh"  # made of the truth alone


def test_truth_that_no_longer_fits_a_changed_image_is_set_aside(tmp_path, dataset, stage):
    edit(dataset, "a")
    tifffile.imwrite(tmp_path / "copy/files/image/a.ome.tif", noise(3, 64, 64), metadata={"axes": "ZYX"}, ome=True)
    tifffile.imwrite(tmp_path / "copy/files/image/b.ome.tif", noise(3, 64, 64), metadata={"axes": "ZYX"}, ome=True)
    outcomes = stage(dataset, "ingest")
    assert states(outcomes) == {"a": "set aside", "b": "set aside"}
    assert all("must have the image's shape 3 × 64 × 64" in outcome.why for outcome in outcomes)


def test_scenes_have_truth_of_their_own_and_keep_their_names(tmp_path, make, stage, level):
    dataset = make({})
    for kind in ("image", "truth"):
        (tmp_path / f"files/{kind}").mkdir(parents=True)
    with tifffile.TiffWriter(tmp_path / "files/image/two.ome.tif", ome=True) as file:
        file.write(noise(32, 24), metadata={"axes": "YX"})
        file.write(noise(40, 24), metadata={"axes": "YX"})
    tifffile.imwrite(tmp_path / "files/truth/two-s1.tif", squares(40, 24))
    set_values(dataset, {"sources": [{"images": "../files/image", "truth": "../files/truth"}]})
    assert states(stage(dataset, "ingest")) == {"two-s0": "done", "two-s1": "done"}
    np.testing.assert_array_equal(level(image_of(dataset, "two-s1")), noise(40, 24))
    np.testing.assert_array_equal(level(labels_of(dataset, "two-s1", "truth")), squares(40, 24))
    set_values(dataset, {"exclude": ["two-s1"]})
    dataset.image("two-s1").remove()
    assert plan_of(dataset).names() == ["two-s0"]
    assert plan_of(dataset).pending() == []


def grown(path, reads, monkeypatch):
    """As it is opened for the n-th time, somebody writes other pixels into the file."""
    from unet.formats import readers as module

    seen, open_stack = [], module.open_stack

    def opening(files, *how, **more):
        seen.append(files)
        if len(seen) == reads:
            tifffile.imwrite(path, np.full((64, 64), 7, np.uint16), ome=True)
        return open_stack(files, *how, **more)

    monkeypatch.setattr(module, "open_stack", opening)


@pytest.mark.parametrize("kind", ["image", "truth"])
def test_a_file_that_is_written_while_it_is_read_waits_for_the_next_run(make, stage, monkeypatch, kind):
    pixels = np.random.default_rng(0).integers(0, 9, (64, 64)).astype(np.uint16)
    dataset = make({"a": (pixels, pixels)})
    file = Path(dataset.url).parent / f"files/{kind}/a.ome.tif"
    with monkeypatch.context() as during:
        grown(file, 1 if kind == "image" else 2, during)
        (outcome,) = stage(dataset, "ingest")
    assert (outcome.state, outcome.name) == ("waiting", "a")
    assert f"{kind}/a.ome.tif changed while it was read; the next run takes it" in outcome.why
    assert dataset.set_aside("ingest", "a").exists() is False
    result = image_of(dataset, "a") if kind == "image" else labels_of(dataset, "a", "truth")
    assert result.stamp() is None
    assert [name for name in result.folder.names() if name not in ("labels", "zarr.json")] == []  # nothing is left
    tifffile.imwrite(file, pixels)
    (outcome,) = stage(dataset, "ingest")
    assert outcome.state == "done"


@pytest.mark.parametrize("kind", ["image", "truth"])
def test_pixels_of_a_file_that_is_what_it_was_again_are_not_kept(make, stage, level, monkeypatch, kind):
    """A when it was hashed, B while it was read, A when it was hashed again; size and time of change stay."""
    from unet.formats import readers as module

    pixels = np.random.default_rng(0).integers(0, 9, (64, 64)).astype(np.uint16)
    dataset = make({"a": (pixels, pixels)})
    file, open_stack = Path(dataset.url).parent / f"files/{kind}/a.ome.tif", module.open_stack
    before, stat = file.read_bytes(), file.stat()

    @contextmanager
    def opening(files, *how, **more):
        is_it = files == (str(file.resolve()),)
        if is_it:
            file.write_bytes(before.replace(pixels.tobytes(), (pixels + 1).tobytes()))
        with open_stack(files, *how, **more) as opened:
            yield opened
        if is_it:
            file.write_bytes(before)
            os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))

    with monkeypatch.context() as during:
        during.setattr(module, "open_stack", opening)
        (outcome,) = stage(dataset, "ingest")
    assert (outcome.state, file.read_bytes()) == ("waiting", before)
    assert states(stage(dataset, "ingest")) == {"a": "done"}
    np.testing.assert_array_equal(level(image_of(dataset, "a")), pixels)
    np.testing.assert_array_equal(level(labels_of(dataset, "a", "truth")), pixels)


def test_a_note_that_metadata_of_truth_is_damaged_changes_nothing_that_was_drawn(dataset, stage):
    edit(dataset, "a")
    stage(dataset, "ingest")
    truth = labels_of(dataset, "a", "truth")
    before = (truth.folder / "zarr.json").read()
    (truth.folder / "damaged.json").write_json({"zarr.json": "damaged", "../b.ome.zarr": "damaged"})
    assert plan_of(dataset).statuses["ingest", "a"].state == "fresh"
    assert stage(dataset, "ingest") == []
    assert (truth.folder / "zarr.json").read() == before


@pytest.mark.parametrize("was_read", [False, True])
def test_what_was_set_aside_is_not_read_at_each_plan(tmp_path, make, stage, monkeypatch, was_read):
    """A terabyte that is no image is read once, whether or not an image was made of that name before."""
    dataset, file = make({"a": (noise(64, 64), None)}), tmp_path / "files/image/a.ome.tif"
    if was_read:
        stage(dataset, "ingest")
    file.write_bytes(b"no image")
    assert states(stage(dataset, "ingest")) == {"a": "set aside"}
    with monkeypatch.context() as during:
        during.setattr(fingerprint, "_content", lambda *_: pytest.fail("it was read"))
        assert plan_of(dataset).set_aside()[0].name == "a"
    file.write_bytes(b"no image either")
    assert plan_of(dataset).pending("ingest")[0].name == "a"


@pytest.fixture
def of_sets(tmp_path, make):
    """A dataset whose image and truth are three files each, one a plane, and the image's pixels."""
    dataset = make({})
    for kind in ("image", "truth"):
        (tmp_path / f"files/{kind}").mkdir(parents=True)
        pixels = write_set(tmp_path / f"files/{kind}")
    set_values(dataset, {"sources": [{"images": "../files/image", "truth": "../files/truth"}]})
    return dataset, pixels


def other_pixels(file):
    """Other pixels in a TIFF, all else as it was."""
    with tifffile.TiffFile(file) as tif:
        at = tif.pages.first.dataoffsets[0]
    content = file.read_bytes()
    file.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])


@pytest.mark.parametrize(("kind", "labels"), [("image", None), ("truth", "truth")])
def test_each_file_of_a_set_counts(tmp_path, of_sets, stage, level, kind, labels):
    dataset, pixels = of_sets
    assert states(stage(dataset, "ingest")) == {"z0": "done"}
    assert plan_of(dataset).pending("ingest") == []
    other_pixels(tmp_path / f"files/{kind}/z1.ome.tif")
    assert [work.name for work in plan_of(dataset).pending("ingest")] == ["z0"]
    assert states(stage(dataset, "ingest")) == {"z0": "done"}
    found = level(labels_of(dataset, "z0", labels) if labels else image_of(dataset, "z0"))
    assert found[1, 0, 0] == pixels[1, 0, 0] ^ 1
    assert plan_of(dataset).pending("ingest") == []


def test_a_set_is_known_without_opening_its_files_again(of_sets, stage, monkeypatch):
    from unet.formats import readers

    dataset, _ = of_sets
    stage(dataset, "ingest")
    with monkeypatch.context() as during:
        during.setattr(readers, "find_scenes", lambda file: pytest.fail(f"{file} was opened"))
        assert plan_of(dataset).names() == ["z0"]


def test_a_file_that_cannot_be_read_as_it_is_being_written_waits_too(make, stage, monkeypatch):
    from unet.formats import readers as module

    dataset = make({"a": (np.zeros((64, 64), np.uint16), None)})
    file = Path(dataset.url).parent / "files/image/a.ome.tif"

    def half(*_, **__):
        file.write_bytes(file.read_bytes() + b"more")
        raise ValueError("a.ome.tif is not a readable TIFF")

    with monkeypatch.context() as during:
        during.setattr(module, "open_stack", half)
        (outcome,) = stage(dataset, "ingest")
    assert outcome.state == "waiting"
    assert not dataset.set_aside("ingest", "a").exists()


@pytest.mark.usefixtures("small_shards")
def test_planes_of_a_plate_become_an_image_that_says_its_well_and_one_that_lacks_a_plane_is_set_aside(tmp_path, level):
    (tmp_path / "raw").mkdir()
    for well, z, c in product(("B02", "B03"), (1, 2, 3), ("DAPI", "GFP")):
        if (well, z, c) != ("B03", 2, "GFP"):
            tifffile.imwrite(tmp_path / f"raw/P_{well}_f1_z{z}_{c}.tif", np.full((20, 30), 10 * z + len(c), np.uint16))
    dataset = Dataset(str(tmp_path / "dataset"))
    source = Source(str(tmp_path / "raw"), pattern="{name}_{well}_f{field}_z{z}_{c}.tif", pixel_size={"z": 1.5})
    whole, bad = find_stacks([source], tmp_path, find_scenes).stacks
    ingest_stack(dataset, whole, Ingest())
    facts = image_of(dataset, "P-B02-f1").committed().facts
    assert (facts["axes"], facts["shape"], facts["channels"]) == ("czyx", [2, 3, 20, 30], ["DAPI", "GFP"])
    assert (facts["well"], facts["spacing"]["z"]) == (["P", "B", "02", 1], 1.5)
    assert level(image_of(dataset, "P-B02-f1"))[:, :, 0, 0].tolist() == [[14, 24, 34], [13, 23, 33]]
    with pytest.raises(ValueError, match=r"must have all planes, got none for c GFP, z 2 \(P_B03_f1_z2_GFP.tif would"):
        ingest_stack(dataset, bad, Ingest())


@pytest.fixture
def three(make):
    plane = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)
    dataset = make(dict.fromkeys("abc", (plane, None)))
    return dataset, Path(dataset.url).parent / "files/image/b.ome.tif"


def test_a_file_without_rights_is_set_aside_alone_and_taken_once_it_has_them(three, stage, forbid, monkeypatch):
    dataset, file = three
    forbid(file)
    found = stage(dataset, "ingest")
    assert states(found) == {"a": "done", "b": "set aside", "c": "done"}
    (why,) = [outcome.why for outcome in found if outcome.name == "b"]
    assert why == f"{file} must be readable, got: Permission denied; mend the file, its rights or its disk"
    assert stage(dataset, "ingest") == []  # nothing is tried that would fail again
    assert plan_of(dataset).state("ingest", "b") == "set aside"
    monkeypatch.undo()
    assert states(stage(dataset, "ingest")) == {"b": "done"}


def test_a_disk_that_fails_while_a_file_is_read_sets_it_aside_and_each_run_tries_it_again(three, stage, monkeypatch):
    dataset, _ = three
    opened = ingest_tasks.open_found

    @contextmanager
    def failing(stack):
        with opened(stack) as one:
            yield replace(one, plane=lose) if stack.name == "b" else one

    def lose(_):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(ingest_tasks, "open_found", failing)
        for is_old in (False, True):
            found = stage(dataset, "ingest")
            assert states(found)["b"] == "set aside"
            assert [outcome.is_old for outcome in found if outcome.name == "b"] == [is_old]
            status = plan_of(dataset).statuses["ingest", "b"]
            assert (status.state, status.why.endswith("disk; it is tried again")) == ("missing", True)
    assert states(stage(dataset, "ingest")) == {"b": "done"}
    assert not dataset.set_aside("ingest", "b").exists()


@pytest.mark.parametrize("dtype", [np.int64, np.uint64])
def test_whole_numbers_of_64_bits_are_kept(tmp_path, make, stage, level, dtype):
    pixels = noise(64, 64, dtype=dtype) + np.array(2**40, dtype)
    dataset = make({"b": (noise(64, 64), None)})
    tifffile.imwrite(Path(dataset.url).parent / "files/image/a.tif", pixels)
    assert states(stage(dataset, "ingest")) == {"a": "done", "b": "done"}
    np.testing.assert_array_equal(level(image_of(dataset, "a"))[:], pixels)


def test_a_dataset_may_lie_in_a_folder_with_two_colons(tmp_path, stage):
    folder = tmp_path / "plate::1"
    dataset = make_dataset(folder, {"a": (noise(64, 64), squares(64, 64))})
    assert states(stage(dataset, "ingest")) == {"a": "done"}
    assert [outcome.state for outcome in stage(dataset, "weigh")] == ["done"]
    assert (folder / "dataset/images/a.ome.zarr/zarr.json").is_file()
    assert plan_of(dataset).state("weigh", "a") == "fresh"
