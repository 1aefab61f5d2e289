"""How a command ends that is told to, or whose server is gone: in one sentence, with the lease given back.

Ctrl-C says what SIGTERM says; their statuses are 130 and 143, as a shell has them.

Prefect ends a flow on SIGTERM, calls it crashed on the server, and sends the signal again to whoever heard it before:
that is this. What a server that is gone leaves on the terminal otherwise are pages of traces.
"""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

KEPT = "what is done is kept, and the next run goes on from there"


@contextmanager
def plainly(say: Callable[[str], None]) -> Iterator[None]:
    """SIGTERM ends what is below as Ctrl-C does, and both say so; a Prefect server that is gone is an OSError."""

    def stop(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # what is impatient says it twice
        say(f"stopped by SIGTERM; {KEPT}")
        raise SystemExit(128 + signal.SIGTERM)

    is_main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, stop) if is_main else None
    try:
        yield
    except KeyboardInterrupt:
        say(f"stopped by Ctrl-C; {KEPT}")
        raise SystemExit(128 + signal.SIGINT) from None
    except Exception as error:
        if not _is_of_the_server(error):
            raise
        raise ConnectionError(
            f"the Prefect server must answer, got {error or type(error).__name__}; {KEPT}: start the server again, or "
            "unset PREFECT_API_URL"
        ) from error
    finally:
        if is_main:
            signal.signal(signal.SIGTERM, before)


def _is_of_the_server(error: Exception) -> bool:
    """Whether it came from Prefect's client; where that was not imported yet it did not."""
    httpx = sys.modules.get("httpx")
    return httpx is not None and isinstance(error, httpx.HTTPError)
