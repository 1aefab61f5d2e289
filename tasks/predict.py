"""`images/NAME.ome.zarr` and a model → `scores/MODEL/NAME.ome.zarr`: class scores, shard by shard, without a seam.

The numeric plan is chosen once for a stack and kept in its generation. One process goes through the windows by itself,
as reading, computing and writing overlap there; a cluster's workers are given a few windows at a time.

Memory: `predict.memory_gb` for each process on a CPU, whatever the image's size; on a GPU some windows of 16 Mpx.
"""

import logging
import math
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch

from tasks.execution.dask_workers import DaskWorkers, own_threads, workers
from tasks.execution.outcomes import outcome_of_each
from tasks.execution.pipeline import Clock
from tasks.execution.timing import elapsed, timed
from tasks.execution.workers import Workers, run_regions
from tasks.parity import keep_parity, measure_model
from tasks.policy import gpu_task
from tasks.predict_regions import PlanesWindow, StackPrediction, plane_indices, planes_windows
from tasks.reporting.progress import Sink
from unet.dataset.folder import Dataset, Json
from unet.ledger.generations import Generation
from unet.ledger.outcome import Outcome
from unet.ledger.recipes import predict_recipe
from unet.ledger.results import image_of, learnt_names, model_of, scores_of
from unet.ledger.stamp import Recipe
from unet.network.block_sides import cache_share
from unet.network.fast_precisions import fast_precisions
from unet.network.inference import choose_device, out_of_memory
from unet.network.map_memory import OF_PROCESS
from unet.network.model_files import Model, model_identity, ready_model
from unet.network.numeric_plan import NumericPlan, PlanLimits, Precision, largest_plan, smaller_plan
from unet.network.parity import Parity, choose_precision, is_automatic
from unet.network.prediction_plan import (
    Machine,
    asked_precision,
    plan_limits,
    plane_windows,
    scale_of,
    scores_axes,
    scores_layout,
)
from unet.network.tiles import FIXED_SIDE
from unet.settings.cluster import Cluster
from unet.settings.predict import Predict
from unet.store import ome
from unet.store.arrays import create
from unet.store.pyramid import pyramid
from unet.store.shards import averaged

log = logging.getLogger(__name__)

GPU: dict[str, float] = {"GPU": 1}
"""What workers are started with that have one: `--resources GPU=1`."""
WINDOWS_AT_ONCE = 4
"""Windows that a cluster's worker is given at once: what overlaps there, and what may wait for others at the end."""

OnWindows = Callable[[int], None]
"""Told how many windows are done."""
OnProgress = Callable[[str, float], None]
"""Told a word, and the fraction of a stack that is done."""
RunWindows = Callable[[StackPrediction, Sequence[PlanesWindow], OnWindows], float]
"""Predicts windows, says how many are done, and returns the seconds that computing waited."""


@gpu_task("predict")
def predict_stacks(
    dataset: str, names: list[str], model: str, settings: Predict, cluster: str | Cluster | None = None
) -> list[Outcome]:
    """Outcomes of a batch of stacks; the model is loaded once in each process."""
    place, local = Dataset(dataset), None if cluster else of_this_process(settings.device)
    model_identity(place, model)  # one error for all, at the outset
    with ExitStack() as stack:
        stack.enter_context(closing(OF_PROCESS))
        executor = local or of_workers(stack.enter_context(workers(cluster)), settings)
        chosen, executor = in_chosen_precision(place, names, model, settings, executor)
        loaded = _held(place, model, model_identity(place, model), chosen, executor.holds)
        if not loaded.network.architecture.tileable:
            log.warning("%s is not tileable (align_corners=True): scores have seams of fixed tiles", model)
        sink = stack.enter_context(Sink("predict", len(names)))

        def work(name: str, recipe: Recipe) -> str:
            word = predict_stack(place, name, model, chosen, recipe, executor, sink.within)
            sink.step(name)
            return word

        return outcome_of_each(place, names, lambda name: predict_recipe(place, model, name, settings), work)


def in_chosen_precision(
    dataset: Dataset, names: Sequence[str], model: str, settings: Predict, executor: "Executor"
) -> tuple[Predict, "Executor"]:
    """Settings with the precision that a model predicts in, said in the log, and an executor that knows why.

    Where the device has something faster than float32 of which nothing is known for the model, it is measured first.
    """
    device, faster, known = executor.machine.device, tuple[Precision, ...](), list[Parity]()
    if is_automatic(settings):
        faster = executor.once(fast_precisions, device)
        measure = partial(executor.once, partial(measure_model, dataset, model, names, device))
        known = keep_parity(dataset, model, device, faster, measure)
    chosen, why = choose_precision(settings, device, faster, known)
    log.info("%s predicts in %s, because %s", model, chosen, why)
    return replace(settings, precision=chosen), replace(executor, why=why)


def _held(dataset: Dataset, model: str, identity: str, settings: Predict, device: str) -> Model:
    """The model, ready to predict on a device of this process, which loads it once."""
    return ready_model(dataset, model, identity, device, asked_precision(settings))


def _here(work: Callable[[Any], Any], of: Any) -> Any:
    """The answer of this process."""
    return work(of)


@dataclass(frozen=True)
class Executor:
    """Who predicts windows, and on which device; the numeric plan of a stack is made for it."""

    machine: Machine
    run: RunWindows
    holds: str
    """Kind of device on which this process itself holds the model."""
    once: Callable[[Callable[[Any], Any], Any], Any] = _here
    """Gives the answer of a function where windows are predicted, by one of those who do."""
    why: str = ""
    """Why the precision is what it is, for people."""


def of_this_process(device: str) -> Executor:
    """This process as executor; ValueError where a GPU is asked for and missing."""
    machine = _machine_here(device)
    return Executor(machine, run_locally, machine.device)


def of_workers(found: Workers, settings: Predict) -> Executor:
    """The workers of a cluster as executor; one worker is asked, as all are taken to be alike."""
    assert isinstance(found, DaskWorkers)

    def once(work: Callable[[Any], Any], of: Any) -> Any:
        asked = run_regions(found, work, [of], lambda: None, _resources(found, settings))
        return next(answer for _, answer in asked)

    return Executor(once(_machine_of_worker, settings.device), run_over_workers(found, settings), "cpu", once)


def _machine_here(device: str) -> Machine:
    """What this process computes on."""
    kind = choose_device(device).type
    free = torch.cuda.mem_get_info()[0] if kind == "cuda" else 0.0
    return Machine(kind, torch.get_num_threads(), free, cache_share())


def _machine_of_worker(device: str) -> Machine:
    """What a worker computes on; one prediction at a time takes all of its threads."""
    return replace(_machine_here(device), threads=own_threads())


def run_locally(job: StackPrediction, windows: Sequence[PlanesWindow], on_windows: OnWindows) -> float:
    """Predict windows in this process; returns the seconds that it waited for reading and writing."""
    clock = Clock()
    for done, _ in enumerate(job.walk(windows, clock), start=1):
        on_windows(done)
    return clock.waited


def run_over_workers(found: DaskWorkers, settings: Predict) -> RunWindows:
    """A function that maps windows over the workers of a cluster, a few at a time."""

    def run(job: StackPrediction, windows: Sequence[PlanesWindow], on_windows: OnWindows) -> float:
        size = max(min(WINDOWS_AT_ONCE, len(windows) // max(2 * found.count(), 1)), 1)
        batches = [windows[i : i + size] for i in range(0, len(windows), size)]
        done, waited = 0, 0.0
        for batch, seconds in run_regions(found, job, batches, lambda: None, _resources(found, settings)):
            done, waited = done + len(batch), waited + seconds
            on_windows(done)
        return waited

    return run


def _resources(found: DaskWorkers, settings: Predict) -> dict[str, float]:
    """One GPU for each task, where workers say that they have one."""
    return GPU if settings.device != "cpu" and found.count(GPU) else {}


def predict_stack(  # noqa: PLR0913, PLR0917  # a stack, a model, how, by whom, and who is told
    dataset: Dataset,
    name: str,
    model: str,
    settings: Predict,
    recipe: Recipe,
    executor: Executor,
    on_progress: OnProgress = lambda *_: None,
) -> str:
    """Write one stack's scores; out of memory, a new generation is begun with smaller tiles."""
    of_model, facts = model_identity(dataset, model), image_of(dataset, name).committed().facts
    loaded = _held(dataset, model, of_model, settings, executor.holds)
    architecture = loaded.network.architecture
    scale = scale_of(name, facts, model, loaded.pixel_size, settings)
    limits = plan_limits(architecture, settings, facts, scale, executor.machine)
    plan, result = largest_plan(limits), scores_of(dataset, model, name)
    job_of = partial(
        StackPrediction, dataset, name, model, of_model, settings, scale=scale, axes=scores_axes(facts["axes"])
    )
    same: Sequence[str] = ("device",)  # begun on another kind of device it is begun anew, as its last bits differ
    while True:
        generation = result.begin(recipe, plan.plain, same)
        job = job_of(plan=NumericPlan.of(generation.plan), target=generation.level(0))
        try:
            return _predict(job, loaded, facts, generation, executor, on_progress)
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
            result.discard(generation.name)  # else it would be taken on, with the plan that did not fit
            plan = _less(limits, job.plan, name, error)
            same = tuple(plan.plain)


def _less(limits: PlanLimits, plan: NumericPlan, name: str, error: Exception) -> NumericPlan:
    less = smaller_plan(limits, plan)
    if less is None:
        raise ValueError(f"{name} must fit the device's memory tile by tile, got {error}; use a CPU") from error
    log.warning("%s: out of memory; going on with tiles of %d × %d px, %d at once", name, *less.tile, less.batch)
    return less


@timed
def _predict(
    job: StackPrediction,
    model: Model,
    facts: Json,
    generation: Generation,
    executor: Executor,
    on_progress: OnProgress,
) -> str:
    architecture = model.network.architecture
    layout = scores_layout(facts, architecture.classes - 1, job.settings.dtype)
    create(job.target, layout, np.dtype(job.settings.dtype), job.axes)
    windows = list(planes_windows(plane_indices(facts), plane_windows(layout), job.plan.batch))

    def on_windows(done: int) -> None:
        on_progress(f"{job.name} {done}/{len(windows)} regions", done / len(windows))

    waited = executor.run(job, windows, on_windows)
    levels = pyramid(generation.level, averaged, job.axes)
    scales = ome.multiscales(generation, job.name, job.axes, levels, facts["spacing"], facts["units"])
    names = learnt_names(model_of(job.dataset, job.model).attributes())
    several = ome.score_channels(names, job.settings.dtype) if len(names) > 1 else {}
    attributes = {"ome": {"version": ome.VERSION, "multiscales": scales, **several}}
    known = {"axes": job.axes, "shape": list(layout.shape), "seconds": elapsed(), "waited": round(waited, 3)}
    known |= {"why_precision": _why(job, executor)} if executor.why else {}
    scores_of(job.dataset, job.model, job.name).commit(generation, attributes, known)
    seams = "" if architecture.tileable else f", not seamless: fixed tiles of {FIXED_SIDE} px"
    resized = f", at {job.scale[0]:g} × {job.scale[1]:g} of its pixels" if job.scale else ""
    halves = "" if job.plan.precision == "float32" else f" in {job.plan.precision}"
    return f"{math.prod(layout.shape):,} scores{halves}{resized}{seams}"


def _why(job: StackPrediction, executor: Executor) -> str:
    """Why the precision of a prediction is what it is: one that goes on keeps what it was begun with."""
    is_kept = job.plan.precision != asked_precision(job.settings)
    return f"it was begun in {job.plan.precision}" if is_kept else executor.why
