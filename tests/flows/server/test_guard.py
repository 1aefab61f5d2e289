"""Laws of the guard: only what comes under this server's name, from its own pages or from no page, gets through.

And what Prefect's auth string covers, asked of every route there is: all but two that say that it is alive.
"""

import asyncio
import re
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.server.guard import Guard, why_refused

HOST = "127.0.0.1:4200"
AUTH = "lab:correct-horse-battery"
OWN = [
    {"host": HOST},
    {"host": "localhost:5000"},  # a tunnel's end
    {"host": "[::1]:4200", "origin": "http://[::1]:4200"},
    {"host": "10.0.0.7:4200", "origin": "http://10.0.0.7:4200"},  # at which it came in
    {"host": "Lab.Example", "origin": "https://lab.example"},  # a proxy that speaks TLS
    {"host": HOST, "origin": f"http://{HOST}", "sec-fetch-site": "same-origin", "sec-fetch-dest": "empty"},
    {"host": HOST, "sec-fetch-site": "cross-site", "sec-fetch-dest": "document"},  # a link in a chat
    {"host": HOST, "sec-fetch-site": "none", "sec-fetch-dest": "document"},
]
FOREIGN = [
    {},
    {"host": ""},
    {"host": "evil.example:4200"},
    {"host": "127.0.0.1.evil.example:4200"},
    {"host": "evil.example@127.0.0.1.evil.example"},
    {"host": "10.0.0.8:4200"},
    {"host": "[::1"},
    {"host": "evil.example:4200", "origin": "http://evil.example:4200"},  # a rebound name
    {"host": HOST, "origin": "http://evil.example"},
    {"host": HOST, "origin": "null"},  # a file, or a frame in a sandbox
    {"host": HOST, "origin": ""},
    {"host": HOST, "origin": "http://127.0.0.1:8888"},  # another program's page on this machine
    {"host": HOST, "origin": "http://localhost:4200"},
    {"host": HOST, "origin": f"http://{HOST}.evil.example"},
    {"host": HOST, "sec-fetch-site": "cross-site", "sec-fetch-dest": "script"},
    {"host": HOST, "sec-fetch-site": "same-site", "sec-fetch-dest": "iframe"},
]


def request(headers, kind="http"):
    encoded = [(key.encode(), value.encode()) for key, value in headers.items()]
    return {"type": kind, "server": ("10.0.0.7", 4200), "headers": encoded}


def answers(headers, kind):
    """Whether the application heard of it, and what was answered."""
    heard, sent = [], []

    async def app(scope, receive, send):
        heard.append(scope["type"])

    async def receive():
        return {"type": f"{kind}.connect"}

    async def send(message):
        sent.append(message)

    asyncio.run(Guard(app, frozenset({"lab.example"}))(request(headers, kind), receive, send))
    return bool(heard), sent


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize("headers", OWN)
def test_what_is_meant_for_it_is_handed_on(headers, kind):
    assert answers(headers, kind) == (True, [])


@pytest.mark.parametrize("headers", FOREIGN)
def test_what_is_not_is_answered_with_a_sentence_and_goes_no_further(headers):
    heard, (start, body) = answers(headers, "http")
    assert not heard
    assert start["status"] == 403
    assert not any(key.startswith(b"access-control") for key, _ in start["headers"])
    assert re.search(b"must be", body["body"])
    heard, (close,) = answers(headers, "websocket")
    assert not heard
    assert close["type"] == "websocket.close"  # and never was accepted


def test_the_start_of_a_server_is_no_request():
    assert answers({}, "lifespan") == (True, [])


NAMES = st.from_regex(r"[a-z0-9.-]{1,20}", fullmatch=True)


@given(NAMES, st.integers(1, 65535))
def test_no_other_name_gets_through(name, port):
    own = {"127.0.0.1", "localhost", "10.0.0.7", "lab.example"}
    assert (why_refused(request({"host": f"{name}:{port}"}), {"lab.example"}) is None) == (name in own)


@given(st.sampled_from(["http", "https", "ws", "file", "null", ""]), NAMES, st.integers(1, 65535))
def test_no_other_origin_gets_through(scheme, name, port):
    origin = f"{scheme}://{name}:{port}"
    fits = origin in (f"http://{HOST}", f"https://{HOST}")
    assert (why_refused(request({"host": HOST, "origin": origin}), ()) is None) == fits


def test_two_names_are_none():
    twice = {**request({}), "headers": [(b"host", HOST.encode()), (b"host", b"localhost")]}
    assert why_refused(twice, ()).startswith("Host must be a name of this server, got '127.0.0.1:4200', 'localhost'")


@pytest.fixture(scope="module")
def api():
    """Prefect's API as our server has it, asking for an auth string; nothing runs behind it."""
    from prefect.server.api.server import create_api_app
    from prefect.settings import PREFECT_SERVER_API_AUTH_STRING, temporary_settings

    with warnings.catch_warnings():  # of what it is to use in time
        warnings.simplefilter("ignore")
        from starlette.testclient import TestClient
    with temporary_settings({PREFECT_SERVER_API_AUTH_STRING: AUTH}):
        guarded = Guard(create_api_app(ignore_cache=True), frozenset({"lab.example"}))
        yield TestClient(guarded, base_url="http://lab.example")


def test_every_route_asks_for_the_auth_string_but_two(api):
    told = api.get("/openapi.json", auth=tuple(AUTH.split(":"))).json()["paths"]
    asked = [(method, re.sub(r"\{.*?\}", "x", path)) for path, methods in told.items() for method in methods]
    assert len(asked) > 150
    shut = {(method, path) for method, path in asked if api.request(method, path).status_code == 401}
    assert set(asked) - shut == {("get", "/health"), ("get", "/ready")}
    for path in ("/openapi.json", "/docs", "/redoc"):
        assert api.get(path).status_code == 401


def websockets():
    from fastapi.routing import APIWebSocketRoute
    from prefect.server.api.server import API_ROUTERS

    routes = [route for router in API_ROUTERS for route in router.routes if isinstance(route, APIWebSocketRoute)]
    return {re.sub(r"\{.*?\}", "x", route.path) for route in routes}


def test_every_websocket_asks_for_the_auth_string_before_it_says_or_takes_anything(api):
    from starlette.websockets import WebSocketDisconnect

    assert websockets() >= {"/events/in", "/events/out", "/logs/out", "/task_runs/subscriptions/scheduled"}
    for path in websockets():
        with pytest.raises(WebSocketDisconnect), api.websocket_connect(path) as legacy:
            legacy.receive_json()
        for first in ({"type": "auth", "token": "lab:guess"}, {"type": "auth"}, {"type": "filter", "filter": {}}):
            with api.websocket_connect(path, subprotocols=["prefect"]) as shut:
                shut.send_json(first)
                with pytest.raises(WebSocketDisconnect):
                    shut.receive_json()
        with api.websocket_connect(path, subprotocols=["prefect"]) as opened:
            opened.send_json({"type": "auth", "token": AUTH})
            assert opened.receive_json() == {"type": "auth_success"}


def test_a_page_of_another_origin_opens_no_websocket_with_the_auth_string_either(api):
    from starlette.websockets import WebSocketDisconnect

    for headers in ({"origin": "http://evil.example"}, {"host": "evil.example", "origin": "http://evil.example"}):
        for path in websockets():
            with (
                pytest.raises(WebSocketDisconnect) as refused,
                api.websocket_connect(path, subprotocols=["prefect"], headers=headers),
            ):
                pass
            assert "must be" in refused.value.reason
