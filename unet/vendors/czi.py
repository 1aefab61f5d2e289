"""Zeiss's CZI, by the library `pylibCZIrw`: scenes, and tiles that touch no other, are scenes.

Left alone, the library gives zeros for a plane that is not in the file, and one canvas for tiles that lie far apart.
So its table of tiles is read first: tiles that touch are one image, and each plane must have all of its tiles. An
experiment that was stopped early is read as far as it went in whole time points.
"""

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from pylibCZIrw import czi
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from unet.dataset.filesystem import open_regular, refuse_unwritten
from unet.formats.pixel_sizes import SaidSizes
from unet.formats.stack import RGB, Opened, Pages, Reader, SliceAxis, decoding_errors_told, stack_of_pages
from unet.sources.stacks import Scenes
from unet.vendors.czi_segments import require_sound

TYPES = {"Gray8": "u1", "Gray16": "u2", "Gray32Float": "f4", "Bgr24": "u1", "Bgr48": "u2", "Bgr96Float": "f4"}
OF_A_PLANE = "TZCH"
"""Dimensions that a plane is asked for by; H, the phases of an Airyscan, stands for channels.

Others (R rotations, I illuminations, V views, B blocks) are axes that a person must name."""

Json = Mapping[str, Any]
Box = tuple[int, int, int, int]
"""x, y, width, height; x and y may be negative."""
Channel = tuple[int, int, int]
"""Numbers of a channel, its phase, and the sample of a colour camera."""


class _Tile(NamedTuple):
    at: Mapping[str, int]
    box: Box
    kind: str
    """Name of the type of its pixels."""


@dataclass(frozen=True)
class _Image:
    """What is opened as one scene: tiles that touch each other."""

    scene: int | None
    tiles: Sequence[_Tile]

    @property
    def box(self) -> Box:
        """The rectangle around all tiles."""
        x, y = (min(tile.box[i] for tile in self.tiles) for i in (0, 1))
        right, bottom = (max(tile.box[i] + tile.box[i + 2] for tile in self.tiles) for i in (0, 1))
        return x, y, right - x, bottom - y

    def values(self, axis: str) -> list[int]:
        """Positions along a dimension."""
        return sorted({tile.at.get(axis, 0) for tile in self.tiles})

    @property
    def others(self) -> str:
        """Dimensions besides those of a plane that it has several values of."""
        axes = sorted({axis for tile in self.tiles for axis in tile.at} - {*OF_A_PLANE, "S", "M"})
        return "".join(axis for axis in axes if len(self.values(axis)) > 1)


@contextmanager
def _open(file: str, scene: int | None, axis: SliceAxis) -> Iterator[Opened]:
    with _images(file) as (opened, images):
        with decoding_errors_told(file, "CZI"):
            image = images[scene or 0]
            said = opened.metadata["ImageDocument"]["Metadata"]
            pages, channels, notes = _pages(file, opened, image)
            (names, colours), sizes = _channels(said, channels), _sizes(said)
        stack = stack_of_pages(pages, sizes, names)
        yield replace(stack, notes=(*stack.notes, *notes), colours=colours)


def _find_scenes(file: str) -> Scenes:
    with _images(file) as (_, images):
        return Scenes(len(images))


@contextmanager
def _images(file: str) -> Iterator[tuple[czi.CziReader, list[_Image]]]:
    with decoding_errors_told(file, "CZI"):
        with open_regular(file) as stream:
            refuse_unwritten(stream.fileno())
            require_sound(stream)
        opening = czi.open_czi(file)
        opened = opening.__enter__()
    try:
        with decoding_errors_told(file, "CZI"):
            images = _images_of(_tiles(opened))
            if not images:
                raise ValueError("it holds no image")
        yield opened, images
    finally:
        opening.__exit__(None, None, None)


def _tiles(opened: czi.CziReader) -> list[_Tile]:
    """All tiles of the full resolution."""
    found: list[_Tile] = []

    def keep(_: int, block: Any) -> bool:
        box, stored = block.logicalRect, block.physicalSize
        if block.get_zoom() == 1:
            if (box.w, box.h) != (stored.w, stored.h):
                raise ValueError(f"a tile of {box.w} × {box.h} is stored as {stored.w} × {stored.h}")
            found.append(_Tile(block.coordinate.to_dict(), (box.x, box.y, box.w, box.h), block.pixelType.name))
        return True

    opened.enumerate_subblocks(keep)
    return found


def _images_of(tiles: Sequence[_Tile]) -> list[_Image]:
    """Tiles that touch, of one scene, in the order of the scenes and of the first tile of each."""
    images = []
    for scene in sorted({tile.at.get("S", -1) for tile in tiles}):
        of_scene = [tile for tile in tiles if tile.at.get("S", -1) == scene]
        boxes = list(dict.fromkeys(tile.box for tile in of_scene))
        number = dict(zip(boxes, _touching(boxes), strict=True))
        for one in dict.fromkeys(number.values()):
            of_one = [tile for tile in of_scene if number[tile.box] == one]
            images.append(_Image(None if scene < 0 else scene, of_one))
    return images


def _touching(boxes: Sequence[Box]) -> list[int]:
    """For each box the number of the group of boxes it touches, directly or by others.

    >>> _touching([(0, 0, 10, 10), (50, 0, 10, 10), (10, 5, 10, 10)])
    [0, 1, 0]
    """
    x, y, width, height = np.array(boxes, np.int64).T
    middles = np.stack([2 * x + width, 2 * y + height], axis=1)
    first, second = KDTree(middles).query_pairs(2 * max(width.max(), height.max()), p=np.inf, output_type="ndarray").T
    gap_x = np.abs(middles[first, 0] - middles[second, 0]) - (width[first] + width[second])
    gap_y = np.abs(middles[first, 1] - middles[second, 1]) - (height[first] + height[second])
    touch = (gap_x <= 0) & (gap_y <= 0)
    pairs = coo_array((np.ones(touch.sum()), (first[touch], second[touch])), shape=(len(boxes),) * 2)
    return [int(group) for group in connected_components(pairs, directed=False)[1]]


def _pages(file: str, opened: czi.CziReader, image: _Image) -> tuple[Pages, list[Channel], tuple[str, ...]]:
    """Planes of one image, its channels, and what is to be said of what is not there."""
    (kind, *others) = sorted({tile.kind for tile in image.tiles})
    if others or kind not in TYPES:
        raise ValueError(f"its pixels must all be of one type of {', '.join(TYPES)}, got {', '.join([kind, *others])}")
    times, note = _whole_times(image)
    samples, planes = 3 if kind.startswith("Bgr") else 1, image.values("Z")
    channels = list(itertools.product(image.values("C"), image.values("H"), range(samples)))
    box, unknown = image.box, {axis: image.values(axis) for axis in image.others}

    @lru_cache(maxsize=1)  # the samples of a plane are asked for one after another
    def frame(*numbers: int) -> np.ndarray:
        asked = zip((*unknown, *"TCHZ"), numbers, strict=True)
        at = {axis: value for axis, value in asked if axis in image.tiles[0].at}
        with decoding_errors_told(file, "CZI"):
            values: np.ndarray = opened.read(roi=box, plane=at, scene=image.scene)
            return values[..., ::-1]  # samples are stored blue first

    def read(index: tuple[int, ...]) -> np.ndarray:
        *more, time, channel, z = index
        number, phase, sample = channels[channel]
        places = (values[at] for values, at in zip(unknown.values(), more, strict=True))
        return frame(*places, times[time], number, phase, planes[z])[..., sample]

    shape = (*map(len, unknown.values()), len(times), len(channels), len(planes), box[3], box[2])
    covered = sum(width * height for _, _, width, height in {tile.box for tile in image.tiles})
    bare = ("its rectangle was not scanned everywhere: there it is 0",) if covered < box[2] * box[3] else ()
    return Pages(file, "".join(unknown) + "tczyx", shape, np.dtype(TYPES[kind]), 2, read), channels, (*note, *bare)


def _whole_times(image: _Image) -> tuple[list[int], tuple[str, ...]]:
    """Time points of which each plane has all of its tiles, and a note where later ones do not."""
    axes = OF_A_PLANE + image.others
    found = Counter(tuple(tile.at.get(axis, 0) for axis in axes) for tile in image.tiles)
    others, wanted = [image.values(axis) for axis in axes[1:]], max(found.values())
    times = image.values("T")
    is_whole = [all(found[time, *at] == wanted for at in itertools.product(*others)) for time in times]
    whole = times[: [*is_whole, False].index(False)]
    if not whole:
        raise ValueError(f"its first time point lacks tiles: {sum(found.values())} are there of all")
    if len(whole) == len(times):
        return times, ()
    return whole, (f"it was stopped early: {len(whole)} of {len(times)} time points are whole, and are taken",)


def _channels(said: Json, channels: Sequence[Channel]) -> tuple[list[str], tuple[str, ...]]:
    """Names and colours of the channels."""
    of_image = _each(said, "Information", "Image", "Dimensions", "Channels", "Channel")
    shown = _each(said, "DisplaySetting", "Channels", "Channel")
    several = {len({channel[part] for channel in channels}) > 1 and part for part in (1, 2)}
    names, colours = [], []
    for number, phase, sample in channels:
        named = next((each[number].get("@Name") for each in (of_image, shown) if number < len(each)), "") or ""
        parts = [named, f"phase {phase + 1}" if 1 in several else "", RGB[sample] if 2 in several else ""]
        names.append(" ".join(filter(None, parts)))
        colour = shown[number].get("Color") if number < len(shown) and 2 not in several else None
        colours.append(str(colour or "")[-6:])
    return names, tuple(colours) if any(colours) else ()


def _sizes(said: Json) -> SaidSizes:
    """Sizes of pixels in µm, which the file has in metres, and of a time point in seconds."""
    distances = _each(said, "Scaling", "Items", "Distance")
    metres = {each.get("@Id", "").lower(): float(each.get("Value") or 0) for each in distances}
    sizes = {axis: (size * 1e6, "µm") for axis, size in metres.items() if size}
    for time in _each(said, "Information", "Image", "Dimensions", "T", "Positions"):
        if (step := float(_inside(time, "Interval", "Increment") or 0)) > 0:
            sizes["t"] = (step, "s")
        offsets = [float(each) for each in str(_inside(time, "List", "Offsets") or "").split()]
        if len(offsets) > 1:
            sizes["t"] = ((offsets[-1] - offsets[0]) / (len(offsets) - 1), "s")
    return sizes


def _inside(said: Any, *names: str) -> Any:
    """What stands below some names; None where it does not."""
    for name in names:
        said = said.get(name) if isinstance(said, Mapping) else None
    return said


def _each(said: Json, *names: str) -> list[Json]:
    """The same as a list: XML does not tell one element from a list of one."""
    found = _inside(said, *names)
    return [each for each in (found if isinstance(found, list) else [found]) if isinstance(each, Mapping)]


READER = Reader(_open, _find_scenes)
