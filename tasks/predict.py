"""`images/NAME.ome.zarr` and a model → `scores/MODEL/NAME.ome.zarr`: class scores, shard by shard, without a seam.

The numeric plan is chosen once for a stack and kept in its generation. One process goes through the regions by itself,
as reading, computing and writing overlap there; a cluster's workers are given a few regions at a time.

Memory: `predict.memory_gb` for each process on a CPU, whatever the image's size; on a GPU some regions of 16 Mpx.
"""

import logging
import math
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import NamedTuple

import numpy as np
import torch

from tasks.execution.dask_workers import DaskWorkers, own_threads, workers
from tasks.execution.outcomes import outcome_of_each
from tasks.execution.pipeline import Clock
from tasks.execution.timing import elapsed, timed
from tasks.execution.workers import run_regions
from tasks.policy import gpu_task
from tasks.predict_regions import Shards, Work, frames_of, groups
from tasks.reporting.progress import Sink
from unet.dataset.folder import Dataset, Json
from unet.images.rescaling import Scale, reading, scale_to
from unet.images.units import pixel_size
from unet.images.windows import Window
from unet.ledger.outcome import Outcome
from unet.ledger.recipes import predict_recipe
from unet.ledger.results import Generation, image_of, model_of, scores_of
from unet.ledger.stamp import Recipe
from unet.network import model_files
from unet.network.inference import choose_device, out_of_memory
from unet.network.model_files import Model
from unet.network.numeric_plan import VRAM_PART, NumericPlan, PlanLimits, Precision, largest_plan, smaller_plan
from unet.network.tiles import FIXED_SIDE
from unet.settings.predict import Predict
from unet.settings.record import Cluster
from unet.store import ome
from unet.store.arrays import create
from unet.store.pyramid import average, pyramid
from unet.store.shards import Layout, plane_layout, regions

log = logging.getLogger(__name__)

GPU: dict[str, float] = {"GPU": 1}
"""What workers are started with that have one: `--resources GPU=1`."""
AT_A_TIME = 4
"""Regions that a cluster's worker is given at once: what overlaps there, and what may wait for others at the end."""
SAME = 0.01
"""Difference of pixel sizes, as a part, that is none."""

Told = Callable[[str, float], None]
"""Told a word, and the part of a stack that is done."""
Run = Callable[[Work, Sequence[Shards], Callable[[int], None]], float]
"""Does regions, says how many are done, and returns the seconds that computing waited."""


@gpu_task("predict")
def predict_stacks(
    dataset: str, names: list[str], model: str, settings: Predict, cluster: str | Cluster | None = None
) -> list[Outcome]:
    """Outcomes of a batch of stacks; the model is loaded once in each process."""
    place = Dataset(dataset)
    loaded = model_files.load(place, model)  # one error for all, before anything is begun
    if not loaded.network.architecture.tileable:
        log.warning("%s is not tileable (align_corners=True): scores have seams of fixed tiles", model)
    with ExitStack() as stack:
        crew = stack.enter_context(workers(cluster))
        run: Run = here
        if isinstance(crew, DaskWorkers):
            machine, run = _machine_of_workers(crew, settings), over(crew, settings)
        else:
            machine = machine_of(settings.device)
        sink = stack.enter_context(Sink("predict", len(names)))

        def work(name: str, recipe: Recipe) -> str:
            word = predict_stack(place, name, Use(model, loaded, settings, machine), recipe, run, sink.within)
            sink.step(name)
            return word

        return outcome_of_each(place, names, lambda name: predict_recipe(place, model, name, settings), work)


class Machine(NamedTuple):
    """Where tiles are computed."""

    device: str
    threads: int
    free: float
    """Bytes of a GPU's memory that are free; 0 on a CPU."""


class Use(NamedTuple):
    """A model, and how and where it is used."""

    name: str
    model: Model
    settings: Predict
    machine: Machine


def machine_of(device: str) -> Machine:
    """This process's machine; ValueError where a GPU is asked for and missing."""
    chosen = choose_device(device).type
    return Machine(chosen, torch.get_num_threads(), torch.cuda.mem_get_info()[0] if chosen == "cuda" else 0)


def _machine_of_workers(crew: DaskWorkers, settings: Predict) -> Machine:
    """The machine of one of the workers, which are taken to be alike."""
    asked = run_regions(crew, _of_worker, [settings.device], lambda: None, _resources(crew, settings))
    return next(machine for _, machine in asked)


def _of_worker(device: str) -> Machine:
    """A worker's machine: one prediction at a time takes all of its threads."""
    return machine_of(device)._replace(threads=own_threads())


def here(work: Work, shards: Sequence[Shards], told: Callable[[int], None]) -> float:
    """Regions done by this process; seconds that it waited for reading and writing."""
    clock = Clock()
    for done, _ in enumerate(work.walk(shards, clock), start=1):
        told(done)
    return clock.waited


def over(crew: DaskWorkers, settings: Predict) -> Run:
    """Regions mapped over the workers of a cluster, a few at a time."""

    def run(work: Work, shards: Sequence[Shards], told: Callable[[int], None]) -> float:
        size = max(min(AT_A_TIME, len(shards) // max(2 * crew.count(), 1)), 1)
        batches = [shards[i : i + size] for i in range(0, len(shards), size)]
        done, waited = 0, 0.0
        for batch, answer in run_regions(crew, work, batches, lambda: None, _resources(crew, settings)):
            done, waited = done + len(batch), waited + answer
            told(done)
        return waited

    return run


def _resources(crew: DaskWorkers, settings: Predict) -> dict[str, float]:
    """One GPU for each task, where workers say that they have one."""
    return GPU if settings.device != "cpu" and crew.count(GPU) else {}


def predict_stack(
    dataset: Dataset, name: str, use: Use, recipe: Recipe, run: Run = here, told: Told = lambda *_: None
) -> str:
    """Write one stack's scores; out of memory, a new generation is begun with smaller tiles."""
    facts = image_of(dataset, name).committed().facts
    scale = scale_of(name, use, facts)
    room = _room(use, facts, scale)
    plan, result = largest_plan(room, use.machine.threads), scores_of(dataset, use.name, name)
    while True:
        generation = result.begin(recipe, plan.plain)
        if generation.plan["device"] != plan.device:  # begun on another kind of device: other last bits
            result.discard(generation.name)
            generation = result.begin(recipe, plan.plain)
        plan = NumericPlan.of(generation.plan)
        try:
            return _predict(dataset, name, use, facts, scale, generation, run, told)
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
            result.discard(generation.name)  # else it would be taken on, with the plan that did not fit
            plan = _less(room, plan, name, error)


def _less(room: PlanLimits, plan: NumericPlan, name: str, error: Exception) -> NumericPlan:
    less = smaller_plan(room, plan)
    if less is None:
        raise ValueError(f"{name} must fit the device's memory tile by tile, got {error}; use a CPU") from error
    log.warning("%s: out of memory; going on with tiles of %d × %d px, %d at once", name, *less.tile, less.batch)
    return less


def _room(use: Use, facts: Json, scale: Scale | None) -> PlanLimits:
    """What the numeric plan of a stack is made of."""
    architecture, settings, device = use.model.network.architecture, use.settings, use.machine.device
    automatic: Precision = "float16" if device == "cuda" and settings.dtype != "float32" else "float32"
    region = _layout(facts, architecture.classes - 1, settings.dtype).shard[-2:]
    shape = [min(side, size) for side, size in zip(region, facts["shape"][-2:], strict=True)]
    if scale:
        window = reading(Window(0, 0, *shape), (1 / scale[0], 1 / scale[1]))
        shape = [side + architecture.multiple for side in (window.height, window.width)]
    return PlanLimits(
        architecture=architecture,
        region=(shape[0], shape[1]),
        device=device,
        precision=automatic if settings.precision == "auto" else settings.precision,
        score_bytes=np.dtype(settings.dtype).itemsize,
        memory=use.machine.free * VRAM_PART if device == "cuda" else settings.memory_gb * 1e9,
        largest=settings.max_tile,
    )


def scale_of(name: str, use: Use, facts: Json) -> Scale | None:
    """Pixels of the model's size for each of the image's; None where they are alike, or one is not known."""
    size, own = pixel_size(facts), use.model.pixel_size
    if size is None or own is None:
        return None
    scale, limit = scale_to(own, size), use.settings.max_pixel_size_ratio
    if max(abs(math.log(one)) for one in scale) <= SAME:
        return None
    if use.settings.rescale:
        return scale
    if max(max(one, 1 / one) for one in scale) > limit:
        raise ValueError(
            f"{name} must have pixels within {limit:g} × those that {use.name} was trained on, {_named(own)}, got "
            f"{_named(size)}; set predict.rescale to true, or raise predict.max_pixel_size_ratio"
        )
    return None


def _named(size: Json) -> str:
    return f"{size['y']:g} × {size['x']:g} {size['unit']}"


def _layout(facts: Json, classes: int, dtype: str) -> Layout:
    sizes = dict(zip(facts["axes"], facts["shape"], strict=True)) | {"c": classes}
    return plane_layout(tuple(sizes[axis] for axis in _scores_axes(facts["axes"])), np.dtype(dtype).itemsize)


@timed
def _predict(  # noqa: PLR0913, PLR0917  # a stack, a model, where it goes, and how
    dataset: Dataset,
    name: str,
    use: Use,
    facts: Json,
    scale: Scale | None,
    generation: Generation,
    run: Run,
    told: Told,
) -> str:
    axes, settings = _scores_axes(facts["axes"]), use.settings
    architecture, plan = use.model.network.architecture, NumericPlan.of(generation.plan)
    layout = _layout(facts, architecture.classes - 1, settings.dtype)
    create(generation.folder / "0", layout, np.dtype(settings.dtype), axes)
    work = Work(
        dataset=dataset,
        name=name,
        model=use.name,
        model_generation=model_of(dataset, use.name).committed().generation,
        plan=plan,
        dtype=settings.dtype,
        symmetries=settings.test_time_augmentation,
        skip_below=settings.background_below,
        scale=scale,
        target=generation.folder / "0",
        axes=axes,
    )
    shards = list(groups(frames_of(facts), _windows(layout), plan.batch))
    waited = run(work, shards, lambda done: told(f"{name} {done}/{len(shards)} regions", done / len(shards)))
    shapes = pyramid(generation.folder, average, axes)
    scales = ome.multiscales(generation.name, axes, shapes, facts["spacing"], facts["units"])
    attributes = {"ome": {"version": ome.VERSION, "multiscales": scales}}
    known = {"axes": axes, "shape": list(layout.shape), "seconds": elapsed()}
    scores_of(dataset, use.name, name).commit(generation, attributes, {**known, "waited": round(waited, 3)})
    seams = "" if architecture.tileable else f", not seamless: fixed tiles of {FIXED_SIDE} px"
    resized = f", at {scale[0]:g} × {scale[1]:g} of its pixels" if scale else ""
    return f"{math.prod(layout.shape):,} scores{resized}{seams}"


def _scores_axes(axes: str) -> str:
    """Axes of the scores: the image's, with the classes as c."""
    return "".join(axis for axis in "tczyx" if axis in axes or axis == "c")


def _windows(layout: Layout) -> list[Window]:
    """The shards of one plane."""
    plane = Layout(layout.shape[-2:], layout.shard[-2:], layout.chunk[-2:])
    return [Window(y.start, x.start, y.stop - y.start, x.stop - x.start) for y, x in regions(plane)]
