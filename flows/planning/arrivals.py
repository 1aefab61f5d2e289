"""What a look at the sources finds: stacks to be taken, stacks that wait and why, files that are gone.

`watch.json` in the dataset remembers the last look, so that it survives a restart, and names no more than files. A look
that sees nothing new only reads names, sizes and times. Unfinished stacks are left out of the run's record, so that its
plans neither read them nor train on them; an image that was made of an older file stays as it is until then.
"""

import json
import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from flows.planning.catalogue import find_catalogue
from flows.planning.fetch import fetched
from unet.dataset.folder import Dataset
from unet.ledger.fingerprint import sizes_and_times
from unet.settings.record import Record
from unet.sources.arrivals import Memory
from unet.sources.mirror import Mirrored
from unet.sources.presence import KEPT, place_of, places_away
from unet.sources.source_files import source_files
from unet.sources.stack_names import printable
from unet.sources.stacks import Stack

log = logging.getLogger(__name__)

SHOWN_LINES = 20
"""Lines that are told of each kind."""


@dataclass(frozen=True)
class Arrivals:
    """What a look found."""

    ready: tuple[str, ...] = ()
    """Names of stacks that came or changed, and are whole."""
    waiting: dict[str, str] = field(default_factory=dict)
    """Why others are not taken yet, by name."""
    gone: tuple[str, ...] = ()
    """Files that are there no more; what was made from them is kept."""
    changes: tuple[str, ...] = ()
    """Settings of the run that takes what is ready."""
    files: tuple[str, ...] = ()
    """Files that this run takes."""
    away: tuple[str, ...] = ()
    """Places that are away since this look, a sentence each."""

    def lines(self) -> list[str]:
        """What a person is told, a line each; of many alike the first and the number of the others."""
        taken = [f"{name}: taken" for name in self.ready]
        waiting = [f"{name}: waiting: {why}" for name, why in self.waiting.items()]
        gone = [f"{file} is gone; what was made from it is kept" for file in self.gone]
        told = (taken, "taken"), (waiting, "waiting"), (gone, "gone"), (list(self.away), "away")
        lines = [line for lines, what in told for line in _first_lines(lines, what)]
        return [printable(line) for line in lines]


def look_at_sources(place: Dataset, record: Record, now: float | None = None) -> Arrivals:
    """Look at the sources, and remember what was seen."""
    now = time.time() if now is None else now
    before = _last_memory(place)
    root = Path(place.url) if place.is_local else Path.cwd()
    mirrored = fetched(record.sources)
    seen = sizes_and_times(source_files(record.sources, root))
    missing = before.gone(seen)
    places = places_away(record.sources, root) if missing else {}
    below = {file: lost for file in missing if (lost := place_of(file, list(places)))}
    memory = before.updated(seen, now).keeping(before, below)
    if memory != before or memory.new():  # of those it must be known when they were looked at
        _keep_memory(place, memory)
    gone = tuple(file for file in missing if file not in below)
    lost_places = [places[lost] for lost in dict.fromkeys(below.values())]
    away = _news_of_away(place, [*lost_places, *(f"{why}; {KEPT}" for why in mirrored.away.values())])
    new = [file for file in memory.new() if file not in below]
    found = _Looker(place, record, memory, now, new, mirrored).arrivals(gone) if new else Arrivals(gone=gone)
    return replace(found, away=away)


def mark_taken(place: Dataset, arrivals: Arrivals) -> None:
    """Remember that a run took what was ready; what changed meanwhile is new again at the next look."""
    memory = _last_memory(place)
    _keep_memory(place, memory.taking(file for file in arrivals.files if file in memory.files))


def is_news(place: Dataset, fault: str) -> bool:
    """Whether a fault that keeps one from looking is another one than at the look before; "" is none.

    A share that is away would else be told of every few minutes, all night.
    """
    values = _read_memory(place)
    if values.get("fault", "") != fault:
        (place / "watch.json").write_json(values | {"fault": fault})
        return True
    return False


def _news_of_away(place: Dataset, said: list[str]) -> tuple[str, ...]:
    """Sentences about places that were not away at the look before; all are remembered."""
    values = _read_memory(place)
    before = values.get("away")
    if said != (before or []):
        (place / "watch.json").write_json(values | {"away": said})
    return tuple(line for line in said if not isinstance(before, list) or line not in before)


@dataclass
class _Looker:
    place: Dataset
    record: Record
    memory: Memory
    now: float
    files: list[str]
    """Those that are new or changed, and there."""
    mirrored: Mirrored

    def arrivals(self, gone: tuple[str, ...]) -> Arrivals:
        """Stacks with new files, by whether they are finished."""
        new = set(self.files)
        quiet = {file for file in new if self._is_quiet([file])}
        if not quiet:
            return Arrivals(gone=gone, waiting=dict.fromkeys(sorted(new), self._unquiet))
        stacks = [
            s for s in find_catalogue(self.place, self.record, self.mirrored).stacks if new & {*s.files, *s.truth}
        ]
        waiting = {stack.name: why for stack in stacks if (why := self._why_waiting(stack))}
        kept = {file for stack in stacks if stack.name in waiting for file in (*stack.files, *stack.truth)}
        ready = tuple(stack.name for stack in stacks if stack.name not in waiting)
        exclude = [*self.record.exclude, *waiting]
        changes = (f"exclude={json.dumps(exclude)}",) if waiting else ()
        return Arrivals(ready, waiting, gone, changes, tuple(sorted(quiet - kept)))

    def _why_waiting(self, stack: Stack) -> str:
        """Why a stack is not taken yet; nothing where it is."""
        files = (*stack.files, *stack.truth)
        if not self._is_quiet(files):
            return self._why_unquiet(files)
        from unet.formats.completeness import require_whole

        try:
            if stack.refused:
                raise ValueError(stack.refused)
            each = bool(stack.axis or stack.grid)
            parts = require_whole(stack.files, stack.scene, each)
            parts = parts.union(*(require_whole(files, each=each) for files in stack.truth_parts))
        except (ValueError, LookupError, OSError) as error:
            since = max(self.memory.files[file].since for file in files if file in self.memory.files)
            given_up = self.now - since >= self.record.watch.give_up_after_seconds
            return "" if given_up else str(error)  # ingest says why not
        return "" if self._is_quiet(parts) else self._why_unquiet(sorted(parts))

    def _is_quiet(self, files: Iterable[str]) -> bool:
        """Whether files were seen unchanged for long enough; those of a set that lie in no source are never seen."""
        seen = (file for file in files if file in self.memory.files)
        return all(self.memory.is_quiet(file, self.now, self.record.watch.quiet_seconds) for file in seen)

    def _why_unquiet(self, files: Iterable[str]) -> str:
        changing = [file for file in files if not self._is_quiet([file])]
        return f"{changing[0]} {self._unquiet}"

    @property
    def _unquiet(self) -> str:
        return f"was not seen unchanged for {self.record.watch.quiet_seconds:g} s"


def _first_lines(lines: list[str], what: str) -> list[str]:
    return lines if len(lines) <= SHOWN_LINES else [*lines[:SHOWN_LINES], f"and {len(lines) - SHOWN_LINES} more {what}"]


def _read_memory(place: Dataset) -> dict[str, Any]:
    try:
        return (place / "watch.json").read_json() or {}
    except ValueError as error:
        log.warning("%s; what it remembered is looked at again", error)
        return {}


def _last_memory(place: Dataset) -> Memory:
    return Memory.of(_read_memory(place))


def _keep_memory(place: Dataset, memory: Memory) -> None:
    (place / "watch.json").write_json(_read_memory(place) | memory.plain())
