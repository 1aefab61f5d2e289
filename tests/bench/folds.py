"""Quality on real microscopy, fold by fold: `python -m tests.bench.folds isbi|nuclei FOLDER [--fold K …] [--set …]`.

Each fold is a dataset of its own below FOLDER, as a lab would make it: only `sources` are given, truth lies beside the
training part alone, and one `reprocess` does the rest; so all settings are found on the training part. What it writes
of the images kept aside is measured, beside Otsu's threshold, alone and with a watershed of the distance. One line of
JSON a fold; `--table` prints the means of all that were run. `--stardist PYTHON` measures what `stardist_rival` trains
in another environment on the same split for as long. Data: `UNET_FLOWS_DATA`.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from scipy import ndimage
from skimage.feature import peak_local_max
from skimage.filters import threshold_otsu
from skimage.segmentation import watershed

from unet.dataset.folder import Dataset
from unet.dataset.record_file import parse_change, set_values, write_record
from unet.evaluation.contingency import contingency
from unet.evaluation.metrics import average_precision, v_info, v_rand
from unet.labels.connected import connected_segments
from unet.ledger.results import labels_of, model_of, scores_of
from unet.settings.ingest import Source
from unet.store import ome
from unet.store.arrays import open_array

Array = NDArray[Any]
Figures = dict[str, float]
LEVELS = np.arange(0.5, 1, 0.05)
NUCLEI_FOLDS, ISBI_FOLDS = 5, 4


def main() -> None:
    """One run of the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("benchmark", choices=("isbi", "nuclei"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--fold", type=int, nargs="*")
    parser.add_argument("--set", nargs="*", default=[], help="section.key=value")
    parser.add_argument("--stardist", metavar="PYTHON", help="of an environment with stardist and tensorflow")
    parser.add_argument("--table", action="store_true", help="the means of the folds that were run")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    log = asked.folder / f"{asked.benchmark}.jsonl"
    folds = range(NUCLEI_FOLDS if asked.benchmark == "nuclei" else ISBI_FOLDS) if asked.fold is None else asked.fold
    for fold in [] if asked.table else folds:
        lines = BENCHMARKS[asked.benchmark](asked.folder / f"{asked.benchmark}-{fold}", fold, asked)
        with log.open("a") as file:
            for line in lines:
                print(text := json.dumps({"fold": fold, **line}), flush=True)
                file.write(text + "\n")
    print_table([json.loads(line) for line in log.read_text().splitlines()])


def nuclei(folder: Path, fold: int, asked: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Figures of a fold of nuclei: every fifth image is kept aside."""
    images, truths = _nuclei()
    kept = sorted(images)[fold::NUCLEI_FOLDS]
    dataset, seconds = _made(folder, {**images}, {n: t for n, t in truths.items() if n not in kept}, "ids", asked.set)
    stacks = {name: name for name in kept}
    yield {"who": "ours", **_objects(truths, _segments(dataset, stacks)), **_found(dataset), "seconds": seconds}
    scores = _scores(dataset, stacks)
    halves = {n: connected_segments(s >= 0.5, min_size=16) for n, s in scores.items()}
    yield {"who": "ours at 0.5, 16 px, not declumped", **_objects(truths, halves)}
    if fold_seconds := asked.stardist and seconds:
        yield {"who": "stardist", **_objects(truths, _stardist(asked.stardist, folder, images, kept, fold_seconds))}
    masks = {n: _otsu(images[n]) for n in kept}
    yield {"who": "otsu", **_objects(truths, {n: connected_segments(m, min_size=16) for n, m in masks.items()})}
    yield {"who": "otsu, watershed", **_objects(truths, {n: _watershed(m) for n, m in masks.items()})}


def isbi(folder: Path, fold: int, asked: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Figures of a fold of membranes: a block of six sections is kept aside."""
    data = Path(os.environ["UNET_FLOWS_DATA"]) / "isbi2012_em"
    images, truths = (
        np.stack([tifffile.imread(data / kind / f"{n:02d}.tif") for n in range(24)]) for kind in ("image", "label")
    )
    aside = np.arange(24) // 6 == fold
    stacks = {"kept": images[aside], "training": images[~aside]}
    dataset, seconds = _made(folder, stacks, {"training": truths[~aside]}, 255, asked.set)
    cells = [connected_segments(plane == 255) for plane in truths[aside]]
    segments = open_array(ome.full_level(labels_of(dataset, "kept", "unet")))[:]
    scores = open_array(ome.full_level(scores_of(dataset, "unet", "kept")))[:].reshape(segments.shape) / 255
    halves = [connected_segments(plane >= 0.5) for plane in scores]
    yield {"who": "ours", **_membranes(cells, segments), **_found(dataset), "seconds": seconds}
    yield {"who": "ours at 0.5, 0 px, not declumped", **_membranes(cells, halves)}
    smooth = [ndimage.gaussian_filter(plane.astype(float), 1) for plane in images[aside]]
    yield {"who": "otsu", **_membranes(cells, [connected_segments(p > threshold_otsu(p)) for p in smooth])}


BENCHMARKS: dict[str, Callable[[Path, int, argparse.Namespace], Iterator[dict[str, Any]]]] = {
    "nuclei": nuclei,
    "isbi": isbi,
}


def print_table(lines: list[dict[str, Any]]) -> None:
    """Means over the folds of whoever was measured, merged objects summed up."""
    for who in dict.fromkeys(line["who"] for line in lines):
        mine = {line["fold"]: line for line in lines if line["who"] == who}
        names = [n for n, v in next(iter(mine.values())).items() if isinstance(v, int | float) and n != "fold"]
        values = {n: [line[n] for line in mine.values()] for n in names}
        means = {n: sum(v) if n in ("merged", "objects") else round(float(np.mean(v)), 3) for n, v in values.items()}
        print(f"{who:36}", f"{len(mine)} folds", *(f"{n} {v}" for n, v in means.items()))


def _nuclei() -> tuple[dict[str, Array], dict[str, Array]]:
    data = Path(os.environ["UNET_FLOWS_DATA"]) / "dsb2018_fluorescence"
    images, truths = ({p.stem: tifffile.imread(p) for p in (data / k).glob("*.tif")} for k in ("image", "label"))
    return images, truths


def _made(
    folder: Path, images: dict[str, Array], truths: dict[str, Array], foreground: Any, changes: list[str]
) -> tuple[Dataset, float]:
    """The dataset of a fold, and the seconds of its `reprocess`."""
    for kind, arrays in (("image", images), ("truth", truths)):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for name, array in arrays.items():
            axes = {"imagej": True, "metadata": {"axes": "ZYX"}} if array.ndim == 3 else {}
            tifffile.imwrite(folder / kind / f"{name}.tif", array, **axes)
    dataset = Dataset(str(folder / "dataset"))
    if not dataset.record.exists():
        write_record(dataset, [Source(str(folder / "image"), str(folder / "truth"), foreground=foreground)])
    set_values(dataset, dict(map(parse_change, changes))) if changes else None
    began = time.perf_counter()
    subprocess.run([Path(sys.executable).parent / "unet-flows", "reprocess", dataset.url], check=True)
    return dataset, round(time.perf_counter() - began, 1)


def _found(dataset: Dataset) -> dict[str, Any]:
    """How long training took, and the settings that were found with the model."""
    model = model_of(dataset, "unet")
    attributes = model.attributes()
    found = {k: v for k, v in (attributes.get("segment") or {}).items() if k not in ("curve", "metric", "part")}
    return {"training_seconds": model.committed().facts["seconds"], "steps": len(attributes["history"]), "found": found}


def _segments(dataset: Dataset, stacks: dict[str, str]) -> dict[str, Array]:
    return {n: open_array(ome.full_level(labels_of(dataset, stack, "unet")))[:] for n, stack in stacks.items()}


def _scores(dataset: Dataset, stacks: dict[str, str]) -> dict[str, Array]:
    return {n: open_array(ome.full_level(scores_of(dataset, "unet", s)))[:].squeeze() / 255 for n, s in stacks.items()}


def _objects(truths: dict[str, Array], segments: dict[str, Array]) -> Figures:
    """AP at IoU 0.5, 0.75 and over 0.5 to 0.95, mean over images; merged objects; predicted over true area, per object.

    Merged: objects that share with another the segment that covers more than half of them.
    """
    pairs = [(truths[n].astype(np.int64), s.squeeze().astype(np.int64)) for n, s in segments.items()]
    precision = np.array([[average_precision(t, s, level) for level in LEVELS] for t, s in pairs])
    tables = [contingency(t, s) for t, s in pairs]
    homes = [np.unique(table.column[table.covered], return_counts=True)[1] for table in tables]
    areas = [sum(int((pair[i] > 0).sum()) for pair in pairs) for i in (0, 1)]
    counts = [sum(table.objects.size for table in tables), max(sum(table.segments.size for table in tables), 1)]
    return {
        "ap50": float(np.nanmean(precision[:, 0])),
        "ap75": float(np.nanmean(precision[:, 5])),
        "ap": float(np.nanmean(precision)),
        "merged": int(sum(shared[shared > 1].sum() for shared in homes)),
        "objects": counts[0],
        "area_of_all": areas[1] / areas[0],
        "area_of_one": areas[1] / counts[1] / (areas[0] / counts[0]),
    }


def _membranes(cells: list[Array], segments: Any) -> Figures:
    pairs = list(zip(cells, segments, strict=True))
    return {f.__name__: float(np.mean([f(t, s) for t, s in pairs])) for f in (v_rand, v_info)}


def _otsu(image: Array) -> Array:
    smooth = ndimage.gaussian_filter(image.astype(float), 1)
    return np.asarray(smooth > threshold_otsu(smooth))


def _watershed(mask: Array) -> Array:
    """The mask parted by a watershed of its distance to the background, from summits at least 5 px apart."""
    distance = ndimage.gaussian_filter(ndimage.distance_transform_edt(mask), 1)
    markers = np.zeros(mask.shape, np.int32)
    summits = peak_local_max(distance, min_distance=5, labels=mask.astype(np.int32))
    markers[tuple(summits.T)] = np.arange(1, len(summits) + 1)
    parts = watershed(-distance, markers, mask=mask)
    return np.where(np.bincount(parts.ravel())[parts] >= 16, parts, 0)


def _stardist(python: str, folder: Path, images: dict[str, Array], kept: list[str], seconds: float) -> dict[str, Array]:
    rival = Path(__file__).with_name("stardist_rival.py")
    subprocess.run([python, rival, folder, str(seconds), *kept], check=True)
    return {name: np.load(folder / "stardist" / f"{name}.npy") for name in kept}


if __name__ == "__main__":
    main()
