"""How segments are compared with truth."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from unet.settings.validation import CLOSED, one_of, require

OBJECTS = (
    "average_precision",
    "mean_average_precision",
    "panoptic_quality",
    "seg",
    "det",
    "size_ratio",
    "dice",
    "iou",
    "pixel_error",
)
"""Metrics of objects with ids, as nuclei and cells: how many are found, and how exactly."""
MEMBRANES = (
    "v_rand",
    "v_rand_split",
    "v_rand_merge",
    "v_info",
    "rand_f",
    "warping_error",
    "dice",
    "iou",
    "pixel_error",
    "average_precision",
)
"""Metrics of what membranes part, which was drawn as a mask: whether cells leak together, or are cut."""
OTHERS = (
    "v_info_split",
    "v_info_merge",
    "rand_split",
    "rand_merge",
    "info_split",
    "info_merge",
    "rand_error",
    "board_pixel_error",
)
KNOWN = tuple(dict.fromkeys((*OBJECTS, *MEMBRANES, *OTHERS)))
"""Every metric there is, by the name of its function."""


@dataclass(frozen=True)
class Evaluate:
    """How segments are compared with truth."""

    __pydantic_config__: ClassVar = CLOSED
    VERSION: ClassVar[int] = 2

    metrics: Annotated[Literal["auto"] | tuple[str, ...], one_of("`auto` or a list of names")] = "auto"
    """Metrics of the report, as [average_precision, v_rand]; auto: those that suit the truth, objects or membranes."""
    confidence: float = 0.95
    """Level of the intervals, which come from resampling stacks, or planes of a single one."""
    bootstrap_resamples: int = 1000
    """Bootstrap resamples of an interval."""

    def __post_init__(self) -> None:
        """Refuse metrics that there are not, and a level that is no probability."""
        if self.metrics != "auto":
            unknown = [name for name in self.metrics if name not in KNOWN]
            require(not unknown, f"metrics must be of {', '.join(sorted(KNOWN))}, got {', '.join(unknown)}")
            is_each_once = len(set(self.metrics)) == len(self.metrics) > 0
            require(is_each_once, f"metrics must be one or more, each once, got {list(self.metrics)}")
        require(0 < self.confidence < 1, f"confidence must lie between 0 and 1, got {self.confidence}")
        require(self.bootstrap_resamples > 0, f"bootstrap_resamples must be > 0, got {self.bootstrap_resamples}")
