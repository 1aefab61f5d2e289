"""Sources: which stacks a microscope wrote, found by the names of files alone.

The law: every image file below a source is read by exactly one stack, or is part of a larger one that another file
opens; every file of truth belongs to a stack or is listed as unmatched. Nothing is left out silently but hidden files,
files of other kinds, other zarr stores and datasets of ours that lie within the source.

A file is matched to its truth by its path below the source without suffix, so that `day1/a.ome.tif` finds `day1/a.png`.
Truth of the scenes of a file is one file a scene, named as the stacks are: `a-s0.tif`, `a-s1.tif`.

Rejected: guessing truth from endings such as `_mask` (two conventions in one folder would pair wrongly, silently), and
JPEG (its artefacts are not the microscope's).
"""

import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal, NoReturn

from unet.settings.ingest import Source

FORMATS = {".ome.tiff": "tiff", ".ome.tif": "tiff", ".tiff": "tiff", ".tif": "tiff", ".png": "png"}
"""What marks a file as an image, the longer suffix first, and the module of `unet.formats` that reads it."""
SUFFIXES = tuple(FORMATS)
LONGEST = 200
"""Characters of the longest NAME, so that `NAME.ome.zarr.partial` still is a legal name on every file system."""

Files = tuple[str, ...]


@dataclass(frozen=True)
class Stack:
    """What a microscope wrote, as found in the sources."""

    name: str
    """NAME in the dataset folder: letters, digits, `.`, `_` and `-`, not starting with `.`."""
    files: Files
    """Absolute paths: one file, or the slices in natural order."""
    scene: int | None
    """Index of the scene within a file of several; None when the file has one."""
    axis: Literal["z", "t"] | None
    """The axis that slices run along; None when every file is a stack."""
    truth: Files
    """Absolute paths of its labels, in the order of `files`; empty where nobody drew any."""
    foreground: Literal["ids", 0, 255]
    """How truth is read, see `Source.foreground`."""
    ignore: int | None = None
    """Value in truth that marks pixels nobody judged, see `Source.ignore`."""
    source: str = ""
    """The source it was found in, see `Source.images`."""


@dataclass(frozen=True)
class Catalogue:
    """All stacks of the sources, sorted by name, and the files of truth that belong to none of them."""

    stacks: tuple[Stack, ...]
    unmatched: Files


def find_stacks(sources: Sequence[Source], root: Path, count_scenes: Callable[[str], int]) -> Catalogue:
    """Stacks of all sources, sorted by name, each with its truth where there is some.

    Args:
        sources: folders or files of images, and of truth.
        root: the folder that relative paths of the sources are counted from.
        count_scenes: number of scenes in a file; 0 where the file is a part of a stack that another file opens. A
            ValueError, of a broken file, counts as one scene: reading it will tell what is wrong with it.

    Raises:
        LookupError: a folder or file is missing, or holds no images.
        ValueError: two stacks would bear one name, or truth does not fit the images.
    """
    found = [_find(source, root, count_scenes) for source in sources]
    stacks = sorted((stack for part in found for stack in part.stacks), key=lambda stack: stack.name)
    _refuse_collisions((stack.name.lower(), stack.files[0]) for stack in stacks)
    return Catalogue(tuple(stacks), tuple(file for part in found for file in part.unmatched))


def source_files(sources: Sequence[Source], root: Path) -> list[str]:
    """Absolute paths of all files of images and of truth, by their names alone.

    Raises:
        LookupError: a folder or file of the sources is missing.
    """
    named = [("images", source.images) for source in sources]
    named += [("truth", source.truth) for source in sources if source.truth is not None]
    return sorted({str(path) for setting, at in named for path in _walk(_existing(setting, at, root), None)})


def safe_name(path: str) -> str:
    """Name that is a legal, visible file name everywhere: accents dropped, `/` as `__`, all else unusual as `_`.

    A safe name stays as it is; one of more than 200 characters ends in a digest instead.

    >>> safe_name("2024/Zellkerne grün/01"), safe_name("../.hidden")
    ('2024__Zellkerne_grun__01', '_.__.hidden')
    """
    plain = "".join(c for c in unicodedata.normalize("NFKD", path) if not unicodedata.combining(c))
    name = re.sub(r"^(\.|$)", "_", re.sub(r"[^A-Za-z0-9._-]", "_", plain.replace("/", "__")))
    if len(name) <= LONGEST:
        return name
    return f"{name[: LONGEST - 9]}-{sha256(path.encode(errors='surrogatepass')).hexdigest()[:8]}"


def natural_order(name: str) -> tuple[list[tuple[int, str]], str]:
    """Key that sorts names as people do, numbers by their value.

    >>> sorted(["z10.tif", "z2.tif", "z1.tif"], key=natural_order)
    ['z1.tif', 'z2.tif', 'z10.tif']
    """
    parts = re.findall(r"([0-9]+)|([^0-9]+)", name)
    return [(int(number or -1), text) for number, text in parts], name


def stem(name: str) -> str:
    """Name without its image suffix; any other suffix stays.

    >>> stem("a.b.OME.TIF"), stem("notes.txt")
    ('a.b', 'notes.txt')
    """
    suffix = next((suffix for suffix in SUFFIXES if name.lower().endswith(suffix)), "")
    return name.removesuffix(name[len(name) - len(suffix) :])


def _find(source: Source, root: Path, count_scenes: Callable[[str], int]) -> Catalogue:
    images = _existing("images", source.images, root)
    truth = _existing("truth", source.truth, root) if source.truth is not None else None
    if images == truth:
        raise ValueError(f"truth must be another folder or file than images, got {source.images!r} for both")
    groups = _groups("images", source, images, truth)
    labels = _groups("truth", source, truth, images) if truth else {}
    if truth and truth.is_file() and len(groups) == 1:
        labels = dict(zip(groups, labels.values(), strict=True))
    keyed = [_keyed(*item, source, count_scenes) for item in groups.items()]
    scenes = [scene for group in keyed for scene in group]
    _refuse_misfits(source, [(key, files) for key, files, _ in scenes], labels)
    stacks = (
        Stack(
            name=safe_name(images.name if key == "." else key),
            files=files,
            scene=scene,
            axis=source.slices,
            truth=labels.get(key, ()),
            foreground=source.foreground,
            ignore=source.ignore,
            source=source.images,
        )
        for key, files, scene in scenes
    )
    keys = {key for key, _, _ in scenes}
    return Catalogue(tuple(stacks), tuple(file for key, files in labels.items() if key not in keys for file in files))


def _existing(setting: str, written: str, root: Path) -> Path:
    path = (root / Path(written).expanduser()).resolve()
    if not path.exists():
        raise LookupError(f"{setting} must name an existing folder or file, got {written!r}, which would be {path}")
    return path


def _groups(setting: str, source: Source, top: Path, other: Path | None) -> dict[str, Files]:
    """Files below `top` but not below `other`, each under its key: the path below `top` that truth is matched by.

    A key is the path without suffix; with `slices` that of the folder, in which all files make one stack.
    """
    files = sorted(_walk(top, other), key=lambda path: natural_order(path.as_posix()))
    if not files:
        written = getattr(source, setting)
        raise LookupError(f"{setting} {written!r} must hold image files, got none; known are {', '.join(SUFFIXES)}")
    groups: dict[str, list[str]] = {}
    for path in files:
        below = path.relative_to(top) if path != top else Path(top.name)
        by_folder = source.slices is not None and path != top
        key = below.parent.as_posix() if by_folder else (below.parent / stem(below.name)).as_posix()
        groups.setdefault(unicodedata.normalize("NFC", key), []).append(str(path))
    if source.slices is None:
        _refuse_collisions((key, file) for key, group in groups.items() for file in group)
    return {key: tuple(group) for key, group in groups.items()}


def _walk(top: Path, other: Path | None) -> Iterator[Path]:
    if top.is_file():
        yield from [top] if _is_image(top.name) else []
        return
    for folder, folders, files in os.walk(top, onerror=_fail, followlinks=True):
        folders[:] = [name for name in folders if _may_hold_images(Path(folder, name), other)]
        paths = (Path(folder, name) for name in files if _is_image(name))
        yield from (path for path in paths if path != other)


def _fail(error: OSError) -> NoReturn:
    raise error


def _is_image(name: str) -> bool:
    return not name.startswith(".") and name.lower().endswith(SUFFIXES)


def _may_hold_images(folder: Path, other: Path | None) -> bool:
    ours = folder.suffix == ".zarr" or (folder / "dataset.yaml").exists()
    return not ours and not folder.name.startswith(".") and folder.resolve() != other


def _keyed(
    key: str, files: Files, source: Source, count_scenes: Callable[[str], int]
) -> list[tuple[str, Files, int | None]]:
    """Key, files and index of each scene in a group of files."""
    try:
        count = 1 if source.slices is not None else count_scenes(files[0])
    except ValueError:
        count = 1
    return [(key, files, None)] if count == 1 else [(f"{key}-s{scene}", files, scene) for scene in range(count)]


def _refuse_collisions(named: Iterable[tuple[str, str]]) -> None:
    seen: dict[str, str] = {}
    for name, file in named:
        if name in seen:
            raise ValueError(f"names must differ, got {name} for {seen[name]} and {file}; rename one of them")
        seen[name] = file


def _refuse_misfits(source: Source, images: Sequence[tuple[str, Files]], labels: Mapping[str, Files]) -> None:
    """Refuse images that are but parts, truth of which nothing fits, and slices that differ in number from theirs."""
    if not images:
        raise LookupError(f"images {source.images!r} must hold all files of a set, got a part of it; name its folder")
    matched = [(key, files) for key, files in images if key in labels]
    if labels and not matched:
        raise ValueError(
            f"truth must bear the names of images, got none that does: {next(iter(labels))!r} in {source.truth!r}, "
            f"but {images[0][0]!r} in {source.images!r}; rename the files of truth"
        )
    for key, files in matched:
        if len(files) != len(labels[key]):
            raise ValueError(
                f"each slice must have its truth, got {len(files)} files in {Path(files[0]).parent} "
                f"but {len(labels[key])} in {Path(labels[key][0]).parent}; add or remove files"
            )
