"""Files on a web server: one, those that pages of links name, as Apache, nginx and Python write them, or an OME-Zarr.

Links are followed that lead below the page they stand on, and no others: not to parents, other hosts, or orders of the
same page (`?C=M`). A page that fails keeps nobody from the others: what lies below it is neither there nor gone.
"""

import html
import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote, urldefrag, urljoin

from unet.sources.http_server import AnswerError, Found, HttpServer, Page, UnreachableError
from unet.sources.http_zarr import is_zarr_address, zarr_addresses
from unet.sources.image_kinds import is_class_table, is_index, is_truth
from unet.sources.paths import is_safe_name
from unet.sources.remote_files import Listing, RemoteFile, Tick
from unet.sources.stack_names import shortened
from unet.sources.zarr_nodes import METADATA

WORKERS = 16
"""Questions that are asked at once."""
MOST_LINKS = 1_000_000
"""Files and folders of an address: more are taken for nonsense."""
LINK = re.compile(
    r"""<a\s(?:[^<>]{0,200}?\s)?href\s{0,9}=\s{0,9}(?:"([^"]{0,4000})"|'([^']{0,4000})'|([^\s"'>]{1,4000}))""",
    re.IGNORECASE,
)
"""A link; bounded everywhere, as a parser of HTML takes for ever on what is none. No tag holds the next one's `<`."""
PAGE = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html)\b", re.IGNORECASE)
"""How a page begins, and no image."""
DEEPEST = 32
"""Folders within each other: more are taken for pages that lead in a circle."""


def _is_file(name: str) -> bool:
    """Whether a file of this name is read by itself."""
    return is_truth(name) or is_class_table(name) or is_index(name)


class HttpFiles:
    """Files at an address of a web server."""

    def __init__(self, server: HttpServer, address: str) -> None:
        self.server, self.address = server, address.rstrip("/")

    def listing(self) -> Listing:
        """All of them, each asked for its size and time, which pages of links do not tell."""
        name = self.address.rpartition("/")[2]
        if _is_file(name) and not is_zarr_address(name):
            return self._single()
        page = self.server.page(f"{self.address}/") or self.server.page(self.address)
        if page and page.is_html:
            crawl = _Crawl(self.server, page)
            found = crawl.listing()
            if crawl.is_dark or any(map(self._is_read, (*found.files, *found.failed))):
                return found
            if not is_zarr_address(self.address):
                raise FileNotFoundError(f"{self.address} must be a page that lists image files, got others or none")
        if is_zarr_address(self.address):
            return _with_facts(self.server, zarr_addresses(self.server, self.address))
        raise FileNotFoundError(
            f"{self.address} must be an image file, a page that lists files, or an OME-Zarr, got "
            f"{'something else' if page else 'nothing'} there"
        )

    def _is_read(self, name: str) -> bool:
        """Whether a file of this name is an image, an index, outlines or a table of classes, or of an OME-Zarr.

        A page without any asks who is there, or tells of repairs: what was listed before is not gone.
        """
        last = name.rpartition("/")[2]
        return _is_file(last) or last in METADATA or is_zarr_address(f"{self.address}/{name}")

    def _single(self) -> Listing:
        found = self.server.find(self.address)
        if found is None:
            raise FileNotFoundError(f"{self.address} must be a file on its server, got none")
        return Listing({"": _sized(found, self.address)})

    def fetch(self, file: RemoteFile, path: Path, tick: Tick) -> None:
        """Write a file there; OSError where a page came in its place, as of servers that ask who is there."""
        self.server.fetch(file, path, tick)
        name = unquote(file.address.rpartition("/")[2])
        if (is_truth(name) or is_zarr_address(file.address)) and _is_page(path):
            raise AnswerError(0, "the server gives a page in its place")


class _Link(NamedTuple):
    name: str
    """Path below the first page."""
    address: str


class _Crawl:
    """All that pages of links lead to, from one of them on."""

    def __init__(self, server: HttpServer, first: Page) -> None:
        self.server, self.first = server, first
        self.top = _quoted(first.address).rpartition("/")[0] + "/"
        self.failed: dict[str, str] = {}
        self.odd: list[str] = []
        """Names that no files have."""
        self.seen: set[str] = set()
        self.is_dark = False
        """Whether a folder failed, of which nobody knows what it holds."""

    def listing(self) -> Listing:
        """The files, with their facts."""
        with ThreadPoolExecutor(WORKERS) as pool:
            files, facts = self._files(pool, [self.first]), dict[str, RemoteFile]()
            while files:
                folders = []
                for link, found in zip(files, pool.map(self._found, files), strict=True):
                    if found and found.address.endswith("/"):  # a link to a folder that does not say so
                        folders.append(_Link(link.name, found.address))
                    elif found and found.file:
                        facts[link.name] = found.file
                files = self._files(pool, self._pages(pool, folders))
        said = f"names that no file can have here are left out: {shortened([ascii(name)[1:-1] for name in self.odd])}"
        return Listing(facts, self.failed, (said,) if self.odd else ())

    def _files(self, pool: ThreadPoolExecutor, pages: Iterable[Page]) -> list[_Link]:
        """Links to files on some pages, and on those below."""
        files, pages = list[_Link](), list(pages)
        while pages:
            links = [link for page in pages for link in self._links(page)]
            files += [link for link in links if not link.address.endswith("/")]
            pages = self._pages(pool, [link for link in links if link.address.endswith("/")])
        return files

    def _pages(self, pool: ThreadPoolExecutor, folders: list[_Link]) -> list[Page]:
        return [page for page in pool.map(self._page, folders) if page is not None]

    def _page(self, folder: _Link) -> Page | None:
        try:
            page = self.server.page(folder.address)
            if page and page.is_html and _quoted(page.address).startswith(self.top):
                return page
            self.failed[folder.name] = "the server lists nothing there"
        except UnreachableError:
            raise
        except OSError as error:
            self.is_dark = True
            self.failed[folder.name] = str(error)
        return None

    def _found(self, link: _Link) -> Found | None:
        try:
            found = self.server.find(link.address)
            if found and (found.file or found.address.endswith("/")):
                return found
            self.failed[link.name] = "the server does not tell its size" if found else "the server has no such file"
        except UnreachableError:
            raise
        except OSError as error:
            self.failed[link.name] = str(error)
        return None

    def _links(self, page: Page) -> Iterator[_Link]:
        """Links of a page that lead below it, each place once."""
        for address in _addresses(page):
            if address in self.seen:
                continue
            self.seen.add(address)
            if len(self.seen) > MOST_LINKS:
                raise ValueError(f"{self.top} must hold at most {MOST_LINKS:,} files, got more; name a folder in it")
            parts = [_decoded(part) for part in address[len(self.top) :].rstrip("/").split("/")]
            name = "/".join(parts)
            if any("/" in part for part in parts) or not is_safe_name(name) or len(parts) > DEEPEST:
                self.odd.append(name)
            else:
                yield _Link(name, address)


def _addresses(page: Page) -> Iterator[str]:
    """Addresses of links that lead below a page."""
    text, here = page.content.decode("utf-8", errors="replace"), _quoted(page.address)
    below = here.rpartition("/")[0] + "/"
    for found in LINK.finditer(text):
        link = html.unescape(found[1] or found[2] or found[3] or "").strip()
        try:
            address = _quoted(urldefrag(urljoin(here, link)).url)
        except ValueError:  # no address at all
            continue
        if address.startswith(below) and address != below and "?" not in address:
            yield address


def _is_page(path: Path) -> bool:
    with path.open("rb") as file:
        return bool(PAGE.match(file.read(1000)))


def _decoded(part: str) -> str:
    """A name as its file bears it; old servers spell it in Latin-1.

    >>> _decoded("%C3%BC.tif"), _decoded("%FC.tif")
    ('ü.tif', 'ü.tif')
    """
    try:
        return unquote(part, errors="strict")
    except UnicodeDecodeError:
        return unquote(part, "latin-1")


def _quoted(address: str) -> str:
    """An address with what is no letter of one spelled out, as some pages leave spaces and umlauts.

    >>> _quoted("http://lab/b c%20d.tif")
    'http://lab/b%20c%20d.tif'
    """
    return quote(address, safe="%/:=&?~#+!$,;'@()*[]")


def _with_facts(server: HttpServer, addresses: Mapping[str, str]) -> Listing:
    """The files of these that are there; one that is not there is no failure, as chunks need not be."""
    failed = dict[str, str]()

    def facts(item: tuple[str, str]) -> tuple[str, RemoteFile | None]:
        name, address = item
        try:
            found = server.find(address)
            return name, _sized(found, address) if found else None
        except UnreachableError:
            raise
        except OSError as error:
            failed[name] = str(error)
            return name, None

    with ThreadPoolExecutor(WORKERS) as pool:
        files = {name: file for name, file in pool.map(facts, addresses.items()) if file is not None}
    return Listing(files, failed)


def _sized(found: Found, address: str) -> RemoteFile:
    if found.file is None:
        raise AnswerError(0, f"{address} must have a size that its server tells, got none")
    return found.file
