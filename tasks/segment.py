"""`scores/MODEL` → `images/NAME.ome.zarr/labels/MODEL` and `tables/MODEL/NAME.parquet`: instances, exact across shards.

Two passes over the scores: the first keeps the faces of each block, which are merged; the second writes the ids of the
whole and measures. No pixel of a block is kept between them. Clumps, if they are parted, are looked at in between.
"""

import io
import logging
import math
from collections.abc import Callable
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.execution.dask_workers import workers
from tasks.execution.outcomes import outcome_of_each
from tasks.execution.timing import elapsed, timed
from tasks.execution.workers import Workers, map_over_workers, run_regions
from tasks.policy import cpu_task
from tasks.reporting.progress import Sink
from unet.dataset.folder import Dataset, Json
from unet.images.units import spacing_in_pixels
from unet.labels.clumps import Boxes
from unet.labels.instances import BlockClumps, BlockToWrite, Instances
from unet.labels.measures import Measures, merge_measures
from unet.labels.merging import Merged, merge_blocks
from unet.labels.renumbering import renumber
from unet.labels.scores import Scores, chosen
from unet.labels.segment_table import table_columns
from unet.ledger.contents import PUBLISHED
from unet.ledger.found_settings import segment_numbers, untuned
from unet.ledger.generations import Generation, Result
from unet.ledger.outcome import Outcome
from unet.ledger.recipes import segment_recipe
from unet.ledger.results import TABLE, image_of, labels_of, scores_of
from unet.ledger.stamp import Recipe
from unet.settings.cluster import Cluster
from unet.settings.segment import Segment, SegmentNumbers
from unet.store import ome
from unet.store.arrays import UNSHUFFLED, create, open_array
from unet.store.pyramid import pyramid
from unet.store.shards import Region, plane_layout, sampled

log = logging.getLogger(__name__)

STACKS_AT_ONCE = 4
"""Stacks whose blocks are submitted side by side, so that many small stacks keep all workers busy."""


@cpu_task("segment")
def segment_stacks(
    dataset: str,
    names: list[str],
    model: str,
    settings: Segment,
    keep_scores: bool = True,
    cluster: str | Cluster | None = None,
) -> list[Outcome]:
    """Outcomes of a batch of stacks."""
    place = Dataset(dataset)
    with workers(cluster) as client, Sink("segment", len(names)) as sink:

        def work(name: str, recipe: Recipe) -> str:
            run = partial(segment_stack, place, name, model, settings, recipe, client, sink.counter(name))
            word = _finish(labels_of(place, name, model), recipe, keep_scores) or run()
            if not keep_scores:
                drop_scores(place, model, name)
            sink.step(name)
            return word

        return outcome_of_each(
            place, names, lambda name: segment_recipe(place, model, name, settings), work, STACKS_AT_ONCE
        )


def _finish(result: Result, recipe: Recipe, keep_scores: bool) -> str:
    """What was left to do, in words, where a run was killed after its commit; empty where segments are to be made."""
    if result.is_made_by(recipe):
        return "" if keep_scores else "scores dropped"
    made = result.known_stamp()
    if made is None or made.recipe != recipe or result.holes() != [PUBLISHED] or "contents" not in made.facts:
        return ""
    result.publish()
    return "table written"


@timed
def segment_stack(  # noqa: PLR0913, PLR0917  # a stack, a model, how, by whom, and who is told
    dataset: Dataset,
    name: str,
    model: str,
    settings: Segment,
    recipe: Recipe,
    client: Workers,
    counter: Callable[[int], Callable[[], None]] = lambda _: _silent,
) -> str:
    """Write one stack's segments and their table; returns their number in words."""
    result, facts = labels_of(dataset, name, model), image_of(dataset, name).committed().facts
    generation = result.begin(recipe, {})
    numbers, without = segment_numbers(dataset, model, settings), untuned(dataset, model, settings)
    job = _instances(dataset, name, model, numbers, facts, generation)
    create(job.target, job.layout, np.int64 if math.prod(job.layout.shape) >= 2**31 else np.int32, job.axes, UNSHUFFLED)
    blocks = list(job.blocks())
    tick = counter(2 * len(blocks))
    merged = merge_blocks((part for _, part in run_regions(client, job.label, blocks, tick)), job.rules)
    work, count, large = _work(job, merged, blocks, client)
    _say_whole(name, large, numbers)
    measured = sorted(run_regions(client, job.write, work, tick), key=_place)  # sums depend on the order
    measures = [each for _, each in measured]
    levels = pyramid(generation.level, sampled, job.axes, UNSHUFFLED, map_over_workers(client))
    scales = ome.multiscales(generation, model, job.axes, levels, facts["spacing"], facts["units"])
    (generation.folder / TABLE).write(_parquet(merge_measures(measures), job, facts, generation.name))
    ome.list_label(dataset.image(name) / "labels", model)
    known = {"count": count, "whole": large.box.swapaxes(1, 2).tolist(), "seconds": elapsed()}
    result.commit(generation, ome.label_attributes(scales), known)
    return f"{count:,} segments" + (f"; nothing was found for {model}, so {without}" if without else "")


def drop_scores(dataset: Dataset, model: str, name: str) -> None:
    """Remove a segmented stack's scores; their metadata stays, and says so."""
    scores = scores_of(dataset, model, name)
    stamp = scores.committed()
    scores.amend({"dropped": True})
    scores.discard(stamp.generation)


def _place(measured: tuple[BlockToWrite, Measures]) -> tuple[int, ...]:
    return tuple(part.start for part in measured[0].block)


def _silent() -> None:
    """Tell nobody."""


def _instances(
    dataset: Dataset, name: str, model: str, settings: SegmentNumbers, facts: Json, generation: Generation
) -> Instances:
    image, scores = image_of(dataset, name), scores_of(dataset, model, name)
    axes, folder = facts["axes"].replace("c", ""), ome.full_level(scores)
    shape = tuple(size for axis, size in zip(facts["axes"], facts["shape"], strict=True) if axis != "c")
    score_axes = scores.committed().facts["axes"]
    spacing = spacing_in_pixels(axes, facts["spacing"], facts["units"])
    return Instances(
        image=ome.full_level(image),
        image_axes=facts["axes"],
        scores=Scores(folder, score_axes, chosen(settings.classes, score_axes, open_array(folder).shape, model)),
        target=generation.level(0),
        axes=axes,
        layout=plane_layout(shape, 4),
        settings=settings,
        spacing=spacing if settings.dimensions == 3 and len(spacing) == 3 else None,
    )


def _work(
    job: Instances, merged: Merged, blocks: list[Region], client: Workers
) -> tuple[list[BlockToWrite], int, Boxes]:
    """Work for each block, the number of segments, and the objects that are too large to be parted."""
    lookups = [merged.lookups[tuple(part.start for part in block)] for block in blocks]
    both = list(zip(blocks, lookups, strict=True))
    boxes, large = job.boxes(merged)
    if job.settings.declump_depth == 0:
        return (
            [BlockToWrite(block, ids, ids, boxes.of(np.zeros(0, np.int64)), []) for block, ids in both],
            merged.count,
            large,
        )
    looks = [BlockClumps(block, ids, boxes.of(ids).starting_in(block)) for block, ids in both]
    found = [clump for _, clumps in run_regions(client, job.part, looks) for clump in clumps]
    final = renumber(merged, found, job.settings.min_size)
    clumps = boxes.of(np.array(list(final.parts)))
    here = [(block, ids, clumps.of(ids)) for block, ids in both]
    work = [
        BlockToWrite(block, final.ids[old], old, some, [final.parts[number] for number in some.id.tolist()])
        for block, old, some in here
    ]
    return work, final.count, large


def _say_whole(name: str, large: Boxes, settings: SegmentNumbers) -> None:
    if large.id.size:
        worst = large.pixels().argmax()
        place = ", ".join(f"{start}…{stop}" for start, stop in large.box[worst].T)
        log.warning(
            "%s: %d objects are left whole, their bounding boxes being larger than segment.max_declump_box %d pixels; "
            "the largest has %d, at [%s]",
            name, large.id.size, settings.max_declump_box, large.pixels()[worst], place,
        )  # fmt: skip


def _parquet(measures: Measures, job: Instances, facts: Json, generation: str) -> bytes:
    shape, dimensions, classes = job.layout.shape, job.rules.dimensions, job.scores.chosen
    spacing, units, channels = (facts[fact] for fact in ("spacing", "units", "channels"))
    columns = table_columns(measures, job.axes, spacing, units, channels, shape, dimensions, classes)
    rows = pa.table(columns).replace_schema_metadata({"unet-flows.generation": generation})
    buffer = io.BytesIO()
    pq.write_table(rows, buffer)
    return buffer.getvalue()
