"""How scores become instances."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, ClassVar, Literal

from unet.settings.validation import CLOSED, Dimensions, one_of, require

Auto = Literal["auto"]
"""What was found with the model: the best on its validation part."""
ByClass = Mapping[int | str, float | Auto]
"""What is said of each class by itself, by its name or its number."""
SizeByClass = Mapping[int | str, int | Auto]
"""The same of pixels."""
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

    threshold: Annotated[float | Auto | ByClass, one_of("a number, auto, or these by class")] = "auto"
    """A pixel belongs to an object where its class's score is the largest and reaches this, 0 < … ≤ 1; auto: found.

    auto, here and below, is what training found to serve the validation part best, or `unet-flows tune` since; it lies
    with the model, and a number given here wins. A model that has none, as it was imported, takes 0.5, 16 and 0. Where
    the model has classes, each may have its own, such as {nucleus: 0.5, mitosis: auto}.
    """
    high_threshold: float | None = None
    """Objects are kept only where one of their pixels reaches this; > threshold, default: any object (hysteresis)."""
    classes: tuple[int | str, ...] | None = None
    """Classes of the model that are objects, by name or number, from 1; default: all but the background, 0."""
    mix_classes: bool = False
    """Whether an object may be of several classes: their scores are added. Else each class is segmented by itself."""
    min_size: Annotated[int | Auto | SizeByClass, one_of("a number of pixels, auto, or these by class")] = "auto"
    """Objects of fewer pixels are dropped, and so are parts of clumps; auto: found on validation."""
    max_hole_size: int = 0
    """Holes of objects of at most this many pixels are filled; what reaches the edge of the image is no hole."""
    declump_depth: Annotated[float | Auto | ByClass, one_of("a number, auto, or these by class")] = "auto"
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
        """Refuse thresholds outside of (0, 1], negative sizes, and numbers by class where there is one mask."""
        for threshold in self._given("threshold"):
            require(0 < threshold <= 1, f"threshold must be 0 < threshold ≤ 1, got {threshold}")
        require(
            self.high_threshold is None or max(self._given("threshold"), default=0) < self.high_threshold <= 1,
            f"high_threshold must be threshold < high_threshold ≤ 1, got {self.high_threshold} for {self.threshold}",
        )
        chosen = self.classes is None or (self.classes and len(set(self.classes)) == len(self.classes))
        require(bool(chosen), f"classes must be one class or more, each once, got {self.classes}")
        for wrong in (each for each in self.classes or () if isinstance(each, int) and each < 1):
            raise ValueError(f"classes must be ≥ 1, 0 being the background, got {wrong}")
        for name in ("min_size", "max_hole_size", "declump_depth"):
            for size in self._given(name):
                unit = "" if name == "declump_depth" else " pixels"
                require(size >= 0, f"{name} must be ≥ 0{unit}, got {size}")
        require(self.max_declump_box > 0, f"max_declump_box must be > 0 pixels, got {self.max_declump_box}")
        for name in AUTOMATIC if self.mix_classes else ():
            is_one = not isinstance(getattr(self, name), Mapping)
            require(is_one, f"{name} must be one for all where mix_classes is true, got {getattr(self, name)}")

    def _given(self, name: str) -> list[float]:
        """The numbers that are said of a setting: none, one, or one a class."""
        return [each for each in self._values(name) if each != "auto"]

    def _values(self, name: str) -> list[Any]:
        value = getattr(self, name)
        return list(value.values()) if isinstance(value, Mapping) else [value]

    @property
    def automatic(self) -> list[str]:
        """Names of the settings that are `auto`, of some class at least."""
        return [name for name in AUTOMATIC if "auto" in self._values(name)]

    def numbers(self, found: Mapping[str, Any] = UNTUNED, name: str | None = None) -> "SegmentNumbers":
        """The same settings with each `auto` replaced by what was `found`, or by `UNTUNED` where that has none.

        Of the class `name`, where one is named: what is said of it, and what was found for it, comes first. A found
        threshold that is above `high_threshold` leaves nothing for that to say: every object reaches it.

        >>> Segment(min_size=4).numbers({"threshold": 0.7, "min_size": 30}).min_size
        4
        >>> Segment().numbers({"threshold": 0.7, "by_class": {"mitosis": {"threshold": 0.4}}}, "mitosis").threshold
        0.4
        """
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        own = found.get("by_class", {}).get(name, {}) if self.automatic else {}
        for setting in AUTOMATIC:
            given = values[setting]
            if isinstance(given, Mapping):
                require(name in given, f"{setting} must be one for all where no class is named, got {given}")
                given = given[name or ""]
            values[setting] = own.get(setting, found.get(setting, UNTUNED[setting])) if given == "auto" else given
        if self.high_threshold is not None and values["threshold"] >= self.high_threshold:
            values["high_threshold"] = None
        return SegmentNumbers(**values)


@dataclass(frozen=True)
class SegmentNumbers(Segment):
    """How scores become instances, in numbers alone: nothing is `auto` any more."""

    threshold: float = UNTUNED["threshold"]
    min_size: int = int(UNTUNED["min_size"])
    declump_depth: float = UNTUNED["declump_depth"]
