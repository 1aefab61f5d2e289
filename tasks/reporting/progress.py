"""What is being done, shown twice: as a bar on a terminal and as a progress artifact in the Prefect UI.

Both are updated once a second at most, from whatever thread. Outside a flow run there is no artifact; away from a
terminal, as under cron or nohup, a line every half minute stands for the bar.
"""

import logging
import sys
import time
from collections.abc import Callable
from contextvars import copy_context
from itertools import count
from threading import RLock
from types import TracebackType
from typing import Any, Self

from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.context import TaskRunContext
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tasks.reporting.artifacts import show

log = logging.getLogger(__name__)

EVERY = 1.0
"""Seconds between two updates."""
LINE_EVERY = 30.0
"""Seconds between two lines, where there is no terminal for a bar."""
TRY_AGAIN_AFTER = 60.0
"""Seconds until it is tried again to show progress on a server that did not answer."""


class Sink:
    """Progress of one task: `with Sink("weigh", 24) as sink: sink.step("nuclei-3")`."""

    def __init__(self, stage: str, total: int) -> None:
        self.stage, self.total, self.done, self.word, self.last = stage, total, 0, "", time.monotonic()
        self.part, self.silent_until = 0.0, 0.0
        self.last_line = self.last
        self.lock, self.context = RLock(), copy_context()  # a thread of the task does not know its run by itself
        self.artifact = self._begin_artifact()
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
        self.bar = Progress(*columns, disable=not sys.stderr.isatty(), transient=True)
        self.line = self.bar.add_task(stage, total=total)

    def __call__(self, done: int, total: int, word: str = "") -> None:
        """Show that `done` of `total` are done."""
        with self.lock:
            self.done, self.total, self.word, self.part = done, total, word, 0.0
            if time.monotonic() - self.last >= EVERY:
                self.flush()

    def step(self, word: str = "") -> None:
        """Show that one more is done."""
        with self.lock:
            self(self.done + 1, self.total, word)

    def within(self, word: str, part: float) -> None:
        """Show which part of the item in work is done."""
        with self.lock:
            self.word, self.part = word, part
            if time.monotonic() - self.last >= EVERY:
                self.flush()

    def counter(self, name: str) -> Callable[[int], Callable[[], None]]:
        """Given how many blocks a stack has, what is to be called after each of them."""

        def of(total: int) -> Callable[[], None]:
            done = count(1)

            def tick() -> None:
                now = next(done)
                self.within(f"{name} {now}/{total} blocks", now / total)

            return tick

        return of

    def flush(self) -> None:
        """Show it now."""
        with self.lock:
            self.last = time.monotonic()
            line = f"{self.stage} {self.word}".strip()
            self.bar.update(self.line, completed=self.done + self.part, total=self.total, description=line)
            if self.bar.disable and self.last - self.last_line >= LINE_EVERY:
                self.last_line = self.last
                print(f"{line} {self.done}/{self.total}", file=sys.stderr, flush=True)
            if self.artifact is not None:
                self._update_artifact()

    def __enter__(self) -> Self:
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.flush()
        self.bar.stop()

    def _begin_artifact(self) -> Any:  # Prefect's own union of a coroutine and an id
        if TaskRunContext.get() is None:
            return None
        made: list[Any] = []
        words = {"key": f"{self.stage}-progress", "description": f"0/{self.total}"}
        show(f"progress of {self.stage}", lambda: made.append(create_progress_artifact(0.0, **words)))
        return made[0] if made else None

    def _update_artifact(self) -> None:
        now = time.monotonic()
        if now < self.silent_until:
            return
        percent = round(100 * (self.done + self.part) / max(self.total, 1), 1)
        try:
            self.context.run(_update, self.artifact, percent, f"{self.done}/{self.total} {self.word}".strip())
        except Exception as error:  # a server that is gone is no reason to stop the work, or to set a stack aside
            self.silent_until = now + TRY_AGAIN_AFTER
            log.warning("progress of %s is not shown for %.0f s: %s", self.stage, TRY_AGAIN_AFTER, error)


def _update(artifact: Any, percent: float, words: str) -> None:
    """Update the artifact in one attempt: the work waits for it, and Prefect's own retries take a minute."""
    with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):
        update_progress_artifact(artifact, percent, words)
