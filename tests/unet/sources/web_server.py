"""A web server of a folder on loopback, with or without pages of links, which can be told to fail as servers do."""

import functools
import threading
from collections import Counter
from contextlib import suppress
from email.utils import formatdate
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote


class WebServer:
    """The server; `fault(method, path)` says what is to go wrong with a request, if anything."""

    def __init__(self, folder, lists=True):
        self.folder, self.lists = Path(folder), lists
        self.asked, self.paths, self.fault = Counter(), [], lambda method, path: None
        self.pages, self.etag, self.tells_time, self.ended = {}, None, True, threading.Event()
        handler = functools.partial(_Handler, directory=str(folder))
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.server.web = self
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server.server_port}"

    def end(self):
        """Listen no longer."""
        self.ended.set()
        self.server.shutdown()
        self.server.server_close()

    def fetched(self):
        """Paths whose bytes were asked for since this was last asked, but for pages of links."""
        paths = [path for method, path in self.paths if method == "GET" and not path.endswith("/")]
        self.paths.clear()
        self.asked.clear()
        return sorted(paths)


class _Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self._answer("HEAD")

    def do_GET(self):
        self._answer("GET")

    def _answer(self, method):  # noqa: PLR0911
        web, path = self.server.web, unquote(self.path)
        web.asked[method] += 1
        web.paths.append((method, path))
        fault = web.fault(method, path)
        page = web.pages.get(path)
        if fault and fault.isdigit():
            return self._send(int(fault), b"", method)
        if fault and fault.startswith("to "):
            return self._send(302, b"", method, Location=fault[3:])
        if fault == "hang":
            return web.ended.wait(60)
        if fault == "interim":
            return self._interim_answers()
        if page is not None:
            return self._send(200, page.encode(), method, "text/html")
        file = Path(self.translate_path(self.path))
        if file.is_dir():
            if not web.lists:
                return self._send(404, b"nothing", method)
            return super().do_HEAD() if method == "HEAD" else super().do_GET()
        if not file.is_file():
            return self._send(404, b"nothing", method)
        self._file(file, method, fault)
        return None

    def _interim_answers(self):
        """Answers that say that another follows, one after the other, until nobody listens."""
        with suppress(OSError):
            while not self.server.web.ended.wait(0.01):
                self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _file(self, file, method, fault):
        content, info = file.read_bytes(), file.stat()
        headers = {"Last-Modified": formatdate(info.st_mtime, usegmt=True)} if self.server.web.tells_time else {}
        if self.server.web.etag:
            headers["ETag"] = self.server.web.etag(file)
        if fault == "packed":
            headers["Content-Encoding"] = "gzip"
        size = {"huge": 10**18, "longer": len(content) + 5, "shorter": len(content) - 5}.get(fault, len(content))
        if method == "HEAD" and fault == "other size":
            size += 1
        if fault == "no size":
            headers["Transfer-Encoding"], size, content = "chunked", None, b"0\r\n\r\n"
        content = content[: len(content) // 2] if fault == "cut" else content
        self._send(200, content, method, "application/octet-stream", size, **headers)

    def _send(self, status, content, method, kind="text/plain", size=-1, **headers):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if size is not None:
            self.send_header("Content-Length", str(len(content) if size == -1 else size))
        for name, value in (headers | {"Connection": "close"}).items():
            self.send_header(name, value)
        self.end_headers()
        if method == "GET":
            self.wfile.write(content)
