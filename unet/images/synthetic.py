"""Synthetic stacks of touching, glowing cells with known truth, written as a microscope and an annotator would.

A cell is a tilted ellipse; a pixel belongs to the cell it lies deepest in, so neighbours share a border instead of
overlapping. Before asking, pixels are shifted by a smooth random field, which makes ellipses blobs. Borders are a
little darker than cells: enough for a network to find them, too little for a threshold, which merges neighbours.

Rejected: distance to seeds alone (every cell touches every neighbour, and none is ever free), and real data (it cannot
be shipped, and its truth is an opinion).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, label

Fields = NDArray[np.float64]
CellIds = NDArray[np.uint16]

PIXEL = 0.325
"""Side of a pixel in µm, as the OME-TIFFs say."""
STEP = 1.0
"""Distance of planes in µm, as the OME-TIFFs say."""
LEAST = 60
"""Pixels of the smallest piece of a cell that is drawn in a plane."""

UNANNOTATED = "tuesday-1.tif"
"""The stack without truth."""


@dataclass(frozen=True)
class DrawnCells:
    """The n cells of a stack, in pixels and planes; cell k has the id k + 1."""

    centre: Fields
    """n × (y, x) in the middle plane."""
    drift: Fields
    """n × (y, x), pixels a plane."""
    radius: Fields
    """n, in the middle plane."""
    growth: Fields
    """n, fraction of the radius a plane."""
    metric: Fields
    """n × 2 × 2 of determinant 1: turns a circle into a tilted ellipse of the same area."""
    glow: Fields
    """n, brightness, 1 on average."""


@dataclass(frozen=True)
class Planned:
    """One stack to be written: where its files go, and what is drawn in it."""

    image: tuple[str, ...]
    """Files below the folder, one for the whole stack or one a plane."""
    truth: tuple[str, ...]
    """As `image`; empty for a stack that nobody annotated."""
    planes: int
    side: int
    seed: int


def draw_stack(planes: int, side: int, seed: int) -> tuple[NDArray[np.uint16], CellIds]:
    """Image in camera counts and truth ids, both uint16 (z, y, x), the same for the same seed.

    Some 36 cells in 256 × 256 pixels, most of them touching. In every plane a cell is one 4-connected region of at
    least 60 pixels; it drifts and grows slowly along z and keeps its id, so a plane resembles the next.

    >>> image, truth = draw_stack(planes=2, side=64, seed=1)
    >>> image.shape, image.dtype.name, int(truth.max())
    ((2, 64, 64), 'uint16', 5)
    """
    if planes < 1 or side < 64:
        raise ValueError(f"planes must be ≥ 1 and side ≥ 64 pixels, got {planes} and {side}; ask for a larger stack")
    rng = np.random.default_rng(seed)
    cells = _scatter(side, rng)
    shift = _smooth(rng, (2, planes, side, side), 12) * 3
    texture = _smooth(rng, (planes, side, side), 2)
    image = np.empty((planes, side, side), np.uint16)
    truth = np.empty_like(image)
    for z in range(planes):
        truth[z], light = _cells_plane(cells, z - (planes - 1) / 2, shift[:, z], texture[z])
        image[z] = _photograph(light, rng)
    return image, truth


def _scatter(side: int, rng: np.random.Generator) -> DrawnCells:
    centres, radii = np.empty((0, 2)), np.empty(0)
    for _ in range((side + 20) ** 2 // 190):
        centre, radius = rng.uniform(-10, side + 10, 2), rng.uniform(18, 27)
        room = np.linalg.norm(centres - centre, axis=1) - 0.82 * (radii + radius)
        if (room > 0).all():
            centres, radii = np.vstack([centres, centre]), np.append(radii, radius)
    n = len(radii)
    angle, stretch = rng.uniform(0, np.pi, n), rng.uniform(1, 1.35, n)
    turn = np.moveaxis(np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]), -1, 0)
    metric = turn * np.stack([stretch, 1 / stretch], -1)[:, None, :] @ turn.transpose(0, 2, 1)
    glow = np.exp(rng.normal(0, 0.15, n))
    return DrawnCells(centres, rng.normal(0, 0.8, (n, 2)), radii, rng.normal(0, 0.025, n), metric, glow)


def _smooth(rng: np.random.Generator, shape: tuple[int, ...], sigma: float) -> Fields:
    """Random field of standard deviation 1, smooth over `sigma` pixels of y x and 3 planes of z."""
    field = gaussian_filter(rng.normal(size=shape), (*[0] * (len(shape) - 3), 3, sigma, sigma), mode="reflect")
    return np.asarray(field / field.std())


def _cells_plane(cells: DrawnCells, height: float, shift: Fields, texture: Fields) -> tuple[CellIds, Fields]:
    """CellIds of a plane `height` planes above the middle, and the light that its cells send out."""
    points = np.moveaxis(np.indices(texture.shape) + shift, 0, -1)
    radius = cells.radius * (1 + cells.growth * height)
    centre = cells.centre + cells.drift * height
    depths = np.stack(
        [r - np.linalg.norm((points - c) @ m, axis=-1) for c, r, m in zip(centre, radius, cells.metric, strict=True)]
    )
    ids = _one_piece_each(np.where(depths.max(0) > 0, depths.argmax(0) + 1, 0).astype(np.uint16))
    second, first = np.partition(depths, -2, axis=0)[-2:]
    seam = np.exp(-(((first - second) / 4) ** 2)) * (second > -2)
    dome = 1 - 0.5 * np.exp(-first / 5)
    glow = np.append(0, cells.glow)[ids]
    return ids, glow * np.where(ids > 0, dome * (1 + 0.12 * texture) * (1 - 0.3 * seam), 0)


def _one_piece_each(ids: CellIds) -> CellIds:
    """The same ids, each only in its largest 4-connected piece, and in none of fewer than 60 pixels."""
    kept = np.zeros_like(ids)
    for k in np.unique(ids[ids > 0]):
        pieces, _ = label(ids == k)
        sizes = np.bincount(pieces.ravel())[1:]
        if sizes.max() >= LEAST:
            kept[pieces == sizes.argmax() + 1] = k
    return kept


def _photograph(light: Fields, rng: np.random.Generator) -> NDArray[np.uint16]:
    """Camera counts of a plane of light: a lamp brighter on one side, haze, blur, photons, read noise."""
    y, x = np.indices(light.shape) / light.shape[0]
    lamp = 1 - 0.55 * ((y - 0.35) ** 2 + (x - 0.4) ** 2)
    haze = 0.2 * gaussian_filter(light, 16)
    photons = rng.poisson(90 * lamp * (gaussian_filter(light, 1.2) + haze) + 5)
    counts: Fields = 100 + 12 * photons + rng.normal(0, 25, light.shape)
    return counts.clip(0, 65535).astype(np.uint16)


def write_dataset(folder: Path, small: bool) -> None:
    """Writes `stacks/` (OME-TIFFs and plain TIFFs) and `slices/` (a folder of planes) with their truth below `folder`.

    Six stacks of 4 to 12 planes of 256 × 256 pixels; small: four stacks of 2 or 3 planes of 128 × 128. One of
    them has no truth. A file that exists is left as it is, and a file appears only when it is complete: a second call
    changes nothing, and a call after a killed one writes what is missing.
    """
    for stack in _plan(small):
        files = [folder / name for name in stack.image + stack.truth]
        if all(file.exists() for file in files):
            continue
        image, truth = draw_stack(stack.planes, stack.side, stack.seed)
        _write_stack(folder, stack.image, image, channel="cells")
        _write_stack(folder, stack.truth, truth, channel="truth")


def _plan(small: bool) -> Iterator[Planned]:
    side = 128 if small else 256
    files = {"monday-1.ome.tif": 6, "monday-2.ome.tif": 4, "tuesday-1.tif": 4, "tuesday-2.tif": 8, "tuesday-3.tif": 5}
    for seed, name in enumerate([*files][: 3 if small else 5], start=1):
        truth: tuple[str, ...] = () if name == UNANNOTATED else (f"stacks/truth/{name}",)
        yield Planned((f"stacks/image/{name}",), truth, 2 if small else files[name], side, seed)
    planes = [f"well-A1/plane-{n}.tif" for n in (range(9, 12) if small else range(1, 13))]
    image, truth = (tuple(f"slices/{kind}/{plane}" for plane in planes) for kind in ("image", "truth"))
    yield Planned(image, truth, len(planes), side, seed=6)


def _write_stack(folder: Path, names: tuple[str, ...], stack: NDArray[np.uint16], channel: str) -> None:
    """Writes a stack into one file, or a plane into each of several."""
    parts = [stack] if len(names) == 1 else list(stack)
    for name, part in zip(names, parts, strict=False):
        _write_once(folder / name, part, channel)


def _write_once(path: Path, pixels: NDArray[np.uint16], channel: str) -> None:
    from tifffile import imwrite

    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.unfinished")
    form = _ome(path.name, channel) if path.name.endswith(".ome.tif") else {"metadata": None}
    imwrite(unfinished, pixels, photometric="minisblack", software="phantom", **form)
    unfinished.replace(path)


def _ome(name: str, channel: str) -> dict[str, Any]:
    """What makes a TIFF an OME-TIFF; the UUID follows from the name, so that the same stack has the same bytes."""
    from uuid import NAMESPACE_URL, uuid5

    sizes = {"PhysicalSizeX": PIXEL, "PhysicalSizeY": PIXEL, "PhysicalSizeZ": STEP}
    units = {f"{size}Unit": "µm" for size in sizes}
    identity = {"UUID": str(uuid5(NAMESPACE_URL, f"{channel}/{name}")), "Channel": {"Name": [channel]}}
    return {"ome": True, "metadata": {"axes": "ZYX", **sizes, **units, **identity}}
