"""How samples are varied while training: plain numbers, one for each kind of change; 0, 1 or false turns a kind off."""

from dataclasses import dataclass
from math import isfinite
from typing import ClassVar


@dataclass(frozen=True)
class Augmentation:
    """Limits within which each sample is changed by itself; `Augmentation.none()` changes nothing.

    >>> Augmentation.none().elastic
    0.0
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    elastic: float = 10.0
    """Elastic deformation: standard deviation in pixels of random vectors on a 3 × 3 grid that spans the tile; ≥ 0."""
    rotation: float = 180.0
    """Largest angle in degrees, either way; 0 to 180, which is any angle."""
    flips_and_quarter_turns: bool = True
    """Whether quarter turns and flips are drawn, all eight alike; without `rotation` they are exact."""
    scale: float = 1.25
    """Largest factor of enlargement, as likely as reduction by it; ≥ 1, at most 4."""
    shift: float = 0.0
    """Largest shift in pixels along y and x; ≥ 0. Tiles are drawn from every place anyhow: it adds parts of a pixel."""
    gain: float = 0.2
    """Grey values of the normalised image (about 0 to 1) are multiplied by up to 1 ± gain; 0 ≤ gain < 1."""
    offset: float = 0.1
    """Up to ± offset is added to them; ≥ 0."""
    slope: float = 0.3
    """A background that falls across the tile is added: by up to so much over its side, in any direction; ≥ 0."""
    gamma: float = 1.5
    """They are raised to a power of at most gamma, as likely as 1 / gamma; ≥ 1, at most 4."""
    noise: float = 0.05
    """Largest standard deviation of Gaussian noise, drawn evenly from 0 on; ≥ 0."""
    blur: float = 0.5
    """Largest standard deviation in pixels of a Gaussian blur, drawn evenly from 0 on; 0 to 10."""

    def __post_init__(self) -> None:
        """Refuse values outside of their range."""
        ranges = {
            "elastic": (0, 1000),
            "rotation": (0, 180),
            "scale": (1, 4),
            "shift": (0, 1000),
            "gain": (0, 0.99),
            "offset": (0, 10),
            "slope": (0, 10),
            "gamma": (1, 4),
            "noise": (0, 10),
            "blur": (0, 10),
        }
        for name, (least, most) in ranges.items():
            value = getattr(self, name)
            if not (isfinite(value) and least <= value <= most):
                raise ValueError(f"{name} must be {least} to {most}, got {value}; {least} turns it off")

    @classmethod
    def none(cls) -> "Augmentation":
        """No change at all: batches are the windows that were drawn, bit for bit."""
        return cls(
            elastic=0.0,
            rotation=0.0,
            flips_and_quarter_turns=False,
            scale=1.0,
            gain=0.0,
            offset=0.0,
            slope=0.0,
            gamma=1.0,
            noise=0.0,
            blur=0.0,
        )
