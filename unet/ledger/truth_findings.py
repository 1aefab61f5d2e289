"""What a check of the truth found, in plain values and words: how many of each kind, and where the first ones are.

Nothing is mended on the way: what looks like a slip may be meant, and only the person who drew it knows. Everything
here is light, so that `status` tells it from stamps alone; the pixels are looked at in `truth`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from unet.sources.stack_names import shortened

SPECK = 9
"""Pixels below which an object is a speck: 3 × 3 is the least that has a pixel with none but its own around it."""

COUNTED_SIZES = 1024
"""Pixels from which on objects are not counted by their size any more: nobody drops objects as large as that."""


@dataclass(frozen=True)
class Place:
    """Where one finding is, so that a person finds it in a viewer."""

    plane: int
    """Position of the y x plane among all t and z planes, from 0."""
    id: int = 0
    """The object's id; 0 where no object is meant."""
    y: int = 0
    """Row of its first pixel."""
    x: int = 0
    """Column of its first pixel."""

    def __str__(self) -> str:
        """The place in words."""
        return f"plane {self.plane}, id {self.id} at y {self.y} x {self.x}" if self.id else f"plane {self.plane}"


@dataclass(frozen=True)
class Finding:
    """How often one kind was found."""

    count: int = 0
    examples: tuple[Place, ...] = ()
    """The first few, in raster order."""


@dataclass(frozen=True)
class TruthCheck:
    """What is odd about one stack's truth; how each kind is told apart stands in `truth`."""

    objects: int = 0
    """Objects looked at: an id counts once a plane, or once a volume."""
    planes: int = 0
    """y x planes looked at."""
    specks: Finding = Finding()
    holes: Finding = Finding()
    pieces: Finding = Finding()
    touching: Finding = Finding()
    empty: Finding = Finding()
    sizes: tuple[tuple[int, int], ...] = ()
    """How many objects there are of each size in pixels, smallest first; of sizes below `COUNTED_SIZES` alone."""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "TruthCheck":
        """The check whose plain values these are, as a stamp keeps them.

        >>> TruthCheck.of({"objects": 2, "specks": {"count": 1, "examples": [{"plane": 4, "id": 17}]}}).specks.count
        1
        """
        found = {kind: _finding(values[kind]) for kind in KINDS if kind in values}
        sizes = tuple((size, count) for size, count in values.get("sizes", ()))
        return cls(values.get("objects", 0), values.get("planes", 0), **found, sizes=sizes)

    def smaller_than(self, pixels: int) -> int:
        """Objects of fewer pixels, of those that are counted by their sizes.

        >>> TruthCheck(objects=7, sizes=((9, 4), (16, 2))).smaller_than(16)
        4
        """
        return sum(count for size, count in self.sizes if size < pixels)

    def counts(self) -> dict[str, int]:
        """Objects, planes, and how many of each kind.

        >>> TruthCheck(objects=5, planes=1, holes=Finding(2)).counts()
        {'objects': 5, 'planes': 1, 'specks': 0, 'holes': 2, 'pieces': 0, 'touching': 0, 'empty': 0}
        """
        findings = {kind: getattr(self, kind).count for kind in KINDS}
        return {"objects": self.objects, "planes": self.planes, **findings}

    def found(self) -> Iterator[tuple[str, Finding]]:
        """Kinds of which there is at least one, in the order of `KINDS`."""
        findings: Iterator[tuple[str, Finding]] = ((kind, getattr(self, kind)) for kind in KINDS)
        return ((kind, finding) for kind, finding in findings if finding.count)


class Kind(NamedTuple):
    """What one kind of finding is called, and what it does to training."""

    one: str
    many: str
    effect: str


KINDS = {
    "specks": Kind(
        f"speck of fewer than {SPECK} pixels",
        f"specks of fewer than {SPECK} pixels",
        "training takes each for an object, and the network learns to find dust",
    ),
    "holes": Kind("hole", "holes", "training takes them for background, and the network learns to pierce objects"),
    "pieces": Kind(
        "id in several pieces",
        "ids in several pieces",
        "an id is one object: no border weight keeps its pieces apart, and scores count them as one",
    ),
    "touching": Kind(
        "object that touches another",
        "objects that touch another",
        "nothing but the ridge of background that weigh cuts keeps them apart, where weigh.part has it cut",
    ),
    "empty": Kind(
        "plane without an object",
        "planes without an object",
        "right where nothing was there; where nobody drew, the network learns to miss objects: set "
        "`empty_planes: ignore` of the source",
    ),
}
"""Every kind of finding, the field of `TruthCheck` that counts it first; the order in which they are told."""


class FindingSummary(NamedTuple):
    """One kind of finding over the stacks of a dataset."""

    kind: Kind
    number: int
    stacks: int
    """Stacks in which there is at least one."""
    examples: list[str]
    """Where the first ones are, with the stack's name."""

    @property
    def name(self) -> str:
        """Such as `2 holes`."""
        return counted(self.kind, self.number)


def counted(kind: Kind, number: int) -> str:
    """Number and name.

    >>> counted(KINDS["holes"], 1), counted(KINDS["holes"], 2000)
    ('1 hole', '2,000 holes')
    """
    return f"{number:,} {kind.one if number == 1 else kind.many}"


def words(check: TruthCheck) -> str:
    """One line that says what was found, each kind with the first place; empty where nothing was.

    >>> words(TruthCheck(holes=Finding(3, (Place(4, 17, 30, 211),)), empty=Finding(1, (Place(5),))))
    '3 holes (plane 4, id 17 at y 30 x 211); 1 plane without an object (plane 5)'
    """
    lines = ((counted(KINDS[kind], finding.count), finding.examples[:1]) for kind, finding in check.found())
    return "; ".join(f"{name} ({', '.join(map(str, places))})" if places else name for name, places in lines)


def summarise(checks: Mapping[str, TruthCheck], examples: int = 3) -> list[FindingSummary]:
    """Each kind that was found in any stack, with the first places over all of them.

    >>> [line] = summarise({"a": TruthCheck(), "b": TruthCheck(holes=Finding(2, (Place(4, 17, 30, 211),)))})
    >>> line.name, line.stacks, line.examples
    ('2 holes', 1, ['b, plane 4, id 17 at y 30 x 211'])
    """
    summaries = []
    for kind, called in KINDS.items():
        found = {name: getattr(check, kind) for name, check in checks.items() if getattr(check, kind).count}
        places = (f"{name}, {place}" for name, finding in found.items() for place in finding.examples)
        shown = [place for place, _ in zip(places, range(examples), strict=False)]
        summaries.append(FindingSummary(called, sum(finding.count for finding in found.values()), len(found), shown))
    return [summary for summary in summaries if summary.number]


def warnings(checks: Mapping[str, TruthCheck]) -> list[str]:
    """A line for each kind that was found in any stack: how many, where the first one is, what it does to training.

    >>> warnings({"a": TruthCheck(holes=Finding(1, (Place(4, 17, 30, 211),)))})[0].partition(";")[0]
    '1 hole in 1 stack (first: a, plane 4, id 17 at y 30 x 211)'
    """
    return [
        f"{line.name} in {line.stacks} stack{'' if line.stacks == 1 else 's'}"
        f"{f' (first: {line.examples[0]})' if line.examples else ''}; {line.kind.effect}"
        for line in summarise(checks, examples=1)
    ]


def small_objects_line(checks: Mapping[str, TruthCheck], min_size: int) -> str:
    """A line that says how many objects of truth `segment.min_size` drops; empty where it drops none.

    >>> small_objects_line({"a": TruthCheck(objects=3, sizes=((9, 2),)), "b": TruthCheck(objects=5)}, 16).split(";")[0]
    '2 of 8 objects of truth are smaller than segment.min_size 16 (a 2), the smallest of 9 pixels'
    """
    small = {name: count for name, check in checks.items() if (count := check.smaller_than(min_size))}
    if not small:
        return ""
    worst = sorted(small, key=lambda name: (-small[name], name))
    where = shortened([f"{name} {small[name]:,}" for name in worst], 3)
    objects, least = sum(check.objects for check in checks.values()), min(checks[name].sizes[0][0] for name in small)
    return (
        f"{sum(small.values()):,} of {objects:,} objects of truth are smaller than segment.min_size {min_size} "
        f"({where}), the smallest of {least} pixel{'' if least == 1 else 's'}; they will be dropped, found or not: "
        "lower segment.min_size"
    )


def _finding(values: Mapping[str, Any]) -> Finding:
    return Finding(values["count"], tuple(Place(**place) for place in values["examples"]))
