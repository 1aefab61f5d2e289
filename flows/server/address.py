"""Which Prefect server a command uses, and what Prefect is told before it is imported.

In this order: `PREFECT_API_URL`; a server that `unet-flows serve` started for this user; else an ephemeral one with
SQLite, in a place of this user's own, so that a person's other Prefect settings stay untouched.
"""

import base64
import json
import os
import signal
import urllib.error
import urllib.request
from pathlib import Path

from unet.dataset import user_place

SETTINGS = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",  # the default of 20 is too short for two busy cores
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_SERVER_UI_V2_ENABLED": "false",  # pages of v2 have the browser ask a host of their makers' analytics
    "PREFECT_LOGGING_EXTRA_LOGGERS": "unet,tasks,flows",
    "PREFECT_CLIENT_MAX_RETRIES": "4",  # half a minute, which each call on a server that is gone waits for it
    "PREFECT_CLI_COLORS": "true",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",  # what threads of dask log belongs to no run
    "OMP_WAIT_POLICY": "PASSIVE",  # torch's threads would spin while the server beside them wants a core
    "DASK_LOGGING__DISTRIBUTED": "critical",  # a failure is told by its outcome, in one sentence
}
QUIET = {
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",  # logs go to the runs; the terminal shows outcomes
    "PREFECT_INTERNAL_LOGGING_LEVEL": "CRITICAL",  # of its threads, each of which tells of a server that is gone
    "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",  # of an ephemeral server, which writes to the same terminal
}


ASKED, GIVEN = "PREFECT_SERVER_API_AUTH_STRING", "PREFECT_API_AUTH_STRING"
"""Where the auth string stands that a server asks for, and that its clients give; nowhere else."""


user_home = user_place.user_home


def configure(quiet: bool = True) -> str:
    """Tell Prefect where it is, before it is imported; says which server will be used."""
    for key, value in (SETTINGS | (QUIET if quiet else {})).items():
        os.environ.setdefault(key, value)
    os.environ.setdefault("PREFECT_HOME", str(user_home() / "prefect"))
    _bypass_proxy()
    for folder in (user_home(), Path(os.environ["PREFECT_HOME"])):  # SQLite makes a file, but no folder
        folder.mkdir(parents=True, exist_ok=True)
    if "PREFECT_API_URL" in os.environ:
        return os.environ["PREFECT_API_URL"]
    running = served_address()
    if running:
        os.environ["PREFECT_API_URL"] = running
        return running
    return "an ephemeral server"


def start_ephemeral() -> None:
    """Start the ephemeral server now, so that Ctrl-C does not reach it: it must outlive an interrupted run.

    Prefect starts it on the first call else, in the terminal's process group, and an interrupted run then waits for
    minutes for a server that is gone.
    """
    if "PREFECT_API_URL" in os.environ:
        return
    from prefect.server.api.server import SubprocessASGIServer

    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # the child inherits the mask
    try:
        SubprocessASGIServer().start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def server_file() -> Path:
    """File that says where the server that `serve` started answers."""
    return user_home() / "server.json"


def served_address() -> str | None:
    """API address of the server that `serve` started, where it answers."""
    try:
        url = str(json.loads(server_file().read_text())["api"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return url if is_healthy(url) else None


def is_healthy(api: str) -> bool:
    """Whether a server answers at this API address, on this machine."""
    try:
        with urllib.request.urlopen(f"{api}/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, ValueError):  # nothing answers, or this is no address
        return False


def authenticate() -> None:
    """Have the server ask for the auth string and its clients give it, whichever of the two was set."""
    string = os.environ.get(ASKED) or os.environ.get(GIVEN)
    if string:
        os.environ[ASKED] = os.environ[GIVEN] = string


def require_access() -> None:
    """Refuse a server that does not take us.

    Raises:
        RuntimeError: it asks for an auth string, and got none or another one.
    """
    api, string = os.environ.get("PREFECT_API_URL"), os.environ.get(GIVEN)
    if not api or os.environ.get("PREFECT_API_KEY"):
        return
    headers = {"Authorization": f"Basic {base64.b64encode(string.encode()).decode()}"} if string else {}
    try:
        urllib.request.urlopen(urllib.request.Request(f"{api}/admin/version", headers=headers), timeout=5).close()
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in (401, 403):
            got = "another one" if string else "none"
            raise RuntimeError(f"the server at {api} asks for an auth string, got {got}; set {GIVEN}") from error
    except (OSError, ValueError):  # nothing answers, or in another way: the run says what is wrong
        return


def _bypass_proxy() -> None:
    """Reach what is on this machine directly, also where a proxy is set for everything else."""
    given = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    if "127.0.0.1" not in given:
        os.environ["no_proxy"] = f"{given},127.0.0.1,localhost".strip(",")
