"""`scores/MODEL` → `images/NAME.ome.zarr/labels/MODEL` and `tables/MODEL/NAME.parquet`: instances, exact across shards.

Two passes over the scores: the first keeps the faces of each block, which are merged; the second writes the ids of the
whole and measures, from the last block to the first, so that it finds in memory what is still there of the first one
(`kept_blocks`, at most 0.4 GB a process). Clumps, if they are parted, are looked at in between.
"""

import io
import logging
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

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
from unet.images.array_types import Labels
from unet.images.units import spacing_in_pixels
from unet.labels.clumps import Boxes
from unet.labels.instances import BlockClumps, BlockToWrite, Instances
from unet.labels.measures import Measures, merge_measures, middle_object
from unet.labels.merging import BlockLabels, Merged, merge_blocks
from unet.labels.renumbering import Clump, FinalIds, numbered_on, renumber
from unet.labels.scores import Scores, chosen
from unet.labels.segment_table import Kinds, table_columns
from unet.ledger.class_settings import segmented_classes
from unet.ledger.contents import PUBLISHED
from unet.ledger.found_settings import untuned
from unet.ledger.generations import Generation, Result
from unet.ledger.outcome import Outcome
from unet.ledger.recipes import segment_recipe
from unet.ledger.results import TABLE, image_of, labels_of, scores_of
from unet.ledger.stamp import Recipe
from unet.settings.cluster import Cluster
from unet.settings.segment import Segment
from unet.settings.segment_classes import SegmentedClasses
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
    classes, without = segmented_classes(dataset, model, settings), untuned(dataset, model, settings)
    job = _instances(dataset, name, model, classes, facts, generation)
    create(job.target, job.layout, np.int64 if math.prod(job.layout.shape) >= 2**31 else np.int32, job.axes, UNSHUFFLED)
    blocks = list(job.blocks())
    tick = counter(2 * len(blocks))
    labelled = [labels for _, labels in run_regions(client, job.label, blocks, tick)]
    work = _work(job, labelled, blocks, client)
    _say_whole(name, work.large, classes.numbers[0].max_declump_box)
    last_first = reversed(work.blocks)  # the last ones of the first pass are still in memory
    measured = sorted(run_regions(client, job.write, last_first, tick), key=_place)  # sums depend on the order
    measures = merge_measures([each for _, each in measured])
    levels = pyramid(generation.level, sampled, job.axes, UNSHUFFLED, map_over_workers(client))
    scales = ome.multiscales(generation, model, job.axes, levels, facts["spacing"], facts["units"])
    kinds = _kinds(measures, job, classes, work.counts)
    (generation.folder / TABLE).write(_parquet(measures, job, facts, generation.name, kinds))
    ome.list_label(dataset.image(name) / "labels", model)
    known = {"count": sum(work.counts), "whole": work.large.box.swapaxes(1, 2).tolist(), "seconds": elapsed()}
    known |= {"dimensions": classes.numbers[0].dimensions, **middle_object(measures)}
    known |= {"count_by_class": (counts := kinds.counts())} if kinds.names else {}
    first = slice(ome.MOST_DESCRIBED + 1 if kinds.names else 0)  # of more than that nothing is described
    ids, numbers = measures.ids[first].tolist(), kinds.numbers[first].tolist()
    names = classes.learnt if kinds.names else ()
    result.commit(generation, ome.label_attributes(scales, ids, numbers, names), known)
    several = f": {', '.join(f'{each} {count:,}' for each, count in counts.items())}" if kinds.names else ""
    said = f"; nothing was found for {model}, so {without}" if without else ""
    return f"{sum(work.counts):,} segments{several}{said}"


def drop_scores(dataset: Dataset, model: str, name: str) -> None:
    """Remove a segmented stack's scores; their metadata stays, and says so."""
    scores = scores_of(dataset, model, name)
    stamp = scores.committed()
    scores.amend({"dropped": True})
    scores.discard(stamp.generation)


def _place(measured: tuple[list[BlockToWrite], Measures]) -> tuple[int, ...]:
    return tuple(part.start for part in measured[0][0].block)


def _silent() -> None:
    """Tell nobody."""


def _instances(
    dataset: Dataset, name: str, model: str, classes: SegmentedClasses, facts: Json, generation: Generation
) -> Instances:
    image, scores = image_of(dataset, name), scores_of(dataset, model, name)
    axes, folder = facts["axes"].replace("c", ""), ome.full_level(scores)
    shape = tuple(size for axis, size in zip(facts["axes"], facts["shape"], strict=True) if axis != "c")
    score_axes = scores.committed().facts["axes"]
    spacing = spacing_in_pixels(axes, facts["spacing"], facts["units"])
    return Instances(
        image=ome.full_level(image),
        image_axes=facts["axes"],
        scores=Scores(folder, score_axes, chosen(classes.chosen, score_axes, open_array(folder).shape, model)),
        target=generation.level(0),
        axes=axes,
        layout=plane_layout(shape, 4),
        settings=classes.numbers,
        spacing=spacing if classes.numbers[0].dimensions == 3 and len(spacing) == 3 else None,
    )


class _Work(NamedTuple):
    """What the second pass writes."""

    blocks: list[list[BlockToWrite]]
    """Of each block its work of each class."""
    counts: list[int]
    """Segments of each class."""
    large: Boxes
    """The objects that are too large to be parted."""


def _work(job: Instances, labelled: Sequence[Sequence[BlockLabels]], blocks: list[Region], client: Workers) -> _Work:
    """The work of each block, its ids numbered on from class to class."""
    classes = job.classes
    merged = [merge_blocks(of_it, each.rules) for each, of_it in zip(classes, zip(*labelled, strict=True), strict=True)]
    boxes = [each.boxes(whole) for each, whole in zip(classes, merged, strict=True)]
    clumps = _clumps(job, merged, [small for small, _ in boxes], blocks, client)
    by_class, counts = list[list[BlockToWrite]](), list[int]()
    for each, whole, (small, _), found in zip(classes, merged, boxes, clumps, strict=True):
        final = renumber(whole, found, each.settings.min_size) if each.is_parted else None
        by_class.append(_work_of_class(whole, final, small, blocks, sum(counts)))
        counts.append(final.count if final else whole.count)
    large = [large for each, (_, large) in zip(classes, boxes, strict=True) if each.is_parted] or [boxes[0][1]]
    joined = Boxes(*(np.concatenate(column) for column in zip(*large, strict=True)))
    return _Work([list(works) for works in zip(*by_class, strict=True)], counts, joined)


def _clumps(
    job: Instances, merged: Sequence[Merged], boxes: Sequence[Boxes], blocks: list[Region], client: Workers
) -> list[list[Clump]]:
    """The clumps of each class; none where none is parted."""
    clumps: list[list[Clump]] = [[] for _ in merged]
    if any(each.is_parted for each in job.classes):
        ids = [[_ids_in(whole, block) for whole in merged] for block in blocks]
        looks = [
            [BlockClumps(block, own, each.of(own).starting_in(block)) for own, each in zip(here, boxes, strict=True)]
            for block, here in zip(blocks, ids, strict=True)
        ]
        for _, found in run_regions(client, job.part, looks):
            for all_of_class, more in zip(clumps, found, strict=True):
                all_of_class.extend(more)
    return clumps


def _work_of_class(
    merged: Merged, final: FinalIds | None, boxes: Boxes, blocks: list[Region], before: int
) -> list[BlockToWrite]:
    """The work of each block for one class, after so many ids of others; `final` where clumps are parted."""
    if final is None:
        none, ids = boxes.of(np.zeros(0, np.int64)), [_ids_in(merged, block) for block in blocks]
        both = zip(blocks, ids, strict=True)
        return [BlockToWrite(block, numbered_on(own, before), own, none, []) for block, own in both]
    whole = numbered_on(final.ids, before)
    parts = {clump: numbered_on(ids, before) for clump, ids in final.parts.items()}
    clumps = boxes.of(np.array(list(parts)))
    here = [(block, old, clumps.of(old)) for block in blocks for old in [_ids_in(merged, block)]]
    return [
        BlockToWrite(block, whole[old], old, some, [parts[number] for number in some.id.tolist()])
        for block, old, some in here
    ]


def _ids_in(merged: Merged, block: Region) -> Labels:
    return merged.lookups[tuple(part.start for part in block)]


def _say_whole(name: str, large: Boxes, limit: int) -> None:
    if large.id.size:
        worst = large.pixels().argmax()
        place = ", ".join(f"{start}…{stop}" for start, stop in large.box[worst].T)
        log.warning(
            "%s: %d objects are left whole, their bounding boxes being larger than segment.max_declump_box %d pixels; "
            "the largest has %d, at [%s]",
            name, large.id.size, limit, large.pixels()[worst], place,
        )  # fmt: skip


def _kinds(measures: Measures, job: Instances, classes: SegmentedClasses, counts: Sequence[int]) -> Kinds:
    """The class of each segment that was measured: told by its id, or by its scores where classes are mixed."""
    if len(counts) == 1:
        return Kinds.by_scores(measures, job.scores.chosen, classes.names)
    of_ids = np.repeat(job.scores.chosen, counts)
    return Kinds(of_ids[measures.ids - 1], job.scores.chosen, classes.names)


def _parquet(measures: Measures, job: Instances, facts: Json, generation: str, kinds: Kinds) -> bytes:
    shape, dimensions = job.layout.shape, job.classes[0].rules.dimensions
    spacing, units, channels = (facts[fact] for fact in ("spacing", "units", "channels"))
    columns = table_columns(measures, job.axes, spacing, units, channels, shape, dimensions, kinds)
    rows = pa.table(columns).replace_schema_metadata({"unet-flows.generation": generation})
    buffer = io.BytesIO()
    whole = {field.name: "DELTA_BINARY_PACKED" for field in rows.schema if pa.types.is_integer(field.type)}
    words = [field.name for field in rows.schema if pa.types.is_string(field.type)]
    pq.write_table(rows, buffer, use_dictionary=words, column_encoding=whole)  # half the time of dictionaries for all
    return buffer.getvalue()
