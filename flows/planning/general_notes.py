"""What a person should know of a dataset as a whole, beyond its single stacks, from what a look at it found."""

from collections.abc import Collection, Iterator

from flows.planning.status import PENDING, Findings
from unet.dataset.folder import Dataset, Json
from unet.evaluation.drift import drift_lines
from unet.ledger.class_settings import segmented_classes
from unet.ledger.earlier_split import is_split_kept
from unet.ledger.results import learnt_names, model_of
from unet.ledger.seen_images import SeenImages, same_images
from unet.ledger.truth_findings import small_objects_line
from unet.settings.record import Record
from unet.settings.segment_classes import UnlearntError, require_learnt_classes
from unet.sources.stack_names import shortened


def general_notes(dataset: Dataset, record: Record, found: Findings, marked: Collection[str]) -> Iterator[str]:
    """Notes, a sentence each; `marked` are the stacks that have truth."""
    for model in sorted({record.train.name, record.model}):
        metadata = model_of(dataset, model).known_attributes()
        yield from _withdrawn_lines(model, metadata, found, marked)
        yield from (f"{model}: {line}" for line in _same_image_lines(metadata))
        if metadata and model == record.model:
            yield from _classes_lines(record, metadata)
    yield from _split_lines(dataset, record, found, marked)
    if not model_of(dataset, record.model).is_metadata_lost():  # what is made again brings its own settings
        yield from _small_objects_lines(dataset, record, found)
    yield from drift_lines(found.drift, record.model)


def _withdrawn_lines(model: str, metadata: Json, found: Findings, marked: Collection[str]) -> Iterator[str]:
    """Whether a model was made of truth that is there no more, and what becomes of it."""
    gone = {part["stack"] for part in metadata.get("split", [])} - set(marked)
    lost = sorted(name for name in gone if found.state("ingest", name) not in ("", "set aside"))
    if lost and not metadata.get("came_from"):
        again = found.state("train", model) in PENDING
        then = "it is trained again without it" if again else "it stays as it is, as nothing trains it again"
        yield f"{model} was made of truth that is withdrawn or gone, of {shortened(lost)}; {then}"


def _split_lines(dataset: Dataset, record: Record, found: Findings, marked: Collection[str]) -> Iterator[str]:
    """Why training that is to come would be refused: names that are to be kept out of it and have no truth."""
    train = record.train
    if found.state("train", train.name) not in PENDING or is_split_kept(dataset, train.name, train):
        return
    for use, rule in (("test", train.test), ("validation", train.validation)):
        unknown = sorted(set(rule) - set(marked)) if isinstance(rule, tuple) else []
        if unknown:
            yield f"train.{use} must name stacks with truth, got {shortened(unknown)}; training would be refused"


def _same_image_lines(metadata: Json) -> list[str]:
    """Which images lie under several names, of which some trained a model and others are to tell how good it is."""
    try:
        return same_images(SeenImages.of(metadata, None).planes)
    except ValueError:  # what is damaged is told where it is used
        return []


def _classes_lines(record: Record, metadata: Json) -> Iterator[str]:
    """Why segment would be refused: classes that the model has not learnt."""
    try:
        require_learnt_classes(record.segment, record.model, learnt_names(metadata))
    except ValueError as error:
        yield str(error)


def _small_objects_lines(dataset: Dataset, record: Record, found: Findings) -> Iterator[str]:
    """Objects of truth that segments will lack, as they are too small; of 3-D segments planes do not tell."""
    is_told = record.segment.dimensions <= record.weigh.dimensions
    checks = {name: check for name, check in found.truth.items() if is_told or check.planes == 1}
    try:
        classes = segmented_classes(dataset, record.model, record.segment)
    except UnlearntError:  # which is told by itself
        return
    if line := small_objects_line(checks, min(numbers.min_size for numbers in classes.numbers)):
        yield line
