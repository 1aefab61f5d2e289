"""What a server of ours refuses before Prefect's application hears of it: other names, and pages of other origins.

A browser runs the pages of strangers on a lab's own machine. Such a page may post a form to any address, open a
websocket to it, or have its own name lead to 127.0.0.1 once it is loaded ("DNS rebinding"), and then it is of one
origin with the server. The first two come with an `Origin` that is not the server's, the last with its `Host`. Who is
no browser can say what he likes in both: the auth string, which Prefect checks, is for him.

Rejected: Starlette's TrustedHostMiddleware, which lets websockets of every origin through; Prefect's CSRF tokens, which
any page of the same rebound name may ask for.
"""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""Names that every machine has for itself."""
POLICY_VIOLATION = 1008
"""Why a websocket is closed; before it was accepted the client sees a status of 403."""


@dataclass(frozen=True)
class Guard:
    """An ASGI application that hands on what is meant for it, over HTTP and websockets."""

    app: Application
    names: frozenset[str]
    """What browsers may call this server, beside the addresses of this machine."""

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer 403 with a sentence, or hand on."""
        why = why_refused(scope, self.names) if scope["type"] in ("http", "websocket") else None
        if why is None:
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()  # it asks to be accepted
            await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": why})
        else:
            plain = [(b"content-type", b"text/plain; charset=utf-8"), (b"x-content-type-options", b"nosniff")]
            await send({"type": "http.response.start", "status": 403, "headers": plain})
            await send({"type": "http.response.body", "body": f"{why}\n".encode()})


def why_refused(scope: Message, names: Iterable[str]) -> str | None:
    """Why a request is not for this server, in one sentence; None where it is.

    >>> ask = lambda **headers: {"server": ("10.0.0.7", 4200), "headers": [
    ...     (key.replace("_", "-").encode(), value.encode()) for key, value in headers.items()]}
    >>> why_refused(ask(host="localhost:4200"), {"localhost"})
    >>> why_refused(ask(host="10.0.0.7:4200", origin="http://10.0.0.7:4200"), {"localhost"})
    >>> why_refused(ask(host="evil.example:4200"), {"localhost"})
    "Host must be a name of this server, got 'evil.example:4200'; where it is one: --name evil.example"
    >>> why_refused(ask(host="localhost:4200", origin="http://localhost:8888"), {"localhost"})
    "Origin must be this server's own, got 'http://localhost:8888'"
    """
    hosts, origins = _values(scope, b"host"), _values(scope, b"origin")
    host = hosts[0].lower() if len(hosts) == 1 else ""
    address = (scope.get("server") or [""])[0]  # at which it came in: no name that could be led elsewhere
    if _name(host) not in {*LOOPBACK, address, *map(str.lower, names)} - {""}:
        told = ", ".join(map(repr, hosts)) or "none"
        return f"Host must be a name of this server, got {told}; where it is one: --name {_name(host) or 'NAME'}"
    for origin in origins:
        if origin.lower() not in (f"http://{host}", f"https://{host}"):  # a proxy before it may speak TLS
            return f"Origin must be this server's own, got {origin!r}"
    if _is_of_another_page(scope) and not origins:
        return "this must be asked for by a page of this server, or as a page of its own"
    return None


def _is_of_another_page(scope: Message) -> bool:
    """Whether a page of another site embeds the answer, as a script, a picture or a frame: it has no `Origin` then."""
    sites, kinds = _values(scope, b"sec-fetch-site"), _values(scope, b"sec-fetch-dest")
    return bool({"cross-site", "same-site"} & set(sites)) and kinds != ["document"]


def _values(scope: Message, header: bytes) -> list[str]:
    return [value.decode("latin-1").strip() for key, value in scope["headers"] if key.lower() == header]


def _name(authority: str) -> str:
    """The name, or the address, without a port; nothing where it is neither."""
    try:
        return urlsplit(f"//{authority}").hostname or ""
    except ValueError:
        return ""
