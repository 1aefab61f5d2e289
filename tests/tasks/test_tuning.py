"""Laws of where the settings of segment are found: evenly over what validates, from the same scores as on disk."""

import numpy as np
import pytest
import tifffile
import torch

from tasks.tools.tune import tune
from tasks.training_planes import View, planes_by_subset
from tasks.tuning import Block, blocks_of, found_by_training, in_words, scored_blocks, stored_scores
from tests.conftest import QUICK
from unet.dataset.record_file import set_values
from unet.images.synthetic import draw_stack
from unet.images.windows import Window
from unet.labels.class_of_ids import ClassOfIds, read_classes
from unet.labels.scores import own_scores
from unet.ledger.class_settings import segmented_classes
from unet.ledger.found_settings import found_with
from unet.ledger.results import labels_of, model_of, scores_of
from unet.network.model_files import load
from unet.settings.segment import AUTOMATIC, Segment
from unet.training.found_objects import Objects
from unet.training.split import PlaneRange
from unet.training.tuning import find_settings

EVERYTHING = 2**40


def pixels_of(blocks):
    """How often each pixel of each plane is looked at."""
    seen = {}
    for block in blocks:
        for number in block.planes:
            plane = seen.setdefault((block.stack, number), np.zeros((64, 64), int))
            plane[block.window.slices] += 1
    return seen


@pytest.mark.parametrize("dimensions", [2, 3])
def test_blocks_tile_all_planes_of_the_parts(dataset, monkeypatch, dimensions):
    monkeypatch.setattr("tasks.tuning.SIDE", 48)
    monkeypatch.setattr("tasks.tuning.SOLID_SIDE", 40)
    parts = [PlaneRange("a", 0, 2, "validation"), PlaneRange("b", 1, 2, "validation")]
    blocks = blocks_of(dataset, parts, Segment(dimensions=dimensions), EVERYTHING)
    seen = pixels_of(blocks)
    assert set(seen) == {("a", 0), ("a", 1), ("b", 1)}
    assert all((plane == 1).all() for plane in seen.values())
    assert {len(block.planes) for block in blocks} == ({1} if dimensions == 2 else {1, 2})


def test_too_many_are_thinned_evenly(dataset, monkeypatch):
    monkeypatch.setattr("tasks.tuning.SIDE", 16)
    parts = [PlaneRange("a", 0, 2, "validation")]
    few = blocks_of(dataset, parts, Segment(), 64 * 64 // 2)
    assert sum(block.pixels for block in few) == 64 * 64 // 2
    assert {number for block in few for number in block.planes} == {0, 1}


def test_blocks_of_linked_planes_end_with_their_frame(make, stage):
    image = np.random.default_rng(0).integers(0, 99, (3, 5, 32, 32)).astype(np.uint16)
    dataset = make({"a": (image, None)})
    stage(dataset, "ingest")
    blocks = blocks_of(dataset, [PlaneRange("a", 2, 13, "training")], Segment(dimensions=3), EVERYTHING)
    assert [block.planes for block in blocks] == [range(2, 5), range(5, 10), range(10, 13)]


def test_training_finds_what_the_scores_on_disk_give(dataset):
    found = found_with(dataset, "unet")
    assert found["part"] == "validation"
    assert found["n"] == 2
    blocks = blocks_of(dataset, [PlaneRange("b", 0, 2, "validation")], Segment(), EVERYTHING)
    again = find_settings(list(scored_blocks(dataset, blocks, stored_scores(dataset, "unet", Segment()))), Segment())
    assert {name: found[name] for name in AUTOMATIC} == {name: getattr(again.best, name) for name in AUTOMATIC}
    assert found["value"] == pytest.approx(again.best.value, abs=1e-4)
    assert found["value"] >= found["at_default"]
    assert f"({found['metric']} {found['value']:.3f}" in in_words(found)


def test_where_nothing_validates_the_training_part_is_taken_and_said(dataset):
    model = load(dataset, "unet")
    parts = [PlaneRange("a", 0, 2, "training")]
    planes = planes_by_subset(dataset, parts, View(model.channels, model.normalisation), 1.0)
    found = found_by_training(dataset, parts, planes, model.network, torch.device("cpu"))
    assert found["part"] == "training"


def without_objects(path):
    tifffile.imwrite(path, np.zeros_like(tifffile.imread(path)), ome=True, metadata={"axes": "ZYX"})


def test_where_no_object_validates_the_training_part_is_taken_too(tmp_path, dataset, stage):
    without_objects(tmp_path / "copy/files/truth/b.ome.tif")
    set_values(dataset, {"train.steps": 1})
    assert {outcome.state for outcome in stage.all(dataset, until="segment")} == {"done"}
    found = found_with(dataset, "unet")
    assert (found["part"], found["n"]) == ("training", 2)
    again = tune(dataset, "unet", ["a", "b"], ["a", "b"], Segment()).found
    assert (again["part"], again["n"]) == ("training", 2)


def test_without_an_object_nothing_is_found(tmp_path, dataset, stage):
    without_objects(tmp_path / "copy/files/truth/a.ome.tif")
    without_objects(tmp_path / "copy/files/truth/b.ome.tif")
    stage(dataset, "ingest")
    model, parts = load(dataset, "unet"), [PlaneRange("a", 0, 2, "training"), PlaneRange("b", 0, 2, "validation")]
    planes = planes_by_subset(dataset, parts, View(model.channels, model.normalisation), 1.0)
    assert found_by_training(dataset, parts, planes, model.network, torch.device("cpu")) is None
    with pytest.raises(LookupError, match="truth that unet is made of must hold at least one object, got none"):
        tune(dataset, "unet", ["a", "b"], ["a", "b"], Segment())


def test_linked_planes_are_read_as_one_block(dataset):
    settings, block = Segment(dimensions=3), Block("b", range(2), Window(0, 0, 64, 40), True)
    (solid,) = scored_blocks(dataset, [block], stored_scores(dataset, "unet", settings))
    assert solid.scores.shape == solid.truth.shape == (2, 64, 40)
    assert solid.spacing == (2.5, 1.0, 1.0)
    flat = [Block("b", range(n, n + 1), Window(0, 0, 64, 40), False) for n in range(2)]
    planes = list(scored_blocks(dataset, flat, stored_scores(dataset, "unet", Segment())))
    np.testing.assert_array_equal(solid.scores, [plane.scores for plane in planes])
    np.testing.assert_array_equal(solid.truth, [plane.truth for plane in planes])


def test_ignored_pixels_are_not_judged(make, stage):
    image, truth = draw_stack(planes=2, side=64, seed=1)
    truth = truth.astype(np.uint16)
    truth[:, :20] = 999
    dataset = make({"a": (image, truth)}, {"ignore": 999})
    stage(dataset, "ingest")
    (one,) = scored_blocks(
        dataset, [Block("a", range(1), Window(0, 0, 64, 64), False)], lambda _: np.zeros((1, 1, 64, 64))
    )
    np.testing.assert_array_equal(one.judged, truth[0] != 999)
    assert one.truth.max() < 999
    assert not one.is_mask


def test_a_mask_is_known_as_one(make, stage):
    image, truth = draw_stack(planes=1, side=64, seed=1)
    dataset = make({"a": (image, ((truth > 0) * 255).astype(np.uint8))}, {"foreground": 255})
    stage(dataset, "ingest")
    block = Block("a", range(1), Window(0, 0, 64, 64), False)
    (one,) = scored_blocks(dataset, [block], lambda _: np.zeros((1, 1, 64, 64)))
    assert one.is_mask


def test_what_was_found_is_no_part_of_what_makes_scores_stale(dataset):
    assert "segment" not in model_of(dataset, "unet").committed().recipe.settings
    assert scores_of(dataset, "unet", "a").committed().recipe.inputs["model"] == (
        model_of(dataset, "unet").committed().identity
    )
    assert (
        labels_of(dataset, "a", "unet").committed().recipe.settings["threshold"]
        == (found_with(dataset, "unet")["threshold"])
    )


# Classes


NAMES = ("dim", "lit")


@pytest.fixture
def classed(make_classed, stage):
    """A dataset of dim and lit cells, scored."""
    stacks = {}
    for name, seed in (("a", 1), ("b", 2)):
        image, truth = draw_stack(planes=2, side=64, seed=seed)
        told = {int(each): NAMES[int(each) % 2] for each in np.unique(truth[truth > 0])}
        lit = np.isin(truth, [each for each, of in told.items() if of == "lit"])
        stacks[name] = np.where(lit, image * 3, image).astype(np.uint16), truth, told
    quick = {key.replace(".", "__"): value for key, value in {**QUICK, "train.steps": 200}.items()}
    dataset = make_classed(stacks, NAMES, **quick)
    assert {outcome.state for outcome in stage.all(dataset, until="predict")} == {"done"}
    return dataset


def test_settings_are_found_for_each_class_by_its_own_scores_and_truth(classed):
    found, settings = found_with(classed, "unet"), Segment()
    read = stored_scores(classed, "unet", settings)
    blocks = blocks_of(classed, [PlaneRange("b", 0, 2, "validation")], settings, EVERYTHING)
    assert set(found["by_class"]) == set(NAMES)
    for number, name in enumerate(NAMES, 1):
        one = list(scored_blocks(classed, blocks, read, Objects(NAMES, number, (1, 2))))
        for block, scored in zip(blocks, one, strict=True):
            own = own_scores(read(block))[number - 1][0]
            np.testing.assert_array_equal(scored.scores, own)
            known = read_classes(labels_of(classed, "b", "truth")).of(scored.truth)
            assert set(np.unique(known)) <= {0, number}
        again = find_settings(one, settings)
        kept = found["by_class"][name]
        assert {each: kept[each] for each in AUTOMATIC} == {each: getattr(again.best, each) for each in AUTOMATIC}
        numbers = segmented_classes(classed, "unet", settings).by_class[name]
        assert {each: getattr(numbers, each) for each in AUTOMATIC} == {each: kept[each] for each in AUTOMATIC}


def test_tune_finds_each_class_again_and_says_what_it_was(classed):
    before = found_with(classed, "unet")
    tuned = tune(classed, "unet", ["a", "b"], ["a", "b"], Segment())
    assert set(tuned.found["by_class"]) == set(tuned.before["by_class"]) == set(NAMES)
    for name in NAMES:
        assert tuned.found["by_class"][name]["value"] == pytest.approx(before["by_class"][name]["value"], abs=0.01)
        assert tuned.before["by_class"][name]["threshold"] == before["by_class"][name]["threshold"]


def test_tune_looks_for_what_is_segmented_chosen_classes_or_all_as_one(classed):
    one = tune(classed, "unet", ["a", "b"], ["a", "b"], Segment(classes=("lit",), threshold={"lit": 0.4}))
    assert set(one.found["by_class"]) == {"lit"}
    assert one.before["by_class"]["lit"]["threshold"] == 0.4
    mixed = tune(classed, "unet", ["a", "b"], ["a", "b"], Segment(mix_classes=True))
    assert "by_class" not in mixed.found
    assert set(mixed.before) == {*AUTOMATIC, "value", "size_ratio"}
    with pytest.raises(ValueError, match=r"among the classes that unet has learnt, 1 \(dim\), 2 \(lit\), got dark"):
        tune(classed, "unet", ["a", "b"], ["a", "b"], Segment(classes=("dark",)))


def test_a_class_without_an_object_where_it_validates_is_found_where_it_trains(classed):
    truth = labels_of(classed, "b", "truth")
    file = truth.folder / truth.committed().generation / "classes.json"
    known = ClassOfIds.of_plain(file.read_json())
    file.write_json(ClassOfIds(known.names, known.ids, np.ones_like(known.classes)).plain())
    found = tune(classed, "unet", ["a", "b"], ["a", "b"], Segment()).found["by_class"]
    assert {name: each["part"] for name, each in found.items()} == {"dim": "validation", "lit": "training"}
