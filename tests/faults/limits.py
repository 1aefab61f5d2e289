"""How long, and with how much memory, a fault may be suffered before it is called a hang or a bomb."""

import resource
import signal
from contextlib import contextmanager


@contextmanager
def within(seconds):
    """What is below is ended by TimeoutError, as whoever waits at a pipe would wait for ever."""

    def stop(*_):
        raise TimeoutError(f"it took more than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def peak():
    """Bytes that this process has had at most, ever."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
