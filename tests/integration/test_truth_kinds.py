"""Truth as people have it, from `init` to what is weighed: three objects, however they were saved, are one truth."""

import json
import zipfile

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image
from roifile import ImagejRoi

from flows.commands.init import initialise
from flows.planning.plan import make_plan
from tests.drawn_masks import BOXES, LAST, corners, drawn, save_png
from unet.dataset.folder import Dataset
from unet.dataset.record_file import read_record, set_values
from unet.ledger.results import image_of, labels_of, weights_of


def save_palette(path, values):
    image = Image.frombytes("P", values.shape[::-1], values.tobytes())
    image.putpalette([200, 200, 200, 255, 0, 0, 0, 255, 0, 0, 0, 255])
    image.save(path)


def save_rois(path):
    with zipfile.ZipFile(path, "w") as archive:
        for number, box in enumerate(BOXES):
            archive.writestr(f"{number}.roi", ImagejRoi.frompoints(corners(box)).tobytes())


def save_geojson(path):
    features = [{"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [corners(box)]}} for box in BOXES]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))


SAVED = {
    "a_mask.tif": lambda path: tifffile.imwrite(path, drawn().astype(np.float32)),
    "a_masks.tif": lambda path: tifffile.imwrite(path, drawn().astype(np.int16)),
    "a_cp_masks.png": lambda path: save_png(path, drawn()),
    "a_label.png": lambda path: save_png(path, np.stack([drawn()] * 3, -1)),
    "a_seg.png": lambda path: save_palette(path, drawn()),
    "a_RoiSet.zip": save_rois,
    "a.geojson": save_geojson,
}


@pytest.fixture
def image(tmp_path):
    (tmp_path / "raw").mkdir()
    noise = np.random.default_rng(0).integers(0, 100, (48, 40)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "raw/a.tif", noise)
    return tmp_path / "raw"


def started(folder, stage, **given):
    """A dataset after `init` and ingest, and what `init` said."""
    dataset = Dataset(str(folder / "dataset"))
    said = list(initialise(dataset, {"images": str(folder / "raw"), **given}))
    (outcome,) = stage(dataset, "ingest")
    return dataset, said, outcome


@pytest.mark.parametrize("beside", [True, False])
@pytest.mark.parametrize("name", SAVED)
def test_every_kind_of_file_is_the_same_truth(image, stage, level, name, beside):
    folder = image if beside else image.parent / "truth"
    folder.mkdir(exist_ok=True)
    SAVED[name](folder / name)
    suffix = name.partition(".")[0].removeprefix("a") if name not in ("a_RoiSet.zip", "a.geojson") else None
    dataset, said, outcome = started(image.parent, stage, truth=str(folder), suffix=suffix)
    assert said[0].endswith("raw, 1 with truth")
    assert "truth is read with foreground ids: 12% of the first plane is object" in said
    assert (outcome.state, outcome.why) == ("done", "image, truth")
    np.testing.assert_array_equal(level(labels_of(dataset, "a", "truth")), drawn())
    plan = make_plan(dataset, read_record(dataset))
    assert (plan.pending("ingest"), plan.notes) == ([], ())
    assert stage(dataset, "ingest") == []


def test_a_suffix_is_asked_for_and_never_taken_by_itself(image, stage):
    SAVED["a_cp_masks.png"](image / "a_cp_masks.png")
    dataset = Dataset(str(image.parent / "dataset"))
    given = {"images": str(image)}
    offer = "1 of 1 images have truth by suffix `_cp_masks`; say `--suffix _cp_masks`"
    assert f"note: {offer}" in list(initialise(dataset, given))
    assert read_record(dataset).sources[0].suffix is None
    asked = []
    lines = list(initialise(dataset, given, lambda words: asked.append(words) or False))
    assert lines[0].startswith("2 stacks")
    assert asked == [f"{offer}. Is that truth?"]
    lines = list(initialise(dataset, given, lambda words: True))
    assert lines[0] == f"1 stack in {image}, 1 with truth"
    assert read_record(dataset).sources[0].suffix == "_cp_masks"
    (outcome,) = stage(dataset, "ingest")
    assert outcome.why == "image, truth"


def test_outlines_on_the_planes_of_a_stack_with_channels(image, stage, level):
    stack = np.random.default_rng(0).integers(0, 100, (3, 2, 48, 40)).astype(np.uint16)
    tifffile.imwrite(image / "a.tif", stack, imagej=True, metadata={"axes": "ZCYX"})
    made = [ImagejRoi.frompoints(corners(box)) for box in BOXES]
    for z, roi in enumerate(made, 1):
        roi.z_position = z
    with zipfile.ZipFile(image / "RoiSet_a.zip", "w") as archive:
        for number, roi in enumerate(made):
            archive.writestr(f"{number}.roi", roi.tobytes())
    dataset, _, _ = started(image.parent, stage, truth=str(image))
    found = level(labels_of(dataset, "a", "truth"))
    np.testing.assert_array_equal(found, np.stack([drawn() * (drawn() == z) for z in (1, 2, 3)]))
    assert image_of(dataset, "a").committed().facts["axes"] == "czyx"


def test_slices_have_outlines_a_file_each(tmp_path, stage, level):
    for z, box in enumerate(BOXES):
        for kind in ("raw", "truth"):
            (tmp_path / kind / "a").mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(tmp_path / f"raw/a/{z}.tif", np.full((48, 40), z, np.uint8))
        (tmp_path / f"truth/a/{z}.roi").write_bytes(ImagejRoi.frompoints(corners(box)).tobytes())
    dataset, _, _ = started(tmp_path, stage, truth=str(tmp_path / "truth"), slices="z")
    found = level(labels_of(dataset, "a", "truth"))
    np.testing.assert_array_equal(found, np.stack([drawn() * (drawn() == z) for z in (1, 2, 3)]))


def test_planes_that_nobody_drew_on_train_nothing_where_the_source_says_so(image, stage, level):
    tifffile.imwrite(image / "a.tif", np.zeros((3, 48, 40), np.uint8), photometric="minisblack")
    values = np.stack([drawn() * 0, drawn(), drawn() * 0])
    tifffile.imwrite(image / "a_mask.tif", values, photometric="minisblack")
    dataset, _, _ = started(image.parent, stage, suffix="_mask")
    before = labels_of(dataset, "a", "truth").committed().recipe
    (source,) = read_record(dataset).sources
    set_values(dataset, {"sources": [{**vars(source), "empty_planes": "ignore"}]})
    assert make_plan(dataset, read_record(dataset)).statuses["ingest", "a"].why == "empty_planes None → ignore"
    stage(dataset, "ingest")
    found = level(labels_of(dataset, "a", "truth"))
    np.testing.assert_array_equal(found, np.where(np.arange(3)[:, None, None] == 1, drawn(), np.uint32(LAST)))
    note = "a: planes of truth without an object are ignored, as its source says: z 0, z 2"
    assert note in make_plan(dataset, read_record(dataset)).notes
    assert "empty_planes" not in before.settings
    stage(dataset, "weigh")
    facts = weights_of(dataset, "a").committed().facts
    assert facts["ignored"] == [48 * 40, 0, 48 * 40]
    assert facts["truth"]["empty"]["count"] == 0


@pytest.mark.parametrize(
    ("name", "save", "says"),
    [
        (
            "a_mask.png",
            lambda path: save_png(path, np.stack([drawn(), drawn() * 0, drawn()], -1)),
            "got the colour (1, 0, 1)",
        ),
        ("a_mask.tif", lambda path: tifffile.imwrite(path, drawn() * 0.5), "must hold whole numbers, got 0.5"),
        (
            "a_mask.jpg",
            lambda path: path.write_bytes(imagecodecs.jpeg8_encode(drawn())),
            "that keeps its ids, got a JPEG",
        ),
        ("a.geojson", lambda path: path.write_text("{"), "is no readable file of outlines"),
    ],
)
def test_what_is_no_truth_is_set_aside_with_its_reason(image, stage, name, save, says):
    save(image / name)
    _, said, outcome = started(image.parent, stage, truth=str(image), suffix="_mask" if "_" in name else None)
    assert any(says in line and line.endswith("; it will be set aside") for line in said)
    assert outcome.state == "set aside"
    assert says in outcome.why
