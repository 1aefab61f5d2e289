"""Quality on real microscopy: `python -m tests.bench.real isbi|nuclei FOLDER [--name N] [section.key=value …]`.

Ingests and weighs once into FOLDER, trains a model N with these settings, predicts everything, and prints one line of
figures over the validation part, with Otsu's threshold on the same frames beside them. The threshold of the scores is
the one of `THRESHOLDS` that serves the training part best, by the headline metric. Data: `UNET_FLOWS_DATA`.
"""

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from skimage.filters import threshold_otsu

from tests.conftest import run_stage
from unet.dataset.folder import Dataset
from unet.dataset.record_file import parse_change, set_values, write_record
from unet.evaluation import metrics
from unet.images.planes import planes
from unet.labels.connected import connected_segments
from unet.ledger.results import Result, image_of, labels_of, model_of, scores_of
from unet.settings.ingest import Source
from unet.store import ome
from unet.store.arrays import open_array
from unet.training.split import PlaneRange

THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
CHOSEN_ON = 8
"""Frames of the training part that the threshold is chosen on."""
Figures = dict[str, float]
Array = NDArray[Any]


class Benchmark(NamedTuple):
    """One data set: where it lies, how it is split, what is measured, the headline first."""

    source: dict[str, Any]
    validation: str
    metrics: dict[str, Callable[[Array, Array], float]]
    minimum: int
    """Pixels of the smallest segment."""


def merged(truth: Array, segments: Array) -> float:
    """Objects, more than half of them in segments, whose largest part lies in the same segment as another one's.

    >>> merged(np.array([[1, 1, 0, 2, 2, 0, 3]]), np.array([[9, 9, 9, 9, 9, 0, 4]]))
    2.0
    """
    inside = truth > 0
    ids, held = truth[inside], segments[inside]
    homes = [np.bincount(held[ids == each]).argmax() for each in np.unique(ids) if (held[ids == each] > 0).mean() > 0.5]
    counts = np.unique([home for home in homes if home], return_counts=True)[1]
    return float(counts[counts > 1].sum())


ISBI = Benchmark(
    {"images": "isbi2012_em/image", "truth": "isbi2012_em/label", "slices": "z", "foreground": 255},
    "{last: 0.2}",
    {
        "v_rand": metrics.v_rand,
        "v_info": metrics.v_info,
        "rand_f": metrics.rand_f,
        "pixel_error": metrics.pixel_error,
    },
    0,
)
NUCLEI = Benchmark(
    {"images": "dsb2018_fluorescence/image", "truth": "dsb2018_fluorescence/label"},
    "{every: 5}",
    {"average_precision": metrics.average_precision, "seg": metrics.seg, "merged": merged},
    16,
)


def main() -> None:
    """One run of the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("benchmark", choices=("isbi", "nuclei"))
    parser.add_argument("folder")
    parser.add_argument("--name", default="unet", help="name of the model")
    parser.add_argument("settings", nargs="*", help="section.key=value")
    asked = parser.parse_intermixed_args()
    benchmark = {"isbi": ISBI, "nuclei": NUCLEI}[asked.benchmark]
    dataset = _dataset(benchmark, asked.folder)
    changes = dict(parse_change(text) for text in asked.settings)
    set_values(dataset, {"train": None, "weigh": None})
    set_values(dataset, {"train.name": asked.name, "train.validation": parse_change(f"x={benchmark.validation}")[1]})
    if changes:
        set_values(dataset, changes)
    seconds = {stage: _timed(dataset, stage) for stage in ("ingest", "weigh", "train", "predict")}
    figures = {"ours": ours(dataset, asked.name, benchmark), "otsu": otsu(dataset, asked.name, benchmark)}
    print(json.dumps({"name": asked.name, "settings": asked.settings, "seconds": seconds, **figures}))


def ours(dataset: Dataset, model: str, benchmark: Benchmark) -> Figures:
    """Mean figures over the validation part, `merged` summed up, at the threshold that serves the training part."""
    headline, metric = next(iter(benchmark.metrics.items()))
    only_headline = benchmark._replace(metrics={headline: metric})
    training = list(_frames(dataset, model, "training"))
    chosen = training[:: max(len(training) // CHOSEN_ON, 1)]

    def serves(threshold: float) -> float:
        return _figures(((t, s >= threshold) for _, t, s in chosen), only_headline)[headline]

    best = max(THRESHOLDS, key=serves)
    found = _figures(((t, s >= best) for _, t, s in _frames(dataset, model, "validation")), benchmark)
    return {**found, "threshold": best}


def otsu(dataset: Dataset, model: str, benchmark: Benchmark) -> Figures:
    """The same figures of Otsu's threshold on the image, smoothed by 1 px."""
    smooth = (
        (truth, gaussian_filter(image.astype(float), 1)) for image, truth, _ in _frames(dataset, model, "validation")
    )
    return _figures(((truth, image > threshold_otsu(image)) for truth, image in smooth), benchmark)


def _figures(pairs: Iterator[tuple[Array, Array]], benchmark: Benchmark) -> Figures:
    values: dict[str, list[float]] = {name: [] for name in benchmark.metrics}
    for truth, mask in pairs:
        segments = connected_segments(mask, min_size=benchmark.minimum)
        for name, metric in benchmark.metrics.items():
            values[name].append(float(metric(truth, segments)))
    return {name: float(np.sum(v) if name == "merged" else np.nanmean(v)) for name, v in values.items()}


def _dataset(benchmark: Benchmark, folder: str) -> Dataset:
    dataset, data = Dataset(folder), Path(os.environ["UNET_FLOWS_DATA"])
    if not dataset.record.exists():
        paths = {key: str(data / benchmark.source[key]) for key in ("images", "truth")}
        write_record(dataset, [Source(**{**benchmark.source, **paths})])
    return dataset


def _timed(dataset: Dataset, stage: str) -> float:
    began = time.perf_counter()
    outcomes = run_stage(dataset, stage)
    failed = [outcome for outcome in outcomes if outcome.state != "done"]
    if failed:
        raise SystemExit(f"{failed[0].name} at {stage}: {failed[0].why}")
    return round(time.perf_counter() - began, 1)


def _frames(dataset: Dataset, model: str, use: str) -> Iterator[tuple[Array, Array, Array]]:
    """Image, truth and scores of the object, plane by plane of a part."""
    split: Sequence[PlaneRange] = [PlaneRange(**part) for part in model_of(dataset, model).attributes()["split"]]
    for part in split:
        if part.use == use:
            image, truth, scores = (
                _planes(result)
                for result in (
                    image_of(dataset, part.stack),
                    labels_of(dataset, part.stack, "truth"),
                    scores_of(dataset, model, part.stack),
                )
            )
            for plane in range(part.start, part.stop):
                yield image[plane], truth[plane], scores[plane] / 255


def _planes(result: Result) -> list[Array]:
    attributes = result.attributes()
    found = planes(open_array(result.folder / ome.first_level(attributes)), ome.axes_of(attributes))
    return [plane.read(plane.window)[0] for plane in found]


if __name__ == "__main__":
    main()
