"""Laws of what a model has seen: an image is known by its files, by itself and by its grey values, not by its name."""

import numpy as np
import pytest

from tests.conftest import make_dataset, run_stage
from unet.ledger.results import image_of, model_of
from unet.ledger.seen_images import SeenImages, SeenPlanes, image_digests, same_images, seen_images, told_images
from unet.ledger.stamp import Recipe, Stamp


def noise(seed, shape=(3, 32, 32)):
    return np.random.default_rng(seed).integers(0, 4000, shape, dtype=np.uint16)


def ingested(folder, images, **settings):
    dataset = make_dataset(folder, {name: (image, None) for name, image in images.items()}, **settings)
    run_stage(dataset, "ingest")
    return dataset


@pytest.fixture
def images(tmp_path):
    whole = noise(1)
    drawn = {"a": whole, "copy": whole, "flipped": whole[:, ::-1], "part": whole[:2], "other": noise(2)}
    return ingested(tmp_path / "one", drawn)


def test_a_copy_is_told_under_another_name_and_turned_over_and_nothing_else_is(images):
    digests = {name: image_digests(images, name) for name in ("a", "copy", "flipped", "part", "other")}
    alike = {name for name in digests if digests[name] & digests["a"]}
    assert alike == {"a", "copy", "flipped"}
    assert image_digests(images, "none") == frozenset()


def test_an_image_is_told_in_another_dataset_where_other_percentiles_are_taken(images, tmp_path):
    other = ingested(tmp_path / "two", {"a": noise(1), "renamed": noise(1), "b": noise(3)}, ingest__percentile_low=5.0)
    seen = image_digests(images, "a")
    assert image_of(images, "a").committed().identity != image_of(other, "a").committed().identity
    assert {name for name in ("a", "renamed", "b") if image_digests(other, name) & seen} == {"a", "renamed"}
    assert {each.split()[0] for each in image_digests(other, "renamed") & seen} == {"pixels"}


def test_scenes_of_one_file_are_images_of_their_own(images):
    result = image_of(images, "a")
    recipe = result.committed().recipe
    before = image_digests(images, "a")
    result.amend({}, Recipe("ingest", 2, {**recipe.settings, "scene": 1}, recipe.inputs))
    assert {each.split()[0] for each in before - image_digests(images, "a")} == {"source"}


def test_what_is_kept_is_what_is_read(images):
    planes = told_images(images, [{"stack": "a", "start": 0, "stop": 2, "use": "test"}])
    seen = SeenImages(planes, True)
    assert SeenImages.of({"seen": seen.plain()}, None) == seen
    assert seen.of_image(image_digests(images, "copy")) == list(planes)
    assert seen.of_image(image_digests(images, "other")) == []


def stamp(stage, *inputs):
    return Stamp(Recipe(stage, 1, {}, {name: str(at) for at, name in enumerate(inputs, start=1)}), {}, "abc")


SPLIT = [
    {"stack": "a", "start": 0, "stop": 1, "use": "validation"},
    {"stack": "b", "start": 0, "stop": 1, "use": "training"},
]


def test_of_a_model_that_was_made_before_its_recipe_tells():
    seen = SeenImages.of({"split": SPLIT}, stamp("train", "a image", "b image", "a weights"))
    assert seen.is_all
    assert {(each.stack, each.use, *each.digests) for each in seen.planes} == {
        ("a", "validation", "image 1"),
        ("b", "training", "image 2"),
    }
    without_split = SeenImages.of({"came_from": "there"}, stamp("train", "a image"))
    assert without_split.planes == (SeenPlanes("a", 0, None, "training", frozenset({"image 1"})),)


@pytest.mark.parametrize(
    ("metadata", "of"),
    [
        ({}, None),
        ({"came_from": "a.pth"}, stamp("import", "checkpoint")),
        ({}, stamp("train", "a image", "init_from")),
        ({"seen": {"images": [], "is_all": False}}, stamp("train", "a image")),
    ],
)
def test_where_more_may_have_trained_it_that_is_known(metadata, of):
    assert not SeenImages.of(metadata, of).is_all


def test_what_tune_was_given_is_seen_too(images):
    on = SeenImages(told_images(images, [{"stack": "a", "start": 0, "stop": 3, "use": "validation"}])).plain()["images"]
    result = model_of(images, "net")
    result.commit(result.begin(Recipe("import", 1, {}, {}), {}), {"segment": {"tuned_on": on}, "came_from": "x"})
    (planes,) = seen_images(images, "net").planes
    assert (planes.stack, planes.use) == ("a", "validation")


@pytest.mark.parametrize("planes", [[{"stack": "a"}], [7], 7, ["a"]])
def test_damage_is_told(planes):
    with pytest.raises(ValueError, match=r"model.json must say what a model has seen, got"):
        SeenImages.of({"segment": {"tuned_on": planes}}, None)
    assert SeenImages.of({"segment": planes}, None) == SeenImages()


def planes(stack, use, *digests):
    return SeenPlanes(stack, 0, 1, use, frozenset(digests))


def test_one_image_under_two_names_is_told_where_one_trains():
    found = same_images(
        [
            planes("a", "training", "image 1", "pixels 7"),
            planes("b", "test", "image 2", "pixels 7"),
            planes("c", "training", "image 3", "pixels 8"),
            planes("d", "training", "image 4", "pixels 8"),
            planes("e", "validation", "image 5", "pixels 9"),
            planes("e", "training", "image 5", "pixels 9"),
        ]
    )
    assert found == ["a, b hold the same image, of which some planes train the model and others are kept out"]
