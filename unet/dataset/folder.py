"""The dataset folder: where each thing lies, and how a small file is put there whole.

A folder is a local path or any fsspec URL. Nothing but names goes around between stages; this module alone knows
what paths they stand for, and that a name never leaves the folder. What is local is read without fsspec, which would
take several times as long: a plan reads ten thousands of small files.
"""

import json
import os
import re
import uuid
from collections.abc import Callable, Hashable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from glob import escape
from pathlib import Path
from typing import Any, TypeVar, cast

import fsspec
from fsspec.implementations.local import LocalFileSystem

from unet.dataset.filesystem import (
    ABSENT,
    changed_at,
    files_below,
    open_filesystem,
    open_regular,
    plain_os_errors,
    read_regular,
)
from unet.dataset.safe_load import LARGEST_JSON, load_json
from unet.settings.validation import require_plain

Json = dict[str, Any]


T = TypeVar("T")


LEAVING = re.compile(r"(?:^|/)\.{0,2}(?:/|\Z)|\\|\0|::")
"""What no name may hold: parts that are empty, `.` or `..`; backslashes part names on Windows, `::` URLs in fsspec."""


DRAFT = re.compile(r"(?:^|/)\.[^/]+\.[0-9a-f]{8}$|\.partial$")
"""Name of a file that is being written, or that a kill left behind half-written."""
DRAFT_OF_OURS = re.compile(r"^\.[^/]+\.(?:jsonl?|parquet|png|yaml)\.(?!(?:19|20)[0-9]{6}$)[0-9a-f]{8}$")
"""The same where people's own files lie beside ours, such as a copy of a day, `.dataset.yaml.20261126`."""
OF_DESKTOPS = re.compile(r"(?:^|/)(?:\.DS_Store|\._[^/]*|\.directory|Thumbs\.db|desktop\.ini)$")
"""Name of a file that a desktop leaves in each folder that it shows: nobody's work."""


@dataclass(frozen=True)
class Folder:
    """A folder somewhere; `folder / name` is a folder or file below it."""

    url: str

    def __post_init__(self) -> None:
        """Refuse an address that holds a secret."""
        if "://" in self.url:
            require_plain("an address", self.url)

    def __truediv__(self, name: str) -> "Folder":
        return Folder(self._url_below(name))

    def _url_below(self, name: str) -> str:
        if LEAVING.search(name):
            raise ValueError(f"a name must stay within its folder, got {name!r}")
        return f"{self.url.rstrip('/')}/{name}"

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` gives; a folder of a snapshot asks it once for each key."""
        return make()

    @cached_property
    def _place(self) -> tuple[Any, str]:
        if self.is_local:  # not by url_to_fs, to which `a::b` is no file's name
            return fsspec.filesystem("file"), str(Path(self.url).absolute())
        return open_filesystem(self.url)

    @property
    def is_local(self) -> bool:
        """Whether this is a plain path."""
        return "://" not in self.url

    @property
    def name(self) -> str:
        """Last part of the path."""
        return self.url.rstrip("/").rsplit("/", 1)[-1]

    @property
    def parent(self) -> "Folder":
        """The folder that this lies in."""
        return Folder(self.url.rstrip("/").rsplit("/", 1)[0])

    def exists(self) -> bool:
        """Whether a file or folder is here."""
        if self.is_local:
            return Path(self.url).exists()
        filesystem, path = self._place
        with plain_os_errors(self.url):
            return bool(filesystem.exists(path))

    def holds_bytes(self) -> bool:
        """Whether a file that is not empty is here; an object store is asked once, where `size` asks twice."""
        if self.is_local:
            return self.size() > 0
        filesystem, path = self._place
        try:
            with plain_os_errors(self.url):
                return len(filesystem.cat_file(path, start=0, end=1)) > 0
        except ABSENT:
            return False

    def size(self) -> int:
        """Bytes of the file; 0 where there is none."""
        try:
            if self.is_local:
                return os.stat(self.url).st_size  # noqa: PTH116  # half the time of Path.stat
            filesystem, path = self._place
            with plain_os_errors(self.url):
                return int(filesystem.size(path) or 0)
        except ABSENT:
            return 0

    def changed(self) -> datetime:
        """When the file was put, by the time of the store; FileNotFoundError where there is none."""
        filesystem, path = self._place
        with plain_os_errors(self.url):
            return cast(datetime, filesystem.modified(path))

    def names(self) -> list[str]:
        """Names of the files and folders right below, sorted; none where there is no folder."""
        try:
            if self.is_local:
                return sorted(os.listdir(self.url))  # noqa: PTH208  # half the time of Path.iterdir
            filesystem, path = self._place
            with plain_os_errors(self.url):
                entries = filesystem.ls(path, detail=False)
        except ABSENT:
            return []
        below = {str(entry).rstrip("/") for entry in entries} - {path.rstrip("/")}  # ls lists a file as itself
        return sorted(entry.rsplit("/", 1)[-1] for entry in below)

    def files(self) -> dict[str, tuple[int, str]]:
        """Every file below: path from here → bytes and time of change."""
        if self.is_local:
            return dict(files_below(self.url, ""))
        filesystem, path = self._place
        with plain_os_errors(self.url):
            found = filesystem.find(path, detail=True)
        return {str(os.path.relpath(name, path)): (int(info["size"]), changed_at(info)) for name, info in found.items()}

    def open(self) -> Any:
        """The file as a stream of bytes, for one that may be larger than memory."""
        if self.is_local:
            return open_regular(self.url)
        filesystem, path = self._place
        return filesystem.open(path, "rb")

    def read(self, at_most: int | None = None) -> bytes | None:
        """Bytes of the file, None where there is none; of a local one that is too long to be used, `at_most` are."""
        try:
            if self.is_local:
                return read_regular(self.url, at_most)
            filesystem, path = self._place
            with plain_os_errors(self.url):
                return bytes(filesystem.cat_file(path))
        except ABSENT:
            return None

    def read_json(self) -> Json | None:
        """The file's JSON object, None where there is no file; ValueError where it is none."""
        content = self.read(LARGEST_JSON + 1)
        if content is None:
            return None
        try:
            values = load_json(content, self.url)
        except ValueError as error:
            raise ValueError(f"{error}; it is damaged: remove it and run again") from error
        if not isinstance(values, dict):
            raise ValueError(f"{self.url} must hold a JSON object, got {type(values).__name__}; remove it, run again")
        return values

    def write(self, content: bytes) -> None:
        """Put the file here whole: a reader sees the old one or the new one, never a part."""
        filesystem, path = self._place
        if not isinstance(filesystem, LocalFileSystem):
            try:
                with plain_os_errors(self.url):
                    filesystem.pipe_file(path, content)
            except ABSENT as error:
                raise OSError(f"{self.url} must lie in a bucket that is there, got: {error}; make it first") from error
            return
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}")
        try:
            draft.write_bytes(content)
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)

    def write_json(self, values: Mapping[str, Any]) -> None:
        """Put a JSON object here whole."""
        self.write(json.dumps(values, indent=1, ensure_ascii=False).encode())

    def remove(self) -> None:
        """Remove the file or folder, if it is there."""
        filesystem, path = self._place
        with suppress(FileNotFoundError), plain_os_errors(self.url):  # another run was quicker
            if filesystem.exists(path):
                literal = path if isinstance(filesystem, LocalFileSystem) else escape(path)  # elsewhere rm obeys `*`
                filesystem.rm(literal, recursive=True)


ROOMS = {"images", "weights", "models", "scores", "tables", "reports", "plates", "history", "set-aside"}
"""Folders of a dataset: nothing in them is what a microscope wrote."""


@dataclass(frozen=True)
class Dataset(Folder):
    """The folder that holds one dataset."""

    @property
    def record(self) -> Folder:
        """`dataset.yaml`, the one file that a person edits."""
        return self / "dataset.yaml"

    def image(self, name: str) -> Folder:
        """OME-Zarr image of a stack."""
        return self / f"images/{name}.ome.zarr"

    def labels(self, name: str, labels: str) -> Folder:
        """Labels of a stack: `truth`, or the segments that a model made."""
        return self.image(name) / f"labels/{labels}"

    def weights(self, name: str) -> Folder:
        """Classes and border weights of a stack."""
        return self / f"weights/{name}.zarr"

    def model(self, model: str) -> Folder:
        """A model's folder."""
        return self / f"models/{model}"

    def scores(self, model: str, name: str) -> Folder:
        """Scores that a model gave a stack."""
        return self / f"scores/{model}/{name}.ome.zarr"

    def table(self, model: str, name: str) -> Folder:
        """Table of a stack's segments."""
        return self / f"tables/{model}/{name}.parquet"

    def report(self, model: str) -> Folder:
        """Folder of a model's report."""
        return self / f"reports/{model}"

    def history(self, model: str) -> Folder:
        """What became of a model over time."""
        return self / f"history/{model}.jsonl"

    def set_aside(self, stage: str, name: str) -> Folder:
        """Why a stack failed at a stage."""
        return self / f"set-aside/{stage}/{name}.json"

    def stacks(self) -> list[str]:
        """Names of the stacks that have an image here, whole or in the making."""
        return [n.removesuffix(".ome.zarr") for n in (self / "images").names() if n.endswith(".ome.zarr")]

    def members(self, kind: str) -> list[str]:
        """Names below one of the folders, such as the models below `models`, `scores` or `tables`."""
        return (self / kind).names()

    def all_of(self, name: str) -> list[Folder]:
        """Everything that was made from a stack."""
        made = [self.image(name), self.weights(name)]
        made += [self.scores(model, name) for model in self.members("scores")]
        made += [self.table(model, name) for model in self.members("tables")]
        return made + [self.set_aside(stage, name) for stage in self.members("set-aside")]
