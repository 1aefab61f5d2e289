"""How truth becomes classes and border weights."""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

from unet.settings.validation import CLOSED, Dimensions, require

LONGEST = 10_000
"""Pixels of any length here: what lies further away is no neighbour, and reading so far would take a whole plane."""


@dataclass(frozen=True)
class BorderWeights:
    """The border term of the weight map, w0·exp(−(d1+d2)²/2σ²) (Ronneberger et al. 2015, eq. 2), and Falk's edge."""

    __pydantic_config__: ClassVar = CLOSED

    w0: float = 10.0
    """Weight in the narrowest possible gap, added to the class weight; ≥ 0."""
    sigma: float = 5.0
    """Width in pixels of y x of the gaps that get weight; > 0."""
    edge_weight: float = 0.0
    """Weight beside an object, whether another is near or not, edge·exp(−d1²/2τ²) (Falk et al. 2019); ≥ 0."""
    edge_sigma: float = 10.0
    """Reach τ of `edge_weight` in pixels of y x; > 0."""
    tolerance: float = 1e-4
    """Weights below this are 0, which makes the map local: computed block by block it equals the whole bit for bit."""

    def __post_init__(self) -> None:
        """Refuse settings for which the map is not defined."""
        for name in ("w0", "edge_weight"):
            require(0 <= getattr(self, name) < math.inf, f"{name} must be ≥ 0, got {getattr(self, name)}")
        for name in ("sigma", "edge_sigma"):
            length = getattr(self, name)
            require(0 < length < math.inf, f"{name} must be > 0 pixels, got {length}")
            require(length <= LONGEST, f"{name} must be {LONGEST:,} pixels at most, got {length}")
        require(self.tolerance > 0, f"tolerance must be > 0, got {self.tolerance}")

    @property
    def cutoff(self) -> float:
        """Distance sum d1 + d2 in pixels beyond which the border term is 0: T = σ·√(2·ln(w0/tolerance)).

        >>> round(BorderWeights(w0=10, sigma=5, tolerance=1e-3).cutoff, 2)
        21.46
        """
        return _reach(self.w0, self.sigma, self.tolerance)

    @property
    def edge_cutoff(self) -> float:
        """Distance d1 in pixels beyond which the edge term is 0."""
        return _reach(self.edge_weight, self.edge_sigma, self.tolerance)


def _reach(peak: float, sigma: float, tolerance: float) -> float:
    """Where a Gaussian of this height falls below the tolerance."""
    return sigma * math.sqrt(2 * math.log(peak / tolerance)) if peak > tolerance else 0.0


@dataclass(frozen=True)
class Weigh(BorderWeights):
    """How truth becomes what training sees: classes with touching objects parted, and border weights."""

    VERSION: ClassVar[int] = 2

    preset: Literal["paper2015", "falk2019"] = "paper2015"
    """In dataset.yaml: take the settings of an article (presets.yaml); what the section names itself wins."""
    applies_to: Literal["background", "everywhere"] = "background"
    """Which pixels get the border weight: background only (with the gap cut between touching objects), or all."""
    gap_width: int = 2
    """Width in pixels of the gap that is cut between touching objects; even = half on either side, 1 = one-sided."""
    class_weights: tuple[float, ...] | None = None
    """Weight of background and of objects; default: as `train.class_balance` has it, over the training part."""
    dimensions: Dimensions = 2
    """2: each y x plane by itself; 3: whole volumes, distances along z in units of the y x pixel."""

    def __post_init__(self) -> None:
        """Refuse an odd gap width but 1, and class weights that are all 0."""
        super().__post_init__()
        require(
            self.gap_width == 1 or (self.gap_width >= 0 and self.gap_width % 2 == 0),
            f"gap_width must be 1 or an even number ≥ 0, got {self.gap_width}",
        )
        require(self.gap_width <= LONGEST, f"gap_width must be {LONGEST:,} pixels at most, got {self.gap_width}")
        weights = self.class_weights
        require(
            weights is None or (len(weights) == 2 and min(weights) >= 0 and max(weights) > 0),
            f"class_weights must be two numbers ≥ 0, of background and of objects, got {weights}",
        )
