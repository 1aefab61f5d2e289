"""A web server that hands out files: each question ends in bounded time, and is led to nothing but web servers.

A connection that is not made, or an answer that does not go on, ends after some seconds, and so does one that trickles.
What fails by chance is asked again. Sizes are told before anything is read, and packed answers are refused, as nobody
knows what they unpack to. Who asks is said by `~/.netrc`, where nobody listens; proxies are those of the environment.
"""

import netrc
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from email.utils import parsedate_to_datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import NamedTuple, Self, TypeVar
from urllib.parse import urlsplit

import httpx

from unet.sources.remote_files import RemoteFile, Tick

T = TypeVar("T")

CONNECT, READ = 10.0, 30.0
"""Seconds until a connection must be made, and until an answer must go on."""
GRACE, SLOWEST = 60.0, 10_000
"""Seconds that headers, and any answer, may take, and bytes a second that a larger one must bring."""
TRIES, PAUSE = 3, 0.5
"""How often is asked, and seconds before the second time; each further pause is twice as long."""
MOST_SILENT = 5
"""Questions in a row that nobody answered, after which no more are asked."""
MOST_REDIRECTS = 5
OK = 200
UNKNOWN_METHOD = (405, 501)
PASSING = (429, 500, 502, 503, 504)
"""Answers that another try may not get."""
LARGEST_PAGE = 2**24
"""Bytes of a page of links, at most."""


class UnreachableError(OSError):
    """Nobody answers any more."""


class AnswerError(OSError):
    """The server answers, but does not give the file."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Page(NamedTuple):
    """An answer that was read as a whole."""

    address: str
    """Where it came from in the end."""
    content: bytes
    is_html: bool
    file: RemoteFile | None
    """None where the server does not tell its size."""


class Found(NamedTuple):
    """What a server says of a file that is there."""

    address: str
    file: RemoteFile | None


class HttpServer:
    """The server of an address; of several threads each may ask."""

    def __init__(self, address: str, stop: threading.Event) -> None:
        self.address, self.stop = address, stop
        self.silent = 0
        """Questions in a row that nobody answered."""
        self.is_secure = address.startswith("https:")

    def __enter__(self) -> Self:
        try:
            self.client = httpx.Client(
                timeout=httpx.Timeout(READ, connect=CONNECT, pool=None),
                follow_redirects=True,
                max_redirects=MOST_REDIRECTS,
                headers={"Accept-Encoding": "identity", "User-Agent": "unet-flows"},
                auth=_auth(self.is_secure or _is_loopback(self.address)),
                event_hooks={"request": [self._require_as_secure]},
                trust_env=not _is_loopback(self.address),
            )
        except (ImportError, netrc.NetrcParseError) as error:  # a SOCKS proxy in the environment, or rights of a file
            raise OSError(f"{self.address} must be reachable, got: {error}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.close()

    def _require_as_secure(self, request: httpx.Request) -> None:
        """Refuse to be led from https to what anybody may read and change on its way."""
        if self.is_secure and request.url.scheme != "https":
            raise httpx.UnsupportedProtocol(f"it leads from https to {request.url.scheme}", request=request)

    def find(self, address: str) -> Found | None:
        """What is there, by its headers alone; None where there is nothing."""

        def ask() -> Found:
            try:
                with self._answer("HEAD", address) as answer:
                    return Found(str(answer.url), _file_of(address, answer))
            except AnswerError as error:
                if error.status not in UNKNOWN_METHOD:
                    raise
            with self._answer("GET", address) as answer:  # of which no more is read
                return Found(str(answer.url), _file_of(address, answer))

        return self._asked(address, ask)

    def page(self, address: str, at_most: int = LARGEST_PAGE) -> Page | None:
        """A whole answer; None where there is nothing."""

        def ask() -> Page:
            with self._answer("GET", address) as answer:
                content = b"".join(_pieces(answer, at_most))
                kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
                return Page(
                    str(answer.url), content, kind in ("text/html", "application/xhtml+xml"), _file_of(address, answer)
                )

        return self._asked(address, ask)

    def fetch(self, file: RemoteFile, path: Path, tick: Tick) -> None:
        """Write a file there, of the size that it was listed with.

        Its mark is not compared: servers that take turns have marks of their own. Of a file that is changed meanwhile,
        the next listing has another mark than its copy bears.
        """

        def ask() -> bool:
            with self._answer("GET", file.address) as answer, path.open("wb") as out:
                now = _file_of(file.address, answer)
                if now is None or now.size != file.size:
                    raise OSError("it changed since it was listed")
                try:
                    for piece in _pieces(answer, file.size):
                        out.write(piece)
                        tick(len(piece))
                finally:
                    came = out.tell()
                if came != file.size:
                    raise OSError(f"{file.size:,} bytes must come, got {came:,}")
            return True

        if self._asked(file.address, ask) is None:
            raise FileNotFoundError("it is gone since it was listed")

    @contextmanager
    def _answer(self, method: str, address: str) -> Iterator[httpx.Response]:
        """An answer that is no refusal, of which the headers are there."""
        with closing(self._sent(self.client.build_request(method, address))) as answer:
            if answer.status_code != OK:  # of others some bring a part, or a word about the file
                raise AnswerError(answer.status_code, f"the server answers {answer.status_code}")
            if answer.headers.get("content-encoding", "identity").lower() not in ("identity", ""):
                raise AnswerError(0, "the server packs what it sends, though it is asked not to")
            yield answer

    def _sent(self, request: httpx.Request) -> httpx.Response:
        """An answer whose headers came in time; one that trickles on is left to its thread, which ends with the client.

        httpx counts from one byte to the next, and an answer may begin with any number of interim ones.
        """
        came: SimpleQueue[httpx.Response | Exception] = SimpleQueue()

        def send() -> None:
            try:
                came.put(self.client.send(request, stream=True))
            except Exception as error:  # raised where it is waited for
                came.put(error)

        threading.Thread(target=send, daemon=True, name="headers").start()
        try:
            answer = came.get(timeout=GRACE)
        except Empty:
            raise httpx.ReadTimeout(f"its headers did not come in {GRACE:g} s", request=request) from None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _asked(self, address: str, ask: Callable[[], T]) -> T | None:
        """What `ask` gives, asked again where chance may have failed it; None where there is nothing.

        Raises:
            AnswerError: the server does not give it.
            UnreachableError: there is no server, or none any more.
            OSError: what came is not whole, or too late.
        """
        for attempt in range(TRIES):
            if self.silent >= MOST_SILENT:
                raise UnreachableError(f"{self.address} must be reachable, got no answer any more")
            try:
                answer = ask()
                self.silent = 0
                return answer
            except AnswerError as error:
                if error.status in (404, 410):
                    return None
                told: OSError = error
                is_passing = error.status in PASSING
            except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
                told, is_passing = _told(address, error), isinstance(error, httpx.RemoteProtocolError | httpx.ReadError)
                self.silent += isinstance(error, httpx.TimeoutException | httpx.ConnectError)
            if not is_passing or attempt == TRIES - 1 or self.stop.wait(PAUSE * 2**attempt):
                raise told
        raise AssertionError("the last try raises")


def _told(address: str, error: Exception) -> OSError:
    """What is said of a failure to ask."""
    why = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    kind = UnreachableError if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout) else OSError
    said = kind(f"{address} must be reachable, got: {why}")
    said.__cause__ = error
    return said


def _pieces(answer: httpx.Response, at_most: int) -> Iterator[bytes]:
    """What an answer brings, piece by piece; an error where it is more than allowed, or takes too long."""
    began, came = time.monotonic(), 0
    for piece in answer.iter_raw():
        came += len(piece)
        if came > at_most:
            raise AnswerError(0, f"more came than {at_most:,} bytes")
        if time.monotonic() - began > GRACE + came / SLOWEST:
            raise AnswerError(0, f"it trickles: {came:,} bytes came in {time.monotonic() - began:.0f} s")
        yield piece


def _file_of(address: str, answer: httpx.Response) -> RemoteFile | None:
    """A file by its headers; None where they do not tell its size."""
    size, changed = answer.headers.get("content-length", ""), answer.headers.get("last-modified", "")
    if not (size.isascii() and size.isdigit()):
        return None
    mark = " ".join(word for word in (changed, answer.headers.get("etag", "")) if word)
    try:
        seconds = parsedate_to_datetime(changed).timestamp() if changed else None
    except (ValueError, OverflowError):
        seconds = None
    return RemoteFile(address, int(size), seconds, mark)


def _auth(is_private: bool) -> httpx.NetRCAuth | None:
    """Who asks, as `~/.netrc` says by host; nothing where others could read it on its way."""
    return httpx.NetRCAuth() if is_private and (Path.home() / ".netrc").is_file() else None


def _is_loopback(address: str) -> bool:
    """Whether an address is of this machine, to which no proxy leads."""
    return urlsplit(address).hostname in ("localhost", "127.0.0.1", "::1")
