"""How one model of a dataset is trained."""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from unet.settings.architecture import Architecture
from unet.settings.augmentation import Augmentation
from unet.settings.validation import (
    CLOSED,
    Device,
    one_of,
    require,
    require_model_name,
)


@dataclass(frozen=True)
class Every:
    """Every k-th stack is kept out of training; of a single stack, the last block of 1/k of its planes."""

    __pydantic_config__: ClassVar = CLOSED
    every: int = 5

    def __post_init__(self) -> None:
        """Refuse a split that leaves nothing to train on."""
        require(self.every >= 2, f"every must be ≥ 2, got {self.every}")


@dataclass(frozen=True)
class Last:
    """The last fraction of the stacks is kept out of training; of a single stack, of its planes."""

    __pydantic_config__: ClassVar = CLOSED
    last: float

    def __post_init__(self) -> None:
        """Refuse a split that leaves nothing to train on or to validate."""
        require(0 < self.last < 1, f"last must lie between 0 and 1, got {self.last}")


KeptOut = Annotated[Every | Last | tuple[str, ...], one_of("{every: N}, {last: FRACTION} or a list of names")]
"""Which stacks are kept out of training, to validate the model or to test it."""

Gap = Annotated[Literal["auto"] | int, one_of("auto or a number of planes")]

GreyValues = Annotated[
    Literal["auto", "stack", "source"] | tuple[float, float],
    one_of("auto, stack, source or [LOW, HIGH]"),
]


@dataclass(frozen=True)
class Training:
    """How the network is trained: what `unet.training.train.train` reads."""

    __pydantic_config__: ClassVar = CLOSED
    VERSION: ClassVar[int] = 3

    architecture: Architecture = field(default_factory=lambda: Architecture(base=16, padding="same", norm="batch"))
    """The network; its defaults here are small enough for two CPU cores. `Architecture()` is the paper's."""
    tile_size: int = 128
    """Side in pixels of the y x square that the loss is taken over, one sample; made legal for the architecture."""
    batch_size: int = 8
    """Samples in a step, over all devices."""
    object_share: float = 0.5
    """Share of the samples that are drawn again until they show an object, so that rare ones are seen; 0 to 1."""
    steps: int = 20_000
    """Steps of the optimiser, at most."""
    minutes: float = 20.0
    """Minutes that training may take, made steps once by the speed of the first 20; 0 = all steps.

    A machine that gets busier after that takes longer for the same steps.
    """
    optimiser: Literal["adamw", "sgd"] = "adamw"
    """`sgd` has the paper's momentum."""
    learning_rate: float = 2e-3
    """Learning rate at its peak; warmed up over the first 5 % of the steps, then lowered to 0 by a cosine."""
    momentum: float = 0.99
    """Momentum of `sgd`."""
    weight_decay: float = 1e-4
    """How much the optimiser pulls parameters to 0; ≥ 0."""
    averaging: float = 0.995
    """The network that is kept is a running average of the steps': the share it keeps at each; 0 = none, < 1."""
    gradient_clip: float = 1.0
    """Largest norm of a step's gradient, which is scaled down to it; 0 = as it is."""
    dice_weight: float = 0.5
    """Weight of the soft Dice loss, which lies between 0 and 1, beside the cross entropy; ≥ 0."""
    class_balance: float = 0.0
    """How far the cross entropy makes rare classes count as much as others: 0 = all pixels alike, 1 = all classes."""
    augmentation: Augmentation = field(default_factory=Augmentation)
    """How each sample is varied: turned, deformed, scaled, its grey values changed."""
    use_border_weights: bool = True
    """Whether the border term is added to the class weights in the loss."""
    validate_every: int = 200
    """Steps between two looks at the validation part; the best parameters are kept."""
    patience: int = 0
    """Looks without a better validation loss after which training ends; 0 = all steps are made."""
    checkpoint_every: int = 400
    """Steps between two checkpoints, from which a training that was killed goes on."""
    memory_gb: float = 2.0
    """GB of image, classes and border kept in memory; a larger training part is read from disk sample by sample."""
    seed: int = 0
    """Seed of the parameters, the drawing of samples and the augmentation."""
    device: Device = "auto"
    """`auto` takes a GPU where there is one; `cuda` fails where there is none."""
    devices: int = 1
    """GPUs of this machine (on the CPU, processes) that share each batch; `batch_size` must be a multiple of it."""
    precision: Literal["auto", "float32", "bf16"] = "auto"
    """`bf16`: convolutions in bfloat16, parameters and loss in float32; `auto`: where the device is faster with it."""
    compile: bool = False
    """Whether torch compiles the network first: minutes at the start, faster steps on a GPU."""

    def __post_init__(self) -> None:
        """Refuse numbers for which there is no training."""
        for name in (
            "tile_size",
            "batch_size",
            "steps",
            "learning_rate",
            "validate_every",
            "checkpoint_every",
            "memory_gb",
            "devices",
        ):
            require(getattr(self, name) > 0, f"{name} must be > 0, got {getattr(self, name)}")
        for name in ("minutes", "weight_decay", "gradient_clip", "dice_weight", "patience"):
            require(getattr(self, name) >= 0, f"{name} must be ≥ 0, got {getattr(self, name)}")
        require(self.seed >= 0, f"seed must be ≥ 0, got {self.seed}")
        for name in ("object_share", "class_balance"):
            require(0 <= getattr(self, name) <= 1, f"{name} must be 0 ≤ {name} ≤ 1, got {getattr(self, name)}")
        for name in ("momentum", "averaging"):
            require(0 <= getattr(self, name) < 1, f"{name} must be 0 ≤ {name} < 1, got {getattr(self, name)}")
        require(
            self.batch_size % self.devices == 0,
            f"batch_size must be a multiple of devices, got {self.batch_size} samples for {self.devices}",
        )


@dataclass(frozen=True)
class Train(Training):
    """One model of this dataset: its name, its channels, its split, and how it is trained."""

    preset: Literal["default", "quick", "paper2015"] = "default"
    """Where dataset.yaml says so, a whole recipe (presets.yaml); what the section names itself wins."""
    name: str = "unet"
    """Name of the model: `models/NAME`, `labels/NAME`, `reports/NAME`."""
    channels: tuple[str, ...] | None = None
    """Names of the channels the network sees; default: all of the first training stack's."""
    validation: KeptOut = field(default_factory=Every)
    """`{every: 5}`, `{last: 0.2}` or the names of stacks; fixed once, in model.json, as an explicit list."""
    test: KeptOut | None = None
    """Stacks, named like `validation`, that neither train nor choose anything: the report is on them; default: none.

    They are taken first, and `validation` among the rest.
    """
    gap: Gap = "auto"
    """Planes (over time: frames) that are left out between blocks of a single stack, as neighbours are alike.

    `auto`: 1, or as many as the weights reach along z where `weigh.dimensions` is 3, as far as half of them can train.
    """
    grey_values: GreyValues = "auto"
    """What the network takes for 0 and 1: `auto`, `stack`, `source`, or two grey values [LOW, HIGH].

    `auto`: each stack's own grey values, its noise held to that of the training stacks. `stack`: its own alone.
    `source`: one pair for all stacks of a source, such as a plate. A model that starts from another keeps its rule.
    """
    init_from: str | None = None
    """Name of the model whose parameters, architecture and normalisation training begins with; default: none."""

    def __post_init__(self) -> None:
        """Refuse a name that is not one plain word, and a network that sees nothing."""
        super().__post_init__()
        require_model_name(self.name, "name")
        if self.init_from is not None:
            require_model_name(self.init_from, "init_from")
            require(
                self.init_from != self.name,
                f"init_from must be another model than name, got {self.init_from!r} for both",
            )
        require(self.gap == "auto" or self.gap >= 0, f"gap must be auto or ≥ 0 planes, got {self.gap}")
        self._require_parted()
        require(self.channels != (), "channels must name at least one channel, got none")
        if not isinstance(self.grey_values, str):
            low, high = self.grey_values
            require(low < high, f"grey_values must be [LOW, HIGH] in order, got [{low:g}, {high:g}]")

    def _require_parted(self) -> None:
        """Refuse stacks that are to validate and to test."""
        named = [set(rule) for rule in (self.test, self.validation) if isinstance(rule, tuple)]
        both = sorted(named[0] & named[1]) if len(named) == 2 else []
        require(not both, f"test and validation must name different stacks, got {', '.join(both)} in both")
