"""What is stated of a stack beside its files, put in the place of what they say."""

from dataclasses import replace

import numpy as np

from unet.formats.stack import AXES, Opened, UnknownAxesError, ordered_axes, unlike_names
from unet.sources.stacks import Stated

UNITS = {"t": "second"}
"""Units of stated sizes by axis; micrometers are those of all others."""


def as_stated(opened: Opened, stated: Stated, file: str) -> Opened:
    """The opened stack with the channels and pixel sizes that are stated of it.

    Raises:
        ValueError: it has another number of channels, or other axes.
    """
    if stated.axes and not set(opened.axes) <= set(stated.axes):
        raise ValueError(
            f"axes must be those of {file}, got {stated.axes} for {' × '.join(map(str, opened.shape))} pixels, which "
            f"are {opened.axes} by the file itself; mend `axes` of its source"
        )
    if stated.channels:
        if len(stated.channels) != len(opened.channels):
            raise ValueError(
                f"channels must name each channel of {file}, got {len(stated.channels)} names for "
                f"{len(opened.channels)}; mend `channels` of its source"
            )
        opened = replace(opened, channels=stated.channels)
    sizes = {axis: size for axis, size in stated.pixel_size if axis in opened.axes}
    units = {axis: UNITS.get(axis, "micrometer") for axis in sizes}
    return replace(opened, spacing={**opened.spacing, **sizes}, units={**opened.units, **units})


def renamed(opened: Opened, axes: str) -> Opened:
    """The opened stack with its axes renamed and put in their order; as it is where it has another number of them."""
    if len(axes) != len(opened.axes) or axes == opened.axes or not axes.endswith("yx"):
        return opened
    lengths = dict(zip(axes, opened.shape, strict=True))
    ordered = ordered_axes(lengths)

    def plane(index: tuple[int, ...]) -> np.ndarray:
        at = dict(zip(ordered[:-2], index, strict=True))
        return opened.plane(tuple(at[axis] for axis in axes[:-2]))

    old = dict(zip(axes, opened.axes, strict=True))
    kept = [axis for axis in ordered if axis == old[axis]]
    return replace(
        opened,
        axes=ordered,
        shape=tuple(lengths[axis] for axis in ordered),
        spacing={axis: opened.spacing[axis] for axis in kept if axis in opened.spacing},
        units={axis: opened.units[axis] for axis in kept if axis in opened.units},
        channels=unlike_names(opened.channels if "c" in kept or "c" not in ordered else (), lengths.get("c", 1)),
        plane=plane,
        colours=opened.colours if "c" in kept else (),
    )


def require_known_axes(opened: Opened, file: str) -> None:
    """Refuse axes that no network knows, such as views, phases and angles, with what says what they are to be."""
    others = [axis for axis in opened.axes if axis not in AXES]
    if not others:
        return
    free = [axis for axis in "ctz" if axis not in opened.axes]
    named = dict(zip(others, free, strict=False))
    example = "".join(named.get(axis, axis) for axis in opened.axes)
    advice = f"say what each is to be by `axes` of its source, as --axes {example}"
    raise UnknownAxesError(
        f"the axes of {file} must be some of t c z y x, got {' '.join(opened.axes)} of lengths "
        f"{' × '.join(map(str, opened.shape))}; {advice if len(named) == len(others) else 'export it with fewer axes'}"
    )
