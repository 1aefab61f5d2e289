"""Images and weights → `models/MODEL`: one network, its split, its history, checkpoints to go on from."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import torch

from tasks.execution.outcomes import outcome_of_each
from tasks.execution.timing import elapsed, timed
from tasks.parity import UNMEASURED, MeasuredPlanes, measured_precisions, parity_of
from tasks.policy import gpu_task
from tasks.reporting.artifacts import publish_training
from tasks.reporting.progress import Sink
from tasks.training_planes import View, image_facts, planes_by_subset, require_classes, stack_statistics
from tasks.tuning import found_by_training
from unet.dataset.folder import Dataset, Folder
from unet.evaluation.stamped_values import RANGES, known_ranges
from unet.images.grey_values import rule_of_training
from unet.images.units import pixel_size
from unet.ledger.earlier_split import is_split_kept, split_parts, without_training
from unet.ledger.generations import Generation, Result
from unet.ledger.outcome import Outcome
from unet.ledger.recipes import train_recipe
from unet.ledger.results import model_of, weights_of
from unet.ledger.seen_images import KEY as SEEN
from unet.ledger.seen_images import SeenImages, same_images, seen_images, told_images
from unet.ledger.stamp import Recipe
from unet.network import model_files
from unet.network.inference import choose_device, out_of_memory
from unet.network.model_files import Model
from unet.network.parity import KEY as PARITY
from unet.network.parity import Parity, merged
from unet.network.start_model import StartModel, start_model
from unet.reports import pictures
from unet.reports.history import keep_history
from unet.reports.png_plots import plot_training
from unet.settings.classes import BACKGROUND, OBJECT
from unet.settings.train import Train
from unet.settings.weigh import Weigh
from unet.training.checkpoints import Checkpoints, history_csv, plain_history
from unet.training.devices import Progress, precision_on
from unet.training.loss import balanced_class_weights
from unet.training.samples import draw_sheet
from unet.training.split import PlaneRange, extend, split
from unet.training.stack_extents import stack_extent
from unet.training.train import Trained, TrainingPlane, train

log = logging.getLogger(__name__)


@gpu_task("train")
def train_model(dataset: str, names: list[str], settings: Train, classes: tuple[str, ...] = (OBJECT,)) -> list[Outcome]:
    """Outcome of one model, trained and validated on the stacks `names`, of these classes of objects in order."""
    choose_device(settings.device)  # one error for all, before anything is begun
    place = Dataset(dataset)
    keep_history(place, settings.name)
    with Sink("train", settings.steps) as sink:
        outcomes = outcome_of_each(
            place,
            [settings.name],
            lambda _: train_recipe(place, settings, names, classes),
            lambda _, recipe: train_on_stacks(place, names, settings, recipe, sink, classes),
        )
    keep_history(place, settings.name)
    if outcomes[0].state == "done":
        publish_training(place, settings.name)
    return outcomes


@timed
def train_on_stacks(
    dataset: Dataset,
    names: Sequence[str],
    settings: Train,
    recipe: Recipe,
    progress: Progress = lambda done, total, word: None,
    classes: Sequence[str] = (OBJECT,),
) -> str:
    """Train a model on some stacks of the dataset and commit it; says its best validation loss."""
    start = start_model(dataset, settings.init_from, classes) if settings.init_from else None
    parts = _parts(dataset, names, settings)
    view = _view(dataset, parts, settings, start.model if start else None)
    settings = _fitted(settings, view, classes, start)
    class_weights = _class_weights(dataset, parts, settings, classes)
    result = model_of(dataset, settings.name)
    generation = _begin(result, recipe, settings)
    planes = planes_by_subset(dataset, parts, view, settings.memory_gb)
    _draw_samples(generation, planes["training"], settings)
    checkpoints = _checkpoints(generation.folder)
    given = start.parameters if start else None
    both = planes["training"], planes["validation"]
    try:
        trained = train(*both, class_weights, settings, progress, checkpoints, given)
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        raise ValueError(
            f"training must fit the device's memory, got {error}; lower train.batch_size or train.tile_size, or, "
            "where something else was on the device, run `unet-flows train --force` when it is gone"
        ) from error
    several, device = classes if len(classes) > 1 else (), choose_device(settings.device)
    _draw_curves(generation, trained, several)
    trained_on = list(dict.fromkeys(part.stack for part in parts if part.use == "training"))
    record = {
        "classes": [BACKGROUND, *classes],
        RANGES: known_ranges(dataset, trained_on, view.channels),
        "class_weights": class_weights,
        "split": [asdict(part) for part in parts],
        SEEN: _seen(dataset, parts, settings.init_from).plain(),
        "best_step": trained.best,
        "history": plain_history(trained.history, several),
        "segment": (found := found_by_training(dataset, parts, planes, trained.network, device, several)),
        **({"started_from": start.plain} if start and not start.has_head else {}),
    }
    size = pixel_size(image_facts(dataset, _first_training(parts)))
    model = Model(trained.network, view.channels, dict(view.normalisation), size)
    parity = _parity(dataset, settings.name, model, parts, found, device)
    record |= {PARITY: merged([], parity)}
    model_files.save(result, generation, model, record, {"stacks": list(names), "seconds": elapsed()})
    checkpoints.keep(1)
    begun = f"; {start.words}" if start and not start.has_head else ""
    return _word(trained, settings, several) + "".join(f"; {one.word}" for one in parity) + begun


def _parity(  # a model with its name, on what it is measured, how it is segmented, where
    dataset: Dataset,
    name: str,
    model: Model,
    parts: Sequence[PlaneRange],
    found: Mapping[str, Any] | None,
    device: torch.device,
) -> list[Parity]:
    """How good a trained model is in half precision; what keeps it from being measured must not cost the training."""
    halves = measured_precisions(device.type)
    try:
        parity = parity_of(dataset, model, MeasuredPlanes.of_training(parts), found, device, halves)
    except UNMEASURED as error:
        log.warning("%s was not measured in %s: %s", name, " and ".join(halves), error)
        return []
    for one in parity:
        log.info("%s is %s", name, one.line)
    return parity


def _parts(dataset: Dataset, names: Sequence[str], settings: Train) -> list[PlaneRange]:
    """The model's split: its earlier split with new stacks added, while what keeps stacks out of training is the same.

    A new model goes on with the split of the one it starts from, or it would be validated on what that had seen. Where
    truth was withdrawn from all stacks that trained, a new split is made, as nothing could be trained else.
    """
    extents = {name: stack_extent(dataset, name, settings.gap) for name in names}
    for model in filter(None, (settings.name, settings.init_from)):
        before = _split_of(dataset, model)
        if before and without_training(dataset, model).issuperset(extents):
            log.warning("no stack is left that trained %s, so its split is made anew", model)
        elif is_split_kept(dataset, model, settings):
            return extend(before, extents)
    return split(extents, settings.validation, settings.test)


def _split_of(dataset: Dataset, model: str) -> list[PlaneRange]:
    """The parts that a model was made of; none where it was imported."""
    return [PlaneRange(**part) for part in split_parts(dataset, model)]


def _first_training(parts: Sequence[PlaneRange]) -> str:
    return next(part.stack for part in parts if part.use == "training")


def _seen(dataset: Dataset, parts: Sequence[PlaneRange], init_from: str | None) -> SeenImages:
    """What a model has seen as it is trained, with what the one it starts from had seen; the log tells of overlaps."""
    own = told_images(dataset, map(asdict, parts))
    for line in same_images(own):
        log.warning("%s", line)
    start = seen_images(dataset, init_from) if init_from else SeenImages(is_all=True)
    return SeenImages(tuple(dict.fromkeys((*own, *start.planes))), start.is_all)


def _view(dataset: Dataset, parts: Sequence[PlaneRange], settings: Train, start: Model | None) -> View:
    """Channels and normalisation: of the model that training starts from, else all channels of the first stack."""
    if start is None:
        channels = settings.channels or tuple(image_facts(dataset, _first_training(parts))["channels"])
        trained_on = dict.fromkeys(part.stack for part in parts if part.use == "training")
        known = [stack_statistics(dataset, stack, channels) for stack in trained_on]
        return View(channels, rule_of_training(settings.grey_values, known))
    _warn_of_seen(_split_of(dataset, str(settings.init_from)), parts)
    channels = settings.channels or start.channels
    if len(channels) != len(start.channels):
        raise ValueError(
            f"train.channels must be as many as the channels of {settings.init_from}, {', '.join(start.channels)}, got "
            f"{', '.join(channels)}; name {len(start.channels)}, or start from another model"
        )
    return View(channels, start.normalisation)


def _warn_of_seen(before: Sequence[PlaneRange], parts: Sequence[PlaneRange]) -> None:
    """Log which stacks that validate or test the model that training starts from was trained on."""
    kept_out = "validation", "test"
    seen = {p.stack for p in before if p.use == "training"} - {p.stack for p in before if p.use in kept_out}
    flattering = sorted({p.stack for p in parts if p.use in kept_out} & seen)
    if flattering:
        log.warning("the model it starts from was trained on what validates: %s", ", ".join(flattering))


def _fitted(settings: Train, view: View, classes: Sequence[str], start: StartModel | None) -> Train:
    """Settings with the network to be trained: the start model's, else one with as many channels as are seen.

    It has as many classes as the truth; where 2 is asked for, which is what stands there unless somebody says more.
    """
    asked, known = settings.architecture, [BACKGROUND, *classes]
    if asked.classes not in (2, len(known)):
        raise ValueError(
            f"train.architecture.classes must be {len(known)}, as the classes of truth are {' and '.join(known)}, got "
            f"{asked.classes}; nothing would teach the network another one: set it to {len(known)}"
        )
    own = start.model.network.architecture if start else replace(asked, in_channels=len(view.channels))
    if start:
        log.info("%s starts from %s: %s", settings.name, settings.init_from, own)
    return replace(settings, architecture=replace(own, classes=len(known)))


def _class_weights(
    dataset: Dataset, parts: Sequence[PlaneRange], settings: Train, classes: Sequence[str]
) -> list[float]:
    """Weight of each class: `weigh.class_weights`, else by `train.class_balance` over the training part."""
    counts = require_classes(dataset, parts, classes)
    return _given_weights(dataset, parts, classes) or balanced_class_weights(counts, settings.class_balance)


def _given_weights(
    dataset: Dataset, parts: Sequence[PlaneRange], classes: Sequence[str] = (OBJECT,)
) -> list[float] | None:
    """Class weights that the stacks were weighed with; None where training finds them."""
    made_by = {part.stack: weights_of(dataset, part.stack).committed().recipe.settings for part in parts}
    given = {Weigh(class_weights=made.get("class_weights")).weights_of(classes) or () for made in made_by.values()}
    if len(given) > 1:
        raise ValueError(
            "all stacks' weights must be made with one weigh.class_weights, got "
            f"{' and '.join(str(list(one)) for one in sorted(given))}; run `unet-flows weigh`"
        )
    return list(given.pop()) or None


def _begin(result: Result, recipe: Recipe, settings: Train) -> Generation:
    """The generation to train into; one begun on other devices or in another precision is begun anew.

    A lost file of a model is made again from its last checkpoint; without one it is another model that is trained.
    """
    device, made = choose_device(settings.device), result.known_stamp()
    is_mended = made is not None and bool(_checkpoints(result.folder / made.generation).newest)
    plan = {
        "device": device.type,
        "devices": settings.devices,
        "precision": precision_on(device, settings.precision),
        "compile": settings.compile,
        "threads": torch.get_num_threads(),
    }
    generation = result.begin(recipe, plan, [key for key in plan if key != "threads"], is_mended)
    torch.set_num_threads(generation.plan["threads"])
    return generation


def _checkpoints(generation: Folder) -> Checkpoints:
    return Checkpoints(generation / "checkpoints")


def _draw_samples(generation: Generation, planes: Sequence[TrainingPlane], settings: Train) -> None:
    """Write `samples.png`, at once: augmented samples tell people of wrong truth before hours are spent on it."""
    sheet = draw_sheet(planes, settings, torch.device("cpu"))
    (generation.folder / "samples.png").write(pictures.png(sheet))


def _draw_curves(generation: Generation, trained: Trained, classes: Sequence[str]) -> None:
    """Write `metrics.csv`, a row for each step, and `training.png`, a plot of it; with Dice of each of `classes`."""
    (generation.folder / "metrics.csv").write(history_csv(trained.history, classes))
    (generation.folder / "training.png").write(plot_training(plain_history(trained.history, classes)))


def _word(trained: Trained, settings: Train, classes: Sequence[str]) -> str:
    kept = trained.history[trained.best - 1]
    loss, by_class = kept.validation_loss, dict(zip(classes, kept.validation_dice, strict=False))
    of_each = [f"{name} {value:.2f}" for name, value in by_class.items() if value is not None]
    said = f" (Dice {', '.join(of_each)})" if of_each else ""
    steps = len(trained.history)
    early = f", after {steps:,} of {settings.steps:,} steps" if steps < settings.steps else ""
    return ("trained, nothing validates it" if loss is None else f"validation loss {loss:.3f}{said}") + early
