"""Laws of parts: what trained a model is never called unseen, whatever its name is here; what is new is said to be."""

from dataclasses import asdict

import numpy as np
import pytest

from tasks.reporting.scored_parts import parts_of, scored_parts
from tests.conftest import make_dataset, run_stage
from unet.ledger.results import image_of, model_of
from unet.ledger.seen_images import SeenImages, told_images
from unet.ledger.stamp import Recipe
from unet.training import stack_extents
from unet.training.split import PlaneRange


def noise(seed, planes=3):
    return np.random.default_rng(seed).integers(0, 4000, (planes, 32, 32), dtype=np.uint16)


def ingested(folder, **images):
    dataset = make_dataset(folder, {name: (image, None) for name, image in images.items()})
    run_stage(dataset, "ingest")
    return dataset


@pytest.fixture
def dataset(tmp_path):
    return ingested(tmp_path, a=noise(1), b=noise(2), c=noise(3), a2=noise(1), long=noise(4, 13))


def put_model(dataset, *split, recipe=None, seen=True, is_all=True, **more):
    """A model of this split, as training or `import` would leave it; without a network."""
    result = model_of(dataset, "net")
    parts = [asdict(PlaneRange(*part)) for part in split]
    told = {"seen": SeenImages(told_images(dataset, parts), is_all).plain()} if seen else {}
    result.commit(result.begin(recipe or Recipe("train", 1, {}, {}), {}), {"split": parts, **told, **more})


def bring_in(dataset, source, **more):
    """The same model in another dataset."""
    metadata, stamp = (getattr(model_of(source, "net"), of)() for of in ("attributes", "committed"))
    kept = {key: value for key, value in metadata.items() if key not in ("unet-flows", "split")}
    result = model_of(dataset, "net")
    result.commit(result.begin(stamp.recipe, {}), {**kept, "came_from": "there", **more})


def words(dataset, names):
    """Parts as tuples, and what is said."""
    found = scored_parts(dataset, names, "net")
    return [(part.stack, part.start, part.stop, part.use) for part in found.parts], found.overlaps


def test_truth_that_came_after_training_is_new(dataset):
    put_model(dataset, ("a", 0, 3, "training"), ("b", 0, 3, "test"))
    parts, said = words(dataset, ["a", "b", "c"])
    assert parts == [("a", 0, 3, "training"), ("b", 0, 3, "test"), ("c", 0, 3, "new")]
    assert said == []


def test_a_copy_of_what_trained_is_no_validation_whatever_it_is_called(dataset):
    put_model(dataset, ("a", 0, 3, "training"), ("a2", 0, 3, "validation"), ("b", 0, 3, "validation"))
    parts, said = words(dataset, ["a", "a2", "b"])
    assert parts == [("a", 0, 3, "training"), ("a2", 0, 3, "training"), ("b", 0, 3, "validation")]
    assert said == ["Training of net saw the images of a2 (there a): their planes that it saw are scored as training."]


def test_a_model_that_was_brought_in_to_its_own_training_images(dataset, tmp_path):
    put_model(dataset, ("a", 0, 2, "training"), ("a", 2, 3, "validation"), ("b", 0, 3, "test"))
    other = ingested(tmp_path / "other", renamed=noise(1), b=noise(2), c=noise(3), a=noise(9))
    bring_in(other, dataset)
    parts, said = words(other, ["renamed", "b", "c", "a"])
    assert parts == [
        ("renamed", 0, 2, "training"),
        ("renamed", 2, 3, "validation"),
        ("b", 0, 3, "test"),
        ("c", 0, 3, "new"),
        ("a", 0, 3, "new"),
    ]
    assert said == [
        "Training of net saw the images of renamed (there a): their planes that it saw are scored as training.",
        "net was tested where it was trained on the images of b: they neither trained it nor chose anything.",
        "Other images of the names a trained net: they are scored as new; if these are the same ones, cut, filtered or "
        "longer since, their figures flatter it.",
    ]


def test_a_model_that_was_brought_in_before_digests_were_kept(dataset):
    """Its recipe names the images; which of them validated it nobody knows any more."""
    recipe = Recipe("train", 1, {}, {"x image": image_of(dataset, "a").committed().identity, "x weights": "1"})
    put_model(dataset, recipe=recipe, seen=False, came_from="there")
    parts, said = words(dataset, ["a", "a2", "b"])
    assert parts == [("a", 0, 3, "training"), ("a2", 0, 3, "new"), ("b", 0, 3, "new")]
    assert any("a (there x)" in line for line in said)


def test_a_checkpoint_of_strangers_is_never_said_not_to_have_seen_these(dataset):
    put_model(dataset, recipe=Recipe("import", 1, {}, {"checkpoint": "1"}), seen=False, came_from="/data/net.pth")
    parts, said = words(dataset, ["a", "b"])
    assert parts == [("a", 0, 3, "new"), ("b", 0, 3, "new")]
    assert said == ["Whether training saw these planes is not known: net was brought in from /data/net.pth."]


def test_a_model_that_began_with_a_stranger_says_so(dataset):
    put_model(dataset, ("a", 0, 3, "training"), ("b", 0, 3, "validation"), is_all=False)
    assert (
        "Whether training saw more of these planes is not known: net began with a model that"
        in words(dataset, ["a", "b"])[1][0]
    )


def test_what_the_model_it_began_with_saw_trained_it_too(dataset):
    start = told_images(dataset, [asdict(PlaneRange("b", 0, 3, "training"))])
    own = [PlaneRange("a", 0, 3, "training"), PlaneRange("b", 0, 3, "validation")]
    put_model(dataset, *(vars(part).values() for part in own))
    seen = SeenImages((*told_images(dataset, map(asdict, own)), *start), True)
    model_of(dataset, "net").amend({}, more={"seen": seen.plain()})
    assert words(dataset, ["b"])[0] == [("b", 0, 3, "training")]


def test_new_planes_of_a_stack_that_grew_are_new_after_a_gap(dataset):
    put_model(dataset, ("long", 0, 7, "training"), ("long", 7, 8, "gap"), ("long", 8, 10, "validation"))
    parts, said = words(dataset, ["long"])
    assert parts == [("long", 0, 7, "training"), ("long", 8, 10, "validation"), ("long", 11, 13, "new")]
    assert said == []


def test_blocks_that_touch_are_told(dataset):
    put_model(dataset, ("long", 0, 11, "training"), ("long", 11, 13, "validation"))
    parts, said = words(dataset, ["long"])
    assert parts == [("long", 0, 11, "training"), ("long", 11, 13, "validation")]
    assert said[0].startswith("Blocks that train and blocks that are kept out touch in long: neighbouring planes are")


def test_what_settings_were_tuned_on_validates(dataset):
    put_model(dataset, recipe=Recipe("import", 1, {}, {"checkpoint": "1"}), seen=False, came_from="/data/net.pth")
    tuned = SeenImages(told_images(dataset, [asdict(PlaneRange("a", 0, 3, "validation"))])).plain()["images"]
    model_of(dataset, "net").amend({}, more={"segment": {"tuned_on": tuned}})
    assert parts_of(dataset, ["a", "b"], "net") == [PlaneRange("a", 0, 3, "validation"), PlaneRange("b", 0, 3, "new")]


def test_a_gap_that_is_narrower_than_what_weights_reach_is_told(dataset, monkeypatch):
    monkeypatch.setattr(stack_extents, "_reach", lambda *_: 4)
    put_model(dataset, ("long", 0, 8, "training"), ("long", 8, 10, "gap"), ("long", 10, 13, "test"))
    (said,) = words(dataset, ["long"])[1]
    assert said.startswith(
        "Blocks that train and blocks that are kept out lie 2 planes apart in long, where weights reach 4:"
    )
