"""Three drawn classes from files to figures, by one command: `python -m tests.bench.classes FOLDER [--minutes 5]`.

Round, long and speckled objects, some of them touching, as TIFFs; ids as truth, and a CSV that tells the class of each.
`init` and `reprocess` are run as a user would type them, with the default recipe and so many minutes of training.
Printed: minutes in all, AP at IoU 0.5 of each class on the validation part and their mean, and the confusion table.
"""

import argparse
import csv
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from scipy import ndimage

NAMES = ("round", "long", "speckled")
SIDE, IMAGES, TRIES = 256, 25, 150
"""Sides of an image, how many there are, and places that are tried in each."""
SPECKS, GLOW = 0.12, 0.9
"""Share of the pixels at which a speck begins, and how much brighter it is than what it lies on."""


def main() -> None:
    """One run of the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=5)
    asked = parser.parse_args()
    write(asked.folder)
    dataset, begun = str(asked.folder / "dataset"), time.monotonic()
    places = [f"{asked.folder}/{name}" for name in ("image", "truth", "class")]
    table = [f"{number}={name}" for number, name in enumerate(NAMES, 1)]
    given = ["--images", places[0], "--truth", places[1], "--class-of", places[2]]
    run("init", dataset, *given, *(word for each in table for word in ("--classes", each)))
    run("reprocess", dataset, "--set", f"train.minutes={asked.minutes:g}")
    print(f"{(time.monotonic() - begun) / 60:.1f} minutes in all")
    show(json.loads((asked.folder / "dataset/reports/unet/metrics.json").read_text()))


def run(*words: str) -> None:
    """Run a verb."""
    subprocess.run([str(Path(sys.executable).parent / "unet-flows"), *words], check=True)


def write(folder: Path) -> None:
    """Images, ids, and the class of each id, below a folder."""
    for name in ("image", "truth", "class"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for number in range(IMAGES):
        image, ids, classes = draw(np.random.default_rng(number))
        tifffile.imwrite(folder / f"image/{number:02}.tif", image)
        tifffile.imwrite(folder / f"truth/{number:02}.tif", ids)
        with (folder / f"class/{number:02}.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["id", "class"])
            rows.writerows([each, NAMES[of - 1]] for each, of in classes.items())


def draw(random: np.random.Generator) -> tuple[NDArray[np.uint16], NDArray[np.uint16], dict[int, int]]:
    """Image in camera counts, ids of its objects, and the class of each."""
    depth, ids, light = np.zeros((SIDE, SIDE)), np.zeros((SIDE, SIDE), np.uint16), np.zeros((SIDE, SIDE))
    classes: dict[int, int] = {}
    for of, inside in shapes(random):
        is_deep, was_free = inside > depth, (ids[inside > 0] == 0).mean() > 0.9  # they may touch
        if not was_free:
            continue
        number = len(classes) + 1
        specks = ndimage.gaussian_filter((random.random((SIDE, SIDE)) < SPECKS / 9).astype(float), 1) * 9
        light[is_deep] = (0.6 + GLOW * specks[is_deep] if of == NAMES.index("speckled") + 1 else 1) * (
            1 - 0.5 * np.exp(-10 * inside[is_deep])
        )
        ids[is_deep], depth[is_deep], classes[number] = number, inside[is_deep], of
    ids = largest_pieces(ids)
    photons = random.poisson(40 * ndimage.gaussian_filter(light, 0.8) + 4)
    image = 100 + 20 * photons + random.normal(0, 25, ids.shape)
    return (
        image.clip(0, 65535).astype(np.uint16),
        ids,
        {each: of for each, of in classes.items() if (ids == each).any()},
    )


def shapes(random: np.random.Generator) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Objects to be drawn, each with its class and how deep each pixel lies in it; ≤ 0 outside."""
    y, x = np.indices((SIDE, SIDE))
    for _ in range(TRIES):
        of, (cy, cx), angle = random.integers(1, 4), random.uniform(0, SIDE, 2), random.uniform(0, np.pi)
        long, short = (random.uniform(20, 26), random.uniform(5, 7)) if of == 2 else [random.uniform(9, 14)] * 2
        along, across = (
            np.cos(angle) * (x - cx) + np.sin(angle) * (y - cy),
            np.cos(angle) * (y - cy) - np.sin(angle) * (x - cx),
        )
        yield int(of), 1 - np.hypot(along / long, across / short)


def largest_pieces(ids: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """The same ids, each in its largest piece alone, and in none of fewer than 40 pixels."""
    kept = np.zeros_like(ids)
    for each in np.unique(ids[ids > 0]):
        pieces, _ = ndimage.label(ids == each)
        sizes = np.bincount(pieces.ravel())[1:]
        if sizes.max() >= 40:
            kept[pieces == sizes.argmax() + 1] = each
    return kept


def show(metrics: dict[str, Any]) -> None:
    """Figures of the validation part, a line a class."""
    print(json.dumps({key: metrics[key] for key in ("classes", "mean_over_classes", "confusion")}, indent=1))


if __name__ == "__main__":
    main()
