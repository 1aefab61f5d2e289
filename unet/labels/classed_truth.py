"""Truth with classes: the ids that are kept of it, and the class of each, in all forms that people have it in.

    values or colours of classes    connected parts of each class are objects, numbered on through the planes
    outlines                        each is an object, of the class that its file says
    a folder a class                read each by itself; ids of a class go on where those of the one before end
    ids and a picture of classes    the class of an object is that at its pixels
    ids and a table of classes      the class of an object is that on its line

The law: every object that is kept has one class, and every pixel that is kept one object. An object of what the table
calls background is left out, of what it calls `ignore` its pixels are nobody's. What is told twice, or of an object
that is not there, is refused.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unet.formats.class_table import read_class_table
from unet.formats.guarded import guarded
from unet.formats.readers import open_truth
from unet.formats.stack import Opened
from unet.labels.class_of_ids import SeenClasses, listed_ids
from unet.labels.class_values import NOT_JUDGED, ClassValues
from unet.labels.connected import connected_segments
from unet.labels.truth_by_folder import FolderOfClass, kept_by_folder
from unet.labels.truth_values import IGNORED, UNJUDGED, KeptTruth, kept_truth, look_at, require_fit
from unet.settings.classes import BACKGROUND, kind_of_keys
from unet.settings.classes import IGNORED as IGNORE
from unet.sources.image_kinds import is_class_table
from unet.sources.stacks import Files, Stack

Plane = NDArray[Any]
NumbersOf = Callable[[NDArray[np.int64]], NDArray[np.int64]]
"""Numbers of the classes of some ids."""


@contextmanager
def open_kept(stack: Stack, sizes: Mapping[str, int]) -> Iterator[KeptTruth]:
    """What is kept of a stack's truth, with or without classes, while its files are open.

    Args:
        stack: as it was found in the sources.
        sizes: length of each axis of its image.

    Raises:
        ValueError: it holds what are no labels, or no classes.
    """
    with ExitStack() as held:

        def opened(part: Stack) -> Opened:
            return held.enter_context(guarded(part.truth, open_truth(part, sizes)))

        if stack.truth_by_class:
            parts = [(name, _part(stack, files)) for name, files in stack.truth_by_class]
            yield kept_by_folder(stack, [FolderOfClass(name, part, opened(part)) for name, part in parts])
        elif stack.class_of:
            yield _with_classes_beside(stack, opened)
        else:
            given = opened(stack)
            kept = _semantic if stack.classes and not given.words else kept_truth
            kept = _of_outlines if stack.classes and given.words else kept
            yield _noted(kept(given, stack), given)


def _part(stack: Stack, files: Files, **how: Any) -> Stack:
    """A stack as if some of its files were all of its truth."""
    return replace(stack, **{"truth": files, "truth_by_class": (), "class_of": (), "classes": (), **how})


def _noted(kept: KeptTruth, *opened: Opened) -> KeptTruth:
    """The same with the notes of what was opened before its own."""
    return kept._replace(notes=tuple(dict.fromkeys([*(note for of in opened for note in of.notes), *kept.notes])))


def _semantic(opened: Opened, stack: Stack) -> KeptTruth:
    """Connected parts of each class, whose values the planes hold."""
    table = dict(stack.classes) | ({} if stack.ignore is None else {stack.ignore: IGNORE})
    values, seen = ClassValues(table, stack.name), SeenClasses(ClassValues(table, stack.name).names)
    is_free = kind_of_keys(table) == "values" and stack.ignore is None and UNJUDGED not in table
    free = (UNJUDGED,) if is_free else ()
    told = stack if is_free else replace(stack, ignore=UNJUDGED)  # -1 means what the table says
    look = look_at(opened, told, lambda plane: not _is_object(values.of(plane, free)).any())
    has_ignored = IGNORE in table.values() or look.has_unjudged or stack.empty_planes == "ignore"

    def planes() -> Iterator[Plane]:
        count = 0
        for index in np.ndindex(*opened.shape[:-2]):
            classes = values.of(opened.plane(index), free)
            kept = np.where(classes == NOT_JUDGED, IGNORED, np.uint32(0))
            for number in np.unique(classes[_is_object(classes)]):
                objects = connected_segments(classes == number)
                top = int(objects.max())
                kept += np.where(objects > 0, objects + count, 0).astype(IGNORED.dtype)
                seen.add(np.arange(count + 1, count + top + 1), np.full(top, number))
                count += top
            yield np.full(kept.shape, IGNORED) if index in look.ignored else kept

    ignore = int(IGNORED) if has_ignored else None
    return KeptTruth(IGNORED.dtype, ignore, look.notes, planes(), seen, opened.axes, opened.shape)


def _is_object(classes: NDArray[np.uint8]) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = (classes != 0) & (classes != NOT_JUDGED)
    return found


def _of_outlines(opened: Opened, stack: Stack) -> KeptTruth:
    """Outlines with the classes that their file says."""
    values = ClassValues(dict(stack.classes), stack.name)
    numbers = values.of_words(Counter(opened.words), "outlines", stack.truth[0])
    by_id = np.array([0, *(numbers[word] for word in opened.words)], np.int64)
    kept = kept_truth(opened, replace(stack, foreground="ids"), has_classes=True)
    return _by_number(kept, values, by_id, SeenClasses(values.names), lambda ids: by_id[ids])


def _with_classes_beside(stack: Stack, opened: Callable[[Stack], Opened]) -> KeptTruth:
    """Ids with the class of each in files beside them."""
    objects = _part(stack, stack.truth_parts[0])
    ids, values = opened(objects), ClassValues(dict(stack.classes), stack.name)
    kept = kept_truth(ids, objects, has_classes=True)
    if is_class_table(stack.class_of[0]):
        return _noted(_by_table(kept, values, stack.class_of[0]), ids)
    classes = opened(_part(stack, stack.class_of, classes=stack.classes))
    require_fit(f"{stack.name} and its classes", classes.axes, classes.shape, ids.shape)
    return _noted(_by_picture(kept, values, classes), ids, classes)


def _by_table(kept: KeptTruth, values: ClassValues, file: str) -> KeptTruth:
    """The class of each id by a table of them."""
    table = read_class_table(file)
    counts = np.bincount(table.numbers, minlength=len(table.words)).tolist()
    by_word = values.of_words(dict(zip(table.words, counts, strict=True)), "lines", file)
    numbers = np.array([by_word[word] for word in table.words], np.int64)[table.numbers]

    def of(ids: NDArray[np.int64]) -> NDArray[np.int64]:
        if lost := np.setdiff1d(ids, table.ids).tolist():
            raise ValueError(f"{file} must name the class of each id of truth, got none for {listed_ids(lost)}; add it")
        return numbers[np.searchsorted(table.ids, ids)]

    return _by_number(kept, values, numbers, SeenClasses(values.names, table.ids, file), of)


def _by_number(
    kept: KeptTruth, values: ClassValues, said: NDArray[np.int64], seen: SeenClasses, numbers_of: NumbersOf
) -> KeptTruth:
    """The class of each id by a function of it, which gives numbers that are said; `ignore` needs no value for that."""

    def planes() -> Iterator[Plane]:
        for plane in kept.planes:
            ids = _ids(plane)
            numbers = numbers_of(ids)
            seen.add(ids, numbers)
            yield _left(plane, ids, numbers)

    kept = kept._replace(ignore=int(IGNORED)) if (said == NOT_JUDGED).any() else kept
    return _classed(kept, values, seen, planes())


def _by_picture(kept: KeptTruth, values: ClassValues, classes: Opened) -> KeptTruth:
    """The class of each id by what a picture of classes has at its pixels."""
    seen = SeenClasses(values.names)

    def planes() -> Iterator[Plane]:
        for index, plane in zip(np.ndindex(*kept.shape[:-2]), kept.planes, strict=True):
            of_pixels, ids = values.of(classes.plane(index)), _ids(plane)
            numbers = _numbers_at(plane, ids, of_pixels, values)
            seen.add(ids, numbers)
            yield np.where((plane == 0) & (of_pixels == NOT_JUDGED), IGNORED, _left(plane, ids, numbers))

    return _classed(kept, values, seen, planes())


def _numbers_at(
    plane: Plane, ids: NDArray[np.int64], of_pixels: NDArray[np.uint8], values: ClassValues
) -> NDArray[np.int64]:
    """The one class that each id has at its pixels."""
    inside = (plane != 0) & (plane != IGNORED)
    pairs = np.unique(np.searchsorted(ids, plane[inside]) * 256 + of_pixels[inside])
    at, numbers = pairs // 256, pairs % 256
    if (twice := at[1:][np.diff(at) == 0]).size:
        name = SeenClasses(values.names).name
        both = " and ".join(name(n) for n in numbers[at == twice[0]].tolist())
        raise ValueError(
            f"truth of {values.stack} must have one class at all pixels of an id, got {both} for {ids[twice[0]]}; draw "
            "ids and classes on the same pixels"
        )
    if BACKGROUND not in values.table.values() and (lost := ids[numbers == 0].tolist()):
        raise ValueError(
            f"truth of {values.stack} must have a class at the pixels of each id, got none for {listed_ids(lost)}; "
            "draw it, or name the value that is background in `classes`"
        )
    found: NDArray[np.int64] = numbers
    return found


def _ids(plane: Plane) -> NDArray[np.int64]:
    """Ids of objects on a plane, ascending."""
    found: NDArray[np.int64] = np.setdiff1d(plane, [0, IGNORED]).astype(np.int64)
    return found


def _left(plane: Plane, ids: NDArray[np.int64], numbers: NDArray[np.int64]) -> Plane:
    """A plane without the objects that are background, and with those as not judged that are."""
    if _is_object(numbers.astype(np.uint8)).all():
        return plane
    gone, hidden = np.isin(plane, ids[numbers == 0]), np.isin(plane, ids[numbers == NOT_JUDGED])
    return np.where(hidden, IGNORED, np.where(gone, np.uint32(0), plane))


def _classed(kept: KeptTruth, values: ClassValues, seen: SeenClasses, planes: Iterator[Plane]) -> KeptTruth:
    ignore = int(IGNORED) if IGNORE in values.table.values() else kept.ignore
    return kept._replace(ignore=ignore, planes=planes, classes=seen)
