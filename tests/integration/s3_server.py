"""A server of the S3 API on loopback, which can be told to fail as networks and stores do."""

import logging
import os
import socket
import threading
import time
from collections import Counter

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

logging.getLogger("werkzeug").setLevel(logging.ERROR)
SETTINGS = {
    "AWS_ACCESS_KEY_ID": "somebody",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_MAX_ATTEMPTS": "2",  # s3fs itself tries lost connections, but no 500 or 503, five times as often
}


class Server:
    """The server; `fault(method, path)` says what is to go wrong with a request, if anything."""

    def __init__(self) -> None:
        self.app = DomainDispatcherApplication(create_backend_app)
        self.server = make_server("127.0.0.1", 0, self._answer, threaded=True)
        self.asked, self.faults, self.fault = Counter(), Counter(), lambda method, path: None
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def settings(self):
        """What a user sets in the environment."""
        return SETTINGS | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.server.server_port}"}

    def end(self):
        """Listen no longer."""
        self.server.shutdown()
        self.server.server_close()

    def _answer(self, environ, start):
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        listing = method == "GET" and "list-type" in environ["QUERY_STRING"]
        self.asked["LIST" if listing else method] += 1
        fault = self.fault(method, path)
        self.faults[fault] += fault is not None
        if fault in ("500", "503"):
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            start({"500": "500 Internal Server Error", "503": "503 Slow Down"}[fault], [("Content-Length", "0")])
            return [b""]
        if fault == "unheard":
            return _dropped(environ)
        if fault == "slow":
            time.sleep(0.1)
        answer = self.app(environ, start if fault not in ("unanswered", "cut") else _later(environ, start, fault))
        if fault == "unanswered":  # it was done, but nobody is told
            b"".join(answer)
            return _dropped(environ)
        return _half(environ, answer) if fault == "cut" and method == "GET" else answer


def _later(environ, start, fault):
    return (lambda *_: None) if fault == "unanswered" else start


def _half(environ, answer):
    """The first half of an answer, though its length is told in full."""
    whole = b"".join(answer)
    yield whole[: len(whole) // 2]
    yield from _dropped(environ)


def _dropped(environ):
    environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    raise ConnectionError("dropped by the test")
    yield b""
