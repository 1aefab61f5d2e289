"""Pictures that people judge by: planes with outlines and tints, and PNG bytes of them.

Grey is dimmed so that colours stand out, and it has few levels, so that a picture has at most 256 colours and its PNG
a palette: exact, and a third of the size. Orange is what the model says, blue what people drew, white where they
agree; these colours of Okabe and Ito (2008) are told apart by colour-blind readers too.
"""

from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from unet.images.array_types import IGNORE
from unet.settings.classes import class_colour

if TYPE_CHECKING:
    pass

Bytes = NDArray[np.uint8]

SEGMENTS_COLOUR = (230, 159, 0)
"""Orange: outlines of segments."""
TRUTH_COLOUR = (86, 180, 233)
"""Sky blue: outlines of truth."""
BOTH_COLOUR = (255, 255, 255)
"""White: outlines of both."""
ONE_CLASS = 2
"""Colours of one class of objects, that of background among them."""
EMBEDDED = 300_000
"""Bytes of the largest picture that a database should hold."""


def stretch(plane: NDArray[Any], of: NDArray[Any] | None = None) -> Bytes:
    """Grey values 0–255 of a plane: its percentile 1 becomes 0, its percentile 99.8 becomes 255; a constant is 0.

    So are pixels that are not finite, which are no part of the percentiles. These are those `of` other pixels if given.

    >>> stretch(np.array([[100, 150, 200]])).tolist()
    [[0, 126, 255]]
    """
    is_finite, whole = np.isfinite(plane), plane if of is None else of
    known = whole[np.isfinite(whole)]
    known = known if known.size else np.zeros(1)
    low, high = (float(value) for value in np.percentile(known, (1, 99.8)))
    if low == high:
        low, high = float(known.min()), float(known.max())
    scale = 255 / (high - low) if high > low else 0
    shown = np.where(is_finite, plane, low).astype(np.float64)
    return np.clip((shown - low) * scale, 0, 255).astype(np.uint8)


def outlines(plane: NDArray[Any], segments: ArrayLike | None = None, truth: ArrayLike | None = None) -> Bytes:
    """RGB picture (y, x, 3) of a plane, its segments and its truth outlined by their outermost pixels.

    Orange outlines are of segments alone, blue ones of truth alone, white ones of both. Ids do not matter: equal
    outlines are white whatever the numbers. Objects that touch have an outline each, side by side.
    """
    ours, theirs = (object_edges(labels, plane.shape) for labels in (segments, truth))
    picture = grey_picture(plane)
    picture[ours] = SEGMENTS_COLOUR
    picture[theirs] = TRUTH_COLOUR
    picture[ours & theirs] = BOTH_COLOUR
    return picture


def class_outlines(plane: NDArray[Any], labels: ArrayLike, classes: NDArray[Any]) -> Bytes:
    """RGB picture (y, x, 3) of a plane, its objects outlined by their outermost pixels in the colours of their classes.

    `classes` is the class of each pixel's object, 0 for background.
    """
    edge, picture = object_edges(labels, plane.shape), grey_picture(plane)
    picture[edge] = class_palette(classes)[classes[edge]]
    return picture


def class_palette(classes: NDArray[Any]) -> Bytes:
    """Colours (classes + 1, 3) of the classes up to the largest of some; of background black.

    >>> class_palette(np.array([0, 1])).tolist()
    [[0, 0, 0], [230, 159, 0]]
    """
    colours = [bytes.fromhex(class_colour(number)[1:]) for number in range(1, int(classes.max(initial=0)) + 1)]
    return np.array([[0, 0, 0], *(list(colour) for colour in colours)], np.uint8)


def side_by_side(left: Bytes, right: Bytes) -> Bytes:
    """Two pictures of one height with a white line between them."""
    return np.concatenate([np.pad(left, [(0, 0), (0, 6), (0, 0)], constant_values=255), right], axis=1)


def tint(plane: NDArray[Any], labels: ArrayLike) -> Bytes:
    """RGB picture (y, x, 3) of a plane, tinted wherever `labels` is not 0: the pixels that count as object.

    Labels are classes, each in its colour; of one class, or of a mask, that is orange.
    """
    numbers = _same_shape(labels, plane.shape).astype(np.uint8)
    inside, picture = numbers != 0, grey_picture(plane)
    picture[inside] = picture[inside] // 2 + class_palette(numbers)[numbers[inside]] // 2
    return picture


def shade(plane: NDArray[Any], part: NDArray[Any]) -> Bytes:
    """RGB picture (y, x, 3) of a plane, the more orange the larger `part` is, which goes from 0 to 1."""
    picture = grey_picture(plane)
    strength = np.round(np.clip(_same_shape(part, plane.shape), 0, 1).astype(np.float32) * 8)[..., np.newaxis] / 10
    shaded: Bytes = (picture * (1 - strength) + np.array(SEGMENTS_COLOUR, np.float32) * strength).astype(np.uint8)
    return shaded


def grey_picture(plane: NDArray[Any], of: NDArray[Any] | None = None) -> Bytes:
    """RGB picture of 128 greys up to 190, which leaves room for colours, and for two tones in one palette."""
    dimmed = (stretch(plane, of) // 2 * 1.5).astype(np.uint8)
    return np.repeat(dimmed[..., np.newaxis], 3, axis=-1)


def object_edges(labels: ArrayLike | None, shape: tuple[int, ...] | None = None) -> NDArray[np.bool_]:
    """Outermost pixels of each object of a y x plane, which must have this shape if one is given."""
    from skimage.segmentation import find_boundaries

    if labels is None:
        return np.zeros(shape or (0, 0), bool)
    return np.asarray(find_boundaries(_same_shape(labels, shape or np.shape(labels)), mode="inner"), bool)


def _same_shape(labels: ArrayLike, shape: tuple[int, ...]) -> NDArray[Any]:
    array = np.asarray(labels)
    if len(shape) != 2 or array.shape != shape:
        raise ValueError(
            f"plane and labels must be one y x plane each, got {shape} and {array.shape}; take plane z of both"
        )
    return array


def png(rgb: NDArray[Any]) -> bytes:
    """PNG of an RGB picture (y, x, 3), exact; with a palette where at most 256 colours allow it."""
    codes, places = np.unique(rgb.astype(np.uint32) @ np.array((65536, 256, 1), np.uint32), return_inverse=True)
    if len(codes) > 256:
        return encoded(Image.fromarray(rgb.astype(np.uint8)))
    image = Image.fromarray(places.reshape(rgb.shape[:2]).astype(np.uint8))
    image.putpalette(b"".join(int(code).to_bytes(3, "big") for code in codes))
    return encoded(image)


def thumbnail(rgb: NDArray[Any], side: int = 512) -> bytes:
    """PNG of at most `side` pixels either way and less than 300 kB, in at most 256 colours; never enlarged."""
    image = Image.fromarray(rgb.astype(np.uint8))
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    data = png(np.asarray(image.quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).convert("RGB")))
    return data if len(data) < EMBEDDED else thumbnail(rgb, side * 3 // 4)


def encoded(image: Image.Image) -> bytes:
    """PNG of a picture."""
    buffer = BytesIO()
    image.save(buffer, "png", optimize=True)
    return buffer.getvalue()


def colours(ids: NDArray[Any]) -> Bytes:
    """RGB picture of ids: 0 dark, others in one of 24 hues, near ids in hues far apart."""
    from matplotlib.colors import hsv_to_rgb

    hue = np.floor(ids * 0.618034 % 1 * 24) / 24  # the golden section parts neighbours, few hues spare the palette
    rgb = hsv_to_rgb(np.stack([hue, np.full(ids.shape, 0.55), np.full(ids.shape, 0.9)], axis=-1))
    return np.where((ids > 0)[..., np.newaxis], rgb * 255, 32).astype(np.uint8)


def hexadecimal(rgb: tuple[int, int, int]) -> str:
    """A colour as web pages and matplotlib write it."""
    return "#" + bytes(rgb).hex()


def sample_sheet(images: NDArray[Any], classes: NDArray[Any], columns: int) -> Bytes:
    """RGB picture (y, x, 3) of samples side by side, `columns` in a row, their classes outlined.

    Objects have blue outlines, ignored pixels are orange; objects of several classes have outlines in the colours of
    these, and ignored pixels are white. Grey values 0 to 1 of all samples are shown alike, so that changes of
    brightness are seen. Where classes are smaller than images, they are of the images' middle.

    Args:
        images: (n, y, x), normalised.
        classes: (n, y, x): 0 background, 255 ignored, else the class of an object.
        columns: samples in a row.
    """
    rim = (images.shape[-1] - classes.shape[-1]) // 2
    known = np.where(classes == IGNORE, 0, classes)
    palette = class_palette(known) if known.max(initial=0) > 1 else np.array([(0, 0, 0), TRUTH_COLOUR], np.uint8)
    padded = (np.pad(truth, rim, mode="edge") for truth in classes)
    tiles = [_sample(image, truth, rim, palette) for image, truth in zip(images, padded, strict=True)]
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % columns)
    rows = [np.concatenate(tiles[n : n + columns], axis=1) for n in range(0, len(tiles), columns)]
    return np.concatenate(rows)


def _sample(image: NDArray[Any], classes: NDArray[Any], rim: int, palette: Bytes) -> Bytes:
    """One sample, the context darker around what the loss is taken over, with a white line behind and below it."""
    grey = (np.clip(image, 0, 1) * 127).astype(np.uint8)
    picture = np.repeat((grey * 1.5).astype(np.uint8)[..., np.newaxis], 3, axis=-1)
    seen = np.zeros(image.shape, bool)
    seen[rim : image.shape[0] - rim, rim : image.shape[1] - rim] = True
    picture[~seen] //= 2
    known = np.where(classes == IGNORE, 0, classes)
    edge = seen & object_edges(known, image.shape)
    picture[seen & (classes == IGNORE)] = SEGMENTS_COLOUR if len(palette) == ONE_CLASS else BOTH_COLOUR
    picture[edge] = palette[known[edge]]
    return np.pad(picture, [(0, 2), (0, 2), (0, 0)], constant_values=255)
