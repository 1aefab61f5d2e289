"""Truth as people save it, and the ids that are kept of it.

The law: ids are kept as they are given, whole numbers whatever their type; a mask's objects are its 4-connected parts,
numbered on through the planes. Pixels nobody judged have one id of their own: that which the source names as `ignore`,
else the largest there is, of masks, of -1, and of planes that are to be ignored because nobody drew on them.

    ids      0.0  1.0  37.0  -1.0     kept as  0 1 37 4294967295
    mask     0 255 255 0 255          kept as  0 1 1 0 2

Nothing is rounded, and no grey level becomes an object: fractions and more than two values of a mask are refused.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unet.formats.stack import Opened
from unet.labels.class_of_ids import SeenClasses
from unet.labels.connected import connected_segments
from unet.sources.stack_names import shortened
from unet.sources.stacks import Stack

IGNORED = np.uint32(np.iinfo(np.uint32).max)
"""Id of pixels nobody judged, where their value in the source is no id that can be kept."""
UNJUDGED = -1
"""Value that marks them in many programs; it is taken so where a source names no other."""
WHITE = (255, 65535)
"""Values of the object in a mask that was drawn as a picture."""


class KeptTruth(NamedTuple):
    """What is kept of a stack's truth."""

    dtype: np.dtype[Any]
    ignore: int | None
    """Id of pixels nobody judged, if there can be any."""
    notes: tuple[str, ...]
    planes: Iterator[NDArray[Any]]
    """Ids plane by plane; values that cannot be kept are refused as they are reached."""
    classes: SeenClasses | None = None
    """The class of each id of the planes that were read; None where truth has no classes."""
    axes: str = ""
    shape: tuple[int, ...] = ()
    """Length of each axis."""


def kept_truth(opened: Opened, stack: Stack, *, has_classes: bool = False) -> KeptTruth:
    """What is kept of truth that was opened.

    Args:
        opened: labels, or a mask.
        stack: how its source says that they are read.
        has_classes: whether ids are to be those that have a class, below `IGNORED` whatever their type.

    Raises:
        ValueError: it holds what are no ids, or no mask.
    """
    look = look_at(opened, stack)
    has_own = stack.ignore == UNJUDGED or stack.empty_planes == "ignore" or look.has_unjudged
    has_own |= has_classes and stack.ignore is not None
    is_mask = stack.foreground != "ids"
    keeps_type = not (is_mask or has_own or has_classes or opened.dtype.kind == "f")
    dtype = opened.dtype if keeps_type else IGNORED.dtype
    ignore = int(IGNORED) if has_own or (is_mask and stack.ignore is not None) else stack.ignore
    planes = _planes(opened, stack, look, has_own, keeps_type)
    return KeptTruth(dtype, ignore, look.notes, planes, None, opened.axes, opened.shape)


def require_fit(name: str, axes: str, shape: Sequence[int], of_image: Sequence[int]) -> None:
    """Refuse truth that is not of its image's shape, which is given without channels."""
    if "c" in axes or tuple(shape) != tuple(of_image):
        raise ValueError(
            f"truth of {name} must have the image's shape {' × '.join(map(str, of_image))} in one channel, got "
            f"{' × '.join(map(str, shape))} ({' '.join(axes)}); give the labels drawn on this image"
        )


@dataclass(frozen=True)
class Look:
    """What was seen of all planes before any was kept."""

    has_unjudged: bool = False
    """Whether -1 marks pixels nobody judged."""
    ignored: frozenset[tuple[int, ...]] = frozenset()
    """Planes without an object that are ignored."""
    notes: tuple[str, ...] = ()


def _is_empty_of(foreground: object) -> Callable[[NDArray[Any]], bool]:
    """What tells planes without an object, by how truth is read."""
    return lambda plane: bool((plane != 0).all()) if foreground == 0 else not plane.any()


def look_at(opened: Opened, stack: Stack, is_empty: Callable[[NDArray[Any]], bool] | None = None) -> Look:
    """A look at all planes, where their type or the source's settings leave open what is kept of them.

    Args:
        opened: truth.
        stack: how its source says that it is read.
        is_empty: whether a plane has no object.
    """
    is_empty = is_empty or _is_empty_of(stack.foreground)
    if opened.dtype.kind not in "if" and stack.empty_planes == "background":
        return Look()
    has_unjudged, empty = False, []
    for index in np.ndindex(*opened.shape[:-2]):
        plane = opened.plane(index)
        has_unjudged |= stack.ignore is None and bool((plane == UNJUDGED).any())
        if is_empty(plane):
            empty.append(index)
    if stack.empty_planes == "background" or len(empty) == math.prod(opened.shape[:-2]):
        empty = []
    return Look(has_unjudged, frozenset(empty), tuple(_notes(opened.axes, has_unjudged, empty)))


def _notes(axes: str, has_unjudged: bool, empty: Sequence[tuple[int, ...]]) -> Iterator[str]:
    if has_unjudged:
        yield f"{UNJUDGED} in truth marks pixels nobody judged; `ignore` of the source can name another value"
    if empty:
        places = [" ".join(f"{axis} {at}" for axis, at in zip(axes, index, strict=False)) for index in empty]
        yield f"planes of truth without an object are ignored, as its source says: {shortened(places)}"


def _planes(opened: Opened, stack: Stack, look: Look, has_own: bool, keeps_type: bool) -> Iterator[NDArray[Any]]:
    count, values = 0, set[Any]()
    for index in np.ndindex(*opened.shape[:-2]):
        plane = opened.plane(index)
        if index in look.ignored:
            yield np.full(plane.shape, IGNORED)
        elif stack.foreground == "ids":
            yield _ids(plane, stack, has_own, keeps_type)
        else:
            judged = _judged(plane, stack)
            values |= set(np.unique(plane[judged]).tolist())
            _require_mask(plane, values, stack)
            objects = connected_segments(((plane == 0) == (stack.foreground == 0)) & judged)
            yield np.where(judged, np.where(objects > 0, objects + count, 0), IGNORED).astype(IGNORED.dtype)
            count += int(objects.max())


def _judged(plane: NDArray[Any], stack: Stack) -> NDArray[np.bool_]:
    judged: NDArray[np.bool_] = plane != (UNJUDGED if stack.ignore is None else stack.ignore)
    return judged


def _ids(plane: NDArray[Any], stack: Stack, has_own: bool, keeps_type: bool) -> NDArray[Any]:
    """Ids as they are given, in the type that is kept."""
    if plane.dtype.kind == "f" and (odd := plane[plane != np.floor(plane)]).size:
        raise ValueError(
            f"truth of {stack.name} must hold whole numbers, got {odd[0]:g} on {odd.size} pixels; {_whole_again(plane)}"
        )
    judged = _judged(plane, stack) if has_own else np.ones(plane.shape, np.bool_)
    ids = plane[judged]
    if ids.size and ids.min() < 0:
        raise ValueError(f"truth of {stack.name} must hold ids ≥ 0, got {ids.min():g}; renumber it")
    if keeps_type:
        return plane
    if ids.size and ids.max() >= IGNORED:
        raise ValueError(f"truth of {stack.name} must hold ids < {IGNORED}, got {ids.max():.0f}; renumber it")
    kept = np.full(plane.shape, IGNORED)
    kept[judged] = ids.astype(IGNORED.dtype)
    return kept


def _require_mask(plane: NDArray[Any], values: set[Any], stack: Stack) -> None:
    """Refuse what is no mask, with what else it may be."""
    must = f"truth of {stack.name} read with foreground {stack.foreground} must hold 0 and one other value, got"
    if plane.dtype.kind == "f" and (odd := plane[~np.isfinite(plane)]).size:
        raise ValueError(f"{must} {odd[0]} on {odd.size} pixels; save it as 0 and 255")
    if len(values) < 2 or (len(values) == 2 and 0 in values):
        return
    if has_smoothed_edges(plane):
        white = plane.max()
        between = (plane != 0) & (plane != white)
        levels = np.unique(plane[between]).size
        raise ValueError(
            f"{must} {levels} grey levels up to {white:g} on {between.mean():.1%} of its plane, as "
            f"of smoothed edges; threshold it (object where > {white / 2:g}) and save it as 0 and {white:g}"
        )
    listed = ", ".join(f"{value:g}" for value in sorted(values)[:4])
    is_whole = all(float(value).is_integer() for value in values)
    advice = "set its source's foreground to ids" if is_whole else _whole_again(plane)
    raise ValueError(f"{must} {listed}; {advice}")


def _whole_again(plane: NDArray[Any]) -> str:
    """What to do about values that are not whole: of a mask with smoothed edges, of probabilities, or of ids."""
    if not np.isfinite(plane).all():
        return "save an id an object, 0 where there is none and -1 where nobody judged"
    return (
        f"if it is a mask with smoothed edges, or of probabilities, threshold it (object where > {plane.max() / 2:g}), "
        "save it as 0 and 255, and set its source's foreground to 255; else save an id an object"
    )


def has_smoothed_edges(plane: NDArray[Any]) -> bool:
    """Whether a plane looks like a mask that was drawn or scaled with smoothed edges: mostly black and white.

    >>> has_smoothed_edges(np.array([0, 0, 0, 64, 255, 255])), has_smoothed_edges(np.array([0, 0, 1, 2, 2, 2]))
    (True, False)
    """
    found, counts = np.unique(plane, return_counts=True)
    commonest = {found[at].item() for at in np.argsort(counts)[-2:]}
    is_white = found[-1] in WHITE or (plane.dtype.kind == "f" and found[-1] <= 1)
    return len(found) > 2 and commonest == {0, found[-1].item()} and bool(is_white)  # black and white
