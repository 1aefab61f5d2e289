"""How segments are compared with truth."""

from dataclasses import dataclass
from typing import ClassVar

from unet.settings.validation import CLOSED, require


@dataclass(frozen=True)
class Evaluate:
    """How segments are compared with truth."""

    __pydantic_config__: ClassVar = CLOSED
    VERSION: ClassVar[int] = 1

    confidence: float = 0.95
    """Level of the intervals, which come from resampling the planes."""
    bootstrap_resamples: int = 1000
    """Bootstrap resamples of an interval."""

    def __post_init__(self) -> None:
        """Refuse a level that is no probability."""
        require(0 < self.confidence < 1, f"confidence must lie between 0 and 1, got {self.confidence}")
        require(self.bootstrap_resamples > 0, f"bootstrap_resamples must be > 0, got {self.bootstrap_resamples}")
