"""The files that a fold's dataset is made of: images of all its stacks, and truth of what trains alone.

What is tested has no truth there, so that nothing can look at it: not the checkpoint, not the threshold. Sections are
two stacks, `training` and `tested`; of a sequence that trains the frames with truth are taken, of one that is tested
all.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from unet.benchmarks.folds import Fold, FoldPart
from unet.benchmarks.layouts import BenchmarkUnit
from unet.benchmarks.partial_truth import UNJUDGED_ID, judged, widest
from unet.benchmarks.pixels import read_cells, read_images, read_labels, read_truth
from unet.benchmarks.published import Benchmark
from unet.settings.ingest import Source

Array = NDArray[Any]

IMAGE, TRUTH = "image", "truth"


def source_of(benchmark: Benchmark, units: Sequence[BenchmarkUnit], fold: Fold, folder: Path) -> Source:
    """How the files of a fold are named in its dataset's record."""
    names = {part.unit for part in fold.training}
    is_partial = any(unit.markers and not unit.silver for unit in units if unit.name in names)
    return Source(
        str(folder / IMAGE),
        str(folder / TRUTH),
        foreground=255 if benchmark.kind == "sections" else "ids",
        ignore=UNJUDGED_ID if is_partial else None,
        pixel_size=benchmark.pixel_size or None,
    )


def truth_in_words(units: Mapping[str, BenchmarkUnit], fold: Fold) -> list[str]:
    """Which truth of sequences trained, a sentence each: it is not the challenge's own where silver truth did."""
    said = []
    for part in fold.training:
        unit = units[part.unit]
        kind = "silver truth" if unit.silver else "gold truth"
        rest = "" if unit.silver else ", pixels around cells that nobody drew ignored"
        rest = rest if unit.silver or unit.markers else ", where what was not drawn counts as background"
        said.append(
            f"{fold.tested[0].unit} is tested by what {kind} of {len(part.planes)} frames of {unit.name} trained{rest}."
        )
    return said


def write_files(benchmark: Benchmark, units: Mapping[str, BenchmarkUnit], fold: Fold, folder: Path) -> None:
    """Write the images and the truth of a fold, a file a stack; each appears only when it is whole.

    Truth of what is tested is read as well, so that it is refused now and not when all is trained.

    Raises:
        ValueError: a file of the challenge is damaged, or not what it must be.
    """
    for part in fold.tested:
        _require_scorable(benchmark, units[part.unit], part)
    to_grey = benchmark.kind == "pictures"
    axes = {"sections": "ZYX", "sequences": "TYX", "pictures": "ZYX"}[benchmark.kind]
    for part in (*fold.training, *fold.tested):
        images = read_images(units[part.unit], part.planes, to_grey=to_grey)
        _write(folder / IMAGE / f"{part.stack}.tif", images, axes)
    for part in fold.training:
        _write(folder / TRUTH / f"{part.stack}.tif", _truth(benchmark, units[part.unit], part), axes)


def _require_scorable(benchmark: Benchmark, unit: BenchmarkUnit, part: FoldPart) -> None:
    """Refuse truth of a tested part that could not be scored with."""
    if benchmark.kind != "sequences":
        _truth(benchmark, unit, part)
        return
    size = read_images(unit, [0]).shape[1:]
    images = dict(zip(unit.frames, unit.images, strict=True))
    for frame, file in (*unit.gold.items(), *unit.markers.items()):
        read_labels(file, size, images[frame])


def _truth(benchmark: Benchmark, unit: BenchmarkUnit, part: FoldPart) -> Array:
    """Truth of a part (n y x)."""
    if benchmark.kind == "sections":
        return np.where(read_cells(unit, part.planes), 255, 0).astype(np.uint8)
    if benchmark.kind == "sequences":
        return _truth_of_frames(unit, part.planes)
    return _as_ids(read_truth(unit, part.planes), unit.truth[0])


def _truth_of_frames(unit: BenchmarkUnit, places: Sequence[int]) -> Array:
    size = read_images(unit, places[:1]).shape[1:]
    of = {unit.frames[place]: unit.images[place] for place in places}
    known = unit.silver or unit.gold
    labels = {frame: _as_ids(read_labels(known[frame], size, file), known[frame]) for frame, file in of.items()}
    if unit.silver or not unit.markers:
        return np.stack(list(labels.values()))
    reach = widest(labels.values())
    marks = {frame: read_labels(unit.markers[frame], size, file) for frame, file in of.items()}
    return np.stack([judged(labels[frame], marks[frame], reach) for frame in of])


def _as_ids(labels: Array, file: str) -> NDArray[np.uint16]:
    if labels.max(initial=0) >= UNJUDGED_ID:
        raise ValueError(
            f"{file} must hold ids below {UNJUDGED_ID}, got {labels.max()}; take the file of the challenge"
        )
    return labels.astype(np.uint16)


def _write(path: Path, stack: Array, axes: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.partial")
    planes, said = (stack[0], axes[1:]) if len(stack) == 1 else (stack, axes)
    tifffile.imwrite(draft, planes, photometric="minisblack", compression="zlib", metadata={"axes": said})
    draft.replace(path)
