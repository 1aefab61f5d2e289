"""The network's arithmetic, as plain integers: sizes, context, alignment (Ronneberger et al. 2015, fig. 1).

| padding | up               | context at depth 4 | rows of a tile that differ | tiles equal the whole    |
|---------|------------------|--------------------|----------------------------|--------------------------|
| valid   | transposed       | 6·2^4 − 4 = 92 px  | none                       | everywhere               |
| same    | transposed       | 6·2^4 = 96 px      | 94 px                      | everywhere, halo dropped |
| same    | bilinear         | 7·2^4 = 112 px     | 109 px                     | everywhere, halo dropped |
| same    | bilinear-aligned | 112 px, too few    | all                        | never                    |

The context of a padded network is a multiple of 2^depth, so that a tile that begins where its context does pools in
the whole's phase.

Sizes: networks whose tiles equal the whole refuse a side that would pool unevenly, with the nearest legal ones. That
holds for imported networks with transposed convolutions too: the original takes odd sides and pads them with zeros,
which prediction, mirroring every image at its edges, never needs. `bilinear-aligned` takes every side, as the original.

Rejected: `bilinear` without padding, which none of the sources has, and whose outermost pixels of each tile would
differ from the whole's.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

MOST = {"in_channels": 2**16, "base": 2**16, "depth": 16}
"""Beyond which no machine has the memory, and arithmetic with it takes long; a record may ask for anything."""


@dataclass(frozen=True)
class Architecture:
    """A U-Net; without arguments the paper's, with 31,030,658 parameters. `unet.network.unet` lists the family.

    >>> Architecture().output_size(572)
    388
    >>> Architecture().context, Architecture(padding="same").context
    (92, 96)
    >>> Architecture(padding="same", up="bilinear").context
    112
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
    up: Literal["transposed", "bilinear", "bilinear-aligned"] = "transposed"
    """`transposed`: 2 × 2 convolution that halves the channels; `bilinear`: without parameters, fewer channels.

    With `bilinear` the bottom is only as wide as the level above it. `bilinear-aligned` is the same with corners
    aligned: its result depends on the tile's size, and it is there for old checkpoints.
    """
    dropout: float = 0.0
    """Probability at the end of the contracting path, while training."""
    bias: bool = False
    """A bias in convolutions that a batch norm follows, as old checkpoints have; without a norm there always is one."""
    narrow: bool = False
    """Fewer channels at the bottom and on the way up, as checkpoints before 2020-03-30 have.

    The bottom is as wide as the level above it whatever `up` is, transposed convolutions keep their channels, and the
    first convolution after each of them already has the fewer channels.
    """

    def __post_init__(self) -> None:
        """Refuse a network without channels, classes or levels, and one of which no two tiles would agree."""
        for name in ("in_channels", "base", "depth"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be ≥ 1, got {getattr(self, name)}")
            if getattr(self, name) > MOST[name]:
                raise ValueError(f"{name} must be {MOST[name]:,} at most, got {getattr(self, name):.3g}")
        if self.classes < 2:
            raise ValueError(f"classes must be ≥ 2, background among them, got {self.classes}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be 0 ≤ dropout < 1, got {self.dropout}")
        if self.up != "transposed" and self.padding != "same":
            raise ValueError(
                f"up={self.up} must go with padding=same, got padding={self.padding}; set up to transposed"
            )

    @property
    def tileable(self) -> bool:
        """Whether tiles give the whole image's scores; with aligned corners they depend on the tile's size."""
        return self.up != "bilinear-aligned"

    @property
    def multiple(self) -> int:
        """Pixels to whose multiples tile origins are bound, so that every tile pools in the same phase: 2^depth."""
        return 1 << self.depth

    def risen_channels(self, level: int) -> int:
        """Channels of what a level hands to the one above it; level `depth` is the bottom.

        >>> Architecture().risen_channels(4), Architecture(padding="same", up="bilinear").risen_channels(4)
        (1024, 512)
        """
        halved = self.up == "transposed" and not self.narrow
        return self.base << level if halved else self.base << (level - 1)

    @property
    def context(self) -> int:
        """Pixels around a written region that a tile must read.

        6·2^depth − 4 unpadded, 6·2^depth padded, 7·2^depth padded and bilinear. No context is enough for a network
        that is not `tileable`; with this one its tiles differ by little.
        """
        if self.padding == "valid":
            return 6 * self.multiple - 4
        return (6 if self.up == "transposed" else 7) * self.multiple

    def input_size(self, output: int) -> int:
        """Least legal input side in pixels whose output covers `output` pixels, context on both sides included.

        >>> Architecture().input_size(388), Architecture().input_size(380)
        (572, 572)
        """
        return output + (self._rest - output) % self._step + 2 * self.context

    def output_size(self, size: int) -> int:
        """Side in pixels of the map that an input of `size` pixels gives; ValueError names the nearest legal sizes.

        >>> Architecture().output_size(570)
        Traceback (most recent call last):
        ...
        ValueError: input size 570 pools an odd map at depth 4, or ends with none; nearest legal: 556 and 572
        """
        least = self.input_size(1) if self.padding == "valid" else self.multiple
        below = size - (size + self._rest) % self._step
        if below != size or size < least:
            legal = sorted({max(below, least), max(below + self._step, least)})
            raise ValueError(
                f"input size {size} pools an odd map at depth {self.depth}, or ends with none; "
                f"nearest legal: {' and '.join(map(str, legal))}"
            )
        return size - (2 * self.context if self.padding == "valid" else 0)

    @property
    def _step(self) -> int:
        """Pixels from one legal side to the next."""
        return self.multiple if self.tileable else 1

    @property
    def _rest(self) -> int:
        """What a legal output side leaves when divided by the step; a legal input side leaves as much less."""
        return 4 if self.padding == "valid" else 0
