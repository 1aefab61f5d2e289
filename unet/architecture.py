"""The network's arithmetic, as plain integers: sizes, context, alignment (Ronneberger et al. 2015, fig. 1).

| padding | up         | context at depth 4 | tiles equal the whole        |
|---------|------------|--------------------|------------------------------|
| valid   | transposed | 92 px              | everywhere                   |
| same    | transposed | 96 px              | everywhere, halo dropped     |
"""

from dataclasses import dataclass
from typing import ClassVar, Literal


@dataclass(frozen=True)
class Architecture:
    """A U-Net; without arguments the paper's, with 31,030,658 parameters.

    >>> Architecture().output_size(572)
    388
    >>> Architecture().context, Architecture(padding="same").context
    (92, 96)
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    in_channels: int = 1
    """Channels of the image; set from the images when training starts."""
    classes: int = 2
    """Classes of the scores, background among them."""
    base: int = 64
    """Channels of the first level; doubled at each level down."""
    depth: int = 4
    """Poolings on the way down."""
    padding: Literal["valid", "same"] = "valid"
    """`valid`: unpadded 3 × 3 convolutions, as the paper; `same`: padded with zeros."""
    norm: Literal["none", "batch"] = "none"
    """Batch norm after each 3 × 3 convolution, or none, as the paper."""
    up: Literal["transposed"] = "transposed"
    """2 × 2 transposed convolution that halves the channels."""
    dropout: float = 0.0
    """Probability at the end of the contracting path, while training."""

    def __post_init__(self) -> None:
        """Refuse a network without channels, classes or levels."""
        for name in ("in_channels", "base", "depth"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be ≥ 1, got {getattr(self, name)}")
        if self.classes < 2:
            raise ValueError(f"classes must be ≥ 2, background among them, got {self.classes}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be 0 ≤ dropout < 1, got {self.dropout}")

    @property
    def multiple(self) -> int:
        """Pixels to whose multiples tile origins are bound, so that every tile pools in the same phase: 2^depth."""
        return 1 << self.depth

    @property
    def context(self) -> int:
        """Pixels around a written region that a tile must read: 6·2^depth − 4 unpadded, 6·2^depth padded."""
        return 6 * self.multiple - (4 if self.padding == "valid" else 0)

    def input_size(self, output: int) -> int:
        """Least legal input side in pixels whose output covers `output` pixels, context on both sides included.

        >>> Architecture().input_size(388), Architecture().input_size(380)
        (572, 572)
        """
        rest = 4 if self.padding == "valid" else 0
        return output + (rest - output) % self.multiple + 2 * self.context

    def output_size(self, size: int) -> int:
        """Side in pixels of the map that an input of `size` pixels gives; ValueError names the nearest legal sizes.

        >>> Architecture().output_size(570)
        Traceback (most recent call last):
        ...
        ValueError: input size 570 pools an odd map at depth 4, or ends with none; nearest legal: 556 and 572
        """
        lost = 2 * self.context if self.padding == "valid" else 0
        below = size - (size + (4 if lost else 0)) % self.multiple
        if below != size or size <= lost:
            least = self.input_size(1) if lost else self.multiple
            legal = sorted({max(below, least), max(below + self.multiple, least)})
            raise ValueError(
                f"input size {size} pools an odd map at depth {self.depth}, or ends with none; "
                f"nearest legal: {' and '.join(map(str, legal))}"
            )
        return size - lost
