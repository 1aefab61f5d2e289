"""How long, and with how much memory, a fault may be suffered before it is called a hang or a bomb."""

import resource
import signal
from contextlib import contextmanager

IDLE = 30
"""Seconds that a busy machine may take for one of its processors'."""


class Hang(BaseException):  # no error, or what turns errors into sentences would hide it
    """What is tried takes longer than anything there should."""


@contextmanager
def within(seconds):
    """Ends what is below after so many seconds of a processor, or, where it waits, `IDLE` times as many of a clock."""

    def stop(*_):
        raise Hang(f"it took more than {seconds} s")

    timers = {signal.SIGPROF: (signal.ITIMER_PROF, seconds), signal.SIGALRM: (signal.ITIMER_REAL, IDLE * seconds)}
    before = {sign: signal.signal(sign, stop) for sign in timers}
    for timer, limit in timers.values():
        signal.setitimer(timer, limit)
    try:
        yield
    finally:
        for timer, _ in timers.values():
            signal.setitimer(timer, 0)
        for sign, handler in before.items():
            signal.signal(sign, handler)


def peak():
    """Bytes that this process has had at most, ever."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
