"""Which Prefect server a command uses, and what Prefect is told before it is imported.

In this order: `PREFECT_API_URL`; a server that `unet-flows serve` started for this user; else an ephemeral one with
SQLite, in a place of this user's own, so that a person's other Prefect settings stay untouched.
"""

import base64
import json
import os
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from flows.server.guard import LOOPBACK
from flows.server.secret import PRIVATE_FOLDER, make_private, read_secret
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
    _make_places()
    _bypass_proxy()
    api = os.environ.get("PREFECT_API_URL") or served_address()
    if api is None:
        return "an ephemeral server"
    os.environ["PREFECT_API_URL"] = api
    if api.replace("//localhost:", "//127.0.0.1:") == _card()[0] and secret_file().exists():
        os.environ.setdefault(GIVEN, read_secret(secret_file()))
    return api


def _make_places() -> None:
    """Make the folders of server and database; SQLite makes a file, but no folder."""
    user_home().mkdir(PRIVATE_FOLDER, parents=True, exist_ok=True)
    if "PREFECT_HOME" in os.environ:  # a person's own: its mode is his
        Path(os.environ["PREFECT_HOME"]).mkdir(parents=True, exist_ok=True)
        return
    make_private(user_home() / "prefect")
    os.environ["PREFECT_HOME"] = str(user_home() / "prefect")


def server_file() -> Path:
    """File that says where the server that `serve` started answers."""
    return user_home() / "server.json"


def secret_file() -> Path:
    """File that holds what this user's servers ask for, unless another auth string was set."""
    return user_home() / "secret"


def served_address() -> str | None:
    """API address of the server that `serve` started, where it answers."""
    served = served_process()
    return served[0] if served else None


def served_process() -> tuple[str, int] | None:
    """API address of the server that `serve` started, where it answers, and the number of its process."""
    api, pid = _card()
    return (api, pid) if is_process(pid) and is_healthy(api) else None


def _card() -> tuple[str, int]:
    """What `serve` wrote of its server; nothing where it is damaged."""
    try:
        card = json.loads(server_file().read_text())
        return str(card["api"]), int(card["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return "", 0


def is_process(pid: int) -> bool:
    """Whether a process of this user has this number: who else answers where a server was must not get its secret."""
    try:
        os.kill(pid, 0)
    except (OSError, OverflowError):
        return False
    return pid > 0  # 0 and below are groups of processes


def is_healthy(api: str) -> bool:
    """Whether a server answers at this API address, on this machine."""
    try:
        with urllib.request.urlopen(f"{api}/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, ValueError):  # nothing answers, or this is no address
        return False


def authenticate() -> None:
    """Have the server ask for an auth string and its clients give it: whichever was set, else this user's secret."""
    string = os.environ.get(ASKED) or os.environ.get(GIVEN) or read_secret(secret_file())
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
    """Reach what is on this machine directly, also where a proxy is set for everything else.

    A SOCKS proxy is forgotten where the server is on this machine: Prefect's client fails at its mere sight, and
    nothing else here can use one.
    """
    given = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    if "127.0.0.1" not in given:
        os.environ["no_proxy"] = f"{given},127.0.0.1,localhost".strip(",")
    if (urlsplit(os.environ.get("PREFECT_API_URL", "")).hostname or "127.0.0.1") in LOOPBACK:
        for key, value in list(os.environ.items()):
            if key.lower().endswith("_proxy") and value.lower().startswith("socks"):
                del os.environ[key]
