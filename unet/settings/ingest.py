"""Where the stacks come from, when a file counts as finished, and how it becomes OME-Zarr."""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

from unet.settings.validation import CLOSED, require, require_plain


@dataclass(frozen=True)
class Source:
    """A folder of microscope files (or one file), and the truth that people drew for some of them."""

    __pydantic_config__: ClassVar = CLOSED

    images: str
    """Folder or file of images. Every file is a stack, and so is every scene within a file."""
    truth: str | None = None
    """Folder or file of labels, matched to the images by name; stacks without truth are the normal case."""
    slices: Literal["z", "t"] | None = None
    """Set when each folder of single planes is one stack: the axis along which its files are ordered by name."""
    foreground: Literal["ids", 0, 255] = "ids"
    """How truth is read: `ids` = one id an object; 255 = the largest value is object; 0 = zero is object."""
    ignore: int | None = None
    """Value in truth that marks pixels nobody judged: training gives them no weight, evaluation leaves them out."""

    def __post_init__(self) -> None:
        """Refuse an empty path."""
        for name in ("images", "truth"):
            require(getattr(self, name) != "", f"{name} must name a folder or file, got an empty path")
            require_plain(name, getattr(self, name) or "")
        require(self.ignore is None or self.ignore > 0, f"ignore must be > 0, 0 being background, got {self.ignore}")


@dataclass(frozen=True)
class Ingest:
    """How microscope files become OME-Zarr, and which statistics of each channel are kept for normalisation."""

    __pydantic_config__: ClassVar = CLOSED
    VERSION: ClassVar[int] = 2

    percentile_low: float = 1.0
    """Percentile of a channel that training and prediction map to 0."""
    percentile_high: float = 99.8
    """Percentile of a channel that training and prediction map to 1."""

    def __post_init__(self) -> None:
        """Refuse percentiles out of order."""
        low, high = self.percentile_low, self.percentile_high
        require(
            0 <= low < high <= 100,
            f"percentiles must be 0 ≤ percentile_low < percentile_high ≤ 100, got {low}, {high}",
        )


@dataclass(frozen=True)
class Watch:
    """When a file that somebody is writing into a source counts as finished."""

    __pydantic_config__: ClassVar = CLOSED

    quiet_seconds: float = 60.0
    """Seconds over which a file must be seen not to change before it is read."""
    give_up_after_seconds: float = 3600.0
    """Seconds after which a file that is quiet, and not whole, is taken to stay so: ingest sets it aside."""

    def __post_init__(self) -> None:
        """Refuse a negative or endless time."""
        for name in ("quiet_seconds", "give_up_after_seconds"):
            require(0 <= getattr(self, name) < math.inf, f"{name} must be ≥ 0 seconds, got {getattr(self, name)}")
