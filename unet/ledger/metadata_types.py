"""Of which types the values in JSON of ours must be: they lie where anybody may have written.

A word where a number should be would fail far from where it was read, as an error of Python's that names no file. So
what we read is checked as it is read, by one schema a file; what is missing is told by the facts themselves, and what
is not listed here may be there and is not looked at.
"""

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Literal

from annotated_types import Len
from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

CLOSED = ConfigDict(extra="forbid")


class Content(TypedDict):
    """A fingerprint's two digests."""

    seen: str
    content: str


@with_config(CLOSED)
class Place(TypedDict, total=False):
    """Where one finding about truth is."""

    plane: int
    id: int
    y: int
    x: int


class Finding(TypedDict):
    """One kind of finding about truth."""

    count: int
    examples: list[Place]


class Findings(TypedDict, total=False):
    """What a check of truth found."""

    objects: int
    planes: int
    specks: Finding
    holes: Finding
    pieces: Finding
    touching: Finding
    empty: Finding
    sizes: list[Annotated[list[int], Len(2, 2)]]


class FactTypes(TypedDict, total=False):
    """What stamps keep of results."""

    axes: str
    shape: list[int]
    dtype: str
    spacing: dict[str, float]
    units: dict[str, str]
    channels: list[str]
    notes: list[str]
    statistics: list[dict[str, Any]]
    detail: list[dict[str, float] | None]
    source: list[str]
    source_folder: str
    scene: int | None
    scenes: int
    files: Content
    arrays: Content
    ignore: int | None
    withdrawn: bool
    dropped: bool
    truth: Findings
    counts: list[Any]
    count: int
    count_by_class: dict[str, int]
    dimensions: int
    median_size: float | None
    certainty: float | None
    seconds: float
    identity: str
    classes: list[str]
    class_digest: str


class Entry(TypedDict, total=False):
    """What a generation says of itself, and the stamp of a committed one."""

    recipe: Any
    plan: dict[str, Any]
    generation: str
    facts: FactTypes
    made: str
    packages: dict[str, str]


class Part(TypedDict):
    """One part of a split."""

    stack: str
    start: int
    stop: int
    use: str


class SeenPart(TypedDict):
    """Planes of an image that a model has had to do with."""

    stack: str
    start: int
    stop: int | None
    use: str
    digests: list[str]


class SeenFile(TypedDict):
    """All that is known of what a model has had to do with."""

    images: list[SeenPart]
    is_all: bool


class NetworkSizes(TypedDict, total=False):
    """The numbers of an architecture."""

    in_channels: int
    classes: int
    base: int
    depth: int


class ModelFile(TypedDict, total=False):
    """`model.json`."""

    architecture: NetworkSizes
    channels: list[str]
    normalisation: dict[str, Any]
    pixel_size: dict[str, Any] | None
    classes: list[str] | None
    split: list[Part]
    seen: SeenFile
    segment: Any
    training_ranges: dict[str, dict[str, Any]]
    history: list[dict[str, Any]]
    best_step: int
    came_from: str
    notes: list[str]


class ReportFile(TypedDict, total=False):
    """`metrics.json`."""

    model: str
    test: dict[str, dict[str, Any]]
    validation: dict[str, dict[str, Any]]
    new: dict[str, dict[str, Any]]
    training: dict[str, dict[str, Any]]
    stacks: dict[str, dict[str, Any]]
    classes: dict[str, dict[str, Any]]
    mean_over_classes: dict[str, dict[str, Any]]
    class_counts: dict[str, dict[str, int]]
    confusion: dict[str, Any]
    counts: dict[str, dict[str, int]]
    overlaps: list[str]
    resampled: dict[str, str]
    unit: str
    settings: dict[str, Any]
    digests: dict[str, str]
    made: str


class KeptFigure(TypedDict, total=False):
    """One metric of a line of the history."""

    value: float | None
    low: float | None
    high: float | None
    n: int | None


class ManyStacks(TypedDict):
    """Stacks that are too many to be named."""

    n: int
    digest: str


KeptStacks = list[str] | ManyStacks
MadeOf = TypedDict("MadeOf", {"training stacks": KeptStacks, "validation stacks": KeptStacks}, total=False)


class HistoryLine(TypedDict):
    """A line of `history/MODEL.jsonl`."""

    kind: Literal["training", "report"]
    model: str
    made: str
    generation: str
    part: str | None
    figures: dict[str, KeptFigure]
    made_of: MadeOf


class Level(TypedDict, total=False):
    """One level of a pyramid."""

    path: str
    coordinateTransformations: list[dict[str, Any]]


class Axis(TypedDict):
    """One axis of a pyramid."""

    name: str


class Multiscales(TypedDict, total=False):
    """One pyramid."""

    axes: list[Axis]
    datasets: Annotated[list[Level], Len(1)]


class Omero(TypedDict, total=False):
    """How channels are shown."""

    channels: list[dict[str, Any]]


class Ome(TypedDict, total=False):
    """What OME-Zarr says of a group."""

    multiscales: list[Multiscales]
    omero: Omero
    labels: list[str]


class ZarrAttributes(TypedDict, total=False):
    """Attributes of a group in zarr."""

    ome: Ome
    arrays: dict[str, str]


SCHEMAS: dict[str, Any] = {"zarr.json": ZarrAttributes, "model.json": ModelFile, "metrics.json": ReportFile}


class Facts(dict[str, Any]):
    """Facts of a stamp; one that is missing is told with the file that lacks it."""

    def __init__(self, values: Any = (), file: str = "a stamp") -> None:
        super().__init__(values)
        self.file = file

    def __missing__(self, name: str) -> Any:
        raise ValueError(f"{self.file} is damaged: it must say {name}, got nothing; remove it and run again")


def require_types(values: Mapping[str, Any], schema: Any, file: str) -> None:
    """Refuse values of other types than a schema has them; ValueError names the file and the value.

    >>> require_types({"channels": 3}, ModelFile, "model.json")
    Traceback (most recent call last):
    ...
    ValueError: model.json is damaged: channels should be a valid list, got 3; remove it and run again
    """
    try:
        _adapter(schema).validate_python(values, strict=True)
    except ValidationError as error:
        fault = error.errors()[0]
        where, said = ".".join(map(str, fault["loc"])), fault["msg"].replace("Input should", "should")
        got = repr(fault["input"])[:80]
        raise ValueError(f"{file} is damaged: {where} {said}, got {got}; remove it and run again") from error


@cache
def _adapter(schema: Any) -> TypeAdapter[Any]:
    return TypeAdapter(schema)
