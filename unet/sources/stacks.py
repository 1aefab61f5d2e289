"""What a stack is, as it is found in the sources: its files, how they lie together, and what is known beside them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

Files = tuple[str, ...]
Grid = tuple[tuple[str, Files], ...]
"""Axes along which files lie, the slowest first, each with the words that stand for its places, such as z: 1, 2, 3."""


class Scenes(NamedTuple):
    """What a file is opened for: a stack each scene."""

    number: int
    """0 where the file is a part of a stack that another file opens."""
    parts: Files = ()
    """Absolute paths of the other files of its set, which are read with it."""


@dataclass(frozen=True)
class Stated:
    """What is said of a stack beside its files, by a person or by an index; it is believed before them."""

    axes: str = ""
    """What the axes of its files are."""
    channels: Files = ()
    """Names of its channels."""
    pixel_size: tuple[tuple[str, float], ...] = ()
    """Micrometers, or seconds, by axis."""


class Well(NamedTuple):
    """Where a stack lies on a plate."""

    plate: str
    """Name of the plate: stacks of one plate have the same."""
    row: str
    """Name of the row, such as "A"."""
    column: str
    """Name of the column, such as "1" or "01"."""
    field: int
    """Number of the field of view within the well, as the plate counts them."""


@dataclass(frozen=True)
class Stack:
    """What a microscope wrote, as found in the sources."""

    name: str
    """NAME in the dataset folder: letters, digits, `.`, `_` and `-`, not starting with `.`."""
    files: Files
    """Absolute paths: one file; one that opens a set, and the others of it; or all of a grid, raster order."""
    scene: int | None
    """Index of the scene within a file of several; None when the file has one."""
    axis: Literal["z", "t"] | None
    """The axis that slices run along; None when every file is a stack."""
    truth: Files
    """Absolute paths of its labels, as in `files`, and of what tells their classes; empty where nobody drew any."""
    foreground: Literal["ids", "classes", 0, 255]
    """How truth is read, see `Source.foreground`."""
    classes: tuple[tuple[int | str, str], ...] = ()
    """Names of classes by what stands for them in truth, see `Source.table`; empty where it has none."""
    truth_by_class: tuple[tuple[str, Files], ...] = ()
    """Those of `truth` that are of one class, by its name, where each class has a folder."""
    class_of: Files = ()
    """Those of `truth` that tell the class of each id, see `Source.class_of`."""
    ignore: int | None = None
    """Value in truth that marks pixels nobody judged, see `Source.ignore`."""
    empty_planes: Literal["background", "ignore"] = "background"
    """What planes of truth without an object are, see `Source.empty_planes`."""
    is_truth_away: bool = False
    """Whether nobody can tell now if there is truth: its folder is not there, or a link to it leads nowhere."""
    source: str = ""
    """The source it was found in, see `Source.images`."""
    grid: Grid = ()
    """How files of single planes lie together; empty for slices, and where one file or set is the stack."""
    stated: Stated = Stated()
    """What is said of it beside its files."""
    refused: str = ""
    """Why it cannot be read, seen by names alone, a sentence: ingest sets it aside."""
    well: Well | None = None
    """Where it lies on a plate; None where it is of none."""
    is_linked: bool = False
    """Whether its pixels are to be read where they lie, see `Source.link`."""

    @property
    def truth_parts(self) -> tuple[Files, ...]:
        """Files of truth that are read together: those of each class, or of ids and of what tells their classes."""
        if self.truth_by_class:
            return tuple(files for _, files in self.truth_by_class)
        objects = self.truth[: len(self.truth) - len(self.class_of)]
        return tuple(files for files in (objects, self.class_of) if files)


@dataclass(frozen=True)
class Catalogue:
    """All stacks of the sources, sorted by name, and the files of truth that belong to none of them."""

    stacks: tuple[Stack, ...]
    unmatched: Files
    notes: tuple[str, ...] = ()
    """What else a person should know: links that are not followed, truth that is away; a sentence each."""
    left_out: tuple[tuple[str, int], ...] = ()
    """Kinds of files among the images that are not read, each with how many there are."""
    absent: Mapping[str, str] = field(default_factory=dict)
    """Stacks taken before that are not gone, and are none by their names: what is said of each, "" for nothing."""
