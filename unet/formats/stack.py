"""A stack opened for reading: what any format's pages become, one y x plane at a time.

The law: axes are in the order t c z y x, each longer than 1 but for y and x; names of channels are unique; a pixel size
is there where both its number and its unit are known. A format's reader says what a file holds as `Pages`;
`stack_of_pages` makes of it what the law asks for.
"""

import errno
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from unet.formats.pixel_sizes import SaidSizes, believed_sizes
from unet.sources.stacks import Scenes

AXES = "tczyx"


RGB = ("red", "green", "blue")
CLEAR = 0x1000000
"""What stands for a pixel that is not seen, among colours as 0xRRGGBB."""


ReadPlane = Callable[[tuple[int, ...]], np.ndarray]


SliceAxis = str | None
"""One axis: what pages run along where a file does not say. Several: what all axes of a file are, in its order."""


@dataclass(frozen=True)
class Opened:
    """A stack opened for reading, in one thread at a time unless it says otherwise."""

    axes: str
    """Some of `tczyx`, in this order, always ending in `yx`; t, c and z of length 1 are left out.

    What a reader opens may have others before them, a letter each; `stated` names or refuses them.
    """
    shape: tuple[int, ...]
    """Length of each axis."""
    dtype: np.dtype[Any]
    """Type of the planes, in native byte order; a mask of bits is uint8 of 0 and 1."""
    spacing: Mapping[str, float]
    """Pixel size by axis, in `units`; an axis of unknown size is absent."""
    units: Mapping[str, str]
    """Unit by axis as OME-Zarr names it, such as `micrometer` or `second`; absent where `spacing` is."""
    channels: tuple[str, ...]
    """Names of the channels, no two alike; one even when there is no axis c; "0", "1", … where the file has none."""
    plane: ReadPlane
    """The plane (y, x) at an index of the leading axes, such as (t, z) of t z y x; a new array at each call."""
    notes: tuple[str, ...] = ()
    """What the file says and was not believed, such as a pixel size of 0; a sentence each."""
    colours: tuple[str, ...] = ()
    """Colour of each channel as the file has it, RRGGBB, or "" where it has none; empty where it has none at all."""
    is_palette: bool = False
    """Whether its values are indices of colours, which are labels and no grey values."""
    is_shared: bool = False
    """Whether several threads may read planes at once."""
    palette: tuple[int, ...] = ()
    """Colours of its indices, 0xRRGGBB, or `CLEAR`; empty where it has none."""
    opacity: ReadPlane | None = None
    """How opaque pixels are, 0 where they are not seen, of an alpha channel that is left out."""
    words: tuple[str, ...] = ()
    """What the file says of the class of each id, from 1 on; empty where it has no words for them."""


class Reader(NamedTuple):
    """How files of one format are read."""

    open: Callable[[str, int | None, SliceAxis], AbstractContextManager[Opened]]
    find_scenes: Callable[[str], Scenes]
    takes_axes: bool = False
    """Whether several axes are taken as those of the file; of others, the axes of what was opened are renamed."""


class Pages(NamedTuple):
    """What a file holds, as it is stored: `shape` along `axes`, of which the last `inner` lie within a page."""

    file: str
    axes: str
    """Some of `tczyx`, in the order of the file; before them others that it has, a letter of its own each."""
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    inner: int
    """How many of the last axes lie within one page."""
    read: ReadPlane
    """The page at an index of the axes before."""
    alpha: bool = False
    """Whether the last sample of a pixel is its opacity."""


class UnknownAxesError(ValueError):
    """A file is whole, and a person must say what its axes are."""


OF_DECODERS = (None, errno.EINVAL)
"""Numbers of errors that are a decoder's own, not the system's; EINVAL is a seek to a nonsensical offset."""


@contextmanager
def decoding_errors_told(file: str, kind: str) -> Iterator[None]:
    """Turns any error of a decoder into one sentence; an OSError, which may pass, stays as it is."""
    try:
        yield
    except UnknownAxesError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno not in OF_DECODERS:
            raise
        raise ValueError(f"{file} is not a readable {kind} ({error}): copy it again from the microscope") from error


def stack_of_pages(pages: Pages, sizes: SaidSizes, channels: Sequence[str]) -> Opened:
    """The stack of a file's pages, with the sizes of its pixels and the names of its channels as the file has them."""
    if pages.dtype.kind not in "buif":
        raise ValueError(f"the pixels of {pages.file} must be numbers or bits, got {pages.dtype}; convert them")
    if not all(length > 0 for length in pages.shape):
        raise ValueError(f"{pages.file} must hold planes of some size, got {pages.shape}: it is broken")
    native = pages.dtype.newbyteorder("=").str  # of several types of 64 bits the one that others know
    dtype = np.dtype(np.uint8 if pages.dtype.kind == "b" else native)
    lengths = dict(zip(pages.axes, pages.shape, strict=True))
    left_out = ("its alpha channel, which says how opaque pixels are, is left out",) if pages.alpha else ()
    lengths["c"] = lengths.get("c", 1) - len(left_out)
    axes = "".join(a for a in pages.axes if a not in AXES and lengths[a] > 1) + ordered_axes(lengths)
    spacing, units, notes = believed_sizes(sizes, axes)
    names, shape = unlike_names(channels, lengths.get("c", 1)), tuple(lengths[a] for a in axes)
    read = _planes(pages, axes, dtype)
    opacity = _opacity(pages, axes, dtype) if pages.alpha else None
    return Opened(axes, shape, dtype, spacing, units, names, read, (*notes, *left_out), opacity=opacity)


def ordered_axes(sizes: Mapping[str, int]) -> str:
    """The axes of a stack in their order, without axes of length 1.

    >>> ordered_axes({"y": 1, "z": 3, "c": 1, "x": 9})
    'zyx'
    """
    return "".join(a for a in AXES if a in "yx" or sizes.get(a, 1) > 1)


def _opacity(pages: Pages, axes: str, dtype: np.dtype[Any]) -> ReadPlane:
    """The last sample of each pixel, at an index of the leading axes, whatever its channel."""
    read = _planes(pages, axes.replace("c", ""), dtype, {"c": -1})
    return lambda index: read(tuple(at for axis, at in zip(axes[:-2], index, strict=True) if axis != "c"))


def _planes(
    pages: Pages, axes: str, dtype: np.dtype[Any], fixed: Mapping[str, int] = MappingProxyType({})
) -> ReadPlane:
    leading, within = pages.axes[: -pages.inner], pages.axes[-pages.inner :]
    is_plane = pages.inner == 2
    read = pages.read if is_plane else lru_cache(maxsize=1)(pages.read)  # its samples are asked for one after another

    def plane(index: tuple[int, ...]) -> np.ndarray:
        at = {**dict(zip(axes[:-2], index, strict=True)), **fixed}
        page = read(tuple(at.get(a, 0) for a in leading))
        chosen = page[tuple(slice(None) if a in "yx" else at.get(a, 0) for a in within)]
        return chosen.astype(dtype)

    return plane


def unlike_names(given: Sequence[str], count: int) -> tuple[str, ...]:
    """Names of `count` channels, no two alike: the number takes the place of a missing name and follows a repeated one.

    >>> unlike_names(["DAPI", "", "DAPI"], 4)
    ('DAPI', '1', 'DAPI 2', '3')
    """
    names: list[str] = []
    for number in range(count):
        name = (given[number] if number < len(given) else "") or str(number)
        while name in names:
            name = f"{name} {number}"
        names.append(name)
    return tuple(names)
