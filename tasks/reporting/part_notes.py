"""What a report says of its parts, beside their figures: what chose what, how intervals were made, what overlaps."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tasks.reporting.comparison import Scored
from tasks.reporting.mean_figures import counts
from unet.dataset.folder import Json
from unet.evaluation.parts import PARTS, headline_part

WHOLE, SINGLE = "stacks", "planes"
"""What intervals come from drawing again."""
PLANE, VOLUME = "plane", "volume"
"""What is scored as a whole: a volume where segments go on over planes."""
CHOSEN = "The checkpoint and the threshold were chosen on these planes: new images will do a little less well."
TUNED = "The settings of segment were chosen on these planes: new images will do a little less well."


@dataclass(frozen=True)
class AboutParts:
    """What goes into a report beside figures."""

    metrics: Json = field(default_factory=dict)
    """Keys of `metrics.json`."""
    notes: list[str] = field(default_factory=list)
    """Sentences above everything else."""


def about_parts(scored: Sequence[Scored], metadata: Mapping[str, Any], overlaps: Sequence[str]) -> AboutParts:
    """What is to be said of the parts that were scored, by what the model's metadata says."""
    by_part = {part: [one for one in scored if one.part.use == part] for part in PARTS}
    by_part = {part: of for part, of in by_part.items() if of}
    several = {part: of for part, of in by_part.items() if len(of) > 1}  # of one there is no interval
    drawn = {part: WHOLE if len({one.part.stack for one in of}) > 1 else SINGLE for part, of in several.items()}
    notes = [*_of_headline(headline_part(by_part), metadata), *_too_narrow(by_part, drawn)]
    if came := metadata.get("came_from"):
        notes.append(f"The model was brought in from {came}.")
    counted = {part: counts(of) for part, of in by_part.items()}
    metrics = {"counts": counted, "overlaps": list(overlaps), "resampled": drawn, "unit": _unit(scored)}
    return AboutParts(metrics, [*notes, *overlaps])


def _unit(scored: Sequence[Scored]) -> str:
    """What was scored as a whole: fewer figures of a part than it has planes are of volumes."""
    figures = Counter(one.part for one in scored)
    return VOLUME if any(count < part.stop - part.start for part, count in figures.items()) else PLANE


def _of_headline(part: str | None, metadata: Mapping[str, Any]) -> list[str]:
    """What was chosen by the planes of the headline; of those that trained the page says it beside the figures."""
    if part == "validation":
        return [TUNED if metadata.get("came_from") and not _was_validated(metadata) else CHOSEN]
    return []


def _was_validated(metadata: Mapping[str, Any]) -> bool:
    """Whether a model that was brought in was validated where it was trained."""
    return any(each["use"] == "validation" for each in metadata.get("seen", {}).get("images", ()))


def _too_narrow(by_part: Mapping[str, Sequence[Scored]], drawn: Mapping[str, str]) -> list[str]:
    """Of which parts the planes are of one stack."""
    found = [part for part in by_part if drawn.get(part) == SINGLE]
    if not found:
        return []
    return [
        f"Intervals of {', '.join(found)} come from planes of one stack: neighbouring planes are alike, so these "
        "intervals are narrower than stacks would differ."
    ]
