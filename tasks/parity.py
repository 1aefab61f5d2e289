"""A model on some planes in float32 and in half precision → what differs, as `model.json` keeps it.

Planes that validate it are taken; of a model that was brought in others with truth, else images alone. They are windows
of at most 1024 px a side, spread evenly, about a million pixels in all, so that it takes as long as two predictions of
one large plane. Planes are looked at each by itself, in the image's own pixels.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from typing import Any, Literal

import torch

from tasks.reporting.scored_parts import parts_of
from tasks.training_planes import image_facts, stack_statistics
from tasks.tuning import Block, blocks_of, scored_blocks
from unet.dataset.folder import Dataset, Json
from unet.dataset.record_file import read_record
from unet.images.channel_statistics import GreyRange
from unet.images.grey_values import by_rule
from unet.images.normalisation import normalise
from unet.images.planes import Plane, planes
from unet.ledger.found_settings import KEY as FOUND
from unet.ledger.results import image_of, labels_of, model_of
from unet.ledger.truth_state import is_withdrawn
from unet.network.fast_precisions import own_precisions
from unet.network.inference import PRECISIONS, Predictor, choose_device, ready_to_predict
from unet.network.model_files import Model, channel_indices, load
from unet.network.numeric_plan import Precision, block_on
from unet.network.parity import KEY, How, Parity, known_parity, merged, of_device
from unet.network.rounding import rounding
from unet.network.tiles import FIXED_SIDE
from unet.network.unet import UNet
from unet.settings.segment import UNTUNED, Segment, SegmentNumbers
from unet.store import ome
from unet.store.arrays import open_array
from unet.training.score_parity import ClassScores, ScoredTwice, as_bytes, compare_scores
from unet.training.scored_truth import ScoredTruth
from unet.training.split import PlaneRange, Subset

log = logging.getLogger(__name__)

PIXELS = 2**20
"""Pixels that are looked at, or a window more."""
UNMEASURED = (LookupError, ValueError, RuntimeError, MemoryError)
"""What measuring may end with, as no image has the model's channels; what a model is for goes on without it."""
USES: tuple[tuple[Subset, ...], ...] = (("validation",), ("new", "test"), ("training",))
"""What planes are to a model, those that are taken first at the beginning."""


@dataclass(frozen=True)
class MeasuredPlanes:
    """Planes that a model is measured on, and what they are to it."""

    parts: Sequence[PlaneRange]
    part: Subset | Literal["images"]
    """`images`: they have no truth."""

    @classmethod
    def of_training(cls, parts: Sequence[PlaneRange]) -> "MeasuredPlanes":
        """What validates, or what trains where nothing does."""
        use: Subset = "validation" if any(part.use == "validation" for part in parts) else "training"
        return cls([part for part in parts if part.use == use], use)


def measured_precisions(device: str) -> tuple[Precision, ...]:
    """Precisions that are measured on a kind of device as a model is made: those it has, on a CPU bf16 in any case."""
    own = own_precisions(device)
    return own if device == "cuda" or "bf16" in own else (*own, "bf16")


def parity_of(
    dataset: Dataset,
    model: Model,
    measured: MeasuredPlanes,
    found: Mapping[str, Any] | None,
    device: torch.device,
    precisions: Sequence[Precision],
) -> list[Parity]:
    """Each precision beside float32 on some planes of the dataset; nothing where there are none.

    Args:
        dataset: the folder.
        model: in evaluation mode, wherever it is.
        measured: planes that it is measured on.
        found: settings of segment that were found with the model, where some were.
        device: where it predicts.
        precisions: beside float32.
    """
    settings = _segment_settings(dataset)
    blocks = blocks_of(dataset, measured.parts, settings, PIXELS)
    if not blocks:
        return []
    image_of_stack = cache(partial(_SeenImage.of, dataset, model))

    def scored(network: UNet) -> dict[Block, ClassScores]:
        predictor = _predictor(network, device)
        return {block: image_of_stack(block.stack).scores(predictor, block) for block in blocks}

    plain = ready_to_predict(model.network, device)
    scores = scored(plain)
    drawn = scored_blocks(dataset, blocks, lambda block: as_bytes(scores[block])[:, None])
    truths: list[ScoredTruth | None] = [None] * len(blocks) if measured.part == "images" else [*drawn]
    numbers = _numbers(settings, found)
    count = len({(block.stack, block.planes.start) for block in blocks})
    results = list[Parity]()
    for precision in precisions:
        by, network = in_half(model.network, precision, device)
        others = scored(network)
        twice = [ScoredTwice(scores[b], others[b], truth) for b, truth in zip(blocks, truths, strict=True)]
        compared = asdict(compare_scores(twice, numbers))
        one = Parity(device=device.type, precision=precision, by=by, part=measured.part, planes=count, **compared)
        results.append(one)
    return results


def in_half(network: UNet, precision: Precision, device: torch.device) -> tuple[How, UNet]:
    """The network ready to predict in half precision there, by rounding where the device has no arithmetic of it."""
    if precision in own_precisions(device.type):
        return "arithmetic", ready_to_predict(network, device, PRECISIONS[precision])
    return "rounding", rounding(network, PRECISIONS[precision])


def measure_model(
    dataset: Dataset, model: str, names: Sequence[str], device: str, precisions: Sequence[Precision]
) -> list[Json]:
    """The same of a model of the dataset, on what validates it, else on what there is; nothing is written.

    `names` are stacks whose images are taken where there is no truth.
    """
    measured = _planes_to_measure(dataset, model, names)
    found = model_of(dataset, model).known_attributes().get(FOUND)
    place, loaded = torch.device(device), load(dataset, model)
    return [one.plain for one in parity_of(dataset, loaded, measured, found, place, precisions)]


def keep_parity(
    dataset: Dataset,
    model: str,
    device: str,
    precisions: Sequence[Precision],
    measure: Callable[[Sequence[Precision]], list[Json]],
) -> list[Parity]:
    """What is known of a model on a kind of device, once what is not known of `precisions` is measured and kept.

    The model stays the one it is: nothing that was made of it is stale. Where it cannot be measured, as no image has
    its channels, a log says so, and float32 is what remains.
    """
    result = model_of(dataset, model)
    known = known_parity(result.known_attributes())
    missing = [each for each in precisions if each not in of_device(known, device)]
    if not missing:
        return known
    try:
        found = [Parity.of(values) for values in measure(missing)]
    except UNMEASURED as error:
        log.warning("%s was not measured in %s: %s", model, " and ".join(missing), error)
        return known
    if found:
        result.amend({}, more={KEY: merged(known, found)})
    for one in found:
        log.info("%s is %s", model, one.line)
    return [*known, *found]


def measure_import(dataset: Dataset, model: str, device: str) -> list[Parity]:
    """What is known of a model that was just brought in; measured where it did not say itself, as far as images allow.

    A GPU that is asked for and missing here, as another machine predicts, stops nothing.
    """
    kind, names = choose_device("cpu" if device == "cpu" else "auto").type, dataset.stacks()
    measure = partial(measure_model, dataset, model, names, kind)
    return keep_parity(dataset, model, kind, measured_precisions(kind), measure)


@dataclass(frozen=True)
class _SeenImage:
    """A stack's image as a model sees it: its channels, normalised by the model's rule."""

    planes: list[Plane]
    ranges: list[GreyRange]

    @classmethod
    def of(cls, dataset: Dataset, model: Model, stack: str) -> "_SeenImage":
        facts, array = image_facts(dataset, stack), open_array(ome.full_level(image_of(dataset, stack)))
        known = stack_statistics(dataset, stack, model.channels)
        channels = channel_indices(model.channels, facts["channels"], stack)
        ranges = by_rule(model.normalisation, known.channels, stack, known.source)
        return cls(planes(array, facts["axes"], channels), ranges)

    def scores(self, predictor: Predictor, block: Block) -> ClassScores:
        """Scores (classes − 1, y, x) of a window of one plane, in float32."""
        around = predictor.reading(block.window)
        pixels = torch.from_numpy(normalise(self.planes[block.planes.start].read(around), self.ranges))
        place = predictor.network.head.weight.device
        found: ClassScores = predictor.predict(pixels[None].to(place), around, block.window).values[0].cpu().numpy()
        return found


def _predictor(network: UNet, device: torch.device) -> Predictor:
    sides, threads = (FIXED_SIDE, FIXED_SIDE), torch.get_num_threads()
    return Predictor(
        network, sides, block_on(device.type, network.architecture, sides, threads), torch.float32, threads=threads
    )


def _planes_to_measure(dataset: Dataset, model: str, names: Sequence[str]) -> MeasuredPlanes:
    """What validates a model, else what else has truth, else images."""
    drawn = [name for name in dataset.stacks() if _has_truth(dataset, name)]
    known = parts_of(dataset, drawn, model) if drawn else []
    for uses in USES:
        if found := [part for part in known if part.use in uses]:
            return MeasuredPlanes(found, uses[0])
    planes = {name: _planes_of(dataset, name) for name in names if image_of(dataset, name).known_stamp()}
    return MeasuredPlanes([PlaneRange(name, 0, count, "new") for name, count in planes.items()], "images")


def _has_truth(dataset: Dataset, name: str) -> bool:
    known = image_of(dataset, name).known_stamp() and labels_of(dataset, name, "truth").known_stamp()
    return known is not None and not is_withdrawn(dataset, name)


def _planes_of(dataset: Dataset, name: str) -> int:
    facts = image_facts(dataset, name)
    sizes = dict(zip(facts["axes"], facts["shape"], strict=True))
    return int(sizes.get("t", 1) * sizes.get("z", 1))


def _segment_settings(dataset: Dataset) -> Segment:
    """Of the record, each plane by itself; numbers that are given by class are found."""
    settings = read_record(dataset).segment if dataset.record.exists() else Segment()
    several: Any = {name: "auto" for name in UNTUNED if isinstance(getattr(settings, name), Mapping)}
    return replace(settings, dimensions=2, **several)


def _numbers(settings: Segment, found: Mapping[str, Any] | None) -> SegmentNumbers:
    """Settings in numbers: those that were found with the model, else what stands for them where none was."""
    try:
        return settings.numbers(found or UNTUNED)
    except (AttributeError, TypeError, ValueError):  # damaged, which segment tells of
        return settings.numbers()
