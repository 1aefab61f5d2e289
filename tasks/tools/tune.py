"""The settings of segment, found again from scores on disk, and kept with the model."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from functools import cache

from tasks.reporting.scored_parts import parts_of
from tasks.tuning import PIXELS_READ, blocks_of, plain_found, plain_trial, scored_blocks, stored_scores
from unet.dataset.folder import Dataset, Json
from unet.dataset.record_file import read_record
from unet.ledger.class_settings import segmented_classes
from unet.ledger.found_settings import BY_CLASS, KEY, TUNED_ON
from unet.ledger.results import model_of
from unet.ledger.seen_images import SeenImages, told_images
from unet.network.model_files import model_identity
from unet.settings.classes import OBJECT
from unet.settings.segment import AUTOMATIC, Segment, SegmentNumbers
from unet.settings.segment_classes import SegmentedClasses
from unet.training.found_objects import FoundObjects, Objects, found_of_each, object_count
from unet.training.scored_truth import ScoredTruth, served
from unet.training.split import PlaneRange, Subset, chosen_stacks
from unet.training.tuning import Trial, find_settings


@dataclass(frozen=True)
class Tuned:
    """What was found, and the settings before on the same planes."""

    found: Json
    """As model.json keeps it."""
    before: Json
    """Settings as segments are made by now, with their `value` and `size_ratio`; of several classes, those of each."""


def tune(
    dataset: Dataset,
    model: str,
    marked: Sequence[str],
    scored: Collection[str],
    settings: Segment,
    metric: str | None = None,
) -> Tuned:
    """The settings that serve a model's validation part best, by its scores on disk; nothing is written.

    Where truth has several classes that the model has learnt, each has its own.

    Args:
        dataset: the folder.
        model: name of the model.
        marked: stacks with truth.
        scored: stacks with scores that this model made.
        settings: of segment; numbers in it win only when segments are made.
        metric: name of the metric that says what is best; default: as the planes' truth asks for.

    Raises:
        LookupError: there is no such model, or nothing to find them on.
    """
    model_identity(dataset, model)
    classes = segmented_classes(dataset, model, settings)
    scores = cache(stored_scores(dataset, model, settings))
    before: dict[str, Json] = {}
    used = list[PlaneRange]()

    def find(objects: Objects) -> FoundObjects | None:
        for parts in _by_use(dataset, model, marked):
            usable = _scored(dataset, model, parts, scored)
            blocks = blocks_of(dataset, usable, settings, PIXELS_READ)
            planes = list(scored_blocks(dataset, blocks, scores, objects))
            found = find_settings(planes, settings, metric)
            if found is not None:
                numbers = classes.by_class.get(objects.name or "", classes.numbers[0])
                before[objects.name or ""] = _as_of_now(planes, numbers, found.metric)
                used.extend(part for part in usable if part not in used)
                use: Subset = "training" if usable[0].use == "training" else "validation"
                return FoundObjects(plain_found(found, use, blocks), object_count(planes))
        return None

    known = _several(dataset, classes)
    found = found_of_each(find, known, classes.chosen or (1,))
    if found is None:
        raise LookupError(f"truth that {model} is made of must hold at least one object, got none; draw some")
    found = _recorded(found, dataset, used)
    return Tuned(found, {BY_CLASS: before} if known else before[""])


def _several(dataset: Dataset, classes: SegmentedClasses) -> tuple[str, ...]:
    """Names of the model's classes of objects, in order, where each is segmented by itself and truth has no others."""
    of_truth = read_record(dataset).classes if dataset.record.exists() else (OBJECT,)
    is_each = classes.are_named and not classes.is_mixed and set(of_truth) <= set(classes.learnt)
    return classes.learnt if is_each else ()


def _as_of_now(planes: Sequence[ScoredTruth], numbers: SegmentNumbers, metric: str) -> Json:
    """Settings as they are, and how well they serve."""
    now = served(planes, numbers, metric)
    trial = Trial(numbers.threshold, numbers.min_size, numbers.declump_depth, now.mean, now.size_ratio)
    _, value, ratio = plain_trial(trial)
    return {**{name: getattr(numbers, name) for name in AUTOMATIC}, "value": value, "size_ratio": ratio}


def keep(dataset: Dataset, model: str, found: Json) -> None:
    """Write what was found into model.json; the model stays the one it is."""
    model_of(dataset, model).amend({}, more={KEY: found})


def _by_use(dataset: Dataset, model: str, marked: Sequence[str]) -> list[list[PlaneRange]]:
    """What validates the model, then what it was trained on, as far as there is truth; one empty part where none is.

    New truth is left as it is, the best test there is, but for a model that was brought in: it has nothing else. Of
    that what `train.test` keeps for tests is left out.
    """
    is_guest = bool(model_of(dataset, model).attributes().get("came_from"))
    kept = _kept_for_tests(dataset, sorted(marked)) if is_guest else set()
    parts = [part for part in parts_of(dataset, marked, model) if part.stack not in kept]
    groups: list[tuple[Subset, ...]] = [("validation", "new") if is_guest else ("validation",), ("training",)]
    return [mine for uses in groups if (mine := [part for part in parts if part.use in uses])] or [[]]


def _kept_for_tests(dataset: Dataset, marked: Sequence[str]) -> set[str]:
    rule = read_record(dataset).train.test if dataset.record.exists() else None
    return set() if rule is None else chosen_stacks(marked, rule)


def _recorded(found: Json, dataset: Dataset, parts: Sequence[PlaneRange]) -> Json:
    """What was found, with the planes that it was found by where nobody knew them: they are no test any more."""
    new = told_images(dataset, [{**asdict(part), "use": "validation"} for part in parts if part.use == "new"])
    return found | ({TUNED_ON: SeenImages(new).plain()["images"]} if new else {})


def _scored(dataset: Dataset, model: str, parts: Sequence[PlaneRange], scored: Collection[str]) -> list[PlaneRange]:
    """Those parts that have scores of the model."""
    usable = [part for part in parts if part.stack in scored]
    if not usable:
        named = ", ".join(dict.fromkeys(part.stack for part in parts[:5])) or "no stack with truth"
        raise LookupError(
            f"{model} must have scores of what validates it, got none of {named}; run `unet-flows reprocess "
            f"{dataset.url}`, with predict.keep_scores true"
        )
    return usable
