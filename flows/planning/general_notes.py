"""What a person should know of a dataset as a whole, beyond its single stacks, from what a look at it found."""

from collections.abc import Collection, Iterator

from flows.planning.status import PENDING, Findings
from unet.dataset.folder import Dataset
from unet.dataset.stack_names import shortened
from unet.ledger.results import learnt_classes, model_of
from unet.ledger.truth_findings import small_objects_line
from unet.settings.record import Record


def general_notes(dataset: Dataset, record: Record, found: Findings, marked: Collection[str]) -> list[str]:
    """Notes, a sentence each; `marked` are the stacks that have truth."""
    return [
        *_withdrawn_lines(dataset, record, found, marked),
        *_small_objects_lines(record, found),
        *_classes_lines(dataset, record),
    ]


def _withdrawn_lines(dataset: Dataset, record: Record, found: Findings, marked: Collection[str]) -> Iterator[str]:
    """Which models were made of truth that is there no more, and what becomes of them."""
    for model in sorted({record.train.name, record.model}):
        made = model_of(dataset, model).attributes()
        gone = {part["stack"] for part in made.get("split", [])} - set(marked)
        lost = sorted(name for name in gone if found.state("ingest", name) not in ("", "set aside"))
        if lost and not made.get("came_from"):
            again = found.state("train", model) in PENDING
            then = "it is trained again without it" if again else "it stays as it is, as nothing trains it again"
            yield f"{model} was made of truth that is withdrawn or gone, of {shortened(lost)}; {then}"


def _small_objects_lines(record: Record, found: Findings) -> Iterator[str]:
    """Objects of truth that segments will lack, as they are too small; of 3-D segments planes do not tell."""
    is_told = record.segment.dimensions <= record.weigh.dimensions
    checks = {name: check for name, check in found.truth.items() if is_told or check.planes == 1}
    if line := small_objects_line(checks, record.segment.min_size):
        yield line


def _classes_lines(dataset: Dataset, record: Record) -> Iterator[str]:
    """Why segment would be refused: classes that the model has not learnt."""
    if model_of(dataset, record.model).attributes():
        try:
            record.segment.require_learnt_classes(record.model, learnt_classes(dataset, record.model))
        except ValueError as error:
            yield str(error)
