"""How scores become instances."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from unet.settings.validation import CLOSED, Dimensions, require

DeclumpBy = Literal["distance", "scores", "both"]
"""What parts a clump."""


@dataclass(frozen=True)
class Segment:
    """How scores become instances."""

    __pydantic_config__: ClassVar = CLOSED
    VERSION: ClassVar[int] = 3

    threshold: float = 0.5
    """A pixel belongs to an object where the sum of the object classes' scores reaches this; 0 < threshold ≤ 1."""
    high_threshold: float | None = None
    """Objects are kept only where one of their pixels reaches this; > threshold, default: any object (hysteresis)."""
    classes: tuple[int, ...] | None = None
    """Classes of the model that are objects, from 1; default: all but the background, 0."""
    min_size: int = 16
    """Objects of fewer pixels are dropped, and so are parts of clumps."""
    max_hole_size: int = 0
    """Holes of objects of at most this many pixels are filled; what reaches the edge of the image is no hole."""
    declump_depth: float = 0.0
    """Clumps are parted where what `declump_by` says falls by so much between two centres; 0: never."""
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
        require(0 < self.threshold <= 1, f"threshold must be 0 < threshold ≤ 1, got {self.threshold}")
        strong = self.high_threshold is None or self.threshold < self.high_threshold <= 1
        require(
            strong,
            f"high_threshold must be threshold < high_threshold ≤ 1, got {self.high_threshold} for {self.threshold}",
        )
        chosen = self.classes is None or (self.classes and len(set(self.classes)) == len(self.classes))
        require(bool(chosen), f"classes must be one class or more, each once, got {self.classes}")
        require(min(self.classes or (1,)) > 0, f"classes must be ≥ 1, 0 being the background, got {self.classes}")
        for name in ("min_size", "max_hole_size"):
            require(getattr(self, name) >= 0, f"{name} must be ≥ 0 pixels, got {getattr(self, name)}")
        require(self.declump_depth >= 0, f"declump_depth must be ≥ 0, got {self.declump_depth}")
        require(self.max_declump_box > 0, f"max_declump_box must be > 0 pixels, got {self.max_declump_box}")

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
