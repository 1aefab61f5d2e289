"""How long a piece of work took of this process: pieces that run beside each other share the time.

The law: the seconds of all pieces add up to the time during which at least one was in work, so that past ones tell how
long as many again will take, also where several stacks are in work at once.
"""

import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import wraps
from threading import Lock
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


@dataclass
class Shares:
    """A clock on which a second lasts as many times as long as there are pieces in work."""

    now: Callable[[], float] = time.monotonic
    at_work: int = 0
    shown: float = 0.0
    last: float = 0.0
    lock: Lock = field(default_factory=Lock)

    def read(self, more: int = 0) -> float:
        """The time shown by the clock; from now on so many more pieces are in work."""
        with self.lock:
            now = self.now()
            self.shown += (now - self.last) / max(self.at_work, 1)
            self.last, self.at_work = now, self.at_work + more
            return self.shown


_shares = Shares()
_began: ContextVar[float] = ContextVar("began")


def timed(work: Callable[P, R]) -> Callable[P, R]:
    """A decorator for a piece of work that asks by `elapsed` how long it took."""

    @wraps(work)
    def measured(*args: P.args, **kwargs: P.kwargs) -> R:
        token = _began.set(_shares.read(+1))
        try:
            return work(*args, **kwargs)
        finally:
            _shares.read(-1)
            _began.reset(token)

    return measured


def elapsed() -> float:
    """Seconds of the piece of work that this is called in, to the millisecond."""
    return round(_shares.read() - _began.get(), 3)
