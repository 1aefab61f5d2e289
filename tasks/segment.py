"""`scores/MODEL` → `images/NAME.ome.zarr/labels/MODEL` and `tables/MODEL/NAME.parquet`: instances, exact across shards.

Two passes over the scores: the first keeps the faces of each block, which are merged; the second writes the ids of the
whole and measures. No pixel of a block is kept between them.
"""

import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from distributed import Client
from numpy.typing import NDArray

from tasks.outcomes import each
from tasks.policy import cpu_task
from tasks.progress import Sink
from unet import ome
from unet.blockwise import run_regions, workers
from unet.folder import Dataset, Folder, Json
from unet.labels import Part, label_block, merge_parts, relabel_block
from unet.layout import Layout, Region, plane_layout, regions, within
from unet.ledger import Generation, Outcome, Recipe, image_of, labels_of, scores_of
from unet.recipes import segment_recipe
from unet.records import Cluster, Segment
from unet.store import Stored, create, nearest, open_array, pyramid
from unet.tables import Measures, measure_block, merge_measures, table

STACKS_AT_ONCE = 4
"""Stacks whose blocks are submitted side by side, so that many small stacks keep all workers busy."""
PLANES = 16
"""Planes of a block where objects go on along z."""


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
            made = labels_of(place, name, model).stamp()
            only_drop = not keep_scores and made is not None and made.recipe == recipe  # killed after its commit
            word = "scores dropped" if only_drop else segment_stack(place, name, model, settings, recipe, client)
            if not keep_scores:
                drop_scores(place, model, name)
            sink.step(name)
            return word

        return each(place, names, lambda name: segment_recipe(place, model, name, settings), work, STACKS_AT_ONCE)


def segment_stack(dataset: Dataset, name: str, model: str, settings: Segment, recipe: Recipe, client: Client) -> str:
    """Write one stack's segments and their table; says how many there are."""
    result, facts = labels_of(dataset, name, model), image_of(dataset, name).committed().facts
    generation = result.begin(recipe, {})
    job = _job(dataset, name, model, settings, facts, generation)
    create(job.target, job.layout, np.int64 if math.prod(job.layout.shape) >= 2**31 else np.int32, job.axes)
    blocks = list(job.blocks())
    parts = [part for _, part in run_regions(client, partial(_first_pass, job), blocks, lambda: None)]
    merged = merge_parts(parts, job.dimensions, settings.connectivity, settings.minimum)
    second = [(block, merged.lookups[tuple(part.start for part in block)]) for block in blocks]
    measures = [measured for _, measured in run_regions(client, partial(_second_pass, job), second, lambda: None)]
    shapes = pyramid(generation.folder, nearest, job.axes)
    scales = ome.multiscales(generation.name, job.axes, shapes, facts["spacing"], facts["units"])
    dataset.table(model, name).write(_parquet(merge_measures(measures), job, facts, generation.name))
    ome.list_label(dataset.image(name) / "labels", model)
    result.commit(generation, ome.label_attributes(scales), {"count": merged.count})
    return f"{merged.count:,} segments"


def drop_scores(dataset: Dataset, model: str, name: str) -> None:
    """Remove a segmented stack's scores; their card stays, and says so."""
    scores = scores_of(dataset, model, name)
    stamp = scores.committed()
    scores.amend({"dropped": True})
    (scores.folder / stamp.generation).remove()


@dataclass(frozen=True)
class Job:
    """What both passes need, as plain values: it goes to the workers."""

    image: Folder
    image_axes: str
    scores: Folder
    score_axes: str
    target: Folder
    axes: str
    layout: Layout
    settings: Segment

    @property
    def dimensions(self) -> int:
        """Axes along which objects go on; z only where there is one."""
        return 3 if self.settings.dimensions == 3 and "z" in self.axes else 2

    def blocks(self) -> Iterator[Region]:
        """Blocks of whole shards that tile the array."""
        planes = 1 if self.dimensions == 2 else PLANES
        *leading, y, x = self.layout.shard
        return regions(
            Layout(self.layout.shape, (*leading[:-1], *([planes] if leading else []), y, x), self.layout.chunk)
        )


def _job(dataset: Dataset, name: str, model: str, settings: Segment, facts: Json, generation: Generation) -> Job:
    image, scores = image_of(dataset, name), scores_of(dataset, model, name)
    axes = facts["axes"].replace("c", "")
    shape = tuple(size for axis, size in zip(facts["axes"], facts["shape"], strict=True) if axis != "c")
    return Job(
        image=ome.full_level(image),
        image_axes=facts["axes"],
        scores=ome.full_level(scores),
        score_axes=scores.committed().facts["axes"],
        target=generation.folder / "0",
        axes=axes,
        layout=plane_layout(shape, 4),
        settings=settings,
    )


def _first_pass(job: Job, block: Region) -> Part:
    origin = [part.start for part in block]
    mask = _mask(_object_scores(job, block), job.settings.threshold)
    return label_block(mask, origin, job.layout.shape, job.dimensions, job.settings.connectivity)


def _second_pass(job: Job, block_and_lookup: tuple[Region, NDArray[Any]]) -> Measures:
    block, lookup = block_and_lookup
    scores = _object_scores(job, block)
    labels = relabel_block(_mask(scores, job.settings.threshold), lookup, job.dimensions, job.settings.connectivity)
    target = Stored(job.target)
    for region in _shards(block, job.layout):
        if not target.is_done(region):
            target.write(region, labels[within(region, block)])
    return measure_block(labels, _pixels(job, block), scores, [part.start for part in block])


def _mask(scores: NDArray[Any], threshold: float) -> NDArray[np.bool_]:
    """Where scores reach the threshold: ≥ ceil(255·t) for uint8."""
    return np.asarray(scores >= (math.ceil(255 * threshold) if scores.dtype == np.uint8 else threshold))


def _object_scores(job: Job, block: Region) -> NDArray[Any]:
    """Scores of being any object: the sum over classes, in the scores' own type."""
    scores = _with_channels(job.scores, job.score_axes, job.axes, block)
    highest = 255 if scores.dtype == np.uint8 else 1
    total = scores[0] if len(scores) == 1 else np.minimum(scores.sum(axis=0, dtype=np.float64), highest)
    return np.asarray(total, scores.dtype)


def _pixels(job: Job, block: Region) -> NDArray[Any]:
    return _with_channels(job.image, job.image_axes, job.axes, block)


def _with_channels(folder: Folder, axes: str, wanted: str, block: Region) -> NDArray[Any]:
    """A block with its channels first."""
    region = dict(zip(wanted, block, strict=True))
    values = np.asarray(open_array(folder)[tuple(region.get(axis, slice(None)) for axis in axes)])
    return np.moveaxis(values, axes.index("c"), 0) if "c" in axes else values[None]


def _shards(block: Region, layout: Layout) -> Iterator[Region]:
    """The shards that a block is made of."""
    sizes = tuple(part.stop - part.start for part in block)
    for region in regions(Layout(sizes, layout.shard, layout.chunk)):
        yield tuple(slice(b.start + r.start, b.start + r.stop) for b, r in zip(block, region, strict=True))


def _parquet(measures: Measures, job: Job, facts: Json, generation: str) -> bytes:
    columns = table(
        measures, job.axes, facts["spacing"], facts["units"], facts["channels"], job.layout.shape, job.dimensions
    )
    rows = pa.table(columns).replace_schema_metadata({"unet-flows.generation": generation})
    buffer = io.BytesIO()
    pq.write_table(rows, buffer)
    return buffer.getvalue()


def read_table(dataset: Dataset, model: str, name: str) -> Any:
    """A stack's table as pyarrow reads it; LookupError where there is none."""
    content = dataset.table(model, name).read()
    if content is None:
        raise LookupError(f"{name} must be segmented by {model} to have a table; run `unet-flows segment` first")
    return pq.read_table(io.BytesIO(content))
