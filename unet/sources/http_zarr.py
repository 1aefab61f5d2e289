"""Files of an OME-Zarr on a server that lists nothing: their names follow from its metadata.

What is read is named, and no more: of an image its full level and its labels, as ingest makes pyramids of its own; of a
plate all wells and fields, of a series all images. A chunk that is not there holds the fill value, as the format says.

    a.zarr/.zattrs  → multiscales → 0/.zarray → shape, chunks → 0/0.0.0, 0/0.0.1, …
           labels/.zattrs → labels → nuclei → labels/nuclei/.zattrs, …
"""

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product, takewhile
from typing import Any
from urllib.parse import quote

from unet.dataset.folder import LEAVING
from unet.dataset.safe_load import LARGEST_JSON, load_json
from unet.sources.http_server import AnswerError, HttpServer
from unet.sources.zarr_folders import listed_paths
from unet.sources.zarr_nodes import BESIDE, SUFFIX, Node, mapping, node_of

WORKERS = 16
"""Groups that are looked at at once."""
MOST_KEYS = 200_000
"""Chunks of an address: each is asked for at every look."""
MOST_GROUPS = 20_000
REFUSED = (401, 403)
"""What stores answer of what is not there to those who may not list."""


def is_zarr_address(address: str) -> bool:
    """Whether an address leads to an OME-Zarr, or into one, by its name alone."""
    return any(part.lower().endswith(SUFFIX) for part in address.split("/"))


def zarr_addresses(server: HttpServer, address: str) -> dict[str, str]:
    """Addresses of the files that an OME-Zarr is read by, by their paths in it; chunks that may not be there, too.

    Raises:
        OSError: there is none, or the server does not answer.
        ValueError: it is broken, or names more than anybody would ask for.
    """
    walk = _Walk(server, address)
    level, number = [""], 0
    with ThreadPoolExecutor(WORKERS) as pool:
        while level:
            number += len(level)
            if number > MOST_GROUPS:
                raise ValueError(f"{address} must hold at most {MOST_GROUPS:,} groups, got more; name one in it")
            nodes = list(pool.map(walk.node, level))
            level = [
                child for path, node in zip(level, nodes, strict=True) if node for child in walk.children(path, node)
            ]
    if not walk.names:
        raise FileNotFoundError(f"{address} must be an OME-Zarr, got neither zarr.json nor .zattrs, .zgroup, .zarray")
    return {name: walk.address_of(name) for name in walk.names}


class _Walk:
    """A look at the groups and arrays of an OME-Zarr."""

    def __init__(self, server: HttpServer, address: str) -> None:
        self.server, self.address = server, address
        self.names: list[str] = []
        self.chunks = 0
        self.raw: dict[str, Mapping[str, Any]] = {}
        """What files of metadata hold."""

    def address_of(self, name: str) -> str:
        """Where a file is asked for."""
        return f"{self.address}/{quote(name)}"

    def node(self, path: str) -> Node | None:
        """The group or array at a path; None where there is none."""
        return node_of(lambda name: self._read(_below(path, name)))

    def _read(self, name: str) -> Mapping[str, Any] | None:
        try:
            page = self.server.page(self.address_of(name), LARGEST_JSON)
        except AnswerError as error:
            if error.status not in REFUSED:
                raise
            return None
        if page is None or page.is_html:  # a page that says that there is nothing
            return None
        values = load_json(page.content, self.address_of(name))
        if not isinstance(values, dict):
            raise ValueError(f"{self.address_of(name)} must hold a JSON object, got {type(values).__name__}")
        self.names.append(name)
        self.raw[name] = values
        return values

    def children(self, path: str, node: Node) -> list[str]:
        """Paths of the groups and arrays that are read of a group; chunks of an array are noted."""
        if node.array is not None:
            self._note_chunks(path, node.version, node.array)
            return []
        return [_below(path, name) for name in self._named(path, node)]

    def _named(self, path: str, node: Node) -> list[str]:
        """What a group says is in it."""
        ome = node.ome
        if "multiscales" in ome:
            return [*_full_level(ome), "labels"]
        if isinstance(ome.get("plate"), Mapping):
            return listed_paths(ome["plate"].get("wells"))
        if isinstance(ome.get("well"), Mapping):
            return listed_paths(ome["well"].get("images"))
        if isinstance(ome.get("labels"), list):
            return listed_paths([{"path": each} for each in ome["labels"]])
        if "bioformats2raw.layout" in ome:
            return self._series(path)
        return self._consolidated(path, node.version) or self._numbered(path)

    def _series(self, path: str) -> list[str]:
        """Images of a series, as its group `OME` says, or else by their numbers."""
        node = self.node(_below(path, "OME"))
        named = node.ome.get("series") if node else None
        if isinstance(named, list):
            return listed_paths([{"path": each} for each in named])
        return self._numbered(path)

    def _numbered(self, path: str) -> list[str]:
        """Groups and arrays that bear numbers, as far as these go: levels, or fields of a well without metadata."""
        return list(takewhile(lambda name: self.node(_below(path, name)) is not None, _numbers(MOST_GROUPS)))

    def _consolidated(self, path: str, version: int) -> list[str]:
        """Groups and arrays right below a group of no known kind, where it has a list of them."""
        if version == 2:
            listed = mapping((self._read(_below(path, ".zmetadata")) or {}).get("metadata"))
        else:
            whole = mapping(self.raw[_below(path, "zarr.json")].get("consolidated_metadata"))
            listed = mapping(whole.get("metadata"))
        first = dict.fromkeys(str(name).split("/")[0] for name in listed if version == 3 or "/" in str(name))
        return [name for name in listed_paths([{"path": name} for name in first]) if name not in BESIDE]

    def _note_chunks(self, path: str, version: int, array: Mapping[str, Any]) -> None:
        try:
            shape, chunk, separator, prefix = _grid(version, array)
            sides = [-(-size // step) for size, step in zip(shape, chunk, strict=True)]
        except (KeyError, TypeError, ValueError, ZeroDivisionError, AttributeError) as error:
            raise ValueError(f"{self.address_of(path)} must be an array of chunks, got a broken one") from error
        self.chunks += math.prod(sides)
        if self.chunks > MOST_KEYS or min(sides, default=1) < 0:
            raise ValueError(
                f"{self.address} must have at most {MOST_KEYS:,} chunks, got {self.chunks:,}; copy it, or name a part"
            )
        self.names += [_below(path, f"{prefix}{separator.join(key)}") for key in product(*map(_numbers, sides))]


def _grid(version: int, array: Mapping[str, Any]) -> tuple[Sequence[int], Sequence[int], str, str]:
    """Shape, what a file holds of it, what parts the numbers in a name, and what stands before them."""
    shape = [int(size) for size in array["shape"]]
    if version == 2:
        return shape, [int(step) for step in array["chunks"]], _separator(array.get("dimension_separator"), "."), ""
    chunk = [int(step) for step in array["chunk_grid"]["configuration"]["chunk_shape"]]
    encoding = mapping(array.get("chunk_key_encoding"))
    is_plain = encoding.get("name") == "v2"
    given = mapping(encoding.get("configuration")).get("separator")
    separator = _separator(given, "." if is_plain else "/")
    return shape, chunk, separator, "" if is_plain else f"c{separator if shape else ''}"


def _separator(given: Any, default: str) -> str:
    separator = default if given is None else given
    if separator not in (".", "/"):
        raise ValueError(f"names of chunks must be parted by . or /, got {separator!r}")
    return str(separator)


def _numbers(side: int) -> list[str]:
    return [str(place) for place in range(side)]


def _full_level(ome: Mapping[str, Any]) -> list[str]:
    """Path of the first level of the first pyramid; none where there is none, as reading it will tell."""
    try:
        path = str(ome["multiscales"][0]["datasets"][0]["path"]).removeprefix("./").rstrip("/")
    except (KeyError, IndexError, TypeError, AttributeError):
        return []
    return [] if LEAVING.search(path) else [path]


def _below(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name
