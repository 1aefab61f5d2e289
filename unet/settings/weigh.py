"""How truth becomes classes and border weights."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from unet.settings.classes import BACKGROUND
from unet.settings.validation import CLOSED, Dimensions, one_of, require

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


ClassWeights = Annotated[
    tuple[float, ...] | Mapping[str, float],
    one_of("a list of numbers, background first, or numbers by the names of classes, background among them"),
]
"""Weight of each class in the loss, in order or by name."""


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
    part: Literal["all", "same", "none"] = "all"
    """Which touching objects are parted by that gap: all, those of one class alone, or none."""
    class_weights: ClassWeights | None = None
    """Weights of background and each class, in order or by name; default: by `train.class_balance`, where it trains."""
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
        given = self.class_weights
        weights = (1.0, 1.0) if given is None else tuple(given.values() if isinstance(given, Mapping) else given)
        require(
            len(weights) > 1 and all(0 <= weight < math.inf for weight in weights) and max(weights) > 0,
            f"class_weights must be numbers ≥ 0, of background and of each class, not all 0, got {given}",
        )

    def weights_of(self, classes: Sequence[str]) -> tuple[float, ...] | None:
        """The given weights of background and of these classes, in order; None where none are given.

        Raises:
            ValueError: they are of others.

        >>> Weigh(class_weights={"mitosis": 3, "background": 1, "nucleus": 2}).weights_of(("nucleus", "mitosis"))
        (1, 2, 3)
        """
        if self.class_weights is None:
            return None
        known = (BACKGROUND, *classes)
        listed = ", ".join(known)
        if not isinstance(self.class_weights, Mapping):
            count = len(self.class_weights)
            require(count == len(known), f"class_weights must be {len(known)} numbers, of {listed}, got {count}")
            return tuple(self.class_weights)
        odd = [name for name in self.class_weights if name not in known]
        require(not odd, f"class_weights must be of {listed}, got {odd[0] if odd else ''!r}; name one of them")
        lost = [name for name in known if name not in self.class_weights]
        require(not lost, f"class_weights must be of {listed}, got none for {', '.join(lost)}; give it one")
        return tuple(self.class_weights[name] for name in known)
