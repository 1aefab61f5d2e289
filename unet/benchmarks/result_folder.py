"""Segments of a sequence as the Cell Tracking Challenge takes them: `02_RES/mask000.tif` …, uint16.

Nothing is tracked: each segment has an id of its own, and `res_track.txt` calls it a track of one frame. SEG and DET,
which look at one frame at a time, are right so; TRA, of what such a folder holds, says nothing.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from unet.benchmarks.layouts import BenchmarkUnit

Labels = NDArray[Any]

MOST = 65535
"""Largest id that a mask holds."""
TRACKS = "res_track.txt"


def write_results(folder: Path, unit: BenchmarkUnit, segments: Sequence[Labels]) -> str:
    """Write a mask a frame, named and numbered as its frames are; says what was written.

    Where there are more segments than ids, those of each frame count from 1, and there are no tracks.

    Args:
        folder: `02_RES`, say; masks that lie there are written over.
        unit: the sequence.
        segments: ids of each frame, 0 = background.
    """
    folder.mkdir(parents=True, exist_ok=True)
    counts = [np.unique(plane[plane > 0]).size for plane in segments]
    is_tracked = sum(counts) <= MOST
    firsts = np.cumsum([0, *counts[:-1]]) if is_tracked else np.zeros(len(counts), int)
    digits = max(3, len(str(max(unit.frames))))
    for frame, plane, first in zip(unit.frames, segments, firsts, strict=True):
        _write_mask(folder / f"mask{frame:0{digits}d}.tif", _renumbered(plane, int(first)))
    tracks = folder / TRACKS
    tracks.unlink(missing_ok=True)
    if is_tracked:
        tracks.write_text("".join(_lines(unit.frames, counts)), "ascii")
    how = f"with {TRACKS}, each segment a track of one frame" if is_tracked else "without tracks: too many segments"
    return f"{len(counts)} masks in {folder}, {how}; nothing is tracked."


def _renumbered(plane: Labels, first: int) -> NDArray[np.uint16]:
    """Ids `first` + 1, + 2 … in the order of the ids that are there."""
    ids, places = np.unique(plane, return_inverse=True)
    numbers = np.cumsum(ids > 0) + first
    renumbered = np.where(ids > 0, numbers, 0)[places].reshape(plane.shape)
    if renumbered.max(initial=0) > MOST:
        raise ValueError(f"a frame must hold {MOST} segments at most to be a mask, got {renumbered.max()}")
    return renumbered.astype(np.uint16)


def _lines(frames: Sequence[int], counts: Sequence[int]) -> list[str]:
    """Lines of tracks: id, first frame, last frame, no parent."""
    each = [frame for frame, count in zip(frames, counts, strict=True) for _ in range(count)]
    return [f"{number} {frame} {frame} 0\n" for number, frame in enumerate(each, 1)]


def _write_mask(path: Path, mask: NDArray[np.uint16]) -> None:
    draft = path.with_name(f".{path.name}.partial")
    tifffile.imwrite(draft, mask, photometric="minisblack", compression="zlib")
    draft.replace(path)
