"""`images/NAME.ome.zarr` and a model → `scores/MODEL/NAME.ome.zarr`: class scores, shard by shard, without a seam."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tasks.outcomes import each
from tasks.policy import gpu_task
from tasks.progress import Sink
from unet import models, ome
from unet.folder import Dataset, Json
from unet.inference import choose_device, predict_region, quantise
from unet.layout import Region, plane_layout
from unet.ledger import Generation, Outcome, Recipe, image_of, scores_of
from unet.mirror import Plane
from unet.models import Model, channel_indices
from unet.recipes import predict_recipe
from unet.records import Predict
from unet.statistics import Statistics, normalise
from unet.store import Stored, average, create, open_array, pyramid
from unet.tiles import Window


@gpu_task("predict")
def predict_stacks(dataset: str, names: list[str], model: str, settings: Predict) -> list[Outcome]:
    """Outcomes of a batch of stacks; the model is loaded once."""
    choose_device(settings.device)  # one error for all, before anything is begun
    place = Dataset(dataset)
    loaded = models.load(place, model)
    with Sink("predict", len(names)) as sink:

        def work(name: str, recipe: Recipe) -> str:
            word = predict_stack(place, name, model, loaded, settings, recipe)
            sink.step(name)
            return word

        return each(place, names, lambda name: predict_recipe(place, model, name, settings), work)


def numeric_plan(settings: Predict, model: Model) -> Json:
    """What decides the last bits of a score: chosen once, kept in the generation, used by every resumption."""
    multiple = model.network.architecture.multiple
    return {
        "tile": max(settings.tile // multiple, 1) * multiple,
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
            if plan["tile"] < model.network.architecture.multiple:
                raise ValueError(f"{name} must fit the device's memory tile by tile, got {error}; use a CPU") from error


def _predict(
    dataset: Dataset, name: str, model_name: str, model: Model, settings: Predict, generation: Generation
) -> str:
    image = image_of(dataset, name)
    facts = image.committed().facts
    axes = _scores_axes(facts["axes"])
    sizes = dict(zip(facts["axes"], facts["shape"], strict=True)) | {"c": model.network.architecture.classes - 1}
    shape = tuple(sizes[axis] for axis in axes)
    dtype = np.dtype(settings.dtype)
    stored = create(generation.folder / "0", plane_layout(shape, dtype.itemsize), dtype, axes)
    torch.set_num_threads(generation.plan["threads"])
    ready = model.on(torch.device(generation.plan["device"]))
    pixels = open_array(image.folder / ome.first_level(image.attributes()))
    read = partial(_reader, pixels, facts, channel_indices(model.channels, facts["channels"], name))
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
    return f"{np.prod(shape):,} scores"


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


def _reader(
    array: Any, facts: Json, channels: tuple[int, ...], index: dict[str, int]
) -> Callable[[Window], NDArray[np.float32]]:
    """Reads normalised windows of one plane, by the statistics of the whole acquisition."""
    leading = facts["axes"][:-2]
    plane = Plane(array, tuple(tuple(c if axis == "c" else index[axis] for axis in leading) for c in channels))
    statistics = [Statistics(**facts["statistics"][c]) for c in channels]
    return lambda window: normalise(plane.read(window), statistics)
