"""How the settings of segment were found, in words."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from unet.reports.report_plots import metric_name
from unet.settings.segment import AUTOMATIC, UNTUNED, Segment, SegmentNumbers


def tuning_sentences(settings: Segment, numbers: SegmentNumbers, found: Mapping[str, Any] | None) -> list[str]:
    """Which settings segments were made with, and where those that are `auto` come from.

    >>> tuning_sentences(Segment(threshold=0.6), Segment(threshold=0.6).numbers(), None)[1][:48]
    'Nothing was found with this model for min_size, '
    """
    used = ", ".join(f"{name} {getattr(numbers, name):g}" for name in AUTOMATIC)
    said = [f"Segments are made with {used}."]
    if settings.automatic:
        said += [_found(found) if found else _not_found(settings)]
    for name in AUTOMATIC:
        if name not in settings.automatic:
            instead = f", where {found[name]:g} was found" if found and found[name] != getattr(numbers, name) else ""
            said += [f"{name} is what dataset.yaml says{instead}."]
    return said


def class_sentences(
    settings: Segment, numbers: Mapping[str, SegmentNumbers], found: Mapping[str, Any] | None
) -> list[str]:
    """Which settings segments of each class were made with, and where those that are `auto` come from.

    >>> class_sentences(Segment(), {"nucleus": SegmentNumbers()}, None)[0]
    'Segments of nucleus are made with threshold 0.5, min_size 16, declump_depth 0.'
    """
    said, by_class = [], (found or {}).get("by_class", {})
    for name, own in numbers.items():
        used = ", ".join(f"{each} {getattr(own, each):g}" for each in AUTOMATIC)
        best = by_class.get(name, {})
        value = f"; found best by {metric_name(best['metric'])}: {_value(best)}" if "metric" in best else ""
        said.append(f"Segments of {name} are made with {used}{value if settings.automatic else ''}.")
    if settings.automatic and by_class:
        said += _found_of_classes(tuple(numbers), by_class)
    elif settings.automatic:
        said += [_found(found) if found and "metric" in found else _not_found(settings)]
    return said


def _found_of_classes(names: Sequence[str], by_class: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Where the settings of each class were found; of one of which nothing was, whose settings it has."""
    places: dict[tuple[str, int], list[str]] = {}
    for name, own in ((name, by_class[name]) for name in names if "part" in by_class.get(name, {})):
        places.setdefault((own["part"], own["n"]), []).append(name)
    for (part, planes), here in places.items():
        who = "They" if len(here) == len(names) else f"Those of {', '.join(here)}"
        yield f"{who} were found {_chosen_on(part, planes)}"
    if without := ", ".join(name for name in names if not by_class.get(name)):
        yield f"No object of {without} was there to find any by: those of the class of the most objects serve instead."


def _found(found: Mapping[str, Any]) -> str:
    best = f"found best by {metric_name(found['metric'])}, {_value(found)}"
    return f"They were {best}, {_chosen_on(found['part'], found['n'])}"


def _value(found: Mapping[str, Any]) -> str:
    """What the metric is with the settings that were found, beside what it is with the usual ones."""
    usual, numbers = found.get("at_default"), ", ".join(f"{value:g}" for value in UNTUNED.values())
    return f"{found['value']:.3f}" + ("" if usual is None else f", where {numbers} give {usual:.3f}")


def _chosen_on(part: str, number: int) -> str:
    planes = f"{number} plane{'' if number == 1 else 's'}"
    if part == "validation":
        return (
            f"on the validation part ({planes}). So validation chose them, as it chose the checkpoint: new images will "
            "be segmented a little less well than its figures say."
        )
    return f"on the training part ({planes}), as no object validates: new images may need others."


def _not_found(settings: Segment) -> str:
    return (
        f"Nothing was found with this model for {', '.join(settings.automatic)}: these are the usual ones; "
        "`unet-flows tune` finds those that serve the truth of this dataset."
    )
