"""Sparse and odd images under a model that was trained on dense ones: `python -m tests.bench.sparse DATASET FOLDER`.

DATASET is any finished dataset with truth of ids (a fold of `folds`, the demo). Of each plane of its validation part
that holds four objects apart from all others a scene is made of these four, and shown in zeros and in noise, brighter,
darker, with an offset and on a background that rises, and beside empty wells. All go through `reprocess` of a dataset
of their own with the model, as a lab's files would. Printed: objects found (IoU > 0.5) in each kind of scene beside
those found in the whole plane, and the most segments of an empty well.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from scipy import ndimage

from unet.dataset.folder import Dataset
from unet.dataset.record_file import write_record
from unet.evaluation.contingency import contingency
from unet.ledger.results import image_of, labels_of, model_of
from unet.settings.ingest import Source
from unet.store import ome
from unet.store.arrays import open_array

Array = NDArray[Any]
CELLS, APART, HALO = 4, 6, 5
"""Objects of a scene; pixels that lie between two of a plane at least; pixels around one that are shown with it."""


def main() -> None:
    """One run of the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("folder", type=Path)
    asked = parser.parse_args()
    trained, model = Dataset(str(asked.dataset)), "unet"
    planes = [plane for plane in _planes(trained, model) if plane[2].size == CELLS]
    scenes = {f"plane{number}": plane for number, plane in enumerate(planes)}
    files = asked.folder / "image"
    files.mkdir(parents=True, exist_ok=True)
    for name, scene in scenes.items():
        for kind, image in views(*scene, np.random.default_rng(len(name))).items():
            tifffile.imwrite(files / f"{name}-{kind}.tif", image)
    made = Dataset(str(asked.folder / "dataset"))
    if not made.record.exists():
        write_record(made, [Source(str(files))])
    command = Path(sys.executable).parent / "unet-flows"
    subprocess.run([command, "import", made.url, trained.model(model).url, "--as", model], check=True)
    subprocess.run([command, "reprocess", made.url], check=True)
    _print_table(made, model, scenes)


def views(image: Array, truth: Array, four: Array, draw: np.random.Generator) -> dict[str, Array]:
    """What is seen of a plane and of four of its objects, each beside the same four of the whole plane."""
    low, high = np.percentile(image, (1, 99.9))
    shown = ndimage.binary_dilation(np.isin(truth, four), iterations=HALO)
    cells = np.where(shown, np.clip(image.astype(float) - low, 0, None), 0)
    noise = 100 + 20 * draw.standard_normal(image.shape)
    bright = cells * 800 / (high - low)
    whole = np.round(16 * image.astype(float)).astype(np.uint16)
    drift = np.linspace(0, 0.5, image.shape[1])[None, :]  # by half of what cells stand out by, from left to right
    hot = np.zeros(image.shape, np.uint16)
    hot[tuple(side // 2 for side in image.shape)] = 4000
    return {
        "whole": image,
        "doubled": 2 * whole,
        "halved": whole // 2,
        "offset": (whole.astype(np.uint32) + 3_000_000_000).astype(np.uint32),
        "zeros": np.round(bright).astype(np.uint16),
        "noise": np.round(np.clip(bright + noise, 0, None)).astype(np.uint16),
        "drifting": np.round(whole + 16 * (high - low) * drift).astype(np.uint16),
        "noise-drifting": np.round(np.clip(bright + noise + 800 * drift, 0, None)).astype(np.uint16),
        "empty-drifting": np.round(np.clip(noise + 800 * drift, 0, None)).astype(np.uint16),
        "empty-noise": np.round(np.clip(noise, 0, None)).astype(np.uint16),
        "empty-clean": np.full(image.shape, 100, np.uint16),
        "hot-pixel": hot,
    }


def _planes(dataset: Dataset, model: str) -> Iterator[tuple[Array, Array, Array]]:
    """Planes of the validation part, their truth, and up to four objects that lie apart from all others."""
    for part in model_of(dataset, model).attributes()["split"]:
        if part["use"] == "validation":
            image, truth = (
                open_array(ome.full_level(of))[:]
                for of in (image_of(dataset, part["stack"]), labels_of(dataset, part["stack"], "truth"))
            )
            planes = [array.reshape(-1, *array.shape[-2:])[part["start"]] for array in (image, truth)]
            yield planes[0], planes[1], _apart(planes[1])


def _apart(truth: Array) -> Array:
    """Ids of up to four objects, away from the edges, beside which no other lies; spread over all that are."""
    good = []
    for number, box in enumerate(ndimage.find_objects(truth.astype(np.int64)), start=1):
        sides = [] if box is None else list(zip(box, truth.shape, strict=True))
        if not sides or any(part.start < APART or part.stop + APART > side for part, side in sides):
            continue
        around = truth[tuple(slice(part.start - APART, part.stop + APART) for part, _ in sides)]
        grown = ndimage.binary_dilation(around == number, iterations=APART)
        good += [number] if set(np.unique(around[grown]).tolist()) <= {0, number} else []
    return np.array(good)[:: max(len(good) // CELLS, 1)][:CELLS]


def _print_table(made: Dataset, model: str, scenes: dict[str, tuple[Array, Array, Array]]) -> None:
    kinds = {path.stem.split("-", 1)[1] for path in Path(made.url).parent.glob("image/*.tif")}
    for kind in sorted(kinds, key=lambda k: (k.startswith(("empty", "hot")), k != "whole")):
        found, most, count = 0, 0, 0
        for name, (_, truth, four) in scenes.items():
            segments = open_array(ome.full_level(labels_of(made, f"{name}-{kind}", model)))[:].squeeze()
            table = contingency(np.where(np.isin(truth, four), truth, 0).astype(np.int64), segments.astype(np.int64))
            found, most = found + int((table.iou > 0.5).sum()), max(most, int(segments.max()))
            count += CELLS
        empty = kind.startswith(("empty", "hot"))
        print(f"{kind:12}", f"at most {most} segments" if empty else f"{found} of {count} found, {found / count:.3f}")


if __name__ == "__main__":
    main()
