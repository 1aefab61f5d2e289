"""Scores beside truth → the settings of segment that are best: as a training ends, and when `tune` is called.

Planes are taken as windows of at most 1024 px a side, spread evenly over all that validates, so that minutes do on any
dataset; where objects go on along z, as blocks of up to 16 planes of 512 px.
"""

import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from itertools import product
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tasks.reporting.comparison import labels_planes
from tasks.training_planes import image_facts
from unet.dataset.folder import Dataset, Json
from unet.dataset.record_file import read_record
from unet.images.units import spacing_in_pixels
from unet.images.windows import Window
from unet.labels.scores import Scores, chosen
from unet.ledger.class_settings import segmented_classes
from unet.ledger.found_settings import BY_CLASS
from unet.ledger.results import labels_of, scores_of
from unet.ledger.truth_state import ignored_id
from unet.network.unet import UNet
from unet.settings.segment import Segment
from unet.settings.segment_classes import UnlearntError, chosen_classes
from unet.store import ome
from unet.store.arrays import open_array
from unet.training.found_objects import ALL_OBJECTS, FoundObjects, Objects, found_of_each, object_count
from unet.training.scored_truth import ScoredTruth
from unet.training.split import PlaneRange, Subset
from unet.training.trained_scores import TrainedScorer
from unet.training.training_plane import TrainingPlane
from unet.training.tuning import Found, Trial, find_settings

log = logging.getLogger(__name__)

SIDE, SOLID_SIDE, SOLID_PLANES = 1024, 512, 16
"""Sides in pixels of windows in 2-D and in 3-D, and planes of a block in 3-D."""
PIXELS_SCORED, PIXELS_READ = 2**23, 2**24
"""Pixels that are looked at: as training ends, where they are scored first; and where scores are on disk."""

USES: tuple[Subset, ...] = ("validation", "training")
"""Where settings are looked for: the first part that holds an object."""


@dataclass(frozen=True)
class Block:
    """A window of one plane of a stack, or of some planes along z that are linked."""

    stack: str
    planes: range
    """Counted over t and z in raster order."""
    window: Window
    is_solid: bool
    """Whether objects go on along z."""

    @property
    def pixels(self) -> int:
        """Pixels of all its planes."""
        return len(self.planes) * self.window.height * self.window.width


ScoresOf = Callable[[Block], NDArray[Any]]
"""Scores of each class that is an object, (classes, planes, y, x), of a block."""


def found_by_training(
    dataset: Dataset,
    parts: Sequence[PlaneRange],
    planes: Mapping[Subset, Sequence[TrainingPlane]],
    network: UNet,
    device: torch.device,
    classes: Sequence[str] = (),
) -> Json | None:
    """What is found on the validation part of a network that was just trained, as model.json keeps it.

    Where no object validates the training part is taken, and `part` says so. None where there is no object to find. Of
    several `classes` each has its own, found by its own scores and its truth alone.
    """
    settings = read_record(dataset).segment if dataset.record.exists() else Segment()
    scorer = TrainedScorer.of(network, device)
    several, numbers = _learnt_classes(settings, classes, network.architecture.classes)
    by_use = {use: [part for part in parts if part.use == use] for use in USES}
    blocks = {use: blocks_of(dataset, mine, settings, PIXELS_SCORED) for use, mine in by_use.items()}
    scores = cache(partial(_scores_by_training, scorer, _by_place(by_use, planes), numbers))

    def find(objects: Objects) -> FoundObjects | None:
        for use in USES:
            scored = list(scored_blocks(dataset, blocks[use], scores, objects))
            found = find_settings(scored, settings)
            if found is not None:
                return FoundObjects(plain_found(found, use, blocks[use]), object_count(scored))
        return None

    kept = found_of_each(find, several, numbers)
    if kept is None:
        log.warning("nothing was found of how scores become objects: there is no object to find")
        return None
    for name, each in kept.get(BY_CLASS, {"": kept}).items():
        log.info("found%s on the %s part: %s", f" for {name}" if name else "", each["part"], in_words(each))
    return kept


def _learnt_classes(settings: Segment, classes: Sequence[str], learnt: int) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Names of the classes that each have their own settings, none where they are mixed; numbers of what is scored.

    Classes that were not learnt are told of by segment: here they stop nothing.
    """
    names = tuple(classes) or tuple(map(str, range(1, learnt)))
    numbers = tuple(range(1, learnt))
    with suppress(UnlearntError):
        numbers = chosen_classes(settings, "", names)
    return () if settings.mix_classes else tuple(classes), numbers


def _by_place(
    parts: Mapping[Subset, Sequence[PlaneRange]], planes: Mapping[Subset, Sequence[TrainingPlane]]
) -> dict[tuple[str, int], TrainingPlane]:
    """Planes by their stack and number."""
    numbers = {use: [(p.stack, n) for p in mine for n in range(p.start, p.stop)] for use, mine in parts.items()}
    return {place: plane for use in parts for place, plane in zip(numbers[use], planes[use], strict=True)}


def _scores_by_training(
    scorer: TrainedScorer, planes: Mapping[tuple[str, int], TrainingPlane], classes: Sequence[int], block: Block
) -> NDArray[Any]:
    """Scores of each of some classes by a network that was just trained, classes first."""
    found = np.stack([scorer.scores(planes[block.stack, n], block.window) for n in block.planes], axis=1)
    return found[[k - 1 for k in classes]]


def stored_scores(dataset: Dataset, model: str, settings: Segment) -> ScoresOf:
    """Reads scores of blocks from the dataset, those of the classes that are segmented."""
    given = segmented_classes(dataset, model, settings).chosen

    def scores_of_block(block: Block) -> NDArray[Any]:
        result = scores_of(dataset, model, block.stack)
        axes, folder = result.committed().facts["axes"], ome.full_level(result)
        shape = open_array(folder).shape
        sizes = [size for axis, size in zip(axes, shape, strict=True) if axis in "tz"]
        ends = (np.unravel_index(block.planes[at], sizes) for at in (0, -1))
        leading = [slice(int(first), int(last) + 1) for first, last in zip(*ends, strict=True)]
        found = Scores(folder, axes, chosen(given, axes, shape, model)).read((*leading, *block.window.slices))
        return found.reshape(len(found), len(block.planes), block.window.height, block.window.width)

    return scores_of_block


def blocks_of(dataset: Dataset, parts: Sequence[PlaneRange], settings: Segment, pixels: int) -> list[Block]:
    """Blocks of these parts, spread evenly, with so many pixels in all or a block more."""
    blocks = [block for part in parts for block in _blocks_of_part(dataset, part, settings)]
    step = math.ceil(sum(block.pixels for block in blocks) / pixels)
    return blocks[:: max(step, 1)]


def _blocks_of_part(dataset: Dataset, part: PlaneRange, settings: Segment) -> Iterator[Block]:
    facts = image_facts(dataset, part.stack)
    sizes = dict(zip(facts["axes"], facts["shape"], strict=True))
    solid = settings.dimensions == 3 and "z" in sizes
    side, deep = (SOLID_SIDE, SOLID_PLANES) if solid else (SIDE, 1)
    start = part.start
    while start < part.stop:
        in_frame = sizes["z"] - start % sizes["z"] if solid else 1
        planes = range(start, min(start + deep, start + in_frame, part.stop))
        for y, x in product(range(0, sizes["y"], side), range(0, sizes["x"], side)):
            window = Window(y, x, min(side, sizes["y"] - y), min(side, sizes["x"] - x))
            yield Block(part.stack, planes, window, solid)
        start = planes.stop


def scored_blocks(
    dataset: Dataset, blocks: Sequence[Block], scores: ScoresOf, objects: Objects = ALL_OBJECTS
) -> Iterator[ScoredTruth]:
    """Each block's scores of being one of some objects beside the truth of them."""
    for block in blocks:
        truth_of, ignored = labels_of(dataset, block.stack, "truth"), ignored_id(dataset, block.stack)
        planes, stamp = labels_planes(truth_of), truth_of.stamp()
        truth = np.stack([planes[number].read(block.window)[0] for number in block.planes])
        judged = None if ignored is None else truth != ignored
        truth = objects.truth(truth if judged is None else truth * judged, truth_of)
        seen = objects.scores(scores(block))
        yield ScoredTruth(
            scores=seen if block.is_solid else seen[0],
            truth=truth if block.is_solid else truth[0],
            judged=judged if block.is_solid or judged is None else judged[0],
            spacing=spacing_in_pixels("zyx", image_facts(dataset, block.stack)["spacing"]) if block.is_solid else None,
            is_mask=stamp is not None and stamp.recipe.settings.get("foreground", "ids") != "ids",
        )


def plain_found(found: Found, part: Subset, blocks: Sequence[Block]) -> Json:
    """What was found as plain values: the settings, the metric and its values, where, and the curve."""
    best, planes = found.best, {(block.stack, number) for block in blocks for number in block.planes}
    return {
        **{name: number for name, number in best._asdict().items() if name not in ("value", "size_ratio")},
        "metric": found.metric,
        "value": _rounded(best.value),
        "size_ratio": _rounded(best.size_ratio),
        "at_default": _rounded(found.untuned.value),
        "part": part,
        "n": len(planes),
        "curve": [plain_trial(trial) for trial in found.curve],
    }


def plain_trial(trial: Trial) -> list[float | None]:
    """Threshold, value and size ratio; None where one is not defined."""
    return [trial.threshold, _rounded(trial.value), _rounded(trial.size_ratio)]


def in_words(found: Json) -> str:
    """The settings that were found, and their value beside that of the untuned ones."""
    settings = ", ".join(f"{name} {found[name]:g}" for name in ("threshold", "min_size", "declump_depth"))
    before = "" if found["at_default"] is None else f", {found['at_default']:.3f} by the defaults"
    return f"{settings} ({found['metric']} {found['value']:.3f}{before})"


def _rounded(value: float) -> float | None:
    return round(value, 4) if math.isfinite(value) else None
