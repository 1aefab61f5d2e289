"""Ingest of one large BigTIFF and of many small TIFFs, beside what zarr takes to write the same from memory, and peers.

Each way runs in a process of its own, which says how long it took, its processor time, and its memory at the peak. On
a machine that others use too, the processor time is the one to believe. zarr writes shards of the same shape with the
same codecs in as many threads: the full level alone, and all levels, which are made for it beforehand. Ours reads and
digests the file, writes all levels, gathers statistics, digests what it wrote, and commits. The peers read the same
file and write the same levels and shards, by means or by taking one pixel, with the codecs they come with.

`UNET_FLOWS_BENCH_PLANES` sets the size, 6.3 MB a plane; `UNET_FLOWS_BENCH_TIFFS` the number of small files.
"""

import multiprocessing
import os
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr
from numpy.typing import NDArray
from scipy import ndimage

from tests.bench.measure import peak
from unet.dataset.folder import Dataset
from unet.settings.ingest import Ingest
from unet.sources.search import Stack
from unet.store.arrays import CODECS, WRITE_ALL
from unet.store.pyramid import average
from unet.store.shards import Layout, plane_layout, pyramid_shapes, regions, stack_layout

PLANES = int(os.environ.get("UNET_FLOWS_BENCH_PLANES", "1024"))
TIFFS = int(os.environ.get("UNET_FLOWS_BENCH_TIFFS", "2000"))
SIDES, HELD, SMALL = (1024, 3072), 64, (256, 256)
"""Sides of a plane; planes that differ, which then come again; sides of a small one."""
THREADS = os.cpu_count() or 1
RUNS = int(os.environ.get("UNET_FLOWS_BENCH_TIMES", "3"))
SHAPE = (PLANES, *SIDES)


Way = Callable[[str, str], Callable[[], object]]
"""What imports a way and makes ready for it; what that gives is measured."""


@dataclass(frozen=True)
class Spent:
    """What a process took, and its GB at the peak."""

    seconds: float
    cpu: float
    peak: float

    def __str__(self) -> str:
        return f"{self.seconds:.1f} s, {self.cpu:.1f} s of processors, peak {self.peak:.2f} GB"


def planes() -> Iterator[NDArray[np.uint16]]:
    """Planes of smooth blobs with the noise of counted light."""
    random = np.random.default_rng(0)
    for _ in range(HELD):
        smooth = ndimage.zoom(random.random((SIDES[0] // 16, SIDES[1] // 16)), 16, order=1)
        yield random.poisson(100 + 1500 * smooth**4).astype(np.uint16)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The BigTIFF, and beside it the planes it is made of."""
    folder = tmp_path_factory.mktemp("source")
    held = np.stack(list(planes()))
    np.save(folder / "held.npy", held)
    with tifffile.TiffWriter(folder / "a.tif", bigtiff=True) as tif:
        again = (held[number % HELD] for number in range(PLANES))
        tif.write(again, shape=SHAPE, dtype=np.uint16, metadata={"axes": "ZYX"}, photometric="minisblack")
    del held
    yield str(folder / "a.tif")
    shutil.rmtree(folder)


def ours(source: str, folder: str) -> Callable[[], object]:
    """The stage."""
    from tasks.ingest import ingest_stack

    return partial(ingest_stack, Dataset(folder), _stack("a", source), Ingest())


def zarr_full(source: str, folder: str) -> Callable[[], object]:
    """The full level from memory."""
    return _write_levels(source, folder, 1)


def zarr_levels(source: str, folder: str) -> Callable[[], object]:
    """All levels from memory."""
    return _write_levels(source, folder, len(pyramid_shapes(SHAPE)))


def _write_levels(source: str, folder: str, number: int) -> Callable[[], object]:
    held = np.load(Path(source).with_name("held.npy"))
    levels = [held]
    while len(levels) < number:
        levels.append(average(levels[-1]))

    def write() -> None:
        for level, (shape, values) in enumerate(zip(pyramid_shapes(SHAPE)[:number], levels, strict=True)):
            _write(f"{folder}/{level}", shape, lambda z, values=values: values[np.arange(z.start, z.stop) % HELD])

    return write


def _layout(shape: tuple[int, ...]) -> Layout:
    """The layout that ours has: levels of a stack of large planes have shards of one plane too."""
    return stack_layout(shape, 2) if shape[-2:] in (SIDES, SMALL) else plane_layout(shape, 2)


def _write(path: str, shape: tuple[int, ...], block: Callable[[slice], NDArray[Any]]) -> None:
    layout = _layout(shape)
    array = zarr.create_array(
        path,
        shape=shape,
        shards=layout.shard,
        chunks=layout.chunk,
        dtype=np.uint16,
        compressors=CODECS,
        fill_value=0,
        config=WRITE_ALL,
    )

    def write(region: tuple[slice, ...]) -> None:
        array[region] = block(region[0])[(slice(None), *region[1:])]

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(write, regions(layout)))


def ngff_zarr(source: str, folder: str) -> Callable[[], object]:
    """Its own way from a TIFF, with means and the same shards."""
    from ngff_zarr import ConversionBackend, Methods, cli_input_to_ngff_image, to_multiscales, to_ome_zarr

    def write() -> None:
        image = cli_input_to_ngff_image(ConversionBackend.TIFFFILE, [source])
        halves = [{"z": 1, "y": 2**n, "x": 2**n} for n in range(1, len(pyramid_shapes(SHAPE)))]
        chunks = {"z": 1, "y": 512, "x": 512}
        scales = to_multiscales(image, halves, Methods.DASK_BIN_SHRINK, chunks=chunks, cache=False)
        to_ome_zarr(f"{folder}/a.zarr", scales, version="0.5", chunks_per_shard={"z": 1, "y": 2, "x": 4})

    return write


def bioio(source: str, folder: str) -> Callable[[], object]:
    """Its reader of TIFF and its writer, with the same shards."""
    from bioio_ome_zarr.writers import OMEZarrWriter
    from bioio_tifffile import Reader

    def write() -> None:
        image = Reader(source).get_image_dask_data("ZYX")
        layouts = [_layout(shape) for shape in pyramid_shapes(SHAPE)]
        writer = OMEZarrWriter(
            f"{folder}/a.zarr",
            [layout.shape for layout in layouts],
            image.dtype,
            chunk_shape=[layout.chunk for layout in layouts],
            shard_shape=[layout.shard for layout in layouts],
            axes_names=["z", "y", "x"],
            axes_types=["space"] * 3,
        )
        writer.write_full_volume(image)

    return write


def test_one_large_file(source: str, tmp_path: Path) -> None:
    gigabytes = np.prod(SHAPE) * 2 / 1e9
    print(f"\na BigTIFF of {gigabytes:.1f} GB, {THREADS} threads, load {os.getloadavg()[0]:.1f}")
    ways = {"ours": ours, "zarr, full level": zarr_full, "zarr, all levels": zarr_levels}
    spent: dict[str, list[Spent]] = {name: [] for name in ways}
    for _ in range(RUNS):
        for name, way in ways.items():
            spent[name].append(measured(way, source, tmp_path / "out"))
            print(f"{name}: {spent[name][-1]}; load {os.getloadavg()[0]:.1f}", flush=True)
    for of, beside in (("zarr, full level", "≤ 1.25"), ("zarr, all levels", "≤ 1.25")):
        print(f"ours beside {of}: {_ratio(spent['ours'], spent[of])} ({beside})", flush=True)
    most = max(each.peak for each in spent["ours"])
    print(f"memory at its peak: {most:.2f} GB (≤ 1)")


@pytest.mark.parametrize(("peer", "needs"), [(ngff_zarr, "ngff_zarr"), (bioio, "bioio_ome_zarr")])
def test_beside_a_peer(source: str, tmp_path: Path, peer: Way, needs: str) -> None:
    pytest.importorskip(needs, reason=f"needs {needs.replace('_', '-')}; of bioio, bioio-tifffile too")
    before = measured(ours, source, tmp_path / "out")
    theirs = measured(peer, source, tmp_path / "out")
    print(f"\n{peer.__name__}: {theirs}\nours: {before}")
    print(f"beside {peer.__name__}: {theirs.seconds / before.seconds:.1f} × as fast, ", end="")
    print(f"{theirs.cpu / before.cpu:.1f} × by processor time (≥ 2)", flush=True)


def test_many_small_files(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    stacks = []
    for number in range(TIFFS):
        file = tmp_path / f"{number:05d}.tif"
        tifffile.imwrite(file, random.poisson(300, SMALL).astype(np.uint16))
        stacks.append(_stack(file.stem, str(file)))
    spent = _in_a_process(_small, stacks, str(tmp_path))
    more, cpu = ([1e3 * (stage[n] - plain[n]) for stage, plain in spent] for n in (0, 1))
    plain = [1e3 * beside[0] for _, beside in spent]
    print(f"\n{TIFFS:,} TIFFs of {SMALL[0]}², load {os.getloadavg()[0]:.1f}")
    print(f"decoding and writing one: {median(plain):.1f} ms")
    print(f"beyond that a stack: {median(more):.1f} ms, mean {np.mean(more):.1f} ms (≤ 20), ", end="")
    print(f"of processors {median(cpu):.1f} ms, mean {np.mean(cpu):.1f} ms")


def _small(stacks: list[Stack], folder: str) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    from tasks.ingest import ingest_stacks

    def stage(stack: Stack) -> None:
        ingest_stacks.fn(f"{folder}/dataset", [stack], Ingest())

    def plain(stack: Stack) -> None:
        _write(f"{folder}/plain/{stack.name}", SMALL, lambda _: tifffile.imread(stack.files[0])[None])

    def timed(way: Callable[[Stack], None], stack: Stack) -> tuple[float, float]:
        began, cpu = time.perf_counter(), time.process_time()
        way(stack)
        return time.perf_counter() - began, time.process_time() - cpu

    stage(stacks[0])
    return [(timed(stage, stack), timed(plain, stack)) for stack in stacks[1:]]


def measured(way: Way, source: str, folder: Path) -> Spent:
    """What a way took, in a process of its own; what it wrote is removed."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    spent: Spent = _in_a_process(_spent, way, source, str(folder))
    shutil.rmtree(folder)
    return spent


def _spent(way: Way, source: str, folder: str) -> Spent:
    work = way(source, folder)
    began, cpu = time.perf_counter(), time.process_time()
    work()
    return Spent(time.perf_counter() - began, time.process_time() - cpu, peak())


def _in_a_process(function: Callable[..., Any], *given: Any) -> Any:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, given)


def _ratio(one: list[Spent], other: list[Spent]) -> str:
    pairs = list(zip(one, other, strict=True))
    seconds = median(a.seconds / b.seconds for a, b in pairs)
    return f"{seconds:.2f} × the time, {median(a.cpu / b.cpu for a, b in pairs):.2f} × the processor time"


def _stack(name: str, file: str) -> Stack:
    return Stack(name, (file,), None, None, (), "ids", source=str(Path(file).parent))
