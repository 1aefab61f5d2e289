"""Segment on a frame of 16,384² with 262,144 cells in 64 shards, beside `dask_image.ndmeasure.label`, in one run.

Ours are the two passes of the stage, from stored scores to stored labels; theirs is told the same mask of the same
stored scores, and writes with the same codecs; both have two threads. Theirs takes long, hence runs once, between ours:
with this dask each face's graph is united with those of all blocks before it, and blocks are labelled many times. The
control is about what its recipe would cost if they were not: each block read, labelled by scipy once, and written, with
nothing merged.

Parting clumps is measured by itself, on some 50,000 round objects of 100 to 300 px and clumps of them.
"""

import multiprocessing
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import dask
import dask.array
import numpy as np
import pytest
import zarr
from numpy.typing import NDArray
from scipy import ndimage

from tasks.execution.workers import Threads, run_regions
from tests.bench.frames import cells
from tests.bench.measure import peak
from unet.dataset.folder import Dataset, Folder
from unet.labels.clumps import Boxes, boxes_of
from unet.labels.connected import connected_segments, label_block
from unet.labels.declumping import Declumping, part_objects
from unet.labels.instances import BlockToWrite, Instances
from unet.labels.merging import Merged, merge_blocks
from unet.labels.scores import Scores, of_any, reaching, read_channels
from unet.ledger.results import image_of, labels_of, scores_of
from unet.ledger.stamp import Recipe
from unet.settings.ingest import Source
from unet.settings.segment import Segment
from unet.store import ome, shards
from unet.store.arrays import UNSHUFFLED, Stored, create
from unet.store.shards import Level, Region, plane_layout, regions

SIDE, BLOCK, RUNS = 16384, 2048, 3
SETTINGS = Segment(threshold=0.5, min_size=0, declump_depth=0)
NUMBERS = SETTINGS.numbers()


@pytest.fixture(scope="module", autouse=True)
def _blocks() -> Iterator[None]:
    """Shards of 2048², so that there are 64."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "PLANE_SHARD", BLOCK)
        yield


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """One stack with an image, and scores of a model "net" that look like a network's."""
    import tifffile

    from flows.planning.plan import make_plan
    from tasks.ingest import ingest_stack
    from unet.dataset.record_file import read_record, write_record

    folder = tmp_path_factory.mktemp("bench")
    place, pixels = Dataset(str(folder / "dataset")), np.tile(scores(), (SIDE // 4096,) * 2)
    (folder / "image").mkdir()
    tifffile.imwrite(folder / "image/a.tif", pixels)
    write_record(place, [Source(str(folder / "image"))])
    record = read_record(place)
    ingest_stack(place, make_plan(place, record).stacks["a"], record.ingest)
    result = scores_of(place, "net", "a")
    generation = result.begin(Recipe("predict", 1, {}, {}), {})
    stored = create(generation.level(0), plane_layout((1, SIDE, SIDE), 1), np.uint8, "cyx")
    for region in regions(stored.layout):
        stored.write(region, pixels[region[1:]][None])
    pyramid = ome.multiscales(generation, "a", "cyx", [Level((1, SIDE, SIDE), (0, 0))], {}, {})
    result.commit(generation, {"ome": {"version": "0.5", "multiscales": pyramid}}, {"axes": "cyx"})
    return place


def scores() -> NDArray[np.uint8]:
    """Scores of 4096² pixels: high in cells, low between, with noise of a few steps."""
    inside = cells(4096, 32) > 0
    noise = np.random.default_rng(0).normal(0, 4, inside.shape)
    return np.where(inside, np.clip(220 + noise, 128, 255), np.clip(30 + noise, 0, 127)).astype(np.uint8)


def test_labelling_beside_dask_image(dataset: Dataset) -> None:
    ours, blocks = [_ours(dataset)], []
    theirs, count = _dask_image(dataset)
    for _ in range(RUNS):
        seconds, found = _ours(dataset)
        blocks.append(_blocks_alone(dataset))
        ours.append((seconds, found))
    assert {found for _, found in ours} == {count}
    mine = median(seconds for seconds, _ in ours[1:])
    print(f"\nlabelling {count:,} objects, store to store, two threads: {SIDE**2 / 1e6 / mine:.0f} Mpx/s, {mine:.1f} s")
    print(f"beside dask_image.ndmeasure.label: {theirs / mine:.1f} × as fast (≥ 7), {theirs:.0f} s")
    print(f"beside scipy on each block, nothing merged: {median(blocks) / mine:.2f} × as fast, {median(blocks):.1f} s")


def test_the_stage_beside_reading_and_writing(dataset: Dataset) -> None:
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    process = context.Process(target=_stage, args=(str(dataset.url), answers))
    process.start()
    stage, alone, smaller, at_peak = answers.get()
    process.join()
    print(f"\nthe stage with table and pyramid: {stage:.1f} s, {SIDE**2 / 1e6 / stage:.0f} Mpx/s")
    print(f"reading scores and image once, writing labels: {alone:.1f} s, {alone / stage:.2f} of the stage")
    print(f"and writing the pyramid: {alone + smaller:.1f} s, {(alone + smaller) / stage:.2f} of the stage (≥ 0.6)")
    print(f"memory at its peak: {at_peak:.2f} GB (≤ 1.5)")


def test_parting_clumps_beside_scikit_image() -> None:
    """All objects of a block at once, beside the distances and the watershed of scipy and scikit-image for each."""
    labels, scores = _clumped(5632)
    boxes = boxes_of(_merged(labels > 0), labels.shape)
    array = np.array([(0, 0), labels.shape])
    part_objects(labels, boxes.id[:9], boxes.box[:9], array, Declumping(2))  # compiles
    some = boxes.chosen(boxes.id <= 2000)
    theirs = [_process_seconds(lambda: _by_scikit_image(labels, some, 2)) / some.id.size for _ in range(RUNS)]
    for how in (Declumping(2), Declumping(1, "both")):
        part = partial(part_objects, labels, boxes.id, boxes.box, array, how, scores)
        ours, clumps = [_process_seconds(part) / boxes.id.size for _ in range(RUNS)], int((part().counts > 1).sum())
        print(f"\nparting {boxes.id.size:,} objects by {how.by}, {clumps:,} of them clumps")
        print(f"processor time of each: {median(ours) * 1e3:.3f} ms (≤ 0.1)")
        print(f"beside scipy and scikit-image, each by itself: {median(theirs) / median(ours):.1f} × as fast (≥ 5)")


def _clumped(side: int) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """Round objects of some 100 to 300 pixels, many of them touching, and scores, lower at their rims."""
    random = np.random.default_rng(0)
    mask, grid = np.zeros((side, side), np.bool_), np.arange(10, side - 10, 20)
    for y, x in ((y, x) for y in grid for x in grid if random.random() < 0.85):
        dy, dx = random.integers(-3, 4, 2)
        radius = random.uniform(5.6, 9.8)
        square = np.s_[max(y + dy - 10, 0) : y + dy + 11, max(x + dx - 10, 0) : x + dx + 11]
        places = np.ogrid[square]
        mask[square] |= (places[0] - y - dy) ** 2 + (places[1] - x - dx) ** 2 <= radius**2
    blurred = ndimage.gaussian_filter(mask.astype(np.float32), 1)
    return connected_segments(mask).astype(np.int32), np.uint8(127 + 128 * blurred)


def _merged(mask: NDArray[np.bool_]) -> Merged:
    return merge_blocks([label_block(mask, (0, 0), mask.shape, boxes=True)])


def _by_scikit_image(labels: NDArray[np.int32], boxes: Boxes, depth: float) -> None:
    """Each object by itself: its distances, their h-maxima, and the watershed from these."""
    from skimage.measure import label
    from skimage.morphology import h_maxima
    from skimage.segmentation import watershed

    for number, ((top, left), (bottom, right)) in zip(boxes.id, boxes.box, strict=True):
        mask = np.pad(labels[top:bottom, left:right] == number, 1)
        distance = ndimage.distance_transform_edt(mask)
        if distance.max() > depth:
            seeds = label(h_maxima(distance, depth))
            if seeds.max() > 1:
                watershed(-distance, seeds, mask=mask)


def _process_seconds(work: Callable[[], Any]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def _instances(dataset: Dataset, name: str) -> Instances:
    folder = Folder(str(Path(dataset.url).parent / name))
    shutil.rmtree(folder.url, ignore_errors=True)
    job = Instances(
        image=folder,
        image_axes="yx",
        scores=Scores(ome.full_level(scores_of(dataset, "net", "a")), "cyx", (1,)),
        target=folder,
        axes="yx",
        layout=plane_layout((SIDE, SIDE), 4),
        settings=(NUMBERS,),
    )
    create(folder, job.layout, np.int32, "yx", UNSHUFFLED)
    return job


def _ours(dataset: Dataset) -> tuple[float, int]:
    job = _instances(dataset, "ours")
    blocks = list(job.blocks())
    client = Threads(2)
    with client.pool:
        began = time.perf_counter()
        labelled = run_regions(client, job.label, blocks, _nothing)
        merged = merge_blocks((labels for _, (labels,) in labelled), job.classes[0].rules)
        ids = [merged.lookups[tuple(part.start for part in block)] for block in blocks]
        none = boxes_of(merged, job.layout.shape).of(np.zeros(0, np.int64))
        work = [BlockToWrite(block, lookup, lookup, none, []) for block, lookup in zip(blocks, ids, strict=True)]
        work.reverse()
        for _ in run_regions(client, lambda each: len(job.relabel([each])), work, _nothing):
            pass
        return time.perf_counter() - began, merged.count


def _dask_image(dataset: Dataset) -> tuple[float, int]:
    from dask_image.ndmeasure import label

    job = _instances(dataset, "theirs")
    stored = dask.array.from_array(Stored(job.scores.folder).array, chunks=(1, BLOCK, BLOCK))[0]
    began = time.perf_counter()
    labels, count = label(reaching(stored, NUMBERS.threshold))
    written = dask.array.store(labels, zarr.open_array(job.target.url, mode="r+"), lock=False, compute=False)
    _, found = dask.compute(written, count, scheduler="threads", num_workers=2)
    return time.perf_counter() - began, int(found)


def _blocks_alone(dataset: Dataset) -> float:
    job = _instances(dataset, "blocks")

    def work(block: Region) -> None:
        mask = reaching(of_any(job.scores.read(block)), NUMBERS.threshold)
        Stored(job.target).write(block, ndimage.label(mask)[0])

    return _by_two(work, job.blocks())


def _stage(url: str, answers: Any) -> None:
    """The stage in a process of its own, warm, and then what it reads and writes without doing anything."""
    from tasks.segment import segment_stack
    from unet.ledger.recipes import segment_recipe

    shards.PLANE_SHARD = BLOCK
    dataset, times = Dataset(url), []
    client = Threads(2)
    with client.pool:
        for _ in range(RUNS):
            shutil.rmtree(dataset.labels("a", "net").url, ignore_errors=True)
            began = time.perf_counter()
            segment_stack(dataset, "a", "net", SETTINGS, segment_recipe(dataset, "net", "a", SETTINGS), client)
            times.append(time.perf_counter() - began)
    at_peak = peak()
    labels = Stored(ome.full_level(labels_of(dataset, "a", "net")))
    job, image = _instances(dataset, "copy"), Stored(ome.full_level(image_of(dataset, "a")))
    target, axes = Stored(job.target), image_of(dataset, "a").committed().facts["axes"]

    def copy(block: Region) -> None:
        job.scores.read(block)
        read_channels(image, axes, "yx", block)
        target.write(block, held[block[0].start // BLOCK % len(held)])

    held = [labels.read(block) for block in list(job.blocks())[:8]]
    alone = median(_by_two(copy, job.blocks()) for _ in range(RUNS))
    smaller = median(_pyramid_alone(labels.folder, job.target) for _ in range(RUNS))
    answers.put((median(times), alone, smaller, at_peak))


def _pyramid_alone(full: Folder, target: Folder) -> float:
    """Seconds of writing the smaller levels of labels from memory."""
    took, start = 0.0, full.url.removesuffix("0")
    for number in range(1, len(shards.pyramid_shapes((SIDE, SIDE)))):
        level = Stored(Folder(f"{start}{number}"))
        held = {(rows.start, columns.start): level[rows, columns] for rows, columns in regions(level.layout)}
        shutil.rmtree(target.url, ignore_errors=True)
        copy = create(target, level.layout, np.int32, "yx", UNSHUFFLED)

        def write(region: Region, held: Any = held, copy: Stored = copy) -> None:
            copy.write(region, held[region[0].start, region[1].start])

        took += _by_two(write, regions(level.layout))
    return took


def _by_two(work: Callable[[Region], None], blocks: Iterable[Region]) -> float:
    """Seconds that two threads take."""
    began = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, blocks))
    return time.perf_counter() - began


def _nothing() -> None:
    """No progress."""
