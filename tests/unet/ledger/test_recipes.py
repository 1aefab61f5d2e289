"""Laws of recipes: what changes a result is in its recipe, what does not is not, and no field can be forgotten."""

import json
from dataclasses import asdict, fields, is_dataclass, replace
from typing import Literal, get_args, get_origin, get_type_hints

import numpy as np
import pytest
import zarr

from unet.dataset.folder import Dataset
from unet.ledger import fingerprint, recipes, truth_state
from unet.ledger.results import image_of, labels_of, model_of, scores_of, weights_of
from unet.ledger.stamp import Recipe
from unet.settings.evaluate import Evaluate
from unet.settings.ingest import Ingest
from unet.settings.predict import Predict
from unet.settings.segment import Segment
from unet.settings.train import Train
from unet.settings.weigh import Weigh
from unet.sources.stacks import Stack
from unet.store import ome
from unet.store.arrays import create
from unet.store.shards import Level, plane_layout

PLAN_ONLY = {
    Weigh: {"preset"},
    Train: {"preset", "name", "device", "devices", "precision", "compile", "memory_gb", "checkpoint_every"},
    Predict: {"model", "device", "max_tile", "memory_gb", "precision", "max_pixel_size_ratio", "keep_scores"},
}
"""What may be set otherwise without making anything stale; all else makes stale."""


@pytest.fixture
def dataset(tmp_path):
    return Dataset(str(tmp_path / "dataset"))


@pytest.fixture
def stack(tmp_path):
    for name in ("a.tif", "truth.tif"):
        (tmp_path / name).write_bytes(name.encode())
    return Stack("a", (str(tmp_path / "a.tif"),), None, None, (str(tmp_path / "truth.tif"),), "ids")


@pytest.fixture
def recipe_of(dataset, stack):
    """The recipe of each stage by its settings' class."""
    return {
        Ingest: lambda settings: recipes.image_recipe(dataset, stack, settings),
        Weigh: lambda settings: recipes.weigh_recipe(dataset, "a", settings),
        Train: lambda settings: recipes.train_recipe(dataset, settings, ["a"]),
        Predict: lambda settings: recipes.predict_recipe(dataset, "unet", "a", settings),
        Segment: lambda settings: recipes.segment_recipe(dataset, "unet", "a", settings),
        Evaluate: lambda settings: recipes.evaluate_recipe(dataset, "unet", ["a"], settings),
    }


def others(value, kind):
    """Values a setting could have instead; of a record, one for each of its fields."""
    match value:
        case _ if is_dataclass(value):
            found = [changed for _, changed in variants(value)]
        case _ if get_origin(kind) is Literal:
            found = [choice for choice in get_args(kind) if choice != value][:1]
        case bool():
            found = [not value]
        case int():
            found = [2 * value or 2]
        case float():
            found = [(value + 1) / 2 if value > 1 else value / 2 or 0.25]  # factors stay above 1
        case "auto" if tuple[float, float] in get_args(kind):
            found = ["stack", (100.0, 900.0)]
        case "auto":
            found = [("det",) if tuple[str, ...] in get_args(kind) else 0.25 if float in get_args(kind) else 7]
        case str():
            found = [f"{value}x"]
        case None:
            some = {
                str: "x",
                int: 64,
                float: 0.75,
                tuple[float, ...]: (0.5, 2.0),
                tuple[int | str, ...]: (2,),
                tuple[str, ...]: ("x",),
            }
            found = [next(other for form, other in some.items() if form in get_args(kind))]
        case _:
            raise AssertionError(f"say here how {value!r} could be set otherwise")
    return found


def variants(record):
    """Name of each field of a record, with records in which it alone is set otherwise."""
    kinds = get_type_hints(type(record))
    for field in fields(record):
        possible = others(getattr(record, field.name), kinds[field.name])
        for other in possible:
            yield field.name, replace(record, **{field.name: other})
        assert possible or len(get_args(kinds[field.name])) == 1, field.name


@pytest.mark.parametrize("record", [Ingest(), Weigh(), Train(), Predict(), Segment(), Evaluate()], ids=repr)
def test_every_setting_makes_stale_but_those_of_the_plan(record, recipe_of):
    before = recipe_of[type(record)](record)
    tried = set()
    for name, changed in variants(record):
        tried.add(name)
        expected = name not in PLAN_ONLY.get(type(record), ()) and name != "mix_classes"  # there is one class alone
        assert (recipe_of[type(record)](changed) != before) == expected, (name, changed)
    assert tried == {field.name for field in fields(record)}


@pytest.mark.parametrize("record", [Ingest(), Weigh(), Train(), Predict(), Segment(), Evaluate()], ids=repr)
def test_a_new_version_makes_stale(record, recipe_of, monkeypatch):
    before = recipe_of[type(record)](record)
    monkeypatch.setattr(type(record), "VERSION", 99)
    after = recipe_of[type(record)](record)
    assert before.changes(after) == [f"{after.stage} is version 99, was {before.version}"]


@pytest.mark.parametrize("record", [Ingest(), Weigh(), Train(validation=("a",)), Predict(), Segment(), Evaluate()])
def test_a_recipe_on_a_card_is_the_recipe(record, recipe_of):
    recipe = recipe_of[type(record)](record)
    assert Recipe(**json.loads(json.dumps(asdict(recipe)))) == recipe


def test_stages_have_recipes_of_their_own(recipe_of):
    stages = [make(kind()).stage for kind, make in recipe_of.items()]
    assert stages == ["ingest", "weigh", "train", "predict", "segment", "evaluate"]


@pytest.mark.parametrize(("name", "other"), [("scene", 1), ("axis", "z")])
def test_how_a_stack_lies_in_its_files_makes_its_image_stale(name, other, dataset, stack):
    before = recipes.image_recipe(dataset, stack, Ingest())
    assert recipes.image_recipe(dataset, replace(stack, **{name: other}), Ingest()) != before
    assert recipes.image_recipe(dataset, replace(stack, name="b", truth=(), foreground=0), Ingest()) == before


@pytest.mark.parametrize(("name", "other"), [("scene", 1), ("axis", "z"), ("foreground", 255)])
def test_how_truth_is_read_makes_it_stale(name, other, dataset, stack):
    before = recipes.truth_recipe(dataset, stack)
    assert recipes.truth_recipe(dataset, replace(stack, **{name: other})) != before


def test_a_source_that_changed_makes_its_image_stale(dataset, stack, tmp_path):
    before = recipes.image_recipe(dataset, stack, Ingest())
    (tmp_path / "a.tif").write_bytes(b"longer than before")
    assert before.changes(recipes.image_recipe(dataset, stack, Ingest())) == ["source changed"]
    (tmp_path / "a.tif").write_bytes(b"a.tif")
    assert recipes.image_recipe(dataset, stack, Ingest()) == before


@pytest.mark.parametrize(
    ("result", "kinds"),
    [
        (lambda d: image_of(d, "a"), {Train, Predict, Segment}),
        (lambda d: weights_of(d, "a"), {Train}),
        (lambda d: model_of(d, "unet"), {Predict, Evaluate}),
        (lambda d: scores_of(d, "unet", "a"), {Segment}),
        (lambda d: labels_of(d, "a", "unet"), {Evaluate}),
    ],
)
def test_what_is_made_from_a_result_is_stale_once_it_is_made_again(result, kinds, dataset, recipe_of):
    before = {kind: make(kind()) for kind, make in recipe_of.items()}
    place = result(dataset)
    place.commit(place.begin(Recipe("any", 1, {}, {}), {}), {})
    assert {kind for kind, make in recipe_of.items() if make(kind()) != before[kind]} == kinds


def test_a_model_is_stale_once_the_one_it_started_from_is_another(dataset):
    def recipe(start):
        return recipes.train_recipe(dataset, Train(init_from=start), ["a"])

    before, alone = recipe("old"), recipe(None)
    place = model_of(dataset, "old")
    place.commit(place.begin(Recipe("train", 1, {}, {}), {}), {})
    assert before.changes(recipe("old")) == ["init_from changed"]
    assert recipe(None) == alone
    assert "init_from old → other" in recipe("old").changes(recipe("other"))


@pytest.mark.parametrize(("dimensions", "stale"), [(2, False), (3, True)])
def test_pixel_sizes_are_part_of_weights_in_3_d_alone(dimensions, stale, dataset, recipe_of):
    image, weigh = image_of(dataset, "a"), Weigh(dimensions=dimensions)
    found = []
    for z in (1.0, 2.0):
        image.commit(image.begin(Recipe("any", 1, {"z": z}, {}), {}), {}, {"spacing": {"z": z, "y": 0.5, "x": 0.5}})
        found.append(recipe_of[Weigh](weigh))
    assert (found[0] != found[1]) == stale


def put_truth(dataset, pixels):
    """Truth as ingest commits it."""
    truth = labels_of(dataset, "a", "truth")
    generation = truth.begin(Recipe("ingest", 1, {}, {}), {})
    stored = create(generation.level(0), plane_layout(pixels.shape, 4), pixels.dtype, "yx")
    stored.write(tuple(slice(0, size) for size in pixels.shape), pixels)
    facts = {"arrays": vars(fingerprint.of_folder(generation.level(0)))}
    scales = ome.multiscales(generation, "truth", "yx", [Level(pixels.shape, (0, 0))], {}, {})
    truth.commit(generation, ome.label_attributes(scales), facts)
    return generation.level(0)


def test_truth_edited_by_hand_is_noticed(dataset, recipe_of):
    assert not truth_state.is_edited(dataset, "a")
    assert truth_state.truth_content(dataset, "a") is None
    level = put_truth(dataset, np.zeros((8, 8), np.uint32))
    before = {kind: recipe_of[kind](kind()) for kind in (Weigh, Evaluate)}
    assert not truth_state.is_edited(dataset, "a")
    zarr.open_array(level.url, mode="r+")[2:4, 2:4] = 1
    assert truth_state.is_edited(dataset, "a")
    assert all(recipe_of[kind](kind()) != recipe for kind, recipe in before.items())
    zarr.open_array(level.url, mode="r+").with_config({"write_empty_chunks": True})[2:4, 2:4] = 0
    assert not truth_state.is_edited(dataset, "a")


@pytest.mark.parametrize("left", [None, b"", b'{"attributes'])
def test_truth_without_its_metadata_is_that_of_its_source_where_its_pixels_are(dataset, left):
    level, card = put_truth(dataset, np.ones((8, 8), np.uint32)), dataset.labels("a", "truth") / "zarr.json"
    card.remove() if left is None else card.write(left)
    assert not truth_state.is_edited(dataset, "a")
    zarr.open_array(level.url, mode="r+")[2:4, 2:4] = 7
    with pytest.raises(ValueError, match=r"must be as it was ingested where its zarr\.json is lost or damaged"):
        truth_state.is_edited(dataset, "a")


def test_truth_drawn_in_a_viewer_is_truth_that_was_edited(dataset):
    group = zarr.create_group(dataset.labels("a", "truth").url)
    group.create_array("0", data=np.ones((8, 8), np.uint8))
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"datasets": [{"path": "0"}]}]}
    assert truth_state.is_edited(dataset, "a")
    before = truth_state.truth_content(dataset, "a")
    group["0"][0, 0] = 2
    assert truth_state.truth_content(dataset, "a") != before


def test_truth_is_withdrawn_where_its_source_is_there_and_has_it_no_more(dataset, stack):
    bare = replace(stack, truth=())
    assert not truth_state.is_to_be_withdrawn(dataset, bare)  # it never had any
    level = put_truth(dataset, np.ones((8, 8), np.uint32))
    assert truth_state.is_to_be_withdrawn(dataset, bare)
    for other in (stack, replace(bare, is_truth_away=True)):
        assert not truth_state.is_to_be_withdrawn(dataset, other)
        assert truth_state.has_truth(dataset, "a", other)
    assert not truth_state.has_truth(dataset, "a", bare)
    assert truth_state.has_truth(dataset, "a", None)  # the image's source is gone, too
    zarr.open_array(level.url, mode="r+")[2:4, 2:4] = 2
    assert not truth_state.is_to_be_withdrawn(dataset, bare)
    assert truth_state.has_truth(dataset, "a", bare)


def test_withdrawn_truth_is_none_until_its_source_has_it_again_or_somebody_edits_it(dataset, stack):
    level, truth = put_truth(dataset, np.ones((8, 8), np.uint32)), labels_of(dataset, "a", "truth")
    truth.amend({"withdrawn": True}, recipes.withdrawn_recipe(truth.committed().recipe))
    assert truth_state.is_withdrawn(dataset, "a")
    assert not truth_state.has_truth(dataset, "a", None)
    assert truth_state.has_truth(dataset, "a", stack)
    now = truth.committed().recipe
    assert now.changes(recipes.withdrawn_recipe(now)) == []
    assert "truth source is new" in now.changes(recipes.truth_recipe(dataset, stack))
    zarr.open_array(level.url, mode="r+")[2:4, 2:4] = 2
    assert not truth_state.is_withdrawn(dataset, "a")
    assert truth_state.has_truth(dataset, "a", None)


def test_pixel_sizes_are_part_of_weights_where_pixels_are_no_squares(dataset, recipe_of):
    """Distances are in pixels of x, so that others along y make other weights, plane by plane too."""
    image, found = image_of(dataset, "a"), []
    for y in (0.5, 0.25, 0.125, 0.5):
        image.commit(image.begin(Recipe("any", 1, {"y": y}, {}), {}), {}, {"spacing": {"y": y, "x": 0.5}})
        found.append(recipe_of[Weigh](Weigh()))
    assert found[0] == found[3] == recipes.weigh_recipe(dataset, "nobody", Weigh())
    assert found[1].changes(found[2]) == ["pixel sizes changed"]
    assert found[0].changes(found[1]) == ["pixel sizes is new"]


def test_units_are_part_of_weights_in_3_d_where_they_differ(dataset, recipe_of):
    image, found = image_of(dataset, "a"), []
    for z in ("micrometer", "nanometer"):
        facts = {"spacing": dict.fromkeys("zyx", 0.5), "units": {"z": z, "y": "micrometer", "x": "micrometer"}}
        image.commit(image.begin(Recipe("any", 1, {"z": z}, {}), {}), {}, facts)
        found.append(recipe_of[Weigh](Weigh(dimensions=3)))
    assert found[0] != found[1]
