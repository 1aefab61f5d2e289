"""Three boxes as truth, the first two of which touch, and the files that hold them."""

import imagecodecs
import numpy as np

BOXES = [(2, 3, 12, 9), (2, 9, 12, 20), (20, 30, 28, 38)]
"""Left, top, right, bottom; the first two touch."""
LAST = 2**32 - 1


def drawn(ids=(1, 2, 3)):
    """Each box by its id."""
    labels = np.zeros((48, 40), np.uint8)
    for number, (left, top, right, bottom) in zip(ids, BOXES, strict=True):
        labels[top:bottom, left:right] = number
    return labels


def corners(box):
    """Its four corners, x before y, as outlines have them."""
    left, top, right, bottom = box
    return [[left, top], [right, top], [right, bottom], [left, bottom]]


def save_png(path, values):
    """Write a picture."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(imagecodecs.png_encode(values))
