"""Where the stacks come from, when a file counts as finished, and how it becomes OME-Zarr."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from unet.settings.classes import BACKGROUND, IGNORED, check_names, class_names, clean_table, kind_of_keys
from unet.settings.file_pattern import check_pattern
from unet.settings.remote import is_remote, require_remote
from unet.settings.validation import CLOSED, one_of, require, require_plain

Places = Annotated[
    str | Mapping[str, str], one_of("a folder or file, or one a class such as {nucleus: DIR, mitosis: DIR}")
]


@dataclass(frozen=True)
class Source:
    """A folder of microscope files (or one file), and the truth that people drew for some of them.

    Both may lie on a server or in an object store; this machine has a copy then, see `unet.sources.mirror`.
    """

    __pydantic_config__: ClassVar = CLOSED

    images: str
    """Folder or file of images, or its address: `https://…`, `s3://…`. Every file is a stack, and so is every scene."""
    truth: Places | None = None
    """Folder, file or address of labels, matched by name, or `labels/NAME` in OME-Zarr; many stacks have none.

    One a class where classes lie apart: `{nucleus: DIR, mitosis: DIR}`.
    """
    slices: Literal["z", "t"] | None = None
    """Set when each folder of single planes is one stack: the axis along which its files are ordered by name."""
    foreground: Literal["ids", "classes", 0, 255] = "ids"
    """How truth is read: `ids` = one id an object; 255 or 0 = a mask, of which the largest value or 0 is object.

    classes: a value, colour or name a class, as `classes` has them; connected pixels of one class are an object.
    """
    classes: Mapping[int | str, str] | None = None
    """Names of classes by value in truth, such as `{1: nucleus, 2: mitosis, 255: ignore}`; "#ff8800" for a colour."""
    class_of: str | None = None
    """Folder or file that tells the class of each id: label images, or CSVs of id and class, named as truth is."""
    ignore: int | None = None
    """Value in truth that marks pixels nobody judged: training gives them no weight, evaluation leaves them out."""
    empty_planes: Literal["background", "ignore"] = "background"
    """Of a stack, planes of truth without an object: `ignore` where nobody drew on them, as if nobody judged them."""
    prefix: str = ""
    """What names of its stacks begin with, such as `day2-`, where several sources have files of the same names."""
    pattern: str | None = None
    """How files of single planes are named, such as `{name}_z{z}_c{c}.tif`: those of one `{name}` are one stack."""
    suffix: str | None = None
    """What names of truth have behind those of their images, such as `_mask`; it may lie beside them then."""
    axes: str | None = None
    """What the axes of its files are, such as `tzyx`, where they do not say or say something else."""
    channels: tuple[str, ...] | None = None
    """Names of the channels, in the order of the files, where these have none or others."""
    pixel_size: Mapping[str, float] | None = None
    """Micrometers by axis, such as `{y: 0.1, x: 0.1, z: 0.5}` (seconds for t), where files have none or wrong ones."""
    link: bool = False
    """Whether pixels of OME-Zarr images are read where they lie, and not copied; those whose chunks suit are."""

    def __post_init__(self) -> None:
        """Refuse an empty path, and what cannot be meant."""
        for name, place in (("images", self.images), *(("truth", place) for place in self.truth_places)):
            require(place != "", f"{name} must name a folder or file, got an empty path")
            require_plain(name, place)
            if is_remote(place):
                require_remote(name, place)
        require(
            not (self.link and is_remote(self.images)),
            f"link must be of pixels on this machine, got {self.images}; leave it out, and they are copied",
        )
        ignore = self.ignore
        require(
            ignore is None or ignore > 0 or ignore == -1, f"ignore must be > 0 or -1, 0 being background, got {ignore}"
        )
        if self.pattern is not None:
            check_pattern(self.pattern)
        require(self.suffix != "", "suffix must be what names of truth have more, such as _mask, got an empty one")
        require(self.pattern is None or self.slices is None, "only one of slices and pattern may be set, got both")
        axes = self.axes or "yx"
        require(
            len(set(axes)) == len(axes) and {"y", "x"} <= set(axes) <= set("tczyx"),
            f"axes must be some of t c z y x, each once, y and x among them, got {axes!r}",
        )
        for axis, size in (self.pixel_size or {}).items():
            require(axis in "tzyx", f"pixel_size must be by axis t, z, y or x, got {axis!r}")
            require(0 < size < math.inf, f"pixel_size must be > 0, got {axis}: {size}")
        self._check_classes()

    def _check_classes(self) -> None:
        """Refuse classes that truth cannot have, read as these settings say."""
        if isinstance(self.truth, Mapping):
            check_names(class_names({name: name for name in self.truth}))
            require(BACKGROUND not in self.truth, "truth must have a folder for each class of objects, got background")
            is_plain = self.foreground != "classes" and self.classes is None and self.class_of is None
            require(is_plain, "classes and class_of must be left out where truth has a folder a class, got both")
        require(
            self.class_of is None or (self.foreground == "ids" and self.has_truth and self.class_of != ""),
            f"class_of must go with truth that is read with foreground ids, got {self.foreground!r}",
        )
        needs = self.foreground == "classes" or self.class_of is not None
        require(
            not needs or self.classes is not None,
            "classes must name what stands for each class in truth, such as {1: nucleus, 2: mitosis}, got none",
        )
        require(
            needs or self.classes is None,
            f"foreground must be classes where `classes` names some, got {self.foreground!r}",
        )
        if self.classes is not None:
            check_names(class_names(self.classes))
            self._check_ignore(clean_table(self.classes))

    def _check_ignore(self, table: dict[int | str, str]) -> None:
        """Refuse a value that marks unjudged pixels, and a class as well, or that no picture of colours has."""
        if self.ignore is None or self.class_of is not None:
            return
        is_free = kind_of_keys(table) == "values" and table.get(self.ignore, IGNORED) == IGNORED
        require(is_free, f"ignore must be named in `classes` alone, got {self.ignore}; write `{self.ignore}: ignore`")

    @property
    def truth_places(self) -> tuple[str, ...]:
        """Folders, files or labels that its truth is read from, and the classes of it."""
        places = tuple(self.truth.values()) if isinstance(self.truth, Mapping) else (self.truth,)
        return tuple(place for place in (*places, self.class_of) if place is not None)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes of objects in its truth, in order; none where truth has no classes."""
        return class_names(self.table)

    @property
    def table(self) -> dict[int | str, str]:
        """Names of classes by what stands for them; by themselves where each has a folder; empty where none is named.

        >>> Source("raw", {"nucleus": "a", "mitosis": "b"}).table
        {'nucleus': 'nucleus', 'mitosis': 'mitosis'}
        """
        if isinstance(self.truth, Mapping):
            return {name: name for name in self.truth}
        return clean_table(self.classes or {})

    @property
    def has_truth(self) -> bool:
        """Whether it names a place or a suffix of truth."""
        return self.truth is not None or self.suffix is not None


@dataclass(frozen=True)
class Ingest:
    """How microscope files become OME-Zarr, and which statistics of each channel are kept for normalisation."""

    __pydantic_config__: ClassVar = CLOSED
    VERSION: ClassVar[int] = 2

    percentile_low: float = 1.0
    """Percentile of a channel that training and prediction map to 0."""
    percentile_high: float = 99.8
    """Percentile of a channel that training and prediction map to 1."""

    def __post_init__(self) -> None:
        """Refuse percentiles out of order."""
        low, high = self.percentile_low, self.percentile_high
        require(
            0 <= low < high <= 100,
            f"percentiles must be 0 ≤ percentile_low < percentile_high ≤ 100, got {low}, {high}",
        )


@dataclass(frozen=True)
class Watch:
    """When a file that somebody is writing into a source counts as finished."""

    __pydantic_config__: ClassVar = CLOSED

    quiet_seconds: float = 60.0
    """Seconds over which a file must be seen not to change before it is read."""
    give_up_after_seconds: float = 3600.0
    """Seconds after which a file that is quiet, and not whole, is taken to stay so: ingest sets it aside."""

    def __post_init__(self) -> None:
        """Refuse a negative or endless time."""
        for name in ("quiet_seconds", "give_up_after_seconds"):
            require(0 <= getattr(self, name) < math.inf, f"{name} must be ≥ 0 seconds, got {getattr(self, name)}")
