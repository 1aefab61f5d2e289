"""Groups and arrays that zarr wrote, of version 2 or 3: their metadata, and the files that they are made of."""

import errno
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from unet.dataset.filesystem import read_regular
from unet.dataset.folder import OF_DESKTOPS
from unet.dataset.safe_load import LARGEST_JSON, load_json

SUFFIX = ".zarr"
METADATA = ("zarr.json", ".zarray", ".zgroup")
"""Files of which each folder that zarr wrote holds one."""
BESIDE = {"labels", "tables", "OME"}
"""What lies beside images and is none."""


@dataclass(frozen=True)
class Node:
    """A group or an array, as its metadata files say."""

    version: int
    """Of zarr: 2 or 3."""
    array: Mapping[str, Any] | None
    """Metadata of an array; None of a group."""
    attributes: Mapping[str, Any]

    @property
    def ome(self) -> Mapping[str, Any]:
        """What OME-Zarr says: in version 3 below a key of its own."""
        inner = self.attributes.get("ome")
        return inner if isinstance(inner, Mapping) else self.attributes


def is_zarr_folder(folder: Path) -> bool:
    """Whether a folder bears the name of an OME-Zarr, or was written by zarr."""
    return folder.is_dir() and (folder.suffix.lower() == SUFFIX or any((folder / name).is_file() for name in METADATA))


def is_in_zarr(path: str) -> bool:
    """Whether a path leads into an OME-Zarr folder, or to one, by its name alone.

    >>> is_in_zarr("/raw/plate.zarr/A/1/0"), is_in_zarr("/raw/a.zarr.tif")
    (True, False)
    """
    return any(part.lower().endswith(SUFFIX) for part in Path(path).parts)


def read_node(folder: Path) -> Node:
    """The group or array in a folder.

    Raises:
        ValueError: there is none, or its metadata is damaged.
    """
    is_group = (folder / ".zgroup").is_file()
    found = node_of(lambda name: ({} if is_group else None) if name == ".zgroup" else _json(folder / name))
    if found is None:
        raise ValueError(
            f"{folder} must hold zarr.json, or .zattrs and .zarray, got none of them: it is not whole; copy it again"
        )
    return found


def node_of(read: Callable[[str], Mapping[str, Any] | None]) -> Node | None:
    """The group or array of a folder; `read` gives what a file in it holds, None where there is no such file."""
    if (whole := read("zarr.json")) is not None:
        is_array = whole.get("node_type") == "array"
        return Node(3, whole if is_array else None, mapping(whole.get("attributes")))
    array, attributes, group = (read(name) for name in (".zarray", ".zattrs", ".zgroup"))
    if array is None and attributes is None and group is None:
        return None
    return Node(2, array, attributes or {})


class ZarrFile(NamedTuple):
    """A file of an OME-Zarr folder."""

    name: str
    """Its path from the folder that the OME-Zarr lies in."""
    path: str
    info: os.stat_result


def zarr_files(folder: str) -> list[ZarrFile]:
    """Files that an image is made of, by name; labels and tables beside it are others', and may change.

    A link is followed; a folder that several lead to is looked into once.

    Raises:
        FileNotFoundError: there is no such folder.
    """
    top = Path(folder)
    return sorted(_files_below(folder, top.name, {os.path.realpath(folder)}, BESIDE))


def _files_below(folder: str, name: str, seen: set[str], left_out: set[str]) -> Iterator[ZarrFile]:
    for entry in os.scandir(folder):
        if entry.name in left_out or OF_DESKTOPS.search(entry.name):
            continue
        path, below = entry.path, f"{name}/{entry.name}"
        with suppress(FileNotFoundError):  # a link that leads nowhere; or it was removed since
            info = entry.stat()
            if stat.S_ISREG(info.st_mode):
                yield ZarrFile(below, path, info)
            elif stat.S_ISDIR(info.st_mode):
                real = os.path.realpath(path) if entry.is_symlink() else path
                if real not in seen:
                    seen.add(real)
                    yield from _files_below(path, below, seen, set())


def _json(file: Path) -> Mapping[str, Any] | None:
    """The JSON object in a file of metadata; None where there is no file."""
    try:
        content = read_regular(str(file), LARGEST_JSON + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise ValueError(f"{file} must be there, got a link that leads to itself") from error
    values = load_json(content, str(file))
    if not isinstance(values, dict):
        raise ValueError(f"{file} must hold a JSON object, got {type(values).__name__}; copy it again")
    return values


def mapping(values: Any) -> Mapping[str, Any]:
    """Values of a mapping; none of anything else."""
    return values if isinstance(values, Mapping) else {}
