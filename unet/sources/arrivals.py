"""Arrivals: which source files are finished, told from looks at them some time apart.

The law: a file is quiet once two looks at least so many seconds apart, and every look in between, saw the same size
and time of change. Time is that of who looks: the clock of a share may be wrong, and a copy may bear its original's
time, so a time of change only ever is compared with itself.

Being quiet is not being whole: a network may stall for longer. `unet.formats.completeness` reads the file then.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from pydantic import TypeAdapter, ValidationError

Facts = tuple[int, int]
"""Bytes of a file, and its time of change in nanoseconds."""


class UnfinishedError(RuntimeError):
    """A source file changed while it was read: leave its stack for the next run."""


@dataclass(frozen=True)
class Sighting:
    """A file as it was seen last."""

    size: int
    changed: int
    """Its time of change, in nanoseconds."""
    since: float
    """When it was first seen so; seconds since 1970 by the clock of who looks."""
    taken: bool = False
    """Whether a run has taken it as it is."""
    looked: float = field(default=0.0, compare=False)
    """When the last look saw it."""


@dataclass(frozen=True)
class Memory:
    """What the last look saw: path → sighting."""

    files: Mapping[str, Sighting]

    @classmethod
    def of(cls, values: Mapping[str, Any] | None) -> "Memory":
        """Memory read from plain values; damaged values give an empty one, which costs one more look."""
        try:
            return cls(TypeAdapter(dict[str, Sighting]).validate_python((values or {}).get("files", {}), strict=False))
        except ValidationError:
            return cls({})

    def plain(self) -> dict[str, Any]:
        """Its plain values."""
        return {"files": {path: asdict(seen) for path, seen in self.files.items()}}

    def updated(self, seen: Mapping[str, Facts], now: float) -> "Memory":
        """The memory after a look at the sources that found these files.

        >>> first = Memory({}).updated({"a.tif": (10, 1)}, now=0)
        >>> first.updated({"a.tif": (20, 1)}, now=60).files["a.tif"].since
        60
        """
        return Memory({path: _again(self.files.get(path), facts, now) for path, facts in seen.items()})

    def keeping(self, before: "Memory", paths: Iterable[str]) -> "Memory":
        """The memory with what an earlier one knew of files that are away: once back, they are none that came."""
        return Memory({**self.files, **{path: before.files[path] for path in paths}})

    def gone(self, seen: Iterable[str]) -> list[str]:
        """Files that the last look saw and this one does not."""
        return sorted(set(self.files) - set(seen))

    def new(self) -> list[str]:
        """Files that are new or changed since a run took them."""
        return [path for path, seen in self.files.items() if not seen.taken]

    def is_quiet(self, path: str, now: float, seconds: float) -> bool:
        """Whether a file has not changed for so many seconds, or a run took it as it is; False where never seen."""
        seen = self.files.get(path)
        return seen is not None and (seen.taken or 0 <= seconds <= now - seen.since)

    def taking(self, paths: Iterable[str]) -> "Memory":
        """The memory after a run took these files."""
        return Memory(dict(self.files) | {path: replace(self.files[path], taken=True) for path in paths})


def _again(before: Sighting | None, facts: Facts, now: float) -> Sighting:
    if before is None or (before.size, before.changed) != facts:
        return Sighting(*facts, since=now, looked=now)
    since = now if before.looked > now else before.since  # a clock that was set back has counted nothing
    return replace(before, since=since, looked=now)
