"""`images/NAME.ome.zarr` and a model → `scores/MODEL/NAME.ome.zarr`: class scores, shard by shard, without a seam."""

import logging
from collections.abc import Callable, Iterator

import numpy as np
import torch

from tasks.outcomes import each
from tasks.policy import gpu_task
from tasks.progress import Sink
from unet import models, ome
from unet.folder import Dataset, Json
from unet.inference import Read, choose_device, predict_region, quantise
from unet.layout import Region, plane_layout
from unet.ledger import Generation, Outcome, Recipe, image_of, scores_of
from unet.mirror import Plane
from unet.models import Model, channel_indices
from unet.recipes import predict_recipe
from unet.records import Predict
from unet.statistics import Statistics, by_rule, normalise
from unet.store import Stored, average, create, open_array, pyramid
from unet.tiles import FIXED_SIDE, Window

log = logging.getLogger(__name__)


@gpu_task("predict")
def predict_stacks(dataset: str, names: list[str], model: str, settings: Predict) -> list[Outcome]:
    """Outcomes of a batch of stacks; the model is loaded once."""
    choose_device(settings.device)  # one error for all, before anything is begun
    place = Dataset(dataset)
    loaded = models.load(place, model)
    if not loaded.network.architecture.tileable:
        log.warning("%s is not tileable (align_corners=True): scores have seams of fixed tiles", model)
    with Sink("predict", len(names)) as sink:

        def work(name: str, recipe: Recipe) -> str:
            word = predict_stack(place, name, model, loaded, settings, recipe)
            sink.step(name)
            return word

        return each(place, names, lambda name: predict_recipe(place, model, name, settings), work)


def numeric_plan(settings: Predict, model: Model) -> Json:
    """What decides the last bits of a score: chosen once, kept in the generation, used by every resumption."""
    multiple, tileable = model.network.architecture.multiple, model.network.architecture.tileable
    return {
        "tile": max(settings.tile // multiple, 1) * multiple if tileable else FIXED_SIDE,
        "device": choose_device(settings.device).type,
        "threads": torch.get_num_threads(),
        "precision": "float32",
    }


def predict_stack(dataset: Dataset, name: str, model_name: str, model: Model, settings: Predict, recipe: Recipe) -> str:
    """Write one stack's scores; out of memory, a new generation is begun with tiles of half the side."""
    plan, result = numeric_plan(settings, model), scores_of(dataset, model_name, name)
    while True:
        generation = result.begin(recipe, plan)
        if generation.plan["device"] != plan["device"]:  # begun on another kind of device: other last bits
            result.discard(generation.name)
            generation = result.begin(recipe, plan)
        try:
            return _predict(dataset, name, model_name, model, settings, generation)
        except torch.OutOfMemoryError as error:
            result.discard(generation.name)  # else it would be taken on, with the plan that did not fit
            plan = {**generation.plan, "tile": generation.plan["tile"] // 2}
            smaller_is_other = not model.network.architecture.tileable
            if smaller_is_other or plan["tile"] < model.network.architecture.multiple:
                raise ValueError(f"{name} must fit the device's memory tile by tile, got {error}; use a CPU") from error


def _predict(
    dataset: Dataset, name: str, model_name: str, model: Model, settings: Predict, generation: Generation
) -> str:
    facts = image_of(dataset, name).committed().facts
    axes = _scores_axes(facts["axes"])
    sizes = dict(zip(facts["axes"], facts["shape"], strict=True)) | {"c": model.network.architecture.classes - 1}
    shape = tuple(sizes[axis] for axis in axes)
    dtype = np.dtype(settings.dtype)
    stored = create(generation.folder / "0", plane_layout(shape, dtype.itemsize), dtype, axes)
    torch.set_num_threads(generation.plan["threads"])
    ready = model.on(torch.device(generation.plan["device"]))
    read = _readers(dataset, name, model)
    for regions in _missing(stored, axes):
        index = {axis: part.start for axis, part in zip(axes, regions[0], strict=True)}
        scores = predict_region(ready.network, read(index), _window(regions[0]), generation.plan["tile"])
        for region, score in zip(regions, scores, strict=True):
            block = quantise(score) if dtype == np.uint8 else score
            stored.write(region, block.reshape([part.stop - part.start for part in region]))
    shapes = pyramid(generation.folder, average, axes)
    scales = ome.multiscales(generation.name, axes, shapes, facts["spacing"], facts["units"])
    attributes = {"ome": {"version": ome.VERSION, "multiscales": scales}}
    scores_of(dataset, model_name, name).commit(generation, attributes, {"axes": axes, "shape": list(shape)})
    seams = (
        "" if ready.network.architecture.tileable else f", not seamless: fixed tiles of {generation.plan['tile']} px"
    )
    return f"{np.prod(shape):,} scores{seams}"


def _scores_axes(axes: str) -> str:
    """Axes of the scores: the image's, with the classes as c."""
    return "".join(axis for axis in "tczyx" if axis in axes or axis == "c")


def _missing(stored: Stored, axes: str) -> Iterator[list[Region]]:
    """Regions to be predicted together: one plane's, of all classes; the last one's shard says that all are done."""
    c = axes.index("c")
    for region in stored.missing():
        classes = stored.layout.shape[c]
        if region[c].start == classes - 1:
            yield [(*region[:c], slice(k, k + 1), *region[c + 1 :]) for k in range(classes)]


def _window(region: Region) -> Window:
    y, x = region[-2:]
    return Window(y.start, x.start, y.stop - y.start, x.stop - x.start)


def _readers(dataset: Dataset, name: str, model: Model) -> Callable[[dict[str, int]], Read]:
    """For each plane what reads its windows, normalised by the model's rule and the whole acquisition's statistics."""
    image = image_of(dataset, name)
    facts, array = image.committed().facts, open_array(ome.full_level(image))
    channels = channel_indices(model.channels, facts["channels"], name)
    statistics = by_rule(model.normalisation, [Statistics(**facts["statistics"][c]) for c in channels], name)

    def reader(index: dict[str, int]) -> Read:
        leading = [[c if axis == "c" else index[axis] for axis in facts["axes"][:-2]] for c in channels]
        plane = Plane(array, tuple(map(tuple, leading)))
        return lambda window: normalise(plane.read(window), statistics)

    return reader
