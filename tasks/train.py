"""Images and weights → `models/MODEL`: one network, its split, its history."""

import math
from collections.abc import Sequence
from dataclasses import asdict, replace

import torch

from tasks.outcomes import each
from tasks.policy import gpu_task
from tasks.progress import Sink
from unet import ome
from unet.folder import Dataset, Json
from unet.inference import choose_device
from unet.ledger import Outcome, Recipe, image_of, model_of, weights_of
from unet.loss import balanced_class_weights
from unet.mirror import Plane, planes
from unet.models import Model, channel_indices, save
from unet.recipes import train_recipe
from unet.records import Train, plain
from unet.split import Part, extend, split
from unet.statistics import Statistics
from unet.store import open_array
from unet.training import Frame, Progress, plain_history, train

RULE = "percentiles"


@gpu_task("train")
def train_model(dataset: str, names: list[str], settings: Train) -> list[Outcome]:
    """Outcome of one model, trained and validated on the stacks `names`."""
    choose_device(settings.device)  # one error for all, before anything is begun
    place = Dataset(dataset)
    with Sink("train", settings.steps) as sink:
        return each(
            place,
            [settings.name],
            lambda _: train_recipe(place, settings, names),
            lambda _, recipe: train_on_stacks(place, names, settings, recipe, sink),
        )


def train_on_stacks(
    dataset: Dataset,
    names: Sequence[str],
    settings: Train,
    recipe: Recipe,
    progress: Progress = lambda done, total, word: None,
) -> str:
    """Train a model on some stacks of the dataset and commit it; says its best validation loss."""
    parts = _parts(dataset, names, settings)
    channels = settings.channels or tuple(_facts(dataset, parts[0].stack)["channels"])
    settings = replace(settings, architecture=replace(settings.architecture, in_channels=len(channels)))
    result = model_of(dataset, settings.name)
    plan = {"device": choose_device(settings.device).type, "threads": torch.get_num_threads()}
    generation = result.begin(recipe, plan)
    torch.set_num_threads(generation.plan["threads"])
    resident = sum(_bytes(dataset, part, channels) for part in parts) <= settings.memory * 1e9
    frames = {use: _frames(dataset, parts, use, channels, resident) for use in ("training", "validation")}
    class_weights = balanced_class_weights(_counts(dataset, parts))
    trained = train(frames["training"], frames["validation"], class_weights, settings, progress)
    record = {
        "classes": ["background", "object"],
        "class_weights": class_weights,
        "split": [asdict(part) for part in parts],
        "best_step": trained.best,
        "history": plain_history(trained.history),
    }
    save(result, generation, Model(trained.network, channels, {"rule": RULE}), record, {"stacks": list(names)})
    return _word(trained.history[trained.best - 1].validation_loss)


def _parts(dataset: Dataset, names: Sequence[str], settings: Train) -> list[Part]:
    """The model's split: the one it was made with while `train.validation` is the same, new stacks taken in."""
    planes_of = {name: plane_count(dataset, name) for name in names}
    before, model = model_of(dataset, settings.name).stamp(), model_of(dataset, settings.name).attributes()
    if before and model.get("split") and before.recipe.settings["validation"] == plain(settings)["validation"]:
        return extend([Part(**part) for part in model["split"]], planes_of)
    return split(planes_of, settings.validation)


def plane_count(dataset: Dataset, name: str) -> int:
    """Planes of a stack, over t and z."""
    facts = _facts(dataset, name)
    return math.prod(size for axis, size in zip(facts["axes"], facts["shape"], strict=True) if axis in "tz")


def _facts(dataset: Dataset, name: str) -> Json:
    return image_of(dataset, name).committed().facts


def _frames(dataset: Dataset, parts: Sequence[Part], use: str, channels: Sequence[str], resident: bool) -> list[Frame]:
    return [frame for part in parts if part.use == use for frame in _frames_of(dataset, part, channels, resident)]


def _frames_of(dataset: Dataset, part: Part, channels: Sequence[str], resident: bool) -> list[Frame]:
    """Planes of one part, held in memory or read from the store window by window."""
    image, weights = image_of(dataset, part.stack), weights_of(dataset, part.stack)
    facts, _ = image.committed().facts, weights.committed()
    arrays = weights.attributes()["arrays"]
    chosen = channel_indices(channels, facts["channels"], part.stack)
    statistics = [Statistics(**facts["statistics"][c]) for c in chosen]
    axes = facts["axes"]
    pixels = planes(open_array(image.folder / ome.first_level(image.attributes())), axes, chosen)
    classes = planes(open_array(weights.folder / arrays["classes"]), axes.replace("c", ""))
    border = planes(open_array(weights.folder / arrays["border"]), axes.replace("c", ""))
    frames = [Frame(*layers, statistics) for layers in zip(pixels, classes, border, strict=True)]
    taken = frames[part.start : part.stop]
    return [_held(frame) for frame in taken] if resident else taken


def _held(frame: Frame) -> Frame:
    """The frame in memory."""
    return Frame(_read(frame.image), _read(frame.classes), _read(frame.border), frame.statistics)


def _read(plane: Plane) -> Plane:
    pixels = plane.read(plane.window)
    return Plane(pixels, tuple((channel,) for channel in range(pixels.shape[0])))


def _bytes(dataset: Dataset, part: Part, channels: Sequence[str]) -> int:
    """Bytes of image, classes and border of a part."""
    facts = _facts(dataset, part.stack)
    pixels: int = math.prod(facts["shape"][-2:]) * (part.stop - part.start)
    return pixels * (8 * len(channels) + 1 + 4)


def _counts(dataset: Dataset, parts: Sequence[Part]) -> list[int]:
    """Pixels of each class over the training part alone."""
    planes_of = {part: weights_of(dataset, part.stack).committed().facts["counts"] for part in parts}
    taken = [
        count
        for part, counts in planes_of.items()
        if part.use == "training"
        for count in counts[part.start : part.stop]
    ]
    totals = [sum(column) for column in zip(*taken, strict=True)][:2]
    if not all(totals):
        raise ValueError(
            f"training must see background and objects, got {totals[0]} and {totals[1]} pixels of them; look at the "
            "truth, and at `foreground` of its source"
        )
    return totals


def _word(loss: float | None) -> str:
    return "trained, nothing validates it" if loss is None else f"validation loss {loss:.3f}"
