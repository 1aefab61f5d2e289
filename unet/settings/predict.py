"""How scores are computed."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from unet.settings.validation import CLOSED, Device, require, require_model_name


@dataclass(frozen=True)
class Predict:
    """How scores are computed: which model, in which form they are kept, and how much memory may be used."""

    __pydantic_config__: ClassVar = CLOSED
    VERSION: ClassVar[int] = 2

    model: str | None = None
    """Name of the model; default: `train.name`."""
    dtype: Literal["uint8", "float16", "float32"] = "uint8"
    """uint8 is round(255·p), a quarter of float32's bytes."""
    test_time_augmentation: Literal[1, 8] = 1
    """8: scores are the mean over the image's turns and reflections; better, and eight times the work."""
    background_below: float | None = None
    """Squares of 512 px are background, unseen, where no grey value that they depend on reaches this; default: none."""
    rescale: bool = False
    """Whether images are brought to the model's pixel size, and the scores back to the image's."""
    max_pixel_size_ratio: float = 2.0
    """Largest factor between the pixel sizes of image and model; a stack beyond it is set aside, unless rescaled."""
    keep_scores: bool = True
    """False drops a stack's scores once it is segmented."""
    memory_gb: float = 4.0
    """GB that each process may take on a CPU; on a GPU tiles are as large as its free memory allows."""
    max_tile: int | None = None
    """Side in pixels that no tile exceeds; default: as large as the memory allows. The result is the same."""
    precision: Literal["auto", "float32", "float16", "bf16"] = "auto"
    """Arithmetic of the network; `auto`: the fastest that was measured to be as good as float32 for this model.

    As good: scores differ by at most 2/255 on 99.9 % of the pixels, AP by at most 0.001, on planes that validate it
    (`parity` in its model.json). float32 where nothing is faster on the device, where that could not be measured, and
    where scores are kept as float32.
    """
    device: Device = "auto"
    """`auto` takes a GPU where there is one; `cuda` fails where there is none."""

    def __post_init__(self) -> None:
        """Refuse a name that is not one plain word, and a tile without pixels."""
        if self.model is not None:
            require_model_name(self.model, "model")
        require(self.max_tile is None or self.max_tile > 0, f"max_tile must be > 0 pixels, got {self.max_tile}")
        require(self.memory_gb > 0, f"memory_gb must be > 0 GB, got {self.memory_gb}")
        require(self.max_pixel_size_ratio >= 1, f"max_pixel_size_ratio must be ≥ 1, got {self.max_pixel_size_ratio}")
