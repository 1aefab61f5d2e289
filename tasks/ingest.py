"""Microscope files → `images/NAME.ome.zarr`, with truth beside them in its labels."""

import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.execution.outcomes import outcome_of_each
from tasks.execution.timing import elapsed, timed
from tasks.policy import cpu_task, is_last_try
from tasks.reporting.progress import Sink
from unet.dataset.folder import Dataset, Folder, Json
from unet.formats.guarded import guarded
from unet.formats.linking import gather_linked, linked_level
from unet.formats.readers import Opened, find_scenes, open_found
from unet.images.channel_colours import display_colours
from unet.images.normalisation import Gathering, plain_statistics
from unet.labels.class_of_ids import write_classes
from unet.labels.classed_truth import open_kept
from unet.labels.truth_values import IGNORED, UNJUDGED, require_fit
from unet.ledger import fingerprint
from unet.ledger.contents import CLASSES
from unet.ledger.fingerprint import Fingerprint, sizes_and_times
from unet.ledger.generations import Generation, Result
from unet.ledger.outcome import Outcome
from unet.ledger.recipes import edited_recipe, image_recipe, ingest_recipe, truth_recipe, withdrawn_recipe
from unet.ledger.results import image_of, labels_of, weights_of
from unet.ledger.source_fingerprints import source_fingerprints
from unet.ledger.source_reading import SourceError, SourceReading, UnreadableError, source_errors, unfinished
from unet.ledger.stamp import Recipe
from unet.ledger.truth_state import class_digest, has_truth, is_edited, is_to_be_withdrawn
from unet.settings.ingest import Ingest
from unet.sources.stacks import Stack
from unet.store import ome
from unet.store.arrays import Stored, create, open_array
from unet.store.plane_copy import copied
from unet.store.pyramid import create_levels, pyramid
from unet.store.shards import Level, Region, averaged, plane_layout, regions, sampled, stack_layout


@cpu_task("ingest")
def ingest_stacks(dataset: str, names: list[Stack], settings: Ingest, force: bool = False) -> list[Outcome]:
    """Outcomes of a batch of stacks."""
    place, stacks = Dataset(dataset), {stack.name: stack for stack in names}
    with Sink("ingest", len(stacks)) as sink:

        def work(name: str, _: Recipe) -> str:
            word = _ingest_or_give_up(place, stacks[name], settings, force)
            sink.step(name)
            return word

        def recipe(name: str) -> Recipe:
            return ingest_recipe(place, stacks[name], settings)

        def sources(name: str) -> list[Fingerprint]:
            return [each for each in source_fingerprints(place, stacks[name]) if each.seen]  # known of what is there

        return outcome_of_each(place, list(stacks), recipe, work, sources=sources)


def _ingest_or_give_up(dataset: Dataset, stack: Stack, settings: Ingest, force: bool) -> str:
    """The same as `ingest_stack`; a source that stays unreadable is that stack's failure, and not the world's."""
    try:
        return ingest_stack(dataset, stack, settings, force)
    except SourceError as error:
        if error.is_lasting or is_last_try():
            raise UnreadableError(str(error)) from error
        raise


def ingest_stack(dataset: Dataset, stack: Stack, settings: Ingest, force: bool = False) -> str:
    """Bring in a stack's image and its truth, each only where it is stale; returns what was done in words.

    Raises:
        UnfinishedError: somebody wrote into a file meanwhile, which may be why it could not be read.
    """
    files = (*stack.files, *stack.truth)
    before = sizes_and_times(files)
    try:
        return _ingest_stack(dataset, stack, settings, force)
    except (ValueError, LookupError) as error:
        now = sizes_and_times(files)
        if now == before:
            raise
        raise unfinished([file for file in files if now.get(file) != before.get(file)]) from error


def _ingest_stack(dataset: Dataset, stack: Stack, settings: Ingest, force: bool) -> str:
    image, recipe = image_of(dataset, stack.name), image_recipe(dataset, stack, settings)
    if force or not image.is_made_by(recipe):
        _write_image(image, stack, settings, recipe)
        _list_labels(dataset.image(stack.name) / "labels")
    if is_to_be_withdrawn(dataset, stack):
        return f"image, {_withdraw_truth(dataset, stack.name)}"
    if not has_truth(dataset, stack.name, stack):
        return "image"
    return f"image, {_ingest_truth(dataset, stack, force)}"


def _list_labels(labels: Folder) -> None:
    """Mend the list of an image's labels, where there are some."""
    if labels.names() and not (labels / "zarr.json").holds_bytes():
        ome.list_label(labels)


@timed
def _write_image(image: Result, stack: Stack, settings: Ingest, recipe: Recipe) -> None:
    if stack.refused:  # its files may not be there
        raise ValueError(stack.refused)
    reading = SourceReading(stack.files, stack.is_linked)
    with guarded(stack.files, open_found(stack)) as opened:
        generation = reading.begin(image, recipe)
        gatherings = [Gathering() for _ in opened.channels]
        linked, notes = linked_level(stack, generation.level(0)) if stack.is_linked else (None, ())
        if linked is None:
            levels = _copy(opened, generation, gatherings)
        else:
            levels = averaged(opened.shape)[:1]
            gather_linked(linked, gatherings)
    files = reading.finish(image, generation, recipe.inputs["source"])
    with source_errors(stack.files):
        scenes = 1 if stack.scene is None else find_scenes(stack.files[0]).number
    statistics = [gathering.finish(settings.percentile_low, settings.percentile_high) for gathering in gatherings]
    scales = ome.multiscales(generation, stack.name, opened.axes, levels, opened.spacing, opened.units)
    facts = {
        "axes": opened.axes,
        "shape": list(opened.shape),
        "dtype": str(opened.dtype),
        "spacing": dict(opened.spacing),
        "units": dict(opened.units),
        "channels": list(opened.channels),
        "notes": [*opened.notes, *notes],
        **({"link": linked.source.folder} if linked else {}),
        "statistics": plain_statistics(statistics),
        "detail": [found and found._asdict() for found in (gathering.detail.finish() for gathering in gatherings)],
        "source": list(stack.files),
        "source_folder": stack.source,
        "scene": stack.scene,
        "scenes": scenes,
        "files": vars(files),
        "seconds": elapsed(),
    } | ({"well": list(stack.well)} if stack.well else {})
    colours = display_colours(opened.channels, opened.colours)
    image.commit(generation, ome.image_attributes(scales, opened.channels, statistics, colours), facts)


def _copy(opened: Opened, generation: Generation, gatherings: Sequence[Gathering]) -> list[Level]:
    """Write all levels of an image, its pixels looked at in passing."""
    create(generation.level(0), stack_layout(opened.shape, opened.dtype.itemsize), opened.dtype, opened.axes)
    levels, arrays = create_levels(generation.level, averaged, opened.axes)
    threads = os.cpu_count() or 1
    for region, block in copied(opened.plane, arrays, threads, threads if opened.is_shared else 1):
        for channel, part in _by_channel(region, block, opened.axes):
            gatherings[channel].add(part)
    return levels


def _withdraw_truth(dataset: Dataset, name: str) -> str:
    """Take a stack's truth out of use: its weights are removed, its pixels stay until the source has truth again."""
    weights_of(dataset, name).folder.remove()
    truth = labels_of(dataset, name, "truth")
    truth.amend({"withdrawn": True}, withdrawn_recipe(truth.committed().recipe))
    return "its truth is withdrawn, as its source has it no more"


def _ingest_truth(dataset: Dataset, stack: Stack, force: bool) -> str:
    truth, recipe = labels_of(dataset, stack.name, "truth"), truth_recipe(dataset, stack)
    of_image = image_of(dataset, stack.name).committed().facts
    axes = of_image["axes"].replace("c", "")
    shape = tuple(size for axis, size in zip(of_image["axes"], of_image["shape"], strict=True) if axis != "c")
    edited = is_edited(dataset, stack.name)
    if edited or not stack.truth:
        _require_whole(stack.name, truth)
    if edited or not stack.truth or (not force and truth.is_made_by(recipe)):
        require_fit(stack.name, axes, open_array(ome.full_level(truth)).shape, shape)
        _amend_truth(dataset, stack, truth, of_image)
        return "truth kept as it was edited by hand" if edited else "truth as before"
    reading = SourceReading(stack.truth)
    sizes = dict(zip(of_image["axes"], of_image["shape"], strict=True))
    with open_kept(stack, sizes) as kept:
        require_fit(stack.name, kept.axes, kept.shape, shape)
        generation = reading.begin(truth, recipe)
        stored = create(generation.level(0), plane_layout(shape, 4), kept.dtype, axes)
        _write_planes(stored, kept.planes)
    classes = kept.classes.found() if kept.classes else None
    if classes:
        write_classes(generation.folder / CLASSES, classes)
    files = reading.finish(truth, generation, recipe.inputs["truth source"])
    levels = pyramid(generation.level, sampled, axes)
    scales = ome.multiscales(generation, "truth", axes, levels, of_image["spacing"], of_image["units"])
    ome.list_label(dataset.image(stack.name) / "labels", "truth")
    facts = {
        "source": list(stack.truth),
        "files": vars(files),
        "ignore": kept.ignore,
        "notes": list(kept.notes),
        "arrays": vars(fingerprint.of_folder(generation.level(0))),
        **({"classes": list(classes.names), "class_digest": class_digest(generation.folder)} if classes else {}),
    }
    is_described = classes is not None and classes.ids.size <= ome.MOST_DESCRIBED
    of_ids = (classes.ids.tolist(), classes.classes.tolist(), classes.names) if classes and is_described else ()
    truth.commit(generation, ome.label_attributes(scales, *of_ids), facts)
    return "truth"


def _amend_truth(dataset: Dataset, stack: Stack, truth: Result, of_image: Json) -> None:
    """Say of truth that is kept what is so now: the id that is ignored, and the sizes of the image's pixels."""
    stamp, attributes = truth.stamp(), truth.attributes()
    if stamp is None:
        return
    recipe = edited_recipe(dataset, stack, stamp.recipe)
    now = ome.resized(attributes, of_image["spacing"], of_image["units"])
    if recipe != stamp.recipe:
        truth.amend({"ignore": int(IGNORED) if stack.ignore == UNJUDGED else stack.ignore}, recipe)
    if now["ome"] != attributes["ome"]:
        truth.amend({}, more={"ome": now["ome"]})


def _require_whole(name: str, truth: Result) -> None:
    """Refuse truth that lacks a file and is nobody's copy: only who drew it can put it back."""
    if holes := truth.holes():
        raise ValueError(
            f"truth of {name} must be there, got no whole {truth.where(holes[0])}, and no source to take it from; "
            "write it again, empty planes too (zarr leaves them out unless its config says write_empty_chunks)"
        )


def _by_channel(region: Region, block: NDArray[Any], axes: str) -> Iterable[tuple[int, NDArray[Any]]]:
    if "c" not in axes:
        return [(0, block)]
    axis = axes.index("c")
    return [(region[axis].start + i, part) for i, part in enumerate(np.moveaxis(block, axis, 0))]


def _write_planes(stored: Stored, planes: Iterable[NDArray[Any]]) -> None:
    shape = stored.layout.shape
    for index, plane in zip(np.ndindex(*shape[:-2]), planes, strict=True):
        for region in _plane_regions(stored, index):
            if not stored.is_done(region):
                stored.write(region, plane[region[-2:]].reshape([part.stop - part.start for part in region]))


def _plane_regions(stored: Stored, index: Sequence[int]) -> list[Region]:
    leading = tuple(slice(i, i + 1) for i in index)
    return [(*leading, *region) for region in regions(stored.layout.plane)]
