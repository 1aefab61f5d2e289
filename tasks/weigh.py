"""`labels/truth` → `weights/NAME.zarr`: what training sees of the truth, and the border weights.

A region is one shard of both arrays, and reads its own halo. Large stacks are mapped region by region over the dask
workers, small ones whole and several to a task, so that scheduling costs little. On the way the truth is checked.

Memory: a region is at most 17 Mpx, with the default halo 26 Mpx in 3-D, of about 30 bytes: 0.8 GB a worker thread at
its peak, however large the stack; what is kept of a region is its components and faces.
"""

import logging
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from tasks.execution.batches import batched
from tasks.execution.dask_workers import workers
from tasks.execution.outcomes import outcome_of_each, outcome_or_error, outcomes_or_raise
from tasks.execution.timing import elapsed, timed
from tasks.execution.workers import map_one_by_one, map_over_workers, run_regions
from tasks.policy import cpu_task
from tasks.reporting.progress import Sink
from unet.dataset.folder import Dataset, Folder, Json
from unet.images.array_types import IGNORE, Labels
from unet.images.units import spacing_in_pixels
from unet.labels.class_of_ids import ClassOfIds, read_classes
from unet.ledger.generations import Result
from unet.ledger.outcome import Outcome
from unet.ledger.recipes import weigh_recipe
from unet.ledger.results import image_of, labels_of, weights_of
from unet.ledger.stamp import Recipe
from unet.ledger.truth_findings import TruthCheck, warnings, words
from unet.ledger.truth_state import ignored_id
from unet.settings.classes import OBJECT
from unet.settings.cluster import Cluster
from unet.settings.weigh import Weigh
from unet.store import ome
from unet.store.arrays import UNSHUFFLED, Stored, create, open_array
from unet.store.shards import Region, grow, regions, weights_layout, within
from unet.weight_maps.border_weights import halo, weigh_block
from unet.weight_maps.checked_blocks import CheckedBlock
from unet.weight_maps.truth_check import check_block, merge_checks

log = logging.getLogger(__name__)


SMALL_STACK = 2**22
"""Pixels of truth up to which a stack is weighed whole, by one dask task."""
SMALL_BATCH = 2**19
"""Pixels of small stacks that one dask task weighs: some tenths of a second, of which scheduling is a hundredth."""
LARGE_AT_ONCE = 2
"""Large stacks whose regions are submitted side by side, so that the end of one leaves no worker idle."""


@dataclass(frozen=True)
class WeighedRegion:
    """What is told of a weighed region, beside its pixels."""

    counts: NDArray[np.int64]
    """Pixels of background, of each class and of what nobody judged, (…, K + 1), for each of the region's planes."""
    checked: CheckedBlock


MapRegions = Callable[[Callable[[Region], WeighedRegion], Iterable[Region]], Iterable[tuple[Region, WeighedRegion]]]
"""Gives each region with what a function makes of it, in any order."""


@cpu_task("weigh")
def weigh_stacks(
    dataset: str,
    names: list[str],
    settings: Weigh,
    cluster: str | Cluster | None = None,
    classes: tuple[str, ...] = (OBJECT,),
) -> list[Outcome]:
    """Outcomes of a batch of stacks; `classes` are the names of the dataset's classes of objects, in order."""
    place = Dataset(dataset)
    small, large = _by_size(place, names)
    with workers(cluster) as found, Sink("weigh", len(names)) as sink:
        results: list[Outcome | Exception] = []
        for batch, outcomes in run_regions(found, partial(_weigh_small, place, settings, classes), small):
            results += outcomes
            for name in batch:
                sink.step(name)

        def work(name: str, recipe: Recipe) -> str:
            word = weigh_stack(place, name, settings, recipe, map_over_workers(found), classes)
            sink.step(name)
            return word

        recipe_of = partial(weigh_recipe, place, weigh=settings, classes=classes)
        done = outcome_of_each(place, large, recipe_of, work, LARGE_AT_ONCE)
    _warn(place, names)
    return sorted([*outcomes_or_raise(results), *done], key=lambda outcome: names.index(outcome.name))


@timed
def weigh_stack(
    dataset: Dataset,
    name: str,
    settings: Weigh,
    recipe: Recipe,
    map_regions: MapRegions = map_one_by_one,
    classes: Sequence[str] = (OBJECT,),
) -> str:
    """Write classes and border weights of one stack; returns the share of each class and what is odd, in words.

    `map_regions` maps a function over regions, one after another if it is not given. `classes` are the names of the
    dataset's classes of objects, in order.
    """
    truth = labels_of(dataset, name, "truth")
    known, level = ClassesOfTruth(truth, tuple(classes), recipe.inputs.get("classes", "")), ome.full_level(truth)
    known.read()  # one error, and before anything is begun
    axes, shape = ome.axes_of(truth.attributes()), open_array(level).shape
    of_image = image_of(dataset, name).committed().facts
    spacing = spacing_in_pixels(axes, of_image["spacing"], of_image["units"])
    result = weights_of(dataset, name)
    generation = result.begin(recipe, {})
    layout = weights_layout(shape, min(settings.dimensions, len(spacing)))  # one grid: a region is a shard of each
    create(generation.folder / "classes", layout, np.uint8, axes)
    create(generation.folder / "border", layout, np.float32, axes, UNSHUFFLED)
    job = StackWeighing(level, generation.folder, settings, spacing, ignored_id(dataset, name), known)
    counts, checked = np.zeros((*shape[:-2], len(classes) + 2), np.int64), []
    for region, weighed in map_regions(job, regions(layout)):
        counts[region[:-2]] += weighed.counts
        checked.append(weighed.checked)
    check = merge_checks(checked)
    paths = {"classes": f"{generation.name}/classes", "border": f"{generation.name}/border"}
    facts = {"truth": asdict(check), "axes": axes, "shape": list(shape), "seconds": elapsed()}
    facts |= {"classes": list(classes)} if len(classes) > 1 else {}
    result.commit(generation, {"arrays": paths}, _counts(counts) | facts)
    return ", ".join(filter(None, [_shares(counts, classes), words(check)]))


def _counts(counts: NDArray[np.int64]) -> Json:
    """Pixels of each plane as facts: of background and of each class, and of those that nobody judged."""
    planes = counts.reshape(-1, counts.shape[-1])
    return {"counts": planes[:, :-1].tolist(), "ignored": planes[:, -1].tolist()}


def _shares(counts: NDArray[np.int64], classes: Sequence[str]) -> str:
    """Which share of the judged pixels each class has, in words.

    >>> _shares(np.array([[60, 30, 10, 7]]), ("nucleus", "mitosis"))
    '30% nucleus, 10% mitosis'
    """
    _, *objects = (judged := counts.reshape(-1, counts.shape[-1]).sum(axis=0)[:-1]).tolist()
    shares = (of_class / max(int(judged.sum()), 1) for of_class in objects)
    return ", ".join(f"{share:.0%} {name}" for share, name in zip(shares, classes, strict=True))


def _warn(dataset: Dataset, names: Sequence[str]) -> None:
    """Log what is odd about the truth of these stacks, a line for each kind."""
    stamps = {name: weights_of(dataset, name).stamp() for name in names}
    for line in warnings({name: TruthCheck.of(stamp.facts["truth"]) for name, stamp in stamps.items() if stamp}):
        log.warning("truth: %s", line)


def _weigh_small(
    dataset: Dataset, settings: Weigh, classes: tuple[str, ...], names: Sequence[str]
) -> list[Outcome | Exception]:
    def work(name: str, recipe: Recipe) -> str:
        return weigh_stack(dataset, name, settings, recipe, classes=classes)

    recipe_of = partial(weigh_recipe, dataset, weigh=settings, classes=classes)
    return [outcome_or_error(dataset, name, recipe_of, work) for name in names]


def _by_size(dataset: Dataset, names: Sequence[str]) -> tuple[list[list[str]], list[str]]:
    """Batches of small stacks, and large stacks; a stack without an image is small, and fails when it is weighed."""
    pixels = {name: _pixels(dataset, name) for name in names}
    small = {name: size for name, size in pixels.items() if size <= SMALL_STACK}
    return batched(small, SMALL_BATCH), [name for name in names if name not in small]


def _pixels(dataset: Dataset, name: str) -> int:
    """Pixels of a stack's truth, by its image's facts."""
    stamp = image_of(dataset, name).stamp()
    facts = stamp.facts if stamp else {"axes": "", "shape": []}
    return math.prod(size for axis, size in zip(facts["axes"], facts["shape"], strict=True) if axis != "c")


@dataclass(frozen=True)
class ClassesOfTruth:
    """The class of each id of a stack's truth, told by where it lies, as there may be millions of ids."""

    truth: Result
    names: tuple[str, ...]
    """Of the dataset's classes of objects, in order."""
    digest: str
    """What stands for them in the recipe, so that what was read before is known for what it is."""

    @lru_cache(maxsize=4)  # noqa: B019  # it holds folders and names; a worker reads a stack's once, not for each region
    def read(self) -> ClassOfIds:
        """The class of each id."""
        return read_classes(self.truth).in_order(self.names)


@dataclass(frozen=True)
class StackWeighing:
    """One stack's regions to weigh, told by folders and plain values, so that it goes to any worker."""

    truth: Folder
    generation: Folder
    settings: Weigh
    spacing: tuple[float, ...]
    """Of the space axes; axes before them are taken by themselves."""
    ignore: int | None
    classes: ClassesOfTruth

    def __call__(self, region: Region) -> WeighedRegion:
        """Weigh one region, unless both of its shards are there."""
        truth = open_array(self.truth)
        classes, border = Stored(self.generation / "classes"), Stored(self.generation / "border")
        if classes.is_done(region) and border.is_done(region):
            return self._told(np.asarray(truth[region]), classes.read(region), region, truth.shape)
        alone = truth.ndim - len(self.spacing)
        around = grow(region, (*(0 for _ in range(alone)), *halo(self.settings, self.spacing)), truth.shape)
        labels, core = np.asarray(truth[around]), within(region, around)
        made, weights = self._weigh(labels, core, alone)
        classes.write(region, made)
        border.write(region, weights)
        return self._told(labels[core], made, region, truth.shape)

    def _weigh(self, labels: Labels, core: Region, alone: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        volumes, known = labels.reshape(-1, *labels.shape[alone:]), self.classes.read()
        weighed = [weigh_block(volume, self.settings, self.spacing, self.ignore, known) for volume in volumes]
        shape, inner = labels[core].shape, core[alone:]
        classes, border = ([values[inner] for values in layer] for layer in zip(*weighed, strict=True))
        return np.stack(classes).reshape(shape), np.stack(border).reshape(shape)

    def _told(self, labels: Labels, classes: NDArray[np.uint8], region: Region, shape: Sequence[int]) -> WeighedRegion:
        planes = classes.reshape(-1, math.prod(classes.shape[-2:]))
        values = (*range(len(self.classes.names) + 1), IGNORE)
        counts = np.stack([np.count_nonzero(planes == value, axis=1) for value in values], axis=-1)
        origin, dimensions = [part.start for part in region], min(self.settings.dimensions, len(self.spacing))
        checked = check_block(np.ascontiguousarray(labels), origin, shape, dimensions, self.ignore)
        return WeighedRegion(counts.reshape(*classes.shape[:-2], len(values)), checked)
