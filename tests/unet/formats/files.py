"""What the tests of formats share: pixels to be saved, stacks read whole, files cut short."""

from pathlib import Path

import numpy as np

from unet.formats.readers import open_stack


def noise(*shape, dtype=np.uint16):
    return np.random.default_rng(0).integers(0, 100, shape).astype(dtype)


def planes(opened):
    """The whole stack, from its planes."""
    leading = opened.shape[:-2]
    return np.stack([opened.plane(index) for index in np.ndindex(leading)]).reshape(opened.shape)


def read(*files, **how):
    with open_stack([str(file) for file in files], **how) as opened:
        return opened, planes(opened)


def cut(file, part):
    data = Path(file).read_bytes()
    Path(file).write_bytes(data[: int(len(data) * part)])
