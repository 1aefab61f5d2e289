"""How scores become instances."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, ClassVar, Literal

from unet.settings.validation import CLOSED, Dimensions, one_of, require

Auto = Literal["auto"]
"""What was found with the model: the best on its validation part."""
UNTUNED: dict[str, float] = {"threshold": 0.5, "min_size": 16, "declump_depth": 0.0}
"""What `auto` stands for where a model has no numbers of its own, such as one that was imported."""
AUTOMATIC = tuple(UNTUNED)
"""Settings that may be `auto`."""
TuningMetric = Literal[
    "mean_average_precision",
    "average_precision",
    "v_rand",
    "v_info",
    "rand_f",
    "seg",
    "det",
    "panoptic_quality",
    "iou",
    "dice",
]
"""What may say which numbers are best: names of `unet.evaluation.metrics` that are higher where it is better."""

DeclumpBy = Literal["distance", "scores", "both"]
"""What parts a clump."""


@dataclass(frozen=True)
class Segment:
    """How scores become instances."""

    __pydantic_config__: ClassVar = CLOSED
    VERSION: ClassVar[int] = 4

    threshold: Annotated[float | Auto, one_of("a number, or auto")] = "auto"
    """A pixel belongs to an object where the scores of objects sum up to this, 0 < … ≤ 1; auto: found on validation.

    auto, here and below, is what training found to serve the validation part best, or `unet-flows tune` since; it lies
    with the model, and a number given here wins. A model that has none, as it was imported, takes 0.5, 16 and 0.
    """
    high_threshold: float | None = None
    """Objects are kept only where one of their pixels reaches this; > threshold, default: any object (hysteresis)."""
    classes: tuple[int, ...] | None = None
    """Classes of the model that are objects, from 1; default: all but the background, 0."""
    min_size: Annotated[int | Auto, one_of("a number of pixels, or auto")] = "auto"
    """Objects of fewer pixels are dropped, and so are parts of clumps; auto: found on validation."""
    max_hole_size: int = 0
    """Holes of objects of at most this many pixels are filled; what reaches the edge of the image is no hole."""
    declump_depth: Annotated[float | Auto, one_of("a number, or auto")] = "auto"
    """Clumps are parted where what `declump_by` says falls by so much between two centres; 0: never; auto: found."""
    declump_by: DeclumpBy = "both"
    """What falls where clumps are parted: the distance to the background, the scores, or both.

    distance: in y x pixels, it falls at a waist; scores: 0 … 1, smoothed, they fall where two objects touch; both: the
    square root of the distance times the scores, of which 1 is a usual depth.
    """
    max_declump_box: int = 2**22
    """Pixels of the bounding box above which a clump is left whole, and said to be."""
    dimensions: Dimensions = 2
    """2: objects end at their y x plane; 3: they go on along z."""
    connectivity: Literal["faces", "full"] = "faces"
    """Which pixels touch: those sharing an edge (4 in 2-D, 6 in 3-D), or a corner too (8, 26)."""

    def __post_init__(self) -> None:
        """Refuse thresholds outside of (0, 1], and negative sizes."""
        threshold = 0.0 if self.threshold == "auto" else self.threshold
        if self.threshold != "auto":
            require(0 < threshold <= 1, f"threshold must be 0 < threshold ≤ 1, got {threshold}")
        strong = self.high_threshold is None or threshold < self.high_threshold <= 1
        require(
            strong,
            f"high_threshold must be threshold < high_threshold ≤ 1, got {self.high_threshold} for {self.threshold}",
        )
        chosen = self.classes is None or (self.classes and len(set(self.classes)) == len(self.classes))
        require(bool(chosen), f"classes must be one class or more, each once, got {self.classes}")
        require(min(self.classes or (1,)) > 0, f"classes must be ≥ 1, 0 being the background, got {self.classes}")
        for name in ("min_size", "max_hole_size", "declump_depth"):
            size, unit = getattr(self, name), "" if name == "declump_depth" else " pixels"
            require(size == "auto" or size >= 0, f"{name} must be ≥ 0{unit}, got {size}")
        require(self.max_declump_box > 0, f"max_declump_box must be > 0 pixels, got {self.max_declump_box}")

    @property
    def automatic(self) -> list[str]:
        """Names of the settings that are `auto`."""
        return [name for name in AUTOMATIC if getattr(self, name) == "auto"]

    def numbers(self, found: Mapping[str, Any] = UNTUNED) -> "SegmentNumbers":
        """The same settings with each `auto` replaced by what was `found`, or by `UNTUNED` where that has none.

        A found threshold that is above `high_threshold` leaves nothing for that to say: every object reaches it.

        >>> Segment(min_size=4).numbers({"threshold": 0.7, "min_size": 30}).min_size
        4
        """
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        values |= {name: found.get(name, UNTUNED[name]) for name in self.automatic}
        if self.high_threshold is not None and values["threshold"] >= self.high_threshold:
            values["high_threshold"] = None
        return SegmentNumbers(**values)

    def require_learnt_classes(self, model: str, learnt: int) -> None:
        """Refuse classes that a model has not learnt, which has so many, background among them.

        >>> Segment(classes=(1, 2)).require_learnt_classes("unet", 2)
        Traceback (most recent call last):
        ...
        ValueError: segment.classes must be among the classes that unet has learnt, 1, got 2; name one of them
        """
        known = range(1, learnt)
        for wrong in (k for k in self.classes or () if k not in known):
            raise ValueError(
                f"segment.classes must be among the classes that {model} has learnt, {', '.join(map(str, known))}, got "
                f"{wrong}; name one of them"
            )


@dataclass(frozen=True)
class SegmentNumbers(Segment):
    """How scores become instances, in numbers alone: nothing is `auto` any more."""

    threshold: float = UNTUNED["threshold"]
    min_size: int = int(UNTUNED["min_size"])
    declump_depth: float = UNTUNED["declump_depth"]
