"""Folders drawn in the layout of each challenge: small, and as the challenge offers them."""

from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from unet.images.synthetic import draw_stack

SIDE = 64
WIDE = 128
"""Pixels of a side of a frame: more than the borders in which nothing is judged."""
QUICK = [
    "train.steps=4",
    "train.minutes=0",
    "train.batch_size=1",
    "train.tile_size=32",
    "train.validate_every=2",
    "train.augmentation={elastic: 0.0, rotation: 0.0, scale: 1.0, blur: 0.0}",
    "train.architecture={base: 4, depth: 1}",
    "evaluate.bootstrap_resamples=10",
]
"""A network that is trained within seconds."""


def drawn(planes: int, seed: int = 1, side: int = SIDE) -> tuple[np.ndarray, np.ndarray]:
    """Grey images and ids of cells (n y x), uint8 and uint16."""
    image, truth = draw_stack(planes=planes, side=side, seed=seed)
    return (image // (image.max() // 255 + 1)).astype(np.uint8), truth.astype(np.uint16)


def membranes(ids: np.ndarray) -> np.ndarray:
    """White cells and black membranes, where two ids or an id and background meet."""
    cells = ids > 0
    for axis in (1, 2):
        cells &= ids == np.roll(ids, 1, axis)
    return np.where(cells, 255, 0).astype(np.uint8)


def isbi_volume(folder: Path, planes: int = 6) -> Path:
    """The two files of the challenge."""
    image, ids = drawn(planes)
    folder.mkdir(parents=True)
    tifffile.imwrite(folder / "train-volume.tif", image, photometric="minisblack")
    tifffile.imwrite(folder / "train-labels.tif", membranes(ids), photometric="minisblack")
    return folder


def isbi_slices(folder: Path, planes: int = 6, names: tuple[str, str] = ("image", "label")) -> Path:
    """The same, a file a section."""
    image, ids = drawn(planes)
    for name, stack in zip(names, (image, membranes(ids)), strict=True):
        (folder / name).mkdir(parents=True)
        for number, plane in enumerate(stack):
            tifffile.imwrite(folder / name / f"{number:02d}.tif", plane, photometric="minisblack")
    return folder


def tracking(folder: Path, frames: int = 4, silver: bool = False, markers: bool = True) -> Path:
    """Two sequences: gold truth of every second frame, markers of all cells, perhaps silver truth of all frames."""
    for seed, name in enumerate(("01", "02"), 1):
        image, ids = drawn(frames, seed, WIDE)
        kinds = {"": ("t", image), "_GT/SEG": ("man_seg", ids)}
        kinds |= {"_ST/SEG": ("man_seg", ids)} if silver else {}
        kinds |= {"_GT/TRA": ("man_track", marks(ids))} if markers else {}
        for suffix, (word, stack) in kinds.items():
            (folder / f"{name}{suffix}").mkdir(parents=True)
            for number in range(0, frames, 2 if suffix == "_GT/SEG" else 1):
                path = folder / f"{name}{suffix}/{word}{number:03d}.tif"
                tifffile.imwrite(path, stack[number], photometric="minisblack")
        if markers:
            lives = {one: [t for t in range(frames) if (ids[t] == one).any()] for one in np.unique(ids[ids > 0])}
            lines = (f"{one} {min(at)} {max(at)} 0\n" for one, at in lives.items())
            (folder / f"{name}_GT/TRA/man_track.txt").write_text("".join(lines))
    return folder


def marks(ids: np.ndarray) -> np.ndarray:
    """A mark of a few pixels within each object, of its id."""
    found = np.zeros_like(ids)
    for number, plane in enumerate(ids):
        for one in np.unique(plane[plane > 0]):
            places = np.argwhere(plane == one)
            for y, x in places[len(places) // 2 : len(places) // 2 + 3]:
                found[number, y, x] = one
    return found


def pictures(folder: Path, count: int = 4) -> Path:
    """Pictures with their labels, by one name each."""
    for name in ("image", "label"):
        (folder / name).mkdir(parents=True)
    for number in range(count):
        image, ids = drawn(1, number + 1)
        tifffile.imwrite(folder / f"image/{number:03d}.tif", image[0], photometric="minisblack")
        tifffile.imwrite(folder / f"label/{number:03d}.tif", ids[0], photometric="minisblack")
    return folder


def with_masks(folder: Path, count: int = 4) -> Path:
    """Pictures as the competition offers them: RGBA, and a mask an object."""
    for number in range(count):
        image, ids = drawn(1, number + 1)
        name = f"{number:064x}"
        for below in ("images", "masks"):
            (folder / "stage1_train" / name / below).mkdir(parents=True)
        coloured = np.dstack([image[0]] * 3 + [np.full_like(image[0], 255)])
        Image.fromarray(coloured, "RGBA").save(folder / "stage1_train" / name / "images" / f"{name}.png")
        for one in np.unique(ids[ids > 0]):
            mask = np.where(ids[0] == one, 255, 0).astype(np.uint8)
            Image.fromarray(mask).save(folder / "stage1_train" / name / "masks" / f"{one:04d}.png")
    return folder
