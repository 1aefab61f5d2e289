"""MetaMorph's ND: an index that says which files hold the waves, stages and time points of an experiment.

    x.nd    x_w1DAPI_s1_t1.stk, x_w1DAPI_s1_t2.stk, …: a file each wave (w), stage (s) and time point (t), z within

Stages are scenes; waves are channels. Where some waves have z and others were taken in one plane, those are scenes of
their own: planes that were never taken are not made up. An experiment that was stopped is read as far as it went in
whole time points; a file that is missing before others that are there is named.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from unet.dataset.filesystem import read_regular
from unet.formats.pixel_sizes import SaidSizes
from unet.formats.stack import Opened, Pages, Reader, SliceAxis, decoding_errors_told, stack_of_pages
from unet.formats.tiff import READER as TIFF
from unet.sources.stacks import Scenes

LARGEST = 2**22
"""Bytes of an index, at most; one of a thousand stages has 30 kB."""
MOST = 1_000_000
"""Files that an index can name."""
SUFFIXES = (".stk", ".tif", ".tiff")
PART = re.compile(r"(_[wst]\d)", re.IGNORECASE)
"""Where the name of an experiment may end in the name of its file."""


class _Wave(NamedTuple):
    number: int
    name: str
    has_z: bool


@dataclass(frozen=True)
class _Index:
    """What an index says."""

    file: Path
    waves: tuple[_Wave, ...]
    stages: int
    times: int
    step: float
    """µm between planes; 0 where it does not say."""
    says: Mapping[str, str]

    @property
    def groups(self) -> list[tuple[_Wave, ...]]:
        """Waves that make one stack: those with z, and those without."""
        groups = (tuple(wave for wave in self.waves if wave.has_z is has_z) for has_z in (True, False))
        return [group for group in groups if group]

    def scene(self, number: int) -> tuple[int, tuple[_Wave, ...]]:
        """Stage and waves of a scene."""
        stage, group = divmod(number, len(self.groups))
        return stage, self.groups[group]

    def names(self, wave: _Wave, stage: int, time: int) -> Iterator[str]:
        """Names that a file may bear, without suffix, the likeliest first."""
        rest = f"_s{stage + 1}" if self.is_done("DoStage") else ""
        rest += f"_t{time + 1}" if self.is_done("DoTimelapse") else ""
        if not self.is_done("DoWave"):
            yield f"{self.file.stem}{rest}"
            return
        in_file = re.sub(r'[/\\:*?"<>|]', "-", wave.name)
        for word in dict.fromkeys((in_file, in_file.replace("_", "-"), in_file.replace(" ", "_"), "")):
            yield f"{self.file.stem}_w{wave.number}{word}{rest}"
        if len(self.waves) == 1:
            yield f"{self.file.stem}{rest}"

    def is_done(self, what: str) -> bool:
        """Whether an experiment went along an axis, such as `DoStage`."""
        return self.says.get(what, "").upper() == "TRUE"


@contextmanager
def _open(file: str, scene: int | None, axis: SliceAxis) -> Iterator[Opened]:
    with ExitStack() as now:
        with decoding_errors_told(file, "MetaMorph index"):
            index = _index(file)
            stage, waves = index.scene(scene or 0)
            grid, notes = _grid(index, stage, waves)
        pages, sizes = _pages(file, grid, now)
        sizes = {**sizes, **({"z": (index.step, "µm")} if index.step else {})}
        stack = stack_of_pages(pages, sizes, [wave.name for wave in waves])
        yield replace(stack, notes=(*stack.notes, *notes))


def _find_scenes(file: str) -> Scenes:
    with decoding_errors_told(file, "MetaMorph index"):
        index = _index(file)
        number = index.stages * len(index.groups)
        parts = (str(path) for path in _files_of(index).values())
        return Scenes(number, tuple(parts))


def names(file: str) -> bool:
    """Whether a MetaMorph index beside a file names it as one of its own."""
    path = Path(file)
    for end in (match.start() for match in PART.finditer(path.stem)):
        index = path.with_name(f"{path.stem[:end]}.nd")
        try:
            changes = index.parent.stat().st_mtime_ns
            if index.is_file() and path in _known(str(index), (index.stat().st_mtime_ns, changes)):
                return True
        except ValueError:  # a broken index has no files; that it is broken is told where it is opened
            continue
    return False


@lru_cache(maxsize=16)  # each file of a folder asks for the same one
def _known(file: str, _: tuple[int, int]) -> frozenset[Path]:
    try:
        return frozenset(_files_of(_index(file)).values())
    except (KeyError, IndexError) as error:
        raise ValueError(str(error)) from error


def _index(file: str) -> _Index:
    content = read_regular(file, LARGEST + 1)
    if len(content) > LARGEST or not content.lstrip(b"\xef\xbb\xbf").startswith(b'"NDInfoFile"'):
        raise ValueError("it does not begin as one")
    lines = (line.partition(",") for line in content.decode("utf-8", "replace").splitlines())
    says = {key.strip().strip('"'): value.strip().strip('"') for key, _, value in lines}
    if "EndFile" not in says:
        raise ValueError("it does not end as one: it is not whole")
    index = _Index(
        file=Path(file),
        waves=_waves(says),
        stages=_count(says, "NStagePositions") if says.get("DoStage", "").upper() == "TRUE" else 1,
        times=_count(says, "NTimePoints") if says.get("DoTimelapse", "").upper() == "TRUE" else 1,
        step=abs(float(says.get("ZStepSize", "0").replace(",", ".") or 0)),
        says=says,
    )
    if index.stages * index.times * len(index.waves) > MOST:
        raise ValueError(f"it speaks of {index.stages * index.times * len(index.waves):,} files")
    return index


def _waves(says: Mapping[str, str]) -> tuple[_Wave, ...]:
    has_z = says.get("DoZSeries", "").upper() == "TRUE"
    if says.get("DoWave", "").upper() != "TRUE":
        return (_Wave(1, "", has_z),)
    numbers = range(1, _count(says, "NWavelengths") + 1)
    return tuple(
        _Wave(n, says.get(f"WaveName{n}", ""), has_z and says.get(f"WaveDoZ{n}", "TRUE").upper() == "TRUE")
        for n in numbers
    )


def _count(says: Mapping[str, str], key: str) -> int:
    number = int(says[key])
    if not 0 < number <= MOST:
        raise ValueError(f"{key} is {number:,}")
    return number


def _files_of(index: _Index) -> dict[tuple[int, int, int], Path]:
    """Files that are there, by wave, stage and time."""
    there = {path.name.lower(): path for path in index.file.parent.iterdir()}
    found = {}
    for wave in index.waves:
        for stage, time in np.ndindex(index.stages, index.times):
            names = (f"{name}{suffix}".lower() for name in index.names(wave, stage, time) for suffix in SUFFIXES)
            file = next((there[name] for name in names if name in there), None)
            if file is not None:
                found[wave.number, stage, time] = file
    return found


def _grid(index: _Index, stage: int, waves: tuple[_Wave, ...]) -> tuple[list[list[Path]], tuple[str, ...]]:
    """Files of one scene, by time and wave, of its whole time points."""
    found = _files_of(index)
    is_whole = [all((wave.number, stage, time) in found for wave in waves) for time in range(index.times)]
    times = [*is_whole, False].index(False)
    later = any((wave.number, stage, time) in found for wave in waves for time in range(times + 1, index.times))
    if not times or later:
        lost = next(wave for wave in waves if (wave.number, stage, times) not in found)
        name = next(index.names(lost, stage, times)) + (".stk" if lost.has_z else ".tif")
        raise ValueError(f"it must come with {name}, which is not there; copy the missing files next to it")
    note = f"it was stopped early: {times} of {index.times} time points are whole, and are taken"
    grid = [[found[wave.number, stage, time] for wave in waves] for time in range(times)]
    return grid, () if times == index.times else (note,)


def _pages(file: str, grid: list[list[Path]], now: ExitStack) -> tuple[Pages, SaidSizes]:
    """Planes of all files, one of which is open at a time, and the sizes that the first of them says."""
    first = _opened(grid[0][0], now)
    if not set(first.axes) <= set("zyx"):
        raise ValueError(f"{grid[0][0]} must hold planes along z, as a part of {file}, got axes {first.axes}")
    alike = (first.axes, first.shape, first.dtype)
    depth = first.shape[0] if "z" in first.axes else 1

    @lru_cache(maxsize=1)
    def part(path: Path) -> Opened:
        now.close()
        opened = _opened(path, now)
        if (opened.axes, opened.shape, opened.dtype) != alike:
            got = f"{opened.axes} {opened.shape} {opened.dtype} in {path}"
            raise ValueError(f"files of {file} must all be alike, got {got} but {alike[0]} {alike[1]} {alike[2]}")
        return opened

    def read(index: tuple[int, ...]) -> np.ndarray:
        time, wave, z = index
        return part(grid[time][wave]).plane((z,) if depth > 1 else ())

    shape = (len(grid), len(grid[0]), depth, *first.shape[-2:])
    sizes = {axis: (size, first.units[axis]) for axis, size in first.spacing.items()}
    return Pages(file, "tczyx", shape, first.dtype, 2, read), sizes


def _opened(file: Path, now: ExitStack) -> Opened:
    return now.enter_context(TIFF.open(str(file), None, "z"))


READER = Reader(_open, _find_scenes)
