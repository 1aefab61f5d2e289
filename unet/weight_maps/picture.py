"""One plane as weigh hands it to training: truth beside the classes beside the border weights.

Of a large plane only a window is shown, the one with the most weight: the picture stays small, and the narrow gaps,
which are what the weights are for, can be seen.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unet.images.array_types import IGNORE
from unet.images.units import symbol
from unet.reports.pictures import TRUTH_COLOUR, Bytes, colours, hexadecimal
from unet.reports.png_plots import figure_png, new_figure
from unet.settings.classes import BACKGROUND, OBJECT, class_colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import Patch

Legend = dict[int, tuple[str, tuple[int, int, int]]]
"""Name and colour by the number of a class."""
IGNORED_COLOUR = (204, 121, 167)
"""Reddish purple: pixels that training does not see."""
SEVERAL_IGNORED = (255, 255, 255)
"""White: the same where classes of objects, one of which may be reddish purple, have colours of their own."""


def class_legend(names: Sequence[str]) -> Legend:
    """Name and colour of each class that training sees, by its number, of some classes of objects.

    >>> class_legend(("nucleus", "mitosis"))[2]
    ('mitosis', (86, 180, 233))
    """
    several = len(names) > 1
    rgb = [_rgb(class_colour(number)) if several else TRUTH_COLOUR for number in range(1, len(names) + 1)]
    unseen = SEVERAL_IGNORED if several else IGNORED_COLOUR
    objects = dict(enumerate(zip(names, rgb, strict=True), start=1))
    return {0: (BACKGROUND, (32, 32, 32)), **objects, IGNORE: (f"ignored ({IGNORE})", unseen)}


def _rgb(colour: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue


class PlaneView(NamedTuple):
    """Where a picture's pixels lie in their plane, and how large one is."""

    y: int = 0
    """Row of the first."""
    x: int = 0
    """Column of the first."""
    pixel: float | None = None
    """Side of a pixel; None where it is not known."""
    unit: str = ""
    """Unit of `pixel` as NGFF names it, such as `micrometer`."""


def telling_window(weights: NDArray[Any], side: int = 512) -> tuple[slice, slice]:
    """Rows and columns of the window of at most `side` pixels either way with the most weight; the foremost of equals.

    Its corner lies on a grid of side / 8 pixels, or as near to the end as the window fits. The weights are summed up in
    the cells between all edges of all windows; then a window is four entries of the sums from the corner on:

        (top, left) ┌──────┐            inside = (bottom, right) − (top, right)
                    │inside│                     − (bottom, left) + (top, left)
                    └──────┘ (bottom, right)

    >>> telling_window(np.diag([0, 0, 0, 1, 1]), side=2)
    (slice(3, 5, None), slice(3, 5, None))
    """
    y, x = (_corners(size, side) for size in weights.shape)
    height, width = (min(side, size) for size in weights.shape)
    rows, columns = np.union1d(y, y + height), np.union1d(x, x + width)
    cells = np.add.reduceat(np.add.reduceat(weights, rows[:-1], 0, np.float64), columns[:-1], 1)
    sums = np.pad(cells.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    top, bottom = np.searchsorted(rows, y), np.searchsorted(rows, y + height)
    left, right = np.searchsorted(columns, x), np.searchsorted(columns, x + width)
    inside = sums[np.ix_(bottom, right)] - sums[np.ix_(top, right)] - sums[np.ix_(bottom, left)]
    row, column = np.unravel_index(int((inside + sums[np.ix_(top, left)]).argmax()), inside.shape)
    return slice(int(y[row]), int(y[row]) + height), slice(int(x[column]), int(x[column]) + width)


def _corners(size: int, side: int) -> NDArray[np.intp]:
    last = max(size - side, 0)
    return np.unique(np.append(np.arange(0, last + 1, max(side // 8, 1)), last))


def weights_picture(
    truth: NDArray[Any],
    classes: NDArray[Any],
    border: NDArray[Any],
    highest: float,
    plane: PlaneView | None = None,
    names: Sequence[str] = (OBJECT,),
) -> bytes:
    """PNG of one plane's truth, the classes that training sees, and its border weights with their scale.

    Args:
        truth: y x ids.
        classes: y x classes, 255 = ignored.
        border: y x border weights, in multiples of an average pixel's weight.
        highest: the largest weight that there can be, the end of the scale.
        plane: where these pixels lie; ticks count in pixels of the whole plane.
        names: of the classes of objects, in order.
    """
    from matplotlib import colormaps

    plane, legend = plane or PlaneView(), class_legend(names)
    height, width = border.shape
    tall = min(max(3.8 * height / width, 0.8), 7)
    figure = new_figure(12, tall + 1.5)
    panels, (left, below, scale) = figure.subplots(2, 3, height_ratios=(tall, 0.12))
    extent = (plane.x - 0.5, plane.x + width - 0.5, plane.y + height - 0.5, plane.y - 0.5)
    shades = colormaps["magma"].resampled(100)  # the whole picture has a palette of 256
    titles = (f"truth: {_objects(truth)}", "classes that training sees", "border weights")
    for axes, picture, title in zip(
        panels, (colours(truth), _class_colours(classes, legend), border), titles, strict=True
    ):
        drawn = axes.imshow(picture, shades, vmin=0, vmax=highest or 1, interpolation="nearest", extent=extent)
        _label(axes, title, first=axes is panels[0])
    if plane.pixel:
        _scale_bar(panels[0], width, plane)
    left.set_axis_off()
    below.set_axis_off()
    below.legend(handles=_class_patches(classes, legend), loc="upper center", ncols=3, frameon=False, fontsize="small")
    figure.colorbar(drawn, cax=scale, orientation="horizontal", label="added weight, 1 = that of an average pixel")
    return figure_png(figure)


def _label(axes: "Axes", title: str, first: bool) -> None:
    axes.set_title(title, loc="left")
    axes.set(xlabel="x [px]", ylabel="y [px]" if first else "")
    axes.locator_params(nbins=4, integer=True, min_n_ticks=1)
    axes.tick_params(length=2, labelsize="small", labelleft=first)


def _objects(truth: NDArray[Any]) -> str:
    count = len(np.unique(truth[truth > 0]))
    return f"{count} object{'' if count == 1 else 's'}"


def _scale_bar(axes: "Axes", width: int, plane: PlaneView) -> None:
    """A white bar of a round length, at most a quarter of the picture, with its length in words."""
    from matplotlib.offsetbox import AnchoredOffsetbox, AuxTransformBox, TextArea, VPacker
    from matplotlib.patches import Rectangle

    assert plane.pixel
    length, unit = _round_length(width * plane.pixel / 4), symbol(plane.unit)
    bar = AuxTransformBox(axes.transData)
    bar.add_artist(Rectangle((0, 0), length / plane.pixel, 0, edgecolor="white", linewidth=3, facecolor="none"))
    text = TextArea(f"{length:g} {unit}", textprops={"color": "white", "size": "small"})
    packed = VPacker(children=[text, bar], align="center", pad=0, sep=4)
    box = AnchoredOffsetbox("lower right", child=packed, pad=0.4, borderpad=0.4)
    box.patch.set(facecolor="black", alpha=0.7, edgecolor="none")
    axes.add_artist(box)


def _round_length(most: float) -> float:
    """The largest of 1, 2, 5 · 10ⁿ that is at most `most`.

    >>> _round_length(37), _round_length(0.6)
    (20.0, 0.5)
    """
    power = 10.0 ** np.floor(np.log10(most))
    return float(max(step * power for step in (1, 2, 5) if step * power <= most))


def _class_colours(classes: NDArray[Any], legend: Legend) -> Bytes:
    picture = colours(classes)
    for value, (_, colour) in legend.items():
        picture[classes == value] = colour
    return picture


def _class_patches(classes: NDArray[Any], legend: Legend) -> "list[Patch]":
    """Entries of a legend, one for each class that is there."""
    from matplotlib.patches import Patch

    return [
        Patch(color=hexadecimal(rgb), label=name) for value, (name, rgb) in legend.items() if (classes == value).any()
    ]
