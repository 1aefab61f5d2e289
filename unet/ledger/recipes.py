"""The recipe of each stage: which settings and which inputs its result is made of.

A setting that changes how a result is computed but not what it is (a device, a tile, what is kept) stands in the
numeric plan or nowhere, never in a recipe: changing it makes nothing stale.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from unet.dataset.folder import Dataset, Json
from unet.ledger.class_settings import segmented_classes
from unet.ledger.earlier_split import only_testing
from unet.ledger.found_settings import tuned_on
from unet.ledger.generations import Result
from unet.ledger.results import image_of, labels_of, model_of, scores_of, weights_of
from unet.ledger.source_fingerprints import source_fingerprint
from unet.ledger.stamp import Recipe, digest
from unet.ledger.truth_state import ignored_id, is_edited, truth_classes_content, truth_content
from unet.settings.classes import OBJECT
from unet.settings.evaluate import Evaluate
from unet.settings.ingest import Ingest
from unet.settings.predict import Predict
from unet.settings.record import plain
from unet.settings.segment import Segment
from unet.settings.segment_classes import UnlearntError
from unet.settings.train import Train
from unet.settings.weigh import Weigh
from unet.sources.stacks import Stack

PLAN_ONLY = {
    "weigh": {"preset"},
    "train": {"preset", "name", "device", "devices", "precision", "compile", "memory_gb", "checkpoint_every"},
    "predict": {"model", "device", "max_tile", "memory_gb", "precision", "max_pixel_size_ratio", "keep_scores"},
}


def image_recipe(dataset: Dataset, stack: Stack, ingest: Ingest) -> Recipe:
    """Recipe of a stack's image."""
    inputs = {"source": source_fingerprint(dataset, stack.name, stack.files, is_linked=stack.is_linked).content}
    settings: Json = {**plain(ingest), "scene": stack.scene, "axis": stack.axis, **_stated(stack)}
    return Recipe("ingest", Ingest.VERSION, settings, inputs)


def _stated(stack: Stack) -> Json:
    """What is said of a stack beside its files, where something is."""
    said: Json = {key: value for key, value in plain(stack.stated).items() if value}
    return (
        said
        | ({"grid": plain(stack.grid)} if stack.grid else {})
        | ({"refused": stack.refused} if stack.refused else {})
        | ({"link": True} if stack.is_linked else {})
    )


def truth_recipe(dataset: Dataset, stack: Stack) -> Recipe:
    """Recipe of a stack's truth, as its sources give it."""
    inputs = {"truth source": source_fingerprint(dataset, stack.name, stack.truth, is_truth=True).content}
    settings: Json = {"foreground": stack.foreground, "ignore": stack.ignore, "scene": stack.scene, "axis": stack.axis}
    settings |= {"empty_planes": stack.empty_planes} if stack.empty_planes != "background" else {}
    return Recipe("ingest", Ingest.VERSION, settings | _classes_of(stack), inputs)


def _classes_of(stack: Stack) -> Json:
    """What stands for the classes in a stack's truth, and which of its files are of which; nothing where it has none.

    Files that lie apart are counted: those of another order, or of another class, have another digest together.
    """
    by_class = [[name, len(files)] for name, files in stack.truth_by_class]  # in order: names may change places
    return (
        ({"classes": {str(key): name for key, name in stack.classes}} if stack.classes else {})
        | ({"truth_by_class": by_class} if by_class else {})
        | ({"class_of": len(stack.class_of)} if stack.class_of else {})
    )


def edited_recipe(dataset: Dataset, stack: Stack, truth: Recipe) -> Recipe:
    """Recipe of truth that is kept as it lies there; edited by hand, it has the id that marks unjudged pixels now.

    Of a mask, whose values became ids, no value of the source says so any more.
    """
    is_told = stack.foreground == truth.settings.get("foreground") == "ids" and is_edited(dataset, stack.name)
    return replace(truth, settings=truth.settings | {"ignore": stack.ignore}) if is_told else truth


def withdrawn_recipe(truth: Recipe) -> Recipe:
    """Recipe of truth that was taken out of its source: made of nothing now, so that any source is new to it."""
    return replace(truth, inputs={})


def ingest_recipe(dataset: Dataset, stack: Stack, settings: Ingest) -> Recipe:
    """Recipe of a stack's image and truth together: a failed ingest is set aside under it.

    The image's recipe alone would not do: truth that did not fit would not be tried again once it was mended.
    """
    whole = image_recipe(dataset, stack, settings)
    if stack.truth:
        given = truth_recipe(dataset, stack)
        whole = replace(whole, settings=whole.settings | given.settings, inputs=whole.inputs | given.inputs)
    if is_edited(dataset, stack.name):
        whole = replace(whole, inputs=whole.inputs | {"truth": truth_content(dataset, stack.name) or ""})
    return whole


def weigh_recipe(dataset: Dataset, name: str, weigh: Weigh, classes: Sequence[str] = (OBJECT,)) -> Recipe:
    """Recipe of a stack's classes and border weights; in 3-D, or where pixels are no squares, of pixel sizes too.

    Where truth has classes, or the dataset several, it is made of them, too: their names in order, and whose are whose.
    """
    inputs = {"truth": _judged(dataset, name)}
    image = image_of(dataset, name).stamp()
    if image is not None and (weigh.dimensions == 3 or not _has_square_pixels(image.facts)):
        units = image.facts.get("units", {})
        is_mixed = len({units[axis] for axis in units if axis != "t"}) > 1
        inputs["pixel sizes"] = digest([image.facts["spacing"], units] if is_mixed else image.facts["spacing"])
    told = truth_classes_content(dataset, name)
    if told or len(classes) > 1:
        inputs["classes"] = digest([list(classes), told])
    settings = _settings("weigh", weigh)
    if weigh.part == Weigh.part:  # what was made before there was this setting is as good as new
        del settings["part"]
    return Recipe("weigh", Weigh.VERSION, settings, inputs)


def _has_square_pixels(facts: Json) -> bool:
    y, x = ([facts.get(fact, {}).get(axis) for fact in ("spacing", "units")] for axis in "yx")
    return y == x


def train_recipe(dataset: Dataset, train: Train, names: list[str], classes: Sequence[str] = (OBJECT,)) -> Recipe:
    """Recipe of a model that the stacks `names` train and validate; of their names, too, where classes are several.

    Of stacks that only test it the truth is no part of it: their weights stand in it as they were when it was made.
    """
    inputs = {f"{n} image": _identity(image_of(dataset, n)) for n in names}
    inputs |= {f"{n} weights": _identity(weights_of(dataset, n)) for n in names}
    inputs |= _of_tests(dataset, train, names)
    if train.init_from is not None:
        inputs["init_from"] = _identity(model_of(dataset, train.init_from))
    if len(classes) > 1:
        inputs["classes"] = digest(list(classes))
    settings = _settings("train", train)
    for name in ("test", "gap"):  # what was made before there were these settings is as good as new
        if getattr(train, name) == getattr(Train, name):
            del settings[name]
    return Recipe("train", Train.VERSION, settings, inputs)


def _of_tests(dataset: Dataset, train: Train, names: list[str]) -> dict[str, str]:
    """Weights of stacks that only test a model, as they were when it was made."""
    stamp = model_of(dataset, train.name).known_stamp()
    keys = [f"{name} weights" for name in sorted(only_testing(dataset, train, names))]
    return {key: stamp.recipe.inputs[key] for key in keys if stamp and key in stamp.recipe.inputs}


def predict_recipe(dataset: Dataset, model: str, name: str, predict: Predict) -> Recipe:
    """Recipe of the scores that a model gives a stack."""
    inputs = {"image": _identity(image_of(dataset, name)), "model": _identity(model_of(dataset, model))}
    return Recipe("predict", Predict.VERSION, _settings("predict", predict), inputs)


def segment_recipe(dataset: Dataset, model: str, name: str, segment: Segment) -> Recipe:
    """Recipe of the segments made of a stack's scores, and of their table; `auto` stands in it as a number.

    Settings that do not fit the model, which may be trained anew first, stand in it as they are: nothing is made by it.
    """
    try:
        settings = segmented_classes(dataset, model, segment).recipe()
    except UnlearntError:
        settings = plain(segment)
    inputs = {"image": _identity(image_of(dataset, name)), "scores": _identity(scores_of(dataset, model, name))}
    return Recipe("segment", Segment.VERSION, settings, inputs)


def evaluate_recipe(dataset: Dataset, model: str, names: list[str], evaluate: Evaluate) -> Recipe:
    """Recipe of a model's report over the stacks `names`, of which none has truth, or all have."""
    inputs = {"model": _identity(model_of(dataset, model))}
    if planes := tuned_on(model_of(dataset, model).known_attributes()):
        inputs["what it was tuned on"] = digest(planes)
    inputs |= {f"{n} segments": _identity(labels_of(dataset, n, model)) for n in names}
    inputs |= {f"{n} truth": judged for n in names if (judged := _judged(dataset, n))}
    inputs |= {f"{n} classes of truth": told for n in names if (told := truth_classes_content(dataset, n))}
    settings: Json = plain(evaluate)
    if evaluate.metrics == "auto":  # truth says which these are, and it is told above
        del settings["metrics"]
    return Recipe("evaluate", Evaluate.VERSION, settings, inputs)


def _judged(dataset: Dataset, name: str) -> str:
    """A stack's truth as an input: the digest of its content, and the ignored id."""
    content, ignored = truth_content(dataset, name) or "", ignored_id(dataset, name)
    return content if ignored is None else f"{content}, {ignored} ignored"


def _settings(stage: str, settings: Any) -> Json:
    values: Mapping[str, Any] = plain(settings)
    return {k: v for k, v in values.items() if k not in PLAN_ONLY[stage]}


def _identity(result: Result) -> str:
    stamp = result.stamp()
    return stamp.identity if stamp else ""
