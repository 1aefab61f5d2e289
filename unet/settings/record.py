"""The run record: what a person may set, in one closed tree of frozen dataclasses.

Each section is the settings of one pure function and is named after it. `VERSION` is that function's version: it stands
here rather than in the function's module so that the planner reads it without importing numpy or torch. Bump it when
the output of the function changes for the same input; a golden test fails otherwise.

Rejected: pydantic models all the way down (the pure functions would then drag pydantic into every worker), and one
flat record (a setting would no longer live with the function that reads it).
"""

import math
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    TypeAdapter,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
)
from ruamel.yaml import YAML

from unet.settings.architecture import Architecture
from unet.settings.augmentation import Augmentation
from unet.settings.faults import OURS, first_fault
from unet.settings.validation import require_no_secrets, require_plain

CLOSED = ConfigDict(extra="forbid", allow_inf_nan=False)

Device = Literal["auto", "cpu", "cuda"]
Dimensions = Literal[2, 3]


def _must(holds: bool, text: str) -> None:
    if not holds:
        raise ValueError(text)


def _must_be_model_name(name: str, setting: str) -> None:
    plain_word = name.replace("-", "").replace("_", "").isalnum()
    _must(
        plain_word and name.lower() != "truth",  # it becomes a folder beside `labels/truth`
        f"{setting} must be letters, digits, - and _ and not 'truth', got {name!r}",
    )


def _one_of(text: str) -> WrapValidator:
    """Refuses a value of several forms in our own words: pydantic's name each form's class and its own fault."""

    def check(value: Any, forms: ValidatorFunctionWrapHandler) -> Any:
        try:
            return forms(value)
        except ValidationError as error:
            ours = [fault["msg"] for fault in error.errors() if fault["type"] == "value_error"]
            raise ValueError(ours[0].removeprefix(OURS) if ours else f"must be {text}, got {value!r}") from error

    return WrapValidator(check)


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
            _must(getattr(self, name) != "", f"{name} must name a folder or file, got an empty path")
            require_plain(name, getattr(self, name) or "")
        _must(self.ignore is None or self.ignore > 0, f"ignore must be > 0, 0 being background, got {self.ignore}")


@dataclass(frozen=True)
class Ingest:
    """How microscope files become OME-Zarr, and which statistics of each channel are kept for normalisation."""

    __pydantic_config__: ClassVar = CLOSED
    VERSION: ClassVar[int] = 1

    low: float = 1.0
    """Percentile of a channel that training and prediction map to 0."""
    high: float = 99.8
    """Percentile of a channel that training and prediction map to 1."""

    def __post_init__(self) -> None:
        """Refuse percentiles out of order."""
        _must(
            0 <= self.low < self.high <= 100, f"low and high must be 0 ≤ low < high ≤ 100, got {self.low}, {self.high}"
        )


@dataclass(frozen=True)
class BorderWeights:
    """The border term of the weight map, w0·exp(−(d1+d2)²/2σ²) (Ronneberger et al. 2015, eq. 2), and Falk's edge."""

    __pydantic_config__: ClassVar = CLOSED

    w0: float = 10.0
    """Weight in the narrowest possible gap, added to the class weight; ≥ 0."""
    sigma: float = 5.0
    """Width of a felt gap in pixels of y x; > 0."""
    edge: float = 0.0
    """Weight beside an object, whether another is near or not, edge·exp(−d1²/2τ²) (Falk et al. 2019); ≥ 0."""
    edge_sigma: float = 10.0
    """Reach τ of `edge` in pixels of y x; > 0."""
    tolerance: float = 1e-4
    """Weights below this are 0, which makes the map local: computed block by block it equals the whole bit for bit."""

    def __post_init__(self) -> None:
        """Refuse settings for which the map is not defined."""
        for name in ("w0", "edge"):
            _must(0 <= getattr(self, name) < math.inf, f"{name} must be ≥ 0, got {getattr(self, name)}")
        for name in ("sigma", "edge_sigma"):
            _must(0 < getattr(self, name) < math.inf, f"{name} must be > 0 pixels, got {getattr(self, name)}")
        _must(self.tolerance > 0, f"tolerance must be > 0, got {self.tolerance}")

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
        return _reach(self.edge, self.edge_sigma, self.tolerance)


def _reach(peak: float, sigma: float, tolerance: float) -> float:
    """Where a Gaussian of this height falls below the tolerance."""
    return sigma * math.sqrt(2 * math.log(peak / tolerance)) if peak > tolerance else 0.0


@dataclass(frozen=True)
class Weigh(BorderWeights):
    """How truth becomes what training sees: classes with touching objects parted, and border weights."""

    VERSION: ClassVar[int] = 2

    preset: Literal["paper2015", "falk2019"] = "paper2015"
    """In dataset.yaml: take the settings of an article (presets.yaml); what the section names itself wins."""
    felt: Literal["background", "everywhere"] = "background"
    """Where the weights are felt: on background, the ridge among it, or within objects too."""
    ridge: int = 2
    """Width in pixels of the background that parts touching objects; even = half on either side, 1 = one-sided."""
    class_weights: tuple[float, ...] | None = None
    """Weight of background and of objects; default: training balances them by their counts in its training part."""
    dimensions: Dimensions = 2
    """2: each y x plane by itself; 3: whole volumes, distances along z in units of the y x pixel."""

    def __post_init__(self) -> None:
        """Refuse a ridge that lies on no side, and class weights that weigh nothing."""
        super().__post_init__()
        _must(
            self.ridge == 1 or (self.ridge >= 0 and self.ridge % 2 == 0),
            f"ridge must be 1 or an even number ≥ 0, got {self.ridge}",
        )
        weights = self.class_weights
        _must(
            weights is None or (len(weights) == 2 and min(weights) >= 0 and max(weights) > 0),
            f"class_weights must be two numbers ≥ 0, of background and of objects, got {weights}",
        )


@dataclass(frozen=True)
class Every:
    """Every k-th stack validates; of a single stack, the last block of 1/k of its planes."""

    __pydantic_config__: ClassVar = CLOSED
    every: int = 5

    def __post_init__(self) -> None:
        """Refuse a split that leaves nothing to train on."""
        _must(self.every >= 2, f"every must be ≥ 2, got {self.every}")


@dataclass(frozen=True)
class Last:
    """The last fraction of the stacks validates; of a single stack, of its planes."""

    __pydantic_config__: ClassVar = CLOSED
    last: float

    def __post_init__(self) -> None:
        """Refuse a split that leaves nothing to train on or to validate."""
        _must(0 < self.last < 1, f"last must lie between 0 and 1, got {self.last}")


Validation = Annotated[Every | Last | tuple[str, ...], _one_of("{every: N}, {last: FRACTION} or a list of names")]


@dataclass(frozen=True)
class Training:
    """How the network is trained: what `unet.training.train.train` reads."""

    __pydantic_config__: ClassVar = CLOSED
    VERSION: ClassVar[int] = 2

    architecture: Architecture = field(default_factory=lambda: Architecture(base=16, padding="same", norm="batch"))
    """The network; its defaults here are small enough for two CPU cores. `Architecture()` is the paper's."""
    tile: int = 256
    """Side in pixels of the y x square that the loss is taken over, one sample; made legal for the architecture."""
    batch: int = 4
    """Samples in a step, over all devices."""
    steps: int = 2000
    """Steps of the optimiser."""
    optimiser: Literal["adam", "sgd"] = "adam"
    """`sgd` has the paper's momentum."""
    rate: float = 1e-3
    """Learning rate at its peak; warmed up over the first 5 % of the steps, then lowered to 0 by a cosine."""
    momentum: float = 0.99
    """Momentum of `sgd`."""
    clip: float = 1.0
    """Largest norm of a step's gradient, which is scaled down to it; 0 = as it is."""
    dice: float = 0.0
    """Weight of the soft Dice loss, which lies between 0 and 1, beside the cross entropy; ≥ 0."""
    augmentation: Augmentation = field(default_factory=Augmentation)
    """How each sample is varied: turned, deformed, scaled, its grey values changed."""
    border: bool = True
    """Whether the border term is added to the class weights in the loss."""
    validate_every: int = 100
    """Steps between two looks at the validation part; the best parameters are kept."""
    patience: int = 0
    """Looks without a better validation loss after which training ends; 0 = all steps are made."""
    checkpoint_every: int = 200
    """Steps between two checkpoints, from which a training that was killed goes on."""
    memory: float = 2.0
    """GB of image, classes and border kept in memory; a larger training part is read from disk sample by sample."""
    seed: int = 0
    """Seed of the parameters, the drawing of samples and the augmentation."""
    device: Device = "auto"
    """`auto` takes a GPU where there is one; `cuda` fails where there is none."""
    devices: int = 1
    """GPUs of this machine (on the CPU, processes) that share each batch; `batch` must be a multiple of it."""
    precision: Literal["float32", "bf16"] = "float32"
    """`bf16`: convolutions in bfloat16, parameters and loss in float32: faster on a GPU, half the memory."""
    compile: bool = False
    """Whether torch compiles the network first: minutes at the start, faster steps on a GPU."""

    def __post_init__(self) -> None:
        """Refuse numbers for which there is no training."""
        for name in ("tile", "batch", "steps", "rate", "validate_every", "checkpoint_every", "memory", "devices"):
            _must(getattr(self, name) > 0, f"{name} must be > 0, got {getattr(self, name)}")
        for name in ("clip", "dice", "patience"):
            _must(getattr(self, name) >= 0, f"{name} must be ≥ 0, got {getattr(self, name)}")
        _must(self.seed >= 0, f"seed must be ≥ 0, got {self.seed}")
        _must(0 <= self.momentum < 1, f"momentum must be 0 ≤ momentum < 1, got {self.momentum}")
        _must(
            self.batch % self.devices == 0,
            f"batch must be a multiple of devices, got {self.batch} samples for {self.devices}",
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
    validation: Validation = field(default_factory=Every)
    """`{every: 5}`, `{last: 0.2}` or the names of stacks; fixed once, in model.json, as an explicit list."""
    start: str | None = None
    """Name of the model whose parameters, architecture and normalisation training begins with; default: none."""

    def __post_init__(self) -> None:
        """Refuse a name that is not one plain word, and a network that sees nothing."""
        super().__post_init__()
        _must_be_model_name(self.name, "name")
        if self.start is not None:
            _must_be_model_name(self.start, "start")
            _must(self.start != self.name, f"start must be another model than name, got {self.start!r} for both")
        _must(self.channels != (), "channels must name at least one channel, got none")


@dataclass(frozen=True)
class Predict:
    """How scores are computed: which model, in which form they are kept, and how much memory may be used."""

    __pydantic_config__: ClassVar = CLOSED
    VERSION: ClassVar[int] = 2

    model: str | None = None
    """Name of the model; default: `train.name`."""
    dtype: Literal["uint8", "float16", "float32"] = "uint8"
    """uint8 is round(255·p), a quarter of float32's bytes."""
    symmetries: Literal[1, 8] = 1
    """8: scores are the mean over the image's turns and reflections; better, and eight times the work."""
    skip_below: float | None = None
    """Squares of 512 px are background, unseen, where no grey value that they depend on reaches this; default: none."""
    rescale: bool = False
    """Whether images are brought to the model's pixel size, and the scores back to the image's."""
    pixel_factor: float = 2.0
    """Largest factor between the pixel sizes of image and model; a stack beyond it is set aside, unless rescaled."""
    keep_scores: bool = True
    """False drops a stack's scores once it is segmented."""
    memory: float = 4.0
    """GB that each process may take on a CPU; on a GPU tiles are as large as its free memory allows."""
    tile: int | None = None
    """Side in pixels that no tile exceeds; default: as large as the memory allows. The result is the same."""
    precision: Literal["auto", "float32", "float16", "bf16"] = "auto"
    """Arithmetic of the network; `auto`: float32, on a GPU float16 where scores are not kept as float32."""
    device: Device = "auto"
    """`auto` takes a GPU where there is one; `cuda` fails where there is none."""

    def __post_init__(self) -> None:
        """Refuse a name that is not one plain word, and a tile without pixels."""
        if self.model is not None:
            _must_be_model_name(self.model, "model")
        _must(self.tile is None or self.tile > 0, f"tile must be > 0 pixels, got {self.tile}")
        _must(self.memory > 0, f"memory must be > 0 GB, got {self.memory}")
        _must(self.pixel_factor >= 1, f"pixel_factor must be ≥ 1, got {self.pixel_factor}")


@dataclass(frozen=True)
class Segment:
    """How scores become instances."""

    __pydantic_config__: ClassVar = CLOSED
    VERSION: ClassVar[int] = 2

    threshold: float = 0.5
    """A pixel belongs to an object where the sum of the object classes' scores reaches this; 0 < threshold ≤ 1."""
    strong: float | None = None
    """Objects are kept only where one of their pixels reaches this; > threshold, default: any object (hysteresis)."""
    classes: tuple[int, ...] | None = None
    """Classes of the model that are objects, from 1; default: all but the background, 0."""
    minimum: int = 16
    """Objects of fewer pixels are dropped, and so are parts of clumps."""
    holes: int = 0
    """Holes of objects of at most this many pixels are filled; what reaches the edge of the image is no hole."""
    split: float = 0.0
    """Clumps are parted where the distance to the background, in y x pixels, falls by so much between two centres.

    0: never.
    """
    max_component: int = 2**22
    """Pixels of the bounding box above which a clump is left whole, and said to be."""
    dimensions: Dimensions = 2
    """2: objects end at their y x plane; 3: they go on along z."""
    connectivity: Literal["faces", "full"] = "faces"
    """Which pixels touch: those sharing an edge (4 in 2-D, 6 in 3-D), or a corner too (8, 26)."""

    def __post_init__(self) -> None:
        """Refuse a threshold that every pixel or none can reach, and what is no size."""
        _must(0 < self.threshold <= 1, f"threshold must be 0 < threshold ≤ 1, got {self.threshold}")
        strong = self.strong is None or self.threshold < self.strong <= 1
        _must(strong, f"strong must be threshold < strong ≤ 1, got {self.strong} with threshold {self.threshold}")
        chosen = self.classes is None or (self.classes and len(set(self.classes)) == len(self.classes))
        _must(bool(chosen), f"classes must be one class or more, each once, got {self.classes}")
        _must(min(self.classes or (1,)) > 0, f"classes must be ≥ 1, 0 being the background, got {self.classes}")
        for name in ("minimum", "holes"):
            _must(getattr(self, name) >= 0, f"{name} must be ≥ 0 pixels, got {getattr(self, name)}")
        _must(self.split >= 0, f"split must be ≥ 0 pixels, got {self.split}")
        _must(self.max_component > 0, f"max_component must be > 0 pixels, got {self.max_component}")


@dataclass(frozen=True)
class Evaluate:
    """How segments are compared with truth."""

    __pydantic_config__: ClassVar = CLOSED
    VERSION: ClassVar[int] = 1

    confidence: float = 0.95
    """Level of the intervals, which come from resampling the frames."""
    resamples: int = 1000
    """Bootstrap resamples of an interval."""

    def __post_init__(self) -> None:
        """Refuse a level that is no probability."""
        _must(0 < self.confidence < 1, f"confidence must lie between 0 and 1, got {self.confidence}")
        _must(self.resamples > 0, f"resamples must be > 0, got {self.resamples}")


@dataclass(frozen=True)
class Watch:
    """When a file that somebody is writing into a source counts as finished."""

    __pydantic_config__: ClassVar = CLOSED

    quiet: float = 60.0
    """Seconds over which a file must be seen not to change before it is read."""
    patience: float = 3600.0
    """Seconds after which a file that is quiet, and not whole, is taken to stay so: ingest sets it aside."""

    def __post_init__(self) -> None:
        """Refuse what is no time."""
        for name in ("quiet", "patience"):
            _must(0 <= getattr(self, name) < math.inf, f"{name} must be ≥ 0 seconds, got {getattr(self, name)}")


class Cluster(BaseModel):
    """A dask cluster to start: a class such as `dask_jobqueue.SLURMCluster` and what it is called with."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cls: str
    """Dotted name of the class."""
    options: dict[str, Any] = {}
    """What it is called with."""


Where = Annotated[str | Cluster | None, _one_of("a scheduler's address or {cls: CLASS, options: {…}}")]


class Record(BaseModel):
    """`dataset.yaml`: the sources of a dataset, stacks of them that are not taken, and each stage's settings."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)  # it may hold a secret

    sources: tuple[Source, ...] = ()
    """Where the microscope's files are, and people's labels."""
    exclude: tuple[str, ...] = ()
    """Names of stacks in the sources that are not taken."""
    ingest: Ingest = Ingest()
    weigh: Weigh = Weigh()
    train: Train = Train()
    predict: Predict = Predict()
    segment: Segment = Segment()
    evaluate: Evaluate = Evaluate()
    watch: Watch = Watch()
    cluster: Where = None
    """Who computes: a dask scheduler's address, or {cls: CLASS, options: {…}}; default: this machine's threads."""

    @field_validator("cluster")
    @classmethod
    def _holds_no_secret(cls, cluster: str | Cluster | None) -> str | Cluster | None:
        if cluster is not None:
            require_no_secrets("it", cluster.options if isinstance(cluster, Cluster) else {"address": cluster})
        return cluster

    @property
    def model(self) -> str:
        """Name of the model that predicts."""
        return self.predict.model or self.train.name

    @classmethod
    def read(cls, values: dict[str, Any], name: str = "dataset.yaml") -> Self:
        """Record of plain values; every wrong one is named with its path, as the person wrote it.

        >>> Record.read({"wiegh": {"sigma": 4}})
        Traceback (most recent call last):
        ...
        ValueError: dataset.yaml: wiegh is no setting; did you mean weigh?
        """
        try:
            return cls.model_validate(_filled(values))
        except ValidationError as error:
            raise ValueError(f"{name}: {first_fault(error, cls)}") from error


@cache
def presets() -> dict[str, dict[str, dict[str, Any]]]:
    """Settings of articles by section and name, as `unet/settings/presets.yaml` has them."""
    text = files("unet.settings").joinpath("presets.yaml").read_text("utf-8")
    found: dict[str, dict[str, dict[str, Any]]] = YAML(typ="safe", pure=True).load(text)
    return found


def plain(settings: Any) -> dict[str, Any]:
    """Plain values of a record's section, as YAML and JSON write them.

    >>> plain(Last(0.2))
    {'last': 0.2}
    """
    kind: type = type(settings)
    values: dict[str, Any] = _adapter(kind).dump_python(settings, mode="json")
    return values


@cache
def _adapter(record: type) -> TypeAdapter[Any]:
    return TypeAdapter(record)


def _of_preset(section: str, values: dict[str, Any]) -> dict[str, Any]:
    """A section's values on top of those of the preset it names; of one we do not know, as they are: it is refused."""
    preset = values.get("preset")
    named = presets().get(section, {}).get(preset, {}) if isinstance(preset, str) else {}
    return _over(named, values)


def _over(below: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """Values on top of others; those that have names below them are merged key by key."""
    both = [key for key in values if isinstance(values[key], dict) and isinstance(below.get(key), dict)]
    return {**below, **values, **{key: below[key] | values[key] for key in both}}


def _filled(values: dict[str, Any]) -> dict[str, Any]:
    """Sections with nothing below them left out, presets filled in, and `train.architecture` with our defaults."""
    values = {key: value for key, value in values.items() if value is not None or key not in Record.model_fields}
    values |= {key: _of_preset(key, value) for key, value in values.items() if isinstance(value, dict)}
    train = values.get("train")
    if not isinstance(train, dict) or not isinstance(train.get("architecture"), dict):
        return values
    return {**values, "train": _over({"architecture": plain(Train().architecture)}, train)}
